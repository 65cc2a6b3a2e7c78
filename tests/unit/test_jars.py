"""The list of jars counts only for these coordinates, and only while the files are there."""

from __future__ import annotations

from pathlib import Path

import pyspark
import pytest

from churn_spark.errors import MachineError
from churn_spark.runtime import jars

CLUSTER = "spark://cluster:7077"

RESOLVED = {
    "spark.jars.packages": ",".join(jars.PACKAGES),
    "spark.jars.excludes": ",".join(jars.EXCLUDES),
}


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty state folder, in a process that spark-submit has not started."""
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.delenv("SPARK_DIST_CLASSPATH", raising=False)
    monkeypatch.setattr(jars, "state_dir", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def listed(state: Path) -> list[Path]:
    """Two jars with the list of them."""
    paths = [state / "a.jar", state / "b.jar"]
    for path in paths:
        path.write_bytes(b"")
    first = f"# {','.join(jars.PACKAGES)} without {','.join(jars.EXCLUDES)}"
    (state / "spark-jars.txt").write_text("\n".join([first, *map(str, paths), ""]))
    return paths


def test_jars_come_from_the_list_when_it_is_good(listed: list[Path]) -> None:
    joined = f"{listed[0]},{listed[1]}"
    assert jars.spark_jar_settings(CLUSTER) == {"spark.jars": joined}
    assert jars.spark_submit_arguments() == ["--jars", joined]


@pytest.mark.parametrize("master", ["local", "local[2]", "local[*]"])
def test_jars_are_on_the_class_path_when_the_master_is_local(
    master: str, listed: list[Path]
) -> None:
    joined = f"{listed[0]}:{listed[1]}"
    assert jars.class_path_environment(master) == {"SPARK_DIST_CLASSPATH": joined}
    assert jars.spark_jar_settings(master) == {}


@pytest.mark.parametrize("master", ["local-cluster[2,1,1024]", CLUSTER, "yarn"])
def test_jars_are_not_on_the_class_path_when_there_are_other_machines(
    master: str, listed: list[Path]
) -> None:
    assert jars.class_path_environment(master) == {}
    assert jars.spark_jar_settings(master)["spark.jars"]


def test_jars_come_behind_what_the_user_has_on_the_class_path(
    listed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_DIST_CLASSPATH", "/own/x.jar")
    found = jars.class_path_environment("local")["SPARK_DIST_CLASSPATH"]
    assert found == f"/own/x.jar:{listed[0]}:{listed[1]}"
    monkeypatch.setenv("SPARK_DIST_CLASSPATH", found)
    assert jars.class_path_environment("local")["SPARK_DIST_CLASSPATH"] == found


def test_local_master_resolves_the_jars_when_there_is_no_list(state: Path) -> None:
    assert jars.class_path_environment("local[*]") == {}
    assert jars.spark_jar_settings("local[*]") == RESOLVED


def test_jars_are_resolved_when_there_is_no_list(state: Path) -> None:
    assert jars.spark_jar_settings(CLUSTER) == RESOLVED
    assert jars.spark_submit_arguments() == [
        "--packages",
        RESOLVED["spark.jars.packages"],
        "--exclude-packages",
        RESOLVED["spark.jars.excludes"],
    ]


def test_jars_are_resolved_when_a_listed_file_is_gone(listed: list[Path]) -> None:
    listed[1].unlink()
    assert jars.spark_jar_settings(CLUSTER) == RESOLVED


def test_jars_are_resolved_when_the_listed_ones_are_in_the_home_of_another_user(
    listed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    assert jars.spark_jar_settings("local[*]") == RESOLVED


@pytest.mark.parametrize("name", ["PACKAGES", "EXCLUDES"])
def test_jars_are_resolved_when_the_list_is_of_other_coordinates(
    name: str, listed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, name, ("org.example:other:1",))
    assert "spark.jars" not in jars.spark_jar_settings(CLUSTER)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a.jar\n"])
def test_jars_are_resolved_when_the_list_is_no_list(content: bytes, state: Path) -> None:
    (state / "spark-jars.txt").write_bytes(content)
    assert jars.spark_jar_settings(CLUSTER) == RESOLVED


def test_jars_are_resolved_when_the_list_names_none(listed: list[Path], state: Path) -> None:
    path = state / "spark-jars.txt"
    path.write_text(path.read_text().splitlines()[0])
    assert jars.spark_jar_settings(CLUSTER) == RESOLVED


def test_nothing_is_set_when_spark_submit_has_started_the_process(
    listed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert jars.spark_jar_settings(CLUSTER) == {}


def test_step_does_nothing_when_the_list_is_good(
    listed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "resolve_jars", lambda _: pytest.fail("resolved again"))
    assert jars.main([]) == 0


def test_step_ends_with_two_and_one_line_when_the_jars_cannot_be_fetched(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> list[str]:
        raise MachineError("the Spark jars could not be fetched")

    monkeypatch.setattr(jars, "resolve_jars", fail)
    assert jars.main([]) == 2
    assert capsys.readouterr().err == "error: the Spark jars could not be fetched\n"


def test_step_prints_the_arguments_one_a_line(
    listed: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert jars.main(["--spark-submit"]) == 0
    assert capsys.readouterr().out == f"--jars\n{listed[0]},{listed[1]}\n"


@pytest.fixture
def listed_for_s3a(state: Path) -> Path:
    """A jar with the list of those that an S3 store needs."""
    path = state / "aws.jar"
    path.write_bytes(b"")
    first = f"# {','.join(jars.S3A_PACKAGES)} without {','.join(jars.EXCLUDES)}"
    others = [state / "a.jar", state / "b.jar"]
    lines = [first, *map(str, [path, *others]), ""]
    jars._list_path(jars.S3A_PACKAGES).write_text("\n".join(lines))
    return path


def test_client_of_s3_is_for_those_alone_who_work_on_s3(
    listed: list[Path], listed_for_s3a: Path
) -> None:
    assert jars.packages_for("/lake", "hdfs://name:8020/lake", None) == jars.PACKAGES
    packages = jars.packages_for("/lake", "s3a://bucket/events")
    assert packages == jars.S3A_PACKAGES
    # Behind the others, for whose class path there is an archive of classes.
    behind = ":".join(map(str, [*listed, listed_for_s3a]))
    assert jars.class_path_environment("local[2]", packages) == {"SPARK_DIST_CLASSPATH": behind}
    all_jars = ",".join(map(str, [listed_for_s3a, *listed]))
    assert jars.spark_jar_settings(CLUSTER, packages) == {"spark.jars": all_jars}
    assert jars.spark_jar_settings(CLUSTER) == {"spark.jars": f"{listed[0]},{listed[1]}"}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nightly", "--env", "local"],
        ["nightly", "--env", "nowhere"],
        ["nightly", "--env=nowhere"],
        ["nightly", "--env", "local", "--env=nowhere"],
        ["nightly", "--env=nowhere", "--env", "local"],
    ],
)
@pytest.mark.parametrize(
    ("lakehouse", "events", "is_s3a"),
    [("/lake", "/events", False), ("s3a://b/lake", "", True), ("/lake", "s3a://b/events", True)],
)
def test_arguments_of_a_job_on_s3_have_its_client(
    arguments: list[str],
    lakehouse: str,
    events: str,
    is_s3a: bool,
    listed: list[Path],
    listed_for_s3a: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LAKEHOUSE", lakehouse)
    named = ["--events", events] if events else []
    jars.main(["--spark-submit", *arguments, *named])
    if " ".join(arguments).endswith("nowhere") and not named:
        # The job says that there is no such configuration.
        is_s3a = False
    assert ("aws.jar" in capsys.readouterr().out) == is_s3a


def test_hadoop_client_is_of_the_hadoop_that_spark_brings() -> None:
    spark = Path(pyspark.__file__).parent
    [client] = (spark / "jars").glob("hadoop-client-api-*.jar")
    assert jars.S3A_PACKAGES[-1].rpartition(":")[2] == client.stem.rpartition("-")[2]
