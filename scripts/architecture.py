"""Draw the layers that import-linter holds into docs/architecture.md: what `make docs` runs."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN = "<!-- layers: drawn by `make docs` from the contracts in pyproject.toml -->"
END = "<!-- /layers -->"
_WIDTH = 78


def read_layers() -> list[list[str]]:
    """The rooms of each layer, the highest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [layer.replace(":", "|").split(" | ") for layer in layers]


def draw_layers(layers: list[list[str]]) -> str:
    """The layers as boxes: what lies higher imports what lies lower."""
    line = f"+{'-' * _WIDTH}+"
    drawn = [line]
    for rooms in layers:
        names = [room.removeprefix("churn_spark.") for room in rooms]
        width = (_WIDTH - len(names) + 1) // len(names)
        cells = "|".join(f" {name:<{width - 1}}" for name in names)
        drawn += [f"|{cells:<{_WIDTH}}|", line]
    return "\n".join(drawn)


def describe_rooms(layers: list[list[str]]) -> str:
    """A table: each room and the first line of its docstring."""
    rows = [
        f"| `{room.replace('.', '/')}` | {_first_line(room)} |"
        for rooms in layers
        for room in rooms
    ]
    return "\n".join(["| room | what it is |", "| --- | --- |", *rows])


def update_page(text: str) -> str:
    """The page with picture and table written anew.

    Raises:
        ValueError: if their marks are not there.
    """
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"found no {BEGIN} ... {END}, expected both in the page")
    layers = read_layers()
    drawn = f"```\n{draw_layers(layers)}\n```\n\n{describe_rooms(layers)}"
    return f"{before}{BEGIN}\n{drawn}\n{END}{after}"


def _first_line(room: str) -> str:
    path = ROOT.joinpath(*room.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


if __name__ == "__main__":
    PAGE.write_text(update_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit()
