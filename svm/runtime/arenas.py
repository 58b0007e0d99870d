"""What guests are made of: memories, tables, globals, tags, functions and instances, in the arenas of one store.

Everything in one store's arenas may refer to everything else there, and to nothing of another's.  References in slots
are indices into the arenas, with 0 for null, so that they mean the same on every engine and in a snapshot.
"""

from __future__ import annotations

import mmap
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping

from svm.errors import LimitError, LinkError, UsageError
from svm.hints import Any
from svm.isa import FuncType
from svm.limits import MAX_PAGES, MAX_TABLE_ELEMENTS, PAGE, Limits
from svm.module import ExternKind, GlobalType, MemoryType, TableType, ValidModule
from svm.record import field, record
from svm.runtime.mapping import Image, address_of, grown_mapping, new_mapping
from svm.runtime.pool import Pool
from svm.runtime.waits import Unanswered

__all__ = [
    "Arenas",
    "Extern",
    "FunctionInstance",
    "GlobalInstance",
    "HostFunction",
    "Instance",
    "MemoryInstance",
    "TableInstance",
    "TagInstance",
]


def _memory_room(size: int) -> tuple[mmap.mmap, int]:
    """Zeroed memory of a size: the mapping and its address."""
    mapping = new_mapping(size)
    return mapping, address_of(mapping)


_memory_rooms = Pool(_memory_room)


class MemoryInstance:
    """A linear memory.  `mapping` is its bytes, which grow in place, though perhaps at another address.

    image: what lies beneath its first bytes, where it came from a snapshot or one was taken.
    lent: whether the host was given the mapping, which it may keep: then no other guest gets it later.
    """

    def __init__(self, arenas: Arenas, type_: MemoryType, size: int | None = None) -> None:
        """Zeroed memory, of the least size that its type has or of so many bytes.  Raises LinkError where the machine
        has none.
        """
        self.type = type_
        self.arenas = arenas
        self.size = type_.minimum * PAGE if size is None else size
        self.image: Image | None = None
        try:
            self.mapping, self.address = _memory_rooms.take(self.size)
        except OSError:
            raise LinkError(f"the machine has no {self.size} bytes for the module's memory") from None
        self.lent = False
        arenas.memory_used += self.size

    @property
    def data(self) -> mmap.mmap:
        """Its bytes, for the host."""
        if self.closed:
            raise UsageError("the guest is closed, and so is its store")
        self.lent = True
        return self.mapping

    @property
    def closed(self) -> bool:
        """Whether it was given up, and its bytes may be another guest's."""
        return not hasattr(self, "mapping")

    def close(self) -> None:
        """Give it up, with its store."""
        if not self.lent and not self.closed:
            mapping = self.mapping
            del self.mapping
            if self.image is None and self.size == self.type.minimum * PAGE:  # others ask for that size, too
                _memory_rooms.give(mapping, (mapping, self.address))

    @property
    def pages(self) -> int:
        """Size now, in pages."""
        return self.size // PAGE

    def grow(self, pages: int) -> int:
        """Grow by pages: the size before, or -1 where the type, the store's limit or the machine refuses."""
        before, arenas = self.pages, self.arenas
        most = MAX_PAGES if self.type.maximum is None else self.type.maximum
        if before + pages > most or not arenas.may_take_memory(pages * PAGE):
            return -1
        if pages:
            try:
                imaged = 0 if self.image is None else self.image.size
                self.mapping = grown_mapping(self.mapping, self.size + pages * PAGE, imaged)
            except (OSError, BufferError, ValueError):
                return -1
            self.size += pages * PAGE
            self.address = address_of(self.mapping)
            arenas.memory_used += pages * PAGE
            arenas.changes[0] += 1
        return before

    def require_unheld(self) -> None:
        """Raise UsageError while somebody holds a view of its bytes."""
        try:
            self.mapping.resize(-1)  # no size at all; but whether it may get another is looked at first
        except BufferError:
            raise UsageError(
                "a view of the guest's memory is held, so that it cannot get another size: release it first"
            ) from None
        except ValueError:
            pass

    def renew(self, size: int) -> None:
        """Be zeroed memory of another size, somewhere else.  Raises UsageError while somebody holds a view of it."""
        self.require_unheld()
        fresh = new_mapping(size)
        self.mapping.close()
        self.arenas.memory_used += size - self.size
        self.mapping, self.size, self.image = fresh, size, None
        self.address = address_of(fresh)
        self.arenas.changes[0] += 1

    def __repr__(self) -> str:
        return f"<memory of {self.pages} pages>"


