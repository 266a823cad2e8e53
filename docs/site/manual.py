# SPDX-License-Identifier: BSD-2-Clause
"""The pages of the manual, as mandoc makes HTML of them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.parsers import Parser
from sphinx.util.docutils import SphinxDirective

SECTION = re.compile(r'<section class="Sh">\n<h1 class="Sh" id="([^"]*)">(.*?)</h1>\n(.*?)</section>', re.DOTALL)
TAG = re.compile(r"<[^>]*>")


def html_of(path: Path) -> str:
    done = subprocess.run(
        ["mandoc", "-T", "html", "-O", "fragment,man=%N.html", path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def keep_links(html: str, folder: Path) -> str:
    """Links to pages that are not ours (systemd.unit(5), tar(1)) become words."""
    ours = {page.stem for page in folder.glob("*.[1-8]")}
    return re.sub(
        r'<a class="Xr" href="([^"]*)\.html">(.*?)</a>',
        lambda link: link[0] if link[1] in ours else f'<span class="Xr">{link[2]}</span>',
        html,
        flags=re.DOTALL,
    )


class ManualParser(Parser):
    """A page is a section of docutils for each of its own."""

    supported = ("mdoc",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        path = Path(document["source"])
        page = nodes.section("", nodes.title("", f"{path.stem}({path.suffix[1:]})"), ids=[f"manual-{path.stem}"])
        document += page
        for identifier, heading, body in SECTION.findall(keep_links(html_of(path), path.parent)):
            words = " ".join(TAG.sub("", heading).split()).capitalize()
            section = nodes.section("", nodes.title("", words), ids=[identifier])
            # The sections below have headings of the next level.
            body = body.replace("<h2 ", "<h3 ").replace("</h2>", "</h3>")
            section += nodes.raw("", f'<div class="manual-text">{body}</div>', format="html")
            page += section


class ManualList(SphinxDirective):
    """manual-list SECTIONS: the pages of these sections, with what each is for"""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        folder = Path(self.env.srcdir) / "docs" / "man"
        tree = addnodes.toctree(
            parent=self.env.docname, entries=[], includefiles=[], maxdepth=1, hidden=True, glob=False,
            includehidden=False, titlesonly=True, numbered=0, caption=None, rawcaption="", rawentries=[],
        )
        pages = nodes.definition_list(classes=["manual-list"])
        for path in sorted(folder.glob(f"*.[{self.arguments[0]}]")):
            docname = f"docs/man/{path.stem}"
            purpose = re.search(r"^\.Nd (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            title = f"{path.stem}({path.suffix[1:]})"
            link = addnodes.pending_xref(
                "", nodes.inline("", title), refdomain="std", reftype="doc", reftarget=f"/{docname}",
                refexplicit=True, refwarn=True, refdoc=self.env.docname,
            )
            pages += nodes.definition_list_item(
                "", nodes.term("", "", link), nodes.definition("", nodes.paragraph("", purpose[1] if purpose else ""))
            )
            tree["entries"].append((None, docname))
            tree["includefiles"].append(docname)
        self.env.note_dependency(str(folder))
        return [pages, tree]


def setup(app: Sphinx) -> dict[str, Any]:
    for section in range(1, 9):
        app.add_source_suffix(f".{section}", "mdoc")
    app.add_source_parser(ManualParser)
    app.add_directive("manual-list", ManualList)
    return {"parallel_read_safe": True}
