"""How long users stay: what happened to those scored long before, beside what was expected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from churn_spark.contracts.survival import CAP_DAYS
from churn_spark.reports.night.data import NightData
from churn_spark.reports.night.scored import Watched
from churn_spark.reports.page import Block, Section
from churn_spark.reports.staying import (
    MAY_BE_KEPT,
    describe_staying,
    draw_staying,
    tabulate_staying,
)

_PANELS: Final = (("By subscription", "level="), ("By risk band", "band="))


def survival_sections(data: NightData) -> Iterator[Section]:
    """One section; none where no scores are a week old, or hardly anybody has cancelled."""
    watched = data.scored.watched
    if watched is None:
        return
    who = f"scored as of {watched.as_of}"
    if watched.is_sample:
        who = f"in a sample of those {who}"
    blocks: tuple[Block, ...] = (
        *((MAY_BE_KEPT,) if watched.are_contacted else ()),
        draw_staying(watched.groups, _PANELS, who),
        tabulate_staying(watched.groups, f"Still there after so many days, of users {who}"),
    )
    yield Section("survival", "How long users stay", _answer(watched, who), blocks)


def _answer(watched: Watched, who: str) -> str:
    text = describe_staying(watched.groups[0], who)
    if watched.measured_days:
        text += (
            f" The model's curves were validated on the log for up to {watched.measured_days} days"
        )
        beyond = "." if watched.measured_days >= CAP_DAYS else "; beyond, they are extrapolated."
        return text + beyond
    return f"{text} The log was too short to validate the model's curves."
