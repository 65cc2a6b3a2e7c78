"""Erasures: the one under way, beside the tables, and those that are done, in `erasures`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Final

from churn_spark.contracts.tables import ERASURES
from churn_spark.events.readings import Status
from churn_spark.lakehouse.tables import Lakehouse

PENDING: Final = "_checkpoints/erase_user/pending.json"
"""What an erasure notes that is under way, below the lakehouse."""
HOW_TO_FINISH: Final = (
    "run `churn-spark erase_user` again for the same users, whose ids aren't kept; or, where they "
    f"are known no more, delete {PENDING}, and what is left of them stays"
)


@dataclass(frozen=True)
class Erasure:
    """What was found of some users before anything was removed; it names none of them.

    Attributes:
        reference: random; to be told to whoever asked for the erasure.
        users: hashes of their ids, as in the table `erased_users`.
        rows: place -> rows of theirs.
        inside: paths of the files of the lakehouse, beside its tables, that hold them.
        outside: paths of the input files that hold them and aren't cleaned: outside of the
            lakehouse, or of a kind that isn't known.
        due: input file of the lakehouse, as listed, that wasn't as it was read -> what an ingest
            was to do about it.
    """

    reference: str
    users: Sequence[str]
    rows: Mapping[str, int]
    inside: Sequence[str]
    outside: Sequence[str]
    due: Mapping[str, Status] = field(default_factory=dict)

    @classmethod
    def from_json(cls, content: bytes) -> Erasure:
        """What was noted of one that is under way."""
        return cls(**json.loads(content))


def write_pending(lakehouse: Lakehouse, erasure: Erasure) -> None:
    """Note what was found, before anything is removed: a rerun tells the same."""
    lakehouse.files.exchange(PENDING, json.dumps(asdict(erasure)).encode())


def read_pending(lakehouse: Lakehouse) -> Erasure | None:
    """The erasure that was begun and not finished, if there is one."""
    content = lakehouse.files.read(PENDING)
    return None if content is None else Erasure.from_json(content)


def forget_pending(lakehouse: Lakehouse) -> None:
    """The erasure is done."""
    lakehouse.files.delete(PENDING)


def record_erasure(lakehouse: Lakehouse, erasure: Erasure) -> None:
    """Keep that an erasure was done, and what it removed from where; not of whom."""
    now = datetime.now(UTC).replace(microsecond=0)
    rows = [
        (erasure.reference, now, len(erasure.users), place, n)
        for place, n in sorted(erasure.rows.items())
    ]
    lakehouse.replace_rows(rows, ERASURES, {"reference": [erasure.reference]})
