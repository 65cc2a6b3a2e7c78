"""Layer ml: what models learn from, what they say, and how they were tested."""

from __future__ import annotations

from dataclasses import replace

from churn_spark.contracts.features.segments import SEGMENT_COLUMNS
from churn_spark.contracts.features.spec import FEATURES
from churn_spark.contracts.survival import (
    CAP_DAYS,
    EXPECTED_DAYS,
    FEE_DAYS,
    SURVIVAL_DAYS,
    survival_columns,
)
from churn_spark.contracts.tables.table import Column, TableSpec

LISTED = "listed"
CONTROL = "control"
LEFT_ALONE = "left_alone"
"""Assignment of a user of a list: shown on it, withheld to compare with, or better not called."""

BY_VALUE = ("-value_at_risk", "-churn_probability", "user_id")
"""The order of a list by value, a minus for the largest first; two users never share all three."""

SEEN_VERSION = "session_days_version"
"""Column of the scores that tells which past they saw."""

_REASON_FIELDS = Column(
    "reason_fields",
    "reasons",
    "the same as fields: feature, or a count such as visits_of_adverts_42d; direction, raises or "
    "lowers; contribution in log-odds, of all that say the same; value and typical of a number, "
    "level and typical_level of a category, null where unknown",
)

_VALUE_AT_RISK = Column(
    "value_at_risk",
    "double",
    f"fees lost on average within {CAP_DAYS} days, if nobody does anything: those of "
    f"{FEE_DAYS} days are retention_list.value_by_level",
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
        *(Column(name, "string", "part of the users, by name") for name in SEGMENT_COLUMNS),
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


def _staying(null: str) -> tuple[Column, ...]:
    """Columns of the chances to stay, and what a null in them means."""
    return tuple(
        Column(
            name,
            "double",
            f"chance not to cancel in the {days} days from the window's start on; {null}",
        )
        for name, days in zip(survival_columns(), SURVIVAL_DAYS, strict=True)
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
        *_staying("null where no cancellation is forecast"),
        Column(
            EXPECTED_DAYS,
            "double",
            f"days that the user stays on average, of the {CAP_DAYS} from the window's start on",
        ),
        _VALUE_AT_RISK,
        Column("reasons", "strings", "why, in words: first what raises the risk, largest first"),
        _REASON_FIELDS,
        Column(
            SEEN_VERSION,
            "long",
            "version of silver/session_days of which its snapshot was made: the past that it saw; "
            "-1: not noted",
        ),
    ),
    partition_by=("as_of",),
)

RETENTION_LISTS = TableSpec(
    "ml",
    "retention_lists",
    "as-of date x user on its list, in the control group that is withheld from it, or left alone",
    (
        Column("as_of", "date", ""),
        Column("user_id", "string", ""),
        Column("model_version", "string", "that scored the user"),
        Column(
            "list_rank",
            "integer",
            "1 has the most value at risk, or saved where expected_saves are known; then "
            "probability, user_id; null for who is not to be called",
        ),
        Column("churn_probability", "double", "of a cancellation in the model's window"),
        Column("risk_band", "string", "high, medium or low"),
        _VALUE_AT_RISK,
        Column("reasons", "strings", "why, in words: first what raises the risk, largest first"),
        _REASON_FIELDS,
        Column("would_help", "strings", "changes that lower the model's risk most"),
        Column("on_list_since", "date", "as-of date of the first of the lists in a row with them"),
        Column("days_on_list", "integer", "1 on the first day"),
        Column("previous_rank", "integer", "on the newest earlier list; null if not on it"),
        Column(
            "assignment",
            "string",
            "listed; control: withheld from the list, to compare with; left_alone: would be on it "
            "by risk, but being listed drives such users away",
        ),
        Column(
            "campaign", "string", "retention_list.campaign, which the control group is drawn for"
        ),
        Column(
            "control_share",
            "double",
            "chance with which the user was to be withheld; 0 of one left alone, who wasn't drawn",
        ),
        Column(
            "expected_saves",
            "double",
            "cancels that listing the user is expected to prevent: 0.05 is 5 of 100 such users; "
            "null while the list is by risk, and of users too little at risk to know",
        ),
    ),
    partition_by=("as_of",),
)

BUILT_LISTS = TableSpec(
    "ml",
    "built_lists",
    "as-of date whose retention list was built, with or without users",
    (
        Column("as_of", "date", ""),
        Column("n_listed", "long", "users to call; 0: nobody, which is no missing list"),
    ),
    partition_by=("as_of",),
)

CONTACTS = TableSpec(
    "ml",
    "contacts",
    "one contact: list date x user x time x channel",
    (
        Column("list_date", "date", "as-of date of the list that led to it"),
        Column("user_id", "string", ""),
        Column("contact_ts", "timestamp", "when, UTC"),
        Column("channel", "string", "call, mail, ..."),
        Column("offer", "string", "what was offered; empty: nothing"),
        Column("cost", "double", "in the unit of costs.missed_cancel"),
        Column("outcome", "string", "accepted, declined, reached, or not_reached: tried in vain"),
    ),
    partition_by=("list_date",),
)

REJECTED_CONTACTS = TableSpec(
    "ml",
    "rejected_contacts",
    "source x row that was no contact with a user of a list; names no user",
    (
        Column(
            "source",
            "string",
            "folder and name of the file with a hash of its path, or name of the service's batch",
        ),
        Column("row", "long", "in it, from 1, without the header"),
        Column("reason", "string", "the fields that don't fit and why; none of their values"),
    ),
    partition_by=("source",),
)

BACKTEST_RUNS = TableSpec(
    "ml",
    "backtest_runs",
    "backtest",
    (
        Column("run_id", "string", "of the backtest; MLflow's where it was logged there"),
        Column("date", "date", "as-of date of the job"),
        Column("card", "string", "model card, JSON"),
        Column(
            "number",
            "long",
            "counts the backtests of the lakehouse: the newest has the largest; null: of an older "
            "release",
        ),
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
        Column("reason_fields", "reasons", "as in scores; null where the model gives none"),
        *_staying("null of other models, of dates learnt from, and without such a forecast"),
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
