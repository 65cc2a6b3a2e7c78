"""By what the lists to come are ordered: by risk, or by what listing a user saves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from churn_spark.monitoring.policy.evidence import OrderEvidence
from churn_spark.monitoring.policy.policy_state import Decision
from churn_spark.wording import count_of, per_100, percent

BY_EFFECT, BY_RISK = "by_effect", "by_risk"
STANDS_DAYS: Final = 28
"""So long a list goes by the newest decision; after that it is by risk."""


def decide_order(evidence: OrderEvidence, today: date) -> Decision:
    """By effect while that is surely better, and by risk otherwise.

    Nothing is remembered: a campaign's users only become more, and the bound holds at all weekly
    looks together, so an order that is better comes to stay.
    """
    is_better = evidence.low is not None and evidence.low > 0
    rule = BY_EFFECT if is_better else BY_RISK
    return Decision(today, "order", rule, "; ".join(_say(evidence, is_better=is_better)))


def leaves_alone(evidence: OrderEvidence) -> bool:
    """Whether users of a negative expected saving are surely driven away by being listed."""
    return evidence.harmed_high is not None and evidence.harmed_high < 0


def _say(evidence: OrderEvidence, *, is_better: bool) -> Iterator[str]:
    users = (
        f"{count_of(evidence.n_users, 'user')} of campaign {evidence.campaign}, "
        f"{evidence.n_control:,} of them withheld"
    )
    if evidence.difference is None:
        yield f"not yet by effect: {users}"
        yield (
            f"of the withheld {evidence.n_control_cancel:,} cancelled and of the listed "
            f"{evidence.n_listed_cancel:,}, and to learn what calls change takes at least "
            f"{evidence.min_cancels} on either side, and as many others"
        )
        yield from _say_needed(evidence)
        return
    yield f"by effect: {users}" if is_better else f"not yet by effect: {users}"
    within = ""
    if evidence.low is not None and evidence.high is not None:
        within = f" ({per_100(evidence.low)} to {per_100(evidence.high)}, at all looks together)"
    yield (
        "of 100 users, lists by effect save "
        f"{per_100(evidence.difference)} more from cancelling than lists by risk{within}, in the "
        "mean over all lengths of a list"
    )
    if leaves_alone(evidence):
        yield (
            f"{percent(evidence.n_harmed / evidence.n_users)} would rather be left alone: "
            f"of 100 such users, listing has saved {per_100(evidence.harmed_saved or 0.0)}, at "
            f"most {per_100(evidence.harmed_high or 0.0)}"
        )
    if not is_better:
        yield from _say_needed(evidence)


def _say_needed(evidence: OrderEvidence) -> Iterator[str]:
    needed = evidence.n_needed
    if needed is None:
        yield "nobody has cancelled yet"
    elif needed > evidence.n_users:
        yield f"to tell an order that keeps 5 of 100 cancels more takes about {needed:,} users"
    else:
        yield "an order that keeps 5 of 100 cancels more would have been told by now"
