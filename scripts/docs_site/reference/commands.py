"""Every job with its options, off its command line; which step reads and writes what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

import jobs
from jobs._catalogue import COMMANDS
from jobs._main import spell_example
from scripts.docs_site import ROOT
from scripts.docs_site.reference.text import table

_INTRODUCTION = """# The command line

`churn-spark` has every job as a command: `.venv/bin/churn-spark` after `make setup`, or on the path
after `pip install .`, which needs no checkout. `churn-spark --help` lists the commands by what they
are for, `churn-spark COMMAND --help` says the same as this page, and a mistyped command or option
is answered with its neighbour. `churn-spark --install-completion` lets the shell complete both.

`python -m jobs.NAME` in the project's environment is the same, `./spark-submit.sh NAME` hands a job
to `spark-submit`, and `make` without a target lists the commands around them: set-up, demo, tests,
measurements. What each job reads and writes: [the jobs](../jobs.md).
"""
_HEADER = ("option", "takes", "default", "what it does")
Row = tuple[str, str, str, str]


def describe_commands() -> str:
    """The page of the command line."""
    commands = {name: load_command(name) for name in job_names()}
    rows = {name: list(_options(command)) for name, command in commands.items()}
    used = Counter(row[0] for own in rows.values() for row in own)
    said = {row[0]: row for own in rows.values() for row in own}
    shared = {name for name, n in used.items() if n > len(commands) / 3}
    parts = [
        _INTRODUCTION,
        "## Options that most jobs share\n",
        table(_HEADER, (row for name, row in said.items() if name in shared)),
        _exit_codes(),
    ]
    for group, members in COMMANDS.items():
        parts.append(f"## {group}\n")
        for name in members:
            parts += _describe(f"### `{name}`", commands[name], shared)
            examples = "\n".join(spell_example(name, one) for one in members[name])
            parts.append(f"```\n{examples}\n```\n")
    return "\n".join(parts)


def job_names() -> list[str]:
    """The jobs there are."""
    folder = Path(jobs.__file__).parent
    return sorted(file.stem for file in folder.glob("[!_]*.py"))


def load_command(name: str) -> TyperCommand | TyperGroup:
    """A job's command line."""
    command = typer.main.get_command(import_module(f"jobs.{name}").app)
    assert isinstance(command, TyperCommand | TyperGroup)
    return command


def option_names(command: TyperCommand | TyperGroup) -> set[str]:
    """The options that a command takes, those of its parts among them."""
    found = {name for one in _own_options(command) for name in (*one.opts, *one.secondary_opts)}
    for part in _parts(command).values():
        found |= option_names(part)
    return found | {"--help"}


def _describe(title: str, command: TyperCommand | TyperGroup, shared: set[str]) -> Iterator[str]:
    rows = list(_options(command))
    yield f"{title}\n\n{(command.help or '').strip()}\n"
    own = [row for row in rows if row[0] not in shared]
    if own:
        yield table(_HEADER, own)
    if len(own) < len(rows):
        yield f"Shared: {', '.join(row[0] for row in rows if row[0] in shared)}.\n"
    for name, part in _parts(command).items():
        yield from _describe(f"#### `{name}`", part, shared)


def _options(command: TyperCommand | TyperGroup) -> Iterator[Row]:
    for option in _own_options(command):
        names = " / ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        value = option.metavar or option.opts[0].lstrip("-").upper()
        default = option.default
        is_said = default not in (None, False) and not callable(default)
        yield (
            names,
            "" if option.is_flag else f"`{value}`",
            f"`{default}`" if is_said else "",
            option.help or "",
        )


def _own_options(command: TyperCommand | TyperGroup) -> list[TyperOption]:
    return [one for one in command.params if isinstance(one, TyperOption) and not one.hidden]


def _parts(command: TyperCommand | TyperGroup) -> dict[str, TyperCommand]:
    return getattr(command, "commands", {})


def _exit_codes() -> str:
    """The exit codes as the page of the jobs tells them."""
    page = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
    told = re.search(r"^\| exit code \|.*(?:\n|\Z)(?:\|.*(?:\n|\Z))*", page, re.MULTILINE)
    if told is None:
        raise ValueError("found no table of exit codes in docs/jobs.md, expected one")
    return "\n".join(
        [
            "## Exit codes\n",
            told[0].replace("](", "](../") + "\n",
            "What a scheduler should do with each: [nights that nobody watches](../operation.md). "
            "Every message that ends a job with one of them: [error lines](errors.md).\n",
        ]
    )
