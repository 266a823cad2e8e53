# SPDX-License-Identifier: BSD-2-Clause
"""What the examples share: the command line, and errors that end the program with a sentence."""

import argparse
import contextlib
import signal
import sys

import crossvm


@contextlib.contextmanager
def open_end(description):
    """The end that the command line names, for a `with` block."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the program without a traceback
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("NAME", help="name of a connection, for example demo.0 of `crossvm pair demo`")
    name = parser.parse_args().NAME
    try:
        with crossvm.End(name) as end:
            yield end
    except crossvm.Error as error:
        sys.exit(f"{parser.prog}: {error.strerror}")