class TableInstance:
    """A table: `elements` holds references as slots."""

    def __init__(self, arenas: Arenas, type_: TableType) -> None:
        self.type = type_
        self.arenas = arenas
        self.elements = array("Q", bytes(8 * type_.minimum))
        arenas.elements_used += type_.minimum

    def grow(self, count: int, value: int) -> int:
        """Grow by elements of a value: the size before, or -1 where the type or the store's limit refuses."""
        before, arenas = len(self.elements), self.arenas
        most = MAX_TABLE_ELEMENTS if self.type.maximum is None else self.type.maximum
        if before + count > most or not arenas.may_take_elements(count):
            return -1
        self.elements += array("Q", (value,)) * count
        arenas.elements_used += count
        arenas.changes[0] += 1
        return before

    def __repr__(self) -> str:
        return f"<table of {len(self.elements)} {self.type.element}>"


class GlobalInstance:
    """A global; its value lies in the arenas' array of globals, where native code finds it too.

    One that a host makes belongs to no store until it is imported.
    """

    __slots__ = ("_cells", "arenas", "number", "type")

    def __init__(self, type_: GlobalType, value: int, arenas: Arenas | None = None) -> None:
        self.type = type_
        self.join(arenas, value)

    def join(self, arenas: Arenas | None, value: int) -> None:
        """Belong to a store."""
        self.arenas = arenas
        self._cells = arenas.globals if arenas is not None else array("Q")
        self.number = len(self._cells)
        self._cells.append(value)
        if arenas is not None:
            arenas.changes[0] += 1

    @property
    def value(self) -> int:
        """Its slot."""
        return self._cells[self.number]

    @value.setter
    def value(self, slot: int) -> None:
        self._cells[self.number] = slot


@record(eq=False)
class TagInstance:
    """An exception tag: two are the same only if they are one object.  instance: whose it is, None for a host's."""

    type: FuncType
    name: str
    instance: Instance | None = None

    @property
    def arenas(self) -> Arenas | None:
        """Of the store that it belongs to; a host's belongs to none."""
        return None if self.instance is None else self.instance.arenas


@record
class HostFunction:
    """A Python function as an import.

    function: called with the arguments as Python values (see `svm.runtime.values`); returns None, one value, or a
    tuple.  caller: whether it first gets the calling `Instance`, to reach the guest's memory.
    type: the only type that modules may import it as; None takes whatever they say.
    call: how values pass, where the interface of the module that imports it says so; linking finds it out.
    """

    function: Callable[..., Any]
    caller: bool = False
    type: FuncType | None = None
    call: Any = field(default=None, repr=False, compare=False)


@record(frozen=False, eq=False)
class FunctionInstance:
    """A function in a store: either `host`, or body `index` of `instance`'s module.

    number: its place in the store, and so its reference.  code: what the engine made of it; signature: how values pass
    when it is called across the border (`svm.runtime.values`); both made at the first call that needs them.
    """

    number: int
    type: FuncType
    name: str
    instance: Instance | None = None
    index: int = 0
    host: HostFunction | None = None
    code: Any = None
    signature: Any = None

    def __repr__(self) -> str:
        return f"<function {self.name}: {self.type}>"


Extern = FunctionInstance | TableInstance | MemoryInstance | GlobalInstance | TagInstance


class StoreFunctions(dict[int, "FunctionInstance | None"]):
    """The functions of a store by number, 0 being null: those of modules are made when they are first asked for.

    count: one more than the highest number.
    """

    __slots__ = ("_owners", "_starts", "count")

    def __init__(self) -> None:
        self[0] = None
        self.count = 1
        self._starts: list[int] = []  # numbers of the first of an instance's own
        self._owners: list[Instance] = []

    def own(self, instance: Instance, count: int) -> int:
        """Let the next so many numbers be an instance's own functions; the first of them."""
        first = self.count
        self._starts.append(first)
        self._owners.append(instance)
        self.count += count
        return first

    def owner(self, number: int) -> tuple[FuncType, Instance | None]:
        """A function's type, and whose it is: None for the host's."""
        found = self.get(number)
        if found is not None:
            return found.type, found.instance
        instance = self._owners[bisect_right(self._starts, number) - 1]
        return instance.module.context.functions[instance.index_of(number)], instance

    def __missing__(self, number: int) -> FunctionInstance:
        if not 0 < number < self.count:
            raise IndexError(f"no function has the number {number}")
        type_, instance = self.owner(number)
        assert instance is not None
        index = instance.index_of(number)
        made = FunctionInstance(number, type_, instance.module.function_name(index), instance, index)
        return self.setdefault(number, made) or made  # another thread may have asked, too

    def close(self) -> None:
        """Give all up."""
        self.clear()
        self._starts.clear()
        self._owners.clear()
        self.count = 0


