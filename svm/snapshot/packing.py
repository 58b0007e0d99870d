"""Bytes made small by Zstandard, and back: the only place that imports it.

Invariant: what is unpacked is never larger than was asked for, whatever the bytes say of themselves.
"""

from __future__ import annotations

import zstandard

__all__ = ["packed", "unpacked"]

_MOST_WINDOW = 1 << 27


def packed(data: bytes, level: int) -> bytes:
    """One frame of Zstandard.  level: of compression; negative ones are the quickest."""
    return zstandard.ZstdCompressor(level=level).compress(data)


def unpacked(data: bytes, most: int, *, exactly: bool = False) -> bytes:
    """What a frame holds: so many bytes at most, or exactly.  Raises ValueError for anything else."""
    try:
        size = zstandard.frame_content_size(data)  # what it says is what would be allocated
        if not 0 <= size <= most or (exactly and size != most):
            raise ValueError(f"{size} bytes in a part that has {most}")
        unpacker = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW)
        return unpacker.decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"a part cannot be unpacked: {error}") from None
