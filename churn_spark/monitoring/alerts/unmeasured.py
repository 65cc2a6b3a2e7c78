"""What the nights before have found and tonight has not measured: no alert of it can end."""

from __future__ import annotations

from collections.abc import Sequence

from churn_spark.config import PolicyConfig
from churn_spark.monitoring.alerts.alerts import CONFIRMED_DRIFT, MOVED
from churn_spark.monitoring.alerts.joint import JOINT_DRIFT
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.triggers import is_drift_confirmed


def find_unmeasured(tonight: Sequence[Entry], policy: PolicyConfig) -> tuple[str, ...]:
    """Keys of the alerts of drift that tonight can't judge.

    The policy remembers what had moved until it is measured again; where it has forgotten it, as
    after a change of the champion, nothing is left that could be measured.

    Args:
        tonight: all that was decided, in its order.
        policy: the thresholds.
    """
    after = tonight[-1].after if tonight else None
    if after is None:
        return ()
    known = [entry.evidence for entry in tonight if entry.evidence]
    keys = []
    if not any(one.measures_drift(policy) for one in known):
        keys += [MOVED] if after.breached else []
        keys += [CONFIRMED_DRIFT] if is_drift_confirmed(after, policy) else []
    if after.apart[-1:] == (True,) and not any(one.joint for one in known):
        keys.append(JOINT_DRIFT)
    return tuple(keys)
