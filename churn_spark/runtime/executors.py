"""The executors of a cluster, and work that can't be repeated task by task when one is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

Result = TypeVar("Result")

_ATTEMPTS: Final = 3
_LOG: Final = logging.getLogger(__name__)


def find_executors(spark: SparkSession) -> set[str]:
    """Host and port of each executor that is there, and of the driver."""
    context: Any = spark._jsc
    infos = context.sc().statusTracker().getExecutorInfos()
    return {f"{info.host()}:{info.port()}" for info in infos}


def repeat_where_one_is_lost(spark: SparkSession, work: Callable[[], Result]) -> Result:
    """What the work gives, begun anew where it failed as an executor was lost meanwhile.

    Spark repeats a task alone. Tasks that speak with each other, as those of a LightGBM fit do,
    find nobody to speak with then.
    """
    for _ in range(_ATTEMPTS - 1):
        before = find_executors(spark)
        try:
            return work()
        except Py4JJavaError:
            lost = before - find_executors(spark)
            if not lost:
                raise
            _LOG.warning("lost executor %s: what it took part in begins anew", ", ".join(lost))
    return work()
