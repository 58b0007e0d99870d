"""A `Draft`, which may come from anybody, to a `State`: all of it is held against the modules that it names.

In comes what a file says; out comes what a store can be made of, or a SnapshotError that says what does not fit, and
where.  Invariant: what passes is a state that a run of those modules could have been in, as far as the machine's safety
goes: every slot has its type, every reference leads somewhere, and every frame stands where its function can pause,
above a caller that waits for just such a function.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise, repeat
from typing import Any

from svm import limits
from svm.devices import DeviceState
from svm.errors import ModuleError, Place, SnapshotError
from svm.isa import EXTERNREF, F32, FUNCREF, I32, FuncType, ValueType
from svm.limits import PAGE
from svm.lower import HEADER_SLOTS, SLOT_BYTES, FrameLayout, Safepoint, layout_of, safepoints_of
from svm.module import ExternKind, MemoryType, TableType, ValidFunction, ValidModule
from svm.record import record
from svm.runtime.engine import Record
from svm.runtime.fuel import UNLIMITED
from svm.runtime.link import fits
from svm.snapshot.format import Draft, Frame
from svm.snapshot.pages import PAGE_BYTES, Pages
from svm.snapshot.state import HOST, Encoded, Link, Shape, State, Stranger

__all__ = ["check"]

_KINDS = (ExternKind.TABLE, ExternKind.MEMORY, ExternKind.GLOBAL, ExternKind.TAG)
_MOST_GRANTED = 1 << 63
_MOST_OUTPUT = 1 << 62
_MOST_USED = UNLIMITED + (1 << 40)  # units of fuel, the last charges included
_LONGEST = 40  # of the reason of a pause


def check(draft: Draft, memories: Sequence[Pages], devices: tuple[tuple[tuple[str, DeviceState], ...], ...]) -> State:
    """The state that a draft describes.  memories, devices: with their pages, as far as they could be looked at.

    Raises SnapshotError.
    """
    things = _Things(draft)
    _check_sizes(draft, things)
    _check_segments(draft)
    _check_fuel(draft)
    slots = _Slots(things.functions.count, draft.externs)
    for at, (type_, elements) in enumerate(zip(things.types[ExternKind.TABLE], draft.tables, strict=True)):
        slots.check_all(type_.element, elements, "state", f"table {at}")
    for at, (type_, slot) in enumerate(zip(things.types[ExternKind.GLOBAL], draft.globals, strict=True)):
        slots.check((type_.type,), (slot,), "state", f"global {at}")
    record_ = _Stack(draft, things.functions, slots).record()
    if draft.info.focus >= len(draft.links):
        raise _bad("info", f"there is no instance {draft.info.focus}")
    if len(draft.devices) != len(draft.links):
        raise _bad("device", f"{len(draft.links)} instances, but devices of {len(draft.devices)}")
    return State(
        shape=Shape(
            draft.modules, draft.links, draft.strangers,
            tuple(things.types[ExternKind.TABLE]), tuple(things.types[ExternKind.GLOBAL]),
        ),
        segments=draft.segments,
        memories=tuple(memories),
        tables=tuple(table.tobytes() for table in draft.tables),
        globals=draft.globals.tobytes(),
        record=record_,
        standing=draft.standing,
        fuel=draft.fuel,
        limits=draft.limits,
        memory_refused=draft.memory_refused,
        output_used=draft.output_used,
        externs=(None, *(None if item is None else Encoded(item) for item in draft.externs)),
        devices=devices,
    )


def _bad(section: str, message: str, item: int | None = None) -> SnapshotError:
    return SnapshotError(message, Place(section=section, item=item))


class _Functions:
    """The functions of a store by their numbers: those of the host, and those of instances in a row."""

    def __init__(self) -> None:
        self.count = 1  # with null
        self.hosts: dict[int, FuncType] = {}
        self.imported: list[list[int]] = []  # numbers of the imported functions of each instance
        self.modules: list[ValidModule] = []
        self.starts: list[int] = []  # number of the first of each instance's own

    def number(self, instance: int, index: int) -> int:
        """The number of an instance's function."""
        imported = self.imported[instance]
        return imported[index] if index < len(imported) else self.starts[instance] + index - len(imported)

    def type_of(self, number: int) -> FuncType:
        """The type of a function."""
        if number in self.hosts:
            return self.hosts[number]
        instance = bisect_right(self.starts, number) - 1
        index = number - self.starts[instance] + len(self.imported[instance])
        return self.modules[instance].context.functions[index]


