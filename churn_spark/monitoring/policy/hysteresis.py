"""What has moved and what got worse, with memory: entering is harder than staying.

A figure that wobbles around one threshold would raise and drop its alarm every night. So a
feature enters at one threshold and leaves at a lower one, a night must be followed by another,
and a window of labels by a second one that shares no label with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from churn_spark.config import PolicyConfig
from churn_spark.monitoring.policy.calibration import Lines, lines_of
from churn_spark.monitoring.policy.evidence import DriftFact, JointFact, ListReach, MetricChange
from churn_spark.monitoring.policy.policy_state import Calibration, Streak

LOWER_IS_BETTER = frozenset({"log_loss", "calibration_error"})
LIST_METRIC = "reached_vs_rule"
"""What the list has reached, less what the simple rule would have."""
JUDGED_METRICS = frozenset({"roc_auc", "f1", "average_precision", LIST_METRIC}) | LOWER_IS_BETTER


def update_breached(
    breached: Iterable[str],
    facts: Iterable[DriftFact],
    config: PolicyConfig,
    calibration: Calibration | None = None,
) -> tuple[str, ...]:
    """Names that have moved as of tonight, sorted.

    A name enters when its shift is surely large, and leaves when it is small, or can't be compared
    any more. A name without a fact tonight stays what it was; trending ones never enter.
    """
    now = set(breached)
    for fact in facts:
        lines = lines_of(fact.feature, config, calibration)
        never_counts = fact.is_trending or not fact.is_comparable
        if never_counts or fact.statistic < lines.leave:
            now.discard(fact.feature)
        elif is_entering(fact.lower_bound, fact.adjusted_p, config, lines):
            now.add(fact.feature)
    return tuple(sorted(now))


def is_entering(lower_bound: float, adjusted_p: float, config: PolicyConfig, lines: Lines) -> bool:
    """Whether a shift is surely large, and surely not chance; never where either is NaN."""
    return lower_bound >= lines.enter and adjusted_p <= config.enter_adjusted_p


def is_apart(was_apart: bool, fact: JointFact | None, config: PolicyConfig) -> bool:
    """Whether tonight's users count as told from the training rows by all features at once.

    As with one feature, that begins when it is surely so, and ends when it hardly is. A night
    without a fact is as the one before.
    """
    if fact is None:
        return was_apart
    if fact.auc < config.exit_auc:
        return False
    return was_apart or fact.low >= config.enter_auc_low


def breached_share(breached: Iterable[str], features: Sequence[DriftFact]) -> float:
    """Share of the importance that the breached features have, in [0, 1].

    Trending features count on neither side; what can't be compared yet keeps its part of the
    whole. Where no feature has any importance all weigh the same.
    """
    moved = set(breached)
    judged = [fact for fact in features if not fact.is_trending]
    has_importance = any(fact.importance > 0 for fact in judged)
    weights = {fact.feature: fact.importance if has_importance else 1.0 for fact in judged}
    # fsum is correctly rounded, so the order of the features changes nothing.
    total = math.fsum(weights.values())
    return math.fsum(weights[name] for name in weights if name in moved) / total if total else 0.0


def is_surely_worse(change: MetricChange, config: PolicyConfig) -> bool | None:
    """Whether the whole interval lies beyond the allowed drop; None if that is unknown.

    It is unknown with too few cancels, and where an end of the interval is NaN.
    """
    bounds = change.low, change.high
    if (
        change.metric not in JUDGED_METRICS
        or change.n_positive < config.min_positives
        or any(math.isnan(bound) for bound in bounds)
    ):
        return None
    # A list that the rule surely beats has lost, by however little.
    of_its_own = {"calibration_error": config.max_calibration_drop, LIST_METRIC: 0.0}
    allowed = of_its_own.get(change.metric, config.max_drop)
    least_loss = change.low if change.metric in LOWER_IS_BETTER else -change.high
    return least_loss > allowed


def list_change(
    reach: ListReach | None, champion: str, config: PolicyConfig
) -> tuple[MetricChange, ...]:
    """The list against the rule as one more metric, where the policy is to judge by it.

    A list of another model says nothing of the champion.
    """
    if not config.judge_list or reach is None or reach.version != champion:
        return ()
    if reach.rule_low is None or reach.rule_high is None:
        return ()
    window = reach.window_start, reach.window_end
    ends = reach.reached - reach.by_rule, reach.rule_low, reach.rule_high
    return (MetricChange(LIST_METRIC, *window, *ends, reach.n_positive),)


def update_streaks(
    streaks: Iterable[Streak], changes: Iterable[MetricChange], config: PolicyConfig
) -> tuple[Streak, ...]:
    """The streaks with tonight's windows, sorted by metric.

    A bad window counts once, and as one more only if it starts where the last bad one has
    ended: two weekly windows of two weeks share half of their labels, and the same labels must not
    count twice. A good one ends the streak wherever it starts.
    """
    now = {streak.metric: streak for streak in streaks}
    for change in sorted(changes, key=lambda change: (change.window_start, change.window_end)):
        verdict = is_surely_worse(change, config)
        last = now.get(change.metric)
        if verdict is None:
            continue
        n_bad = last.n_bad if last else 0
        if not verdict:
            now[change.metric] = Streak(change.metric, change.window_end, 0)
        elif last is None or not n_bad or change.window_start >= last.window_end:
            now[change.metric] = Streak(change.metric, change.window_end, n_bad + 1)
    return tuple(now[metric] for metric in sorted(now))
