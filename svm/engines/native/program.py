"""The code of one store: its stream, the tables beside it, and the context that native code runs in.

A function is lowered and encoded when it is first called.  The stream may move when it grows, so everything refers to
it by offset; offset 0 holds `halt`, to which the first frame of a call from the host returns.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from svm.engines.native.blob import Blob
from svm.engines.native.context import CONTEXT_BYTES, FOREIGN, FUNCTION_ENTRY, Field, header
from svm.engines.native.kept import KeptCode, kept_code
from svm.engines.native.python_api import call_record, host_record
from svm.engines.native.stream import CALL_FIELDS, FunctionCode, KeySet, laid_out
from svm.lower import SLOT_BYTES
from svm.module import ValidFunction, ValidModule
from svm.runtime.arenas import Arenas, FunctionInstance, Instance
from svm.runtime.host import encode_result
from svm.runtime.mapping import address_of
from svm.runtime.values import signature_of

if TYPE_CHECKING:
    from svm.lower import Handlers

__all__ = ["FAR_RETURN", "HALT", "LinkedCode", "Program"]

HALT = 0
_PLAIN = laid_out(())
FAR_RETURN = _PLAIN.size
"""Offset of the code to which a function called from another instance returns."""

_CALL = laid_out(CALL_FIELDS)
_ENTRY = struct.Struct("<QIIIIIIQ")  # the fields of `FunctionField`, in their order


class LinkedCode:
    """A function's code in a guest: where it begins in the stream, and whose function it is.

    What calls of it need is at hand: params, size (both in slots), results, and the charge of its entry and its test.
    """

    def __init__(self, code: FunctionCode, instance: Instance, function: int, start: int) -> None:
        self.code = code
        self.instance = instance
        self.function = function
        self.start = start
        self.params, self.size = code.layout.params, code.layout.slots
        self.results = len(instance.module.context.functions[function].results)
        self.entry, self.entry_test = code.charges.entry, code.charges.entry_test

    @property
    def number(self) -> int:
        """The function's number in the store."""
        return self.instance.functions[self.function].number

    @property
    def name(self) -> str:
        """The function's name."""
        return self.instance.module.function_name(self.function)

    @property
    def body_bytes(self) -> int:
        """Length of the function's body."""
        module = self.instance.module
        return len(module.module.functions[self.function - module.imported_functions].body)

    @property
    def checked(self) -> ValidFunction:
        """The function's checked body."""
        return self.instance.module.function(self.function)

    @cached_property
    def handlers(self) -> Handlers:
        """What catches exceptions in it."""
        from svm.lower import Handlers, tries_of  # here, for most runs throw nothing

        return Handlers(tries_of(self.checked), self.instance.tags)

    @cached_property
    def live(self) -> list[int]:
        """The locals that may be read before each instruction."""
        from svm.lower import live_locals  # here, for most runs are never moved

        return live_locals(self.checked)

    @cached_property
    def loops(self) -> dict[int, int]:
        """Key of the loop that starts at each place in the code."""
        return {place: key for key, place in self.code.targets.items() if key in self.code.charges.loops}

    @cached_property
    def indices(self) -> dict[int, int]:
        """Index of each instruction by its byte offset."""
        return {item.offset: at for at, item in enumerate(self.checked.code)}


