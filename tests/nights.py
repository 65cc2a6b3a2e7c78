"""Nights for tests of the policy: quiet ones, and ones in which something has moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from hypothesis import strategies as st

from churn_spark.config import PolicyConfig, load_config
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.monitoring.policy.evidence import (
    ChallengerComparison,
    DriftFact,
    Evidence,
    JointFact,
    MetricChange,
    ProbationComparison,
)
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.policy import decide, release, start_policy
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState

# What the rules do with thresholds that stay: those that follow the wander have tests of their own.
POLICY = load_config(overrides=["policy.self_calibrate=false"]).policy
FIRST = date(2024, 1, 1)
History = list[tuple[int, PolicyState, Evidence, Decision, PolicyState]]
NAMES = ("songs", "adverts", "thumbs_down")
START = start_policy("1", FIRST, POLICY)


def night(number: int) -> date:
    """The date of a night; night 0 is the day of the first training."""
    return FIRST + timedelta(days=number)


def fact(
    name: str = "songs", d: float = 0.01, importance: float = 1.0, **more: object
) -> DriftFact:
    """A shift of size D among 22,000 users on both sides."""
    bound = max(0.0, d - 0.0129)
    values = {"adjusted_p": 1e-6 if d > 0.02 else 0.6, "importance": importance, **more}
    return DriftFact(name, d, bound, **values)  # type: ignore[arg-type]


def facts(*moved: str, d: float = 0.08) -> tuple[DriftFact, ...]:
    """One fact for each feature; the named ones have moved."""
    return tuple(fact(name, d if name in moved else 0.01) for name in NAMES)


TOLD_APART = JointFact(0.7, 0.68, 0.72, ("songs", "adverts"), 0.1)
QUIET = Evidence(n_rows=22_000, features=facts())
DRIFTED = Evidence(n_rows=22_000, features=facts("songs"))
IN_A_GAP = Evidence(
    n_rows=22_000,
    features=(
        *(fact(name, is_comparable=False) for name in NAMES),
        # What moves by construction needs nothing of the log.
        fact("tenure_days", 0.2, is_trending=True),
    ),
)


def change(number: int, drop: float = 0.06, metric: str = "roc_auc", n: int = 500) -> MetricChange:
    """A metric on the week that begins on a night, worse by `drop` give or take .02."""
    sign = 1 if metric in ("log_loss", "calibration_error") else -1
    middle = sign * drop
    return MetricChange(
        metric, night(number), night(number + 7), middle, middle - 0.02, middle + 0.02, n
    )


def challenger(version: str = "2", champion: str = "1", gain: float = 0.01) -> ChallengerComparison:
    """A challenger whose AUC is better by `gain` give or take .004."""
    return ChallengerComparison(version, champion, gain, gain - 0.004, -0.001, 0.0)


def run(
    state: PolicyState, nights: Iterable[tuple[int, Evidence]], config: PolicyConfig = POLICY
) -> tuple[PolicyState, list[Decision]]:
    """Decide night after night."""
    decisions = []
    for number, evidence in nights:
        state, decision = decide(state, evidence, config, night(number))
        decisions.append(decision)
    return state, decisions


def decided(state: PolicyState, evidence: Evidence, day: date) -> Entry:
    """What the policy decides of a night, as a row of the table."""
    after, decision = decide(state, evidence, POLICY, day)
    return Entry(0, decision, state, evidence, after, POLICY)


@dataclass
class Registry:
    """As much of a registry as the decisions ask for."""

    champion: str | None = "1"
    step: str = ""
    trained: date = FIRST

    def set_champion(self, version: str, step: str) -> None:
        """Name the champion, and note the step."""
        self.champion, self.step = version, step

    def state(self) -> RegistryState:
        """The champion, the note and the date of its training."""
        if self.champion is None:
            return RegistryState()
        return RegistryState(self.champion, self.step, self.trained)


def any_evidence(random: Random, number: int, state: PolicyState) -> Evidence:
    """Any evidence that fits the state: broken feeds, shifts, lost performance, comparisons."""
    distances = (0.0, 0.03, 0.036, 0.05, 0.058, 0.3)
    features = tuple(
        fact(
            name,
            random.choice(distances),
            random.choice((0.0, 0.01, 1.0)),
            is_trending=random.random() < 0.1,
        )
        for name in NAMES
    )
    metrics = random.sample(["roc_auc", "log_loss", "f1"], random.randint(0, 3))
    prediction = fact("churn_probability", random.choice(distances))
    rival, probation = None, None
    if state.pending is not None and random.random() < 0.7:
        rival = challenger(f"v{number}", state.champion, random.choice((-0.02, 0.01)))
    if state.previous is not None and random.random() < 0.5:
        high = random.choice((-0.02, 0.02, 0.02))
        probation = ProbationComparison(state.champion, state.previous, high - 0.02, high)
    return Evidence(
        n_rows=10 if random.random() < 0.05 else 22_000,
        failed_checks=("volume",) if random.random() < 0.1 else (),
        features=features,
        prediction=random.choice((None, prediction)),
        performance=tuple(
            change(number, random.choice((0.0, 0.03, 0.06, 0.06)), metric) for metric in metrics
        ),
        challenger=rival,
        probation=probation,
        joint=random.choice((None, JointFact(0.5, 0.48, 0.52, ("a",), 0.1), TOLD_APART)),
    )


def any_history(random: Random) -> History:
    """Up to 90 nights as the policy would live them; who waits for a human is released at times."""
    state, number, lived = START, 0, []
    for _ in range(random.randint(1, 90)):
        number += random.choice((0, 1, 1, 1, 1, 1, 3))
        if state.waits_for_human and random.random() < 0.3:
            state = release(state)
        evidence = any_evidence(random, number, state)
        after, decision = decide(state, evidence, POLICY, night(number))
        lived.append((number, state, evidence, decision, after))
        state = after
    return lived


# Random draws from one seed that Hypothesis chooses: drawing each value by itself takes minutes.
HISTORIES = st.randoms(use_true_random=True).map(any_history)
