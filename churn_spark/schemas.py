"""The tables: layer, grain, columns with their meaning. The contract between all jobs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from churn_spark.errors import SchemaError
from churn_spark.features.segments import SEGMENT_PREFIX, SEGMENTS
from churn_spark.features.spec import (
    BEHAVIOUR_FEATURES,
    FEATURES,
    PAGE_COUNTS,
    SNAPSHOT_FEATURES,
    Feature,
)

_TYPES: dict[str, T.DataType] = {
    "string": T.StringType(),
    "long": T.LongType(),
    "double": T.DoubleType(),
    "date": T.DateType(),
    "timestamp": T.TimestampType(),
    "boolean": T.BooleanType(),
    "integer": T.IntegerType(),
    "strings": T.ArrayType(T.StringType()),
    "longs": T.ArrayType(T.LongType()),
}


@dataclass(frozen=True)
class Column:
    """One column: its name, a short type name and its meaning."""

    name: str
    data_type: str
    meaning: str


@dataclass(frozen=True)
class TableSpec:
    """One Delta table.

    Attributes:
        layer: folder below the lakehouse: bronze, silver, gold, ml or monitoring.
        name: folder below the layer.
        grain: what one row is.
        columns: in order.
        partition_by: columns that are replaced as a whole.
        skipping_columns: columns whose ranges Delta keeps per file; empty keeps its default.
        has_change_feed: whether later steps ask which rows changed since a version.
    """

    layer: str
    name: str
    grain: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ()
    skipping_columns: tuple[str, ...] = ()
    has_change_feed: bool = False

    @property
    def column_names(self) -> list[str]:
        """Names, in order."""
        return [column.name for column in self.columns]

    @property
    def struct(self) -> T.StructType:
        """The Spark schema; every column is nullable, as Delta writes them."""
        return T.StructType(
            [
                T.StructField(c.name, _TYPES[c.data_type], True, {"comment": c.meaning})
                for c in self.columns
            ]
        )


def conform(frame: DataFrame, spec: TableSpec) -> DataFrame:
    """The frame with exactly the columns of `spec`, in order.

    Raises:
        SchemaError: if columns are missing, extra or of another type; all are listed.
    """
    names = [field.name for field in frame.schema.fields]
    found = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    expected = {field.name: field.dataType.simpleString() for field in spec.struct.fields}
    missing = [name for name in expected if name not in found]
    extra = [name for name in names if name not in expected or names.count(name) > 1]
    wrong = [
        f"{name} is {found[name]} instead of {expected[name]}"
        for name in expected
        if name in found and found[name] != expected[name]
    ]
    if missing or extra or wrong:
        raise SchemaError(
            f"rows for {spec.layer}/{spec.name} don't fit its schema: "
            f"missing {missing}, extra {extra}, wrong type {wrong}"
        )
    return frame.select(*[F.col(name) for name in spec.column_names])


def _feature_column(feature: Feature) -> Column:
    return Column(
        feature.name, feature.data_type, f"{feature.meaning} ({feature.unit or 'category'})"
    )


FILES = TableSpec(
    "bronze",
    "files",
    "one input file that was read",
    (
        Column("source_file", "string", "path as listed"),
        Column("size_bytes", "long", "when it was listed"),
        Column("modified_ts", "timestamp", "when it was listed"),
        Column("problem", "string", "why it could not be read to its end; null if it could"),
        Column("ingest_batch", "long", "micro-batch that read it"),
    ),
)

EVENTS = TableSpec(
    "bronze",
    "events",
    "one accepted event of a known user",
    (
        Column("event_date", "date", "UTC date of event_ts"),
        Column("event_ts", "timestamp", "when it happened, to the millisecond"),
        Column("user_id", "string", "never blank or anonymous"),
        Column("session_id", "long", "reused by different users: a key only with user_id"),
        Column("item_in_session", "long", "counts up within the session"),
        Column("page", "string", "page visited; unknown ones are kept"),
        Column("auth", "string", "Logged In, Logged Out, Guest or Cancelled"),
        Column("level", "string", "free or paid"),
        Column("song_seconds", "double", "length of the song; on NextSong only"),
        Column("registered_ts", "timestamp", "registration of the user"),
        Column("gender", "string", "as given by the user"),
        Column("location", "string", "state code"),
        Column("os", "string", "operating system, from the user agent"),
        Column("browser", "string", "browser, from the user agent"),
        Column("event_hash", "long", "of all fields of the record: equal means the same event"),
        Column("source_file", "string", "file that delivered it"),
        Column("ingest_batch", "long", "micro-batch that loaded it"),
    ),
    # Logs arrive in time order, so ranges of these prune well; ranges of strings cost 20 %.
    skipping_columns=("event_date", "event_ts", "ingest_batch"),
    has_change_feed=True,
)

QUARANTINE = TableSpec(
    "bronze",
    "quarantine",
    "one rejected line",
    (
        Column("raw", "string", "the line, cut to a bounded length"),
        Column("reason", "string", "first rule it broke"),
        Column("line_bytes", "long", "length of the whole line"),
        Column("source_file", "string", "file that delivered it"),
        Column("ingest_batch", "long", "micro-batch that rejected it"),
    ),
)

SESSION_DAYS = TableSpec(
    "silver",
    "session_days",
    "user x session x UTC date; a session over midnight has two rows",
    (
        Column("event_date", "date", "UTC date"),
        Column("user_id", "string", ""),
        Column("session_id", "long", "a key only together with user_id"),
        Column("n_events", "long", "logged-in events"),
        *(
            Column(name, "long", f"logged-in visits of {page}")
            for name, page in PAGE_COUNTS.items()
        ),
        Column("n_other_pages", "long", "logged-in visits of any page not counted above"),
        Column("listened_micros", "long", "sum of song lengths, microseconds: exact in any order"),
        Column("first_ts", "timestamp", "first logged-in event other than Cancel"),
        Column("last_ts", "timestamp", "last logged-in event other than Cancel"),
        Column("level", "string", "newest known"),
        Column("level_seen", "long", "order of the event that told it: ts in ms x 1e6 + item"),
        Column("gender", "string", "newest known"),
        Column("gender_seen", "long", "order of the event that told it"),
        Column("location", "string", "newest known"),
        Column("location_seen", "long", "order of the event that told it"),
        Column("os", "string", "of the newest event that has a user agent"),
        Column("browser", "string", "of the newest event that has a user agent"),
        Column("agent_seen", "long", "order of the event that told it"),
        Column("registered_ts", "timestamp", "newest known"),
        Column("registration_seen", "long", "order of the event that told it"),
        Column("cancel_ts", "timestamp", "first Cancellation Confirmation, whatever its auth"),
    ),
    partition_by=("event_date",),
)

TRANSITIONS = TableSpec(
    "silver",
    "transitions",
    "user x UTC date x level x page x next page",
    (
        Column("event_date", "date", "UTC date on which it is known"),
        Column("user_id", "string", ""),
        Column("level", "string", "free or paid, at the page"),
        Column("page", "string", "START before the first page of a visit"),
        Column("next_page", "string", "END after the last one: an hour of silence in the session"),
        Column("n_transitions", "long", "how often"),
        Column("total_millis", "long", "time from page to page, summed; 0 at START and END"),
    ),
    partition_by=("event_date",),
)

SNAPSHOTS = TableSpec(
    "gold",
    "snapshots",
    "as-of date x user of the population",
    (
        Column("as_of", "date", "the snapshot knows events before this date 00:00 UTC"),
        Column("user_id", "string", ""),
        *map(_feature_column, SNAPSHOT_FEATURES),
    ),
    partition_by=("as_of",),
)

BEHAVIOUR = TableSpec(
    "gold",
    "behaviour",
    "as-of date x user of the population x model version",
    (
        Column("as_of", "date", "the behaviour model has read transitions before this date"),
        Column("user_id", "string", ""),
        Column("model_version", "string", "whose behaviour model it is, in the MLflow registry"),
        *map(_feature_column, BEHAVIOUR_FEATURES),
    ),
    partition_by=("as_of",),
)

LABELS = TableSpec(
    "gold",
    "labels",
    "as-of date x user of the population x horizon x gap",
    (
        Column("as_of", "date", ""),
        Column("user_id", "string", ""),
        Column("horizon_days", "integer", "length of the window"),
        Column("gap_days", "integer", "days between as_of and the window"),
        Column(
            "label", "integer", "1 cancels in the window, 0 doesn't, null unknown or in the gap"
        ),
        Column("is_known", "boolean", "whether the log reaches the end of the window"),
        Column("is_gap_cancel", "boolean", "cancels in the gap: left out of training"),
    ),
    partition_by=("as_of",),
)

TRAINING_ROWS = TableSpec(
    "ml",
    "training_rows",
    "as-of date x user that the newest training used, with its encoded inputs",
    (
        Column("as_of", "date", ""),
        Column("user_id", "string", ""),
        Column("label", "integer", ""),
        Column("split", "string", "train, stopping or validation; by user"),
        *(
            Column(f"{SEGMENT_PREFIX}{name}", "string", "part of the users, by name")
            for name in SEGMENTS
        ),
        *(
            Column(f.name, "double", "value" if f.is_numeric else "code of the category")
            for f in FEATURES
        ),
    ),
)

BACKTEST_ROWS = replace(
    TRAINING_ROWS,
    name="backtest_rows",
    grain="as-of date x user that the newest backtest used, with its encoded inputs",
)

VALIDATION_SCORES = TableSpec(
    "ml",
    "validation_scores",
    "MLflow run x as-of date x validation user x model family",
    (
        Column("run_id", "string", "MLflow run of the model"),
        Column("family", "string", "lightgbm or logistic_regression"),
        Column("as_of", "date", ""),
        Column("user_id", "string", ""),
        Column("label", "integer", ""),
        Column("churn_probability", "double", ""),
        Column("outcome", "string", "true or false, positive or negative, at the run's threshold"),
    ),
)

SCORES = TableSpec(
    "ml",
    "scores",
    "as-of date x user x model version",
    (
        Column("as_of", "date", ""),
        Column("user_id", "string", ""),
        Column("model_version", "string", "version in the MLflow registry"),
        Column("churn_probability", "double", "of a cancellation in the model's window"),
        Column("risk_rank", "integer", "1 is the highest probability; ties by user_id"),
        Column("risk_band", "string", "high, medium or low"),
        Column("value_at_risk", "double", "probability x what the subscriber is worth"),
        Column("reasons", "strings", "the largest contributions, in words, largest first"),
    ),
    partition_by=("as_of",),
)

RETENTION_LISTS = TableSpec(
    "ml",
    "retention_lists",
    "as-of date x user on its list",
    (
        Column("as_of", "date", ""),
        Column("user_id", "string", ""),
        Column("model_version", "string", "that scored the user"),
        Column("list_rank", "integer", "1 has the most value at risk; then probability, user_id"),
        Column("churn_probability", "double", "of a cancellation in the model's window"),
        Column("risk_band", "string", "high, medium or low"),
        Column("value_at_risk", "double", "probability x what the subscriber is worth"),
        Column("reasons", "strings", "the largest contributions, in words, largest first"),
        Column("would_help", "strings", "single changes that lower the model's risk most"),
        Column("on_list_since", "date", "as-of date of the first of the lists in a row with them"),
        Column("days_on_list", "integer", "1 on the first day"),
        Column("previous_rank", "integer", "on the newest earlier list; null if not on it"),
    ),
    partition_by=("as_of",),
)

DATA_CHECKS = TableSpec(
    "monitoring",
    "data_checks",
    "run date x check",
    (
        Column("run_date", "date", "the night whose data were checked"),
        Column("name", "string", "kind of check, with its column where it has one: nulls:os"),
        Column("found", "double", "the figure"),
        Column("expected", "string", "what it may be, in words"),
        Column("passed", "boolean", "whether it is; one that isn't holds the night"),
        Column("sentence", "string", "both, for a person"),
    ),
    partition_by=("run_date",),
)

DRIFT_CELLS = TableSpec(
    "monitoring",
    "drift_cells",
    "run date x model version x slice x feature; the counts of several nights add up",
    (
        Column("run_date", "date", "as-of date of the counted rows"),
        Column("model_version", "string", "whose training rows are the baseline"),
        Column("slice", "string", "all, or a part of the users: level=paid"),
        Column("feature", "string", "snapshot column, or churn_probability"),
        Column("cells", "longs", "cells that hold rows; -1: no value (churn_spark/monitoring/ks)"),
        Column("counts", "longs", "rows in each of them"),
    ),
    partition_by=("run_date",),
)

DRIFT = TableSpec(
    "monitoring",
    "drift",
    "run date x comparison x slice x feature",
    (
        Column("run_date", "date", "as-of date of the current rows"),
        Column(
            "comparison",
            "string",
            "against what: training, previous_night, rolling_28 or same_weekday",
        ),
        Column("slice", "string", "all, or a part of the users: level=paid"),
        Column("feature", "string", "snapshot column, or churn_probability"),
        Column("model_version", "string", "champion at the time"),
        Column("kind", "string", "number or category"),
        Column("status", "string", "ok, or skipped when a side has no value"),
        Column("n_baseline", "long", "values in the baseline"),
        Column("n_current", "long", "values as of the run date"),
        Column("missing_rate_baseline", "double", "share of nulls"),
        Column("missing_rate_current", "double", "share of nulls"),
        Column("missing_p_value", "double", "that both shares are one; of numbers"),
        Column("zero_rate_baseline", "double", "share of zeros; null where they can't be told"),
        Column("zero_rate_current", "double", "share of zeros; null where they can't be told"),
        Column("zero_p_value", "double", "that both shares are one"),
        Column("ks_statistic", "double", "largest gap between the distribution functions"),
        Column("p_value", "double", "Kolmogorov-Smirnov; of a category chi-square"),
        Column("adjusted_p_value", "double", "Benjamini-Hochberg over the slice's features"),
        Column("lower_bound", "double", "95 %, of ks_statistic; of a category: total_variation"),
        Column("location", "double", "value at which the gap is largest"),
        Column("direction", "string", "higher or lower than the baseline"),
        Column("psi", "double", "population stability index over 10 bins"),
        Column("psi_corrected", "double", "less what chance alone gives"),
        Column("jensen_shannon", "double", "distance over the same bins, in [0, 1]"),
        Column("wasserstein", "double", "in the feature's unit"),
        Column("chi_square", "double", "of a category"),
        Column("total_variation", "double", "of a category: largest gap of any set of values"),
        Column("unseen_rate_baseline", "double", "rows of a category the model has no level for"),
        Column("unseen_rate_current", "double", "the same, as of the run date"),
        Column("importance", "double", "share of the feature in the champion's scores"),
        Column("is_trending", "boolean", "moves with time or calendar by construction: no alert"),
        Column("is_breached", "boolean", "moved by more than the rule allows"),
    ),
    partition_by=("run_date",),
)

PERFORMANCE = TableSpec(
    "monitoring",
    "performance",
    "run date x model version x basis x window x slice x metric",
    (
        Column("run_date", "date", "the night that measured it"),
        Column("model_version", "string", "whose probabilities"),
        Column("basis", "string", "labels: measured; expected: guessed from the probabilities"),
        Column("window_start", "date", "as-of date of the rows"),
        Column("window_end", "date", "the labels' days later: one begins where another ends"),
        Column("slice", "string", "all, or a part of the users: level=paid"),
        Column("metric", "string", "roc_auc, f1, average_precision, log_loss, brier, ..."),
        Column("value", "double", ""),
        Column("low", "double", "lower 95 % bound"),
        Column("high", "double", "upper 95 % bound"),
        Column("n_rows", "long", ""),
        Column("n_positive", "long", "users who cancel"),
        Column("reference", "double", "the same on the champion's validation users"),
        Column("difference", "double", "value less reference"),
        Column("difference_low", "double", "lower 95 % bound"),
        Column("difference_high", "double", "upper 95 % bound"),
    ),
    partition_by=("run_date",),
)

DECISIONS = TableSpec(
    "monitoring",
    "decisions",
    "run date x sequence: one decision",
    (
        Column("run_date", "date", "the night"),
        Column("sequence", "integer", "order within the night, from 0"),
        Column("kind", "string", "retrain, hold, keep, promote, reject or roll_back"),
        Column("rule", "string", "the rule that decided"),
        Column("reason", "string", "one sentence with the numbers"),
        Column("version", "string", "model that becomes champion or is rejected; null otherwise"),
        Column("state_before", "string", "memory of the policy, JSON; null before it has any"),
        Column("evidence", "string", "all that it may decide by, JSON; null: decided by a human"),
        Column("policy", "string", "thresholds in force, JSON"),
        Column("state_after", "string", "memory for the next decision, JSON"),
    ),
    partition_by=("run_date",),
)

ALERTS = TableSpec(
    "monitoring",
    "alerts",
    "run date x alert, as it stands after that night",
    (
        Column("run_date", "date", "the night"),
        Column("key", "string", "names the alert: drift:num_thumbs_up"),
        Column(
            "change", "string", "opened, worsened, reminder, resolved; kept where nobody is told"
        ),
        Column("severity", "string", "info, warning or critical: the highest so far"),
        Column("sentence", "string", "what was found, with the numbers"),
        Column("opened", "date", "first night with the cause"),
        Column("last_seen", "date", "newest night with it"),
        Column("last_told", "date", "newest night on which it was told"),
        Column("nights_clear", "integer", "judged nights in a row without it"),
        Column("resolved", "date", "night on which it ended; null while it is open"),
    ),
    partition_by=("run_date",),
)

BACKTEST_RUNS = TableSpec(
    "ml",
    "backtest_runs",
    "backtest",
    (
        Column("run_id", "string", "of the backtest; MLflow's where it was logged there"),
        Column("date", "date", "as-of date of the job"),
        Column("card", "string", "model card, JSON"),
    ),
    partition_by=("run_id",),
)

BACKTEST_PREDICTIONS = TableSpec(
    "ml",
    "backtest_predictions",
    "backtest x as-of date x user x model; at most 200,000 rows a model",
    (
        Column("run_id", "string", ""),
        Column("as_of", "date", ""),
        Column("user_id", "string", ""),
        Column("cell", "string", "new users, future, both, or training: what was unseen"),
        Column("model", "string", "base_rate, rule, ..., lightgbm, oracle"),
        Column("label", "integer", "1 cancels in the window"),
        Column("churn_probability", "double", ""),
        Column("level", "string", "free or paid, as of the date"),
        Column("tenure_band", "string", "time since registration"),
        Column("os", "string", ""),
        Column("gender", "string", "for fairness"),
        Column("reasons", "strings", "as in scores; null where the model gives none"),
    ),
    partition_by=("run_id",),
)

BACKTEST_FIGURES = TableSpec(
    "ml",
    "backtest_figures",
    "backtest x cell x segment x model x versus x metric",
    (
        Column("run_id", "string", ""),
        Column("cell", "string", "new users, future, both: what was unseen; test: the last two"),
        Column("segment", "string", "all, or a part of the users such as level=paid"),
        Column("model", "string", ""),
        Column("versus", "string", "empty, or the model that it is compared with on the same rows"),
        Column("metric", "string", "roc_auc, average_precision, capture_10, ..."),
        Column("value", "double", "or the paired difference; NaN where it can't be told"),
        Column("low", "double", "of the 95 % interval, bootstrap by user"),
        Column("high", "double", "of the 95 % interval"),
        Column("n", "long", "rows"),
        Column("n_positive", "long", "rows with label 1"),
    ),
    partition_by=("run_id",),
)

BACKTEST_IMPORTANCE = TableSpec(
    "ml",
    "backtest_importance",
    "backtest x feature of the primary model",
    (
        Column("run_id", "string", ""),
        Column("feature", "string", "snapshot column"),
        Column("meaning", "string", "for people"),
        Column("unit", "string", ""),
        Column("mean_abs_shap", "double", "mean size of its contribution, in log-odds"),
        Column("share", "double", "of all contributions"),
        Column("rank_low", "long", "best rank among the parts of the users"),
        Column("rank_high", "long", "worst rank among the parts of the users"),
        Column("gain", "double", "share of the loss that its splits saved in training"),
    ),
    partition_by=("run_id",),
)

TABLES = (
    FILES,
    EVENTS,
    QUARANTINE,
    SESSION_DAYS,
    TRANSITIONS,
    SNAPSHOTS,
    BEHAVIOUR,
    LABELS,
    TRAINING_ROWS,
    BACKTEST_ROWS,
    VALIDATION_SCORES,
    SCORES,
    RETENTION_LISTS,
    DATA_CHECKS,
    DRIFT_CELLS,
    DRIFT,
    PERFORMANCE,
    DECISIONS,
    ALERTS,
    BACKTEST_RUNS,
    BACKTEST_PREDICTIONS,
    BACKTEST_FIGURES,
    BACKTEST_IMPORTANCE,
)
"""All tables, in the order of the flow."""


def describe_tables() -> str:
    """The tables as Markdown: the whole of `docs/data-flow.md`."""
    parts = [
        "# The tables\n\nWritten by `make docs` from `churn_spark/schemas.py`. The flow is drawn "
        "in the [README](../README.md).\n"
    ]
    for spec in TABLES:
        partitions = f" Partitioned by {', '.join(spec.partition_by)}." if spec.partition_by else ""
        rows = "\n".join(f"| `{c.name}` | {c.data_type} | {c.meaning} |" for c in spec.columns)
        parts.append(
            f"## `{spec.layer}/{spec.name}`\n\nOne row is {spec.grain}.{partitions}\n\n"
            f"| column | type | meaning |\n| --- | --- | --- |\n{rows}\n"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    print(describe_tables(), end="")
