"""Columns -> the mapping that they suggest, by names that are alike and by their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from churn_spark.contracts.pages import ROLES
from churn_spark.events.foreign.found import ColumnFacts
from churn_spark.events.values import bare

_LIKENESS: Final = 0.85
"""Of two names, from which on they are taken for the same."""
_MAX_PAGES: Final = 500
_MAX_LEVELS: Final = 20

_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "time": (
        *("ts", "timestamp", "eventtime", "eventtimestamp", "occurredat", "createdat"),
        *("datetime", "time", "eventdate", "date", "day"),
    ),
    "user": (
        *("userid", "uid", "customerid", "memberid", "subscriberid", "accountid", "msno"),
        *("user", "customer", "member", "custid", "clientid"),
    ),
    "subscribed_until": (
        *("subscribeduntil", "subscriptionend", "subscriptionenddate", "subscriptionexpiresat"),
        *("membershipexpiredate", "paiduntil", "validuntil", "expiresat", "expirydate"),
        *("expirationdate", "currentperiodend", "renewaldate", "enddate"),
    ),
    "session": ("sessionid", "session", "visitid", "visit"),
    "page": ("page", "eventname", "eventtype", "event", "action", "activity", "pagename", "type"),
    "level": ("level", "plan", "tier", "subscriptiontype", "subscription", "membership", "isapaid"),
    "auth": ("auth", "authstate"),
    "registration": (
        *("registration", "registeredat", "registrationdate", "signupdate", "signedupat"),
        *("membersince", "customersince", "since", "joinedat"),
    ),
    "item": ("iteminsession", "eventindex", "sequence", "seq"),
    "length": ("length", "songlength", "duration", "listenedseconds", "songseconds"),
    "location": ("location", "place", "region", "state", "city"),
    "user_agent": ("useragent", "agent", "device", "platform"),
    "gender": ("gender", "sex"),
}
_ROLE_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "song": ("play", "played", "playsong", "songplayed", "trackplayed", "listen", "stream"),
    "thumbs_up": ("like", "liked", "thumbup", "upvote"),
    "thumbs_down": ("dislike", "disliked", "thumbdown", "downvote"),
    "advert": ("ad", "advert", "adshown", "adplayed"),
    "upgrade": ("upgradepage",),
    "downgrade": ("downgradepage",),
    "cancel": (
        *("cancelled", "canceled", "cancelconfirmed", "cancellation", "unsubscribe"),
        *("unsubscribed", "accountclosed", "churned", "subscriptioncancelled"),
    ),
}
_LEVELS: Final = {
    "free": ("free", "basic", "trial", "freemium", "none", "0", "false"),
    "paid": ("paid", "premium", "plus", "pro", "subscriber", "family", "1", "true"),
}
_TIMES: Final = ("time", "registration", "subscribed_until")


def propose_mapping(columns: Mapping[str, ColumnFacts]) -> dict[str, Any]:
    """What the sections of a mapping would be; fields that no column fits are left out.

    Time and user, which must be there, are none then.

    Args:
        columns: name -> what is in it.
    """
    found: dict[str, Any] = {}
    free = dict(columns)
    for field, names in _NAMES.items():
        fitting = [one for one in free.values() if _fits(field, one)]
        best = _best(fitting, names)
        if best is None and field == "time" and fitting:
            best = fitting[0].name
        if best is not None:
            found[field] = _section(field, free.pop(best))
    return {"time": None, "user": None, "page": {"constant": "Event"}} | found


def _fits(field: str, column: ColumnFacts) -> bool:
    """Whether the values are such as the field has."""
    if not column.values:
        return False
    if field in _TIMES:
        return column.time is not None
    if field == "page":
        return len(column.values) <= _MAX_PAGES and column.time is None
    if field == "level":
        return len(column.values) <= _MAX_LEVELS
    return field not in ("item", "length") or bool(column.numbers)


def _best(columns: Iterable[ColumnFacts], names: Sequence[str]) -> str | None:
    """The column whose name is most like the first of some names."""
    scored = [
        (_likeness(column.name, name), -place, column.name)
        for column in columns
        for place, name in enumerate(names)
    ]
    likeness, _, best = max(scored, default=(0.0, 0, ""))
    return best if likeness >= _LIKENESS else None


def _likeness(column: str, name: str) -> float:
    """Of a column's whole path, or of its last names."""
    parts = column.split(".")
    ends = (bare("".join(parts[place:])) for place in range(len(parts)))
    return max(SequenceMatcher(None, end, name).ratio() for end in ends)


def _section(field: str, column: ColumnFacts) -> Any:
    if field in _TIMES:
        return {"column": column.name, **(column.time or {})}
    words = {bare(str(value)): str(value) for value in column.values}
    if field == "page":
        return {"column": column.name, "names": _roles(words)}
    if field == "level":
        return {"column": column.name, **_named(words, _LEVELS)}
    return column.name


def _roles(words: Mapping[str, str]) -> dict[str, list[str]]:
    """Role -> the pages that seem to have it."""
    known = {
        role: (bare(page), bare(role), *_ROLE_NAMES.get(role, ())) for role, page in ROLES.items()
    }
    found = _named(words, known)
    if "cancel" not in found and "cancel_page" in found:
        # Where there is one page of cancelling, that is the cancel.
        found["cancel"] = found.pop("cancel_page")
    return found


def _named(words: Mapping[str, str], known: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """What is known by a word -> the values that are such a word; none of them twice."""
    found: dict[str, list[str]] = {}
    left = dict(words)
    for meaning, names in known.items():
        if values := [left.pop(name) for name in dict.fromkeys(names) if name in left]:
            found[meaning] = values
    return found
