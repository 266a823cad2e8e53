# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong, as exceptions with the library's sentences."""

from __future__ import annotations

import errno


class Error(OSError):
    """An error of the library: `errno`, and in `strerror` a sentence that names the object and a remedy."""


class PeerGone(Error, BrokenPipeError):
    """The other end is gone, or closed the channel."""


class Timeout(Error, TimeoutError):
    """The time was over before."""


class WouldBlock(Error, BlockingIOError):
    """The call was not to wait, and there is nothing yet."""


class NotFound(Error, FileNotFoundError):
    """There is no such connection or dataport."""


class Denied(Error, PermissionError):
    """This user, or this end, may not do that."""


class Busy(Error):
    """Another program has the end."""


class ProtocolError(Error):
    """The other side does not keep to the protocol."""


class TooLarge(Error):
    """A datagram is larger than the channel or the buffer."""


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
    """The exception for an errno value."""
    return _CLASSES.get(number, Error)(number, sentence)