class _Things:
    """What is in the store, as the links say.  types: of the things of each kind; a tag's is its function type."""

    def __init__(self, draft: Draft) -> None:
        self.functions = _Functions()
        self.types: dict[ExternKind, list[Any]] = {kind: [] for kind in _KINDS}
        self._draft = draft
        self._tags = 0  # tells tags apart
        self._strangers = iter(draft.strangers)
        for at, link in enumerate(draft.links):
            self._add(at, link)
        if next(self._strangers, None) is not None:
            raise _bad("link", "no instance imports what stands last among the host's things")

    def _add(self, at: int, link: Link) -> None:
        draft, functions = self._draft, self.functions
        if link.module >= len(draft.modules):
            raise _bad("link", f"there is no module {link.module}", at)
        module = draft.modules[link.module]
        model = module.module
        if len(link.imports) != len(model.imports):
            raise _bad("link", f"{len(model.imports)} imports, of which {len(link.imports)} are filled", at)
        numbers: list[int] = []
        before = functions.count
        for item, number in zip(model.imports, link.imports, strict=True):
            expected: Any = item.type
            if item.kind in (ExternKind.FUNC, ExternKind.TAG):
                expected = model.types[expected]
            what = f"import {item.module!r} {item.name!r} ({item.kind})"
            if item.kind is ExternKind.FUNC:
                numbers.append(self._function(at, what, expected, number, before))
            else:
                self._thing(at, what, item.kind, expected, number)
        functions.imported.append(numbers)
        functions.modules.append(module)
        functions.starts.append(functions.count)
        functions.count += len(model.functions)
        if functions.count > limits.MAX_FUNCTIONS:
            raise _bad("link", f"more functions than the limit of {limits.MAX_FUNCTIONS}", at)
        for kind, own in (
            (ExternKind.TABLE, model.tables), (ExternKind.MEMORY, model.memories),
            (ExternKind.GLOBAL, [item.type for item in model.globals]),
            (ExternKind.TAG, [model.types[item.type] for item in model.tags]),
        ):  # fmt: skip
            self.types[kind] += own

    def _function(self, at: int, what: str, expected: FuncType, number: int, before: int) -> int:
        """Number of what fills an import.  before: how many functions there were when the instance came."""
        functions = self.functions
        if number == HOST:
            functions.hosts[functions.count] = expected
            functions.count += 1
            return functions.count - 1
        if number >= before or functions.type_of(number) != expected:
            raise _bad("link", f"{what} is filled by function {number}, which is none of {expected}", at)
        return number

    def _thing(self, at: int, what: str, kind: ExternKind, expected: Any, number: int) -> None:
        there = self.types[kind]
        if number == len(there):
            stranger = next(self._strangers, None)
            if stranger is None:
                raise _bad("link", f"{what} is filled by a thing of the host's that is not listed", at)
            self._check_stranger(stranger, at)
            there.append(stranger[0] if isinstance(stranger, tuple) else stranger)
        if number >= len(there) or not fits(expected, there[number], self._size(kind, number)):
            raise _bad("link", f"{what} is filled by {kind} {number}, which does not fit", at)

    def _size(self, kind: ExternKind, number: int) -> int:
        draft = self._draft
        if kind is ExternKind.TABLE and number < len(draft.tables):
            return len(draft.tables[number])
        if kind is ExternKind.MEMORY and number < len(draft.memories):
            return draft.memories[number][0] // PAGE
        return 0

    def _check_stranger(self, stranger: Stranger, at: int) -> None:
        most = {TableType: limits.MAX_TABLE_ELEMENTS, MemoryType: limits.MAX_PAGES}.get(type(stranger))
        if isinstance(stranger, TableType | MemoryType) and most is not None:
            if stranger.minimum > (most if stranger.maximum is None else min(most, stranger.maximum)):
                raise _bad("link", f"a thing of the host's cannot be: {stranger}", at)
        if isinstance(stranger, TableType) and not stranger.element.is_reference:
            raise _bad("link", f"a table holds references, not {stranger.element}", at)
        if isinstance(stranger, tuple) and stranger[0].results:
            raise _bad("link", "a tag has no results", at)


