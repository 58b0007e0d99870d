"""What native code needs to run the guests of one store: the space with their code, and the context that they run in.

The tables beside it say where the store's own things are: memories, tables, globals, and the host functions that native
code calls.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable
from functools import partial

from svm.engines.native.blob import Blob
from svm.engines.native.context import Field
from svm.engines.native.python_api import call_record, host_record
from svm.engines.native.space import CodeSpace, LinkedCode, NoRoomError
from svm.engines.native.stream import KeySet
from svm.hints import Any, Protocol
from svm.lower import SLOT_BYTES
from svm.runtime.arenas import Arenas, FunctionInstance, Instance
from svm.runtime.engine import declined
from svm.runtime.host import encode_result
from svm.runtime.mapping import address_of
from svm.runtime.values import signature_of

__all__ = ["Program"]

(
    _CHANGES, _CODE, _FUNCTIONS, _GLOBALS, _HOSTS, _INSTANCE, _MEMORY, _MEMORY_SIZE, _SEEN, _TABLE, _TABLES, _TABLE_SIZE
) = (
    field >> 3
    for field in (
        Field.CHANGES, Field.CODE, Field.FUNCTIONS, Field.GLOBALS, Field.HOSTS, Field.INSTANCE, Field.MEMORY,
        Field.MEMORY_SIZE, Field.SEEN, Field.TABLE, Field.TABLES, Field.TABLE_SIZE,
    )
)  # fmt: skip


class Maker(Protocol):
    """What makes the code of stores: an engine.  keys: of its blob's handlers."""

    blob: Blob
    keys: KeySet

    def policy(self) -> Hashable:
        """Names what it compiles when."""

    def compiler(self, space: CodeSpace) -> Any:
        """What compiles functions of a space."""


