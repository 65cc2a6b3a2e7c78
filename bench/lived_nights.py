"""Nights one after the other in one session: `python -m bench.lived_nights WORK FIRST END`.

What `bench.many_nights` lets pass between the nights that it measures.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.lived_so_far import LivedSoFar
from bench.many_nights import deliver, grow_old
from churn_spark.pipeline.context import open_job


def live_on(work: Path, first: int, end: int, *overrides: str) -> None:
    """Live the nights from the first to before the last."""
    lakehouse, incoming = work / "lakehouse", work / "incoming"
    with open_job("nightly", "local", [f"lakehouse={lakehouse}", *overrides]) as context:
        from churn_spark.pipeline import night

        for number in range(first, end):
            date = deliver(work / "world", incoming, number)
            config = context.config.night
            night.run(context.lakehouse, lambda: context.registry, config, date, str(incoming))
            grow_old(lakehouse)
            LivedSoFar.read(work).and_one().write(work)


if __name__ == "__main__":
    live_on(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
