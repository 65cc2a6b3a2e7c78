"""Whether a challenger may take over, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from churn_spark.config import PolicyConfig
from churn_spark.monitoring.policy.evidence import ChallengerComparison
from churn_spark.wording import count_of

Ground = Literal["ranking", "probabilities", "renewal"]


@dataclass(frozen=True)
class Verdict:
    """What a challenger was judged by, and what was found against it.

    Attributes:
        ground: ranking: it must rank better; probabilities: they are significantly better, so it
            must only not rank worse (docs/adr/0072); renewal: drift can be judged again with it,
            so nothing of it must be significantly worse (docs/adr/0069).
        objections: all reasons not to promote it, in words; empty if there is none.
    """

    ground: Ground
    objections: tuple[str, ...]


def judge_challenger(
    challenger: ChallengerComparison,
    config: PolicyConfig,
    *,
    may_renew: bool = False,
    is_settled: bool = False,
) -> Verdict:
    """Judge a challenger by the first ground that holds for it.

    NaN in a comparison is an objection too: what could not be compared is not promoted.

    Args:
        challenger: on the same rows as the champion.
        config: the thresholds.
        may_renew: whether a renewal may be a ground.
        is_settled: whether the champion is on no probation: only then are probabilities a ground.
    """
    ground: Ground = "ranking"
    found = tuple(_why_not_better(challenger, config))
    if found and is_settled and predicts_better(challenger):
        ground = "probabilities"
        found = tuple(_why_ranks_worse(challenger, config))
    elif found and may_renew and challenger.restores_drift:
        ground = "renewal"
        found = (*_why_ranks_worse(challenger, config), *_why_predicts_worse(challenger))
    return Verdict(ground, (*found, *_why_worse_in_part(challenger, config)))


def predicts_better(challenger: ChallengerComparison) -> bool:
    """Whether its probabilities of the newest dates are significantly better."""
    high = challenger.log_loss_high
    return high is not None and high < 0 and challenger.log_loss_difference < 0


def _why_not_better(challenger: ChallengerComparison, config: PolicyConfig) -> Iterator[str]:
    if not challenger.auc_low > config.min_challenger_low:
        yield (
            f"lower bound of the AUC difference {challenger.auc_low:+.4f}, expected above "
            f"{config.min_challenger_low:+.4f}"
        )
    if not challenger.auc_difference > 0:
        yield f"AUC difference {challenger.auc_difference:+.4f}, expected above 0"
    if not challenger.log_loss_difference <= 0:
        yield f"log loss worse by {challenger.log_loss_difference:.5f}{_since(challenger)}"


def _why_ranks_worse(challenger: ChallengerComparison, config: PolicyConfig) -> Iterator[str]:
    n_positive = challenger.n_positive or 0
    if n_positive < config.min_probation_positives:
        yield (
            f"only {count_of(n_positive, 'cancel')} to compare by, "
            f"{config.min_probation_positives} needed"
        )
    if challenger.auc_high is None or not challenger.auc_high >= 0:
        yield (
            f"AUC significantly worse: difference {challenger.auc_difference:+.4f}, at most "
            f"{_or_unknown(challenger.auc_high, '+.4f')}"
        )
    if not challenger.auc_difference > -config.max_segment_loss:
        yield (
            f"AUC difference {challenger.auc_difference:+.4f}, expected above "
            f"{-config.max_segment_loss:+.4f}"
        )


def _why_predicts_worse(challenger: ChallengerComparison) -> Iterator[str]:
    if challenger.log_loss_low is None or not challenger.log_loss_low <= 0:
        yield (
            f"log loss significantly worse: by {challenger.log_loss_difference:.5f}, at least "
            f"{_or_unknown(challenger.log_loss_low, '.5f')}{_since(challenger)}"
        )


def _since(challenger: ChallengerComparison) -> str:
    """Of which dates log loss and calibration are; empty where all rows were compared."""
    return "" if challenger.level_from is None else f" on dates from {challenger.level_from} on"


def _or_unknown(bound: float | None, style: str) -> str:
    return "unknown" if bound is None else format(bound, style)


def _why_worse_in_part(challenger: ChallengerComparison, config: PolicyConfig) -> Iterator[str]:
    if not challenger.calibration_difference <= config.max_challenger_calibration:
        yield (
            f"calibration error worse by {challenger.calibration_difference:.4f}, allowed "
            f"{config.max_challenger_calibration}{_since(challenger)}"
        )
    for segment in challenger.segments:
        is_judged = segment.n_positive >= config.min_positives
        if is_judged and not segment.auc_difference > -config.max_segment_loss:
            yield (
                f"segment {segment.segment} ({count_of(segment.n_positive, 'cancel')}): AUC "
                f"{segment.auc_difference:+.4f}, expected above {-config.max_segment_loss:+.4f}"
            )
