"""Every key of the configuration: default, kind, and the reason beside it in conf/base.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from churn_spark.config import Config
from scripts.docs_site import DOCS, ROOT
from scripts.docs_site.reference.text import kind_of, table

_INTRODUCTION = """# Configuration

Every key with its default, the values that it takes, and why. The defaults stand in
`conf/base.yaml`; `conf/local.yaml` and `conf/cluster.yaml` hold differences only, chosen by
`--env`. `--set section.key=value` overrides both for one run, as often as it is given:

```
.venv/bin/python -m jobs.score_users --date 2018-12-01 --set scoring.n_reasons=5
```

A key that isn't there, or a value out of its range, ends the run with exit code 2 before anything
is read; all mistakes are named at once, each with the key that it may have meant.
"""


def describe_configuration() -> str:
    """The page of the configuration."""
    lines = (ROOT / "conf" / "base.yaml").read_text(encoding="utf-8").splitlines()
    root = yaml.compose("\n".join(lines))
    assert isinstance(root, yaml.MappingNode)
    schema = Config.model_json_schema()
    starts = sorted(_starts(root))
    parts = [_INTRODUCTION]
    for key, value in root.value:
        found = _resolve(schema["properties"][key.value], schema)
        parts.append(f"## `{key.value}`\n")
        said = _comment(lines, key, value, starts)
        about = (found.get("description") or "").partition("\n")[0]
        if isinstance(value, yaml.MappingNode):
            parts.append("\n".join(filter(None, (about, said and f"{_sentence(said)}"))) + "\n")
            rows = list(_rows(value, found, schema, lines, starts))
        else:
            rows = [(f"`{key.value}`", _default(value, lines), kind_of(found), said)]
        parts.append(table(("key", "default", "takes", "why, or what it does"), rows))
    return "\n".join(parts)


def _rows(
    section: yaml.MappingNode,
    schema: Mapping[str, Any],
    root: Mapping[str, Any],
    lines: list[str],
    starts: list[int],
) -> Iterator[tuple[str, str, str, str]]:
    for key, value in section.value:
        found = _resolve(schema["properties"][key.value], root)
        default = _default(value, lines)
        yield f"`{key.value}`", default, kind_of(found), _comment(lines, key, value, starts)


def _default(value: yaml.Node, lines: list[str]) -> str:
    if isinstance(value, yaml.MappingNode) and not value.flow_style:
        return ", ".join(f"`{key.value}: {one.value}`" for key, one in value.value)
    start, end = value.start_mark, value.end_mark
    text = lines[start.line][start.column : end.column if end.line == start.line else None]
    return f"`{text}`" if text not in ('""', "''") else "empty"


def _comment(lines: list[str], key: yaml.Node, value: yaml.Node, starts: list[int]) -> str:
    """What stands behind the value, and in the lines below it that hold nothing else."""
    first = key.start_mark.line
    begin = first if isinstance(value, yaml.MappingNode) else value.end_mark.line
    is_nested = isinstance(value, yaml.MappingNode) and key.start_mark.column > 0
    last = value.end_mark.line if is_nested else begin + 1
    while not is_nested and last < len(lines) and re.match(r"\s+#", lines[last]):
        last += 1
    found = [
        lines[line].split("#", 1)[1].strip()
        for line in range(begin, min(last, len(lines)))
        if "#" in lines[line] and (line == begin or line not in starts or is_nested)
    ]
    return _with_links(" ".join(found))


def _with_links(text: str) -> str:
    """The pages and decisions that a comment names, as links."""
    text = re.sub(r"docs/adr/(\d{4})", lambda named: _link_to_decision(named[1]), text)
    return re.sub(r"docs/([\w-]+\.md)", r"[\1](../\1)", text)


def _link_to_decision(number: str) -> str:
    [path] = (DOCS / "adr").glob(f"{number}-*.md")
    return f"[ADR {number}](../adr/{path.name})"


def _starts(node: yaml.Node) -> Iterator[int]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key.start_mark.line
            yield from _starts(value)


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return root["$defs"][name] if name else schema


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
