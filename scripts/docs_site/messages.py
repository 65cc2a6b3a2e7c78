"""Every message that the code raises on purpose, read off the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from churn_spark import errors
from churn_spark.errors import ChurnSparkError
from scripts.docs_site import ROOT

GAP = "…"
"""Stands in a message where the code puts a value."""


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        kind: class of the error.
        text: what it says, with a gap for each value.
        place: file that raises it.
    """

    kind: type[ChurnSparkError]
    text: str
    place: str


def find_messages() -> list[Message]:
    """The messages of all errors of the project's tree, in the order of their files."""
    return [
        Message(kind, text, place) for place, tree in _read_code() for kind, text in _raised(tree)
    ]


def find_texts() -> set[str]:
    """Every text in the code, raised or not, with a gap for each value."""
    return {
        _text_of(node)
        for _, tree in _read_code()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr)
    }


def _read_code() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("churn_spark", "jobs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield path.relative_to(ROOT).as_posix(), tree


def _raised(tree: ast.AST) -> Iterator[tuple[type[ChurnSparkError], str]]:
    """Calls of error classes whose first argument is a text."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        kind = getattr(errors, node.func.id, None)
        if isinstance(kind, type) and issubclass(kind, ChurnSparkError):
            text = _text_of(node.args[0])
            if text.strip(GAP + " "):
                yield kind, text


def _text_of(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text_of(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text_of(node.left) + _text_of(node.right)
    return GAP
