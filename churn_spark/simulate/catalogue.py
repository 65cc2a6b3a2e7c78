"""The songs that the simulated service plays: made-up artists and titles, a real shape.

The catalogue is the same for every log. Popularity follows a shifted power law that gives,
for 228,000 plays, about 58,000 different songs and 1,000 plays of the most played one, as
in the published log; lengths have mean 249 s, sd about 95 s and a long tail.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from churn_spark.simulate.people import listed

N_SONGS: Final = 80_000
N_ARTISTS: Final = 20_000
_CATALOGUE_SEED: Final = 1959
_MAX_LENGTH_S: Final = 3025.0

_FIRST: Final = listed(
    "Amber Broken Café Copper Crimson Distant Electric Empty Faded Frozen Gentle Golden "
    "Hollow Iron Ivory Little Lonely Lost Lunar Midnight Neon Northern Paper Quiet Rapid "
    "Restless Rusty Sacred Scarlet Secret Señor Silent Silver Sleepy Southern Stolen Sunday "
    "Tender Velvet Violet Wandering Wild Winter Wooden Yellow"
)
_SECOND: Final = listed(
    "Anchor Arrow Avenue Balloon Bridge Candle Canyon Carousel Cinema Compass Crown Dancer "
    "Desert Engine Feather Garden Ghost Harbor Horizon Island Kite Lantern Letter Lighthouse "
    "Machine Mirror Mountain Orchard Parade Pilot Radio Rain River Satellite Shadow Signal "
    "Sparrow Station Stranger Summer Theory Tiger Valley Window"
)
_TITLE_FORMS: Final = listed(
    "{a} {b}|{b} Song|{a} {b} (Album Version)|My {a} {b}|{b} In The {a} Rain|The {a} {b}|"
    "Dance With The {b}|{a} {b} (Live)|Waiting For The {a} {b}|{a} As A {b}|No {b} Tonight|"
    "{a} Heart, {a} {b}|{b}|Don't Call Me {b}|{a} {b} - Remix|Follow The {a} {b}|"
    "(I'm Your) {a} {b}|{a} Days|{b} No. 5|Goodbye {a} {b}|{b}/{a}|Ode To A {a} {b}|"
    '"{a}" {b}|{a} {b} Blues|{a} {b} (2004 Digital Remaster)|Under The {b}|Hey {b}|'
    "Always {a}|{b} & {b}|Run To The {a} {b}|{a} Nights At The {b}|{a} {b} [Demo]|"
    "One More {b}|Never So {a}|{a} {b} Theme|Sing, {a} {b}|{b} Of Love|{a} On {a}|"
    "Where The {b} Ends|{a} {b} Part II",
    separator="|",
)
_ARTIST_FORMS: Final = listed(
    "{a} {b}|The {a} {b}s|{b} & The {a}s|DJ {a} {b}|{a} {b} Orchestra|{b} Of {a}|{a} {b} Trio|"
    "{b} feat. {a} {b}|MC {a} {b}|Saint {a} {b}|{a} {b} Project|{a}ville {b}s",
    separator="|",
)


@dataclass(frozen=True)
class Catalogue:
    """Songs by number, the most played first.

    Attributes:
        titles: song titles, length `N_SONGS`.
        artists: the artist of each song, length `N_SONGS`.
        lengths: seconds, shape (N_SONGS,).
        weights: how often each is played, relative, shape (N_SONGS,).
    """

    titles: tuple[str, ...]
    artists: tuple[str, ...]
    lengths: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]


def _names(forms: list[str], numbers: npt.NDArray[np.int64]) -> list[str]:
    """Name things by number, each number its own combination of form and two words."""
    n_first, n_second = len(_FIRST), len(_SECOND)
    return [
        forms[number // (n_first * n_second) % len(forms)].format(
            a=_FIRST[number % n_first], b=_SECOND[number // n_first % n_second]
        )
        for number in numbers.tolist()
    ]


def _lengths(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw song lengths in seconds: lognormal, one in 700 several times as long."""
    lengths = rng.lognormal(np.log(235.0), 0.325, N_SONGS)
    lengths[rng.random(N_SONGS) < 0.0015] *= rng.uniform(2.0, 6.0)
    return np.clip(lengths, 1.0, _MAX_LENGTH_S).round(5)


@cache
def build_catalogue() -> Catalogue:
    """Build the one catalogue of the service.

    Returns:
        `N_SONGS` songs with artist, length (s) and relative popularity.

    Raises:
        Nothing: the catalogue has no inputs.
    """
    rng = np.random.default_rng(_CATALOGUE_SEED)
    n_titles = len(_TITLE_FORMS) * len(_FIRST) * len(_SECOND)
    n_artist_names = len(_ARTIST_FORMS) * len(_FIRST) * len(_SECOND)
    artist_names = _names(_ARTIST_FORMS, rng.permutation(n_artist_names)[:N_ARTISTS])
    # The power gives few artists many songs and most of them two or three.
    artist_of_song = (rng.random(N_SONGS) ** 1.5 * N_ARTISTS).astype(np.int64)
    return Catalogue(
        titles=tuple(_names(_TITLE_FORMS, rng.integers(0, n_titles, N_SONGS))),
        artists=tuple(artist_names[artist] for artist in artist_of_song.tolist()),
        lengths=_lengths(rng),
        weights=(np.arange(N_SONGS) + 8.0) ** -0.8,
    )
