# SPDX-License-Identifier: BSD-2-Clause
"""How plots look, and the files of SVG that they become: readable in light and in dark, and without telling colours apart."""

import io
import re

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "crossvm",  # equal figures make equal files
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "axes.grid": True,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
})

# What a page in dark replaces: the paper, the text, lesser text, lines of the grid
DARK = {"#ffffff": "#15191f", "#1f2328": "#e6edf3", "#57606a": "#9aa4ae", "#d8dee4": "#333b44"}
PAPER, INK, LESS, GRID = DARK
matplotlib.rcParams.update({
    "figure.facecolor": PAPER, "axes.facecolor": PAPER, "savefig.facecolor": PAPER,
    "text.color": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "axes.edgecolor": LESS,
    "xtick.color": LESS, "ytick.color": LESS, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "grid.color": GRID,
})

# Ours are blue and have round or square marks; rivals have the warm half of a palette that all can tell apart, and a mark
# and a stroke of their own.
OURS = {"channel": ("#1f77c9", "o", "-"), "crossvm-vm": ("#1f77c9", "o", "-"), "ivshmem": ("#2a9d8f", "s", "--"),
        "vfio-user": ("#6a7ff0", "D", "-."), "hub": ("#1f77c9", "o", "-")}
RIVALS = {"virtio-vsock": ("#c2570c", "^", "-"), "virtio-net": ("#d4458f", "v", "--"), "virtio-serial": ("#a8790a", "P", "-."),
          "raw-ivshmem": ("#8a6d5a", "X", ":"), "ring by hand": ("#8a6d5a", "X", ":"), "boost spsc_queue": ("#a8790a", "P", "-."),
          "ck_ring": ("#d4458f", "v", "--"), "pipe": ("#c2570c", "^", "-"), "Unix stream socket": ("#b3402e", "<", "--"),
          "Unix packet socket": ("#9a4d7a", ">", ":"), "ZeroMQ": ("#7a7a2a", "d", "-."), "iceoryx": ("#708090", "h", "--")}
OTHER = ("#708090", "o", "-")


def look(of):
    """Colour, mark and stroke of whose figures these are."""
    base = of.split(",")[0]
    return OURS.get(base) or RIVALS.get(base) or OTHER


def is_ours(of):
    return of.split(",")[0] in OURS


def count(value, _=None):
    """A number at an axis."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def size(value, _=None):
    return f"{value / 1024:g} KiB" if value >= 1024 else f"{value:g} B"


def save(figure, path, title, alt, foot):
    """Writes the plot; `alt` says in a sentence what it shows, `foot` what it was measured on."""
    figure.suptitle(title, x=0.012, y=0.985, ha="left", va="top", fontsize=12.5, fontweight="bold")
    figure.text(0.012, 0.012, foot, fontsize=8, color=LESS, va="bottom")
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    rules = "".join(f'[style*="fill: {light}"]{{fill:{dark}!important}}[style*="stroke: {light}"]{{stroke:{dark}!important}}'
                    for light, dark in DARK.items())
    head = f'<title>{title}</title><desc>{alt}</desc><style>@media (prefers-color-scheme: dark){{{rules}}}</style>'
    content = re.sub(r"(<svg [^>]*>)", lambda found: found.group(1) + head, drawn.getvalue(), count=1)
    path.write_text(re.sub(r"[ \t]+$", "", content, flags=re.M))
