"""What a memory holds, as a value: pages that stay as they were while the memory is written to.

In come memories of paused guests, out come `Pages`, and back.  Invariant: what is copied is what was written since the
last time, never all of a large memory again.  That is so because a large memory lies on an image
(`svm.runtime.mapping`): taking its pages for the first time makes one, puts the memory itself on it, and from then on
the kernel tells which pages differ.  Small memories, and systems without images, are copied whole.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator

from svm.limits import PAGE, SNAPSHOT_PAGE
from svm.runtime import MemoryInstance
from svm.runtime.mapping import Image, blank, has_images, lay, written

__all__ = ["PAGE_BYTES", "Pages", "pages_from", "put_pages", "take_pages"]

PAGE_BYTES = SNAPSHOT_PAGE
"""Bytes of a page here and in files: those that are all zero are left out."""

SMALL = 1 << 18
"""Bytes up to which a memory is copied rather than mapped: that is as quick, and the kernel allows a process only some
65,000 mappings.
"""

_ZERO = bytes(PAGE_BYTES)
_PIECE = PAGE  # bytes that are looked at together: a size that machines' pages divide
_NO_CONTENT = bytes(_PIECE)
_SHARE = 4  # an image is made anew when a memory differs from it in one of so many of its pages


class Pages:
    """The bytes of a memory at one time.

    size: of the memory.  image: what most of them are, if the memory is large.  own: the pages in which it differs from
    the image, or from zero where there is none, by number.
    """

    __slots__ = ("image", "own", "size")

    def __init__(self, size: int, image: Image | None, own: dict[int, bytes]) -> None:
        self.size = size
        self.image = image
        self.own = own

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Number and bytes of each page that is not all zero, in order."""
        imaged = 0 if self.image is None else self.image.size
        for start in range(0, imaged, _PIECE):
            assert self.image is not None
            piece = self.image.read(start, _PIECE)
            numbers = range(start // PAGE_BYTES, (start + len(piece)) // PAGE_BYTES)
            touched = any(number in self.own for number in numbers) if self.own else False
            if not touched and piece == _NO_CONTENT:
                continue
            for number in numbers:
                at = number * PAGE_BYTES - start
                page = (self.own.get(number) if touched else None) or piece[at : at + PAGE_BYTES]
                if page != _ZERO:
                    yield number, page
        for number in sorted(self.own) if imaged else self.own:
            if number * PAGE_BYTES >= imaged and self.own[number] != _ZERO:
                yield number, self.own[number]

    def loaded(self) -> Pages:
        """The same with the pages at hand."""
        return self

    def differs(self, other: Pages | None) -> int:
        """How many pages differ from those of another time, as far as it takes no look at those that both share."""
        if other is None or other.image is not self.image:
            return sum(1 for _ in self)
        mine, theirs = self.own, other.own
        return sum(mine.get(number) != theirs.get(number) for number in mine.keys() | theirs.keys())

    def __repr__(self) -> str:
        image = 0 if self.image is None else self.image.size
        return f"<Pages: {self.size} bytes, {image} of an image, {len(self.own)} pages of their own>"


def pages_from(size: int, end: int, pieces: Callable[[], Iterable[tuple[int, memoryview]]]) -> Pages:
    """The pages of a memory of `size` bytes.

    pieces: gives number of the first, and bytes, of some pages in a row, in order; what is left out is zero.  end:
    number behind the last one.
    """
    if size > SMALL and end and has_images():
        placed = ((number * PAGE_BYTES, data) for number, data in pieces())
        try:
            return Pages(size, Image(-(-end * PAGE_BYTES // _PIECE) * _PIECE, placed), {})
        except OSError:  # the process has as many descriptors as it may, or the machine no more memory
            pass
    own = {
        number + at // PAGE_BYTES: bytes(data[at : at + PAGE_BYTES])
        for number, data in pieces()
        for at in range(0, len(data), PAGE_BYTES)
    }
    return Pages(size, None, own)


def take_pages(memory: MemoryInstance, before: Pages | None) -> Pages:
    """What a memory holds now.  before: what it held before, whose copies are shared where nothing changed."""
    image, ranges = memory.image, []
    if image is not None:
        ranges = written(memory.mapping, memory.size)
        anew = sum(end - start for start, end in ranges) > max(image.size // _SHARE, SMALL)
    else:
        anew = memory.size > SMALL and has_images()
    if anew and _put_on_image(memory):
        return Pages(memory.size, memory.image, {})
    if memory.image is None:  # it may have been given up for a new one that the machine then refused
        return Pages(memory.size, None, _copied(memory, _filled(memory), before))
    return Pages(memory.size, memory.image, _copied(memory, ranges, before))


def put_pages(memory: MemoryInstance, pages: Pages) -> None:
    """Have a memory hold what pages say, whatever it held.

    Raises UsageError where its size is another and somebody holds a view of it, OSError where the machine refuses.
    """
    pages = pages.loaded()
    if memory.size != pages.size:
        memory.renew(pages.size)
    elif memory.image is not None and memory.image is not pages.image:
        blank(memory.mapping, memory.size)
        memory.image = None
    else:
        _forget(memory)
    if pages.image is not memory.image:
        assert pages.image is not None
        _put_beneath(memory, pages.image)
    data = memory.mapping
    for number, page in pages.own.items():
        start = number * PAGE_BYTES
        data[start : start + PAGE_BYTES] = page


def _copied(memory: MemoryInstance, ranges: Iterable[tuple[int, int]], before: Pages | None) -> dict[int, bytes]:
    """Copies of a memory's pages in some ranges; those that are all zero only where they cover an image."""
    known = before.loaded().own if before is not None else {}
    imaged = 0 if memory.image is None else memory.image.size
    found: dict[int, bytes] = {}
    data = memory.mapping
    for begin, end in ranges:
        for start in range(begin, end, _PIECE):
            piece = data[start : min(start + _PIECE, end)]
            if start >= imaged and piece == _NO_CONTENT:
                continue
            for at in range(0, len(piece), PAGE_BYTES):
                page = piece[at : at + PAGE_BYTES]
                if page == _ZERO:
                    if start + at >= imaged:
                        continue
                    page = _ZERO
                number = (start + at) // PAGE_BYTES
                same = known.get(number)
                found[number] = same if same == page else page
    return found


def _put_on_image(memory: MemoryInstance) -> bool:
    """Make an image of what a memory holds, and put it beneath; whether the machine allowed it."""
    data = memory.mapping
    pieces = [
        start
        for begin, end in (_filled(memory) if memory.image is None else [(0, memory.size)])
        for start in range(begin // _PIECE * _PIECE, end, _PIECE)
        if data[start : start + _PIECE] != _NO_CONTENT
    ]
    if not pieces:
        return False
    try:
        with memoryview(data) as view:
            image = Image(pieces[-1] + _PIECE, ((at, view[at : at + _PIECE]) for at in dict.fromkeys(pieces)))
        blank(data, memory.size)
    except OSError:
        return False
    memory.image = None
    return _put_beneath(memory, image)


def _put_beneath(memory: MemoryInstance, image: Image) -> bool:
    """Put an image beneath zeroed memory; where the machine does not allow it, the memory gets a copy: False."""
    try:
        lay(memory.mapping, image)
    except OSError:  # the process has as many mappings as it may
        for start in range(0, image.size, _PIECE):
            piece = image.read(start, _PIECE)
            if piece != _NO_CONTENT:
                memory.mapping[start : start + len(piece)] = piece
        return False
    memory.image = image
    return True


def _filled(memory: MemoryInstance) -> list[tuple[int, int]]:
    """Ranges of a memory without an image in which it may be other than zero."""
    if memory.size > SMALL and has_images():
        return written(memory.mapping, memory.size)
    return [(0, memory.size)]


def _forget(memory: MemoryInstance) -> None:
    """Undo all that was written to a memory since its image was put beneath it; without one, it is zero again."""
    data = memory.mapping
    if has_images():
        data.madvise(mmap.MADV_DONTNEED)
    else:
        for start in range(0, memory.size, _PIECE):
            if data[start : start + _PIECE] != _NO_CONTENT:
                data[start : start + _PIECE] = _NO_CONTENT
