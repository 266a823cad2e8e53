# SPDX-License-Identifier: BSD-2-Clause
"""What the library gave for use until it is given back."""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from typing import Any, Callable, Optional, Set, TypeVar

Result = TypeVar("Result")


class Handle:
    """A pointer of the library. Calls that use it let other threads run, so it knows them, and is not given back before
    they have ended. It is given back at the latest when nobody holds this object any more.

    :param what: what it is, for messages
    :param give_back: the library's function for it
    :param parent: a handle that must not be given back before this one
    :param unclosed: what to warn of when it was not closed
    """

    def __init__(
        self,
        what: str,
        pointer: int,
        give_back: Callable[[int], None],
        parent: Optional[Handle] = None,
        unclosed: Optional[str] = None,
    ) -> None:
        self._what = what
        self._pointer: Optional[int] = pointer
        # Reentrant: a signal's handler, or a finalizer, can run in the middle of what holds it.
        self._lock = threading.RLock()
        self._uses: Set[object] = set()
        self._children: Set[object] = set()
        self._as_child = object()
        if parent:
            parent._children.add(self._as_child)
        # Keeps the parent: of two that become garbage together, this one goes first.
        self._dropped = weakref.finalize(self, _drop, pointer, give_back, parent, self._as_child, unclosed, os.getpid())
        self._dropped.atexit = False  # a thread may still be in a call then, and the kernel cleans up

    @property
    def is_closed(self) -> bool:
        """Whether it was given back."""
        return self._pointer is None

    @property
    def pointer(self) -> int:
        """The pointer. Nothing keeps it valid, as use() does."""
        pointer = self._pointer
        if pointer is None:
            raise ValueError(f"this {self._what} is closed")
        return pointer

    def use(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Calls work(pointer, ...). The pointer stays valid meanwhile."""
        this = object()
        try:
            with self._lock:
                self._uses.add(this)
                pointer = self.pointer
            return work(pointer, *arguments)
        finally:
            self._uses.discard(this)

    def check_unused(self) -> None:
        """A BufferError while it is in use."""
        if self._uses:
            raise BufferError(f"a call of this {self._what} is still under way: let it end before you close it")

    def close(self) -> None:
        """Gives the pointer back, once. A BufferError, and no more, while it is in use."""
        with self._lock:
            self.check_unused()
            if self._children:
                raise BufferError(f"something of this {self._what} is still open: close it first")
            self._pointer = None
            mine = self._dropped.detach()
        if mine:
            _, _, (pointer, give_back, parent, as_child, _, _), _ = mine
            _give_back(pointer, give_back, parent, as_child)


def _give_back(pointer: int, give_back: Callable[[int], None], parent: Optional[Handle], as_child: object) -> None:
    give_back(pointer)
    if parent:
        parent._children.discard(as_child)


def _drop(
    pointer: int,
    give_back: Callable[[int], None],
    parent: Optional[Handle],
    as_child: object,
    unclosed: Optional[str],
    process: int,
) -> None:
    """Gives back what nobody can use any more and nobody closed."""
    if os.getpid() != process:
        return  # the copy of a forked process: what closing writes to is its parent's, too
    _give_back(pointer, give_back, parent, as_child)
    if unclosed:
        warnings.warn(unclosed, ResourceWarning, stacklevel=2)
