# SPDX-License-Identifier: BSD-2-Clause
"""`python -m crossvm`: the versions, which library is in use, and the ends of this machine."""

from __future__ import annotations

import argparse
import os
import sys
from typing import List

import crossvm

from ._library import library_path


def describe_dataports(end: crossvm.EndInfo) -> str:
    """As `crossvm ls` has it: sizes in binary units, and the rights of this end."""
    return ", ".join(f"{size_text(size)} {'rw' if writable else 'ro'}" for size, writable in end.dataports) or "-"


def size_text(size: int) -> str:
    """Exact, in the largest unit that divides it."""
    for shift, unit in ((30, "G"), (20, "M"), (10, "K")):
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(size)


def table(ends: List[crossvm.EndInfo]) -> List[str]:
    """Lines with aligned columns."""
    rows = [("NAME", "VIA", "LOCATION", "PEER", "DATAPORTS")]
    for end in ends:
        via, peer = (word.name.lower().replace("_", "-") for word in (end.via, end.peer_state))
        rows.append((end.name, via, end.location or "-", peer, describe_dataports(end)))
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m crossvm",
        description="Shows the versions of the crossvm module and its library, and the ends of this machine.",
    )
    version = f"crossvm {crossvm.__version__}"
    parser.add_argument("--version", action="version", version=version)
    parser.parse_args()
    lines = [version, f"library {library_path()}", f"Python {sys.version.split()[0]} ({sys.executable})", ""]
    ends = crossvm.ends()
    lines += table(ends) if ends else ["there are no ends of connections on this machine"]
    if sys.stdout is None:
        raise OSError("cannot write: the standard output is closed")
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:  # of the library, or the output cannot be written
        # What could not be written is still in the buffer, and Python would try it again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(f"python -m crossvm: {error.strerror or error}")
