"""Code in README and docs: every command, option, key and module that it names is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import pytest
from markdown_blocks import ROOT, Block, blocks, commands, inline_code

from churn_spark.config import Config, load_config
from churn_spark.errors import ConfigError
from scripts.docs_site.reference.commands import job_names, load_command, option_names

pytestmark = pytest.mark.unit
BLOCKS = blocks()
COMMANDS = [(block.place, words) for block in BLOCKS for words in commands(block)]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE))
# Of the environment of whatever is called, not of the Makefile.
VARIABLES = set(re.findall(r"\$[({](\w+)", MAKEFILE)) | {"LAKEHOUSE", "CHURN_API_KEY"}


OURS = ("bench", "scripts", "churn_spark", "jobs")


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or path.is_dir()


def calls_of_jobs() -> Iterator[tuple[str, str, list[str]]]:
    """Place, job and arguments of each call of a job, however it is called."""
    for place, words in COMMANDS:
        for at, word in enumerate(words):
            if found := re.fullmatch(r"jobs\.([a-z_]+)", word):
                yield place, found[1], words[at + 1 :]
            elif word.endswith(("submit.sh", "churn-spark")):
                name, arguments = words[at + 1 : at + 2], words[at + 2 :]
                if name and not name[0].startswith("-"):
                    yield place, name[0], arguments


@cache
def options_of(job: str) -> frozenset[str]:
    return frozenset(option_names(load_command(job)))


def test_the_docs_have_code_to_check() -> None:
    assert len(BLOCKS) > 80
    assert len(COMMANDS) > 150
    assert len(list(calls_of_jobs())) > 40


def test_targets_and_variables_of_make_are_there() -> None:
    wrong = []
    for place, words in COMMANDS:
        if "make" not in words:
            continue
        given = words[words.index("make") + 1 :]
        for word in given:
            name, equals, _ = word.partition("=")
            known = VARIABLES if equals else TARGETS
            if not word.startswith("[") and name not in known:
                wrong.append(f"{place}: make {word}")
    assert not wrong


def test_jobs_and_their_options_are_there() -> None:
    wrong = []
    for place, job, arguments in calls_of_jobs():
        if job not in job_names():
            wrong.append(f"{place}: no job {job}")
            continue
        for word in arguments:
            name = word.partition("=")[0]
            if name.startswith("--") and name not in options_of(job):
                wrong.append(f"{place}: {job} has no {name}")
    assert not wrong


def test_modules_and_files_that_are_run_are_there() -> None:
    wrong = []
    for place, words in COMMANDS:
        for before, word in pairwise(words):
            if before == "-m" and word.partition(".")[0] in OURS and not is_module(word):
                wrong.append(f"{place}: no module {word}")
            is_path = re.match(r"(tests|scripts|deploy|conf|requirements)/[\w/.-]+$", word)
            if is_path and not (ROOT / word).exists():
                wrong.append(f"{place}: no file {word}")
    assert not wrong


def test_values_that_are_set_fit() -> None:
    wrong = []
    for place, words in COMMANDS:
        for before, word in pairwise(words):
            if before == "--set" and word != "section.key=value":
                try:
                    load_config(overrides=[word])
                except ConfigError as error:
                    wrong.append(f"{place}: --set {word}: {error}")
    assert not wrong


def test_keys_named_within_a_line_are_keys_of_the_configuration() -> None:
    keys = {
        f"{section}.{key}"
        for section, field in Config.model_fields.items()
        for key in getattr(field.annotation, "model_fields", {})
    }
    # `spark.NAME` is more often a setting of Spark's own.
    sections = {key.partition(".")[0] for key in keys} - {"spark"}
    wrong = []
    for place, code in inline_code():
        found = re.fullmatch(r"(?:--set )?([a-z_]+)\.([a-z_]+)(?:=.*)?", code)
        if found is None or found[1] not in sections or found[2] in ("py", "md"):
            continue
        if f"{found[1]}.{found[2]}" not in keys:
            wrong.append(f"{place}: {code}")
    assert not wrong


def test_targets_named_within_a_line_are_there() -> None:
    wrong = [
        f"{place}: {code}"
        for place, code in inline_code()
        if (found := re.match(r"make ([a-z][a-z0-9-]*)(?!…)\b", code)) and found[1] not in TARGETS
    ]
    assert not wrong


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.language == "python"], ids=lambda block: block.place
)
def test_python_compiles(block: Block) -> None:
    compile(block.text, block.place, "exec")
