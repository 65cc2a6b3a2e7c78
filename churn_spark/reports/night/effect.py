"""What being listed, or reached, has changed: control beside listed, by part and by week."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import pandas as pd

from churn_spark.contracts.features.segments import ALL
from churn_spark.monitoring.performance.effect import (
    CONTACT,
    LISTED,
    OFFER,
    WEEK,
    describe_effect,
    name_slice,
    newest_total,
)
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.order import BY_EFFECT, STANDS_DAYS
from churn_spark.reports.night.data import NightData, records
from churn_spark.reports.night.words import headline
from churn_spark.reports.page import Block, Cell, Section, Table, Text
from churn_spark.reports.words import interval, percent

_HOW = (
    "Of those who would be listed, a part is drawn at random and withheld (the control group). "
    "Each user counts once, from the first list of the campaign to the end of its prediction "
    "window, whatever is done meanwhile. The interval below the value stays valid however often it "
    "is looked at; the narrower one (single look) only at one look that was fixed beforehand."
)
_OFFERS = (
    "Offers were not drawn at random: users reached with one may differ from the control group in "
    "more than the offer."
)
_COUNTED = (
    "Listed",
    "of them cancel",
    "Withheld",
    "of them cancel",
    "Kept from cancelling",
    "Single look",
)


def effect_sections(data: NightData) -> Iterator[Section]:
    """One section; none before the first week of a campaign with a control group is known."""
    rows = records(data.effect)
    told = describe_effect(rows)
    if not told:
        return
    total = newest_total(rows)
    blocks: list[Block] = [Text(text) for text in (" ".join(told[2:]), _order(data)) if text]
    blocks.append(_parts_table(total))
    weeks = [
        row
        for row in rows
        if (row["period"], row["slice"], row["basis"]) == (WEEK, ALL, LISTED)
        and all(row[name] == total[0][name] for name in ("campaign", "control_share"))
    ]
    blocks.append(_weeks_table(sorted(weeks, key=lambda row: row["week_start"], reverse=True)))
    yield Section("effect", "What calling changes", " ".join(told[:2]), tuple(blocks))


def _order(data: NightData) -> str:
    """By what the lists to come are ordered, and why; empty before that was decided.

    Whether an earlier decision for lists by effect still holds, the night's own list tells.
    """
    decided = [entry for entry in data.entries if entry.decision.kind == "order"]
    if not decided:
        return ""
    newest = decided[-1].decision
    is_earlier = newest.night < data.night
    if is_earlier and newest.rule == BY_EFFECT and not data.is_list_by_effect:
        return _describe_past(data.night, decided[-1])
    return f"{headline(newest, None)} Decided on {newest.night}: {newest.reason}."


def _describe_past(night: date, entry: Entry) -> str:
    order = entry.evidence.order if entry.evidence is not None else None
    of_campaign = f" for campaign {order.campaign}" if order is not None else ""
    return (
        f"No list by what listing a user saves as of {night}, though that was decided on "
        f"{entry.decision.night}{of_campaign}: such a decision holds for {STANDS_DAYS} days, for "
        "lists of the same campaign and control share, with the features as they were defined, and "
        "while uplift.enabled is true. Otherwise lists are by risk."
    )


def _parts_table(total: Iterable[Mapping[str, Any]]) -> Table:
    rows = [*total]
    has_offers = any(row["slice"].startswith(OFFER) for row in rows)
    return Table(
        "Kept from cancelling, all weeks of the campaign",
        ("Users", "Effect per user", *_COUNTED),
        tuple(_row(row, name_slice(row["slice"]), per=True) for row in rows),
        marked=frozenset({0}),
        note=f"{_HOW} {_OFFERS}" if has_offers else _HOW,
    )


def _weeks_table(weeks: list[dict[str, Any]]) -> Table:
    return Table(
        "The same by week of the first list, of the weeks counted that night",
        ("Week of", *_COUNTED),
        tuple(_row(row, str(row["week_start"]), per=False) for row in weeks),
        folded="Week by week",
    )


def _row(row: Mapping[str, Any], name: str, *, per: bool) -> tuple[Cell, ...]:
    contacted = row["basis"] == CONTACT
    cells = (
        _count(row["n_listed"]),
        _share(row["n_listed_cancel"], row["n_listed"]),
        _count(row["n_control"]),
        _share(row["n_control_cancel"], row["n_control"]),
        Cell(_percent(row["saved"]), _ends(row["always_low"], row["always_high"]), "number"),
        Cell(_ends(row["low"], row["high"]) or "–", tone="number quiet"),
    )
    return (
        Cell(name, tone="whole"),
        *((Cell("reached" if contacted else "listed"),) * per),
        *cells,
    )


def _count(n: float) -> Cell:
    return Cell(f"{int(n):,}", tone="number")


def _share(n: float, of: float) -> Cell:
    return Cell(percent(n / of, 1) if of else "–", tone="number")


def _percent(share: float | None) -> str:
    return "–" if pd.isna(share) else percent(float(share or 0.0), 1)


def _ends(low: float | None, high: float | None) -> str:
    return "" if pd.isna(low) or pd.isna(high) else interval(low, high, "percent")
