"""The described interface is frozen: programs are written against it."""

from __future__ import annotations

import json
from pathlib import Path

from serving_builders import make_config
from snapshots import assert_snapshot

from churn_spark.serving.app import build_app
from churn_spark.serving.service import Service


def test_interface_is_the_frozen_one(tmp_path: Path) -> None:
    described = build_app(Service(make_config(tmp_path).service)).openapi()
    assert_snapshot("openapi.json", json.dumps(described, indent=1, ensure_ascii=False) + "\n")
