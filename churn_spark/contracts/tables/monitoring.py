"""Layer monitoring: what was checked, what has moved, what was decided."""

from __future__ import annotations

from churn_spark.contracts.tables.table import Column, TableSpec

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
        Column("model_version", "string", "whose training rows are the reference"),
        Column("slice", "string", "all, or a part of the users: level=paid"),
        Column("feature", "string", "snapshot column, or churn_probability"),
        Column(
            "cells", "longs", "bins that hold rows; -1: no value (churn_spark/monitoring/drift/ks)"
        ),
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
            "against what: training, previous_night, rolling_28 or same_weekday; joint: all "
            "features at once, against training",
        ),
        Column("slice", "string", "all, or a part of the users: level=paid"),
        Column("feature", "string", "snapshot column, churn_probability, or joint"),
        Column("model_version", "string", "champion at the time"),
        Column("kind", "string", "number, category or joint"),
        Column("status", "string", "ok; skipped: no value on a side; not_comparable: young log"),
        Column("n_baseline", "long", "values in the reference"),
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
        Column("direction", "string", "higher or lower than the reference"),
        Column("psi", "double", "population stability index over 10 bins"),
        Column("psi_corrected", "double", "less what chance alone gives"),
        Column("jensen_shannon", "double", "distance over the same bins, in [0, 1]"),
        Column("wasserstein", "double", "in the feature's unit"),
        Column("chi_square", "double", "of a category"),
        Column("total_variation", "double", "of a category: largest gap of any set of values"),
        Column("unseen_rate_baseline", "double", "rows of a category the model has no level for"),
        Column("unseen_rate_current", "double", "the same, as of the run date"),
        Column("importance", "double", "share of the feature in the champion's scores"),
        Column("is_trending", "boolean", "changes with time or calendar for everybody: not judged"),
        Column("is_breached", "boolean", "counts as drifted; of slices and earlier runs: now"),
        Column(
            "contribution_baseline",
            "double",
            "mean size of the feature's part in the training rows' scores, in log-odds",
        ),
        Column("contribution_current", "double", "the same, as of the run date"),
        Column("contribution_error", "double", "standard error of the difference of both"),
        Column("auc", "double", "of joint: ROC AUC of trees that tell the two sides apart"),
        Column("auc_low", "double", "lower 95 % bound"),
        Column("auc_high", "double", "upper 95 % bound"),
        Column("told_by", "strings", "of joint: features that tell them apart, the first most"),
    ),
    partition_by=("run_date",),
)

PERFORMANCE = TableSpec(
    "monitoring",
    "performance",
    "run date x model version x basis x window x slice x metric",
    (
        Column("run_date", "date", "the night that measured it"),
        Column("model_version", "string", "whose probabilities; of a list: that made it"),
        Column(
            "basis",
            "string",
            "labels: measured; expected: guessed from the probabilities; list: what the list of "
            "the window has reached; arrival: how many of its labels are known; cancellations: "
            "how many there were in the last 7 days",
        ),
        Column("window_start", "date", "as-of date of the rows; of cancellations their first day"),
        Column(
            "window_end",
            "date",
            "the labels' days later: one begins where another ends; of cancellations 7 days later",
        ),
        Column("slice", "string", "all, or a part of the users: level=paid"),
        Column(
            "metric",
            "string",
            "roc_auc, f1, ...; of a list reached_vs_chance, reached_vs_rule, reached_vs_best, "
            "cancels_of_control, or nothing_to_reach where nobody cancels; of the arrival "
            "labels_known; of cancellations rate_vs_before",
        ),
        Column(
            "value",
            "double",
            "of a list: share of the users who cancel that were on it or in its control group; of "
            "cancels_of_control: share of that group that cancels; of the arrival: share of the "
            "labels that are due; of cancellations: their rate over that of the weeks before, null "
            "where those have none",
        ),
        Column("low", "double", "lower 95 % bound; of cancellations 99.9 %"),
        Column("high", "double", "upper 95 % bound; of cancellations 99.9 %"),
        Column(
            "n_rows",
            "long",
            "users; of a list those of it and its control group whose labels are known",
        ),
        Column(
            "n_positive",
            "long",
            "users who cancel; of labels, where contacts may have changed outcomes, as many users "
            "of equal weight as tell as much",
        ),
        Column("n_cancels", "long", "of labels: users who cancel, whatever they count"),
        Column(
            "limited_to",
            "strings",
            "of labels and expected, whose figures alone these are: held_out, users that the model "
            "was not fitted on; untouched, whose outcome no contact may have changed; sample, "
            "chosen by a hash; empty: all of the date; null where an older release measured",
        ),
        Column(
            "reference",
            "double",
            "the same on the champion's validation users; of a list: of one by chance, by the "
            "rule, or the best one of its length; of cancels_of_control: share of those listed; of "
            "cancellations: how many were expected by the weeks before",
        ),
        Column("difference", "double", "value less reference"),
        Column("difference_low", "double", "lower 95 % bound"),
        Column("difference_high", "double", "upper 95 % bound"),
    ),
    partition_by=("run_date",),
)

