# SPDX-License-Identifier: BSD-2-Clause
"""What Debian's furo lacks: its script imports a library in a way that browsers do not know, and its rules have dark colours only
for readers who choose them on the page, and not for those whose system asks for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

# The colours of a page that is dark by choice
DARK = re.compile(r'body\[data-theme="dark"\] (\{[^}]*--color-[^}]*\})')


def mended_script(folder: Path) -> str:
    text, imports = re.subn(
        r'^import .*Gumshoe from "\./gumshoe-patched.js";$', "", (folder / "furo.js").read_text("utf-8"), flags=re.MULTILINE
    )
    return (folder / "gumshoe-patched.js").read_text("utf-8") + "\n" + text if imports else text


def no_module(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """The script as an ordinary one: browsers load no module from a file, and the site is to be read from files, too."""
    for script in context["script_files"]:
        if "scripts/furo.js" in str(script.filename):
            script.attributes.pop("type", None)


def mended_rules(text: str) -> str:
    # A library of rules in a folder that only some web servers have; crossvm.css has what the site needs of it.
    text = re.sub(r"^@import url\(/[^)]*\);", "", text)
    dark = DARK.search(text)
    if dark is None or 'body:not([data-theme="light"])' in text:
        return text
    return f'{text}\n@media screen and (prefers-color-scheme: dark) {{\n  body[data-theme="auto"] {dark[1]}\n}}\n'


def mend(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.name != "html":
        return
    static = Path(app.outdir) / "_static"
    (static / "scripts" / "furo.js").write_text(mended_script(static / "scripts"), "utf-8")
    rules = static / "styles" / "furo.css"
    rules.write_text(mended_rules(rules.read_text("utf-8")), "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", no_module, priority=900)
    app.connect("build-finished", mend)
    return {"parallel_read_safe": True}
