# SPDX-License-Identifier: BSD-2-Clause
"""Memory of a channel, while a message is written or read where it lies."""

from __future__ import annotations

from types import TracebackType
from typing import Callable, Optional, Type

from ._memory import Memory
from ._numbers import number_of


class Region:
    """Memory of a channel, for a `with` block. At its end, `length` bytes are sent or given back; when it ends in an
    exception, nothing is. Nothing is either when a memoryview made of `memory` outlives the block: a BufferError."""

    def __init__(self, memory: Memory, size: int, done: Callable[[int], None]) -> None:
        self._memory = memory
        self._size = self._length = size
        self._done: Optional[Callable[[int], None]] = done

    @property
    def memory(self) -> memoryview:
        """The memory itself, until the end of the block or until the channel is closed."""
        return self._memory.view

    @property
    def length(self) -> int:
        """How much is sent or given back: all, unless it is set to less."""
        return self._length

    @length.setter
    def length(self, value: int) -> None:
        self._length = number_of(value, "the length of a region", self._size)

    def __enter__(self) -> Region:
        if self._done is None:
            raise ValueError("the block of this region has ended: get another one")
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        done, self._done = self._done, None
        try:
            self._memory.release()  # the other end may use it from now on
        except BufferError:
            if kind is None:  # else there is something to say that matters more
                raise
        if kind is None and done:
            done(self._length)

    def __len__(self) -> int:
        return self._length
