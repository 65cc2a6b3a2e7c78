"""The table `decisions`: what was decided on which night, and what the policy remembers of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from churn_spark.config import PolicyConfig
from churn_spark.contracts.tables import DECISIONS
from churn_spark.lakehouse.selection import Between
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState, from_json, to_json


def read_entries(lakehouse: Lakehouse, first: date | None = None) -> tuple[Entry, ...]:
    """The decisions since a date, in their order; one to three a night come to the driver."""
    rows = lakehouse.collect_rows(DECISIONS, {"run_date": Between(first)})
    return tuple(
        Entry(
            row.sequence,
            Decision(row.run_date, row.kind, row.rule, row.reason, row.version),
            from_json(PolicyState, row.state_before) if row.state_before else None,
            from_json(Evidence, row.evidence) if row.evidence else None,
            from_json(PolicyState, row.state_after) if row.state_after else None,
            PolicyConfig.model_validate_json(row.policy),
        )
        for row in sorted(rows, key=lambda row: (row.run_date, row.sequence))
    )


def write_night(lakehouse: Lakehouse, night: date, entries: Sequence[Entry]) -> None:
    """Replace the decisions of a night, numbered in their order."""
    rows = [
        (
            night,
            number,
            entry.decision.kind,
            entry.decision.rule,
            entry.decision.reason,
            entry.decision.version,
            to_json(entry.before) if entry.before else None,
            to_json(entry.evidence) if entry.evidence else None,
            entry.policy.model_dump_json(),
            to_json(entry.after) if entry.after else None,
        )
        for number, entry in enumerate(entries)
    ]
    lakehouse.replace_rows(rows, DECISIONS, {"run_date": [night]})
