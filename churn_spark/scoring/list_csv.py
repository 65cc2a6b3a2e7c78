"""The list as a CSV file that a spreadsheet can open without running what is in it."""

from __future__ import annotations

import csv
import re
from contextlib import suppress
from pathlib import Path

import pandas as pd

from churn_spark.errors import InputError
from churn_spark.lakehouse.half_written import hidden_part_of

# A cell that begins like this is a formula (also with full-width signs, also after spaces), and
# where a spreadsheet splits at ; or tabs instead of commas, so is what follows one of them.
_FORMULA = re.compile(r"(^|[;,\"])(\s*)(?=[=+\-@＝＋－＠])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


def format_list_csv(listed: pd.DataFrame, n_reasons: int, n_changes: int) -> str:
    """The text of the file: a header and one line a user, in the order of the list.

    Texts are made safe, see `safe_cell`: a user id that begins with `=`, `+`, `-` or `@` comes
    with an apostrophe before it. Numbers are written with a point and no thousands sign.
    `saves_of_100`, the cancels that listing 100 such users prevents, is empty where it isn't known.

    Args:
        listed: rows of `RETENTION_LISTS` of one date.
        n_reasons: columns for reasons; empty where a user has fewer.
        n_changes: columns for what would help.
    """
    rows = listed.sort_values("list_rank")
    columns = {
        "rank": rows["list_rank"],
        "user_id": rows["user_id"].map(safe_cell),
        "probability_percent": (100 * rows["churn_probability"]).round(2),
        "band": rows["risk_band"].map(safe_cell),
        "value_at_risk": rows["value_at_risk"].round(4),
        **_spread(rows["reasons"], "reason", n_reasons),
        **_spread(rows["would_help"], "would_help", n_changes),
        "days_on_list": rows["days_on_list"],
        "previous_rank": rows["previous_rank"].astype("Int64"),
        "saves_of_100": (100 * rows["expected_saves"].astype(float)).round(2),
    }
    return pd.DataFrame(columns).to_csv(
        index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n"
    )


def save_list_csv(listed: pd.DataFrame, path: Path, n_reasons: int, n_changes: int) -> None:
    """Write the file in UTF-8; a reader never sees half of it.

    Raises:
        InputError: if there can be no such file.
    """
    part = path.with_name(hidden_part_of(path.name))
    try:
        part.write_text(format_list_csv(listed, n_reasons, n_changes), encoding="utf-8", newline="")
        part.replace(path)
    except OSError as error:
        raise InputError(
            f"the list can't be written to {path}: {error.strerror}; expected a file in a folder "
            "that is there and can be written to: name another"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


def safe_cell(text: str) -> str:
    """The text with nothing in it that a spreadsheet would run, on one line.

    An apostrophe goes before every sign that could begin a formula; spreadsheets take what
    follows it for text. Source: OWASP, "CSV Injection".
    """
    return _FORMULA.sub(r"\1\2'", _CONTROL.sub(" ", text))


def _spread(texts: pd.Series, name: str, n_columns: int) -> dict[str, pd.Series]:
    """A column of lists as that many columns of single texts."""
    padded = [[*several, *[""] * n_columns] for several in texts]
    return {
        f"{name}_{position + 1}": pd.Series(
            [safe_cell(several[position]) for several in padded], index=texts.index, dtype=object
        )
        for position in range(n_columns)
    }