EFFECT = TableSpec(
    "monitoring",
    "effect",
    "run date x campaign x share x period x week x slice x basis",
    (
        Column("run_date", "date", "the night that counted it: one that completes a week"),
        Column("campaign", "string", "retention_list.campaign"),
        Column("control_share", "double", "chance with which users were withheld"),
        Column("period", "string", "week, or total: all weeks of the campaign up to it"),
        Column("week_start", "date", "Monday; users count in the week of their first list"),
        Column("n_weeks", "integer", "that are counted"),
        Column(
            "slice",
            "string",
            "all, band=high, level=paid; offer=...: those reached with it beside all withheld, "
            "which no draw has made alike",
        ),
        Column("basis", "string", "listed: intention to treat; contact: per user reached"),
        Column("n_listed", "long", "users of the list"),
        Column(
            "n_listed_cancel", "long", "of them, cancel from the list's date to its window's end"
        ),
        Column("n_contacted", "long", "of them, were reached in that time"),
        Column("n_contacted_cancel", "long", "of these, cancel"),
        Column("n_control", "long", "users withheld"),
        Column("n_control_cancel", "long", "of them, cancel"),
        Column("n_control_contacted", "long", "of them, were reached all the same"),
        Column("n_control_contacted_cancel", "long", "of these, cancel"),
        Column("saved", "double", "share of the listed, or of the reached, saved from cancelling"),
        Column("low", "double", "of the 95 % interval for one look, fixed beforehand"),
        Column("high", "double", "of it"),
        Column("always_low", "double", "of the 95 % interval that holds at all looks; null: none"),
        Column("always_high", "double", "of it"),
        Column("cost", "double", "of all contacts with them, in the unit of costs.missed_cancel"),
        Column(
            "net",
            "double",
            "worth of those saved less cost; null where no cost is recorded, or `costs` are the "
            "placeholders",
        ),
        Column("net_low", "double", "the same at always_low"),
        Column("net_high", "double", "the same at always_high"),
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
        Column(
            "kind", "string", "retrain, hold, keep, promote, reject, roll_back, calibrate or order"
        ),
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
        Column("key", "string", "names the alert: drift:moved, performance:roc_auc"),
        Column(
            "change", "string", "opened, worsened, reminder, resolved; kept where no notice is sent"
        ),
        Column("severity", "string", "info, warning or critical: the highest so far"),
        Column("sentence", "string", "what was found, with the numbers"),
        Column("opened", "date", "first night with the finding"),
        Column("last_seen", "date", "newest night with it"),
        Column(
            "last_told",
            "date",
            "newest night on which a notice of it was sent; null where no receiver took it: then "
            "the next night sends it again, that of the end too",
        ),
        Column("nights_clear", "integer", "nights in a row without it, of those that were judged"),
        Column("resolved", "date", "night on which it ended; null while it is open"),
    ),
    partition_by=("run_date",),
)

LATE_NIGHTS = TableSpec(
    "monitoring",
    "late_nights",
    "time in which nights were late, however many",
    (
        Column("first_night", "date", "as-of date of the first one that did not finish in time"),
        Column("last_night", "date", "of the newest one"),
        Column("due_ts", "timestamp", "when the first one had to be finished"),
        Column("opened_ts", "timestamp", "when `check_freshness` found it late"),
        Column("told_ts", "timestamp", "newest notice that has arrived; null: none has"),
        Column("ended_ts", "timestamp", "when none was late any more; null while one is"),
    ),
)

ERASURES = TableSpec(
    "monitoring",
    "erasures",
    "erasure x place that it has looked into",
    (
        Column("reference", "string", "random, told to whoever asked for it; says nothing of whom"),
        Column("erased_ts", "timestamp", "when it was done"),
        Column("n_users", "long", "how many users it was for"),
        Column("place", "string", "a table, or files: all else in the lakehouse"),
        Column("n_rows", "long", "rows of these users that the place had; of files, those changed"),
    ),
)

RUNS = TableSpec(
    "monitoring",
    "runs",
    "run of a job; of a run over several dates, one of them",
    (
        Column("run_id", "string", "when it began, the job, and a few characters of chance"),
        Column("job", "string", "as on the command line"),
        Column("date", "date", "as-of date; null where it has none, or ended before it was known"),
        Column("started_ts", "timestamp", "when it began"),
        Column("seconds", "double", "until it ended"),
        Column("cpu_seconds", "double", "of its processes on this machine: Python, JVM, workers"),
        Column(
            "peak_memory_bytes", "long", "most that its driver processes have held; null: untold"
        ),
        Column("exit_code", "integer", "as of the command for this date alone; 0: done"),
        Column("error", "string", "class of the error that ended it; null where none did"),
        Column("steps", "string", "JSON: step -> seconds, of those that were finished"),
        Column(
            "tables",
            "string",
            "JSON: table -> version before (-1: none) and after; rows, bytes and files written; "
            "seconds of the step that wrote them",
        ),
    ),
)
