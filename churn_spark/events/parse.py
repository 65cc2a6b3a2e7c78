"""JSON lines -> typed records. What doesn't parse keeps a reason instead."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

NUMBERS = ("ts", "sessionId", "itemInSession", "status", "registration", "length")
TEXTS = (
    "userId",
    "page",
    "auth",
    "method",
    "level",
    "location",
    "userAgent",
    "lastName",
    "firstName",
    "gender",
    "artist",
    "song",
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

BROKEN_JSON = "broken JSON"
INVALID_UTF8 = "invalid UTF-8"
LINE_TOO_LONG = "line too long"
WRONG_TYPE = "wrong type"


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
    parsed = lines.filter(F.trim(line) != "").withColumn(
        "parsed", F.from_json(F.when(is_short, line), _RECORD_SCHEMA)
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
        .when(_has_wrong_text(), WRONG_TYPE)
    )
    numbers = [F.nanvl(F.col(f"parsed.{name}"), F.lit(None)).alias(name) for name in NUMBERS]
    texts = [F.col(f"parsed.{name}") for name in TEXTS]
    return parsed.select(
        "value",
        "source_file",
        problem.alias("parse_problem"),
        F.struct(*numbers, *texts).alias("record"),
    )


def _is_valid_utf8(line: Column) -> Column:
    raw = line.cast("binary")
    return F.encode(F.decode(raw, "UTF-8"), "UTF-8") == raw


def _is_json(line: Column) -> Column:
    # Inside brackets, anything behind the first value is an error instead of being ignored.
    return F.get_json_object(F.concat(F.lit("["), line, F.lit("]")), "$[0]").isNotNull()


def _is_one_object(line: Column) -> Column:
    """Spark's parser stops after the first value; what is glued behind it must not vanish.

    An event has no nested objects, so its first closing brace is its last character. Only a
    line with an earlier one (in a title, or between two records) needs the strict check.
    """
    trimmed = F.trim(line)
    is_plain = F.instr(trimmed, "}") == F.length(trimmed)
    return trimmed.startswith("{") & F.when(is_plain, True).otherwise(_is_json(line))


def _has_wrong_text() -> Column:
    """A nested value, number or boolean where text belongs; ids may be numbers."""
    page = F.col("parsed.page")
    is_number_or_boolean = page.rlike(r"^-?[0-9]+(\.[0-9]+)?$") | page.isin("true", "false")
    is_nested = F.lit(False)
    for name in ("page", "userId", "level", "auth", "gender", "location", "userAgent"):
        is_nested |= F.substring(F.col(f"parsed.{name}"), 1, 1).isin("{", "[")
    return F.coalesce(is_number_or_boolean | is_nested, F.lit(False))
