"""Native memory: private mappings whose address is known, so that native code can use them and Python can read them.

An address holds until its mapping grows or is closed, which happens only while no native code runs on it.
"""

from __future__ import annotations

import ctypes
import mmap

__all__ = ["address_of", "grown_mapping", "new_mapping"]

# Pages are given when they are touched; reserving swap for all of them would refuse large memories for nothing.
_FLAGS = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0) | getattr(mmap, "MAP_NORESERVE", 0)


def new_mapping(size: int) -> mmap.mmap:
    """Zeroed memory of at least `size` bytes (a mapping cannot be empty).  Raises OSError where there is none."""
    size = max(size, mmap.PAGESIZE)
    return mmap.mmap(-1, size, flags=_FLAGS) if _FLAGS else mmap.mmap(-1, size)


def grown_mapping(mapping: mmap.mmap, size: int) -> mmap.mmap:
    """The mapping, or a larger copy of it, with `size` bytes.

    Raises BufferError while somebody holds a view of it, OSError or ValueError where the machine refuses.
    """
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
