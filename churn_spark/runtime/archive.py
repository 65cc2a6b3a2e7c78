"""The archive of classes: what the JVM would load and verify at each start, laid out once.

A session and its first queries load some 15,000 classes from 275 jars. Java can keep them as an
archive that it maps into memory (application class-data sharing). Set-up makes it: a session
that uses what a night uses, whose JVM writes down at its end what it has loaded.

An archive fits one Java and one class path. Java checks both and goes on without where they
don't fit, so no job fails for it. Its name says what it was made for: with another Java or
other jars it isn't found, and the next set-up makes one anew.

`python -m churn_spark.runtime.archive` is the set-up step, and does nothing when there is one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from churn_spark.errors import MachineError
from churn_spark.runtime.jars import class_path_environment
from churn_spark.runtime.java import configure_java, state_dir, write_atomically

LOCAL = "local[2]"
_PREFIX = "classes"
_MAX_S = 300  # for Java to write the archive; it takes some seconds


def archive_options() -> str:
    """The options of a JVM that is to take its classes from the archive; empty without one.

    The JVM must be the one of `JAVA_HOME`, and its class path that of a local master.
    """
    archive = _find_archive()
    # Else Java says on standard output that an archive doesn't fit.
    silent = "-Xlog:cds=error -Xlog:cds+dynamic=error"
    return f'"-XX:SharedArchiveFile={archive}" -Xshare:auto {silent}' if archive else ""


def make_archive() -> Path:
    """Write the archive for the Java found and the jars listed, in place of any other.

    Raises:
        MachineError: if Java writes none.
    """
    _add_base()
    with tempfile.TemporaryDirectory(dir=state_dir()) as folder, tempfile.TemporaryFile() as log:
        written = Path(folder, "written.jsa")
        options = f'"-XX:ArchiveClassesAtExit={written}"'
        command = [sys.executable, "-m", "churn_spark.runtime.exercise", folder, options]
        done = subprocess.run(command, stdout=log, stderr=log, timeout=_MAX_S, check=False)
        if done.returncode or not written.is_file():
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            raise MachineError(lines[-1] if lines else "Java wrote none and said nothing")
        _remove_all()
        written.chmod(0o644)
        return written.replace(state_dir() / f"{_name()}-{written.stat().st_size}.jsa")


def _add_base() -> None:
    """Let Java lay out its own classes, where it is the wheel's: that comes without them.

    The archive of a class path lies on top of that one; any other Java has it, or isn't ours.
    """
    home = Path(os.environ.get("JAVA_HOME", "")).resolve()
    base = home / "lib" / "server" / "classes.jsa"
    if home.is_relative_to(Path(sys.prefix).resolve()) and not base.exists():
        command = [str(home / "bin" / "java"), "-Xshare:dump"]
        subprocess.run(command, capture_output=True, timeout=_MAX_S, check=False)


def _find_archive() -> Path | None:
    """The archive for `JAVA_HOME` and the class path, whole: Java dies of one that was cut off."""
    for path in state_dir().glob(f"{_name()}-*.jsa"):
        if path.stem.endswith(f"-{path.stat().st_size}"):
            return path
    return None


def _name() -> str:
    """The archive's name but for its size: what Java compares, hashed."""
    spark = find_spec("pyspark")
    folder = Path((spark and spark.origin) or "").parent / "jars"
    behind = class_path_environment(LOCAL).get("SPARK_DIST_CLASSPATH", "").split(os.pathsep)
    java = Path(os.environ.get("JAVA_HOME", ""), "lib", "server", "libjvm.so")
    digest = hashlib.sha256()
    for path in [java, *sorted(folder.glob("*.jar")), *map(Path, behind)]:
        facts = path.stat() if path.is_file() else None
        digest.update(f"{path} {facts and (facts.st_size, int(facts.st_mtime))}\n".encode())
    return f"{_PREFIX}-{digest.hexdigest()[:12]}"


def _remove_all() -> None:
    for old in state_dir().glob(f"{_PREFIX}-*"):
        old.unlink()


def main() -> int:
    """Run the set-up step; return the exit code, 0 also where Java can make no archive.

    Why it can't is kept, so that it isn't tried at each set-up.
    """
    try:
        configure_java()
    except MachineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    reason = state_dir() / f"{_name()}.none"
    if _find_archive() or reason.is_file():
        return 0
    print("Java's archive of classes: being made (half a minute, once)", flush=True)
    try:
        make_archive()
    except (MachineError, OSError, subprocess.TimeoutExpired) as error:
        _remove_all()
        write_atomically(reason, f"{error}\n".encode())
        print(f"Java's archive of classes: none, so jobs start some seconds later ({error})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
