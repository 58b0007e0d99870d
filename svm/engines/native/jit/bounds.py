"""How far down a thread's own stack may be used by compiled code."""

from __future__ import annotations

import ctypes
import threading

__all__ = ["native_limit"]

_MARGIN = 256 << 10  # bytes for what calls nothing and so is not tested, and for Python's own calls

_local = threading.local()
_libc = ctypes.CDLL(None)


def native_limit() -> int:
    """Address below which compiled code leaves to the interpreter, on the calling thread."""
    found = getattr(_local, "limit", None)
    if found is None:
        found = _local.limit = _limit()
    return int(found)


def _limit() -> int:
    low = _lowest()
    return 0 if low is None else low + _MARGIN


def _lowest() -> int | None:
    """The lowest address of the thread's stack, as the C library knows it."""
    try:
        _libc.pthread_self.restype = ctypes.c_ulong
        attributes = ctypes.create_string_buffer(256)
        if _libc.pthread_getattr_np(ctypes.c_ulong(_libc.pthread_self()), attributes):
            return None
        low, size = ctypes.c_void_p(), ctypes.c_size_t()
        failed = _libc.pthread_attr_getstack(attributes, ctypes.byref(low), ctypes.byref(size))
        _libc.pthread_attr_destroy(attributes)
        return None if failed else low.value
    except AttributeError:
        return None
