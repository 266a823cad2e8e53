#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_links.py FOLDER: each link between the pages of a site leads to a file, and to an anchor that the page there has.

Links to elsewhere are listed and not followed: pages of others may be gone for a day."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The anchors of a page, and where its links lead"""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and (name == "id" or (name == "name" and tag == "a")):
                self.anchors.add(value)
            if value and name in ("href", "src", "data"):
                self.links.append(value)


def check(folder: Path) -> tuple[list[str], set[str]]:
    """What is wrong, and the links to elsewhere"""
    pages = {path: Page(path) for path in sorted(folder.rglob("*.html"))}
    faults: list[str] = []
    elsewhere: set[str] = set()
    for path, page in pages.items():
        here = path.relative_to(folder)
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if parts.scheme != "data":
                    elsewhere.add(link)
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                faults.append(f"{here}: '{link}' leads to no file")
            # A fragment without a name is the top of the page.
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                faults.append(f"{here}: '{link}': the page has no such anchor")
    return faults, elsewhere


def main() -> int:
    folder = Path(sys.argv[1]).resolve()
    faults, elsewhere = check(folder)
    (folder.parent / "links-elsewhere.txt").write_text("".join(f"{link}\n" for link in sorted(elsewhere)), encoding="utf-8")
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"[docs] {len(elsewhere)} links lead elsewhere and were not followed: build/docs/links-elsewhere.txt")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
