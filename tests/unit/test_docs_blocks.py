"""Every block of code in README and docs is run, checked, or listed here with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import typer
import yaml
from markdown_blocks import ROOT, Block, blocks, commands

from churn_spark.config import load_config
from scripts.docs_site.reference.commands import job_names, load_command

pytestmark = pytest.mark.unit

RUN: Final = {
    "python": "test_docs_python.py runs those of the service, test_api_docs.py those of notebooks",
    "diff": "tests/unit/test_contributing.py applies them",
    "yaml": "read here by the model of the configuration",
}
"""Language of a block -> who runs it or reads it."""

SHOWN: Final = {
    ("README.md", "JSON logs -> events"): "a drawing; of docs/jobs.md, where it is written by code",
    ("docs/jobs.md", "JSON logs -> events"): "a drawing, written by `make docs`",
    ("docs/architecture.md", "+--"): "a drawing, written by `make docs`",
    ("docs/evaluation.md", "Lifetime label"): "lines of `make bench-model`, an hour",
    ("docs/monitoring.md", "2,000 worlds"): "lines of `make bench-effect`, named above them",
    ("docs/explanation/the-list-by-effect.md", "not yet by effect"): "what the bench below prints",
    ("docs/explanation/the-list-by-effect.md", "5 worlds"): "what the command above it printed",
    ("docs/how-to/foreign-log.md", "ingest_events"): "what `make run` above it printed",
    ("docs/how-to/record-contacts.md", "user_id,list_date"): "a CSV file, read here",
    ("docs/start/ten-minutes.md", ""): "what `make demo` prints, line by line",
}
"""Page and how a block begins -> why nothing of it can be run."""

OTHERS: Final = {
    **dict.fromkeys(("aws", "databricks"), "needs an account of somebody's platform"),
    **dict.fromkeys(("docker", "podman", "kubectl"), "`make image-check` builds and runs images"),
    **dict.fromkeys(("hdfs", "venv-pack"), "needs a cluster of Hadoop's"),
    **dict.fromkeys(("cd", "export", "git", "mkdir", "sed"), "a word of the shell's"),
    "submit.sh": "deploy/kubernetes/submit.sh needs a cluster of Kubernetes'",
    "curl": "tests/unit/test_serving_interface.py asks the same of the service",
    "pip": "needs the network",
    "pre-commit": "changes the checkout's hooks",
    "15": "the hours of a line for cron: tests/unit/test_deploy.py reads the whole file",
}
"""Program that isn't ours -> why its call is only shown."""

# Typer has a copy of click of its own.
_UsageError: Final = typer.BadParameter.__base__
_ASSIGNED = re.compile(r"[A-Za-z_]+=")
_PRINTED = re.compile(r"[a-z_]+ {2,}\S")
_OPTIONAL = re.compile(r"\[[^\]]*\]")
_SUBSTITUTED = re.compile(r'"?\$\([^)]*\)"?')
_DATE = "2018-12-01"
BLOCKS = blocks()


def reason_for(block: Block) -> str | None:
    """Why nothing of the block can be run; None where it isn't listed."""
    page = block.place.partition(":")[0]
    for (listed, begin), reason in SHOWN.items():
        has_call = any(called(words) for words in commands(block))
        is_printed = begin or _PRINTED.match(block.text) or not has_call
        if page == listed and is_printed and block.text.lstrip().startswith(begin):
            return reason
    return None


def called(words: list[str]) -> list[str]:
    """A command without the variables before it and what is written after it."""
    at = next((n for n, word in enumerate(words) if not _ASSIGNED.match(word)), len(words))
    until = next((n for n, word in enumerate(words) if n >= at and word.startswith(">")), None)
    return words[at:until]


