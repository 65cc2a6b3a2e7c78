"""What has moved on a night, in one sentence that all pages, alerts and closing lines say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from churn_spark.config import PolicyConfig
from churn_spark.contracts.features.spec import need_to_compare
from churn_spark.monitoring.policy.evidence import DriftFact
from churn_spark.monitoring.policy.hysteresis import breached_share
from churn_spark.monitoring.policy.policy import PREDICTION
from churn_spark.wording import count_of, percent

Verdict = Literal["has drifted", "has not drifted", "was not tested", "can't be compared yet"]

NOT_JUDGED: Final = "time-dependent, not judged"
"""State of what changes with time or calendar for everybody."""


@dataclass(frozen=True)
class Movement:
    """How many features count as moved, and what hangs on them.

    Attributes:
        n_moved: features that count as moved; the prediction is none.
        n_compared: features that were compared, without those that move by construction.
        share: of the importance that the moved ones have.
        prediction: what is known of it.
        waiting: what must be there first -> how many of features and prediction wait for it.
    """

    n_moved: int
    n_compared: int
    share: float
    prediction: Verdict
    waiting: Mapping[str, int]

    @classmethod
    def of(
        cls,
        moved: Collection[str],
        features: Sequence[DriftFact],
        prediction: DriftFact | None,
    ) -> Movement:
        """The movement of a night.

        Args:
            moved: what counts as moved, the prediction among it where it does.
            features: drift of the features.
            prediction: that of the prediction; none where it was not tested.
        """
        known = [fact for fact in features if not fact.is_trending]
        waiting = [
            fact.feature
            for fact in (*known, *([prediction] if prediction else []))
            if not fact.is_comparable
        ]
        return cls(
            n_moved=len({*moved} - {PREDICTION}),
            n_compared=sum(fact.is_comparable for fact in known),
            share=breached_share(moved, features),
            prediction=_verdict(moved, prediction),
            waiting=dict(sorted(Counter(need_to_compare(name).words for name in waiting).items())),
        )

    def is_bad(self, config: PolicyConfig) -> bool:
        """Whether it makes the night a bad one, of which some confirm drift."""
        return self.prediction == "has drifted" or (
            self.n_moved > 0 and self.share >= config.min_breached_share
        )

    def describe(self) -> str:
        """`3 of 62 features have drifted (1.2 % of the importance); the prediction has not …`."""
        verb = "has" if self.n_moved == 1 else "have"
        carried = f" ({percent(self.share, 1)} of feature importance)" if self.n_moved else ""
        moved = f"{self.n_moved} of {count_of(self.n_compared, 'feature')} {verb} drifted{carried}"
        said = [moved if self.n_compared else "no feature can be compared yet"]
        said.append(f"the prediction {self.prediction}")
        said += [f"{n} not yet comparable: {words}" for words, n in self.waiting.items()]
        return "; ".join(said)


def describe_wait(name: str) -> str:
    """Why a feature, or the prediction, can't be compared yet."""
    return f"not yet comparable: {need_to_compare(name).words}"


def _verdict(moved: Collection[str], prediction: DriftFact | None) -> Verdict:
    if prediction is None:
        return "was not tested"
    if not prediction.is_comparable:
        return "can't be compared yet"
    return "has drifted" if PREDICTION in moved else "has not drifted"
