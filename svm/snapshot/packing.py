"""Bytes made small by Zstandard, and back: the only place that imports it.

Invariant: what is unpacked is never larger than was asked for, whatever the bytes say of themselves.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import zstandard

__all__ = ["packed_each", "packer", "unpacked"]

_BATCH = 64  # pieces of which the threads get their shares together
_SHARE = 8  # pieces that are worth a thread
_MOST_WINDOW = 1 << 27


def packer(level: int) -> Callable[[bytes], bytes]:
    """What makes one frame of Zstandard of some bytes, for one thread at a time; what it works with is made only once.

    level: of compression; negative ones are the quickest.
    """
    return zstandard.ZstdCompressor(level=level).compress


def packed_each(pieces: Iterable[bytes], level: int) -> Iterator[bytes]:
    """Each of the pieces, or a frame of it if that is smaller; where there are many, all cores make them together."""
    own: Any = zstandard.ZstdCompressor(level=level)
    most, left = _cores() if hasattr(own, "multi_compress_to_buffer") else 1, iter(pieces)
    while batch := list(islice(left, _BATCH)):
        threads = min(len(batch) // _SHARE, most)
        frames = own.multi_compress_to_buffer(batch, threads=threads) if threads > 1 else map(own.compress, batch)
        for piece, frame in zip(batch, frames, strict=True):
            yield bytes(frame) if len(frame) < len(piece) else piece


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
