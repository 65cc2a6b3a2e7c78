"""The Spark jars: where set-up has put those of the installed line (`runtime/spark_lines.py`).

Spark's own resolver fetches them once, into its default cache (`~/.ivy2`), and set-up writes
their paths to a list in the virtual environment. With the list a session starts without the
resolver: quicker, quiet, and without a network. Without it a session resolves them itself.

`python -m churn_spark.runtime.jars` is the set-up step, and does nothing when the list is good;
`python -m churn_spark.runtime.jars --spark-submit JOB OPTION ...` prints the arguments for
spark-submit, one a line. Who keeps a lakehouse or logs on S3 needs Hadoop's client for it, 280 MB,
which has a list of its own: nobody else fetches it.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from churn_spark.config import load_config
from churn_spark.errors import ConfigError, MachineError
from churn_spark.hashing import text_hash
from churn_spark.runtime.java import configure_java, is_submitted, state_dir, write_atomically
from churn_spark.runtime.object_store import needs_s3a
from churn_spark.runtime.spark_lines import INSTALLED

PACKAGES, EXCLUDES = INSTALLED.packages, INSTALLED.excludes
# EMR and the like have a Hadoop of their own, and start their own Spark.
S3A_PACKAGES = (*PACKAGES, f"org.apache.hadoop:hadoop-aws:{INSTALLED.hadoop}")

_LOG_TAIL = 15  # lines: Ivy ends its log with the artifacts that it missed and why


def packages_for(*places: str | None) -> tuple[str, ...]:
    """The coordinates of what Spark needs to work with some places.

    Args:
        places: of a lakehouse and of logs, or arguments of a job that name them.
    """
    return S3A_PACKAGES if needs_s3a(*places) else PACKAGES


def spark_jar_settings(master: str, packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """The session settings that bring the jars, for a JVM that has not started yet.

    Args:
        master: of the session.
        packages: coordinates, see `packages_for`.

    Returns:
        `spark.jars` with local paths where set-up has resolved them and all are still there,
        else the coordinates for the resolver. Nothing where the jars are on the class path
        (`class_path_environment`), and nothing under spark-submit: its JVM is up already and
        has got its jars from the command line.
    """
    if is_submitted() or class_path_environment(master, packages):
        return {}
    jars = listed_jars(packages)
    return {"spark.jars": ",".join(jars)} if jars else _resolver_settings(packages)


def class_path_environment(master: str, packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """The environment variable that puts the jars behind Spark's own on the JVM's class path.

    There the executor of a local master needs no copy of them, and the archive of classes
    (`runtime/archive.py`) holds theirs too. Behind, so that of two versions of a library
    Spark's own is taken, as with `spark.jars`.

    Returns:
        Nothing for a cluster, whose executors get the jars by `spark.jars`, and nothing where
        set-up has resolved none.
    """
    jars = listed_jars(packages)
    if not jars or not re.fullmatch(r"local(\[.*\])?", master):
        return {}
    # The archive of classes fits a class path that goes on behind the one it was made for.
    usual = set(listed_jars(PACKAGES))
    jars = sorted(jars, key=lambda jar: jar not in usual)
    own = os.environ.get("SPARK_DIST_CLASSPATH", "").split(os.pathsep)
    return {"SPARK_DIST_CLASSPATH": os.pathsep.join(dict.fromkeys([*filter(None, own), *jars]))}


def spark_submit_arguments(packages: tuple[str, ...] = PACKAGES) -> list[str]:
    """The same choice as arguments of spark-submit."""
    jars = listed_jars(packages)
    if jars:
        return ["--jars", ",".join(jars)]
    return ["--packages", ",".join(packages), "--exclude-packages", ",".join(EXCLUDES)]


def resolve_jars(packages: tuple[str, ...] = PACKAGES) -> list[str]:
    """Fetch the jars through Spark's resolver and write the list; return their paths.

    Raises:
        MachineError: if there is no Java 17, or the resolver fails; the end of its log goes
            to stderr before.
    """
    configure_java()
    # Here and not above: half a second to import, and needed only by set-up.
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").appName("churn_spark set-up")
    builder = builder.config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.bindAddress", "127.0.0.1")
    builder = builder.config("spark.driver.host", "127.0.0.1")
    for name, value in _resolver_settings(packages).items():
        builder = builder.config(name, value)
    with tempfile.TemporaryFile() as log:
        try:
            with _output_captured(log):
                spark = builder.getOrCreate()
                uris = spark.conf.get("spark.jars") or ""
                spark.stop()
        except Exception as error:
            log.seek(0)
            text = log.read().decode(errors="replace")
            print("\n".join(text.splitlines()[-_LOG_TAIL:]), file=sys.stderr)
            raise MachineError(_advice(text)) from error
    jars = sorted(unquote(urlsplit(uri).path) for uri in uris.split(",") if uri)
    lines = [_coordinates(packages), *jars, ""]
    write_atomically(_list_path(packages), "\n".join(lines).encode())
    return jars


def _resolver_settings(packages: tuple[str, ...]) -> dict[str, str]:
    return {
        "spark.jars.packages": ",".join(packages),
        "spark.jars.excludes": ",".join(EXCLUDES),
    }


def _list_path(packages: tuple[str, ...]) -> Path:
    others = "" if packages == PACKAGES else f"-{text_hash(','.join(packages))}"
    return state_dir() / f"spark-jars{others}.txt"


def _coordinates(packages: tuple[str, ...]) -> str:
    """The list's first line: a list made for other coordinates doesn't count."""
    return f"# {','.join(packages)} without {','.join(EXCLUDES)}"


def listed_jars(packages: tuple[str, ...]) -> list[str]:
    """Paths of the jars that set-up has put on its list; none unless all are still there.

    None, too, where another user has set up, into a home that this one may not look into.
    """
    try:
        first, *jars = _list_path(packages).read_text(encoding="utf-8").splitlines()
        is_complete = first == _coordinates(packages) and all(Path(jar).is_file() for jar in jars)
    except (OSError, ValueError):
        return []
    return jars if is_complete else []


def _advice(log: str) -> str:
    if "PKIX" in log:
        return (
            "the resolver of the Spark jars doesn't trust the network's certificate, expected "
            "one of a known authority: set SSL_CERT_FILE to a CA bundle that holds it, then "
            "run `make setup` again"
        )
    return (
        "the Spark jars could not be fetched (the end of the resolver's log is above), "
        "expected Maven Central within reach: check the network or the proxy, then run "
        "`make setup` again"
    )


@contextmanager
def _output_captured(log: IO[bytes]) -> Iterator[None]:
    """Send stdout and stderr to a file, by descriptor: the JVM inherits those."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    try:
        for descriptor in saved:
            os.dup2(log.fileno(), descriptor)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, copy in saved.items():
            os.dup2(copy, descriptor)
            os.close(copy)


def _env_of(arguments: list[str]) -> str:
    """What `--env NAME` or `--env=NAME` says; the last one, as the job takes it."""
    env = "local"
    for before, argument in pairwise(["", *arguments]):
        if before == "--env":
            env = argument
        elif argument.startswith("--env="):
            env = argument.partition("=")[2]
    return env


def _configured(arguments: list[str]) -> tuple[str, ...]:
    """Where the lakehouse and the logs are; nothing where the job will say what is wrong."""
    try:
        config = load_config(_env_of(arguments))
    except ConfigError:
        return ()
    return config.lakehouse, config.ingest.events


def main(arguments: list[str]) -> int:
    """Run the set-up step, or print spark-submit's arguments; return the exit code."""
    packages = packages_for(*arguments, os.environ.get("EVENTS"), *_configured(arguments))
    if arguments[:1] == ["--spark-submit"]:
        print("\n".join(spark_submit_arguments(packages)))
        return 0
    if listed_jars(packages):
        return 0
    try:
        jars = resolve_jars(packages)
    except MachineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"Spark jars: {len(jars)}, listed in {_list_path(packages)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
