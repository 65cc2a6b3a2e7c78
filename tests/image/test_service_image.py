"""The image of the service, run as docs/service.md says; `make image-check` builds it before.

The lakehouse is mounted at another path than the one where it was written, read-only,
and nothing else can be written to at all.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from champion_builders import publish
from image_builders import podman
from serving_builders import (
    KEY,
    client_of,
    fill_tables,
    make_bundle,
    make_config,
    make_rows,
)

from churn_spark.config import Config
from churn_spark.models.bundle import ModelBundle
from churn_spark.serving.keys import new_key

IMAGE = "localhost/churn-service"
MAX_RSS_MB = 350
READER, READER_LINES = new_key("reader", ["read"])


@dataclass(frozen=True)
class Container:
    name: str
    address: str

    def run(self, code: str) -> str:
        """What Python says in the container."""
        return podman("exec", self.name, "python", "-c", code).stdout

    def wait_until_ready(self, detail: str = "") -> httpx.Response:
        until = time.monotonic() + 60
        answer = None
        while time.monotonic() < until:
            try:
                answer = httpx.get(f"{self.address}/ready")
                if answer.status_code == 200 and detail in answer.text:
                    return answer
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        said = podman("logs", self.name, is_checked=False).stderr
        raise AssertionError(f"{answer.text if answer else 'no answer'}\n{said}")


@contextmanager
def started(lakehouse: Path, folder: Path) -> Iterator[Container]:
    """A container of the image, as its documentation starts it; removed afterwards."""
    keys = folder / "keys.yaml"
    keys.write_text(READER_LINES, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    name = f"churn-service-{os.getpid()}-{port}"
    locked = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--memory=512m")
    podman(
        *("run", "--detach", "--name", name, "--network=host", "--pull=never", *locked),
        *("--security-opt=no-new-privileges", "--env", f"CHURN_API_KEY={KEY}"),
        *("--env", "CHURN_HOST=127.0.0.1", "--env", f"CHURN_PORT={port}"),
        *("--volume", f"{lakehouse}:/lakehouse:ro", "--volume", f"{keys}:/keys.yaml:ro"),
        *(IMAGE, "--set", "serving.keys_file=/keys.yaml"),
        # The scores are of a date long past.
        *("--set", "serving.max_scores_age_hours=1000000"),
    )
    try:
        yield Container(name, f"http://127.0.0.1:{port}")
    finally:
        podman("rm", "--force", "--time=5", name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("image")


@pytest.fixture(scope="module")
def champion() -> ModelBundle:
    return make_bundle(rounds=60)


@pytest.fixture(scope="module")
def config(folder: Path, champion: ModelBundle) -> Config:
    return make_lakehouse(folder / "lakehouse", champion)


def make_lakehouse(folder: Path, champion: ModelBundle) -> Config:
    """A champion, scores and drift, readable to whoever they are mounted for."""
    config = make_config(folder)
    fill_tables(config, publish(config, champion, "1"))
    folder.chmod(0o755)
    return config


@pytest.fixture(scope="module")
def container(config: Config, folder: Path) -> Iterator[Container]:
    with started(Path(config.lakehouse), folder) as container:
        container.wait_until_ready("version 1")
        yield container


def features_of(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if not pd.isna(value)}


def test_it_is_alive_and_ready(container: Container) -> None:
    assert httpx.get(f"{container.address}/health").json() == {"status": "alive"}
    ready = httpx.get(f"{container.address}/ready").json()
    assert ready["is_ready"], ready
    assert "the published champion answers" in ready["checks"]["champion"]["detail"]


def test_its_probability_is_that_of_the_bundle_outside(
    container: Container, champion: ModelBundle
) -> None:
    rows = make_rows(20, seed=3)
    expected = champion.probabilities(rows)
    assert np.ptp(expected) > 0.001
    with client_of(container.address) as client:
        for row, probability in zip(rows.to_dict("records"), expected, strict=True):
            answer = client.post("/predict", json=features_of(row)).raise_for_status().json()
            assert answer["churn_probability"] == pytest.approx(probability, abs=1e-12)


def test_list_comes_from_the_mounted_tables(container: Container) -> None:
    with client_of(container.address) as client:
        assert client.get("/list").json()["n_users"] == 120


def test_keys_from_environment_and_file_are_asked_for(container: Container) -> None:
    url, row = f"{container.address}/predict", {"num_downgrades": 3}
    assert httpx.post(url, json=row).status_code == 401
    headers = {"authorization": f"Bearer {READER}"}
    assert httpx.post(url, json=row, headers=headers).status_code == 403
    assert httpx.get(f"{container.address}/list", headers=headers).status_code == 200


def test_new_champion_is_seen_through_the_mount(folder: Path, champion: ModelBundle) -> None:
    config = make_lakehouse(folder / "two_champions", champion)
    with started(Path(config.lakehouse), folder) as container:
        container.wait_until_ready("version 1")
        publish(config, make_bundle(seed=50), "2")
        container.wait_until_ready("version 2")


def test_health_check_holds_and_can_fail(container: Container) -> None:
    assert podman("healthcheck", "run", container.name).returncode == 0
    wanted = "{{json .Config.Healthcheck.Test}}"
    kind, *command = json.loads(podman("inspect", "--format", wanted, container.name).stdout)
    assert kind == "CMD"
    nobody_there = ("exec", "--env", "CHURN_PORT=1", container.name, *command)
    assert podman(*nobody_there, is_checked=False).returncode == 1


def test_it_runs_as_nobody_special_and_writes_nowhere(container: Container) -> None:
    code = (
        "import os, tempfile\n"
        "try: tempfile.TemporaryFile()\n"
        "except OSError: print(os.getuid(), os.getgid())"
    )
    assert container.run(code) == "10001 10001\n"


def test_no_java_no_spark_and_no_mlflow_are_in_it(container: Container) -> None:
    code = (
        "import importlib.util, shutil\n"
        "absent = ('pyspark', 'delta', 'mlflow', 'jobs.nightly')\n"
        "print(shutil.which('java'), *map(importlib.util.find_spec, absent))"
    )
    assert container.run(code) == "None None None None None\n"


def test_it_stays_within_its_memory(container: Container) -> None:
    status = container.run("print(open('/proc/1/status').read())")
    peak_mb = int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024
    assert peak_mb < MAX_RSS_MB


def test_told_to_stop_it_ends_well(config: Config, folder: Path) -> None:
    with started(Path(config.lakehouse), folder) as container:
        container.wait_until_ready()
        begun = time.monotonic()
        podman("stop", "--time=10", container.name)
        took = time.monotonic() - begun
        code = podman("inspect", "--format", "{{.State.ExitCode}}", container.name).stdout
    assert code == "0\n"
    assert took < 9
