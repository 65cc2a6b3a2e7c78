"""Which inputs have moved, where in their distribution, and how that came about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pandas as pd

from churn_spark.contracts.features.segments import ALL
from churn_spark.monitoring.drift.comparisons import TRAINING
from churn_spark.monitoring.drift.movement import describe_wait
from churn_spark.monitoring.policy.calibration import lines_of
from churn_spark.monitoring.policy.policy import PREDICTION
from churn_spark.reports.night import words
from churn_spark.reports.night.data import HISTORY_DAYS, NightData, records
from churn_spark.reports.night.feature_cells import (
    NONE,
    importance_cell,
    is_sure,
    moved_cell,
    name_cell,
    psi_cell,
    rates_cell,
    shift_cell,
    statistic_cell,
    where,
)
from churn_spark.reports.night.overlay import Mix, Overlay
from churn_spark.reports.night.pictures import draw_history, draw_mix, draw_overlay
from churn_spark.reports.page import Block, Cell, Gallery, Picture, Section, Table
from churn_spark.reports.words import count
from churn_spark.wording import count_of

_N_OPEN = 12
_N_SLICED = 8


def features_section(data: NightData) -> Section:
    """The features by importance x drift, with all that is known of their movement."""
    title = "Feature drift"
    if data.drift.empty:
        return Section("features", title, "Drift was not measured yet.", ())
    own = [] if data.prediction is None else [data.prediction]
    head, tail = own + data.judged[:_N_OPEN], data.judged[_N_OPEN:]
    blocks: list[Block] = []
    for table in (_moved_table, _beside_table):
        first = len(data.judged[:_N_OPEN])
        which = f"first {first} features" if first != 1 else "first feature"
        blocks.append(table(data, head, f"The prediction and the {which}"))
        if tail:
            blocks.append(table(data, tail, "The others", count_of(len(tail), "more feature")))
        if data.trending:
            features = count_of(len(data.trending), "time-dependent feature")
            folded = f"{features}: totals that grow, or values that follow the calendar; not judged"
            blocks.append(table(data, data.trending, "Time-dependent features", folded))
    blocks += list(_slice_tables(data))
    return Section("features", title, _features_answer(data), tuple(blocks))


def shapes_section(data: NightData) -> Section:
    """The distributions, training rows and tonight."""
    pictures = tuple(_shape_picture(data, shape) for shape in data.shapes)
    if not pictures:
        text = "There are no distributions to compare."
        return Section("shapes", "Distributions", text, ())
    return Section(
        "shapes",
        "Distributions",
        "The share of users with at most a value (cumulative distribution): dashed in the training "
        "rows, solid now. The bar is the KS distance, the largest difference between the two.",
        (Gallery(pictures),),
    )


def history_section(data: NightData) -> Section:
    """The KS distance night by night, for the same features."""
    title = f"The last {HISTORY_DAYS} daily runs"
    names = [PREDICTION, *data.shown]
    pictures = tuple(picture for name in names for picture in _history_picture(data, name))
    if not pictures:
        return Section("history", title, "Drift was not measured yet.", ())
    nights = data.history["run_date"].nunique()
    counted = f" So far drift was measured in {count_of(nights, 'run')}."
    return Section(
        "history",
        title,
        "Dark: the KS distance. Light: the lower end of its 95 % interval. A feature counts as "
        "drifted from the run in which the lower end reaches the upper threshold until the "
        f"distance falls below the lower threshold. {_lines_answer(data)} Runs with drift are "
        "shaded. Vertical lines: a new model went into use, so the training rows changed."
        f"{counted if nights < HISTORY_DAYS // 3 else ''}",
        (Gallery(pictures),),
    )


def _lines_answer(data: NightData) -> str:
    """Where the lines are, those of this night."""
    if data.policy.self_calibrate:
        return "Thresholds are those of this run; they depend on each feature's usual variation."
    return (
        f"The thresholds are {data.policy.enter_lower_bound:g} and {data.policy.exit_statistic:g}."
    )


def _features_answer(data: NightData) -> str:
    said = data.movement.describe()
    if data.drift_night != data.night:
        return f"As of {data.drift_night}: {said}."
    return f"{said[:1].upper()}{said[1:]}."


def _moved_table(
    data: NightData, rows: list[dict[str, Any]], which: str, folded: str = ""
) -> Table:
    return Table(
        f"{which}, compared with the training rows",
        ("Feature", "Drifted since", "KS distance", "Change", "Importance", "Mean shift"),
        tuple(
            (
                name_cell(row),
                moved_cell(data, row),
                statistic_cell(row),
                Cell(where(row), tone="prose" if is_sure(row) else "prose quiet"),
                importance_cell(row),
                shift_cell(row),
            )
            for row in rows
        ),
        marked=frozenset(n for n, row in enumerate(rows) if row["feature"] in data.moved),
        note="Ordered by importance × KS distance. KS (Kolmogorov-Smirnov) distance: the largest "
        "difference between the two cumulative distributions, 0 the same, 1 nothing in common; of "
        "a category the share of users that would have to change it (total variation). Mean "
        "shift: mean absolute difference of the values of equal rank (Wasserstein distance).",
        folded=folded,
    )


def _beside_table(
    data: NightData, rows: list[dict[str, Any]], which: str, folded: str = ""
) -> Table:
    recent = _recent(data)
    headings = tuple(words.COMPARISONS.values())
    return Table(
        f"{which}: further figures, for information only",
        ("Feature", "Missing", "Zero, or new to the model", "PSI", *headings),
        tuple(
            (
                name_cell(row),
                rates_cell(row, "missing_rate"),
                rates_cell(row, "unseen_rate" if row["kind"] == "category" else "zero_rate"),
                psi_cell(row),
                *(
                    recent.get((row["feature"], comparison), NONE)
                    for comparison in words.COMPARISONS
                ),
            )
            for row in rows
        ),
        note="Shares: in the training rows → now. PSI: population stability index over ten bins, "
        "minus its expected value by chance; near 0 nothing has changed. Last columns: KS "
        "distance from earlier runs; a jump since yesterday suggests a fault in the data delivery.",
        folded=folded,
    )


def _slice_tables(data: NightData) -> Iterator[Table]:
    ranked = [row["feature"] for row in data.judged if row["feature"] in data.moved]
    names = ([PREDICTION] if PREDICTION in data.moved else []) + ranked
    names = names[:_N_SLICED]
    rows = data.drift[(data.drift["comparison"] == TRAINING) & data.drift["feature"].isin(names)]
    known = {(row["feature"], row["slice"]): row for row in records(rows)}
    slices = sorted({row["slice"] for row in known.values()} - {ALL}, key=words.slice_order)
    if not slices or not names:
        return
    yield Table(
        "KS distance of what has drifted, by group of users",
        ("Group", "Users", *names),
        tuple(
            (
                Cell(words.slice_name(name)),
                _people_cell(known, name),
                *(
                    statistic_cell(known[feature, name]) if (feature, name) in known else NONE
                    for feature in names
                ),
            )
            for name in [ALL, *slices]
        ),
        marked=frozenset({0}),
        note="Each group compared with the training rows of the same group. Small groups are left "
        "out.",
    )


def _people_cell(known: dict[tuple[str, str], Any], name: str) -> Cell:
    """Users of a part; the feature with the fewest unknown values tells."""
    sizes = [row["n_current"] for (_, place), row in known.items() if place == name]
    return count(max(sizes)) if sizes else NONE


def _shape_picture(data: NightData, shape: Overlay | Mix) -> Picture:
    row = _row_of(data, shape.feature)
    place = where(row) if row else ""
    unit = words.unit(shape.feature)
    figure = draw_mix(shape) if isinstance(shape, Mix) else draw_overlay(shape, unit)
    name = words.meaning(shape.feature)
    return Picture(
        figure,
        f"Distribution of {shape.feature} in the training rows and now. {place}",
        f"{_short(shape.feature)}: {name}. {place[:1].upper()}{place[1:]}.",
    )


def _history_picture(data: NightData, name: str) -> Iterator[Picture]:
    history = data.history[data.history["feature"] == name]
    if history.empty:
        return
    newest = history[history["run_date"] == history["run_date"].max()].iloc[0]
    span = data.night - timedelta(days=HISTORY_DAYS - 1), data.night
    span = max(span[0], data.history["run_date"].min() - timedelta(days=1)), span[1]
    shaded = _moved_nights(data, name)
    promotions = [
        entry.decision.night
        for entry in data.entries
        if entry.decision.kind in ("promote", "roll_back") and entry.decision.night > span[0]
    ]
    lines = lines_of(name, data.policy, data.calibration)
    figure = draw_history(history, shaded, promotions, span, lines)
    value = words.statistic(newest["statistic"])
    yield Picture(
        figure,
        f"KS distance of {name} over the runs from {span[0]} to {span[1]}, newest {value}.",
        f"{_short(name)}: {_newest_state(data, name, newest)}.",
    )


def _newest_state(data: NightData, name: str, newest: pd.Series[Any]) -> str:
    """How far a feature is from the training rows by its newest row, or why that isn't known."""
    if pd.isna(newest["statistic"]):
        return describe_wait(name)
    since = data.moved.get(name)
    state = f"drifted since {since[0]}" if since else "no drift"
    low = words.at_least(newest["lower_bound"])
    return f"KS distance {words.statistic(newest['statistic'])}, {low}; {state}"


def _moved_nights(data: NightData, name: str) -> list[date]:
    """Nights after whose last decision the policy remembered the feature as moved."""
    last = {entry.decision.night: entry.after for entry in data.entries if entry.after is not None}
    return [night for night, state in last.items() if name in state.breached]


def _recent(data: NightData) -> dict[tuple[str, str], Cell]:
    rows = data.drift[(data.drift["slice"] == ALL) & (data.drift["comparison"] != TRAINING)]
    return {
        (row["feature"], row["comparison"]): Cell(words.statistic(row["statistic"]), tone="number")
        for row in records(rows)
        if row["status"] == "ok"
    }


def _row_of(data: NightData, name: str) -> dict[str, Any] | None:
    rows = [*data.judged, *([data.prediction] if data.prediction else [])]
    return next((row for row in rows if row["feature"] == name), None)


def _short(name: str) -> str:
    return "the prediction" if name == PREDICTION else name
