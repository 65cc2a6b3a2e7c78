"""Many worlds drawn one after the other: how many are asked for, and the chance of each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np


def read_arguments(about: str | None, n_worlds: int, of: str) -> tuple[int, int]:
    """How many worlds the command line asks for, and the seed of them all, a fresh one by default.

    Args:
        about: what the command does.
        n_worlds: by default.
        of: what there are so many worlds of.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--worlds", type=int, default=n_worlds, help=of)
    parser.add_argument("--seed", type=int, help="default: a fresh one")
    chosen = parser.parse_args()
    fresh = int(np.random.SeedSequence().generate_state(1)[0])
    return chosen.worlds, fresh if chosen.seed is None else chosen.seed


def generators(n_worlds: int, seed: int) -> Iterator[np.random.Generator]:
    """A generator for each world, the same for the same seed."""
    return map(np.random.default_rng, np.random.SeedSequence(seed).spawn(n_worlds))
