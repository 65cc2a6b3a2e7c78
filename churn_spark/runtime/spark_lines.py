"""What goes with the installed Spark: its jars, and which engine grows the trees.

Two lines of Spark are tried: the one that is shipped, and the one to move to (docs/spark4.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from churn_spark.errors import ConfigError

# Spark brings these itself, in the versions it was built with.
_OF_SPARK: Final = ("org.scala-lang:*", "org.slf4j:*", "org.scalatest:*")


@dataclass(frozen=True)
class SparkLine:
    """A line of Spark.

    Attributes:
        packages: coordinates of the jars beside Spark's own.
        excludes: what these name and Spark has.
        hadoop: version of the Hadoop that Spark brings.
        has_synapseml: whether SynapseML is one of them.
    """

    packages: tuple[str, ...]
    excludes: tuple[str, ...]
    hadoop: str
    has_synapseml: bool


SPARK_3: Final = SparkLine(
    packages=(
        # 3.3.0 to 3.3.2 fail on Spark 3.5.6 and later.
        "io.delta:delta-spark_2.12:3.3.3",
        # The LightGBM part alone: the whole of SynapseML would be hundreds of MB.
        "com.microsoft.azure:synapseml-lightgbm_2.12:1.1.3",
    ),
    excludes=(
        *_OF_SPARK,
        "org.apache.spark:spark-tags_2.12",
        "org.apache.spark:spark-avro_2.12",
    ),
    hadoop="3.3.4",
    has_synapseml=True,
)

SPARK_4: Final = SparkLine(
    # Delta names the Spark that it was built for.
    packages=("io.delta:delta-spark_4.2_2.13:4.4.0",),
    excludes=(
        *_OF_SPARK,
        "com.fasterxml.jackson.core:*",
        "org.apache.hadoop:*",
        "org.apache.logging.log4j:*",
        "org.apache.parquet:*",
    ),
    hadoop="3.5.0",
    has_synapseml=False,
)


def choose_engine(wanted: str, line: SparkLine | None = None) -> str:
    """The engine of the trees: `auto` is SynapseML where this Spark has it.

    Args:
        wanted: `auto`, `synapseml` or `lightgbm`.
        line: of Spark; none: the installed one.

    Raises:
        ConfigError: if SynapseML is wanted and there is none.
    """
    has_synapseml = (line or INSTALLED).has_synapseml
    if wanted == "synapseml" and not has_synapseml:
        raise ConfigError(
            "found lightgbm.engine synapseml on Spark 4, for which SynapseML has no jars, expected "
            "auto or lightgbm: pass --set lightgbm.engine=lightgbm"
        )
    if wanted == "auto":
        return "synapseml" if has_synapseml else "lightgbm"
    return wanted


def _installed_major() -> int:
    try:
        found = version("pyspark")  # without its import, half a second
    except PackageNotFoundError:
        # Executors may have it from Spark's own archive.
        found = str(import_module("pyspark").__version__)
    return int(found.partition(".")[0])


INSTALLED: Final = SPARK_3 if _installed_major() < 4 else SPARK_4
