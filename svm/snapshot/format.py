"""What a snapshot says, as bytes and back, but for its pages (docs/snapshot-format.md describes it).

In comes a `State`, out comes a section for each part of it; and back to a `Draft`, of which no more is known than its
form: `svm.snapshot.check` holds it against its modules.  Pages go by their numbers in a list of distinct ones, which
whoever keeps a snapshot keeps in a way of its own.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from svm import limits
from svm.devices import DeviceState
from svm.errors import ModuleError, SnapshotError, UsageError
from svm.isa import FuncType
from svm.limits import PAGE, Limits
from svm.lower import HEADER_SLOTS, Header
from svm.module import GlobalType, MemoryType, TableType, ValidModule, decode, validate
from svm.module.leb import unsigned
from svm.module.pieces import extern_type, function_type, sized, text, vector
from svm.module.reader import Reader
from svm.record import record
from svm.runtime.outcome import Standing
from svm.snapshot.state import Fuel, Link, State, Stranger

__all__ = ["SECTIONS", "Draft", "Frame", "Info", "Run", "encode_sections", "read_sections"]

SECTIONS = ("module", "link", "state", "stack", "device", "memory", "extern", "info", "page")
"""Names of the sections, which stand in a file in this order, with their places here, from 1, before them."""

MAX_INSTANCES = 10_000
MAX_METADATA = 1 << 20
"""Bytes of a snapshot's metadata, as JSON."""

_EAGER_BYTES = 1 << 18  # of code: larger modules have their bodies checked when they are first called
_U64, _S64, _F64 = struct.Struct("<Q"), struct.Struct("<q"), struct.Struct("<d")
_TABLE, _MEMORY, _GLOBAL, _TAG = 1, 2, 3, 4  # kinds of strangers, by the codes of `ExternKind`
_ENTERED, _SLOTS, _ARRAYS = 1, 2, 4  # flags of a call
_EMBEDDED, _BY_DIGEST = 0, 1


@record
class Frame:
    """Where a frame stands: instance and function by number, byte offset in the body of what it runs next."""

    instance: int
    function: int
    offset: int


@record
class Run:
    """Pages of a memory in a row: their numbers from `start` on, and in the list of distinct pages from `first` on."""

    start: int
    count: int
    first: int


@record
class Info:
    """What is said of a snapshot.  focus: number of its guest's instance.  parent: identity of the one it follows."""

    focus: int
    identity: str
    parent: str | None
    name: str | None
    metadata: dict[str, Any]


@record(eq=False)
class Draft:
    """What sections say; see `State`.  memories: size in bytes, and the pages that are not zero.  devices: of each
    instance kinds, states, and the pages of these.

    pending: number of the host function whose answer is awaited, 0 for none.
    slots: of all frames, outermost first, without their headers.  externs: what the host made of the objects that
    references stand for, from 1 on; None for those that are gone.
    """

    modules: tuple[ValidModule, ...]
    links: tuple[Link, ...]
    strangers: tuple[Stranger, ...]
    limits: Limits
    fuel: Fuel
    memory_refused: bool
    output_used: int
    globals: array[int]
    tables: tuple[array[int], ...]
    segments: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    standing: Standing | None
    frames: tuple[Frame, ...]
    pending: int
    slots: array[int]
    devices: tuple[tuple[tuple[str, bytes, tuple[Run, ...]], ...], ...]
    memories: tuple[tuple[int, tuple[Run, ...]], ...]
    externs: tuple[bytes | None, ...]
    info: Info


# Writing


