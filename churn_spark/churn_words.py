"""What is said of who leaves, in the words of what churn is: cancels, churns or lapses.

Sentences are written for cancels, the usual case. Where churn is something else, nobody cancels,
and whatever a run says, draws or sends goes through here on its way out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from churn_spark.wording import count_of

CANCEL: Final = "cancel"
MEANINGS: Final[Mapping[str, str]] = {
    "inactivity": "churned is who has no event in that time",
    "lapse": "lapsed is whose subscription ends in that time and isn't renewed",
}
"""`labels.churn` -> what the word says; a cancel says it by itself."""

_STEMS: Final = {"inactivity": "churn", "lapse": "laps"}
_ENDINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "inactivity": {"": "", "s": "s", "led": "ed", "ling": "ing"},
    "lapse": {"": "e", "s": "es", "led": "ed", "ling": "ing"},
}
_NOUNS: Final = {"lation": "departure", "lations": "departures", "ler": "leaver", "lers": "leavers"}
# `Cancel` and `Cancellation Confirmation` are pages; `n_cancels` and `labels.cancel` are names.
_WORD: Final = re.compile(
    r"(?<![\w.`/-])(?:cancel(s|led|ling|lations?|lers?)?|Cancel(s|led|ling|lations?|lers?))"
    r"(?![\w`/=(-]|\.\w| Confirmation)"
)
# What of a page's text isn't said: its style, and all of a tag but what is read out.
_UNSAID: Final = re.compile(
    r"<style.*?</style>|(?:src|href|class|id|name|value)=\"[^\"]*\"", re.DOTALL
)

_spoken: list[str] = [CANCEL]


@contextmanager
def speaking_of(churn: str) -> Iterator[None]:
    """Say in this process, until the end of the block, what churn is.

    Args:
        churn: as `labels.churn`.
    """
    _spoken.append(churn)
    try:
        yield
    finally:
        _spoken.remove(churn)


def meaning() -> str:
    """What the word says that is spoken; empty for cancels."""
    return MEANINGS.get(_spoken[-1], "")


def in_words(text: str) -> str:
    """A sentence on cancels, of what churn is here."""
    return _in_words_of(_spoken[-1], text)


def describe_prediction(label: Mapping[str, Any]) -> str:
    """What a model predicts, in a sentence, whatever is spoken of here.

    Args:
        label: its definition, as `labels` of the configuration gives it.
    """
    if label.get("kind") == "lifetime":
        return "Whether a user has ever cancelled: this describes the past."
    gap, churn = label["gap_days"], label.get("churn", CANCEL)
    begin = f"{count_of(gap, 'day')} after the list's date" if gap else "on the list's date"
    chance = f"The chance to cancel in the {label['horizon_days']} days that begin {begin}"
    told = f": {MEANINGS[churn]}." if churn in MEANINGS else "."
    return _in_words_of(churn, chance + told)


def page_in_words(page: str) -> str:
    """The same of a whole page of HTML; what names files, styles and fields stays."""
    if _spoken[-1] == CANCEL:
        return page
    parts: list[str] = []
    end = 0
    for unsaid in _UNSAID.finditer(page):
        parts += [in_words(page[end : unsaid.start()]), unsaid[0]]
        end = unsaid.end()
    return "".join([*parts, in_words(page[end:])])


def _in_words_of(churn: str, text: str) -> str:
    return text if churn == CANCEL else _WORD.sub(lambda found: _translate(found, churn), text)


def _translate(found: re.Match[str], churn: str) -> str:
    ending = found[1] or found[2] or ""
    word = _NOUNS.get(ending) or _STEMS[churn] + _ENDINGS[churn][ending]
    return word.capitalize() if found[0][0].isupper() else word
