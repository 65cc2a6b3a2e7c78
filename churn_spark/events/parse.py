"""JSON lines -> typed records. What doesn't parse keeps a reason instead."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from churn_spark.events.rules import (
    BROKEN_JSON,
    INVALID_UTF8,
    LINE_TOO_LONG,
    NUMBERS,
    STRICT_TEXTS,
    TEXTS,
    WHITE_SPACE,
    WRONG_TYPE,
)

# Numbers are read as doubles: exports write the same field as 1540919166796 or 1540919166796.0,
# and a double holds every millisecond exactly.
_RECORD_SCHEMA = T.StructType(
    [
        *(T.StructField(name, T.DoubleType()) for name in NUMBERS),
        *(T.StructField(name, T.StringType()) for name in TEXTS),
        T.StructField("_corrupt_record", T.StringType()),
    ]
)

_OPTIONS = {"allowSingleQuotes": "false"}


def parse_lines(lines: DataFrame, max_line_bytes: int) -> DataFrame:
    """One row per line that isn't blank: the record's fields, or why it isn't a record.

    Args:
        lines: `value` (one line, any bytes) and `source_file`.
        max_line_bytes: longer lines aren't parsed.

    Returns:
        `value`, `source_file`, `parse_problem` (null where there is none), `record` (struct of
        `NUMBERS` as doubles, NaN as null, and `TEXTS`).
    """
    line = F.col("value")
    is_short = F.octet_length(line) <= max_line_bytes
    parsed = lines.filter(_strip_line(line) != "").withColumn(
        "parsed", F.from_json(F.when(is_short, line), _RECORD_SCHEMA, _OPTIONS)
    )
    problem = (
        F.when(~is_short, LINE_TOO_LONG)
        .when(~_is_valid_utf8(line), INVALID_UTF8)
        .when(~_is_one_object(line), BROKEN_JSON)
        .when(F.col("parsed").isNull(), BROKEN_JSON)
        .when(
            F.col("parsed._corrupt_record").isNotNull(),
            F.when(_is_json(line), WRONG_TYPE).otherwise(BROKEN_JSON),
        )
        .when(_has_wrong_text(line), WRONG_TYPE)
    )
    numbers = [F.nanvl(F.col(f"parsed.{name}"), F.lit(None)).alias(name) for name in NUMBERS]
    texts = [F.col(f"parsed.{name}") for name in TEXTS if name != "userId"]
    texts.append(_user_id(line).alias("userId"))
    return parsed.select(
        "value",
        "source_file",
        problem.alias("parse_problem"),
        F.struct(*numbers, *texts).alias("record"),
    )


def _is_valid_utf8(line: Column) -> Column:
    raw = line.cast("binary")
    return F.encode(F.decode(raw, "UTF-8"), "UTF-8") == raw


def strip(text: Column) -> Column:
    """The text without white space around it; Spark's `trim` takes off spaces only."""
    return F.btrim(text, F.lit(WHITE_SPACE))


def _strip_line(line: Column) -> Column:
    """`strip` for lines: nearly all have braces at both ends, and `btrim` is slow on long text."""
    trimmed = F.trim(line)
    return F.when(trimmed.startswith("{") & trimmed.endswith("}"), trimmed).otherwise(strip(line))


def _is_json(line: Column) -> Column:
    """Whether the line is one JSON value and nothing else.

    Inside brackets, what follows the first value is an error or a second element, instead of
    being ignored.
    """
    bracketed = F.concat(F.lit("["), line, F.lit("]"))
    first, second = (F.get_json_object(bracketed, path) for path in ("$[0]", "$[1]"))
    return first.isNotNull() & second.isNull()


def _is_one_object(line: Column) -> Column:
    """Spark's parser stops after the first value; what is glued behind it must not vanish.

    An event has no nested objects, so its first closing brace is its last character. Only a
    line with an earlier one (in a title, or between two records) needs the strict check.
    """
    stripped = _strip_line(line)
    is_braced = stripped.startswith("{") & stripped.endswith("}")
    is_plain = F.instr(stripped, "}") == F.length(stripped)
    return is_braced & F.when(is_plain, True).otherwise(_is_json(line))


def _has_wrong_text(line: Column) -> Column:
    """Whether a nested value, number or boolean stands where text belongs; ids may be numbers.

    The parser turns any value into text, so what looks like another type is looked up in the
    line: a page called "404" is text, the number 404 is not.
    """
    is_wrong = F.lit(False)
    for name in STRICT_TEXTS:
        text = F.col(f"parsed.{name}")
        looks_other = F.substring(text, 1, 1).isin("{", "[") | text.isin("true", "false")
        if name == "page":
            looks_other |= text.rlike(r"^-?[0-9][0-9.eE+-]*$")
        is_wrong |= looks_other & ~_is_quoted(line, name)
    return F.coalesce(is_wrong, F.lit(False))


def _user_id(line: Column) -> Column:
    """The id as text: 7, 7.0 and "7" are the same user, "7.0" is another."""
    user_id = F.col("parsed.userId")
    is_float = user_id.endswith(".0") & ~_is_quoted(line, "userId")
    return F.when(is_float, F.substring_index(user_id, ".", 1)).otherwise(user_id)


def _is_quoted(line: Column, name: str) -> Column:
    return line.rlike(rf'"{name}"\s*:\s*"')
