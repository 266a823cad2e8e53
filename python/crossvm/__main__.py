# SPDX-License-Identifier: BSD-2-Clause
"""`python -m crossvm`: the versions, which library is in use, and the ends of this machine."""

from __future__ import annotations

import argparse
import os
import sys
from typing import List, Sequence

import crossvm

from ._library import library_path


def describe_dataports(end: crossvm.EndInfo) -> str:
    """As `crossvm ls` does: sizes in binary units, and the rights of this end."""
    if end.error:
        return f"? ({os.strerror(end.error)})"
    return ", ".join(f"{size_text(size)} {'rw' if writable else 'ro'}" for size, writable in end.dataports) or "-"


def size_text(size: int) -> str:
    """Exact, in the largest unit that divides it."""
    for shift, unit in ((30, "G"), (20, "M"), (10, "K")):
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(size)


def table(ends: Sequence[crossvm.EndInfo]) -> List[str]:
    """Lines with aligned columns."""
    rows = [("NAME", "VIA", "LOCATION", "PEER", "DATAPORTS")]
    for end in ends:
        via, peer = (word.name.lower().replace("_", "-") for word in (end.via, end.peer_state))
        rows.append((end.name, via, end.location or "-", peer, describe_dataports(end)))
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]


def show() -> None:
    """Prints all. An Error comes last."""
    if sys.stdout is None:
        raise OSError("cannot write: the standard output is closed")
    print(f"crossvm {crossvm.__version__}")
    print(f"library {library_path()}")
    print(f"Python {sys.version.split()[0]} ({sys.executable})", end="\n\n", flush=True)
    failure = None
    ends: Sequence[crossvm.EndInfo]
    try:
        ends = crossvm.ends()
    except crossvm.Error as error:
        ends, failure = error.ends, error
    if ends:
        print("\n".join(table(ends)), flush=True)
    if failure:
        raise failure
    if not ends:
        print("there are no ends of connections on this machine", flush=True)


def main() -> None:
    """Parses the command line. Any error ends the program with a sentence and status 1."""
    parser = argparse.ArgumentParser(
        prog="python -m crossvm",
        description="Shows the versions of the crossvm module and its library, and the ends of this machine.",
    )
    parser.add_argument("--version", action="version", version=f"crossvm {crossvm.__version__}")
    parser.parse_args()
    try:
        show()
    except OSError as error:
        if not isinstance(error, crossvm.Error):
            # What could not be written is still in the buffer, and Python would try again when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(f"{parser.prog}: {error.strerror or error}")


if __name__ == "__main__":
    main()
