# SPDX-License-Identifier: BSD-2-Clause
"""Objects of the library, which Python code must close exactly once."""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from typing import Any, Callable, Optional, Set, TypeVar

Result = TypeVar("Result")


class Handle:
    """A pointer to an object of the library.

    A call of the library lets other threads of Python run, so the handle counts the calls that use the pointer, and
    close() refuses while there are any. A handle that nobody holds any more closes itself.

    :param what: the kind of object, for messages
    :param free: the library's function that frees the object
    :param parent: a handle that must be closed after this one
    :param unclosed: the text of a ResourceWarning, if the handle has to close itself
    """

    def __init__(
        self,
        what: str,
        pointer: int,
        free: Callable[[int], None],
        parent: Optional[Handle] = None,
        unclosed: Optional[str] = None,
    ) -> None:
        self._what = what
        self._pointer: Optional[int] = pointer
        # Reentrant: the handler of a signal, or a finalizer, can interrupt the thread that holds it.
        self._lock = threading.RLock()
        self._uses: Set[object] = set()
        self._children: Set[object] = set()
        self._as_child = object()
        if parent:
            parent._children.add(self._as_child)
        # Holds the parent, so of two that become garbage together the child is freed first.
        self._finalizer = weakref.finalize(self, _drop, pointer, free, parent, self._as_child, unclosed, os.getpid())
        self._finalizer.atexit = False  # at exit a thread may still be in a call, and the kernel cleans up anyway

    @property
    def is_closed(self) -> bool:
        """Whether close() has freed the object."""
        return self._pointer is None

    @property
    def pointer(self) -> int:
        """The pointer. Another thread can close the handle at any time; use() prevents that."""
        pointer = self._pointer
        if pointer is None:
            raise ValueError(f"this {self._what} is closed")
        return pointer

    def use(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Returns work(pointer, ...). The pointer stays valid meanwhile."""
        this = object()
        try:
            with self._lock:
                self._uses.add(this)
                pointer = self.pointer
            return work(pointer, *arguments)
        finally:
            self._uses.discard(this)

    def check_unused(self) -> None:
        """A BufferError if a call uses the pointer."""
        if self._uses:
            raise BufferError(f"a call of this {self._what} is still under way: let it end before you close it")

    def close(self) -> None:
        """Frees the object, once. Does nothing but raise a BufferError if the object is in use."""
        with self._lock:
            self.check_unused()
            if self._children:
                raise BufferError(f"something of this {self._what} is still open: close it first")
            self._pointer = None
            mine = self._finalizer.detach()
        if mine:
            _, _, (pointer, free, parent, as_child, _, _), _ = mine
            _free(pointer, free, parent, as_child)


def _free(pointer: int, free: Callable[[int], None], parent: Optional[Handle], as_child: object) -> None:
    free(pointer)
    if parent:
        parent._children.discard(as_child)


def _drop(
    pointer: int,
    free: Callable[[int], None],
    parent: Optional[Handle],
    as_child: object,
    unclosed: Optional[str],
    process: int,
) -> None:
    """Frees an object that nobody closed and nobody can use any more."""
    if os.getpid() != process:
        return  # a forked child: its parent still uses the descriptors and the memory
    _free(pointer, free, parent, as_child)
    if unclosed:
        warnings.warn(unclosed, ResourceWarning, stacklevel=2)
