# SPDX-License-Identifier: BSD-2-Clause
"""What documents link to and is no document: files of the tree get a page each, folders a list of theirs."""

from __future__ import annotations

import html
import os
import posixpath
import re
import subprocess
from pathlib import Path
from typing import Any, Iterator

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx.application import Sphinx

LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s#]+)\)")
# Where the pages of the manual are listed already
LISTED = {"docs/man": "docs/site/reference/manual"}
FOLDER = "tree"


def document_of(app: Sphinx, path: str) -> str | None:
    """The document that stands for a file or a folder, if there is one."""
    if path in LISTED:
        return LISTED[path]
    for name in (app.env.path2doc(path), posixpath.join(path, "README")):
        if name in app.env.found_docs:
            return name
    return None


def url(app: Sphinx, docname: str, target: str) -> str:
    return app.builder.get_relative_uri(docname, target)


def replace_links(app: Sphinx, docname: str, source: list[str]) -> None:
    """Links to files and folders, before the parser sees them: it knows documents alone."""
    folder = posixpath.dirname(docname)
    wanted = app.env.__dict__.setdefault("crossvm_sources", {})
    wanted[docname] = set()

    def replaced(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link[2])).rstrip("/")
        if not os.path.exists(os.path.join(app.srcdir, path)) or path.startswith(".."):
            return link[0]
        document = document_of(app, path)
        if document is None:
            wanted[docname].add(path)
            document = f"{FOLDER}/{path}"
        elif app.env.path2doc(path) == document:
            return link[0]
        return f'<a class="reference internal" href="{url(app, docname, document)}">{link[1]}</a>'

    source[0] = LINK.sub(replaced, source[0])


def files_below(app: Sphinx, path: str) -> list[str]:
    """The project's own ones"""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", path]
    done = subprocess.run(command, cwd=app.srcdir, capture_output=True, text=True, check=True)
    return sorted(name for name in done.stdout.split("\0") if name and os.path.exists(os.path.join(app.srcdir, name)))


def page_of_file(app: Sphinx, path: str) -> str:
    text = Path(app.srcdir, path).read_text(encoding="utf-8", errors="replace")
    try:
        lexer = get_lexer_for_filename(path, text)
    except ClassNotFound:
        lexer = TextLexer()
    code = highlight(text, lexer, HtmlFormatter(nowrap=False))
    return f"<h1>{html.escape(path)}</h1>\n{code}"


def page_of_folder(app: Sphinx, path: str, files: list[str]) -> str:
    here = f"{FOLDER}/{path}"
    items = []
    for name in files:
        target = document_of(app, name) or f"{FOLDER}/{name}"
        items.append(f'<li><a class="reference internal" href="{url(app, here, target)}">{html.escape(name)}</a></li>')
    return f"<h1>{html.escape(path)}</h1>\n<ul>{''.join(items)}</ul>"


def make_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    paths = set().union(*app.env.__dict__.get("crossvm_sources", {"": set()}).values())
    for path in sorted(paths):
        if not os.path.isdir(os.path.join(app.srcdir, path)):
            continue
        files = files_below(app, path)
        paths.update(name for name in files if document_of(app, name) is None)
        yield f"{FOLDER}/{path}", {"title": path, "body": page_of_folder(app, path, files)}, "page.html"
    for path in sorted(paths):
        if os.path.isfile(os.path.join(app.srcdir, path)):
            yield f"{FOLDER}/{path}", {"title": path, "body": page_of_file(app, path)}, "page.html"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", replace_links)
    app.connect("html-collect-pages", make_pages)
    return {"parallel_read_safe": False}
