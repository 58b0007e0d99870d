"""Native memory: private mappings whose address is known, so that native code can use them and Python can read them.

An address holds until its mapping grows or is closed, which happens only while no native code runs on it.

Beneath a mapping may lie an `Image`: bytes in a sealed file without a name, which any number of mappings show, each
with its own copy of the pages that were written to.  Which those are, the kernel tells (`written`).
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache

from svm.hints import Any

__all__ = ["Image", "address_of", "blank", "grown_mapping", "has_images", "lay", "new_mapping", "written"]

# Pages are given when they are touched; reserving swap for all of them would refuse large memories for nothing.
_FLAGS = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0) | getattr(mmap, "MAP_NORESERVE", 0)


def new_mapping(size: int) -> mmap.mmap:
    """Zeroed memory of at least `size` bytes (a mapping cannot be empty).  Raises OSError where there is none."""
    size = max(size, mmap.PAGESIZE)
    return mmap.mmap(-1, size, flags=_FLAGS) if _FLAGS else mmap.mmap(-1, size)


def grown_mapping(mapping: mmap.mmap, size: int, imaged: int = 0) -> mmap.mmap:
    """The mapping, or a larger one with its pages, with `size` bytes.  imaged: bytes beneath which an image lies.

    Raises BufferError while somebody holds a view of it, OSError or ValueError where the machine refuses.
    """
    if imaged:
        return _moved(mapping, size, imaged)
    try:
        mapping.resize(size)
        return mapping
    except SystemError:  # no mremap on this system
        larger = new_mapping(size)
        larger[: len(mapping)] = mapping[:]
        mapping.close()
        return larger


def address_of(mapping: mmap.mmap | bytearray) -> int:
    """Address of a mapping, or of bytes of Python's, which hold it until they grow."""
    return ctypes.addressof(ctypes.c_char.from_buffer(mapping))


# Images, which only Linux has

_PROTECTION = 3  # PROT_READ | PROT_WRITE
_FIXED, _FREE_ONLY = 0x10, 0x100000  # MAP_FIXED, MAP_FIXED_NOREPLACE
_MOVE = 3  # MREMAP_MAYMOVE | MREMAP_FIXED
_FAILED = ctypes.c_size_t(-1).value
_PAGEMAP = "/proc/self/pagemap"
_ENTRY = 8  # bytes of an entry there
# Of its uppermost byte: 0x80 present, 0x40 swapped, 0x20 a page of a file.
_PRIVATE = bytes(bool(byte & 0xC0) and not byte & 0x20 for byte in range(256))
_RUNS = re.compile(rb"\x01+")


class Image:
    """Bytes of a sealed file without a name: nobody can change them, and whoever has the object can map them."""

    __slots__ = ("_descriptor", "size")

    def __init__(self, size: int, pieces: Iterable[tuple[int, bytes | memoryview]]) -> None:
        """Make an image of `size` bytes (whole pages of the machine), zero but for the pieces, by their offset.

        Raises OSError where the machine refuses, for want of memory or of descriptors.
        """
        import fcntl  # here, for most runs make none

        self.size = size
        self._descriptor = os.memfd_create("svm", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self._descriptor, size)
        for offset, data in pieces:
            if os.pwrite(self._descriptor, data, offset) != len(data):
                raise OSError(errno.ENOSPC, "an image could not be written")
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(self._descriptor, fcntl.F_ADD_SEALS, seals)

    @property
    def descriptor(self) -> int:
        """Of its file, for as long as the object lives."""
        return self._descriptor

    def read(self, start: int, size: int) -> bytes:
        """Some of its bytes."""
        return os.pread(self._descriptor, size, start)

    def __del__(self) -> None:
        with suppress(AttributeError, OSError):
            os.close(self._descriptor)