class Program:
    """See the module's docstring."""

    def __init__(self, arenas: Arenas, maker: Maker) -> None:
        """Begin.  maker: the engine."""
        self.arenas = arenas
        self.maker = maker
        self.blob = blob = maker.blob
        self.context_map = bytearray(blob.context)
        self.context = memoryview(self.context_map).cast("q")
        self.context[_CHANGES] = arenas.changes.buffer_info()[0]
        self.context_ref = blob.reference(self.context_map)
        self.hosts = array("Q")  # addresses of host functions' records, by number; 0 where there is none
        self.records: dict[int, tuple[bytearray | None, object]] = {}  # these, and what they refer to
        self.seen = -1
        self.tables: dict[int, array[int]] = {}
        self.instance: Instance | None = None
        self._space: CodeSpace | None = None
        self._tier: Any = None

    # Its code

    @property
    def space(self) -> CodeSpace:
        """The code of the store's guests."""
        if self._space is None:
            shared = self._shared()
            if shared is not None:
                self._space, self._tier = shared
            else:
                self._space = CodeSpace(self.blob, self.maker.keys, 1 << 16, self.arenas.changes)
                self._space.learn(self.arenas)
                self._tier = self.maker.compiler(self._space)
        return self._space

    @property
    def tier(self) -> Any:
        """What compiles functions of the space; None where nothing does."""
        self.space  # noqa: B018 - is chosen together with it
        return self._tier

    def _shared(self) -> tuple[CodeSpace, Any] | None:
        """The space of all guests that are alone in their store, and its tier, if this is one, with their numbers."""
        instances = self.arenas.instances
        if len(instances) != 1:
            return None
        (instance,) = instances
        module = instance.module
        if self.arenas.functions.count != len(module.context.functions) + 1:
            return None
        given: tuple[int, ...] = ()
        if module.imports_numbers:
            given = (*(item.number for item in instance.globals), *map(instance.tags.index, instance.tags))
        key = (self.blob.build, self.maker.policy(), self.arenas.canonical_nans, given)
        found: tuple[CodeSpace, Any] | None = module.kept.get(key)
        if found is None:
            space = CodeSpace.of_one(self.blob, self.maker.keys, instance)
            found = module.kept.setdefault(key, (space, self.maker.compiler(space)))
        return found

    def own_space(self) -> CodeSpace:
        """Make the space one of the store's own, if it is shared."""
        space = self.space
        if space.shared:
            space = self._space = space.copy(self.arenas.changes)
            self._tier = None if self._tier is None else self._tier.copy(space)
            self.arenas.changes[0] += 1
        return space

    def code_at(self, position: int) -> LinkedCode:
        """The function whose code holds a position."""
        return self.space.code_at(position)

    def code_of(self, function: FunctionInstance) -> LinkedCode:
        """A function's code, made now if it is called for the first time."""
        if self.seen != self.arenas.changes[0]:
            self.refresh()
        found = self.space.by_number.get(function.number)
        if found is None:
            assert function.instance is not None
            where = (function.number, function.instance.number, function.index)
            try:
                found = self.space.code_of(*where)
            except NoRoomError:
                found = self.own_space().code_of(*where)
            if self._tier is not None:
                self._tier.function(found)
        return found

    def close(self) -> None:
        """Keep what was lowered for another time."""
        if self._space is not None:
            self._space.save()

    # Calls across the border

    def caller(self, instance: Instance, name: str) -> Callable[..., Any] | None:
        """What calls an export from Python without the driver, in any guest that runs the space, given its context;
        None while the function has no code.
        """
        callers = self.space.callers
        found = callers.get((instance.number, name))
        if found is None:
            function = instance.exports.get(name)
            if isinstance(function, FunctionInstance):
                found = self._caller(function)
            if found is not None:
                callers[instance.number, name] = found
        return found

    def _caller(self, function: FunctionInstance) -> Callable[..., Any] | None:
        linked, python, signature = self.space.by_number.get(function.number), self.blob.python, signature_of(function)
        if linked is None and function.host is None:
            return None
        record = None
        if linked is not None and python is not None and signature.direct:
            code = (linked.start, linked.params, linked.size * SLOT_BYTES, linked.entry, linked.entry_test)
            record = call_record(function.type, signature.bools, linked.instance, function.number, code)
        return declined if record is None or python is None else python.caller(record)

    def calls_host(self, function: FunctionInstance, instance: Instance) -> bool:
        """Have native code call a host function from now on, where it can.  instance: who calls it first."""
        number = function.number
        if number not in self.records:
            host = function.host
            assert host is not None
            signature = signature_of(function)
            encode = partial(encode_result, self.arenas, signature)
            caller = (instance, instance.number) if host.caller else None
            made = None
            if self.blob.python is not None and signature.direct:
                made = host_record(function.type, number, host.function, encode, caller)
            record = None if made is None else bytearray(made)
            self.records[number] = record, (host, encode, instance)
            if record is not None:
                self.hosts[number] = address_of(record)
        return self.hosts[number] != 0

    # Tables beside the code

    def refresh(self) -> None:
        """Tell native code where everything is now; needed when the arenas count changes that were not `seen`."""
        arenas = self.arenas
        space = self.space
        if space.known < arenas.functions.count or len(space.parts) < len(arenas.instances):
            space = self.own_space()
            space.learn(arenas)
        context, hosts = self.context, self.hosts
        context[_CODE], context[_FUNCTIONS] = space.address, space.functions_address
        context[_GLOBALS] = arenas.globals.buffer_info()[0]
        if len(hosts) < (most := arenas.last_host + 1):
            hosts.frombytes(bytes(8 * (most - len(hosts))))
            context[_HOSTS] = hosts.buffer_info()[0]
        if self.instance is not None:
            self.enter_instance(self.instance)
        self.seen = context[_SEEN] = arenas.changes[0]

    def enter_instance(self, instance: Instance) -> None:
        """Make an instance the running one, and tell native code where its memory and tables are."""
        self.instance, context = instance, self.context
        context[_INSTANCE] = instance.number
        if instance.memories:
            memory = instance.memories[0]
            context[_MEMORY], context[_MEMORY_SIZE] = memory.address, memory.size
        else:
            context[_MEMORY_SIZE] = 0
        if instance.tables:
            table = self.tables.setdefault(instance.number, array("Q"))
            del table[:]
            for item in instance.tables:
                table.extend(item.elements.buffer_info())
            context[_TABLES], context[_TABLE], context[_TABLE_SIZE] = table.buffer_info()[0], table[0], table[1]
