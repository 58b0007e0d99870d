"""What a guest is made of: memories, tables, globals, tags, functions and instances, in one store.

A store is a guest's own: everything in it shares limits and fuel, and nothing in it is reachable from another guest.
References in slots are indices into the store's arenas, with 0 for null, so that they mean the same on every engine
and in a snapshot.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Callable, Mapping
from typing import Any

from svm.errors import LimitError, LinkError
from svm.isa import FuncType
from svm.limits import MAX_PAGES, MAX_TABLE_ELEMENTS, PAGE, Limits
from svm.module import ExternKind, GlobalType, MemoryType, TableType, ValidModule
from svm.record import record
from svm.runtime.mapping import address_of, grown_mapping, new_mapping

__all__ = [
    "Extern",
    "FunctionInstance",
    "GlobalInstance",
    "HostFunction",
    "Instance",
    "MemoryInstance",
    "Store",
    "TableInstance",
    "TagInstance",
]


class MemoryInstance:
    """A linear memory.  `data` is its bytes: a mapping that grows in place, though perhaps at another address."""

    def __init__(self, store: Store, type_: MemoryType) -> None:
        self.type = type_
        self.store = store
        self.size = type_.minimum * PAGE
        store.take_memory(self.size)
        try:
            self.data = new_mapping(self.size)
        except OSError:
            raise LinkError(f"the machine has no {self.size} bytes for the module's memory") from None
        self.address = address_of(self.data)

    @property
    def pages(self) -> int:
        """Size now, in pages."""
        return self.size // PAGE

    def grow(self, pages: int) -> int:
        """Grow by pages: the size before, or -1 where the type, the guest's limit or the machine refuses."""
        before = self.pages
        most = MAX_PAGES if self.type.maximum is None else self.type.maximum
        if before + pages > most or not self.store.may_take_memory(pages * PAGE):
            return -1
        if pages:
            try:
                self.data = grown_mapping(self.data, self.size + pages * PAGE)
            except (OSError, BufferError, ValueError):
                return -1
            self.store.take_memory(pages * PAGE)
            self.size += pages * PAGE
            self.address = address_of(self.data)
        return before

    def __repr__(self) -> str:
        return f"<memory of {self.pages} pages>"


class TableInstance:
    """A table: `elements` holds references as slots."""

    def __init__(self, store: Store, type_: TableType) -> None:
        self.type = type_
        self.store = store
        store.take_elements(type_.minimum)
        self.elements = array("Q", bytes(8 * type_.minimum))

    def grow(self, count: int, value: int) -> int:
        """Grow by elements of a value: the size before, or -1 where the type or the guest's limit refuses."""
        before = len(self.elements)
        most = MAX_TABLE_ELEMENTS if self.type.maximum is None else self.type.maximum
        if before + count > most or not self.store.may_take_elements(count):
            return -1
        self.store.take_elements(count)
        self.elements += array("Q", (value,)) * count
        return before

    def __repr__(self) -> str:
        return f"<table of {len(self.elements)} {self.type.element}>"


class GlobalInstance:
    """A global; its value lies in its store's array of globals, where native code finds it too.

    One that a host makes belongs to no store until it is imported.
    """

    __slots__ = ("_cells", "number", "store", "type")

    def __init__(self, type_: GlobalType, value: int, store: Store | None = None) -> None:
        self.type = type_
        self.join(store, value)

    def join(self, store: Store | None, value: int) -> None:
        """Belong to a store."""
        self.store = store
        self._cells = store.globals if store is not None else array("Q")
        self.number = len(self._cells)
        self._cells.append(value)

    @property
    def value(self) -> int:
        """Its slot."""
        return self._cells[self.number]

    @value.setter
    def value(self, slot: int) -> None:
        self._cells[self.number] = slot


@record(eq=False)
class TagInstance:
    """An exception tag: two are the same only if they are one object."""

    type: FuncType
    name: str


@record
class HostFunction:
    """A Python function as an import.

    function: called with the arguments as Python numbers (references as `Reference` or None); returns None, one
    value, or a tuple.  caller: whether it first gets the calling `Instance`, to reach the guest's memory.
    type: the only type that modules may import it as; None takes whatever they say.
    """

    function: Callable[..., Any]
    caller: bool = False
    type: FuncType | None = None