@cache
def has_images() -> bool:
    """Whether images work here: files without names can be sealed, and the kernel tells which pages were written to."""
    if sys.platform != "linux" or not hasattr(os, "memfd_create"):
        return False
    size = 2 * mmap.PAGESIZE
    try:
        with new_mapping(size) as mapping:
            lay(mapping, Image(size, [(0, b"a")]))
            mapping[mmap.PAGESIZE] = 1
            shown = mapping[0] == ord("a")
            return shown and written(mapping, size) == [(mmap.PAGESIZE, size)]
    except (OSError, AttributeError):  # a C library without the calls, a system without /proc
        return False


def lay(mapping: mmap.mmap, image: Image) -> None:
    """Put an image beneath the first bytes of a mapping: they are its bytes now.  Raises OSError."""
    address = address_of(mapping)
    if _libc().mmap(address, image.size, _PROTECTION, _FLAGS & ~mmap.MAP_ANONYMOUS | _FIXED, image.descriptor, 0) \
            != address:  # fmt: skip
        error = _error()
        blank(mapping, image.size)  # whatever is there now, it shall be memory
        raise error


def blank(mapping: mmap.mmap, size: int) -> None:
    """Make the first bytes of a mapping, an image beneath them or not, zeroed memory without one.  Raises OSError."""
    address = address_of(mapping)
    if _libc().mmap(address, size, _PROTECTION, _FLAGS | _FIXED, -1, 0) != address:
        raise _error()


def written(mapping: mmap.mmap, size: int) -> list[tuple[int, int]]:
    """Ranges, from and to, of the first `size` bytes in which pages are the mapping's own: all that may differ from
    its image, or from zero where there is none.  Raises OSError.
    """
    page = mmap.PAGESIZE
    wanted, at = -(-size // page) * _ENTRY, address_of(mapping) // page * _ENTRY
    entries = b""
    descriptor = os.open(_PAGEMAP, os.O_RDONLY | os.O_CLOEXEC)  # each time, for a fork has another
    try:
        while len(entries) < wanted:
            part = os.pread(descriptor, wanted - len(entries), at + len(entries))
            if not part:
                raise OSError(errno.EIO, f"{_PAGEMAP} ends early")
            entries += part
    finally:
        os.close(descriptor)
    own = entries[_ENTRY - 1 :: _ENTRY].translate(_PRIVATE)
    return [(run.start() * page, min(run.end() * page, size)) for run in _RUNS.finditer(own)]


_strays: list[mmap.mmap] = []  # mappings that must not be closed, for another's is in their place


def _moved(mapping: mmap.mmap, size: int, imaged: int) -> mmap.mmap:
    """A larger mapping, with the pages of another, which are of two kinds: the kernel moves each by itself."""
    with suppress(ValueError):
        mapping.resize(-1)  # no size at all, but that nobody holds a view is looked at first
    larger = new_mapping(size)
    old, new, behind = address_of(mapping), address_of(larger), len(mapping) - imaged
    ours = _move(old, imaged, new, imaged)
    if behind:
        try:
            ours &= _move(old + imaged, behind, new + imaged, size - imaged)
        except OSError:
            if _move(new, imaged, old, imaged):
                larger.close()
            raise
    if ours:
        mapping.close()
    else:
        _strays.append(mapping)
    return larger


def _move(source: int, size: int, target: int, larger: int) -> bool:
    """Move pages over others of ours.  Whether the place that they leave is still ours: in between, another thread
    may have been given it.
    """
    libc = _libc()
    if libc.mremap(source, size, larger, _MOVE, target) != target:
        raise _error()
    held: int = libc.mmap(source, size, 0, _FLAGS | _FREE_ONLY, -1, 0)
    if held not in (source, _FAILED):
        libc.munmap(held, size)  # a kernel that takes the address as a wish
    return held == source


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


@cache
def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    word, number = ctypes.c_size_t, ctypes.c_int
    for name, arguments in (
        ("mmap", [word, word, number, number, number, ctypes.c_ssize_t]),
        ("mremap", [word, word, word, number, word]),
        ("munmap", [word, word]),
    ):
        function = getattr(libc, name)
        function.argtypes = arguments
        function.restype = word
    return libc
