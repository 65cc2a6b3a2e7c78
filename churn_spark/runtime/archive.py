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
_NAME = "classes"
_MAX_S = 300  # for Java to write the archive; it takes some seconds


def archive_options() -> str:
    """The options of a JVM that is to take its classes from the archive; none without one.

    The JVM must be the one of `JAVA_HOME`, and its class path that of a local master.
    """
    archive = _archive_path()
    if not archive.is_file():
        return ""
    # Without these Java says on standard output that an archive doesn't fit.
    silent = "-Xlog:disable -Xlog:all=error:stderr"
    return f'-XX:SharedArchiveFile="{archive}" -Xshare:auto {silent}'


def make_archive() -> Path:
    """Write the archive for the Java found and the jars listed, in place of any other.

    Raises:
        MachineError: if there is no Java 17, or it writes none.
    """
    archive = _archive_path()
    with tempfile.TemporaryDirectory(dir=state_dir()) as folder, tempfile.TemporaryFile() as log:
        written = Path(folder, archive.name)
        options = f'-XX:ArchiveClassesAtExit="{written}"'
        command = [sys.executable, "-m", "churn_spark.runtime.exercise", folder, options]
        done = subprocess.run(command, stdout=log, stderr=log, timeout=_MAX_S, check=False)
        if done.returncode or not written.is_file():
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            raise MachineError(lines[-1] if lines else "it wrote none")
        _remove_all()
        written.chmod(0o644)
        written.replace(archive)
    return archive


def _archive_path() -> Path:
    """Where the archive for `JAVA_HOME` and the class path is: what Java looks at, hashed."""
    spark = find_spec("pyspark")
    folder = Path((spark.origin if spark and spark.origin else "") or ".").parent / "jars"
    jars = class_path_environment(LOCAL).get("SPARK_DIST_CLASSPATH", "").split(os.pathsep)
    java = Path(os.environ["JAVA_HOME"], "lib", "server", "libjvm.so")
    digest = hashlib.sha256()
    for path in [java, *sorted(folder.glob("*.jar")), *map(Path, jars)]:
        facts = path.stat() if path.is_file() else None
        known = facts and (facts.st_size, int(facts.st_mtime))
        digest.update(f"{path} {known}\n".encode())
    return state_dir() / f"{_NAME}-{digest.hexdigest()[:12]}.jsa"


def _remove_all() -> None:
    for old in state_dir().glob(f"{_NAME}-*"):
        old.unlink()


def main() -> int:
    """Run the set-up step; return the exit code, 0 also where Java can make no archive."""
    configure_java()
    archive = _archive_path()
    # The reason why there is none is kept as well, so that it isn't tried at each set-up.
    reason = archive.with_suffix(".none")
    if archive.is_file() or reason.is_file():
        return 0
    try:
        size = make_archive().stat().st_size
        print(f"Java's archive of classes: {size / 1e6:.0f} MB, {archive}")
    except (MachineError, OSError, subprocess.TimeoutExpired) as error:
        _remove_all()
        write_atomically(reason, f"{error}\n".encode())
        print(f"Java's archive of classes: none, so jobs start some seconds later ({error})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