def faults_of(words: list[str]) -> Iterator[str]:
    """What is wrong with a call, or that nothing here knows its program."""
    if not words:
        return
    program = Path(words[0]).name
    if program.startswith("python"):
        program = words[words.index("-m") + 1] if "-m" in words else program
        arguments = words[words.index("-m") + 2 :] if "-m" in words else words[1:]
    else:
        arguments = words[1:]
    if program in ("churn-spark", "spark-submit.sh") and not arguments[0].startswith("-"):
        program, arguments = f"jobs.{arguments[0]}", arguments[1:]
    if program.startswith("jobs."):
        yield from faults_of_job(program.removeprefix("jobs."), arguments)
    elif program.startswith(("bench.", "scripts.")):
        yield from faults_of_module(program, arguments)
    elif program not in ("make", "pytest", "churn-spark", *OTHERS):
        # Targets, and the files of tests, are looked up by test_docs_code.py.
        yield f"nobody knows {program}"


def faults_of_job(name: str, arguments: list[str]) -> Iterator[str]:
    """The arguments, given to the job's own command line."""
    if name not in job_names():
        yield f"no job {name}"
        return
    try:
        load_command(name).make_context(name, [*arguments])
    except typer.Exit:
        return
    except _UsageError as error:
        if "does not exist" not in error.format_message():
            yield f"{name} {' '.join(arguments)}: {error.format_message()}"


def faults_of_module(name: str, arguments: list[str]) -> Iterator[str]:
    path = ROOT / name.replace(".", "/")
    files = [*path.parent.glob(f"{path.name}.py"), *path.glob("*.py")]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    yield from (
        f"{name} has no {option}"
        for option in (word.partition("=")[0] for word in arguments if word.startswith("--"))
        # An option is named, or is a parameter of the command's function.
        if f'"{option}"' not in source and f"\n    {_parameter(option)}: " not in source
    )


def _parameter(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def plain(block: Block) -> Block:
    """The block without what is optional, and with a value for what the shell would put in."""
    text = _SUBSTITUTED.sub(_DATE, block.text)
    return Block(block.place, block.language, _OPTIONAL.sub("", text).replace(" ...", ""))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_every_block_is_run_or_checked_or_listed(block: Block) -> None:
    if block.language in RUN or reason_for(block):
        return
    assert block.language in ("", "bash", "sh", "console"), "a language that nobody runs"
    calls = [call for words in commands(plain(block)) if (call := called(words))]
    assert calls or "$ " in block.text or "export " in block.text, "neither a command nor listed"
    assert not [fault for words in calls for fault in faults_of(words)]


def test_every_reason_is_of_a_block_that_is_there() -> None:
    used = {reason_for(block) for block in BLOCKS}
    assert {*SHOWN.values()} <= used
    programs = {Path(word).name for block in BLOCKS for words in commands(block) for word in words}
    assert {*OTHERS} <= programs
    assert {*RUN} <= {block.language for block in BLOCKS}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("frobnicate --now", "nobody knows frobnicate"),
        (".venv/bin/python -m jobs.nightly --dat 2018-12-01", "No such option"),
        ("./spark-submit.sh score_users --date 2018-12-41", "2018-12-41"),
        (".venv/bin/churn-spark nigthly", "no job nigthly"),
        ("python -m bench.model --onyl small", "bench.model has no --onyl"),
    ],
)
def test_a_call_that_would_fail_is_found(text: str, told: str) -> None:
    [fault] = [
        fault for words in commands(Block("x.md:1", "", text)) for fault in faults_of(called(words))
    ]
    assert told in fault


def test_a_block_of_nothing_known_is_found() -> None:
    with pytest.raises(AssertionError, match="a language that nobody runs"):
        test_every_block_is_run_or_checked_or_listed(Block("docs/x.md:1", "rust", "fn main() {}"))
    with pytest.raises(AssertionError, match="neither a command nor listed"):
        test_every_block_is_run_or_checked_or_listed(Block("docs/x.md:1", "", "train_model  3\n"))


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.language == "yaml"], ids=lambda block: block.place
)
def test_yaml_is_a_mapping_that_fits(block: Block, tmp_path: Path) -> None:
    least = {"time": {"column": "t", "unit": "s"}, "user": "u", "page": {"constant": "Visit"}}
    file = tmp_path / "mapping.yaml"
    file.write_text(yaml.safe_dump(least | yaml.safe_load(block.text)), encoding="utf-8")
    assert load_config(overrides=[f"ingest.mapping={file}"]).ingest.mapping
