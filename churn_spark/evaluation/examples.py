"""A handful of whole users behind a model's mistakes, known by letters. Pandas, pure."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from churn_spark.evaluation.metrics import outcomes
from churn_spark.evaluation.mistakes import FALSE_ALARM, FOUND, MISSED, reason_texts

EXAMPLE_DAYS = 28
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class ExampleDay:
    """What a user did on one day; `day` counts from the as-of date, -1 is the day before."""

    day: int
    n_sessions: int
    n_songs: int
    n_adverts: int
    n_downgrades: int


@dataclass(frozen=True)
class Example:
    """One user, known by a letter.

    Attributes:
        letter: stands for the user, in this analysis only.
        outcome: of the user's row.
        churn_probability: what the model said.
        reasons: why, in words.
        days: the days with any activity among the last `EXAMPLE_DAYS`, in order.
    """

    letter: str
    outcome: str
    churn_probability: float
    reasons: tuple[str, ...]
    days: tuple[ExampleDay, ...]


def choose_examples(rows: pd.DataFrame, threshold: float, n_each: int = 2) -> pd.DataFrame:
    """The clearest mistakes and one clear success, as rows with their `outcome`.

    Cancellers with the lowest probabilities, stayers with the highest, and the canceller with
    the highest probability; a user at most once. Equal probabilities are ordered by date and user.
    """
    marked = rows.assign(
        outcome=outcomes(rows["label"].to_numpy(), rows["churn_probability"].to_numpy(), threshold)
    )
    by_risk = marked.sort_values(["churn_probability", "as_of", "user_id"], kind="stable")
    by_outcome = {
        FOUND: by_risk.iloc[::-1],
        FALSE_ALARM: by_risk.iloc[::-1],
        MISSED: by_risk,
    }
    chosen = pd.concat(
        [
            ordered[ordered["outcome"] == outcome]
            .drop_duplicates("user_id")
            .head(1 if outcome == FOUND else n_each)
            for outcome, ordered in reversed(by_outcome.items())
        ]
    )
    return chosen.drop_duplicates("user_id").reset_index(drop=True)


def letter_examples(chosen: pd.DataFrame, days: pd.DataFrame) -> tuple[Example, ...]:
    """The chosen rows as examples without an id: letters in the order of the rows.

    Args:
        chosen: as_of, user_id, outcome, churn_probability, reasons; at most 26 rows.
        days: as_of, user_id, day (negative), n_sessions, n_songs, n_adverts, n_downgrades;
            days from -`EXAMPLE_DAYS` on are kept.

    Raises:
        ValueError: if there are more rows than letters.
    """
    if len(chosen) > len(_LETTERS):
        raise ValueError(f"found {len(chosen)} examples, expected at most {len(_LETTERS)}")
    examples = []
    for letter, row in zip(_LETTERS, chosen.to_dict("records"), strict=False):
        own = days[(days["user_id"] == row["user_id"]) & (days["as_of"] == row["as_of"])]
        own = own[own["day"].between(-EXAMPLE_DAYS, -1)].sort_values("day")
        counts = own[["day", "n_sessions", "n_songs", "n_adverts", "n_downgrades"]].to_numpy(int)
        examples.append(
            Example(
                letter,
                row["outcome"],
                float(row["churn_probability"]),
                reason_texts(row["reasons"]),
                tuple(ExampleDay(*map(int, day)) for day in counts),
            )
        )
    return tuple(examples)
