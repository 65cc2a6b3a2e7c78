"""The README's figures and pictures are those that a command of the project makes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# A figure in the README -> the page that has the command's output, and the figure there.
FIGURES = {
    ".7643": ("evaluation", r"│ lightgbm +│ 0\.7643 "),
    ".7644": ("evaluation", r"│ true page chances +│ 0\.7644 "),
    "165.7 s": ("speed", r"\| this project, first night \| 165\.7 "),
    "26.5 s": ("speed", r"\| this project, one more night \| 26\.5 "),
    ".08": (
        "monitoring-measured",
        r"│ harmless wander of 2\.5% of an SD: retrainings for drift [^\n]*│ 0\.08 ",
    ),
    ".19": ("monitoring-measured", r"0\.47 retrainings a year in 36 years, and 0\.19 since"),
}


def promised_rows(page: str) -> list[list[str]]:
    """The cells of the rows of printed tables, each wrapped promise in one piece."""
    rows: list[list[str]] = []
    for line in page.splitlines():
        if not line.startswith("│"):
            continue
        first, *others = (cell.strip() for cell in line.strip("│").split("│"))
        # A long promise goes on in a second line, which has nothing else.
        if rows and not any(others):
            rows[-1][0] += f" {first}"
        else:
            rows.append([first, *others])
    return rows


@pytest.mark.parametrize("figure", FIGURES)
def test_figure_is_in_the_output_of_the_command_beside_it(figure: str) -> None:
    page, pattern = FIGURES[figure]
    [row] = [line for line in README.splitlines() if figure in line and line.count("|") == 4]
    assert f"docs/{page}.md" in row
    assert re.search(pattern, (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"))


def test_comparison_with_a_script_has_the_measured_ratios() -> None:
    speed = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    small, *_, full = re.findall(r"(first|more) night, ([\d.]+) times DuckDB", speed)[::2]
    assert f"{small[1]} times as fast at 226 users, {full[1]} times at 22,277" in README
    more = re.findall(r"one more night, ([\d.]+) times DuckDB", speed)[-1]
    assert f"one more night of 22,277 users takes {more} times as long" in README


def test_at_most_is_the_largest_of_all_harmless_years() -> None:
    page = (ROOT / "docs" / "monitoring-measured.md").read_text(encoding="utf-8")
    promise = re.compile(r": retrainings for drift a year, 12 years$")
    found = [float(row[2]) for row in promised_rows(page) if promise.search(row[0])]
    assert len(found) == 7
    assert max(found) == 0.08 == round(1 / 12, 2)
    assert "at most one in 12 years (.08 a year)" in README


def test_every_figure_of_the_first_table_is_checked() -> None:
    table = README[README.index("| | | shown by |") : README.index("| the daily call list")]
    found = re.findall(r"(?<![\w.])(?:\d+)?\.\d+(?: s)?", table)
    assert sorted(one for one in found if one != "11.7") == sorted(FIGURES)


@pytest.mark.parametrize(
    ("users", "begin"),
    [("450", "Mean of 10 worlds of 450"), ("900", "Mean of 10 worlds of 900"), ("22,277", "Memo")],
)
def test_share_of_what_is_possible_is_in_the_output_of_its_command(users: str, begin: str) -> None:
    pages = [ROOT / "docs" / name for name in ("evaluation.md", "how-to/own-log.md")]
    evaluation, own_log = (page.read_text(encoding="utf-8") for page in pages)
    printed = evaluation[evaluation.index(begin) :]
    reached = re.search(r"against the true probabilities: 0(\.\d+)", printed)
    told = re.search(r"told\s+the\s+true\s+page\s+chances,\s+has\s+0(\.\d+)", printed)
    assert reached
    assert told
    assert f"| {users} | {reached[1]} | {told[1]} |" in README
    [row] = [line for line in own_log.splitlines() if line.startswith(f"| {users} |")]
    assert re.findall(r"\.\d+", row) == [reached[1], told[1]]


@pytest.mark.parametrize("name", re.findall(r"!\[[^]]*\]\(([^)]+)\)", README))
def test_picture_is_there_and_small(name: str) -> None:
    assert 5_000 < (ROOT / name).stat().st_size < 100_000


def test_first_screen_comes_before_the_first_heading_of_a_part() -> None:
    first = README[: README.index("\n## ")]
    assert "make demo" in first
    assert "make run EVENTS=" in first
    assert first.count("![") == 2
    assert len(first.splitlines()) < 30
