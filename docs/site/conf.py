# SPDX-License-Identifier: BSD-2-Clause
"""The site: the project's documents as they are in the tree, the manual, and a reference of the calls."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path[:0] = [str(HERE), str(TOP / "python")]


def version_of_headers() -> str:
    text = (TOP / "include" / "crossvm" / "version.h").read_text(encoding="utf-8")
    return ".".join(re.findall(r"^#define CROSSVM_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", text, re.MULTILINE))


project = "crossvm"
release = version = version_of_headers()
extensions = ["myst_parser", "breathe", "sphinx.ext.autodoc", "chapters", "manual", "sources", "theme"]

# The tree is the source folder, so that links between documents are the same here and on a forge.
root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "docs/man/*.[1-8]", *(f"{name}/**.md" for name in ("examples", "kvm"))]
include_patterns += [f"{name}/**.md" for name in ("bench", "demo", "linux", "python", "sel4", "systemd", "tests")]
exclude_patterns = ["build", "debian", "LICENSES"]

myst_heading_anchors = 4
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
breathe_default_project = "crossvm"
breathe_domain_by_extension = {"h": "c"}
breathe_show_include = False

html_theme = "furo"
html_title = f"crossvm {release}"
html_static_path = ["static"]
html_css_files = ["crossvm.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
