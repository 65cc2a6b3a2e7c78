"""The four kinds of listener, as tables that all of them can be stepped with at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from churn_spark.arrays import Bools, Floats, Ints
from churn_spark.contracts.pages import Page
from churn_spark.errors import InputError
from churn_spark.simulate import moves
from churn_spark.simulate.pages import CONTEXTS, N_STATES, context_after, state_of, unpack_state
from churn_spark.simulate.settings import SimulationSettings

END: Final = "END"
END_STATE: Final = -1
_IS_CANCEL: Final = np.array([unpack_state(state)[2] == Page.CANCEL for state in range(N_STATES)])
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

    cumulative: Floats
    targets: Ints


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
    return {**scaled, Page.CANCEL: cancel} if cancel else scaled


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


PERSONA_NAMES: Final = ("Accordion", "Tuba", "Zither", "Xylophone")
PERSONAS: Final = tuple(_persona(name) for name in PERSONA_NAMES)

# Mean gaps (s) and spread of each user's own lognormal factor on them.
EVENT_GAP_S: Final = 96.0
EVENT_GAP_SIGMA: Final = 1.1
SESSION_GAP_S: Final = 7.8 * 86_400.0
SESSION_GAP_SIGMA: Final = 0.95

# State in which a log finds the users who joined before it.
INITIAL_PAID_SHARE: Final = 0.16
INITIAL_LOGGED_OUT_SHARE: Final = 0.18


def _drifted(persona: Persona, settings: SimulationSettings) -> Persona:
    """Change what the world's drift changes, from its date on."""
    rows = {}
    for (auth, level, page), row in persona.rows.items():
        changed = dict(row)
        if settings.drift == "label" and Page.CANCEL in row:
            changed[Page.CANCEL] *= settings.drift_factor
            rest = (1.0 - changed[Page.CANCEL]) / (1.0 - row[Page.CANCEL])
            changed |= {key: row[key] * rest for key in row if key != Page.CANCEL}
        if settings.drift == "input" and page == Page.NEXT_SONG and Page.THUMBS_UP in row:
            # What Thumbs Up gains or loses, staying with the music loses or gains.
            more = row[Page.THUMBS_UP] * (settings.drift_factor - 1.0)
            changed[Page.THUMBS_UP] += more
            changed[Page.NEXT_SONG] -= more
        rows[auth, level, page] = changed
    return Persona(persona.name, rows)


def _without_cancel(persona: Persona) -> Persona:
    """Take every chance of Cancel out of a persona."""
    rows = {
        key: {page: chance / (1.0 - row.get(Page.CANCEL, 0.0)) for page, chance in row.items()}
        for key, row in persona.rows.items()
    }
    for row in rows.values():
        row.pop(Page.CANCEL, None)
    return Persona(persona.name, rows)


def build_personas(settings: SimulationSettings) -> tuple[Persona, ...]:
    """Give the personas of a world, then the same as they are after its drift.

    In the degrading regime no page leads to Cancel by chance.

    Raises:
        InputError: if the drift leaves a chance outside 0 to 1.
    """
    before = PERSONAS
    if settings.regime == "degrading":
        before = tuple(_without_cancel(persona) for persona in before)
    after = tuple(_drifted(persona, settings) for persona in before)
    if any(min(row.values()) < 0 for persona in after for row in persona.rows.values()):
        raise InputError(
            f"found drift_factor {settings.drift_factor}, expected one that leaves every chance "
            "between 0 and 1: choose a smaller one"
        )
    return before + after


def build_move_table(personas: tuple[Persona, ...]) -> MoveTable:
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


def thin_cancel(table: MoveTable, kept: float) -> MoveTable:
    """Multiply every chance of Cancel, its share going to a row's other pages as they are likely.

    A draw that led to another page before still leads there.

    Args:
        table: of `build_move_table`, where Cancel is the last page of a row.
        kept: 0 to 1.
    """
    is_cancel = _IS_CANCEL[table.targets] & (table.targets != END_STATE)
    chances = np.diff(table.cumulative, axis=-1, prepend=0.0)
    cancel = np.where(is_cancel, chances, 0.0).sum(axis=-1, keepdims=True)
    freed = np.where(is_cancel, 0.0, chances) * cancel * (1.0 - kept) / (1.0 - cancel)
    others = np.minimum(table.cumulative, 1.0 - cancel)
    again = np.minimum(others[..., -1:] + np.cumsum(freed, axis=-1), 1.0)
    to_cancel = np.where(is_cancel, table.targets, END_STATE).max(axis=-1, keepdims=True)
    return MoveTable(
        np.concatenate([others, again, np.ones_like(cancel)], axis=-1),
        np.concatenate([table.targets, table.targets, to_cancel], axis=-1),
    )


def join_tables(tables: Sequence[MoveTable]) -> MoveTable:
    """Put the personas of several tables one after the other."""
    n_choices = max(table.targets.shape[-1] for table in tables)
    room = [((0, 0), (0, 0), (0, n_choices - table.targets.shape[-1])) for table in tables]
    pairs = list(zip(tables, room, strict=True))
    return MoveTable(
        np.concatenate([np.pad(t.cumulative, free, constant_values=1.0) for t, free in pairs]),
        np.concatenate([np.pad(t.targets, free, constant_values=END_STATE) for t, free in pairs]),
    )


def build_world_table(settings: SimulationSettings, is_treated: bool) -> MoveTable:
    """Lay out all personas of a world: before its drift, after it, and so under each offer.

    Args:
        settings: the world.
        is_treated: whether anybody is under an offer; else there are the first two parts only.

    Raises:
        InputError: if the drift leaves a chance outside 0 to 1.
    """
    table = build_move_table(build_personas(settings))
    offers = settings.offers if is_treated else ()
    return join_tables([table, *(thin_cancel(table, 1.0 - offer.saves) for offer in offers)])


def world_row(persona: Ints, is_after: Bools, offer: Ints) -> Ints:
    """Give the rows of `build_world_table`; `offer` is -1 for users under none."""
    return persona + len(PERSONA_NAMES) * (is_after + 2 * (1 + offer))
