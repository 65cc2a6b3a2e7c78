"""What /openapi.json says is what the service does: thousands of requests that it allows or not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from champion_builders import publish
from serving_builders import (
    KEY,
    add_behaviour,
    fill_tables,
    make_bundle,
    make_config,
    running,
)

from churn_spark.serving.keys import ENVIRONMENT
from churn_spark.serving.service import Service

# Three things no schema can say: a row must know one feature at least, a bad row of a batch or of
# contacts has its problems among the answers, and a bad record of a user's events is left out and
# counted.
EXCEPTIONS = """
[checks]
positive_data_acceptance.enabled = false

[[operations]]
include-name = "POST /predict/batch"
checks.negative_data_rejection.enabled = false

[[operations]]
include-name = "POST /contacts"
checks.negative_data_rejection.enabled = false

[[operations]]
include-name = "POST /predict/events"
checks.negative_data_rejection.enabled = false
"""


@pytest.mark.slow
def test_interface_is_as_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, KEY)
    free = {"requests_per_second": 1e6, "burst": 1_000_000, "max_scores_age_hours": 1e6}
    config = make_config(tmp_path / "lakehouse", **free)
    fill_tables(config, publish(config, add_behaviour(make_bundle()), "1"))
    exceptions = tmp_path / "schemathesis.toml"
    exceptions.write_text(EXCEPTIONS, encoding="utf-8")
    with running(Service(config.service)) as address:
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(exceptions)]
        command += ["run", f"{address}/openapi.json"]
        command += [
            "--header",
            f"X-API-Key: {KEY}",
        ]
        command += ["--max-examples", "400", "--phases", "examples,coverage,fuzzing"]
        # Reproducible: the same service gets the same requests.
        command += ["--seed", "1", "--generation-database", "none", "--no-color"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
