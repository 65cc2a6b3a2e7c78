"""Gold `snapshots` as of a date and the champion -> `behaviour`, `fading` and `scores`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date as Date

from churn_spark.config import LearningConfig, RetentionListConfig, ScoringConfig
from churn_spark.contracts.survival import survival_columns
from churn_spark.contracts.tables import (
    BEHAVIOUR,
    BEHAVIOUR_PARTS,
    BUILT_DATES,
    DECISIONS,
    FADING,
    SCORES,
    SESSION_DAYS,
    SNAPSHOTS,
    TRANSITION_TOTALS,
    TRANSITIONS,
)
from churn_spark.contracts.tables.ml import SEEN_VERSION
from churn_spark.contracts.tables.table import TableSpec
from churn_spark.lakehouse.frames import Rows, count_by, join, kept, with_constants
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import read_as_of, replace_users
from churn_spark.models.behaviour.evidence import build_forecasts, build_parts
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline.behaviour import evidence_by_page, fading_of, read_explained_users
from churn_spark.pipeline.built_dates import BuiltDates, seen_version
from churn_spark.pipeline.champion import load_champion
from churn_spark.pipeline.console import warn
from churn_spark.pipeline.gather import Night, read_night
from churn_spark.pipeline.use_case import UseCase
from churn_spark.scoring.scores import build_scores, ranked
from churn_spark.wording import count_of

_KEYS = ("as_of", "user_id")
USE_CASE = UseCase(
    "score_users",
    "probability, rank, band, value at risk and three reasons in words",
    reads=(SNAPSHOTS,),
    writes=(BEHAVIOUR, BEHAVIOUR_PARTS, FADING, SCORES, TRANSITION_TOTALS),
    takes=("the champion",),
    reads_if_there=(SESSION_DAYS, TRANSITIONS, TRANSITION_TOTALS, DECISIONS, BUILT_DATES),
)


def run(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    date: Date,
    learning: LearningConfig,
    config: ScoringConfig,
    listing: RetentionListConfig,
) -> None:
    """Replace the scores of a date by those of the model that is champion on it.

    Raises:
        MissingTableError: if a table is missing, or the date has no snapshot.
        NoChampionError: before the first training.
        OtherModelError: if the champion has learnt what came after the date, or predicts
            something else than is configured.
        FingerprintError: if it knows other feature definitions.
    """
    night = read_night(lakehouse, registry, date)
    bundle = load_champion(registry, night.require_champion(), date, learning)
    warn_of_late_events(lakehouse, night, bundle, learning)
    score_night(lakehouse, date, bundle, config, listing)


def warn_of_late_events(
    lakehouse: Lakehouse, night: Night, bundle: ModelBundle, config: LearningConfig
) -> None:
    """Say so where days before the date have changed since its snapshot was made.

    The models of behaviour and of fading know them as they are, the other features as they were.
    """
    if bundle.behaviour is None and bundle.fading is None:
        return
    date = night.date
    if BuiltDates.read(lakehouse, night.log, config).outdated([date]):
        warn(
            f"days before {date} have changed since its snapshot was made, by late events or an "
            "erasure: its scores mix features of then with behaviour and fading of now, and "
            "`session_days_version` names that of then. To score by one past, run "
            f"`build_snapshots --refresh-from {date}` first, and this again"
        )


def score_night(
    lakehouse: Lakehouse,
    date: Date,
    bundle: ModelBundle,
    config: ScoringConfig,
    listing: RetentionListConfig,
) -> None:
    """Replace the scores of the date by those of a model that may be used on it.

    Raises:
        MissingTableError: if the date has no snapshot.
    """
    with (
        USE_CASE.start(lakehouse) as facts,
        written_forecasts(lakehouse, date, bundle) as staying,
    ):
        users = read_explained_users(lakehouse, date, bundle)
        for found in staying:
            users = join(users, found, _KEYS, "left")
        scored = build_scores(users, bundle, config, listing.value_by_level)
        seen = with_constants(scored, **{SEEN_VERSION: seen_version(lakehouse, date)})
        with ranked(seen) as scores:
            replace_users(lakehouse, scores, SCORES, {"as_of": [date]})
        bands = count_by(
            read_as_of(lakehouse, SCORES, date, ["as_of", "user_id", "risk_band"]), "risk_band"
        )
        facts.append(f"{count_of(sum(bands.values()), 'user')} as of {date}")
        counts = ", ".join(f"{bands.get(band, 0)} {band}" for band in ("high", "medium", "low"))
        facts.append(f"risk: {counts}")
        facts.append(f"model version {bundle.version}")


@contextmanager
def written_forecasts(
    lakehouse: Lakehouse, date: Date, bundle: ModelBundle
) -> Iterator[list[Rows]]:
    """Replace what the champion's models of behaviour and of fading say of the date's users.

    Also why the model of behaviour says it. Nothing is written of a model that it doesn't have.
    Gives how long each model says that users stay: it goes into the scores and stands in no table.

    Raises:
        MissingTableError: if the date has no snapshot.
    """
    snapshots = read_as_of(lakehouse, SNAPSHOTS, date)
    keys, staying = {"as_of": [date]}, []

    def write(spec: TableSpec, found: Rows) -> None:
        rows = with_constants(found, model_version=bundle.version)[spec.column_names]
        replace_users(lakehouse, rows, spec, keys)

    with ExitStack() as stack:
        if (model := bundle.behaviour) is not None:
            evidence = stack.enter_context(evidence_by_page(lakehouse, snapshots, model))
            forecasts = stack.enter_context(kept(build_forecasts(evidence, model, bundle.horizon)))
            write(BEHAVIOUR, forecasts)
            parts = build_parts(evidence, model, bundle.horizon, bundle.typical_level)
            write(BEHAVIOUR_PARTS, parts)
            staying.append(forecasts[[*_KEYS, *survival_columns("behaviour")]])
        fading = fading_of(lakehouse, snapshots, bundle)
        if fading is not None:
            write(FADING, stack.enter_context(kept(fading)))
            staying.append(fading[[*_KEYS, *survival_columns("fading")]])
        yield staying
