"""The documentation as a site: what `make docs-site` assembles and checks."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = ROOT / "build" / "docs" / "pages"
"""What the site is built from."""
SITE: Final = ROOT / "build" / "docs" / "site"
