"""The feature set `activity`: how much, how regularly and in which direction a user moves."""

from __future__ import annotations

from collections.abc import Iterable

from churn_spark.contracts.features.feature import Aggregate, Feature


def _windows(name: str, source: str, unit: str, verb: str, days: Iterable[int]) -> list[Feature]:
    """One count in several windows."""
    return [
        Feature(
            f"{name}_{n}d",
            "long",
            "sum",
            source,
            f"{unit} in the last {n} days" if n > 1 else f"{unit} on the last day",
            unit,
            f"{verb} in {n} days (typical: {{typical}})".replace("in 1 days", "in the last day"),
            days=n,
        )
        for n in days
    ]


def _per_song(name: str, source: str, what: str, typical_share: float) -> Feature:
    """How often something happens for each 1,000 songs; 200 songs of the typical user are added.

    Listening sets the pace of a session, so shares of it tell kinds of listeners apart.
    """
    return Feature(
        f"{name}_per_song",
        "double",
        "ratio",
        source,
        f"{what} for each 1,000 songs, shrunken towards the typical",
        "per 1,000 songs",
        f"{what}: {{value}} for each 1,000 songs (typical: {{typical}})",
        per="n_songs",
        scale=1000.0,
        prior=typical_share,
        prior_weight=200.0,
    )


def _share(
    name: str, source: str, per: str, meaning: str, phrase: str, *, prior: float, weight: float
) -> Feature:
    return Feature(
        name, "double", "ratio", source, meaning, "share", phrase, per=per, prior=prior,
        prior_weight=weight,
    )  # fmt: skip


def _recent(
    name: str, aggregate: Aggregate, source: str, meaning: str, unit: str, phrase: str
) -> Feature:
    return Feature(name, "double", aggregate, source, meaning, unit, phrase)


_INTENSITY = (
    *_windows("sessions", "n_sessions", "sessions", "came {value} times", (1, 3, 7, 14, 28)),
    *_windows("active_days", "n_active_days", "days", "was here on {value} days", (7, 14, 28)),
    *_windows("songs", "n_songs", "songs", "played {value} songs", (1, 3, 7, 14, 28)),
    *(
        Feature(
            f"listen_hours_{n}d",
            "double",
            "sum",
            "listened_micros",
            f"time listened in the last {n} days",
            "hours",
            f"listened for {{value}} hours in {n} days (typical: {{typical}})",
            days=n,
            scale=3.6e9,
        )
        for n in (7, 28)
    ),
    _recent(
        "sessions_decayed",
        "decayed",
        "n_sessions",
        "sessions of eight weeks, each week counting half of the one after it",
        "sessions",
        "came {value} times lately (typical: {typical})",
    ),
    Feature(
        "visit_rate",
        "double",
        "ratio",
        "n_sessions",
        "sessions a week of exposure; the mean of a gamma posterior worth one week of a typical "
        "user",
        "visits/week",
        "comes {value} times a week (typical: {typical})",
        per="exposure",
        scale=7.0,
        prior=0.2,
        prior_weight=7.0,
    ),
    Feature(
        "exposure_days",
        "double",
        "exposure",
        "registered_ts",
        "days since the later of registration and the log's first date",
        "days",
        "has been watched for {value} days (typical: {typical})",
        is_trending=True,
    ),
)