class InstanceFunctions(dict[int, FunctionInstance]):
    """The functions of an instance by index, looked up when they are first asked for."""

    __slots__ = ("_instance",)

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def __missing__(self, index: int) -> FunctionInstance:
        instance = self._instance
        found = instance.arenas.functions[instance.number_of(index)]
        assert found is not None
        self[index] = found
        return found


class Exports(Mapping[str, Extern]):
    """What an instance exports, by name."""

    __slots__ = ("_instance",)

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def __getitem__(self, name: str) -> Extern:
        instance = self._instance
        kind, index = instance.module.exported[name]
        found: Extern = instance.space(kind)[index]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._instance.module.exported)

    def __len__(self) -> int:
        return len(self._instance.module.exported)


class Instance:
    """A module in a store, with its imports filled.

    imported: numbers of the functions that it imports.  first: number of the first of its own.
    """

    def __init__(self, arenas: Arenas, module: ValidModule) -> None:
        self.arenas = arenas
        self.module = module
        self.number = len(arenas.instances)
        self.imported: list[int] = []
        self.first = 0
        self.functions: dict[int, FunctionInstance] = InstanceFunctions(self)
        self.tables: list[TableInstance] = []
        self.memories: list[MemoryInstance] = []
        self.globals: list[GlobalInstance] = []
        self.tags: list[TagInstance] = []
        self.data: list[bytes] = []
        self.elements: list[array[int]] = []
        self._exports: Mapping[str, Extern] | None = None
        arenas.instances.append(self)

    @property
    def exports(self) -> Mapping[str, Extern]:
        """What the module exports, by name."""
        if self._exports is None:
            self._exports = Exports(self)
        return self._exports

    def number_of(self, index: int) -> int:
        """A function's number in the store, by its index."""
        own = index - len(self.imported)
        return self.imported[index] if own < 0 else self.first + own

    def index_of(self, number: int) -> int:
        """The index of one of its own functions, by its number in the store."""
        return number - self.first + len(self.imported)

    def space(self, kind: ExternKind) -> Any:
        """Things of one kind, by index; those that are imported come first."""
        if kind is ExternKind.FUNC:
            return self.functions
        if kind is ExternKind.TABLE:
            return self.tables
        if kind is ExternKind.MEMORY:
            return self.memories
        return self.globals if kind is ExternKind.GLOBAL else self.tags

    @property
    def memory(self) -> mmap.mmap:
        """Bytes of the first memory, for host functions.  Raises LinkError where the module has none."""
        return self.first_memory.data

    @property
    def mapping(self) -> mmap.mmap:
        """The same for the runtime, which keeps nothing of it."""
        return self.first_memory.mapping

    @property
    def first_memory(self) -> MemoryInstance:
        """The first memory.  Raises LinkError where the module has none."""
        if not self.memories:
            raise LinkError(f"module {self.module.module.names.module!r} has no memory")
        return self.memories[0]

    def close(self) -> None:
        """Give up what it is made of, and what refers to it."""
        for memory in self.memories:
            memory.close()
        self.functions, self._exports = {}, {}
        self.tables, self.memories, self.globals, self.tags = [], [], [], []

    def __repr__(self) -> str:
        return f"<instance {self.number} of {self.module!r}>"


def _room(name: str, limit: int | None, used: int, size: int, least: int = 1) -> int:
    """How many of `size` bytes more a limit has room for, of which so many are used."""
    if limit is None or size <= 0:
        return size
    room = limit - used
    if room < least:
        raise Unanswered(None, name)
    return min(size, room)


