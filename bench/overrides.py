"""What of a bench's settings isn't as it is shipped, for the line beside its figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import reduce

from churn_spark.config import load_config


def describe_overrides(overrides: Sequence[str]) -> str:
    """`policy.schedule_days=91 (shipped: 7)`, or that all is as shipped."""
    config = load_config()
    said = []
    for one in overrides:
        shipped = reduce(getattr, one.partition("=")[0].split("."), config)
        said.append(f"{one} (shipped: {json.dumps(shipped)})")
    return ", ".join(said) or "settings as shipped"
