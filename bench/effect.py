"""How honest the intervals of the effect are: many small worlds whose true effect is known.

`python -m bench.effect`: in each world a list has new users every week, a tenth of them withheld;
users differ in their chance to cancel and in whether a call keeps them; the team reaches some.
Printed is how often the intervals hold the truth, at one look and at all weekly looks together,
and how often a world without effect is ever called effective.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from bench.drawn_worlds import SeedOption, generators, known_or_fresh
from bench.promises import holds, judged
from churn_spark.evaluation.effect import Counts, Saved, Side, saved_by_contact, saved_by_listing

console = Console(highlight=False)
Flags = NDArray[np.bool_]
_WEEKS = 52
_ONE_LOOK = 25
_REACHED = 0.7


@dataclass(frozen=True)
class World:
    """One world, looked at every week.

    Attributes:
        looks: what is found after each week, by listing and by contact.
        truth: of the first, week by week: of the users so far.
        of_contact: true saving of those who can be reached, the same.
    """

    looks: list[tuple[Saved, Saved]]
    truth: list[float]
    of_contact: list[float]


def live(rng: np.random.Generator, saves: float, control_share: float = 0.1) -> World:
    """A world in which a call keeps a share of those who would cancel.

    Args:
        rng: fresh for each world.
        saves: share of the reached who would cancel and stay for the call.
        control_share: that is withheld.
    """
    a_week = int(rng.integers(60, 240))
    risk = rng.beta(2.0, 6.0, _WEEKS * a_week)
    # Those at risk are reached less: a comparison of reached and others would be wrong.
    can_be_reached = rng.random(len(risk)) < _REACHED * (1.2 - risk)
    # A call keeps some, and wakes a few who would have stayed.
    saved = np.where(can_be_reached, saves * risk * rng.uniform(0.5, 1.5, len(risk)), 0.0)
    is_control = rng.random(len(risk)) < control_share
    cancels = rng.random(len(risk)) < np.where(is_control, risk, risk - saved)
    looks, truth, of_contact = [], [], []
    for week in range(1, _WEEKS + 1):
        end = week * a_week
        counts = _count(is_control[:end], cancels[:end], can_be_reached[:end] & ~is_control[:end])
        looks.append((saved_by_listing(counts), saved_by_contact(counts)))
        truth.append(float(saved[:end].mean()))
        of_contact.append(float(saved[:end].sum() / can_be_reached[:end].sum()))
    return World(looks, truth, of_contact)


def measure(n_worlds: int, seed: int, saves: float) -> dict[str, float]:
    """Shares of the worlds: see the names."""
    found = [_judge(live(rng, saves)) for rng in generators(n_worlds, seed)]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def _judge(world: World) -> dict[str, bool]:
    pairs = [*zip(world.looks, world.truth, world.of_contact, strict=True)]
    (by_list, by_contact), truth, of_contact = pairs[_ONE_LOOK]
    return {
        "listing, one look": by_list.once.low <= truth <= by_list.once.high,
        "listing, all looks": all(a.always.low <= t <= a.always.high for (a, _), t, _ in pairs),
        "contact, one look": by_contact.once.low <= of_contact <= by_contact.once.high,
        "contact, all looks": all(b.always.low <= t <= b.always.high for (_, b), _, t in pairs),
        "ever called effective": any(a.verdict == "saves" for (a, _) in world.looks),
        "the same by one-look intervals": any(a.once.low > 0 for (a, _) in world.looks[3:]),
    }


def _count(is_control: Flags, cancels: Flags, contacted: Flags) -> Counts:
    def side(chosen: Flags) -> Side:
        sums = (chosen, chosen & cancels, chosen & contacted, chosen & cancels & contacted)
        return Side(*(int(one.sum()) for one in sums))

    return Counts(side(~is_control), side(is_control))


@judged
def main(
    worlds: Annotated[int, typer.Option(min=1, help="Of either kind.")] = 2000,
    seed: SeedOption = None,
) -> None:
    """Print the shares of worlds, and whether they are as promised."""
    seed = known_or_fresh(seed)
    console.print(f"{worlds:,} worlds of either kind, seed {seed}, {_WEEKS} weekly looks")
    is_kept = True
    for saves in (0.0, 0.3):
        found = measure(worlds, seed, saves)
        console.print(f"a call keeps {saves:.0%} of those who would cancel")
        for name, share in found.items():
            console.print(f"  {name:32} {share:.1%}")
        is_kept &= keeps_promises(found, saves)
    console.print(f"all promises kept: {holds(is_kept)}")


def keeps_promises(found: Mapping[str, float], saves: float) -> bool:
    """Whether the shares of worlds are as they shall be.

    Args:
        found: as `measure` gives it.
        saves: share of the reached whom a call keeps; 0: calls do nothing, nothing may be seen.
    """
    one_look = (found[f"{kind}, one look"] for kind in ("listing", "contact"))
    all_looks = (found[f"{kind}, all looks"] for kind in ("listing", "contact"))
    return (
        all(0.93 <= share <= 0.97 for share in one_look)
        and all(share >= 0.95 for share in all_looks)
        # An interval that is too wide to say anything holds every truth.
        and (
            found["ever called effective"] >= 0.3
            if saves
            else found["ever called effective"] <= 0.05
        )
    )


if __name__ == "__main__":
    typer.run(main)
