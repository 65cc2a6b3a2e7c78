"""Events as lines of JSON, in the key order of the real log and without absent keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import numpy as np

from churn_spark.simulate.catalogue import Catalogue
from churn_spark.simulate.pages import N_STATES, method_and_status, unpack_state
from churn_spark.simulate.population import Population
from churn_spark.simulate.steps import NO_SONG, Events, Ints


def _fragment(record: dict[str, object]) -> str:
    """Encode part of a record, without its braces."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)[1:-1]


def _state_fragments() -> list[str]:
    """Encode page to level of every state, in the log's key order."""
    fragments = []
    for state in range(N_STATES):
        auth, level, page = unpack_state(state)
        method, status = method_and_status(page)
        fragments.append(
            _fragment(
                {"page": page, "auth": auth, "method": method, "status": status, "level": level}
            )
        )
    return fragments


def _profile_fragments(population: Population) -> list[str]:
    """Encode location to gender of every user."""
    columns = zip(
        population.locations,
        population.user_agents,
        population.last_names,
        population.first_names,
        population.registered.tolist(),
        population.genders,
        strict=True,
    )
    return [
        _fragment(
            {
                "location": location,
                "userAgent": agent,
                "lastName": last_name,
                "firstName": first_name,
                "registration": registered * 1000,
                "gender": gender,
            }
        )
        for location, agent, last_name, first_name, registered, gender in columns
    ]


def _song_fragments(catalogue: Catalogue, played: Ints) -> dict[int, str]:
    """Encode artist, song and length of every song that was played."""
    lengths = catalogue.lengths.tolist()
    return {
        song: _fragment(
            {
                "artist": catalogue.artists[song],
                "song": catalogue.titles[song],
                "length": lengths[song],
            }
        )
        for song in np.unique(played[played != NO_SONG]).tolist()
    }


def build_encoder(
    population: Population, catalogue: Catalogue, played: Ints
) -> Callable[[Events, Ints], Iterator[str]]:
    """Make the function that encodes events, from fragments that are encoded once.

    Args:
        population: the users.
        catalogue: the songs.
        played: numbers of the songs that occur, `NO_SONG` allowed.

    Returns:
        A function of events and their session ids, both of shape (n,), that yields n lines.

    Raises:
        KeyError: from the function, for a song that isn't in `played`.
    """
    states, profiles = _state_fragments(), _profile_fragments(population)
    songs = _song_fragments(catalogue, played)
    is_known = [unpack_state(state)[0] in ("Logged In", "Cancelled") for state in range(N_STATES)]
    user_ids = population.user_ids.tolist()

    def encode(part: Events, session_ids: Ints) -> Iterator[str]:
        columns = [
            column.tolist()
            for column in (part.user, part.ts, part.state, session_ids, part.item, part.song)
        ]
        for user, ts, state, session, item, song in zip(*columns, strict=True):
            known = is_known[state]
            yield (
                f'{{"ts":{ts}000,"userId":"{user_ids[user] if known else ""}",'
                f'"sessionId":{session},{states[state]},"itemInSession":{item}'
                f'{"," + profiles[user] if known else ""}'
                f'{"," + songs[song] if song != NO_SONG else ""}}}\n'
            )

    return encode
