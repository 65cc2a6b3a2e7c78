"""The songs that the simulated service plays: made-up artists and titles, a real shape.

The catalogue is the same for every log. Popularity follows a shifted power law that gives,
for 228,000 plays, about 58,000 different songs and 1,000 plays of the most played one, as
in the published log; their lengths have median 224 s, mean 239 s and a long tail.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from churn_spark.arrays import Floats, Ints
from churn_spark.simulate.people import listed

N_SONGS: Final = 76_000
N_ARTISTS: Final = 20_000
_CATALOGUE_SEED: Final = 1959
# Rounded quantiles of the lengths of played songs in a log of the public generator.
_LENGTH_SHARES: Final = (
    0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95, 0.99, 0.999, 1,
)  # fmt: skip
_LENGTHS_S: Final = (1, 9, 40, 105, 136, 177, 206, 224, 242, 277, 350, 421, 601, 1260, 1820)

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
    "{a} {b}|{a} {b} Song|{a} {b} (Album Version)|My {a} {b}|{b} In The {a} Rain|The {a} {b}|"
    "Dance With The {a} {b}|{a} {b} (Live)|Waiting For The {a} {b}|{a} As A {b}|No {a} {b} Tonight|"
    "{a} Heart, {a} {b}|{b}|Don't Call Me {a} {b}|{a} {b} - Remix|Follow The {a} {b}|"
    "(I'm Your) {a} {b}|{a} Days|{b} No. 5|Goodbye {a} {b}|{b}/{a}|Ode To A {a} {b}|"
    '"{a}" {b}|{a} {b} Blues|{a} {b} (2004 Digital Remaster)|Under The {a} {b}|Hey {b}|'
    "Always {a}, Never {b}|{a} {b} & I|Run To The {a} {b}|{a} Nights At The {b}|{a} {b} [Demo]|"
    "One More {a} {b}|Never So {a}, {b}|{a} {b} Theme|Sing, {a} {b}|{a} {b} Of Love|{a} On {b}|"
    "Where The {a} {b} Ends|{a} {b} Part II|{a} {b} (Acoustic)|Into The {a} {b}|"
    "{a} {b} Reprise",
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
    lengths: Floats
    weights: Floats


def _names(forms: list[str], numbers: Ints) -> list[str]:
    """Name things by number, each number its own combination of form and two words."""
    n_first, n_second = len(_FIRST), len(_SECOND)
    return [
        forms[number // (n_first * n_second) % len(forms)].format(
            a=_FIRST[number % n_first], b=_SECOND[number // n_first % n_second]
        )
        for number in numbers.tolist()
    ]


def _lengths(rng: np.random.Generator) -> Floats:
    """Draw song lengths in seconds: every share of the quantile curve once, in random order."""
    shares = (rng.permutation(N_SONGS) + 0.5) / N_SONGS
    return np.interp(shares, _LENGTH_SHARES, _LENGTHS_S).round(5)


@cache
def build_catalogue() -> Catalogue:
    """Build the one catalogue of the service.

    Returns:
        `N_SONGS` songs with artist, length (s) and relative popularity.
    """
    rng = np.random.default_rng(_CATALOGUE_SEED)
    n_titles = len(_TITLE_FORMS) * len(_FIRST) * len(_SECOND)
    n_artist_names = len(_ARTIST_FORMS) * len(_FIRST) * len(_SECOND)
    artist_names = _names(_ARTIST_FORMS, rng.permutation(n_artist_names)[:N_ARTISTS])
    # The power gives few artists many songs and most of them two or three.
    artist_of_song = (rng.random(N_SONGS) ** 1.5 * N_ARTISTS).astype(np.int64)
    return Catalogue(
        titles=tuple(_names(_TITLE_FORMS, rng.permutation(n_titles)[:N_SONGS])),
        artists=tuple(artist_names[artist] for artist in artist_of_song.tolist()),
        lengths=_lengths(rng),
        weights=(np.arange(N_SONGS) + 3.0) ** -0.7,
    )
