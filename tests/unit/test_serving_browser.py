"""The service's page in a real browser, with its own content security policy."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from serving_builders import (
    FakeSource,
    build_service,
    fill_tables,
    make_bundle,
    make_config,
    running,
)

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
    *("--enable-logging=stderr", "--v=0", "--dump-dom"),
)


@pytest.mark.parametrize("width", [400, 1200])
def test_page_is_drawn_without_a_complaint(tmp_path: Path, chromium: str, width: int) -> None:
    config = make_config(tmp_path / "lakehouse", require_key=False, max_scores_age_hours=1e6)
    bundle = replace(make_bundle(), version="1")
    fill_tables(config, bundle)
    with running(build_service(config, FakeSource(bundle))) as address:
        for _ in range(100):
            if httpx.get(f"{address}/ready").status_code == httpx.codes.OK:
                break
            time.sleep(0.1)
        done = subprocess.run(
            [
                chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}",
                f"--window-size={width},900", f"{address}/",
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
    # A style or script that the policy forbids would be complained about.
    assert "CONSOLE" not in done.stderr, done.stderr
    assert done.stdout.count("<tr") > 40
    assert "<script" not in done.stdout
    assert "%" in done.stdout
