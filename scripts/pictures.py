"""The README's pictures: what a browser shows of a demo's lakehouse.

`python -m scripts.pictures LAKEHOUSE` serves the lakehouse on this machine, takes the page of the
list and the page of the night in headless Chromium, and writes them small into docs/pictures/.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
from PIL import Image

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "pictures"
_WIDTH, _HEIGHT = 1100, 720
_COLOURS: Final = 64
_PATIENCE_S: Final = 60


def main() -> int:
    """Take both pictures; 2 where something is missing."""
    parser = argparse.ArgumentParser(prog="python -m scripts.pictures")
    parser.add_argument("lakehouse", type=Path, help="of a demo")
    lakehouse = parser.parse_args().lakehouse
    chromium = shutil.which("chromium")
    night = lakehouse / "reports" / "monitoring.html"
    if chromium is None or not night.exists():
        missing = "chromium" if chromium is None else str(night)
        print(f"error: found no {missing}, expected it: install it, or run make demo first")
        return 2
    FOLDER.mkdir(exist_ok=True)
    with serving(lakehouse) as address:
        take(chromium, f"{address}/", FOLDER / "list.png")
    take(chromium, night.resolve().as_uri(), FOLDER / "night.png")
    return 0


@contextmanager
def serving(lakehouse: Path, key: str = "") -> Iterator[str]:
    """The service over a lakehouse, on a free port; gives its address when it answers.

    Args:
        lakehouse: of a demo.
        key: that must be given to see anything; everybody is answered where there is none.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "jobs.serve",
        "--port",
        str(port),
        *(() if key else ("--without-keys",)),
    ]
    # The demo's dates are long past.
    settings = [f"lakehouse={lakehouse}", "serving.max_scores_age_hours=1e9"]
    options = [word for setting in settings for word in ("--set", setting)]
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.DEVNULL, env={**os.environ, "CHURN_API_KEY": key}
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def take(chromium: str, address: str, path: Path) -> None:
    """Write the first screen of a page as a PNG of few colours."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "page.png"
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        where = [f"--screenshot={drawn}", f"--window-size={_WIDTH},{_HEIGHT}"]
        profile = f"--user-data-dir={folder}/profile"
        done = [chromium, *flags, profile, *where, address]
        subprocess.run(done, check=True, capture_output=True, timeout=120)
        with Image.open(drawn) as picture:
            picture.convert("RGB").quantize(_COLOURS).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:,.0f} kB")


def _wait_for(address: str) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        try:
            if httpx.get(address).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"found no answer of {address} within {_PATIENCE_S} s")


if __name__ == "__main__":
    sys.exit(main())
