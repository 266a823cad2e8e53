# SPDX-License-Identifier: BSD-2-Clause
"""Memory that is not Python's: shown as memoryviews without a copy, and lent to the library."""

from __future__ import annotations

import ctypes
import weakref
from typing import Any, Iterable, Optional, Tuple, Union

from ._handle import Handle
from ._numbers import INT_MAX

Buffer = Union[bytes, bytearray, memoryview]


class Exports:
    """The memory that one thing has given out, to be called in before the thing goes."""

    def __init__(self) -> None:
        self.exporters: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


class Memory:
    """Memory of the library as a memoryview, until release().

    :param owner: of the mapping, which stays as long as any view does
    :param exports: of what gave it out
    """

    def __init__(self, address: int, size: int, writable: bool, owner: Handle, exports: Exports) -> None:
        self._made_of = (address, size, writable, owner, exports)
        self._exporter: Optional[weakref.ref[Any]] = None
        self.show()

    def show(self) -> None:
        """Makes the view, again if it was released."""
        address, size, writable, owner, exports = self._made_of
        if size == 0:
            self.view = memoryview(bytearray() if writable else b"")
            return
        # All views that are made of a view share one buffer, and nothing else refers to the exporter: when it is gone,
        # nobody can look at the memory any more.
        exporter: Any = (ctypes.c_char * size).from_address(address)
        view = memoryview(exporter).cast("B")
        self.view = view if writable else view.toreadonly()
        exporter.owner = owner
        exporter.memory = weakref.ref(self)
        exporter.view = weakref.ref(self.view)
        self._exporter = weakref.ref(exporter)
        exports.exporters[id(exporter)] = exporter

    def release(self) -> None:
        """Makes the view unusable. A BufferError when others that were made of it are still there."""
        self.view.release()
        if self._exporter and self._exporter() is not None:
            raise BufferError("a memoryview made of this memory is still in use: release it first")


def call_in(exports: Iterable[Exports]) -> None:
    """Makes the views of all memory unusable. When others that were made of these are still there, a BufferError: then
    the views are made anew."""
    exporters = [reference for each in exports for reference in each.exporters.valuerefs()]
    memories = [_end_view(exporter) for exporter in exporters]
    if any(exporter() is not None for exporter in exporters):
        for memory in memories:
            if memory is not None:
                memory.show()
        raise BufferError("a memoryview made of this memory is still in use: release it before you close what it is of")


def _end_view(reference: Any) -> Optional[Memory]:
    """Releases the view of an exporter, to which it leaves no reference. Returns the memory that had the view."""
    exporter = reference()
    if exporter is None:
        return None
    view = exporter.view()
    if view is None:
        return None
    try:
        view.nbytes
    except ValueError:  # it has been released
        return None
    memory: Optional[Memory] = exporter.memory()
    try:
        view.release()
    except BufferError:  # in use by what is no memoryview; the exporter says so
        pass
    return memory


def readable(data: Buffer) -> Tuple[Any, int, int]:
    """What a C function can read: an object to keep meanwhile, an address, a length. Copies only read-only memory that
    is not bytes, and what is in pieces."""
    if not isinstance(data, bytes):
        view = memoryview(data)
        if view.nbytes and view.c_contiguous and not view.readonly:
            first = ctypes.c_char.from_buffer(view)
            return first, ctypes.addressof(first), view.nbytes
        data = view.tobytes()
    return data, ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0, len(data)


def writable(buffer: Union[bytearray, memoryview]) -> Tuple[Any, int, int]:
    """What a C function can write: as readable()."""
    view = memoryview(buffer)
    if view.nbytes == 0:
        return None, 0, 0
    first = ctypes.c_char.from_buffer(view)  # complains of what is read-only or in pieces
    return first, ctypes.addressof(first), view.nbytes


def copy_of(address: int, length: int) -> bytes:
    """Bytes from an address."""
    if length > INT_MAX:  # string_at() would take it for a negative int, and look for a 0 instead
        return (ctypes.c_char * length).from_address(address).raw
    return ctypes.string_at(address, length) if length > 0 else b""
