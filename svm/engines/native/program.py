"""What native code needs to run the guests of one store: the space with their code, and the context that they run in.

The tables beside it say where the store's own things are: memories, tables, globals, and the host functions that native
code calls.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from svm.engines.native.blob import Blob
from svm.engines.native.context import Field
from svm.engines.native.python_api import call_record, host_record
from svm.engines.native.space import CodeSpace, LinkedCode, NoRoomError
from svm.engines.native.stream import KeySet
from svm.lower import SLOT_BYTES
from svm.module import ExternKind
from svm.runtime.arenas import Arenas, FunctionInstance, Instance
from svm.runtime.host import encode_result
from svm.runtime.mapping import address_of
from svm.runtime.values import signature_of

__all__ = ["Program"]


class Program:
    """See the module's docstring."""

    def __init__(
        self, arenas: Arenas, blob: Blob, keys: KeySet, policy: Hashable, compiler: Callable[[CodeSpace], Any]
    ) -> None:
        """Begin.  policy: names what compiles when; compiler: makes it, for a space."""
        self.arenas = arenas
        self.blob = blob
        self.keys = keys
        self.policy = policy
        self.compiler = compiler
        self.context_map = bytearray(blob.context)
        self.context = memoryview(self.context_map).cast("q")
        self.context_ref = blob.reference(self.context_map)
        self.set_context(Field.CHANGES, arenas.changes.buffer_info()[0])
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
                self._space = CodeSpace(self.blob, self.keys, 1 << 16, self.arenas.changes)
                self._space.learn(self.arenas)
                self._tier = self.compiler(self._space)
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
        if len(self.arenas.functions) != len(module.context.functions) + 1:
            return None
        given: tuple[int, ...] = ()
        if module.module.imported(ExternKind.GLOBAL):
            given += tuple(item.number for item in instance.globals)
        if module.module.imported(ExternKind.TAG):
            given += tuple(map(instance.tags.index, instance.tags))
        key = (self.blob.build, self.policy, self.arenas.canonical_nans, given)
        found: tuple[CodeSpace, Any] | None = module.kept.get(key)
        if found is None:
            space = CodeSpace.of_one(self.blob, self.keys, instance)
            found = module.kept.setdefault(key, (space, self.compiler(space)))
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

    def caller(self, function: FunctionInstance) -> Callable[..., Any] | None:
        """What calls a function from Python without the driver, where native code can."""
        linked, python = self.space.by_number.get(function.number), self.blob.python
        if linked is None or python is None:
            return None
        code = (linked.start, linked.params, linked.size * SLOT_BYTES, linked.entry, linked.entry_test)
        context = address_of(self.context_map)
        record = call_record(function.type, context, linked.instance, function.number, code)
        return None if record is None else python.caller(record, self.context_map)

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
        if space.known < len(arenas.functions) or len(space.parts) < len(arenas.instances):
            space = self.own_space()
            space.learn(arenas)
        self.set_context(Field.CODE, space.address)
        self.set_context(Field.FUNCTIONS, space.functions_address)
        self.set_context(Field.GLOBALS, arenas.globals.buffer_info()[0])
        if len(self.hosts) < (most := arenas.last_host + 1):
            self.hosts.extend([0] * (most - len(self.hosts)))
            self.set_context(Field.HOSTS, self.hosts.buffer_info()[0])
        if self.instance is not None:
            self.enter_instance(self.instance)
        self.seen = arenas.changes[0]
        self.set_context(Field.SEEN, self.seen)

    def enter_instance(self, instance: Instance) -> None:
        """Make an instance the running one, and tell native code where its memory and tables are."""
        self.instance = instance
        self.set_context(Field.INSTANCE, instance.number)
        if instance.memories:
            self.set_context(Field.MEMORY, instance.memories[0].address)
            self.set_context(Field.MEMORY_SIZE, instance.memories[0].size)
        else:
            self.set_context(Field.MEMORY_SIZE, 0)
        if instance.tables:
            table = self.tables.setdefault(instance.number, array("Q"))
            del table[:]
            for item in instance.tables:
                table.extend(item.elements.buffer_info())
            self.set_context(Field.TABLES, table.buffer_info()[0])
            self.set_context(Field.TABLE, table[0])
            self.set_context(Field.TABLE_SIZE, table[1])

    def set_context(self, field: int, value: int) -> None:
        """Write a field of the context."""
        self.context[field >> 3] = value
