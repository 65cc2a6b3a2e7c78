"""Many worlds drawn one after the other: the seed of them all, and the chance of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import typer

SeedOption = Annotated[int | None, typer.Option(help="Of all worlds; a fresh one if none.")]


def known_or_fresh(seed: int | None) -> int:
    """The seed that was asked for, or one that nobody has seen."""
    return int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed


def generators(n_worlds: int, seed: int) -> Iterator[np.random.Generator]:
    """A generator for each world, the same for the same seed."""
    return map(np.random.default_rng, np.random.SeedSequence(seed).spawn(n_worlds))
