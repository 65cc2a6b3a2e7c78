"""The figures of the explanations, drawn by the project's own code: `make docs-figures`."""

from __future__ import annotations

from pathlib import Path

from scripts.docs_site import DOCS
from scripts.docs_site.figures.as_of_time import draw_as_of_time
from scripts.docs_site.figures.behaviour import draw_behaviour
from scripts.docs_site.figures.exact_ks import draw_exact_ks
from scripts.docs_site.figures.honest import draw_honest, measure
from scripts.docs_site.figures.policy import draw_policy

FOLDER = DOCS / "explanation"


def draw_figures(log: Path | None) -> None:
    """Write every figure; measure anew what one shows where a simulated log is named."""
    measured = FOLDER / "honest-figures.json"
    if log is not None:
        measured.write_text(measure(log), encoding="utf-8")
    drawn = {
        "as-of-time": draw_as_of_time(),
        "exact-ks": draw_exact_ks(),
        "the-policy": draw_policy(),
        "the-behaviour-model": draw_behaviour(),
        "honest-figures": draw_honest(measured.read_text(encoding="utf-8")),
    }
    for name, svg in drawn.items():
        (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")
