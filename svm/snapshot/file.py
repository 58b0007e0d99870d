"""Files of snapshots, `.svms` (docs/snapshot-format.md describes them): sections, pages, and a digest over all.

In comes a state, out go bytes, piece by piece; in come bytes, out comes a state that was checked.  Invariant: reading
allocates no more than a small multiple of the bytes that there are; pages are looked at only when a guest is made of
them, whose limits have room for them then.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from svm.devices import DeviceState
from svm.errors import Place, SnapshotError
from svm.module import ValidModule
from svm.snapshot.check import check
from svm.snapshot.format import SECTIONS, Info, Run, encode_sections, read_sections
from svm.snapshot.pages import PAGE_BYTES, Pages, pages_from
from svm.snapshot.state import State

__all__ = ["DIGEST_BYTES", "MAGIC", "VERSION", "assembled", "parts_of", "read_file"]

MAGIC = b"\0svs"
VERSION = 3
DIGEST_BYTES = 32

_HEADER = struct.Struct("<4sIB")
"""Magic, version, and whether the digest has a key."""

_SECTION = struct.Struct("<BQ")
"""A section's number, and the bytes of its content."""

_COUNT, _PART = struct.Struct("<Q"), struct.Struct("<I")
_PART_PAGES = 64
"""Pages that are compressed together."""

_LEVEL = -3
"""Of Zstandard: its fast end, at half a gigabyte a second; the usual levels take twice the time for a tenth more."""


def parts_of(
    state: State, info: Info, externs: Iterable[bytes | None], *, embed: bool
) -> tuple[list[bytes], list[bytes]]:
    """Contents of all sections but the last, and the distinct pages that this holds.  externs, embed: see
    `encode_sections`.  Raises UsageError.
    """
    pages: dict[bytes, int] = {}

    def number_of(page: bytes) -> int:
        return pages.setdefault(page, len(pages))

    return encode_sections(state, info, externs, number_of, embed=embed), list(pages)


def assembled(
    sections: Sequence[bytes], pages: Sequence[bytes], key: bytes | None, *, compress: bool = True
) -> Iterator[bytes]:
    """The bytes of a file of these parts, in pieces."""
    own = _digester(key)
    for piece in (*_sections(sections, key), *_pages(pages, compress)):
        own.update(piece)
        yield piece
    yield own.digest()


def _digester(key: bytes | None) -> Any:
    """What makes the digest of a file that comes in pieces; with a key, a code that only who has the key can make.

    Processors have instructions for SHA-256: it takes a third of the time of the BLAKE2b that names modules.
    """
    if key is None:
        from hashlib import sha256  # here, as below, for they load OpenSSL

        return sha256()
    from hmac import new

    return new(key, digestmod="sha256")


def _sections(sections: Sequence[bytes], key: bytes | None) -> Iterator[bytes]:
    yield _HEADER.pack(MAGIC, VERSION, key is not None)
    for number, content in enumerate(sections, 1):
        yield _SECTION.pack(number, len(content))
        yield content


def _pages(pages: Sequence[bytes], compress: bool) -> list[bytes]:
    """The section of the pages: their count, and parts of some pages each, compressed if that makes them smaller."""
    from svm.snapshot.packing import packed_each  # here, for a snapshot that never leaves the process needs none

    pieces = [_COUNT.pack(len(pages))]
    parts = (b"".join(pages[start : start + _PART_PAGES]) for start in range(0, len(pages), _PART_PAGES))
    for part in packed_each(parts, _LEVEL) if compress else parts:
        pieces += (_PART.pack(len(part)), part)
    return [_SECTION.pack(len(SECTIONS), sum(map(len, pieces))), *pieces]


def read_file(data: bytes, modules: Iterable[ValidModule], key: bytes | None) -> tuple[State, Info]:
    """The state in the bytes of a file.  modules: those that it may name by their digests.

    Raises SnapshotError where they are none, or do not have this key.
    """
    _check_whole(data, key)
    parts = dict(_split(data))
    missing = [name for name in SECTIONS if name not in parts]
    if missing:
        raise SnapshotError(f"the {missing[0]} section is missing", Place(offset=len(data)))
    draft = read_sections(parts, modules)
    store = _Parts(*parts["page"])
    for at, (_, runs) in enumerate(draft.memories):
        store.require(runs, "memory", at)
    for at, items in enumerate(draft.devices):
        for _, _, runs in items:
            store.require(runs, "device", at)
    memories = [StoredPages(size, runs, store) for size, runs in draft.memories]
    devices = tuple(
        tuple((kind, _StoredState(data, StoredPages(0, runs, store))) for kind, data, runs in items)
        for items in draft.devices
    )
    return check(draft, memories, devices), draft.info


