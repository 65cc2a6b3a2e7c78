"""The doctor's findings as a terminal shows them, or a program reads them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.text import Text

from churn_spark.pipeline.doctor_findings import Finding, Verdict
from churn_spark.wording import count_of

_STYLES: Final = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.ERROR: "bold red"}
_INDENT: Final = " " * 9


def show_findings(findings: Iterable[Finding], console: Console | None = None) -> list[Finding]:
    """Print each as soon as it is there, with what to do below; gives all."""
    out = console or Console(highlight=False)
    told = []
    for one in findings:
        told.append(one)
        line = Text.assemble(
            (f"{one.verdict:<{len(_INDENT)}}", _STYLES[one.verdict]), f"{one.check:<14} {one.found}"
        )
        out.print(line, soft_wrap=True)
        if one.advice:
            out.print(Text(f"{_INDENT}{'to do:':>14} {one.advice}"), soft_wrap=True)
    out.print(Text(_count(told)), soft_wrap=True)
    return told


def write_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Print all as one JSON array; gives them."""
    told = [*findings]
    print(json.dumps([asdict(one) for one in told], indent=1, ensure_ascii=False))
    return told


def _count(told: Iterable[Finding]) -> str:
    counts = Counter(one.verdict for one in told)
    n_errors, n_warnings = counts[Verdict.ERROR], counts[Verdict.WARNING]
    if not n_errors + n_warnings:
        return f"{count_of(counts[Verdict.OK], 'check')}, no problems found"
    return f"{count_of(n_errors, 'error')}, {count_of(n_warnings, 'warning')}"
