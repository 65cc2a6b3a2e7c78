"""A change that leaves every distribution as it was, and nights without any: `--only joint`.

Users have traits that stay, so that a user's values on two dates are alike, and most users are on
both sides, as on a night. On a night with a change two features go together the other way round:
one rises where the other falls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from rich.console import Console
from rich.progress import track

from bench.ks_samples import count_bins
from bench.promises import holds
from churn_spark.arrays import Floats, Ints
from churn_spark.config import PolicyConfig, load_config
from churn_spark.models.reference_folds import N_FOLDS
from churn_spark.monitoring.drift.joint import JointDrift, Side, tell_apart
from churn_spark.monitoring.drift.ks import benjamini_hochberg, build_reference, compare
from churn_spark.monitoring.policy.calibration import Lines
from churn_spark.monitoring.policy.hysteresis import is_entering

N_USERS: Final = 5000
N_FEATURES: Final = 36
N_CHANGES, N_NULL_NIGHTS = 10, 40
CORRELATION: Final = 0.6
SHARE_SEEN_BEFORE: Final = 0.8
TRAITS: Final = 0.7
"""Share of a feature's variance that is the user's own; the rest is another on each date."""

NAMES: Final = [f"feature_{number:02}" for number in range(N_FEATURES)]


@dataclass(frozen=True)
class Users:
    """What doesn't change between two dates.

    Attributes:
        traits: of each feature, standard normal, shape (users, features).
        folds: shape (users,).
    """

    traits: Floats
    folds: Ints

    def values(self, rng: np.random.Generator, correlation: float) -> Floats:
        """Of one date, standard normal each, the first two correlated."""
        noise = rng.normal(size=self.traits.shape)
        found: Floats = np.sqrt(TRAITS) * self.traits + np.sqrt(1 - TRAITS) * noise
        found[:, 1] = correlation * found[:, 0] + np.sqrt(1 - correlation**2) * found[:, 1]
        return found


def draw_night(
    rng: np.random.Generator, correlation_tonight: float
) -> tuple[JointDrift, tuple[Floats, Floats]]:
    """A reference and a night of users most of whom are in both, and what trees make of them."""
    users = Users(rng.normal(size=(N_USERS, N_FEATURES)), rng.integers(0, N_FOLDS, N_USERS))
    before = users.values(rng, CORRELATION)
    n_kept = int(SHARE_SEEN_BEFORE * N_USERS)
    traits = np.vstack([users.traits[:n_kept], rng.normal(size=(N_USERS - n_kept, N_FEATURES))])
    now = Users(traits, users.folds).values(rng, correlation_tonight)
    sides = Side(before, users.folds), Side(now, users.folds)
    return tell_apart(*sides, NAMES, 200), (before, now)


def count_moved(before: Floats, now: Floats, config: PolicyConfig) -> int:
    """Features that would count as moved by their own distribution."""
    baselines = [build_reference(column) for column in before.T]
    tests = [compare(b, count_bins(b, c), 0) for b, c in zip(baselines, now.T, strict=True)]
    adjusted = benjamini_hochberg([test.p_value for test in tests])
    lines = Lines(config.enter_lower_bound, config.exit_statistic)
    return sum(
        is_entering(test.lower_bound, float(p_value), config, lines)
        for test, p_value in zip(tests, adjusted, strict=True)
    )


def say_joint(console: Console, seed: int) -> None:
    """How often the change is found, by what, and how often nothing is taken for one."""
    rng, config = np.random.default_rng(seed), load_config().policy
    found, n_moved, n_named = [], 0, 0
    for _ in track(range(N_CHANGES), "changes", transient=True):
        joint, sides = draw_night(rng, -CORRELATION)
        found.append(joint)
        n_moved += count_moved(*sides, config)
        n_named += {*NAMES[:2]} == {*list(joint.shares)[:2]}
    n_found = sum(joint.low >= config.enter_auc_low for joint in found)
    console.print(
        f"Two of {N_FEATURES} features go together the other way round (correlation "
        f"{CORRELATION:+g}, tonight {-CORRELATION:+g}), every distribution as it was, "
        f"{N_USERS:,} users, {N_CHANGES} times, seed {seed}:\n"
        f"  by their distributions {n_moved} features count as moved (none: "
        f"{holds(n_moved == 0)})\n"
        f"  by trees the night is told from the training rows {n_found} times (all: "
        f"{holds(n_found == N_CHANGES)}), AUC {np.mean([j.auc for j in found]):.3f} on average, "
        f"at least {min(j.low for j in found):.3f} surely; the two are named first {n_named} times "
        f"(all: {holds(n_named == N_CHANGES)})"
    )
    nulls = [
        draw_night(rng, CORRELATION)[0]
        for _ in track(range(N_NULL_NIGHTS), "nights without a change", transient=True)
    ]
    n_false = sum(joint.low >= config.enter_auc_low for joint in nulls)
    n_above = sum(joint.low > 0.5 for joint in nulls)
    console.print(
        f"{N_NULL_NIGHTS} nights without a change: {n_false} told apart (none: "
        f"{holds(n_false == 0)}); AUC {np.mean([j.auc for j in nulls]):.3f} on average, "
        f"{max(j.auc for j in nulls):.3f} at most; surely above 0.5 on {n_above} (at most 3: "
        f"{holds(n_above <= 3)})"
    )
