"""Under which ids a lakehouse keeps its users, and who of them was erased and stays out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from churn_spark.config.privacy import pseudonym_of
from churn_spark.events.rules import WHITE_SPACE
from churn_spark.hashing import keyed_hash

_STRIPPED: Final = pl.col("userId").str.strip_chars(WHITE_SPACE)


@dataclass(frozen=True)
class UserIds:
    """What becomes of the user ids of a log.

    Attributes:
        key: that pseudonyms are made with; empty where tables hold the ids as they are.
        salt: hexadecimal digits, beside the hashes of erased users; empty before the first.
        erased: the hashes of erased users.
    """

    key: bytes = field(default=b"", repr=False)
    salt: str = ""
    erased: frozenset[str] = frozenset()

    def stored(self, user_id: str) -> str:
        """The id by which tables know a user: a pseudonym, or the user's own."""
        return pseudonym_of(user_id, self.key) if self.key else user_id

    def erased_hash(self, user_id: str) -> str:
        """What is kept of the id of a user who was erased."""
        return keyed_hash(bytes.fromhex(self.salt) + self.key, "erased", user_id)

    def screen(self, records: pl.DataFrame) -> pl.DataFrame:
        """The records of users who weren't erased, with the ids by which tables know them.

        Args:
            records: with `userId`, any other columns.
        """
        if not self.key and not self.erased:
            return records
        known = records.select(_STRIPPED).to_series().unique().drop_nulls().to_list()
        erased = [one for one in known if one and self._is_erased(one)]
        kept = (
            records.filter(~_STRIPPED.is_in(erased).fill_null(value=False)) if erased else records
        )
        return kept.with_columns(self._as_stored(known)) if self.key else kept

    def _is_erased(self, user_id: str) -> bool:
        return bool(self.erased) and self.erased_hash(user_id) in self.erased

    def _as_stored(self, known: Collection[str]) -> pl.Expr:
        """The ids as tables know them; what stands for nobody stays."""
        stored = [self.stored(one) if one else one for one in known]
        return _STRIPPED.replace_strict(
            pl.Series([*known], dtype=pl.String),
            pl.Series(stored, dtype=pl.String),
            default=None,
            return_dtype=pl.String,
        ).alias("userId")


AS_THEY_ARE: Final = UserIds()
"""Ids as the log has them, and nobody erased."""
