"""Features that are declared by the dozen."""

from __future__ import annotations

from collections.abc import Iterable

from churn_spark.contracts.features.feature import LogFeature
from churn_spark.contracts.features.formulas import Formula, Ratio, Sum


def number(name: str, formula: Formula, meaning: str, unit: str, phrase: str) -> LogFeature:
    """A floating-point number."""
    return LogFeature(name, "double", meaning, unit, phrase, formula=formula)


def windows(
    name: str, source: str, what: str, verb: str, days: Iterable[int], unit: str = ""
) -> list[LogFeature]:
    """One count in several windows; its unit is what is counted unless it is named."""
    return [
        LogFeature(
            f"{name}_{n}d",
            "long",
            f"{what} in the last {n} days" if n > 1 else f"{what} on the last day",
            unit or what,
            f"{verb} in {n} days (median: {{typical}})".replace("in 1 days", "in the last day"),
            formula=Sum(source, days=n),
        )
        for n in days
    ]


def per_song(name: str, source: str, what: str, typical_share: float) -> LogFeature:
    """How often something happens for each 1,000 songs; 200 songs of the typical user are added.

    Listening sets the pace of a session, so shares of it tell kinds of listeners apart.
    """
    return number(
        f"{name}_per_song",
        Ratio(source, "n_songs", scale=1000.0, prior=typical_share, prior_weight=200.0),
        f"{what} per 1,000 songs, smoothed towards the average",
        "per 1,000 songs",
        f"{what}: {{value}} per 1,000 songs (median: {{typical}})",
    )


def share(name: str, ratio: Ratio, meaning: str, phrase: str) -> LogFeature:
    """A ratio from 0 to 1."""
    return number(name, ratio, meaning, "share", phrase)