class Arenas:
    """All that the instances of one store are made of, and what they use of its limits.

    globals: values of all globals.  last_host: the highest number of a host function.  native: what the native engine
    keeps for the store.  changes: one number, in an array so that native code can look at it: it counts what that must
    be told of before it goes on, a function or a global that was added, a memory or a table that grew, code that moved.
    canonical_nans: whether compiled code too gives the NaNs that arithmetic makes the bits that all engines agree on.
    """

    canonical_nans = False

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.instances: list[Instance] = []
        self.functions = StoreFunctions()
        self.last_host = 0
        self.globals = array("Q")
        self.native: Any = None
        self.changes = array("Q", (0,))
        self.memory_used = 0
        self.elements_used = 0
        self.output_used = 0
        self.memory_refused = False
        self.raised: Exception | None = None
        """What a host function raised last, as an exception of the guest's own."""
        self.call_aside: Any = None
        """The store's `call_aside`, for what must be asked of a guest in the middle of a call."""
        self._externs: list[Any] = [None]
        self._handles: dict[int, int] = {}

    # Limits

    def may_take_memory(self, size: int) -> bool:
        """Whether the memory limit allows so many bytes more; a refusal is remembered, to be told with what follows
        from it.
        """
        limit = self.limits.memory_bytes
        allowed = limit is None or not size or self.memory_used + size <= limit
        self.memory_refused |= not allowed
        return allowed

    def may_take_elements(self, count: int) -> bool:
        """Whether the limit allows so many table elements more."""
        return not count or self.elements_used + count <= self.limits.table_elements

    def output_room(self, size: int) -> int:
        """How many of so many bytes of output the limit has room for.  Raises Unanswered where there is none at all."""
        return _room("output", self.limits.output_bytes, self.output_used, size)

    def storage_room(self, used: int, size: int, least: int = 1) -> int:
        """The same of bytes of a storage that so many are used of.  Raises Unanswered unless there are `least`."""
        return _room("storage", self.limits.storage_bytes, used, size, least)

    def require(self, memory: int, elements: int, whose: str = "the module's") -> None:
        """Raise LimitError unless there is room for so many bytes of memory and elements of tables."""
        if not self.may_take_memory(memory):
            limit, needed = self.limits.memory_bytes or 0, self.memory_used + memory
            raise LimitError(f"{whose} memory needs {needed} bytes, the limit is {limit}", "memory", limit)
        if not self.may_take_elements(elements):
            name, limit, needed = "table_elements", self.limits.table_elements, self.elements_used + elements
            raise LimitError(f"{whose} tables need {needed} elements, the limit is {limit}", name, limit)

    # What slots refer to

    def add_functions(self, instance: Instance) -> None:
        """An instance's own functions."""
        module = instance.module
        instance.first = self.functions.own(instance, len(module.context.functions) - module.imported_functions)
        self.changes[0] += 1

    def add_function(
        self,
        type_: FuncType,
        name: str,
        host: HostFunction,
    ) -> FunctionInstance:
        """A new function of the host's."""
        functions = self.functions
        number = self.last_host = functions.count
        function = functions[number] = FunctionInstance(number, type_, name, host=host)
        functions.count += 1
        self.changes[0] += 1
        return function

    def owns(self, function: FunctionInstance) -> bool:
        """Whether a function is one of these."""
        return self.functions.get(function.number) is function

    def hold(self, value: Any) -> int:
        """Reference to a host object, for an externref slot: the same for the same object.

        The object is kept until the store is closed, for a guest may put its reference anywhere.
        """
        if value is None:
            return 0
        reference = self._handles.setdefault(id(value), len(self._externs))  # what is held keeps its id
        if reference == len(self._externs):
            self._externs.append(value)
        return reference

    def held(self, reference: int) -> Any:
        """The host object of an externref slot."""
        return self._externs[reference]

    @property
    def externs(self) -> tuple[Any, ...]:
        """The host objects that are held, by their references."""
        return tuple(self._externs)

    @externs.setter
    def externs(self, values: tuple[Any, ...]) -> None:
        self._externs = list(values)
        self._handles = {id(value): number for number, value in enumerate(values) if number}

    def close(self) -> None:
        """Give up everything at once, though somebody may still have an instance: all refer to each other."""
        for instance in self.instances:
            instance.close()
        self.call_aside = None
        self.instances.clear()
        self.functions.close()
        self._externs.clear()
        self._handles.clear()
