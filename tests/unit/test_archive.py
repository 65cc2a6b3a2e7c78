"""The archive of classes counts only whole, and only for the Java and the jars it is of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from churn_spark.errors import MachineError
from churn_spark.runtime import archive


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty state folder, and a Java and a jar that are files of the test's own."""
    java = tmp_path / "java"
    (java / "lib" / "server").mkdir(parents=True)
    (java / "lib" / "server" / "libjvm.so").write_bytes(b"17")
    (tmp_path / "delta.jar").write_bytes(b"3.3")
    monkeypatch.setenv("JAVA_HOME", str(java))
    jars = {"SPARK_DIST_CLASSPATH": str(tmp_path / "delta.jar")}
    monkeypatch.setattr(archive, "class_path_environment", lambda _: jars)
    monkeypatch.setattr(archive, "configure_java", lambda: None)
    monkeypatch.setattr(archive, "state_dir", lambda: tmp_path / "state")
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def made(state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive, as a Java that writes one line leaves it."""
    monkeypatch.setattr(archive.subprocess, "run", _write)
    return archive.make_archive()


def _write(command: list[str], **_: object) -> archive.subprocess.CompletedProcess[bytes]:
    Path(command[-1].strip('"').partition("=")[2]).write_bytes(b"classes")
    return archive.subprocess.CompletedProcess(command, 0)


def test_options_name_the_archive_when_there_is_one(made: Path) -> None:
    assert f'"-XX:SharedArchiveFile={made}"' in archive.archive_options()
    # So Java goes on without where it doesn't fit.
    assert "-Xshare:auto" in archive.archive_options()


def test_options_are_empty_when_there_is_none(state: Path) -> None:
    assert archive.archive_options() == ""


def test_options_are_empty_when_the_archive_was_cut_off(made: Path) -> None:
    made.write_bytes(b"class")
    assert archive.archive_options() == ""


@pytest.mark.parametrize("changed", ["delta.jar", "java/lib/server/libjvm.so"])
def test_options_are_empty_when_a_jar_or_java_is_another(changed: str, made: Path) -> None:
    os.utime(made.parents[1] / changed, (0, 0))
    assert archive.archive_options() == ""


def test_archive_takes_the_place_of_an_older_one(made: Path) -> None:
    os.utime(made.parents[1] / "delta.jar", (0, 0))
    newer = archive.make_archive()
    assert list(made.parent.iterdir()) == [newer]
    assert newer != made


@pytest.mark.parametrize("has_base", [False, True])
@pytest.mark.parametrize("is_ours", [False, True])
def test_java_of_the_environment_lays_out_its_own_classes_first(
    state: Path, monkeypatch: pytest.MonkeyPatch, is_ours: bool, has_base: bool
) -> None:
    java = state.parent / "java"
    monkeypatch.setattr(archive.sys, "prefix", str(state.parent if is_ours else state))
    if has_base:
        (java / "lib" / "server" / "classes.jsa").touch()
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> archive.subprocess.CompletedProcess[bytes]:
        asked.append(command)
        if command[-1] == "-Xshare:dump":
            return archive.subprocess.CompletedProcess(command, 0)
        return _write(command)

    monkeypatch.setattr(archive.subprocess, "run", run)
    archive.make_archive()
    dumped = [[str(java / "bin" / "java"), "-Xshare:dump"]]
    assert asked[:-1] == (dumped if is_ours and not has_base else [])


def test_step_does_nothing_when_there_is_one(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(archive, "make_archive", lambda: pytest.fail("made again"))
    assert archive.main() == 0
    assert capsys.readouterr() == ("", "")


def test_step_says_why_there_is_none_once_and_succeeds(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> Path:
        raise MachineError("ArchiveClassesAtExit is unsupported")

    monkeypatch.setattr(archive, "make_archive", fail)
    assert archive.main() == 0
    assert "none, so jobs start some seconds later (ArchiveC" in capsys.readouterr().out
    assert archive.main() == 0
    assert capsys.readouterr() == ("", "")


def test_archive_is_refused_when_java_wrote_none(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = archive.subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(archive.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(MachineError, match="wrote none"):
        archive.make_archive()
    assert list(state.iterdir()) == []
