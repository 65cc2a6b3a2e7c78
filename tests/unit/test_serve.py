"""`serve`: where the service listens, by option, variable or configuration."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from churn_spark.config import ServiceConfig
from jobs import serve


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ServiceConfig]:
    """What the service would have been started with."""
    configs: list[ServiceConfig] = []
    monkeypatch.setattr(serve, "run_service", configs.append)
    monkeypatch.delenv("CHURN_HOST", raising=False)
    return configs


@pytest.mark.parametrize(
    ("options", "variable", "port"),
    [
        ([], None, 9100),
        ([], "9200", 9200),
        (["--port", "9300"], "9200", 9300),
        # Kubernetes' link to a service named churn.
        ([], "tcp://10.0.0.1:8000", 9100),
        (["--port", "9300"], "tcp://10.0.0.1:8000", 9300),
    ],
)
def test_port_is_the_options_then_the_variables_then_the_configurations(
    options: list[str], variable: str | None, port: int, started: list[ServiceConfig]
) -> None:
    done = CliRunner().invoke(
        serve.app, ["--set", "serving.port=9100", *options], env={"CHURN_PORT": variable}
    )
    assert done.exit_code == 0, done.output
    assert [config.serving.port for config in started] == [port]


@pytest.mark.parametrize("port", ["http", "80.5", "tcp:8000"])
def test_port_that_is_no_number_is_refused(port: str, started: list[ServiceConfig]) -> None:
    done = CliRunner().invoke(serve.app, ["--port", port])
    assert done.exit_code == 2
    assert port in done.output
    assert not started
