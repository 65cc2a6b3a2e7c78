"""Files of the project that a page links to, each as a page of its own."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Final

from scripts.docs_site import ROOT

_LANGUAGES: Final = {
    ".py": "python", ".sh": "bash", ".yaml": "yaml", ".yml": "yaml", ".json": "json",
    ".toml": "toml", ".service": "ini", ".timer": "ini", ".conf": "ini", ".cff": "yaml",
}  # fmt: skip
_UNSEARCHED: Final = "---\nsearch:\n  exclude: true\n---\n\n"
"""Code would stand before the pages in what a search finds."""


def show_file(path: Path) -> str:
    """The page of a file: its name and what stands in it; of a notebook its cells."""
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT).as_posix()
    if path.suffix == ".ipynb":
        return f"{_UNSEARCHED}{_show_notebook(text)}"
    language = "dockerfile" if path.name == "Dockerfile" else _LANGUAGES.get(path.suffix, "text")
    return f"{_UNSEARCHED}# {name}\n\n{fenced(text, language)}"


def show_folder(path: Path) -> str:
    """The page of a folder: a link to each file that is kept in it."""
    name = path.relative_to(ROOT).as_posix()
    lines = [
        f"- [{file.relative_to(path).as_posix()}]({file.relative_to(path.parent).as_posix()})"
        for file in list_files(path)
    ]
    return f"{_UNSEARCHED}# {name}\n\n" + "\n".join(lines) + "\n"


def list_files(folder: Path) -> list[Path]:
    """The files of a folder that git keeps, or would."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "."],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sorted(folder / name for name in listed.stdout.split("\0") if name)


def fenced(text: str, language: str) -> str:
    """The text as a block of code, whatever fences it holds itself."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"


def _show_notebook(text: str) -> str:
    cells = json.loads(text)["cells"]
    parts = []
    for cell in cells:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else fenced(source, "python"))
    return "\n\n".join(parts) + "\n"