@record(frozen=False, eq=False)
class FunctionInstance:
    """A function in a store: either `host`, or body `index` of `instance`'s module.

    number: its place in the store, and so its reference.  code: what the engine made of it, made at its first call.
    """

    number: int
    type: FuncType
    name: str
    instance: Instance | None = None
    index: int = 0
    host: HostFunction | None = None
    code: Any = None


Extern = FunctionInstance | TableInstance | MemoryInstance | GlobalInstance | TagInstance


class Instance:
    """A module in a store, with its imports filled."""

    def __init__(self, store: Store, module: ValidModule) -> None:
        self.store = store
        self.module = module
        self.number = len(store.instances)
        self.functions: list[FunctionInstance] = []
        self.tables: list[TableInstance] = []
        self.memories: list[MemoryInstance] = []
        self.globals: list[GlobalInstance] = []
        self.tags: list[TagInstance] = []
        self.data: list[bytes] = []
        self.elements: list[array[int]] = []
        self._exports: dict[str, Extern] | None = None
        store.instances.append(self)

    @property
    def exports(self) -> Mapping[str, Extern]:
        """What the module exports, by name."""
        if self._exports is None:
            self._exports = {item.name: self.extern(item.kind, item.index) for item in self.module.module.exports}
        return self._exports

    def extern(self, kind: ExternKind, index: int) -> Extern:
        """A thing of the instance by kind and index."""
        spaces: dict[ExternKind, list[Any]] = {
            ExternKind.FUNC: self.functions,
            ExternKind.TABLE: self.tables,
            ExternKind.MEMORY: self.memories,
            ExternKind.GLOBAL: self.globals,
            ExternKind.TAG: self.tags,
        }
        found: Extern = spaces[kind][index]
        return found

    @property
    def memory(self) -> mmap.mmap:
        """Bytes of the first memory, for host functions.  Raises LinkError where the module has none."""
        if not self.memories:
            raise LinkError(f"module {self.module.module.names.module!r} has no memory")
        return self.memories[0].data

    def __repr__(self) -> str:
        return f"<instance {self.number} of {self.module!r}>"


class Store:
    """The arenas of one guest, and what it has used of its limits.

    globals: values of all globals.  native: what the native engine keeps for the store.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.instances: list[Instance] = []
        self.functions: list[FunctionInstance | None] = [None]
        self.globals = array("Q")
        self.types: dict[FuncType, int] = {}
        self.native: Any = None
        self._externs: list[Any] = [None]
        self._memory_used = 0
        self._elements_used = 0
        self.memory_refused = False

    # Limits

    def may_take_memory(self, size: int) -> bool:
        """Whether the memory limit allows so many bytes more; a refusal is remembered, to be told with what follows
        from it.
        """
        limit = self.limits.memory_bytes
        allowed = limit is None or self._memory_used + size <= limit
        self.memory_refused |= not allowed
        return allowed

    def take_memory(self, size: int) -> None:
        """Count bytes of memory.  Raises LimitError over the limit."""
        if not self.may_take_memory(size):
            limit = self.limits.memory_bytes or 0
            needed = self._memory_used + size
            raise LimitError(f"the module's memory needs {needed} bytes, the limit is {limit}", "memory", limit)
        self._memory_used += size

    def may_take_elements(self, count: int) -> bool:
        """Whether the limit allows so many table elements more."""
        return self._elements_used + count <= self.limits.table_elements

    def take_elements(self, count: int) -> None:
        """Count elements of tables.  Raises LimitError over the limit."""
        if not self.may_take_elements(count):
            name, limit, needed = "table_elements", self.limits.table_elements, self._elements_used + count
            raise LimitError(f"the module's tables need {needed} elements, the limit is {limit}", name, limit)
        self._elements_used += count

    # Arenas

    def add_function(
        self,
        type_: FuncType,
        name: str,
        *,
        instance: Instance | None = None,
        index: int = 0,
        host: HostFunction | None = None,
    ) -> FunctionInstance:
        """A new function of the store."""
        function = FunctionInstance(len(self.functions), type_, name, instance, index, host)
        self.functions.append(function)
        return function

    def type_number(self, type_: FuncType) -> int:
        """Number of a function type, the same for equal types."""
        return self.types.setdefault(type_, len(self.types))

    def hold(self, value: Any) -> int:
        """Reference to a host object, for an externref slot."""
        if value is None:
            return 0
        self._externs.append(value)
        return len(self._externs) - 1

    def held(self, reference: int) -> Any:
        """The host object of an externref slot."""
        return self._externs[reference]
