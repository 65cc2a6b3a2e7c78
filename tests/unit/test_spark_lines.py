"""Each line of Spark has its jars, in the versions that the locks have, and an engine."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from churn_spark.errors import ConfigError
from churn_spark.pipeline.context import open_job
from churn_spark.runtime import spark_lines
from churn_spark.runtime.spark_lines import SPARK_3, SPARK_4, SparkLine, choose_engine

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OF_SPARK_4 = PROJECT["dependency-groups"]["spark4"]


def read_lock(name: str) -> dict[str, str]:
    """Package -> its version in a lock."""
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("line", "pins"),
    [
        (SPARK_3, PROJECT["project"]["dependencies"]),
        (SPARK_4, OF_SPARK_4),
    ],
)
def test_coordinates_name_the_versions_of_the_python_packages(
    line: SparkLine, pins: list[str]
) -> None:
    versions = [coordinate.rpartition(":")[2] for coordinate in line.packages]
    assert f"delta-spark=={versions[0]}" in pins
    assert [pin for pin in pins if pin.startswith("synapseml==")] == [
        f"synapseml=={version}" for version in versions[1:]
    ]


def test_lock_of_spark_4_differs_in_what_its_group_names() -> None:
    shipped, later = read_lock("dev.lock"), read_lock("spark4.lock")
    named = dict(pin.split("==") for pin in OF_SPARK_4 if "==" in pin)
    assert {name: later[name] for name in named} == named
    assert "synapseml" in shipped.keys() - later.keys()
    moved = {name for name in shipped.keys() & later.keys() if shipped[name] != later[name]}
    # Delta's wrapper takes no newer one.
    assert moved == {*named, "importlib-metadata"}


def test_delta_is_built_for_the_spark_of_its_line() -> None:
    minor = read_lock("spark4.lock")["pyspark"].rpartition(".")[0]
    assert SPARK_4.packages[0].startswith(f"io.delta:delta-spark_{minor}_2.13:")


@pytest.mark.parametrize(
    ("wanted", "line", "chosen"),
    [
        ("auto", SPARK_3, "synapseml"),
        ("auto", SPARK_4, "lightgbm"),
        ("synapseml", SPARK_3, "synapseml"),
        ("lightgbm", SPARK_3, "lightgbm"),
        ("lightgbm", SPARK_4, "lightgbm"),
    ],
)
def test_engine_is_synapseml_only_where_it_has_jars(
    wanted: str, line: SparkLine, chosen: str
) -> None:
    assert choose_engine(wanted, line) == chosen


def test_job_is_refused_before_anything_starts_when_its_engine_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spark_lines, "INSTALLED", SPARK_4)
    opening = open_job("test", "local", ["lightgbm.engine=synapseml"])
    with pytest.raises(ConfigError, match=r"no jars, expected auto or lightgbm"), opening:
        pytest.fail("opened")
