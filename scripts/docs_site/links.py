"""Links of a Markdown page, outside its code: found, and led elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

_FENCE: Final = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_CODE: Final = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_LINK: Final = re.compile(r"(!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\()([^()\s]+)(\))")
_ELSEWHERE: Final = re.compile(r"^([a-z][a-z+.-]*:|#|//)")


def lead_links(page: str, lead: Callable[[str], str]) -> str:
    """The page with each relative link led to where `lead` says; code is left alone."""
    return "\n".join(
        line if is_code else _lead_line(line, lead) for line, is_code in split_code(page)
    )


def split_code(page: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is of a fenced block of code."""
    fence = ""
    for line in page.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            yield line, True
            if mark and mark[1].startswith(fence) and line.strip() == mark[1]:
                fence = ""
        else:
            fence = mark[1] if mark else ""
            yield line, bool(mark)


def _lead_line(line: str, lead: Callable[[str], str]) -> str:
    held: list[str] = []

    def hold(code: re.Match[str]) -> str:
        held.append(code[0])
        return f"\x00{len(held) - 1}\x00"

    def follow(link: re.Match[str]) -> str:
        target = link[2] if _ELSEWHERE.match(link[2]) else lead(link[2])
        return f"{link[1]}{target}{link[3]}"

    led = _LINK.sub(follow, _CODE.sub(hold, line))
    return re.sub("\x00(\\d+)\x00", lambda code: held[int(code[1])], led)