def encode_sections(
    state: State, info: Info, externs: Iterable[bytes | None], number_of: Callable[[bytes], int], *, embed: bool
) -> list[bytes]:
    """Contents of all sections but that of the pages, in their order.

    externs: see `Draft`.  number_of: the number of a page among the distinct ones.  embed: whether modules go along, or
    their digests.  Raises UsageError for metadata that JSON does not have.
    """
    return [
        vector([_module(item, embed) for item in state.shape.modules]),
        vector([unsigned(item.module) + vector(list(map(unsigned, item.imports))) for item in state.shape.links])
        + vector([_stranger(item) for item in state.shape.strangers]),
        _limits(state.limits) + _fuel(state.fuel) + bytes((state.memory_refused,)) + _U64.pack(state.output_used)
        + _slots(array("Q", state.globals)) + vector([_table(array("Q", item)) for item in state.tables])
        + vector([vector(list(map(unsigned, a))) + vector(list(map(unsigned, b))) for a, b in state.segments]),
        _standing(state.standing) + _frames(state),
        vector([vector([_device(kind, item, number_of) for kind, item in items]) for items in state.devices]),
        vector([unsigned(item.size // PAGE) + vector(_runs(item, number_of)) for item in state.memories]),
        vector([b"\0" if item is None else b"\1" + sized(item) for item in externs]),
        unsigned(info.focus) + text(info.identity) + text(info.parent or "") + _name(info.name)
        + _metadata(info.metadata),
    ]  # fmt: skip


def _module(module: ValidModule, embed: bool) -> bytes:
    if not embed:
        return bytes((_BY_DIGEST,)) + text(module.fingerprint)
    return bytes((_EMBEDDED,)) + sized(module.encoded)


def _stranger(type_: Stranger) -> bytes:
    if isinstance(type_, tuple):
        return bytes((_TAG,)) + function_type(type_[0]) + text(type_[1])
    kind = {TableType: _TABLE, MemoryType: _MEMORY, GlobalType: _GLOBAL}[type(type_)]
    return bytes((kind,)) + extern_type(type_)


def _optional(layout: struct.Struct, value: float | None) -> bytes:
    return b"\0" if value is None else b"\1" + layout.pack(value)


def _limits(given: Limits) -> bytes:
    return (
        _optional(_U64, given.memory_bytes) + unsigned(given.table_elements) + _optional(_U64, given.fuel)
        + _optional(_F64, given.seconds) + unsigned(given.stack_bytes) + _U64.pack(given.value_bytes)
        + _optional(_U64, given.output_bytes) + _optional(_U64, given.storage_bytes)
    )  # fmt: skip


def _fuel(fuel: Fuel) -> bytes:
    return _U64.pack(fuel.granted) + _S64.pack(fuel.left) + bytes((fuel.limited,))


def _slots(slots: array[int]) -> bytes:
    return unsigned(len(slots)) + _little(slots)


def _little(slots: array[int]) -> bytes:
    """Slots as bytes, little-endian on any machine."""
    if sys.byteorder == "big":
        slots = slots[:]
        slots.byteswap()
    return slots.tobytes()


def _table(elements: array[int]) -> bytes:
    """A table's length, and its elements without the nulls at its end."""
    used = len(elements.tobytes().rstrip(b"\0")) + 7 >> 3 if sys.byteorder == "little" else len(elements)
    return unsigned(len(elements)) + _slots(elements[:used])


def _standing(standing: Standing | None) -> bytes:
    if standing is None:
        return b"\0"
    flags = _ENTERED * standing.entered | _SLOTS * standing.slots | _ARRAYS * standing.arrays
    return b"\1" + unsigned(standing.function) + bytes((flags,)) + unsigned(standing.caller + 1) + text(standing.reason)


def _frames(state: State) -> bytes:
    slots, fp = state.record.slots, state.record.fp
    frames, parts = [], []
    end = len(slots)
    while fp >= 0:
        frames.append(b"".join(map(unsigned, slots[fp : fp + Header.CALLER])))
        parts.append(slots[fp + HEADER_SLOTS : end])
        caller, end = slots[fp + Header.CALLER], fp
        fp = fp - caller if caller else -1
    parts.append(slots[:end])
    slots_ = _slots(array("Q", [slot for part in reversed(parts) for slot in part]))
    return vector(frames[::-1]) + unsigned(state.record.pending) + slots_


def _runs(pages: Iterable[tuple[int, bytes]], number_of: Callable[[bytes], int]) -> list[bytes]:
    """Pages in a row whose distinct pages are in a row, too: how far behind the last one, how many, from which on."""
    runs: list[bytes] = []
    last = start = first = count = 0
    for number, page in pages:
        index = number_of(page)
        if count and number == start + count and index == first + count:
            count += 1
            continue
        if count:
            runs.append(unsigned(start - last) + unsigned(count) + unsigned(first))
            last = start + count
        start, first, count = number, index, 1
    if count:
        runs.append(unsigned(start - last) + unsigned(count) + unsigned(first))
    return runs


def _device(kind: str, state: DeviceState, number_of: Callable[[bytes], int]) -> bytes:
    return text(kind) + sized(state.data()) + vector(_runs(state.pages(), number_of))


def _name(name: str | None) -> bytes:
    return b"\0" if name is None else b"\1" + text(name)


def _metadata(metadata: Mapping[str, Any]) -> bytes:
    import json

    try:
        data = json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"metadata is what JSON can say: {error}") from None
    if len(data) > MAX_METADATA:
        raise UsageError(f"metadata of {len(data)} bytes is more than the limit of {MAX_METADATA}")
    return sized(data)


# Reading


def read_sections(parts: Mapping[str, tuple[bytes, int, int]], modules: Iterable[ValidModule]) -> Draft:
    """What sections say.  parts: by name, the bytes that the section lies in, and its range there.  modules: those that
    a snapshot may name by their digests.

    Raises SnapshotError.
    """
    known = {module.fingerprint: module for module in modules}
    found: dict[str, Any] = {}
    for name in SECTIONS[:-1]:
        data, at, end = parts[name]
        reader = _Parser(data, at, end, name)
        try:
            getattr(reader, f"read_{name}")(found, known)
            reader.finish()
        except SnapshotError:
            raise
        except ModuleError as error:  # of a piece that modules have, too
            raise SnapshotError(error.message, error.place) from None
    return Draft(**found)


class _Parser(Reader):
    """Reads one section."""

    def fail(self, message: str, offset: int | None = None) -> SnapshotError:
        """See `Reader`."""
        return SnapshotError(message, super().fail(message, offset).place)

    # Pieces

    def fixed(self, layout: struct.Struct) -> Any:
        """A number of a fixed size."""
        return layout.unpack(self.take(layout.size))[0]

    def flag(self) -> bool:
        """Whether something is so."""
        return self.choice({0: False, 1: True}, "flag")

    def optional(self, read: Callable[[], Any]) -> Any:
        """Something that may be missing."""
        return read() if self.flag() else None

    def slots(self) -> array[int]:
        """Slots behind their count."""
        slots = array("Q", self.take(self.u32() * 8))
        if sys.byteorder == "big":
            slots.byteswap()
        return slots

    def numbers(self) -> tuple[int, ...]:
        """Numbers behind their count."""
        return self.vector(self.u32, limits.MAX_IMPORTS)

    # Sections

    def read_module(self, found: dict[str, Any], known: Mapping[str, ValidModule]) -> None:
        found["modules"] = self.vector(lambda: self.module(known), MAX_INSTANCES)

    def module(self, known: Mapping[str, ValidModule]) -> ValidModule:
        """A module, of which small ones are checked whole."""
        if self.choice({_EMBEDDED: True, _BY_DIGEST: False}, "kind of module"):
            data = self.blob()
            try:
                model = decode(data)
                return validate(model, bodies=sum(len(item.body) for item in model.functions) <= _EAGER_BYTES)
            except ModuleError as error:
                raise self.fail(f"the module is bad: {error}") from None
        name = self.text()
        if name not in known:
            raise self.fail(f"the module with digest {name!r:.80} does not go along and was not given")
        return known[name]

    def read_link(self, found: dict[str, Any], known: object) -> None:
        found["links"] = self.vector(lambda: Link(self.u32(), self.numbers()), MAX_INSTANCES)
        found["strangers"] = self.vector(self.stranger, limits.MAX_IMPORTS)

    def stranger(self) -> Stranger:
        """Type of something that the host made."""
        readers: dict[int, Callable[[], Stranger]] = {
            _TABLE: self.table_type, _MEMORY: self.memory_type, _GLOBAL: self.global_type, _TAG: self.tag,
        }  # fmt: skip
        return self.choice(readers, "kind of a thing of the host's")()

    def tag(self) -> tuple[FuncType, str]:
        """Type and name of a tag."""
        return self.function_type(), self.text()

    def read_state(self, found: dict[str, Any], known: object) -> None:
        found["limits"] = self.limits()
        found["fuel"] = Fuel(self.fixed(_U64), self.fixed(_S64), self.flag())
        found["memory_refused"] = self.flag()
        found["output_used"] = self.fixed(_U64)
        found["globals"] = self.slots()
        self.elements_left = limits.MAX_TABLE_ELEMENTS
        found["tables"] = self.vector(self.table, limits.MAX_TABLES)
        found["segments"] = self.vector(lambda: (self.numbers(), self.numbers()), MAX_INSTANCES)

    def limits(self) -> Limits:
        """The store's limits."""
        start = self.at
        memory, elements = self.optional(lambda: self.fixed(_U64)), self.u32()
        fuel, seconds = self.optional(lambda: self.fixed(_U64)), self.optional(lambda: self.fixed(_F64))
        stack, values = self.u32(), self.fixed(_U64)
        output, storage = self.optional(lambda: self.fixed(_U64)), self.optional(lambda: self.fixed(_U64))
        try:
            return Limits(
                memory=memory, table_elements=elements, fuel=fuel, seconds=seconds, stack=stack, values=values,
                output=output, storage=storage,
            )
        except UsageError as error:
            raise self.fail(f"the limits are none: {error}", start) from None

    def table(self) -> array[int]:
        """A table's elements, as long as all of them are not too many."""
        start = self.at
        count, given = self.u32(), self.slots()
        self.elements_left -= count
        if len(given) > count or self.elements_left < 0:
            raise self.fail(f"a table of {count} elements cannot be", start)
        return given + array("Q", bytes(8 * (count - len(given))))

    def read_stack(self, found: dict[str, Any], known: object) -> None:
        found["standing"] = self.optional(self.standing)
        found["frames"] = self.vector(lambda: Frame(self.u32(), self.u32(), self.u32()), limits.MAX_STACK // 8)
        found["pending"] = self.u32()
        found["slots"] = self.slots()

    def standing(self) -> Standing:
        """How the paused call stands."""
        function, flags, caller = self.u32(), self.byte(), self.u32()
        if flags > _ENTERED | _SLOTS | _ARRAYS:
            raise self.fail(f"malformed flags of a call: {flags:#04x}")
        entered, slots, arrays = (bool(flags & flag) for flag in (_ENTERED, _SLOTS, _ARRAYS))
        return Standing(function, entered, slots, arrays, caller - 1, self.text())

    def read_device(self, found: dict[str, Any], known: object) -> None:
        found["devices"] = self.vector(
            lambda: self.vector(lambda: (self.text(), self.blob(), self.runs()), limits.MAX_IMPORTS), MAX_INSTANCES
        )

    def read_memory(self, found: dict[str, Any], known: object) -> None:
        found["memories"] = self.vector(self.memory, MAX_INSTANCES * limits.MAX_MEMORIES)

    def memory(self) -> tuple[int, tuple[Run, ...]]:
        """Size of a memory, and where its pages are."""
        return self.u32() * PAGE, self.runs()

    def runs(self) -> tuple[Run, ...]:
        """Where pages are, in order."""
        next_ = 0

        def run() -> Run:
            nonlocal next_
            start, count, first = next_ + self.u32(), self.u32(), self.u32()
            next_ = start + count
            return Run(start, count, first)

        return self.vector(run, limits.MAX_PAGES * PAGE)

    def read_extern(self, found: dict[str, Any], known: object) -> None:
        found["externs"] = self.vector(lambda: self.optional(self.blob), limits.MAX_TABLE_ELEMENTS)

    def read_info(self, found: dict[str, Any], known: object) -> None:
        focus, identity, parent = self.u32(), self.text(), self.text()
        name = self.optional(self.text)
        found["info"] = Info(focus, identity, parent or None, name, self.metadata())

    def metadata(self) -> dict[str, Any]:
        """What JSON says."""
        import json

        start, data = self.at, self.blob()
        if len(data) > MAX_METADATA:
            raise self.fail(f"metadata of {len(data)} bytes is more than the limit of {MAX_METADATA}", start)
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self.fail(f"the metadata is no JSON: {error}", start) from None
        if not isinstance(found, dict):
            raise self.fail("the metadata is no JSON object", start)
        return found
