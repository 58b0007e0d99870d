"""A `State` put into a store: into a new one, whose instances are linked as those were, or over what one holds.

In come a state and what fills the imports that the host filled; out comes a store that goes on where the other stood.
A state is taken as it is: one that was read from a file has been checked (`svm.snapshot.check`).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

from svm.errors import LimitError
from svm.limits import Limits
from svm.lower import SLOT_BYTES, Header, layout_of
from svm.module import ExternKind, GlobalType, MemoryType, TableType
from svm.record import replaced
from svm.runtime import GlobalInstance, Imports, MemoryInstance, Store, TableInstance, TagInstance
from svm.runtime.fuel import UNLIMITED
from svm.runtime.link import put_segments, rebuilt
from svm.snapshot.pages import put_pages
from svm.snapshot.state import HOST, Fuel, Link, State, Survey, segments_of

__all__ = ["fill", "fuel_under", "overwrite"]


def fill(store: Store, state: State, fuel: Fuel, imports: Callable[[int], Imports]) -> None:
    """Have a new store be as the state says, but for its fuel.  imports: what the host fills an instance's with.

    Raises LimitError where the store's limits have no room for it, LinkError where an import is missing or does not
    fit; the store is of no use then.
    """
    require_room(store, state)
    builder = _Builder(store, state)
    for number, link in enumerate(state.shape.links):
        builder.add(link, imports(number))
    _put(store, builder.things[ExternKind.MEMORY], builder.things[ExternKind.TABLE], state)
    _go_on(store, state, fuel)


def overwrite(store: Store, survey: Survey, state: State) -> None:
    """Have a store, whose calls are all paused, be as it was when the state was taken.

    Raises UsageError, with nothing changed, where a memory is to have another size and somebody holds a view of it.
    """
    for memory, pages in zip(survey.memories, state.memories, strict=True):
        if memory.size != pages.size:
            memory.require_unheld()
    _put(store, survey.memories, survey.tables, state)
    _go_on(store, state, state.fuel)


def require_room(store: Store, state: State) -> None:
    """Raise LimitError unless a store's limits have room for what a state holds."""
    store.arenas.require(state.memory_bytes, state.table_elements, "the snapshot's")
    limit = store.limits.stack_bytes
    if limit >= state.limits.stack_bytes:  # its frames fit into that
        return
    needed = stack_bytes(state)
    if needed > limit:
        raise LimitError(f"the snapshot's stack needs {needed} bytes, the limit is {limit}", "stack", limit)


def stack_bytes(state: State) -> int:
    """Bytes of stack that the frames of a state need."""
    slots, fp = state.record.slots, state.record.fp
    needed = len(slots)
    while fp >= 0:
        link = state.shape.links[slots[fp + Header.INSTANCE]]
        layout = layout_of(state.shape.modules[link.module].function(slots[fp + Header.FUNCTION]))
        needed = max(needed, fp - layout.params + layout.slots)
        caller = slots[fp + Header.CALLER]
        fp = fp - caller if caller else -1
    return needed * SLOT_BYTES


def fuel_under(limits: Limits, fuel: Fuel) -> Fuel:
    """What is granted and left under other limits: what was used counts."""
    granted = UNLIMITED if limits.fuel is None else limits.fuel
    return Fuel(granted, granted - (fuel.granted - fuel.left), limits.fuel is not None)


class _Builder:
    """Makes the instances of a state, one after the other.  things: of each kind, by their number."""

    def __init__(self, store: Store, state: State) -> None:
        self.arenas = store.arenas
        self.state = state
        self.things: dict[ExternKind, list[Any]] = {kind: [] for kind in ExternKind}
        self._strangers = iter(state.shape.strangers)

    def add(self, link: Link, imports: Imports) -> None:
        """Make the next instance."""
        module = self.state.shape.modules[link.module]
        given = [
            self._given(item.kind, number) for item, number in zip(module.module.imports, link.imports, strict=True)
        ]
        first = len(self.things[ExternKind.MEMORY])
        sizes = [pages.size for pages in self.state.memories[first : first + len(module.module.memories)]]
        instance = rebuilt(self.arenas, module, given, imports, sizes)
        for kind, things in self.things.items():
            if kind is not ExternKind.FUNC:
                things += instance.space(kind)[len(module.module.imported(kind)) :]

    def _given(self, kind: ExternKind, number: int) -> Any:
        if kind is ExternKind.FUNC:
            return None if number == HOST else self.arenas.functions[number]
        things = self.things[kind]
        if number == len(things):
            things.append(self._stranger())
        return things[number]

    def _stranger(self) -> Any:
        type_ = next(self._strangers)
        if isinstance(type_, MemoryType):
            number = len(self.things[ExternKind.MEMORY])
            return MemoryInstance(self.arenas, type_, self.state.memories[number].size)
        if isinstance(type_, TableType):
            return TableInstance(self.arenas, type_)
        if isinstance(type_, GlobalType):
            return GlobalInstance(type_, 0)
        return TagInstance(*type_)


def _go_on(store: Store, state: State, fuel: Fuel) -> None:
    store.meter.restore(fuel.granted, fuel.left, fuel.limited)
    granted = min(fuel.granted, UNLIMITED - 1) if fuel.limited else None
    store.arenas.limits = replaced(store.limits, fuel=granted)
    store.stand(state.record, state.standing)


def _put(store: Store, memories: list[MemoryInstance], tables: list[TableInstance], state: State) -> None:
    """Put what a state's things hold into those of a store."""
    arenas = store.arenas
    for memory, pages in zip(memories, state.memories, strict=True):
        put_pages(memory, pages)
    for table, slots in zip(tables, state.tables, strict=True):
        elements = array("Q", slots)
        arenas.elements_used += len(elements) - len(table.elements)
        if len(elements) == len(table.elements):
            table.elements[:] = elements  # in place
        else:
            table.elements = elements
    arenas.globals[:] = array("Q", state.globals)
    for instance, segments in zip(arenas.instances, state.segments, strict=True):
        if segments_of(instance) != segments:
            put_segments(instance, *segments)
    arenas.memory_refused, arenas.output_used = state.memory_refused, state.output_used
    arenas.externs = state.externs
    arenas.changes[0] += 1
