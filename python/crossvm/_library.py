# SPDX-License-Identifier: BSD-2-Clause
"""The shared library: its functions and structures, as the headers declare them."""

from __future__ import annotations

import ctypes
import os
from ctypes import CDLL, POINTER, Structure, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t, c_ssize_t
from ctypes import c_uint, c_uint32, c_uint64, c_void_p

from ._errors import Error, error_of
from ._version import __version__

MAX_DATAPORTS = 4


# Structures have their names of C, and their members, too: a test compares the layouts.


class crossvm_dataport_t(Structure):
    _fields_ = [("address", c_void_p), ("size", c_size_t), ("rights", c_uint32)]


class crossvm_dataport_info_t(Structure):
    _fields_ = [("size", c_uint64), ("rights", c_uint32), ("reserved", c_uint32)]


class crossvm_end_info_t(Structure):
    _fields_ = [
        ("name", c_char * 64),
        ("path", c_char * 256),
        ("location", c_char * 64),
        ("via", c_uint32),
        ("error", c_int32),
        ("version", c_uint32),
        ("end", c_uint32),
        ("peer_state", c_uint32),
        ("peer_generation", c_uint32),
        ("events", c_uint64),
        ("owner", c_int32),
        ("msi", c_uint32),
        ("vm_exits", c_uint64),
        ("vm_user_exits", c_uint64),
        ("num_dataports", c_uint64),
        ("dataports", crossvm_dataport_info_t * MAX_DATAPORTS),
        ("peer_door", c_uint32),
        ("peer_here", c_uint32),
    ]


class crossvm_deadline_t(Structure):
    _fields_ = [("ns", c_int64)]

    @classmethod
    def from_param(cls, ns: int) -> crossvm_deadline_t:
        """Lets functions take the nanoseconds as a number."""
        return cls(ns)


class crossvm_channel_options_t(Structure):
    _fields_ = [("mode", c_uint), ("dataport", c_uint), ("end", c_uint), ("spin", c_uint), ("reserved", c_uint * 4)]


class crossvm_channel_counts_t(Structure):
    _fields_ = [("emits", c_uint64), ("waits", c_uint64), ("sessions", c_uint64)]


_FUNCTIONS = {
    # crossvm/version.h
    "crossvm_version": (c_uint32, []),
    # crossvm/crossvm.h
    "crossvm_open": (c_int, [POINTER(c_void_p), c_char_p]),
    "crossvm_close": (None, [c_void_p]),
    "crossvm_name": (c_char_p, [c_void_p]),
    "crossvm_end_number": (c_uint, [c_void_p]),
    "crossvm_num_dataports": (c_size_t, [c_void_p]),
    "crossvm_dataport": (crossvm_dataport_t, [c_void_p, c_size_t]),
    "crossvm_emit": (c_int, [c_void_p]),
    "crossvm_wait": (c_int, [c_void_p, crossvm_deadline_t]),
    "crossvm_fd": (c_int, [c_void_p]),
    "crossvm_peer_state": (c_uint32, [c_void_p, POINTER(c_uint32)]),
    "crossvm_info": (c_int, [c_void_p, POINTER(crossvm_end_info_t), c_size_t]),
    "crossvm_list": (c_int, [POINTER(POINTER(crossvm_end_info_t)), POINTER(c_size_t), c_size_t]),
    "crossvm_list_free": (None, [POINTER(crossvm_end_info_t)]),
    "crossvm_strerror": (c_char_p, []),
    # crossvm/end_channel.h
    "crossvm_channel_create": (c_int, [POINTER(c_void_p), c_void_p, POINTER(crossvm_channel_options_t)]),
    "crossvm_channel_destroy": (None, [c_void_p]),
    "crossvm_channel_fd": (c_int, [c_void_p]),
    "crossvm_channel_prepare": (c_int, [c_void_p, c_uint, POINTER(c_int)]),
    # crossvm/channel.h
    "crossvm_channel_open": (None, [c_void_p]),
    "crossvm_channel_connect": (c_int, [c_void_p, crossvm_deadline_t]),
    "crossvm_channel_shutdown": (None, [c_void_p]),
    "crossvm_channel_drain": (c_int, [c_void_p, crossvm_deadline_t]),
    "crossvm_channel_state": (c_int, [c_void_p]),
    "crossvm_channel_max_message": (c_size_t, [c_void_p]),
    "crossvm_channel_ring_bytes": (c_size_t, [c_void_p]),
    "crossvm_channel_get_counts": (None, [c_void_p, POINTER(crossvm_channel_counts_t), c_size_t]),
    "crossvm_channel_send": (c_ssize_t, [c_void_p, c_void_p, c_size_t, crossvm_deadline_t]),
    "crossvm_channel_recv": (c_ssize_t, [c_void_p, c_void_p, c_size_t, crossvm_deadline_t]),
    "crossvm_channel_reserve": (c_ssize_t, [c_void_p, POINTER(c_void_p), c_size_t, crossvm_deadline_t]),
    "crossvm_channel_commit": (c_int, [c_void_p, c_size_t]),
    "crossvm_channel_commit_more": (c_int, [c_void_p, c_size_t]),
    "crossvm_channel_flush": (None, [c_void_p]),
    "crossvm_channel_peek": (c_ssize_t, [c_void_p, POINTER(c_void_p), crossvm_deadline_t]),
    "crossvm_channel_release": (c_int, [c_void_p, c_size_t]),
    "crossvm_channel_wait": (c_int, [c_void_p, c_uint, crossvm_deadline_t]),
}


