# SPDX-License-Identifier: BSD-2-Clause
"""Network namespaces: each is a machine of its own as far as the network goes."""

import ctypes
import os
import sys

CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def own():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def become_able():
    """Runs the program anew with the rights to make them, where its user has not."""
    if os.geteuid() != 0:
        os.execvp("unshare", ["unshare", "--map-root-user", "--net", sys.executable, *sys.argv])


class Namespace:
    """In a `with` statement, what this thread makes (sockets, programs) is in it."""

    def __init__(self):
        before = own()
        check(libc.unshare(CLONE_NEWNET))
        self.fd = own()
        check(libc.setns(before, CLONE_NEWNET))
        os.close(before)

    def __enter__(self):
        self.before = own()
        check(libc.setns(self.fd, CLONE_NEWNET))

    def __exit__(self, *_):
        check(libc.setns(self.before, CLONE_NEWNET))
        os.close(self.before)

    def close(self):
        os.close(self.fd)
