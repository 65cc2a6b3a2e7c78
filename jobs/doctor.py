"""Whether this machine and the lakehouse are as the jobs need them, and what to do if not."""

from __future__ import annotations

from typing import Annotated

import typer

from churn_spark.errors import ExitCode
from jobs._command import new_app, run_app
from jobs._options import EnvOption, SetOption

app = new_app()


@app.command()
def main(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print check, verdict, found and advice as JSON.")
    ] = False,
    env: EnvOption = "local",
    overrides: SetOption = None,
) -> None:
    """Check machine, installation and lakehouse, and say what to do; it changes nothing.

    Each line is ok, a warning, or an error without whose repair a job fails. Exits with 2 if there
    is an error, else with 0.
    """
    from churn_spark.pipeline.doctor import examine
    from churn_spark.pipeline.doctor_findings import Verdict
    from churn_spark.pipeline.doctor_page import show_findings, write_findings

    show = write_findings if as_json else show_findings
    findings = show(examine(env, overrides or ()))
    if any(one.verdict is Verdict.ERROR for one in findings):
        raise typer.Exit(ExitCode.MISTAKE)


if __name__ == "__main__":
    run_app(app)
