"""All features at once tell tonight's users from the training rows, though none does so alone."""

from __future__ import annotations

from typing import Final

from churn_spark.config import PolicyConfig
from churn_spark.evaluation.intervals import Interval
from churn_spark.monitoring.alerts.alerts import Finding
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.policy_state import PolicyState
from churn_spark.monitoring.policy.triggers import is_joint_drift_confirmed
from churn_spark.wording import name_some, percent

JOINT_DRIFT: Final = "drift:joint"
"""Key of the alert."""


def find_joint_drift(
    state: PolicyState | None, evidence: Evidence | None, config: PolicyConfig
) -> tuple[Finding, ...]:
    """What has changed in how features go together.

    To know on the first night; a warning once enough nights say so and the features that tell most
    matter to the model.

    Args:
        state: after the decision; none before the first training.
        evidence: of the night; none where a human decided.
        config: the policy's thresholds.
    """
    fact = evidence.joint if evidence else None
    if state is None or fact is None or not (state.apart and state.apart[-1]):
        return ()
    matters = fact.importance >= config.min_breached_share
    is_warning = matters and is_joint_drift_confirmed(state, config)
    sentence = (
        "a classifier tells today's users from the training rows, ROC AUC "
        f"{Interval(fact.auc, fact.low, fact.high)}, by features that have not drifted by "
        f"themselves: mostly by {name_some(fact.told_by, len(fact.told_by))}, with "
        f"{percent(fact.importance)} of feature importance"
    )
    return (Finding(JOINT_DRIFT, "warning" if is_warning else "info", sentence),)
