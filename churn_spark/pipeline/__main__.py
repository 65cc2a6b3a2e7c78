"""Write the table of steps into pages: `python -m churn_spark.pipeline docs/jobs.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from churn_spark.pipeline.catalogue import update_page

if __name__ == "__main__":
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(update_page(page.read_text(encoding="utf-8")), encoding="utf-8")
