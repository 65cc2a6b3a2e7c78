"""Tables -> `reports/evaluation.html` and `reports/monitoring.html`, pages that need no other."""

from __future__ import annotations

from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import EnvOption, SetOption

app = new_app()


@app.command()
def main(env: EnvOption = "local", overrides: SetOption = None) -> None:
    """Write the page of the newest backtest and that of the newest night, where there is one."""
    with open_job("build_report", env, overrides) as context:
        from churn_spark.pipeline import report

        config = context.config
        report.run(context.lakehouse, context.registry, config.costs, config.policy)


if __name__ == "__main__":
    run_app(app)
