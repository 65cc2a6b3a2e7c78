"""What the nights before have found and tonight has not measured: no alert of it can end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from churn_spark.config import PolicyConfig
from churn_spark.monitoring.alerts.alerts import CONFIRMED_DRIFT, MOVED, Alert
from churn_spark.monitoring.alerts.joint import JOINT_DRIFT
from churn_spark.monitoring.alerts.rates import KIND as RATE_ALERTS
from churn_spark.monitoring.policy.history import Entry


def find_unmeasured(
    tonight: Sequence[Entry],
    policy: PolicyConfig,
    open_alerts: Iterable[Alert],
    took_over: date | None,
) -> tuple[str, ...]:
    """Keys of the alerts of drift that tonight can't judge.

    The policy forgets what had moved on the first night that can't compare it, so the alerts
    themselves say what is to be measured again. Those of a champion before are no longer of
    interest: its training rows are compared with no more.

    Args:
        tonight: all that was decided, in its order.
        policy: the thresholds.
        open_alerts: from the nights before.
        took_over: newest night on which another model came into use; none where none has.
    """
    after = tonight[-1].after if tonight else None
    if after is None:
        return ()
    known = [entry.evidence for entry in tonight if entry.evidence]
    of_champion = [a.key for a in open_alerts if took_over is None or a.last_seen > took_over]
    keys = []
    if not any(one.measures_drift(policy) for one in known):
        keys += [key for key in of_champion if key in (MOVED, CONFIRMED_DRIFT)]
    # Shares are compared on nights of few users, too.
    if not any(one.is_comparable for one in known):
        keys += [key for key in of_champion if key.startswith(RATE_ALERTS)]
    if after.apart[-1:] == (True,) and not any(one.joint for one in known):
        keys.append(JOINT_DRIFT)
    return tuple(keys)
