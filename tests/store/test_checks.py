"""The table of the data checks."""

from __future__ import annotations

from datetime import date

from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.pipeline.context import JobContext
from churn_spark.stores.checks import read_checks, write_checks

NIGHT, NEXT = date(2018, 11, 5), date(2018, 11, 6)
VOLUME = CheckResult("volume", 1200, "1,000 to 2,000", True, "1,200 events")
NULLS = CheckResult("nulls:os", 0.25, "at most 5.0%", False, "25.0% of os are null")


def test_checks_of_a_night_are_kept_by_name_and_replaced(context: JobContext) -> None:
    lakehouse = context.lakehouse
    assert read_checks(lakehouse, NIGHT) == ()
    write_checks(lakehouse, NIGHT, [VOLUME, NULLS])
    write_checks(lakehouse, NEXT, [VOLUME])
    assert read_checks(lakehouse, NIGHT) == (NULLS, VOLUME)
    write_checks(lakehouse, NIGHT, [VOLUME])
    assert read_checks(lakehouse, NIGHT) == (VOLUME,)
    assert read_checks(lakehouse, date(2018, 11, 7)) == ()
