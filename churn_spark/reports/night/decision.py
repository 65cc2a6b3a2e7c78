"""The night's decisions, the model's standing, the data checks and the open alerts."""

from __future__ import annotations

from collections.abc import Iterator

from churn_spark.monitoring.alerts.alerts import severity_order
from churn_spark.monitoring.policy.calibration import describe_thresholds
from churn_spark.monitoring.policy.told import name_decision
from churn_spark.reports.night import words
from churn_spark.reports.night.data import NightData, records
from churn_spark.reports.night.feature_cells import since_cell
from churn_spark.reports.night.summary import champion_age
from churn_spark.reports.page import Block, Cell, Facts, Section, Table
from churn_spark.wording import count_of


def decision_section(data: NightData) -> Section:
    """Every decision of the night with its rule, and what the policy remembers."""
    blocks: list[Block] = []
    if data.tonight:
        rows = tuple(
            (
                Cell(name_decision(entry.decision.kind, entry.decision.rule)),
                Cell(
                    entry.decision.reason,
                    words.explain_rule(entry.decision, entry.policy),
                    "prose",
                ),
            )
            for entry in data.tonight
        )
        blocks.append(Table("In this order", ("Decision", "Because, and the rule"), rows))
    blocks.append(Facts(tuple(_standing(data))))
    n = len(data.tonight)
    answer = (
        "No decision is stored for this run."
        if not n
        else f"{'One decision' if n == 1 else count_of(n, 'decision')} in this run. The retraining "
        "policy is a fixed rule: the same figures give the same decision again."
    )
    return Section("decision", "The decision of this run", answer, tuple(blocks))


def checks_section(data: NightData) -> Section:
    """What was wrong with the data, and what was looked at."""
    failed = [check for check in data.checks if not check.passed]
    passed = [check for check in data.checks if check.passed]
    blocks: list[Block] = []
    for caption, checks, folded in (
        ("Failed", failed, ""),
        ("Passed", passed, f"{count_of(len(passed), 'check')} that passed"),
    ):
        if checks:
            rows = tuple((Cell(check.name), Cell(check.sentence)) for check in checks)
            blocks.append(Table(caption, ("Check", "Found"), rows, folded=folded))
    if not data.checks:
        answer = "The data of this date were not checked."
    elif failed:
        answer = (
            f"{len(failed)} of {count_of(len(data.checks), 'check')} failed: no drift is judged "
            "and nothing is learnt until the data are corrected."
        )
    else:
        answer = f"{count_of(len(data.checks), 'check')}, none failed."
    return Section("data", "Data checks", answer, tuple(blocks))


def alerts_section(data: NightData) -> Section:
    """The alerts that are open, the most severe first."""
    rows = sorted(
        records(data.open_alerts),
        key=lambda row: (severity_order(row["severity"]), row["opened"], row["key"]),
    )
    if not rows:
        text = "No alert is open."
        return Section("alerts", "Open alerts", text, ())
    table = Table(
        "The most severe first",
        ("Alert", "Severity", "Open since", "What was found"),
        tuple(
            (
                Cell(words.alert_name(row["key"])),
                Cell(row["severity"], tone="loud" if row["severity"] == "critical" else ""),
                since_cell(row["opened"], data.night),
                Cell(row["sentence"], _clear(int(row["nights_clear"])), "prose"),
            )
            for row in rows
        ),
        note="Info: for information only. Warning: the model may suffer. Critical: act now.",
    )
    text = f"{count_of(len(rows), 'alert is', 'alerts are')} open."
    return Section("alerts", "Open alerts", text, (table,))


def _clear(nights: int) -> str:
    if not nights:
        return ""
    return f"not seen in the last {count_of(nights, 'run')}; closes soon"


def _standing(data: NightData) -> Iterator[tuple[str, str]]:
    yield "Model in use (champion)", champion_age(data)
    state = data.state
    if state is None:
        return
    waits = state.waits_for_human or "nothing"
    yield "Waits for a person", waits
    if state.pending is not None:
        yield "Under way", f"a retraining for {state.pending.trigger}, asked {state.pending.asked}"
    if state.previous is not None and state.probation_end is not None:
        yield (
            "On probation",
            f"until {state.probation_end}; if it does worse, version {state.previous} comes back",
        )
    age = (data.night - state.last_retrain).days
    yield "Last retraining", f"{state.last_retrain}, {count_of(age, 'day')} ago"
    if state.bad_nights:
        bad = sum(state.bad_nights)
        yield "Runs with drift", f"{bad} of the last {len(state.bad_nights)} that were judged"
    recent = [d for d in state.reactions if (data.night - d).days < data.policy.budget_days]
    yield (
        "Retrainings for drift or performance",
        f"{len(recent)} in the last {count_of(data.policy.budget_days, 'day')} (limit "
        f"{data.policy.max_retrains})",
    )
    yield "After one of these, drift is ignored for", count_of(state.cooldown_days, "day")
    yield "Drift thresholds", describe_thresholds(state, data.policy, data.night)
