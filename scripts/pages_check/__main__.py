"""Every page that the project shows, looked at by axe-core in Chromium.

`python -m scripts.pages_check LAKEHOUSE` takes the pages of the service over a demo's lakehouse,
its reports, and the documentation's site, writes a picture of each into build/pages, and fails
where one has a fault that axe-core calls serious or critical, or is wider than a phone.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx

from scripts.pictures import serving

_CHECK: Final = Path(__file__).resolve().parent / "check.mjs"
_ROOT: Final = _CHECK.parents[2]
_MODULES: Final = _ROOT / "build" / "pages_check"
_PICTURES: Final = _ROOT / "build" / "pages"
_SITE: Final = _ROOT / "build" / "docs" / "site"
_SERVED: Final = ("/", "/?source=scores", "/page/model")
_REPORTS: Final = ("monitoring.html", "evaluation.html")


def main() -> int:
    """Look at all pages; 1 where one has a fault, 2 where something is missing."""
    parser = argparse.ArgumentParser(prog="python -m scripts.pages_check")
    parser.add_argument("lakehouse", type=Path, help="of a demo")
    lakehouse = parser.parse_args().lakehouse
    needed = {
        "chromium": shutil.which("chromium"),
        "node": shutil.which("node"),
        str(_MODULES / "node_modules"): (_MODULES / "node_modules").is_dir(),
        **{str(path): path.exists() for path in (*_reports(lakehouse), _SITE / "index.html")},
    }
    if missing := [name for name, is_there in needed.items() if not is_there]:
        print(
            f"error: found no {missing[0]}, expected it: make pages-check after make demo, with "
            "chromium, node and npm installed",
            file=sys.stderr,
        )
        return 2
    _PICTURES.mkdir(parents=True, exist_ok=True)
    files = [*_reports(lakehouse), *_site()]
    with serving(lakehouse) as address, serving(lakehouse, secrets.token_hex(32)) as locked:
        pages = [*_served(address), f"{locked}/", *(path.resolve().as_uri() for path in files)]
        # Node looks for its packages beside the script.
        shutil.copy(_CHECK, _MODULES)
        command = ["node", str(_MODULES / _CHECK.name), str(needed["chromium"]), str(_PICTURES)]
        return subprocess.run(command, input="\n".join(pages), text=True, check=False).returncode


def _served(address: str) -> Iterator[str]:
    """The pages of the service, that of the list's first user among them."""
    yield from (f"{address}{path}" for path in _SERVED)
    first = httpx.get(f"{address}/list").json()["rows"][0]["user_id"]
    yield f"{address}/page/users/{first}"


def _reports(lakehouse: Path) -> list[Path]:
    return [lakehouse / "reports" / name for name in _REPORTS]


def _site() -> list[Path]:
    """The site's pages; of the decisions, which are alike, the first."""
    found = sorted(_SITE.rglob("*.html"))
    decisions = [path for path in found if path.parent.parent.name == "adr"]
    return [path for path in found if path not in decisions[1:] and "source" not in path.parts]


if __name__ == "__main__":
    sys.exit(main())
