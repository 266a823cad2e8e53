# SPDX-License-Identifier: BSD-2-Clause
"""Errors of the library as exceptions."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Sequence

if TYPE_CHECKING:
    from ._end import EndInfo


class Error(OSError):
    """An error of the library. `errno` is its number; `strerror` is a sentence that names the object and the remedy.

    Mistakes of the program are other exceptions: ValueError (a value out of range, or an object that is closed),
    TypeError, BufferError (to close what is in use) and RuntimeError (threads and tasks mixed at one end)."""

    ends: Sequence[EndInfo] = ()
    """Of crossvm.ends(): those that it did see."""


class PeerGone(Error, BrokenPipeError):
    """The peer is gone or has closed its channel; or the hub has ended (EPIPE)."""


class Timeout(Error, TimeoutError):
    """The timeout ended before the call could do anything (ETIMEDOUT)."""


class WouldBlock(Error, BlockingIOError):
    """With a timeout of 0, there is nothing to do yet (EAGAIN)."""


class NotFound(Error, FileNotFoundError):
    """There is no such connection or dataport (ENOENT)."""


class Denied(Error, PermissionError):
    """This user, or this end, may not do that (EACCES, EPERM)."""


class Busy(Error):
    """Another program owns the end (EBUSY)."""


class ProtocolError(Error):
    """The peer, or the hub, does not keep to the protocol (EPROTO)."""


class TooLarge(Error):
    """A datagram is larger than the channel or the buffer (EMSGSIZE)."""


_CLASSES = {
    errno.EPIPE: PeerGone,
    errno.ETIMEDOUT: Timeout,
    errno.EAGAIN: WouldBlock,
    errno.ENOENT: NotFound,
    errno.EACCES: Denied,
    errno.EPERM: Denied,
    errno.EBUSY: Busy,
    errno.EPROTO: ProtocolError,
    errno.EMSGSIZE: TooLarge,
}


def error_of(number: int, sentence: str) -> Error:
    """The exception for a value of errno."""
    return _CLASSES.get(number, Error)(number, sentence)
