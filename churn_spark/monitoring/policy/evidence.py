"""What is known on a night: everything that the policy may decide by, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from churn_spark.config import PolicyConfig


@dataclass(frozen=True)
class DriftFact:
    """How far one feature, or the prediction, is from the champion's training rows.

    A feature whose test was skipped has no fact: it stays what it was the night before.

    Attributes:
        feature: snapshot column, or `churn_probability`.
        statistic: Kolmogorov-Smirnov D, in [0, 1].
        lower_bound: lower 95 % confidence bound of D.
        adjusted_p: Benjamini-Hochberg over the night's features.
        importance: of the feature in the champion; any scale, at least 0.
        is_trending: moves by construction, so it never counts.
        is_comparable: false while a log was too young for it, tonight's or that of the training
            rows, or had a gap: it doesn't count as moved then, and its other figures say nothing.
    """

    feature: str
    statistic: float
    lower_bound: float
    adjusted_p: float
    importance: float = 0.0
    is_trending: bool = False
    is_comparable: bool = True


@dataclass(frozen=True)
class JointFact:
    """How well trees tell tonight's users from the champion's training rows.

    They look at the features that have not moved by themselves.

    Attributes:
        auc: 0.5 where nothing tells them apart.
        low: lower 95 % confidence bound of it.
        high: upper one.
        told_by: the features that tell most, the first one most; at most three.
        importance: share of what moves the champion's scores that these have, in [0, 1].
    """

    auc: float
    low: float
    high: float
    told_by: tuple[str, ...]
    importance: float


@dataclass(frozen=True)
class MetricChange:
    """One metric of the champion on one labelled window, against its reference.

    Attributes:
        metric: roc_auc, f1, average_precision, log_loss or calibration_error.
        window_start: as-of date of the window.
        window_end: as many days later as the labels look ahead, so that windows which don't
            overlap have no day of labels in common.
        difference: metric minus reference; for losses and errors above 0 is worse.
        low: lower 95 % confidence bound of the difference.
        high: upper one.
        n_positive: cancels in the window.
    """

    metric: str
    window_start: date
    window_end: date
    difference: float
    low: float
    high: float
    n_positive: int


@dataclass(frozen=True)
class SegmentDifference:
    """A challenger's AUC minus the champion's in a part of the users."""

    segment: str
    n_positive: int
    auc_difference: float


@dataclass(frozen=True)
class ChallengerComparison:
    """A challenger against the champion on the same rows of the newest labelled weeks.

    Attributes:
        version: of the challenger.
        champion: version that it was compared with.
        auc_difference: challenger minus champion.
        auc_low: lower 95 % confidence bound of it, paired.
        log_loss_difference: above 0 is worse.
        calibration_difference: of the calibration error; above 0 is worse.
        segments: differences by segment.
        auc_high: upper bound of the AUC difference; as the following ones it is unknown in the
            decisions of older releases.
        log_loss_low: lower 95 % confidence bound of the difference of log loss, paired.
        n_positive: users who cancel among the rows.
        restores_drift: whether the champion's training rows are too old for its drift to be
            judged, and the challenger's will not be for as long as a probation lasts.
        level_from: oldest as-of date of the rows that log loss and calibration are of, the newest
            of all; unknown in the decisions of older releases, where they are of all rows.
        log_loss_high: upper bound of the difference of log loss.
    """

    version: str
    champion: str
    auc_difference: float
    auc_low: float
    log_loss_difference: float
    calibration_difference: float
    segments: tuple[SegmentDifference, ...] = ()
    auc_high: float | None = None
    log_loss_low: float | None = None
    n_positive: int | None = None
    restores_drift: bool = False
    level_from: date | None = None
    log_loss_high: float | None = None


@dataclass(frozen=True)
class ProbationComparison:
    """The new champion against the one before, on the rows labelled since the promotion.

    Attributes:
        champion: the version on probation.
        previous: the version before it.
        auc_difference: new minus previous.
        auc_high: upper 95 % confidence bound of it, paired.
        n_positive: users who cancel among those rows; none in the decisions of older releases,
            which asked for no number.
    """

    champion: str
    previous: str
    auc_difference: float
    auc_high: float
    n_positive: int | None = None


@dataclass(frozen=True)
class FeatureWander:
    """How one feature, or the prediction, has lately moved from night to night.

    Squared distances between two nights, less what chance alone gives of as many users; below 0
    where they are less apart than that.

    Attributes:
        feature: snapshot column, or `churn_probability`.
        n_pairs: pairs of nights a week apart that were compared.
        weekly: half of these pairs are closer than that.
        nightly: the same of nights and the newest night before each, at most a week old, weekday
            by weekday, and the mean of these.
        band: by how much the lower bound of D is below D tonight.
    """

    feature: str
    n_pairs: int
    weekly: float
    nightly: float
    band: float


@dataclass(frozen=True)
class Wander:
    """How a population moves without harm, as its quiet nights show it.

    Attributes:
        n_nights: judged nights that were not bad.
        features: those that may enter; those that trend are left out.
    """

    n_nights: int
    features: tuple[FeatureWander, ...]


@dataclass(frozen=True)
class ListReach:
    """What share of the users who cancelled a retention list had, as it was sent.

    Attributes:
        version: model that the list was made by.
        window_start: its date.
        window_end: as many days later as the labels look ahead.
        n_listed: users on it whose labels are known.
        n_positive: users who cancel in the window, listed or not.
        reached: share of them that was listed.
        low: lower 95 % confidence bound of it.
        high: upper one.
        by_chance: the same of a list of that length drawn by chance.
        by_rule: of one by the simple rule.
        at_best: of the best one possible.
        rule_low: lower 95 % bound of `reached` less `by_rule`; none where it can't be told.
        rule_high: upper one.
        n_control: of `n_listed`, those who were withheld as its control group.
    """

    version: str
    window_start: date
    window_end: date
    n_listed: int
    n_positive: int
    reached: float
    low: float
    high: float
    by_chance: float
    by_rule: float
    at_best: float
    rule_low: float | None = None
    rule_high: float | None = None
    n_control: int = 0


@dataclass(frozen=True)
class OrderEvidence:
    """What users who were drawn say of the order of the list: counts and figures, no user.

    Savings are cancels per user, the Qini of an order is one too; see `evaluation.qini`.

    Attributes:
        week: Monday of the newest week of first lists whose labels are known.
        campaign: that they were drawn for.
        control_share: chance with which they were withheld.
        n_listed: users who were listed.
        n_listed_cancel: of them, those who cancel.
        n_control: users who were withheld.
        n_control_cancel: of them, those who cancel.
        min_cancels: of either side, and as many others, that learning takes.
        n_needed: about how many users tell an order worth having; none where nobody cancels.
        by_effect: Qini of the order by effect on held-out users; none where nothing was learnt.
        by_risk: that of the order by risk on the same users.
        difference: the first less the second.
        low: lower 95 % bound of it, for all weekly looks together.
        high: upper one.
        n_harmed: held-out users of a negative expected saving.
        harmed_saved: what listing them has saved.
        harmed_high: upper 95 % bound of it, for all looks; none where nothing can be told.
    """

    week: date
    campaign: str
    control_share: float
    n_listed: int
    n_listed_cancel: int
    n_control: int
    n_control_cancel: int
    min_cancels: int
    n_needed: int | None = None
    by_effect: float | None = None
    by_risk: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    n_harmed: int = 0
    harmed_saved: float | None = None
    harmed_high: float | None = None

    @property
    def n_users(self) -> int:
        """On both sides."""
        return self.n_listed + self.n_control


@dataclass(frozen=True)
class Evidence:
    """All that is known on a night.

    Attributes:
        n_rows: users in the snapshot.
        failed_checks: names of the data checks that failed.
        features: drift of the champion's inputs.
        prediction: drift of its probability; none where it was not tested.
        performance: its metrics on the newest labelled window.
        challenger: once there is one.
        probation: while the champion is on probation and rows have been labelled since.
        wander: where the thresholds are to be calibrated; such evidence decides nothing else.
        joint: drift of all features at once; none where it was not tested.
        reach: what the newest list whose labels are known has reached; decides only where
            `policy.judge_list` says so, and the champion has made it.
        n_unmatched: users of the labelled window who were on lists without a control group, from
            which calls were made: if these kept some, that looks like lost performance.
        order: where the order of the lists to come is decided; such evidence decides nothing else.
    """

    n_rows: int
    failed_checks: tuple[str, ...] = ()
    features: tuple[DriftFact, ...] = ()
    prediction: DriftFact | None = None
    performance: tuple[MetricChange, ...] = ()
    challenger: ChallengerComparison | None = None
    probation: ProbationComparison | None = None
    wander: Wander | None = None
    joint: JointFact | None = None
    reach: ListReach | None = None
    n_unmatched: int = 0
    order: OrderEvidence | None = None

    def tells_drift(self, config: PolicyConfig) -> bool:
        """Whether there are enough users to judge drift by."""
        return self.n_rows >= config.min_rows

    @property
    def is_comparable(self) -> bool:
        """Whether the prediction could be compared, or a feature that doesn't always move."""
        facts = [*self.features, *([self.prediction] if self.prediction else [])]
        return any(fact.is_comparable and not fact.is_trending for fact in facts)

    def measures_drift(self, config: PolicyConfig) -> bool:
        """Whether there were enough users, and a feature or a prediction to compare by them."""
        return self.tells_drift(config) and self.is_comparable
