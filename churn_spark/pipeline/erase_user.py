"""Users out of all that the lakehouse has of them: tables and their history, files, pages.

Killed anywhere, a rerun for the same users finishes it, whatever has come since. The order matters:
that they are erased is noted first, so that no ingest brings them back; what was found is noted
next, so that a rerun tells the same; the lakehouse's own log files are cleaned at once after it, as
they may grow meanwhile; events go before the tables that are made of them, and every history goes
last.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from churn_spark.config import IngestConfig, PrivacyConfig
from churn_spark.contracts.tables import (
    ERASED_USERS,
    ERASURES,
    EVENTS,
    FILES,
    VALIDATION_SCORES,
    TableSpec,
)
from churn_spark.contracts.tables.table import BUCKETS
from churn_spark.errors import InputError
from churn_spark.events.clean import bucket_of
from churn_spark.events.readings import Status
from churn_spark.events.rules import ANONYMOUS_IDS, WHITE_SPACE
from churn_spark.events.user_ids import UserIds
from churn_spark.lakehouse.history import close_history, forget_history
from churn_spark.lakehouse.selection import Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import ingest, of_events, rollups
from churn_spark.pipeline.console import say, warn
from churn_spark.pipeline.erased_logs import find_due, note_cleaned
from churn_spark.pipeline.ingest_tables import require_fitting
from churn_spark.pipeline.named_files import require_file_place
from churn_spark.pipeline.use_case import UseCase
from churn_spark.stores.erasures import (
    HOW_TO_FINISH,
    Erasure,
    forget_pending,
    read_pending,
    record_erasure,
    write_pending,
)
from churn_spark.stores.user_files import (
    TABLES_WITH_USERS,
    clean_user_files,
    delete_unfinished,
    find_other_tables,
    find_user_files,
)
from churn_spark.stores.user_ids import add_erased, read_user_ids
from churn_spark.wording import count_of, name_some

if TYPE_CHECKING:
    # MLflow takes as long to import as an erasure, and not every lakehouse has a model.
    from churn_spark.models.registry import ModelRegistry

USE_CASE = UseCase(
    "erase_user",
    "users out of every table with its history, of files and pages; later files don't bring them "
    "back",
    reads=(FILES, EVENTS),
    writes=(ERASED_USERS, ERASURES),
    takes=("ids",),
    leaves=("all tables with users",),
)
MAX_USERS: Final = 1000
"""At once: where they are comes to the driver."""
_FILES_PLACE: Final = "files"
_NAMED: Final = 20


def run(
    lakehouse: Lakehouse,
    open_registry: Callable[[], ModelRegistry],
    config: IngestConfig,
    privacy: PrivacyConfig,
    user_ids: Collection[str],
    sources: Path | None = None,
) -> Erasure:
    """Erase users; returns what was found of them.

    Args:
        lakehouse: to erase them from.
        open_registry: opens the model registry, whose runs name versions that are gone then.
        config: of the ingest.
        privacy: under which ids users are kept.
        user_ids: as the logs have them.
        sources: file to write the paths of the input files to that hold them and aren't cleaned.

    Raises:
        InputError: if an id is none, an erasure of others was begun and isn't finished, or the
            paths can't be written to the file.
        MissingTableError: if no events were loaded yet.
        ConfigError: if the key of pseudonyms is missing.
        OtherIdsError: if the events keep user ids in another way than is configured.
    """
    meant = check_ids(user_ids, config)
    if sources is not None:
        require_file_place(sources)
    with USE_CASE.start(lakehouse) as facts:
        ingest.finish_pending(lakehouse, config, privacy)
        users = add_erased(lakehouse, read_user_ids(lakehouse), meant)
        delete_unfinished(lakehouse)
        tables = [spec for spec in TABLES_WITH_USERS if lakehouse.exists(spec)]
        stored = sorted({users.stored(one) for one in meant})
        written = sorted({*meant, *stored})
        erasure = _begin(lakehouse, users, meant, tables, stored, written)
        clean_user_files(lakehouse, erasure.inside, written)
        note_cleaned(lakehouse, erasure.inside, erasure.due, config)
        _remove_rows(lakehouse, config, tables, stored)
        for spec in tables:
            forget_history(lakehouse, spec)
        if VALIDATION_SCORES in tables:
            open_registry().note_erasure()
        # Before it is done: the events that knew these files are gone, and a rerun tells them only
        # while it isn't.
        _tell_sources(erasure, sources)
        record_erasure(lakehouse, erasure)
        forget_pending(lakehouse)
        n_rows = sum(erasure.rows[spec.path] for spec in tables)
        facts.append(f"reference {erasure.reference}: {count_of(len(meant), 'user')}")
        facts.append(f"{count_of(n_rows, 'row')} in {count_of(len(tables), 'table')}")
        facts.append(f"{count_of(len(erasure.inside), 'other file')} of the lakehouse")
    for table in find_other_tables(lakehouse):
        warn(f"found {table} in the lakehouse, a table that isn't the pipeline's: not touched")
    return erasure


def plan(
    lakehouse: Lakehouse, config: IngestConfig, privacy: PrivacyConfig, user_ids: Collection[str]
) -> list[str]:
    """What there is of users, in words; nothing is removed.

    Raises:
        InputError: if an id is none.
        ConfigError: if the key of pseudonyms is missing.
        OtherIdsError: if the events keep user ids in another way than is configured.
    """
    meant = check_ids(user_ids, config)
    require_fitting(lakehouse, privacy)
    users = read_user_ids(lakehouse)
    stored = sorted({users.stored(one) for one in meant})
    rows = {
        spec.path: lakehouse.count_rows(spec, _rows_of(lakehouse, spec, stored))
        for spec in TABLES_WITH_USERS
        if lakehouse.exists(spec)
    }
    held = ", ".join(f"{n:,} in {path}" for path, n in rows.items() if n)
    files = find_user_files(lakehouse, sorted({*meant, *stored}))
    named = f": {name_some(files, _NAMED)}" if files else ""
    return [
        f"{count_of(len(meant), 'user')}; rows: {held or 'none'}, and the history of these tables",
        f"{count_of(len(files), 'other file')} of the lakehouse{named}",
    ]


def gather_ids(given: Collection[str], file: str | None) -> list[str]:
    """The ids that were given, and those of a file, one a line; `-` is standard input.

    Raises:
        InputError: if there is no such file, or it is no text.
    """
    if file is None:
        return [*given]
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8"
        raise InputError(
            f"the ids can't be read from {file}: {reason}; expected a text with an id a line"
        ) from error
    return [*given, *(line for line in text.splitlines() if line.strip(WHITE_SPACE))]


def check_ids(user_ids: Collection[str], config: IngestConfig) -> list[str]:
    """The ids as the ingest reads them, each once.

    Raises:
        InputError: if there is none, one stands for nobody, or there are too many.
    """
    meant = sorted({one.strip(WHITE_SPACE) for one in user_ids})
    nobody = {*ANONYMOUS_IDS, *config.anonymous_user_ids}.intersection(meant)
    if not meant or nobody:
        found = "an id that stands for all unknown users" if nobody else "no user id"
        raise InputError(
            f"found {found}: name the users by --user ID, as in the logs, or by --file with one id "
            "per line"
        )
    if len(meant) > MAX_USERS:
        raise InputError(
            f"found {len(meant):,} users, expected at most {MAX_USERS:,} at once: cut the file "
            "into several"
        )
    return meant


def _begin(
    lakehouse: Lakehouse,
    users: UserIds,
    meant: Sequence[str],
    tables: Sequence[TableSpec],
    stored: Sequence[str],
    written: Sequence[str],
) -> Erasure:
    """What there is of the users, noted before anything is removed.

    Where a killed run has noted it, that, and what has come since.

    Raises:
        InputError: if an erasure of others was begun and isn't finished.
    """
    hashes = sorted(users.erased_hash(one) for one in meant)
    pending = read_pending(lakehouse)
    if pending and [*pending.users] != hashes:
        raise InputError(
            f"found the erasure {pending.reference} of {count_of(len(pending.users), 'user')} "
            f"begun and not finished, expected the same users first: {HOW_TO_FINISH}"
        )
    noted = pending or Erasure(uuid.uuid4().hex, hashes, {}, [], [])
    rows = {
        spec.path: lakehouse.count_rows(spec, _rows_of(lakehouse, spec, stored))
        for spec in tables
        if spec.path not in noted.rows
    }
    found = [path for path in find_user_files(lakehouse, written) if path not in noted.inside]
    inside = sorted([*noted.inside, *found])
    # Those that were noted may have been cleaned, and have grown since: nobody can tell.
    known = {*noted.inside}
    there = [path for path in lakehouse.files.walk() if path in known] if known else []
    again: dict[str, Status] = {lakehouse.files.listed(path)[0]: "read again" for path in there}
    erasure = replace(
        noted,
        rows={**noted.rows, **rows, _FILES_PLACE: len(inside)},
        inside=inside,
        outside=noted.outside if pending else _find_outside(lakehouse, inside, stored),
        due={**again, **noted.due, **find_due(lakehouse, found)},
    )
    write_pending(lakehouse, erasure)
    return erasure


def _find_outside(
    lakehouse: Lakehouse, inside: Collection[str], stored: Sequence[str]
) -> list[str]:
    """The input files that have delivered the users and aren't cleaned."""
    delivered = lakehouse.read_arrow(EVENTS, _rows_of(lakehouse, EVENTS, stored), ["source_file"])
    places = {lakehouse.files.listed(path)[0] for path in inside}
    return sorted({*delivered["source_file"].unique().to_pylist()} - places)


