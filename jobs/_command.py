"""How every job runs: its errors become one line, its outcome an exit code."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

import typer

from churn_spark.errors import ChurnSparkError, ExitCode
from churn_spark.troubles import describe_trouble, exit_code_of

if TYPE_CHECKING:
    # Read by the type checker alone: the service, which has no Spark, ends the same way.
    from churn_spark.pipeline.decide import Outcome


def new_app() -> typer.Typer:
    """A command line without completion and without decorated tracebacks."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def code_of(outcome: Outcome, *, fail_on_alert: bool) -> ExitCode:
    """The exit code of a night that ended so: 30 before 20 before 10."""
    if outcome.is_held:
        return ExitCode.HELD
    if outcome.is_asked:
        return ExitCode.RETRAINING_ASKED
    return ExitCode.ALERT if outcome.alerts and fail_on_alert else ExitCode.DONE


def run_app(app: typer.Typer, name: str | None = None) -> None:
    """Run the command; an error of the project ends it with one line and its exit code.

    What the machine refuses, such as to write on a full disk, is the caller's to mend, too.

    Args:
        app: the command line.
        name: of the command in its help; by default as the program was called.
    """
    try:
        app(prog_name=name)
    except ChurnSparkError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(exit_code_of(error))
    except Exception as error:
        if trouble := describe_trouble(error):
            print(f"error: {trouble}", file=sys.stderr, flush=True)
        else:
            traceback.print_exc()
        sys.exit(exit_code_of(error))
