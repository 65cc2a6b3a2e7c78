"""Code in the project's Markdown: its blocks, their commands, and what stands within lines."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What is told of the past names what was there then.
HISTORY = ("CHANGELOG.md", "docs/adr/")
_FENCED = re.compile(r"^( *)(`{3,})(\w*)[^\n]*\n(.*?)^ *\2$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
# A transcript shows what was printed after a command; a plain block has commands alone.
_PRINTED = re.compile(r"^[a-z_]+  +\S|^[┏┃┡│└+|]")


@dataclass(frozen=True)
class Block:
    """A block of code: where it stands, its language (empty if none is named), its text."""

    place: str
    language: str
    text: str


def pages() -> dict[str, str]:
    """The pages that say what is true now, by their place."""
    paths = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    found = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in paths}
    return {place: found[place] for place in sorted(found) if not place.startswith(HISTORY)}


def blocks() -> list[Block]:
    """Every block of code of every page."""
    return [
        Block(f"{place}:{page[: found.start()].count(chr(10)) + 1}", found[3], found[4])
        for place, page in pages().items()
        for found in _FENCED.finditer(page)
    ]


def inline_code() -> Iterator[tuple[str, str]]:
    """Place and text of what is marked as code within a line."""
    for place, page in pages().items():
        for found in _INLINE.finditer(_FENCED.sub("", page)):
            yield place, found[1]


def commands(block: Block) -> Iterator[list[str]]:
    """The words of each command of a block, without comments and without what was printed."""
    if block.language not in ("", "bash", "sh", "console"):
        return
    lines = re.sub(r"\\\n\s*", " ", block.text).splitlines()
    is_transcript = any(line.startswith("$ ") for line in lines)
    for line in lines:
        if _PRINTED.match(line) or (is_transcript and not line.startswith("$ ")):
            continue
        yield from _split(line.removeprefix("$ "))


def _split(line: str) -> Iterator[list[str]]:
    """The commands of a line: parted by ;, && and |."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return
    command: list[str] = []
    for word in words:
        if word in (";", "&&", "||", "|"):
            yield command
            command = []
        else:
            command.append(word)
    if command:
        yield command
