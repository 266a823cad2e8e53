# SPDX-License-Identifier: BSD-2-Clause
"""The table of contents. The documents have none, since a forge would show its directives as text."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

CHAPTERS = {
    "Get started": ["docs/start/laptop", "docs/start/qemu", "docs/start/sel4"],
    "Guides": [
        *("docs/howto", "docs/vmm", "docs/forward", "docs/net", "docs/bridge", "docs/sel4", "docs/api"),
        *("examples/README", "python/README", "linux/README", "kvm/README"),
    ],
    "Reference": ["docs/site/reference/manual", "docs/site/reference/c", "docs/site/reference/python"],
    "Specifications": ["docs/device", "docs/channel", "docs/compatibility"],
    "Background": ["docs/design", "docs/security", "docs/performance", "docs/scale"],
    "Project": ["CONTRIBUTING", "tests/guest/README", "CHANGELOG", "docs/upgrade", "SECURITY"],
}
# What pages of their own have in theirs
ELSEWHERE = ("docs/man/", "docs/site/reference/")


def all_chapters(env: BuildEnvironment) -> dict[str, list[str]]:
    """The chapters, with documents that nobody put into one among the guides: they are to be found, too."""
    named = {name for names in CHAPTERS.values() for name in names}
    others = sorted(
        name for name in env.found_docs - named if name != env.config.root_doc and not name.startswith(ELSEWHERE)
    )
    return {**CHAPTERS, "Guides": CHAPTERS["Guides"] + others}


def add_contents(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname != app.config.root_doc:
        return
    for caption, names in all_chapters(app.env).items():
        entries = "\n".join(f"/{name}" for name in names)
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"


def add_index(app: Sphinx, error: Exception | None) -> None:
    """The page that a web server shows of a folder."""
    if error is None and app.builder.name == "html":
        shutil.copy(Path(app.outdir) / f"{app.config.root_doc}.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", add_contents)
    app.connect("build-finished", add_index)
    return {"parallel_read_safe": True}
