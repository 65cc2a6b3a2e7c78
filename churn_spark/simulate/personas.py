"""The four kinds of listener, as tables that all of them can be stepped with at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from churn_spark.simulate import moves
from churn_spark.simulate.pages import CONTEXTS, N_STATES, context_after, state_of

END: Final = "END"
END_STATE: Final = -1
Row = Mapping[str, float]


@dataclass(frozen=True)
class Persona:
    """One kind of listener.

    Attributes:
        name: what the ground truth calls it.
        rows: chance of each next page (or END) by (auth, level, page); each row adds up to 1.
    """

    name: str
    rows: Mapping[tuple[str, str, str], Row]


@dataclass(frozen=True)
class MoveTable:
    """Next states of every persona and state, ready for vectorised draws.

    Attributes:
        cumulative: cumulative chances, shape (personas, states, choices), last used cell 1.
        targets: next state, `END_STATE` for the end of the session, same shape.
    """

    cumulative: npt.NDArray[np.float64]
    targets: npt.NDArray[np.int64]


def parse_chances(text: str) -> dict[str, float]:
    """Read `page chance, page chance` into a mapping.

    Raises:
        ValueError: if a chance isn't a number.
    """
    pairs = (item.strip().rpartition(" ") for item in text.split(","))
    return {page: float(chance) for page, _, chance in pairs}


def _parse_rows(table: str) -> dict[tuple[str, str, str], dict[str, float]]:
    """Read the lines of a table of `moves` into rows."""
    rows = {}
    for line in table.strip().splitlines():
        context, _, rest = line.partition(" | ")
        page, _, chances = rest.partition(" > ")
        auth, level = context.split("/")
        rows[auth, level, page] = parse_chances(chances)
    return rows


def _with_cancel(row: Row, cancel: float) -> dict[str, float]:
    """Scale a row so that Cancel has exactly the given chance and all add up to 1."""
    scale = (1.0 - cancel) / sum(row.values())
    scaled = {page: chance * scale for page, chance in row.items()}
    return {**scaled, "Cancel": cancel} if cancel else scaled


def _persona(name: str) -> Persona:
    rows = _parse_rows(moves.COMMON) | _parse_rows(moves.BY_PERSONA[name])
    cancels = moves.CANCEL_CHANCES[name]
    complete = {
        (auth, level, page): _with_cancel(
            row,
            cancels.get(page, (0.0, 0.0))[level == "paid"] if auth == "Logged In" else 0.0,
        )
        for (auth, level, page), row in rows.items()
    }
    return Persona(name, complete)


PERSONAS: Final = tuple(_persona(name) for name in ("Accordion", "Tuba", "Zither", "Xylophone"))

# Personas by user number modulo 9: the mix 150 : 25 : 25 : 25 at any number of users.
PERSONA_CYCLE: Final = (0, 1, 0, 0, 2, 0, 0, 3, 0)

# Mean gaps (s) and spread of each user's own lognormal factor on them.
EVENT_GAP_S: Final = 90.0
EVENT_GAP_SIGMA: Final = 1.0
SESSION_GAP_S: Final = 7.2 * 86_400.0
SESSION_GAP_SIGMA: Final = 0.95

# State in which a log finds the users who joined before it.
INITIAL_PAID_SHARE: Final = 0.22
INITIAL_LOGGED_OUT_SHARE: Final = 0.18


def build_move_table(personas: tuple[Persona, ...] = PERSONAS) -> MoveTable:
    """Lay the personas' rows out as arrays.

    Returns:
        Cumulative chances and next states, shape (personas, states, choices).

    Raises:
        ValueError: if a row names a page or context that doesn't exist.
    """
    n_choices = max(len(row) for persona in personas for row in persona.rows.values())
    cumulative = np.ones((len(personas), N_STATES, n_choices))
    targets = np.full(cumulative.shape, END_STATE, dtype=np.int64)
    for number, persona in enumerate(personas):
        for (auth, level, page), row in persona.rows.items():
            state, context = state_of(auth, level, page), context_after(auth, level, page)
            cumulative[number, state, : len(row)] = np.cumsum(list(row.values()))
            cumulative[number, state, len(row) - 1 :] = 1.0
            targets[number, state, : len(row)] = [
                END_STATE if following == END else state_of(*context, following)
                for following in row
            ]
    return MoveTable(cumulative, targets)


def build_opener_table() -> MoveTable:
    """Lay the first pages of a session out as arrays.

    Returns:
        Cumulative chances and states, shape (1, contexts, choices).

    Raises:
        ValueError: if an opener names a page that doesn't exist.
    """
    rows = [parse_chances(moves.SESSION_OPENERS.get(auth, "Home 1")) for auth, _ in CONTEXTS]
    n_choices = max(len(row) for row in rows)
    cumulative = np.ones((1, len(rows), n_choices))
    targets = np.full(cumulative.shape, END_STATE, dtype=np.int64)
    for number, (context, row) in enumerate(zip(CONTEXTS, rows, strict=True)):
        cumulative[0, number, : len(row)] = np.cumsum(list(row.values())) / sum(row.values())
        cumulative[0, number, len(row) - 1 :] = 1.0
        targets[0, number, : len(row)] = [state_of(*context, page) for page in row]
    return MoveTable(cumulative, targets)
