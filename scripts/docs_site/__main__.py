"""`python -m scripts.docs_site assemble | check | figures | gallery`: see the Makefile."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    """Do what the first argument names; 1 if the site has faults."""
    parser = argparse.ArgumentParser(prog="python -m scripts.docs_site")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("assemble", help="gather the pages in build/docs/pages")
    commands.add_parser("check", help="check the links of the built site")
    figures = commands.add_parser("figures", help="draw the figures of the explanations")
    figures.add_argument("--log", type=Path, help="a simulated log, for those drawn from one")
    gallery = commands.add_parser("gallery", help="take the charts out of a lakehouse's pages")
    gallery.add_argument("lakehouse", type=Path)
    chosen = parser.parse_args()
    if chosen.command == "assemble":
        return _assemble()
    if chosen.command == "check":
        return _check()
    if chosen.command == "figures":
        from scripts.docs_site.figures import draw_figures

        draw_figures(chosen.log)
    else:
        from scripts.docs_site.gallery import take_charts

        take_charts(chosen.lakehouse)
    return 0


def _assemble() -> int:
    from scripts.docs_site.assemble import assemble, write_pages

    try:
        pages = assemble()
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    write_pages(pages)
    return 0


def _check() -> int:
    from scripts.docs_site import SITE
    from scripts.docs_site.check import find_faults

    faults = find_faults()
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if not faults:
        print(
            f"docs-site            {len([*SITE.rglob('*.html')])} pages, every link leads somewhere"
        )
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
