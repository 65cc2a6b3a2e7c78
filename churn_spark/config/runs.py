"""Section of what each run tells of itself."""

from __future__ import annotations

from churn_spark.config.section import Section


class RunsConfig(Section):
    """Where a run tells what it took and wrote, beside the table `monitoring/runs`."""

    log: str
    metrics_folder: str
