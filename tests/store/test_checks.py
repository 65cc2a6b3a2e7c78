"""The table of the data checks."""

from __future__ import annotations

from datetime import date

import pandas as pd
from builders import write_rows

from churn_spark.contracts.tables import SNAPSHOTS
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.pipeline.check_data import newest_sound_date
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


def test_newest_sound_date_is_no_failed_one_however_long_ago_it_is(context: JobContext) -> None:
    lakehouse = context.lakehouse
    night = date(2018, 11, 20)
    assert newest_sound_date(lakehouse, night) is None
    dates = [date(2018, 11, 5), NEXT, date(2018, 11, 19), night]
    write_rows(context, SNAPSHOTS, pd.DataFrame({"as_of": dates, "user_id": "7"}))
    write_checks(lakehouse, date(2018, 11, 19), [NULLS])
    assert newest_sound_date(lakehouse, night) == NEXT
    assert newest_sound_date(lakehouse, date(2018, 11, 21)) == night
    write_checks(lakehouse, NEXT, [NULLS])
    # Nights that were left out, as where a machine was off, change nothing in what was usual.
    assert newest_sound_date(lakehouse, night) == dates[0]
