# SPDX-License-Identifier: BSD-2-Clause
"""Memory of the library as memoryviews, and memory of Python for the library: both without a copy."""

from __future__ import annotations

import ctypes
import weakref
from typing import Any, Iterable, Optional, Tuple, Union

from ._handle import Handle
from ._numbers import INT_MAX

Buffer = Union[bytes, bytearray, memoryview]


class Exports:
    """The memory that one object has shown, so that it can be withdrawn before the object is closed."""

    def __init__(self) -> None:
        self.exporters: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


class Memory:
    """Memory of the library as a memoryview, until release().

    :param owner: of the mapping; it stays open as long as there is a view
    :param exports: of the object that shows the memory
    """

    def __init__(self, address: int, size: int, writable: bool, owner: Handle, exports: Exports) -> None:
        self.writable = writable
        self._made_of = (address, size, owner, exports)
        self._exporter: Optional[weakref.ref[Any]] = None
        self.show()

    def show(self) -> None:
        """Makes the view, or makes it anew after it was released."""
        address, size, owner, exports = self._made_of
        if size == 0:
            self.view = memoryview(bytearray() if self.writable else b"")
            return
        # Only the views refer to the exporter, also those that a program makes of this one. So the memory is in use
        # exactly as long as the exporter exists.
        exporter: Any = (ctypes.c_char * size).from_address(address)
        view = memoryview(exporter).cast("B")
        self.view = view if self.writable else view.toreadonly()
        exporter.owner = owner
        exporter.memory = weakref.ref(self)
        exporter.view = weakref.ref(self.view)
        self._exporter = weakref.ref(exporter)
        exports.exporters[id(exporter)] = exporter

    def release(self) -> None:
        """Makes the view unusable. A BufferError if other views that were made of it are in use."""
        self.view.release()
        if self._exporter and self._exporter() is not None:
            raise BufferError("a memoryview made of this memory is still in use: release it first")


def withdraw(exports: Iterable[Exports]) -> None:
    """Makes the views of all this memory unusable. If other views that were made of them are in use, all views are made
    anew, and that is a BufferError."""
    exporters = [reference for each in exports for reference in each.exporters.valuerefs()]
    memories = [_release_view(exporter) for exporter in exporters]
    if any(exporter() is not None for exporter in exporters):
        for memory in memories:
            if memory is not None:
                memory.show()
        raise BufferError("a memoryview made of this memory is still in use: release it before you close its owner")


def _release_view(reference: Any) -> Optional[Memory]:
    """Releases the view of an exporter, and keeps no reference to the exporter. Returns the memory that had the
    view."""
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
    except BufferError:  # something other than a memoryview uses it, and so the exporter exists
        pass
    return memory


def readable(data: Buffer) -> Tuple[Any, int, int]:
    """Memory that a C function can read: an object to hold meanwhile, the address and the length. Copies only read-only
    memory other than bytes, and memory that is not contiguous."""
    if not isinstance(data, bytes):
        view = memoryview(data)
        if view.nbytes and view.c_contiguous and not view.readonly:
            first = ctypes.c_char.from_buffer(view)
            return first, ctypes.addressof(first), view.nbytes
        data = view.tobytes()
    return data, ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0, len(data)


def writable(buffer: Union[bytearray, memoryview]) -> Tuple[Any, int, int]:
    """Memory that a C function can write: as readable(). A TypeError or BufferError if it is read-only
    or not contiguous."""
    view = memoryview(buffer)
    if view.nbytes == 0:
        return None, 0, 0
    first = ctypes.c_char.from_buffer(view)
    return first, ctypes.addressof(first), view.nbytes


def copy_of(address: int, length: int) -> bytes:
    """Bytes from an address."""
    if length > INT_MAX:  # string_at() takes an int: it would see a negative length, and look for a 0 instead
        return (ctypes.c_char * length).from_address(address).raw
    return ctypes.string_at(address, length) if length > 0 else b""
