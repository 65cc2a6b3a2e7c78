"""Every message that ends a job on purpose, by exit code and class."""

from __future__ import annotations

import inspect
from collections import defaultdict

from churn_spark.errors import ChurnSparkError, ExitCode
from scripts.docs_site.messages import GAP, find_messages

_INTRODUCTION = f"""# Error lines

Every message that the code raises on purpose, with `{GAP}` where it puts a value. Each says what
was found, what was expected and what to do, on one line that begins with `error:`; nothing is left
half-written. The usual ones are explained in [Troubleshooting](../troubleshooting.md). A traceback
in place of such a line (exit code 1) is a defect of this project: please report it.
"""


def describe_errors() -> str:
    """The page of error lines."""
    grouped: dict[ExitCode, dict[type[ChurnSparkError], set[str]]] = defaultdict(dict)
    for message in find_messages():
        kinds = grouped[message.kind.exit_code]
        kinds.setdefault(message.kind, set()).add(message.text)
    parts = [_INTRODUCTION]
    for code in sorted(grouped):
        parts.append(f"## Exit code {int(code)}\n")
        for kind in sorted(grouped[code], key=lambda one: one.__name__):
            about = (inspect.getdoc(kind) or "").partition("\n")[0]
            parts.append(f"### {kind.__name__}\n\n{about}\n")
            parts.append("\n".join(f"- {_as_code(text)}" for text in sorted(grouped[code][kind])))
            parts.append("")
    return "\n".join(parts)


def _as_code(text: str) -> str:
    mark = "``" if "`" in text else "`"
    pad = " " if mark == "``" else ""
    return f"{mark}{pad}{' '.join(text.split())}{pad}{mark}"