def _remove_rows(
    lakehouse: Lakehouse, config: IngestConfig, tables: Sequence[TableSpec], stored: Sequence[str]
) -> None:
    """Remove the users from the newest version of each table."""
    lakehouse.delete_rows(EVENTS, _rows_of(lakehouse, EVENTS, stored))
    # What is made of events from here on notes a version that stays.
    close_history(lakehouse, EVENTS)
    made = {
        step: rollup for step, rollup in of_events.STEPS.items() if lakehouse.exists(rollup.table)
    }
    if made:
        rollups.run(lakehouse, config, made)
    for spec in tables:
        if spec is not EVENTS:
            lakehouse.delete_rows(spec, _rows_of(lakehouse, spec, stored))


def _rows_of(lakehouse: Lakehouse, spec: TableSpec, stored: Sequence[str]) -> Where:
    """The rows of users in a table."""
    if spec is not EVENTS:
        return {"user_id": stored}
    n_buckets = int(lakehouse.properties(EVENTS)[BUCKETS])
    return {"bucket": sorted({bucket_of(one, n_buckets) for one in stored}), "user_id": stored}


def _tell_sources(erasure: Erasure, sources: Path | None) -> None:
    """Say which input files hold the users, and what is to be done about them."""
    if not erasure.outside:
        # An earlier run for these users may have written the file.
        if sources is not None:
            say("input files", f"none is left for you to clean: {sources} was not written")
        return
    if sources is not None:
        sources.write_text("".join(f"{path}\n" for path in erasure.outside), encoding="utf-8")
    n = count_of(len(erasure.outside), "input file")
    say(
        "input files",
        f"{n} that are left for you to clean had delivered these users: outside of the lakehouse, "
        "or of a kind in which no userId is found; erase them there",
    )
    # Without a file nobody else will ever tell them.
    named = erasure.outside if sources is None else erasure.outside[:_NAMED]
    for path in named:
        say("", path)
    if rest := len(erasure.outside) - len(named):
        say("", f"and {rest:,} more, all in {sources}")
    say(
        "",
        "until then each ingest that reads them again leaves these users out. A file that was "
        "changed is noted as changed; ingest_events --reload changed takes it as it is then",
    )
