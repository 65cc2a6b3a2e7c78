"""Whether all is there that the jobs need, and how the lakehouse is: looked at, nothing changed.

What reads tables is imported after the packages were looked at: one of them may be what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from churn_spark.config import Config, load_config
from churn_spark.errors import ConfigError
from churn_spark.pipeline.doctor_findings import Finding, is_well, look, of_error
from churn_spark.pipeline.doctor_machine import look_at_machine, look_at_python


def examine(env: str, overrides: Sequence[str]) -> Iterator[Finding]:
    """Look at one thing after the other.

    Args:
        env: name of a file of the configuration.
        overrides: of single values.
    """
    yield from look_at_python()
    try:
        config = load_config(env, overrides)
    except ConfigError as error:
        # Where the lakehouse is, and how large the JVM, isn't known without.
        yield of_error("configuration", error)
        return
    yield is_well("configuration", f"{env} fits; the lakehouse is {config.lakehouse}")
    yield from look_at_machine(config)
    yield from look("lakehouse", lambda: _look_at_lakehouse(config))


def _look_at_lakehouse(config: Config) -> Iterator[Finding]:
    from churn_spark.pipeline.doctor_lakehouse import look_at_lakehouse

    return look_at_lakehouse(config)
