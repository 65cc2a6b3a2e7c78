"""What will not work, or not as well, with what a mapping leaves out."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from churn_spark.config.mapping import LogMapping
from churn_spark.contracts.pages import HAZARD_PAGES, LEVELS, Page

_CANCEL = (
    "no event is a cancel (page.names.cancel): there is nothing to learn from and to predict. "
    "Churn may be something else: a user's silence (labels.churn: inactivity), or a subscription "
    "that runs out (labels.churn: lapse)"
)
_LAPSE = (
    "subscribed_until is not named, and labels.churn is lapse: nobody's subscription has an end, "
    "so there is nothing to learn from and to predict"
)
_BEFORE_CANCELS = (
    "no event is a page that comes before cancels (page.names: downgrade, settings, advert, "
    "thumbs_down): much of what foretells a cancel is lost"
)


def describe_lacks(mapping: LogMapping, pages: Collection[str | None], churn: str) -> Iterator[str]:
    """A sentence for each thing.

    Args:
        mapping: of the log.
        pages: in our words, of the rows that were looked at.
        churn: what it is, as `labels.churn`.
    """
    names = {str(name) for name in pages}
    named = {*mapping.page.names, *names}
    is_of_cancels = churn == "cancel"
    if is_of_cancels and "cancel" not in named and Page.CANCELLATION_CONFIRMATION not in names:
        yield _CANCEL
    if churn == "lapse" and "subscribed_until" not in told_fields(mapping):
        yield _LAPSE
    if "song" not in named and Page.NEXT_SONG not in names:
        yield (
            "no event is a song (page.names.song): songs, hours listened and shares per song are "
            "0 or unknown; visits, days and pauses still tell"
        )
    is_hazardous = names & set(HAZARD_PAGES) or {"downgrade", "settings"} & {*mapping.page.names}
    if is_of_cancels and not is_hazardous:
        yield _BEFORE_CANCELS
    if "level" not in told_fields(mapping):
        no_model = "there are no transitions, so no behaviour model, and " if is_of_cancels else ""
        yield (
            f"level is not named: without {' or '.join(LEVELS)} {no_model}everybody is worth the "
            "same; `level: {constant: paid}` where all pay"
        )
    if mapping.session.column is None:
        yield (
            f"session is not named: a visit ends after {mapping.session.silence_minutes} minutes "
            "without an event, and at midnight UTC"
        )
    if "registration" not in told_fields(mapping):
        yield "registration is not named: how long somebody is a user is unknown"
    if mapping.length is None and ("song" in named or Page.NEXT_SONG in names):
        yield "length is not named: the hours that somebody listened are 0"
    if not {"location", "user_agent"} & told_fields(mapping):
        yield "location and user_agent are not named: no state, no device"


def told_fields(mapping: LogMapping) -> set[str]:
    """Fields that the events tell, or the profile."""
    return {
        name
        for section in (mapping, mapping.profile)
        if section is not None
        for name in type(section).model_fields
        if getattr(section, name) is not None
    }