def _check_whole(data: bytes, key: bytes | None) -> None:
    """Raise SnapshotError unless the bytes are a whole file with this key."""
    if data[: len(MAGIC)] != MAGIC:
        raise SnapshotError("magic header not detected: this is no snapshot", Place(offset=0))
    if len(data) < _HEADER.size + DIGEST_BYTES:
        raise SnapshotError("unexpected end of the file", Place(offset=len(data)))
    _, version, keyed = _HEADER.unpack_from(data)
    if version != VERSION:
        raise SnapshotError(
            f"version {version} of the format is not known; this svm knows {VERSION}", Place(offset=len(MAGIC))
        )
    if keyed > 1:
        raise SnapshotError(f"malformed flag of a key: {keyed:#04x}", Place(offset=_HEADER.size - 1))
    if bool(keyed) != (key is not None):
        raise SnapshotError("it was written with a key, and none is given" if keyed else "it was written without a key")
    from hmac import compare_digest

    own = _digester(key)
    own.update(memoryview(data)[:-DIGEST_BYTES])
    if not compare_digest(own.digest(), data[-DIGEST_BYTES:]):
        what = "it is damaged, or was written with another key" if keyed else "it is damaged"
        raise SnapshotError(f"{what}: its digest is another", Place(offset=len(data) - DIGEST_BYTES))


def _split(data: bytes) -> Iterator[tuple[str, tuple[bytes, int, int]]]:
    """Name and range of each section."""
    at, end, last = _HEADER.size, len(data) - DIGEST_BYTES, 0
    while at < end:
        if end - at < _SECTION.size:
            raise SnapshotError("unexpected end of a section's head", Place(offset=at))
        number, size = _SECTION.unpack_from(data, at)
        if not last < number <= len(SECTIONS):
            raise SnapshotError(f"section {number} cannot stand here", Place(offset=at))
        name, at, last = SECTIONS[number - 1], at + _SECTION.size, number
        if size > end - at:
            raise SnapshotError(f"unexpected end: {size} bytes expected, {end - at} left", Place(name, offset=at))
        yield name, (data, at, at + size)
        at += size


class _Parts:
    """The distinct pages of a file, in parts that are unpacked when they are asked for."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self._data = data
        if end - at < _COUNT.size:
            raise SnapshotError("unexpected end of the number of pages", Place("page", offset=at))
        (self.count,) = _COUNT.unpack_from(data, at)
        at += _COUNT.size
        self._parts: list[tuple[int, int]] = []
        while at < end:
            size = _PART.unpack_from(data, at)[0] if end - at >= _PART.size else end
            at += _PART.size
            if not 0 < size <= end - at:
                raise SnapshotError("unexpected end of a part", Place("page", len(self._parts), offset=at))
            self._parts.append((at, size))
            at += size
        if -(-self.count // _PART_PAGES) != len(self._parts):
            raise SnapshotError(f"{self.count} pages in {len(self._parts)} parts cannot be", Place("page"))
        self._last = -1, b""

    def require(self, runs: tuple[Run, ...], section: str, item: int) -> None:
        """Raise SnapshotError where runs are of pages that are not there."""
        if any(run.first + run.count > self.count for run in runs):
            raise SnapshotError(f"pages that are none of the {self.count} there are", Place(section, item))

    def part(self, number: int) -> bytes:
        """A part's pages.  Raises SnapshotError where they cannot be unpacked."""
        if self._last[0] == number:
            return self._last[1]
        from svm.snapshot.packing import unpacked

        at, size = self._parts[number]
        data = self._data[at : at + size]
        wanted = min(self.count - number * _PART_PAGES, _PART_PAGES) * PAGE_BYTES
        if size != wanted:
            try:
                data = unpacked(data, wanted, exactly=True)
            except ValueError as error:
                raise SnapshotError(str(error), Place("page", number, offset=at)) from None
        self._last = number, data
        return data

    def pieces(self, run: Run) -> Iterator[tuple[int, memoryview]]:
        """Number of the first, and bytes, of pages in a row, as far as one part has them."""
        done = 0
        while done < run.count:
            part, at = divmod(run.first + done, _PART_PAGES)
            count = min(run.count - done, _PART_PAGES - at)
            yield run.start + done, memoryview(self.part(part))[at * PAGE_BYTES : (at + count) * PAGE_BYTES]
            done += count


class StoredPages(Pages):
    """Pages that are unpacked when a guest is made of them for the first time."""

    __slots__ = ("_found", "_runs", "_store")

    def __init__(self, size: int, runs: tuple[Run, ...], store: _Parts) -> None:
        super().__init__(size, None, {})
        self._runs = runs
        self._store = store
        self._found: Pages | None = None

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """See `Pages`."""
        if self._found is not None:
            yield from self._found
            return
        for number, data in self._pieces():
            for at in range(0, len(data), PAGE_BYTES):
                yield number + at // PAGE_BYTES, bytes(data[at : at + PAGE_BYTES])

    def _pieces(self) -> Iterator[tuple[int, memoryview]]:
        return (piece for run in self._runs for piece in self._store.pieces(run))

    def loaded(self) -> Pages:
        """See `Pages`."""
        if self._found is None:
            end = self._runs[-1].start + self._runs[-1].count if self._runs else 0
            self._found = pages_from(self.size, end, self._pieces)
        return self._found


class _StoredState(DeviceState):
    """A device's state whose pages are unpacked when they are asked for."""

    def __init__(self, data: bytes, pages: StoredPages) -> None:
        super().__init__(data)
        self._pages = pages

    def pages(self) -> Iterable[tuple[int, bytes]]:
        """See `DeviceState`."""
        return self._pages