_RHYTHM = (
    _recent(
        "hours_since_last_event",
        "hours_since",
        "last_ts",
        "time since the newest event",
        "hours",
        "was last here {value} hours ago (typical: {typical})",
    ),
    Feature(
        "mean_gap_days",
        "double",
        "ratio",
        "gap_days",
        "mean days between active dates",
        "days",
        "comes every {value} days (typical: {typical})",
        per="n_gaps",
    ),
    _recent(
        "gap_spread_days",
        "gap_spread",
        "gap_days",
        "standard deviation of the days between active dates",
        "days",
        "pauses vary by {value} days (typical: {typical})",
    ),
    _recent(
        "longest_gap_days",
        "longest",
        "gap_days",
        "longest pause between active dates",
        "days",
        "paused for {value} days at most (typical: {typical})",
    ),
    _recent(
        "relative_gap",
        "relative_gap",
        "last_ts",
        "time since the newest event over the mean pause and a day",
        "times",
        "the present pause is {value} times the usual one (typical: {typical})",
    ),
    _share(
        "weekend_share",
        "n_weekend_sessions",
        "n_sessions",
        "share of sessions that begin on a weekend, shrunken",
        "comes on weekends in {value} of cases (typical: {typical})",
        prior=0.2,
        weight=5.0,
    ),
    _share(
        "morning_share",
        "n_morning_sessions",
        "n_sessions",
        "share of sessions from 4 to 12 UTC, shrunken",
        "comes from 4 to 12 UTC in {value} of cases (typical: {typical})",
        prior=0.25,
        weight=5.0,
    ),
    _share(
        "evening_share",
        "n_evening_sessions",
        "n_sessions",
        "share of sessions from 20 to 4 UTC, shrunken",
        "comes from 20 to 4 UTC in {value} of cases (typical: {typical})",
        prior=0.35,
        weight=5.0,
    ),
)

_HAZARDS = (
    *_windows("downgrades", "n_downgrade", "visits", "visited Downgrade {value} times", (7, 28)),
    *_windows("settings", "n_settings", "visits", "visited Settings {value} times", (28,)),
    *_windows("adverts", "n_roll_advert", "visits", "saw {value} adverts", (7, 28)),
    *_windows("thumbs_down", "n_thumbs_down", "visits", "gave {value} thumbs down", (7, 28)),
    Feature(
        "hazard_pages_a_week",
        "double",
        "ratio",
        "n_hazard_pages",
        "visits of Downgrade, Settings, Roll Advert and Thumbs Down a week of exposure, shrunken",
        "visits/week",
        "visits pages that precede cancellations {value} times a week (typical: {typical})",
        per="exposure",
        scale=7.0,
        prior=0.6,
        prior_weight=7.0,
    ),
    _per_song("downgrades", "n_downgrade", "visits of Downgrade", 0.008),
    _per_song("settings", "n_settings", "visits of Settings", 0.007),
    _per_song("adverts", "n_roll_advert", "adverts", 0.018),
    _per_song("thumbs_down", "n_thumbs_down", "thumbs down", 0.012),
)

_TASTES = (
    _per_song("thumbs_up", "n_thumbs_up", "thumbs up", 0.055),
    _per_song("playlist", "n_add_to_playlist", "songs added to a playlist", 0.029),
    _per_song("friends", "n_add_friend", "friends added", 0.018),
    _per_song("home", "n_home", "visits of Home", 0.045),
    _per_song("help", "n_help", "visits of Help", 0.007),
    _per_song("about", "n_about", "visits of About", 0.004),
    _per_song("logouts", "n_logout", "logouts", 0.014),
    _share(
        "thumbs_up_share",
        "n_thumbs_up",
        "n_thumbs",
        "thumbs up among all thumbs, shrunken",
        "likes {value} of what gets a thumb (typical: {typical})",
        prior=0.83,
        weight=10.0,
    ),
    Feature(
        "page_kinds_28d",
        "long",
        "kinds",
        "",
        "different pages visited in the last 28 days",
        "pages",
        "used {value} different pages in 28 days (typical: {typical})",
        days=28,
    ),
)

