"""Machine code in memory: mapped once, read and run, never written to again."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable, Mapping
from itertools import count

__all__ = ["PYTHON", "Executable"]

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
PYTHON = frozenset((
    "PyByteArray_AsString", "PyBytes_AsString", "PyBytes_Size", "PyErr_Clear", "PyErr_Occurred",
    "PyEval_RestoreThread", "PyEval_SaveThread", "PyFloat_AsDouble", "PyFloat_FromDouble",
    "PyLong_AsLongLongAndOverflow", "PyLong_AsVoidPtr", "PyLong_FromLongLong", "PyObject_Vectorcall",
    "PyThread_get_thread_ident", "Py_DecRef", "Py_IncRef",
))  # fmt: skip
"""Functions of Python's C API that machine code may call."""

_FAILED = ctypes.c_void_p(-1).value


def _address(library: ctypes.CDLL, name: str) -> int:
    """Address of a function, 0 where there is none."""
    found = getattr(library, name, None)
    return 0 if found is None else ctypes.cast(found, ctypes.c_void_p).value or 0


_LINE = 64  # bytes that a cache holds together
_STRIDE = 11  # lines from one piece's place to the next one's
_turns = count()


class Executable:
    """Position-independent code, mapped as long as this object lives.  Raises OSError where the system refuses.

    Small pieces begin at different places of their pages: if all began at the same, the processor's caches and its
    memory of branches, which go by the lower bits of addresses, would hold few of them at a time.

    symbols: as `svm.engines.native.elf.link` gives them.
    """

    def __init__(self, code: bytes, symbols: Mapping[str, int]) -> None:
        self.symbols = symbols
        self.base = 0
        self.size = -(-len(code) // mmap.PAGESIZE) * mmap.PAGESIZE
        anonymous = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        base = _libc.mmap(None, self.size, mmap.PROT_READ | mmap.PROT_WRITE, anonymous, -1, 0)
        if base in (None, _FAILED):
            raise OSError(ctypes.get_errno(), "no memory for machine code")
        self.base = base
        room: int = (self.size - len(code)) // _LINE
        start: int = base + next(_turns) * _STRIDE % (room + 1) * _LINE
        self.start = start
        ctypes.memmove(start, code, len(code))
        for name, at in symbols.items():
            if name[0] == "@":  # a function outside
                address = _address(ctypes.pythonapi, name[1:]) if name[1:] in PYTHON else _address(_libc, name[1:])
                ctypes.c_uint64.from_address(start + at).value = address
        if _libc.mprotect(base, self.size, mmap.PROT_READ | mmap.PROT_EXEC):
            raise OSError(ctypes.get_errno(), "this system does not let svm run machine code")

    def address(self, symbol: str) -> int:
        """Address of a function."""
        return self.start + self.symbols[symbol]

    def __del__(self, munmap: Callable[[int, int], int] = _libc.munmap) -> None:
        if self.base:  # the module's own names are gone when Python ends
            munmap(self.base, self.size)