def _check_sizes(draft: Draft, things: _Things) -> None:
    for kind, there, section in (
        (ExternKind.TABLE, draft.tables, "state"), (ExternKind.GLOBAL, draft.globals, "state"),
        (ExternKind.MEMORY, draft.memories, "memory"),
    ):  # fmt: skip
        if len(there) != len(things.types[kind]):
            raise _bad(section, f"{len(things.types[kind])} of kind {kind} are linked, {len(there)} are here")
    for at, (table, elements) in enumerate(zip(things.types[ExternKind.TABLE], draft.tables, strict=True)):
        _check_size("state", at, table, len(elements), limits.MAX_TABLE_ELEMENTS)
    for at, (memory, (size, runs)) in enumerate(zip(things.types[ExternKind.MEMORY], draft.memories, strict=True)):
        _check_size("memory", at, memory, size // PAGE, limits.MAX_PAGES)
        if runs and (runs[-1].start + runs[-1].count) * PAGE_BYTES > size:
            raise _bad("memory", f"pages behind the memory's {size} bytes", at)


def _check_size(section: str, at: int, type_: TableType | MemoryType, size: int, most: int) -> None:
    if not type_.minimum <= size <= (most if type_.maximum is None else min(most, type_.maximum)):
        raise _bad(section, f"its size of {size} is none that {type_} can have", at)


def _check_segments(draft: Draft) -> None:
    if len(draft.segments) != len(draft.links):
        raise _bad("state", f"{len(draft.links)} instances, but segments of {len(draft.segments)}")
    for at, (link, kinds) in enumerate(zip(draft.links, draft.segments, strict=True)):
        model = draft.modules[link.module].module
        for there, kept in zip((model.elements, model.data), kinds, strict=True):
            if any(a >= b for a, b in pairwise((*kept, len(there)))):
                raise _bad("state", "segments that are not there, or out of order", at)


def _check_fuel(draft: Draft) -> None:
    fuel = draft.fuel
    used = fuel.granted - fuel.left
    if not (0 <= used <= _MOST_USED and fuel.granted < _MOST_GRANTED and fuel.left <= UNLIMITED):
        raise _bad("state", f"fuel that cannot be: {fuel.granted} granted, {fuel.left} left")
    if draft.output_used >= _MOST_OUTPUT:
        raise _bad("state", f"{draft.output_used} bytes of output cannot be")


class _Slots:
    """Whether slots can be what their types say, in a store of so many functions and of these objects of the host's."""

    def __init__(self, functions: int, externs: Sequence[bytes | None]) -> None:
        self._most = {I32: 1 << 32, F32: 1 << 32, FUNCREF: functions, EXTERNREF: len(externs) + 1}
        self._gone = {number for number, data in enumerate(externs, 1) if data is None}

    def check(self, types: Sequence[ValueType], slots: Sequence[int], section: str, what: str) -> None:
        """Raise SnapshotError unless slots are of their types."""
        most = self._most
        for kind, slot in zip(types, slots, strict=True):
            if slot >= most.get(kind, slot + 1) or (kind is EXTERNREF and slot in self._gone):
                raise _bad(section, f"{what}: {slot:#x} is no {kind}")

    def check_all(self, kind: ValueType, slots: array[int], section: str, what: str) -> None:
        """The same for many slots of one type."""
        if slots and (max(slots) >= self._most[kind] or (kind is EXTERNREF and self._gone)):
            self.check(tuple(repeat(kind, len(slots))), slots, section, what)


@record
class _Body:
    """What there is to know of a function to check its frames.  operands: their types, by byte offset."""

    function: ValidFunction
    layout: FrameLayout
    points: dict[int, Safepoint]
    operands: dict[int, tuple[ValueType, ...]]


class _Stack:
    """Checks the frames, from the outermost on."""

    def __init__(self, draft: Draft, functions: _Functions, slots: _Slots) -> None:
        self._draft = draft
        self._functions = functions
        self._slots = slots
        self._taken = 0
        self._bodies = self._examined()

    def _examined(self) -> dict[tuple[int, int], _Body]:
        """The bodies of all functions that have frames, by module and function."""
        draft = self._draft
        offsets: dict[tuple[int, int], set[int]] = {}
        for at, frame in enumerate(draft.frames):
            if frame.instance >= len(draft.links):
                raise _bad("stack", f"there is no instance {frame.instance}", at)
            number = draft.links[frame.instance].module
            module = draft.modules[number]
            if not module.imported_functions <= frame.function < len(module.context.functions):
                raise _bad("stack", f"the module has no function {frame.function} of its own", at)
            offsets.setdefault((number, frame.function), set()).add(frame.offset)
        found = {}
        for (number, index), wanted in offsets.items():
            module = draft.modules[number]
            try:
                function = module.function(index)
                operands = module.operand_types(index, wanted)
            except ModuleError as error:
                raise _bad("stack", f"a function that has a frame is bad: {error}") from None
            found[number, index] = _Body(function, layout_of(function), safepoints_of(function), operands)
        return found

    def record(self) -> Record:
        """The frames of record.  Raises SnapshotError."""
        draft = self._draft
        self._check_standing()
        out: list[int] = []
        last, needed = len(draft.frames) - 1, 0
        header = -1
        waits: FuncType | int | None = None  # what the frame below has called: a type, or a function's number
        for at, frame in enumerate(draft.frames):
            body = self._body(frame)
            if at and waits not in (body.function.type, self._functions.number(frame.instance, frame.function)):
                raise _bad("stack", "the frame below waits for another function", at)
            point = body.points.get(frame.offset)
            pauses = at == last and not draft.pending
            if point is None or not (point.pauses if pauses else point.call):
                raise _bad("stack", f"the function cannot stand at byte offset {frame.offset:#x}", at)
            height = body.function.heights[point.index]
            given: tuple[ValueType, ...] = ()
            if not pauses:
                waits, results = self._call(frame, point)
                height -= results
            if at == last and draft.pending:
                type_ = self._pending()
                if waits not in (type_, draft.pending):
                    raise _bad("stack", f"the frame does not wait for function {draft.pending}", at)
                given = type_.params
            types = (*body.function.locals, *body.operands[frame.offset][:height], *given)
            slots = self._take(len(types), at)
            self._slots.check(types, slots, "stack", f"frame {at}")
            params = body.layout.params
            if not frame.offset and any(slots[params:]):
                raise _bad("stack", "locals of a function that has just been entered are not zero", at)
            below, header = header, len(out) + params
            needed = max(needed, len(out) + body.layout.slots)
            out += slots[:params]
            out += (frame.instance, frame.function, frame.offset, header - below if at else 0)
            out += slots[params:]
        assert len(out) == self._taken + HEADER_SLOTS * len(draft.frames)
        if needed * SLOT_BYTES > draft.limits.stack_bytes:
            raise _bad("stack", f"{needed * SLOT_BYTES} bytes, more than the limit of {draft.limits.stack_bytes}")
        out += self._arguments()
        if self._taken != len(draft.slots):
            raise _bad("stack", f"{len(draft.slots)} slots, of which the frames have {self._taken}")
        return Record(tuple(out), header, draft.pending)

    def _pending(self) -> FuncType:
        """The type of the host function whose answer is awaited."""
        found = self._functions.hosts.get(self._draft.pending)
        if found is None:
            raise _bad("stack", f"function {self._draft.pending}, which is awaited, is none of the host's")
        return found

    def _body(self, frame: Frame) -> _Body:
        return self._bodies[self._draft.links[frame.instance].module, frame.function]

    def _call(self, frame: Frame, point: Safepoint) -> tuple[FuncType | int, int]:
        """What a frame waits for, and how many results it will be given."""
        module = self._draft.modules[self._draft.links[frame.instance].module]
        assert point.call is not None
        name, args, _ = point.call
        if name.name == "call":
            index: int = args[0]
            return self._functions.number(frame.instance, index), len(module.context.functions[index].results)
        type_: FuncType = module.context.types[args[0]]
        return type_, len(type_.results)

    def _take(self, count: int, at: int) -> array[int]:
        slots = self._draft.slots[self._taken : self._taken + count]
        if len(slots) < count:
            raise _bad("stack", f"slots are missing: {count} expected, {len(slots)} left", at)
        self._taken += count
        return slots

    def _check_standing(self) -> None:
        """Whether the call that is under way is that of the outermost frame."""
        draft, functions = self._draft, self._functions
        standing = draft.standing
        if standing is None:
            if draft.frames or draft.pending:
                raise _bad("stack", "something is there, but no call is under way")
            return
        if not 0 < standing.function < functions.count:
            raise _bad("stack", f"the call is of function {standing.function}, which is not there")
        if standing.caller >= len(draft.links):
            raise _bad("stack", f"there is no instance {standing.caller}")
        if len(standing.reason) > _LONGEST or not standing.reason.isidentifier():
            raise _bad("stack", f"{standing.reason!r:.80} is no reason of a pause")
        if standing.entered != bool(draft.frames):
            raise _bad("stack", "a call that has begun has frames, and no other")
        if draft.pending:
            self._pending()
        elif standing.reason == "suspended":
            raise _bad("stack", "a suspended call waits for no host function")
        if draft.pending and not draft.frames and draft.pending != standing.function:
            raise _bad("stack", "the call is of another host function than it waits for")
        if draft.frames:
            first = draft.frames[0]
            if functions.number(first.instance, first.function) != standing.function:
                raise _bad("stack", "the outermost frame is not of the function that was called", 0)

    def _arguments(self) -> array[int]:
        """The arguments of a call that has not begun."""
        standing = self._draft.standing
        if standing is None or standing.entered:
            return array("Q")
        types = self._functions.type_of(standing.function).params
        slots = self._take(len(types), 0)
        self._slots.check(types, slots, "stack", "arguments")
        if len(slots) * SLOT_BYTES > self._draft.limits.stack_bytes:
            raise _bad("stack", "the arguments are more than the stack's limit")
        return slots