_LEVEL = (
    Feature(
        "billing_day",
        "double",
        "cycle",
        "registered_ts",
        "days into the current month of 30 days since registration",
        "days",
        "is {value} days into a month since registration (typical: {typical})",
        days=30,
    ),
    _share(
        "paid_share",
        "n_paid_days",
        "n_active_days",
        "share of the active dates that end with the level paid",
        "was a paying customer on {value} of the active days (typical: {typical})",
        prior=0.0,
        weight=0.0,
    ),
    Feature(
        "level_changes",
        "long",
        "sum",
        "n_level_changes",
        "completed upgrades and downgrades",
        "visits",
        "changed the subscription {value} times (typical: {typical})",
        is_trending=True,
    ),
    _recent(
        "days_since_level_change",
        "days_since",
        "level_changed_ts",
        "time since the date of the last completed upgrade or downgrade",
        "days",
        "changed the subscription {value} days ago (typical: {typical})",
    ),
    *(
        Feature(
            f"adverts_while_{level}",
            "double",
            "if_level",
            "n_roll_advert",
            f"adverts for each 1,000 songs of users whose level is {level}; 0 for others",
            "per 1,000 songs",
            f"sees {{value}} adverts for each 1,000 songs, {level} (typical: {{typical}})",
            per="n_songs",
            scale=1000.0,
            prior=0.018,
            prior_weight=200.0,
            level=level,
        )
        for level in ("free", "paid")
    ),
)


def _movements(name: str, source: str, unit: str) -> tuple[Feature, ...]:
    """How a weekly count has moved in the last four weeks."""
    return (
        _recent(
            f"{name}_trend",
            "trend",
            source,
            f"{unit} of the last week and one over those of a mean week before it and one",
            "times",
            f"had {{value}} times as many {unit} as in the weeks before (typical: {{typical}})",
        ),
        _recent(
            f"{name}_slope",
            "slope",
            source,
            f"change of the weekly {unit} from week to week, over four weeks",
            f"{unit}/week",
            f"has {{value}} {unit} more each week (typical: {{typical}})",
        ),
        _recent(
            f"{name}_spread",
            "spread",
            source,
            f"how unlike the last four weeks were in {unit}: standard deviation over mean and one",
            "times",
            f"weeks differ in {unit} by {{value}} times their mean (typical: {{typical}})",
        ),
        *(
            Feature(
                f"{name}_week_{week}",
                "long",
                "week",
                source,
                f"{unit} in week {week} before the date",
                unit,
                f"had {{value}} {unit} {week} weeks ago (typical: {{typical}})",
                days=week,
            )
            for week in (2, 3, 4)
        ),
    )


def _surprise(days: int) -> Feature:
    """How far the last days are from what the days before them promise."""
    return Feature(
        f"sessions_surprise_{days}d",
        "double",
        "surprise",
        "n_sessions",
        f"sessions of the last {days} days against those expected from the days before, in "
        "standard deviations",
        "deviations",
        f"came {{value}} standard deviations more than expected in {days} days "
        "(typical: {typical})",
        per="exposure",
        days=days,
        prior=0.2,
        prior_weight=7.0,
    )


_MOVEMENT = (
    *map(_surprise, (7, 14, 28)),
    Feature(
        "missed_sessions",
        "double",
        "silence",
        "n_sessions",
        "sessions expected since the newest event, at the user's own rate",
        "sessions",
        "would usually have come {value} times since the last visit (typical: {typical})",
        per="exposure",
        prior=0.2,
        prior_weight=7.0,
    ),
    *_movements("sessions", "n_sessions", "sessions"),
    *_movements("songs", "n_songs", "songs"),
    _recent(
        "thumbs_down_trend",
        "trend",
        "n_thumbs_down",
        "thumbs down of the last week and one over those of a mean week of the three before and "
        "one",
        "times",
        "gives thumbs down {value} times as much as in the weeks before (typical: {typical})",
    ),
    _recent(
        "thumbs_up_trend",
        "trend",
        "n_thumbs_up",
        "thumbs up of the last week and one over those of a mean week before it and one",
        "times",
        "gives thumbs up {value} times as much as in the weeks before (typical: {typical})",
    ),
)

ACTIVITY_FEATURES: tuple[Feature, ...] = (
    *_INTENSITY, *_RHYTHM, *_HAZARDS, *_TASTES, *_LEVEL, *_MOVEMENT
)  # fmt: skip
