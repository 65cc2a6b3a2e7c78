"""What happened in the last nights: alerts, retrainings, promotions, rejections, roll-backs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from churn_spark.monitoring.alerts.alerts import severity_order
from churn_spark.monitoring.policy.told import name_decision
from churn_spark.reports.night import words
from churn_spark.reports.night.data import HISTORY_DAYS, NightData, records
from churn_spark.reports.night.pictures import Bar, draw_timeline
from churn_spark.reports.page import Block, Cell, Picture, Section, Table
from churn_spark.wording import count_of, name_some

_EVENTS = ("retrain", "promote", "reject", "roll_back")
_MAX_BARS, _MAX_NAMED, _OPEN_ROWS = 14, 4, 15
_CHANGES = {
    "opened": "Alert",
    "worsened": "Worse",
    "resolved": "Over",
}


def timeline_section(data: NightData) -> Section:
    """A picture of the last 90 nights, and every event in words, the newest first."""
    title = "What happened"
    events = sorted(_events(data), key=lambda event: event[0])[::-1]
    bars = _bars(data)
    marks = [
        (entry.decision.night, entry.decision.kind)
        for entry in data.entries
        if entry.decision.kind in _EVENTS
        or (entry.decision.kind, entry.decision.rule)
        in (("hold", "data_checks"), ("hold", "too_few_rows"))
    ]
    if not events and not marks:
        text = f"No event in the last {HISTORY_DAYS} daily runs."
        return Section("timeline", title, text, ())
    blocks: list[Block] = [_picture(data, bars, marks)]
    rows = tuple(
        (Cell(str(night)), Cell(what, tone="whole"), Cell(text, tone="prose"))
        for night, what, text in events
    )
    header = ("Run", "What", "In words")
    if rows:
        blocks.append(Table("The newest first", header, rows[:_OPEN_ROWS]))
    if len(rows) > _OPEN_ROWS:
        older = rows[_OPEN_ROWS:]
        blocks.append(Table("Before", header, older, folded=count_of(len(older), "older one")))
    return Section("timeline", title, _answer(data), tuple(blocks))


def _answer(data: NightData) -> str:
    kinds = [entry.decision.kind for entry in data.entries]
    nights = len({entry.decision.night for entry in data.entries})
    counted = {
        ("retraining requested", "retrainings requested"): kinds.count("retrain"),
        ("promotion",): kinds.count("promote"),
        ("rejection",): kinds.count("reject"),
        ("roll-back",): kinds.count("roll_back"),
    }
    parts = [count_of(n, *names) for names, n in counted.items() if n]
    listed = ", ".join(parts) or "no retraining"
    return f"In {count_of(nights, 'run')} with a decision: {listed}."


def _events(data: NightData) -> Iterator[tuple[date, str, str]]:
    for entry in data.entries:
        decision = entry.decision
        if decision.kind in _EVENTS or decision.rule == "released":
            what = name_decision(decision.kind, decision.rule)
            version = f"version {decision.version}: " if decision.rule == "first" else ""
            yield decision.night, what, f"{version}{decision.reason}"
    changed = data.alerts[data.alerts["change"].isin(_CHANGES)]
    keys: dict[tuple[date, str], list[str]] = {}
    for row in records(changed):
        keys.setdefault((row["run_date"], row["change"]), []).append(row["key"])
    for (night, change), found in keys.items():
        names = [words.alert_name(key) for key in sorted(found)]
        yield night, _CHANGES[change], name_some(names, _MAX_NAMED)


def _bars(data: NightData) -> list[Bar]:
    """The alerts of the 90 days, the most severe first, then the newest."""
    if data.alerts.empty:
        return []
    newest = data.alerts.sort_values("run_date").groupby(["key", "opened"]).tail(1)
    rows = sorted(
        records(newest),
        key=lambda row: (
            severity_order(row["severity"]),
            -row["opened"].toordinal(),
            row["key"],
        ),
    )
    bars = [
        Bar(words.alert_name(row["key"]), row["severity"], row["opened"], row["last_seen"])
        for row in rows
    ]
    return bars[:_MAX_BARS]


def _picture(data: NightData, bars: list[Bar], marks: Sequence[tuple[date, str]]) -> Picture:
    first = min([data.night - timedelta(days=13), *(night for night, _ in marks)])
    first = min([first, *(bar.start for bar in bars)])
    span = max(first, data.night - timedelta(days=HISTORY_DAYS - 1)), data.night
    shown = f"the {len(bars)} most severe alerts" if len(bars) == _MAX_BARS else "every alert"
    return Picture(
        draw_timeline(bars, marks, span),
        f"Decisions and alerts from {span[0]} to {span[1]}.",
        f"Top line: decisions other than to keep the model. Below: {shown}, from the first to the "
        "last run with the finding; dark orange critical, yellow a warning, grey for information.",
    )