def _import_error(sentence: str) -> ImportError:
    """With the module's name, `python -m crossvm` ends with the sentence, and without a traceback."""
    return ImportError(sentence, name="crossvm")


# The library whose interface this module declares. Each major version has another one, and a minor version adds to it.
_MAJOR, _MINOR = (int(number) for number in __version__.split(".")[:2])
SONAME = f"libcrossvm.so.{_MAJOR}"


def _check_version(library: CDLL, name: str) -> None:
    needed = f"this module, crossvm {__version__}, needs version {_MAJOR}.{_MINOR} or a later {_MAJOR}.x ({SONAME})"
    try:
        library.crossvm_version.restype = c_uint32
        version = library.crossvm_version()
    except AttributeError:
        raise _import_error(f"{name} is no libcrossvm, or one before version 0.2: {needed}") from None
    if version >> 16 != _MAJOR or version >> 8 & 0xFF < _MINOR:
        found = f"{version >> 16}.{version >> 8 & 0xFF}.{version & 0xFF}"
        raise _import_error(f"{name} is libcrossvm {found}: {needed}")


def _name() -> str:
    """What the user says; else the library that came with this module in a wheel, because the two were tested together; else
    the one that the loader finds."""
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), SONAME)
    return os.environ.get("CROSSVM_LIBRARY") or (own if os.path.exists(own) else SONAME)


def _load() -> CDLL:
    name = _name()
    try:
        library = CDLL(name)
    except OSError as error:
        raise _import_error(
            f"cannot load {name} ({error}): install libcrossvm, or set CROSSVM_LIBRARY to the path of libcrossvm.so"
        ) from None
    _check_version(library, name)
    for function, (result, arguments) in _FUNCTIONS.items():
        declared = getattr(library, function)
        declared.restype = result
        declared.argtypes = arguments
    return library


lib = _load()


class Dl_info(Structure):
    _fields_ = [("dli_fname", c_char_p), ("dli_fbase", c_void_p), ("dli_sname", c_char_p), ("dli_saddr", c_void_p)]


def library_path() -> str:
    """The file of the library: the loader may have found it by its name."""
    info = Dl_info()
    dladdr = CDLL(None).dladdr
    dladdr.argtypes = [c_void_p, POINTER(Dl_info)]
    found = dladdr(ctypes.cast(lib.crossvm_open, c_void_p), ctypes.byref(info))
    return os.path.realpath(os.fsdecode(info.dli_fname)) if found else lib._name


def last_error(result: int) -> Error:
    """The exception for the last error that this thread met in the library."""
    return error_of(-result, lib.crossvm_strerror().decode(errors="replace"))
