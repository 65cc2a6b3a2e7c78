"""What must not be lost with held nights that are taken back: a human's word, and open alerts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date as Date

from churn_spark.contracts.tables import ALERTS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.alerts.alerts import Alert
from churn_spark.monitoring.policy.history import of_night
from churn_spark.monitoring.policy.reconcile import add_to_night
from churn_spark.stores.alerts import add_alerts, read_alerts
from churn_spark.stores.decisions import read_entries, write_night

_HUMAN = ("human", "released")


def move_human_decisions(lakehouse: Lakehouse, ahead: Collection[Date], date: Date) -> None:
    """Write what a human has decided on nights that are taken back to the newest one that stays.

    A held night leaves the policy's state as it was, so the decisions still follow from each other.

    Args:
        lakehouse: with the decisions.
        ahead: the nights that are taken back.
        date: of the night that is to be run: where no decision stays, it is dated to that.
    """
    stay, moved = [], []
    for entry in read_entries(lakehouse):
        if entry.decision.night not in ahead:
            stay.append(entry)
        elif entry.decision.rule in _HUMAN and entry.evidence is None:
            moved.append(entry)
    target = stay[-1].decision.night if stay else date
    dated = [
        replace(entry, sequence=0, decision=replace(entry.decision, night=target))
        for entry in moved
    ]
    last = [replace(entry, sequence=0) for entry in of_night(stay, target)][-len(dated) :]
    # A rerun after a kill finds them written already.
    if not dated or last == dated:
        return
    entries = tuple(stay)
    for entry in dated:
        entries = add_to_night(entries, entry)
    write_night(lakehouse, target, of_night(entries, target))


def end_alerts(lakehouse: Lakehouse, ahead: Collection[Date], date: Date) -> None:
    """Let the alerts end that have opened on nights that are taken back; it is told next.

    Args:
        lakehouse: with the alerts.
        ahead: the nights that are taken back.
        date: of the night that is to be run: it tells of the ends, which stand on the newest night
            that stays, beside all that is open there; on itself where none stays.
    """
    opened: dict[str, Alert] = {}
    for night in sorted(ahead):
        opened |= {one.key: one for one in read_alerts(lakehouse, [night]) if one.opened in ahead}
    nights = [one for one in lakehouse.partition_values(ALERTS, "run_date") if one not in ahead]
    target = max(nights, default=date)
    ended = [
        replace(alert, resolved=target, last_told=None)
        for alert in opened.values()
        # Nobody knows of one that no receiver took, and all know of an end that was told.
        if (alert.last_told is None) == (alert.resolved is not None)
    ]
    known = {(alert.key, alert.opened) for alert in read_alerts(lakehouse, [target])}
    add_alerts(lakehouse, target, [one for one in ended if (one.key, one.opened) not in known])