class Program:
    """See the module's docstring."""

    def __init__(self, arenas: Arenas, blob: Blob, keys: KeySet) -> None:
        self.arenas = arenas
        self.blob = blob
        self.keys = keys
        self.addresses = blob.addresses
        self.context_map = bytearray(CONTEXT_BYTES)
        self.context = memoryview(self.context_map).cast("q")
        self.context_ref = blob.reference(self.context_map)
        self.set_context(Field.CHANGES, arenas.changes.buffer_info()[0])
        if blob.python is not None:
            self.set_context(Field.HOST, blob.python.host)
            for field, value in ((Field.INT, int), (Field.FLOAT, float), (Field.NONE, None)):
                self.set_context(field, id(value))
        self.hosts: dict[int, tuple[int, object]] = {}  # host functions' records, and what these refer to, by number
        self.stream = bytearray()
        self.append(struct.pack(_PLAIN.format, self.address("halt::")))
        self.append(struct.pack(_PLAIN.format, self.address("far_return::")))
        self.codes: list[LinkedCode] = []
        self.starts: list[int] = []
        self.by_number: dict[int, LinkedCode] = {}
        self.functions = bytearray(_ENTRY.pack(0, FOREIGN, FOREIGN, 0, 0, 0, 0, 0))
        self.known = 0
        self.seen = -1
        self.kept: dict[ValidModule, KeptCode] = {}
        self.tables: dict[int, array[int]] = {}
        self.instance: Instance | None = None
        self.compiled: dict[int, int] = {}  # address of compiled code, by function number
        self.patched: dict[int, int] = {}  # handlers of the interpreter at positions where compiled code runs
        self.tier: Any = None  # what compiles, where something does

    # The stream

    def append(self, code: bytes | bytearray) -> None:
        """Put code at the end of the stream."""
        self.stream += code
        self.set_context(Field.CODE, address_of(self.stream))

    def address(self, key: str) -> int:
        """Address of a handler."""
        return self.addresses[self.keys.numbers[key]]

    def code_at(self, position: int) -> LinkedCode:
        """The function whose code holds a position."""
        return self.codes[bisect_right(self.starts, position) - 1]

    def code_of(self, function: FunctionInstance) -> LinkedCode:
        """A function's code, made now if it is called for the first time."""
        found = self.by_number.get(function.number)
        if found is None:
            assert function.instance is not None
            if self.seen != self.arenas.changes[0]:
                self.refresh()
            code = self.encode(function.instance.module, function.index)
            found = self.by_number[function.number] = self.link(function, function.instance, code)
            if self.tier is not None:
                self.tier.function(found)
        return found

    def encode(self, module: ValidModule, index: int) -> FunctionCode:
        """A function's code, lowered and encoded unless it is kept from another time."""
        kept = self.kept.get(module)
        if kept is None:
            kept = self.kept[module] = kept_code(module, self.blob.build)
        code = kept.get(index)
        if code is None:
            from svm.engines.native.encode import code_of  # here, for a run whose code is kept lowers nothing

            code = code_of(self.keys, module.context, module.function(index))
            kept.put(index, code)
        return code

    def close(self) -> None:
        """Keep what was lowered for another time, and give the memory back."""
        for kept in self.kept.values():
            kept.save()
        self.tier = None

    def link(self, function: FunctionInstance, instance: Instance, code: FunctionCode) -> LinkedCode:
        """Put a function's code at the end of the stream, with the addresses and numbers of this guest."""
        start = len(self.stream)
        stream = bytearray(code.stream)
        words = memoryview(stream).cast("Q")
        addresses = self.addresses
        for at in code.places:
            words[at >> 3] = addresses[words[at >> 3]]
        for at in code.headers:
            words[at >> 3] += start
        words.release()
        types = instance.module.context.types
        for at in code.types:
            number = self.arenas.type_number(types[struct.unpack_from("<I", stream, at)[0]])
            struct.pack_into("<I", stream, at, number)
        for at in code.globals:
            number = instance.globals[struct.unpack_from("<I", stream, at)[0]].number
            struct.pack_into("<I", stream, at, number)
        self.append(stream)
        done = LinkedCode(code, instance, function.index, start)
        self.codes.append(done)
        self.starts.append(start)
        if function.number < self.known:  # else it has no entry yet, and `refresh` makes it
            self.register(function, done)
        return done

    def patch_call(self, position: int, first: int, callee: LinkedCode) -> None:
        """Make a call that asked the driver one that does not."""
        name = "call::" if callee.entry_test else "call_leaf::"
        self.rewrite(position, name, first, callee.start, callee.params, callee.size * SLOT_BYTES, callee.entry)

    def patch_host(self, position: int, first: int, function: FunctionInstance, instance: Instance) -> None:
        """Make a call of a host function that asked the driver one that does not, where native code can make it."""
        record = self.record_of(function, instance)
        if record:
            self.rewrite(position, "call_host::", first, record, len(function.type.params), 0, 0)

    def rewrite(self, position: int, name: str, first: int, start: int, params: int, size: int, charge: int) -> None:
        """Make the call at a position one of another kind."""
        back = header(position + _CALL.size, first * SLOT_BYTES)
        fields = (start - position & 0xFFFF_FFFF, back, first, params, size, charge)
        values = [fields[index] for index in _CALL.order]
        handler = self.address(name)
        if position in self.patched:  # the call is the first of a loop or a function that is compiled
            self.patched[position], handler = handler, self.handler_at(position)
        struct.pack_into(_CALL.format, self.stream, position, handler, *values)

    def patch(self, position: int, handler: int) -> None:
        """Have compiled code run from a position on."""
        self.patched.setdefault(position, self.handler_at(position))
        struct.pack_into("<Q", self.stream, position, handler)

    def unpatch(self, position: int) -> None:
        """Have the interpreter run from a position on again."""
        struct.pack_into("<Q", self.stream, position, self.patched.pop(position))

    def handler_at(self, position: int) -> int:
        """Address of what runs from a position on."""
        (handler,) = struct.unpack_from("<Q", self.stream, position)
        return int(handler)

    def record_of(self, function: FunctionInstance, instance: Instance) -> int:
        """Place in the stream of a host function's record, 0 if it has none.  instance: who calls it first."""
        found = self.hosts.get(function.number)
        if found is None:
            host = function.host
            assert host is not None
            signature = signature_of(function)
            encode = partial(encode_result, self.arenas, signature)
            caller = (instance, instance.number) if host.caller else None
            record = None
            if self.blob.python is not None and signature.direct:
                record = host_record(function.type, function.number, host.function, encode, caller)
            place = 0
            if record is not None:
                place = len(self.stream)
                self.append(record)
                struct.pack_into("<Q", self.functions, function.number * FUNCTION_ENTRY, place)
            found = self.hosts[function.number] = place, (host, encode, instance)
        return found[0]

    def caller(self, function: FunctionInstance) -> Callable[..., Any] | None:
        """What calls a function from Python without the driver, where native code can."""
        linked, python = self.by_number.get(function.number), self.blob.python
        if linked is None or python is None:
            return None
        code = (linked.start, linked.params, linked.size * SLOT_BYTES, linked.entry, linked.entry_test)
        context = address_of(self.context_map)
        record = call_record(function.type, context, linked.instance.number, function.number, code)
        return None if record is None else python.caller(record, self.context_map)

    # Tables beside the stream

    def refresh(self) -> None:
        """Tell native code where everything is now; needed when the arenas count changes that were not `seen`."""
        arenas = self.arenas
        self.set_context(Field.GLOBALS, arenas.globals.buffer_info()[0])
        if self.known < len(arenas.functions):
            self.functions += bytes(len(arenas.functions) * FUNCTION_ENTRY - len(self.functions))
            for function in arenas.functions[max(self.known, 1) :]:
                assert function is not None
                self.register(function, self.by_number.get(function.number))
            self.known = len(arenas.functions)
            self.set_context(Field.FUNCTIONS, address_of(self.functions))
        if self.instance is not None:
            self.enter_instance(self.instance)
        self.seen = arenas.changes[0]
        self.set_context(Field.SEEN, self.seen)

    def register(self, function: FunctionInstance, linked: LinkedCode | None) -> None:
        """Write a function's entry in the table that indirect calls use."""
        type_ = self.arenas.type_number(function.type)
        number = function.instance.number if function.instance is not None else FOREIGN
        if linked is None:
            fields = (0, type_, number, 0, 0, 0, 0, 0)
        else:
            size, compiled = linked.size * SLOT_BYTES, self.compiled.get(function.number, 0)
            fields = (linked.start, type_, number, size, linked.params, linked.entry, linked.entry_test, compiled)
        _ENTRY.pack_into(self.functions, function.number * FUNCTION_ENTRY, *fields)

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

    def set_context(self, field: Field, value: int) -> None:
        """Write a field of the context."""
        self.context[field >> 3] = value
