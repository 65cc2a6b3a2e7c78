"""Why a challenger must not be promoted."""

from __future__ import annotations

from collections.abc import Iterator

from churn_spark.config import PolicyConfig
from churn_spark.monitoring.policy.evidence import ChallengerComparison
from churn_spark.wording import count_of


def objections(challenger: ChallengerComparison, config: PolicyConfig) -> tuple[str, ...]:
    """All reasons not to promote the challenger, in words; empty if there is none.

    NaN in a comparison is an objection too: what could not be compared is not promoted.
    """
    return tuple(_objections(challenger, config))


def _objections(challenger: ChallengerComparison, config: PolicyConfig) -> Iterator[str]:
    if not challenger.auc_low > config.min_challenger_low:
        yield (
            f"lower bound of the AUC difference {challenger.auc_low:+.4f}, expected above "
            f"{config.min_challenger_low:+.4f}"
        )
    if not challenger.auc_difference > 0:
        yield f"AUC difference {challenger.auc_difference:+.4f}, expected above 0"
    if not challenger.log_loss_difference <= 0:
        yield f"log loss worse by {challenger.log_loss_difference:.5f}"
    if not challenger.calibration_difference <= config.max_challenger_calibration:
        yield (
            f"calibration error worse by {challenger.calibration_difference:.4f}, allowed "
            f"{config.max_challenger_calibration}"
        )
    for segment in challenger.segments:
        is_judged = segment.n_positive >= config.min_positives
        if is_judged and not segment.auc_difference > -config.max_segment_loss:
            yield (
                f"segment {segment.segment} ({count_of(segment.n_positive, 'cancel')}): AUC "
                f"{segment.auc_difference:+.4f}, expected above {-config.max_segment_loss:+.4f}"
            )
