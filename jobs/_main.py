"""The command `churn-spark`: every job as a part of it, loaded when it is called.

To list the commands no job is imported: what each says of itself is read off its source.
"""

from __future__ import annotations

import ast
import os
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from churn_spark import __version__
from jobs._catalogue import COMMANDS
from jobs._command import run_app

NAME: Final = "churn-spark"
_HEADING: Final = "Examples:"


class LazyJobs(TyperGroup):
    """The jobs, of which one is imported when it is called, or its options are completed."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The job that the arguments name, loaded; `train-model` means `train_model`."""
        spelled = args[0].replace("-", "_") if not args[0].startswith("-") else args[0]
        name, found, rest = super().resolve_command(ctx, [spelled, *args[1:]])
        return name, load_command(name) if name else found, rest


def load_command(name: str) -> Any:
    """A job's own command line, with the examples of its use."""
    command: Any = typer.main.get_command(import_module(f"jobs.{name}").app)
    command.epilog = describe_examples(name)
    return command


def describe_examples(name: str) -> str:
    """The examples of a job, as its help ends with them."""
    [examples] = [group[name] for group in COMMANDS.values() if name in group]
    return "\n".join([_HEADING, *(spell_example(name, one) for one in examples)])


def spell_example(name: str, arguments: str) -> str:
    """The whole command."""
    return f"{NAME} {name} {arguments}".strip()


def read_summary(name: str) -> str:
    """The first line that a job says of itself."""
    source = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    functions = (one for one in ast.parse(source).body if isinstance(one, ast.FunctionDef))
    [main] = [one for one in functions if one.name == "main"]
    return (ast.get_docstring(main) or "").partition("\n")[0]


def make_app() -> typer.Typer:
    """The command line of all jobs."""
    app = typer.Typer(
        cls=LazyJobs,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
        epilog="\n".join(
            [
                _HEADING,
                f"{NAME} demo",
                f"{NAME} nightly --events /logs --date 2018-12-01",
                f"{NAME} query --saved list_today",
                f"{NAME} COMMAND --help",
            ]
        ),
    )
    app.callback()(_main)
    for group, commands in COMMANDS.items():
        for name in commands:
            summary = read_summary(name)
            app.command(name, help=summary, rich_help_panel=group)(_loaded_when_called)
    return app


def _say_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"{NAME} {__version__}")
        raise typer.Exit


def _main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Predict which users will cancel soon, and why: from event logs to a daily call list.

    Tables are read from and written to $LAKEHOUSE, by default ./lakehouse.
    """


def _loaded_when_called() -> None:
    """Stands for a job until it is called."""


def main() -> None:
    """Run the command."""
    # No library of ours reports its use anywhere.
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    run_app(make_app(), NAME)


if __name__ == "__main__":
    main()
