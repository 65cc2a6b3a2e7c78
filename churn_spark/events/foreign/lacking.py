"""What will not work, or not as well, with what a mapping leaves out."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from churn_spark.config.mapping import LogMapping
from churn_spark.contracts.pages import HAZARD_PAGES, LEVELS, Page

_CANCEL = (
    "no event is a cancel (page.names.cancel): there is nothing to learn from and to predict; "
    "where silence is what counts, see labels.churn"
)


def describe_lacks(mapping: LogMapping, pages: Collection[str | None]) -> Iterator[str]:
    """A sentence for each thing.

    Args:
        mapping: of the log.
        pages: in our words, of the rows that were looked at.
    """
    names = {str(name) for name in pages}
    named = {*mapping.page.names, *names}
    if "cancel" not in named and Page.CANCELLATION_CONFIRMATION not in names:
        yield _CANCEL
    if "song" not in named and Page.NEXT_SONG not in names:
        yield (
            "no event is a song (page.names.song): songs, hours listened and shares per song are "
            "0 or unknown; visits, days and pauses still tell"
        )
    if not names & set(HAZARD_PAGES) and not {"downgrade", "settings"} & {*mapping.page.names}:
        yield (
            "no event is a page that comes before cancels (page.names: downgrade, settings, "
            "advert, thumbs_down): much of what foretells a cancel is lost"
        )
    if mapping.level is None:
        yield (
            f"level is not named: without {' or '.join(LEVELS)} there are no transitions, so no "
            "behaviour model, and everybody is worth the same; `level: {constant: paid}` where "
            "all pay"
        )
    if mapping.session.column is None:
        yield (
            f"session is not named: a visit ends after {mapping.session.silence_minutes} minutes "
            "without an event, and at midnight UTC"
        )
    if mapping.registration is None:
        yield "registration is not named: how long somebody is a user is unknown"
    if mapping.length is None and ("song" in named or Page.NEXT_SONG in names):
        yield "length is not named: the hours that somebody listened are 0"
    if mapping.location is None and mapping.user_agent is None:
        yield "location and user_agent are not named: no state, no device"
