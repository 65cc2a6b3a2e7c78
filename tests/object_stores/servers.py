"""Servers of the tests: each on a free port of this machine, ended by its process."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pyspark
import pytest

from churn_spark.runtime.jars import PACKAGES, S3A_PACKAGES, listed_jars, resolve_jars
from churn_spark.runtime.java import java_environment

HERE: Final = Path(__file__).parent
S3_ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}
BUCKET: Final = "lake"
_MINI_CLUSTER: Final = (
    *PACKAGES,
    "org.apache.hadoop:hadoop-client-minicluster:3.3.4",
    "ch.qos.reload4j:reload4j:1.2.25",
    "org.mockito:mockito-core:2.28.2",
)
_SECONDS: Final = 180
_POSTGRES: Final = "postgres"


def stores_python() -> str:
    """The interpreter that has the servers' packages."""
    if found := os.environ.get("STORES_PYTHON"):
        return str(Path(found).absolute())
    return pytest.fail("found no $STORES_PYTHON, expected its packages: run `make test-stores`")


def find_jars(packages: tuple[str, ...]) -> list[str]:
    """Paths of the jars, fetched if they aren't there."""
    return listed_jars(packages) or resolve_jars(packages)


@contextmanager
def s3_server(
    script: Sequence[str] = ("-m", "moto.server", "-H", "127.0.0.1", "-p"),
) -> Iterator[Mapping[str, str]]:
    """An object store with an empty bucket; gives the environment that leads to it."""
    # Listed once, the client's jars needn't be resolved by each of the jobs.
    find_jars(S3A_PACKAGES)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running([stores_python(), *script, str(port)], lambda: is_listening(port)):
        httpx.put(f"{url}/{BUCKET}").raise_for_status()
        yield S3_ENVIRONMENT | {"AWS_ENDPOINT_URL": url}


@contextmanager
def hdfs_server(folder: Path) -> Iterator[str]:
    """An HDFS of one data node; gives its address."""
    jars = [*find_jars(_MINI_CLUSTER), str(spark_folder() / "jars" / "*")]
    program = [str(HERE / "MiniHdfs.java"), str(folder)]
    command = [java(), "-Xmx512m", "-cp", os.pathsep.join(jars), *program]
    told = folder / "port"
    with running(command, told.exists):
        yield f"hdfs://127.0.0.1:{told.read_text()}"


@contextmanager
def postgres_server() -> Iterator[str]:
    """An empty PostgreSQL; gives its port and name of a database as an address without a scheme."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    initdb, server = (shutil.which(name, path=path) for name in ("initdb", "postgres"))
    if not initdb or not server:
        pytest.fail("found no initdb and postgres, expected PostgreSQL: install `postgresql`")
    # It refuses to run as root.
    user = _POSTGRES if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="churn-postgres-", ignore_cleanup_errors=True) as data:
        if user:
            shutil.chown(data, user)
        options = ["--auth=trust", "--username=churn", "--no-sync", "--encoding=UTF8"]
        command = [initdb, "--pgdata", data, *options]
        subprocess.run(command, user=user, cwd=data, check=True, capture_output=True)
        port = free_port()
        settings = [f"port={port}", "listen_addresses=127.0.0.1", "fsync=off"]
        settings.append(f"unix_socket_directories={data}")
        command = [server, "-D", data, *(word for one in settings for word in ("-c", one))]
        with running(command, lambda: is_listening(port), user=user, stop=signal.SIGINT):
            yield f"churn@127.0.0.1:{port}/postgres"


@contextmanager
def mlflow_server(database: str, artifacts: str, environment: Mapping[str, str]) -> Iterator[str]:
    """An MLflow on a PostgreSQL; gives its address."""
    port = free_port()
    command = [stores_python(), "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"postgresql+psycopg://{database}"]
    command += ["--artifacts-destination", artifacts]
    url = f"http://127.0.0.1:{port}"
    with running(command, lambda: answers(f"{url}/health"), environment):
        yield url


@contextmanager
def running(
    command: Sequence[str],
    is_ready: Callable[[], bool],
    environment: Mapping[str, str] = {},
    *,
    user: str | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that is ready in the block, and gone with all that it has started behind it."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            start_new_session=True,
        )
        try:
            until = time.monotonic() + _SECONDS
            while not is_ready():
                if process.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    pytest.fail(f"{command[:4]} is not ready: {log.read()[-3000:].decode()}")
                time.sleep(0.2)
            yield process
        finally:
            end(process, stop)


def end(process: subprocess.Popen[bytes], stop: signal.Signals = signal.SIGTERM) -> None:
    """Ask a process and those that it has started to end, and end them if they don't."""
    for how, seconds in ((stop, 20), (signal.SIGKILL, 20)):
        try:
            os.killpg(process.pid, how)
            process.wait(seconds)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def is_listening(port: int) -> bool:
    """Whether somebody does."""
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Whether a web server says that all is well."""
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False


def java() -> str:
    """The Java that Spark starts on."""
    return str(Path(java_environment()["JAVA_HOME"], "bin", "java"))


def spark_folder() -> Path:
    """Where pip has put Spark."""
    return Path(pyspark.__file__).parent
