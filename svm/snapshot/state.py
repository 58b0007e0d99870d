"""A paused store as a value: all that its guests are made of, in a form that no engine, address or process is part of.

In comes a store of which every call is paused; out comes a `State`, which nothing changes any more.  Things of a kind
are numbered in the order in which the instances hold them first, which is that in which a store makes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from svm.devices import DeviceState
from svm.errors import UsageError
from svm.isa import FuncType
from svm.limits import Limits
from svm.module import ExternKind, GlobalType, MemoryType, TableType, ValidModule
from svm.record import record
from svm.runtime import Instance, Store
from svm.runtime.engine import Record
from svm.runtime.outcome import Standing
from svm.snapshot.pages import Pages, take_pages

__all__ = ["HOST", "Encoded", "Fuel", "Link", "Shape", "State", "Stranger", "segments_of", "shape_of", "take_state"]

Stranger = MemoryType | TableType | GlobalType | tuple[FuncType, str]
"""Type of something that no instance of the store made, but the host: a tag with its name, or another thing."""

HOST = 0
"""As what fills an import: a host function that the instance was the first to have."""


@record
class Link:
    """How an instance was linked.  module: index among the modules.

    imports: what fills each import.  For a function its number in the store, or `HOST`; else its number among the
    things of its kind, which is that of the next one where it is a stranger that no instance had before.
    """

    module: int
    imports: tuple[int, ...]


@record
class Shape:
    """What is in a store, apart from what that holds.  strangers: in the order in which instances have them first.

    tables, globals: types of all of them.
    """

    modules: tuple[ValidModule, ...]
    links: tuple[Link, ...]
    strangers: tuple[Stranger, ...]
    tables: tuple[TableType, ...]
    globals: tuple[GlobalType, ...]

    def fits(self, other: Shape) -> bool:
        """Whether a store of this shape can hold the state of one of the other: they are the same, module by module."""
        if self is other:
            return True
        if (self.links, self.strangers) != (other.links, other.strangers) or len(self.modules) != len(other.modules):
            return False
        pairs = zip(self.modules, other.modules, strict=True)
        return all(mine is theirs or mine.encoded == theirs.encoded for mine, theirs in pairs)


@record
class Fuel:
    """What of fuel a store was granted and has left; limited: whether the host set a limit."""

    granted: int
    left: int
    limited: bool


@record
class Encoded:
    """A host object that a reference stands for, in the form that the host gave it for a file."""

    data: bytes


@record(eq=False)
class State:
    """See the module's docstring.

    segments: of each instance, indices of the segments of elements and of data that instructions may still use.
    tables: elements as slots.  globals: their slots.  record, standing: the paused call's frames, and the call.
    memory_refused: whether the memory limit refused memory.  output_used: bytes of output so far.  externs: what the
    references to host objects stand for, where some are alive.  devices: kind and state of each instance's devices.
    """

    shape: Shape
    segments: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    memories: tuple[Pages, ...]
    tables: tuple[bytes, ...]
    globals: bytes
    record: Record
    standing: Standing | None
    fuel: Fuel
    limits: Limits
    memory_refused: bool = False
    output_used: int = 0
    externs: tuple[Any, ...] = (None,)
    devices: tuple[tuple[tuple[str, DeviceState], ...], ...] = ()

    @property
    def memory_bytes(self) -> int:
        """Bytes of all memories."""
        return sum(pages.size for pages in self.memories)

    @property
    def table_elements(self) -> int:
        """Elements of all tables."""
        return sum(map(len, self.tables)) // 8


class _Numbers:
    """Numbers of the things of one kind, in the order in which they are met."""

    def __init__(self) -> None:
        self.things: list[Any] = []
        self._numbers: dict[int, int] = {}

    def number(self, thing: Any) -> tuple[int, bool]:
        """A thing's number, and whether it is new."""
        count = len(self.things)
        number = self._numbers.setdefault(id(thing), count)
        if number == count:
            self.things.append(thing)
        return number, number == count


class Survey:
    """What is in a store: its shape, and the things themselves, by their numbers."""

    def __init__(self, store: Store) -> None:
        """Look.  Raises UsageError for a store of which no snapshot can be taken."""
        self.kinds = {kind: _Numbers() for kind in ExternKind if kind is not ExternKind.FUNC}
        self._strangers: list[Stranger] = []
        self._functions = 1  # the number of the next
        modules: dict[ValidModule, int] = {}
        links = []
        for instance in store.arenas.instances:
            number = modules.setdefault(instance.module, len(modules))
            links.append(Link(number, tuple(self._imports(instance))))
            self._own(instance)
        if self._functions != store.arenas.functions.count:
            raise UsageError("a snapshot cannot hold functions that the host added by hand")
        tables, cells = self.tables, self.kinds[ExternKind.GLOBAL].things
        self.shape = Shape(
            tuple(modules), tuple(links), tuple(self._strangers),
            tuple(item.type for item in tables), tuple(item.type for item in cells),
        )  # fmt: skip

    @property
    def memories(self) -> list[Any]:
        """All memories."""
        return self.kinds[ExternKind.MEMORY].things

    @property
    def tables(self) -> list[Any]:
        """All tables."""
        return self.kinds[ExternKind.TABLE].things

    def _imports(self, instance: Instance) -> Iterable[int]:
        seen = dict.fromkeys(ExternKind, 0)
        for item in instance.module.module.imports:
            kind = item.kind
            thing = instance.space(kind)[seen[kind]]
            seen[kind] += 1
            if kind is ExternKind.FUNC:
                new = thing.number == self._functions
                self._functions += new
                yield HOST if new else thing.number
                continue
            number, new = self.kinds[kind].number(thing)
            if new:
                self._strangers.append((thing.type, thing.name) if kind is ExternKind.TAG else thing.type)
            yield number

    def _own(self, instance: Instance) -> None:
        module = instance.module
        self._functions += len(module.context.functions) - module.imported_functions
        for kind, numbers in self.kinds.items():
            for thing in instance.space(kind)[len(module.module.imported(kind)) :]:
                numbers.number(thing)


def shape_of(store: Store) -> Shape:
    """What is in a store.  Raises as `Survey`."""
    return Survey(store).shape


def segments_of(instance: Instance) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Indices of an instance's segments, of elements and of data, that are not dropped."""
    elements = tuple(at for at, segment in enumerate(instance.elements) if segment)
    return elements, tuple(at for at, data in enumerate(instance.data) if data)


def take_state(
    store: Store, survey: Survey, devices: tuple[tuple[tuple[str, DeviceState], ...], ...], before: State | None
) -> State:
    """The state of a store, all of whose calls are paused.  before: an earlier state, whose copies are shared."""
    earlier = before.memories if before is not None else ()
    meter, arenas = store.meter, store.arenas
    memories = tuple(
        take_pages(memory, earlier[at] if at < len(earlier) else None) for at, memory in enumerate(survey.memories)
    )
    return State(
        shape=survey.shape,
        segments=tuple(map(segments_of, arenas.instances)),
        memories=memories,
        tables=tuple(table.elements.tobytes() for table in survey.tables),
        globals=arenas.globals.tobytes(),
        record=store.stack.record(),
        standing=None if store.task is None else store.task.standing,
        fuel=Fuel(meter.granted, meter.left, meter.limited),
        limits=store.limits,
        memory_refused=arenas.memory_refused,
        output_used=arenas.output_used,
        externs=arenas.externs,
        devices=devices,
    )
