"""The Python interface, off its classes: every method with its arguments and what it raises."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, Final

from churn_spark.api.champion import Champion
from churn_spark.api.effect import Effect
from churn_spark.api.evaluation import Evaluation
from churn_spark.api.lakehouse import Lakehouse
from churn_spark.api.night import Night
from churn_spark.api.rows import Rows, Table
from churn_spark.api.user import User
from scripts.docs_site.reference.text import table

CLASSES: Final = (Lakehouse, Table, Rows, Champion, Evaluation, Night, User, Effect)
"""Those that a notebook meets, the one that it opens first."""
_INTRODUCTION = """# Python

`from churn_spark import Lakehouse` is the interface for notebooks and scripts. It reads and never
writes, takes no lock, and starts Spark only where something asks for it (`.spark()`). How it is
used, by example: [work in a notebook](../how-to/work-in-a-notebook.md). Errors are those of
[the error lines](errors.md): subclasses of `churn_spark.errors.UserError`, which say what was
found, what was expected and what to do.
"""
_SECTION: Final = re.compile(r"^(Args|Attributes|Raises|Returns):\n", re.MULTILINE)
_ENTRY: Final = re.compile(r"^    ([\w*]+): (.*(?:\n {5,}.*)*)", re.MULTILINE)
_QUOTED: Final = re.compile(r"(: |-> )'([^']*)'")
_TITLES: Final = {"Args": "argument", "Attributes": "attribute", "Raises": "raises"}


def describe_python() -> str:
    """The page of the Python interface."""
    return "\n".join([_INTRODUCTION, *(part for one in CLASSES for part in _describe(one))])


def public_members(kind: type) -> list[str]:
    """Names of a class's methods and properties that callers use, in their order."""
    # Its own first; what it has of another class follows.
    names = dict.fromkeys(name for one in kind.__mro__[:-1] for name in vars(one))
    return [
        name
        for name in names
        if not name.startswith("_")
        and (inspect.getdoc(getattr(kind, name, None)) or "")
        and not _is_field(kind, name)
    ]


def _is_field(kind: type, name: str) -> bool:
    return is_dataclass(kind) and name in kind.__dataclass_fields__


def _describe(kind: type) -> Iterator[str]:
    yield f"## {kind.__name__}\n"
    yield from _show(inspect.getdoc(kind) or "")
    for name in public_members(kind):
        member = inspect.getattr_static(kind, name)
        yield f"### `{kind.__name__}.{name}`\n"
        yield from _signature(name, member)
        yield from _show(inspect.getdoc(getattr(kind, name)) or "")


def _signature(name: str, member: Any) -> Iterator[str]:
    """How it is called; of a property, what kind of value it is."""
    function = getattr(member, "fget", None) or getattr(member, "func", None)
    if function is not None:
        yield f"A value: `{inspect.signature(function).return_annotation}`.\n"
        return
    called = inspect.signature(getattr(member, "__func__", member))
    own = [one for one in called.parameters.values() if one.name not in ("self", "cls")]
    # Annotations are texts, which a signature puts into quotes.
    text = _QUOTED.sub(r"\1\2", str(called.replace(parameters=own)))
    yield f"```text\n{name}{text}\n```\n"


def _show(text: str) -> Iterator[str]:
    """A docstring as Markdown: its sections as tables."""
    prose, *sections = _SECTION.split(text)
    yield f"{prose.strip()}\n"
    for title, content in zip(sections[::2], sections[1::2], strict=True):
        entries = _ENTRY.findall(content)
        if title == "Returns" or not entries:
            yield f"{title}: {' '.join(content.split())}\n"
        else:
            yield table((_TITLES[title], "meaning"), ((f"`{n}`", said) for n, said in entries))
