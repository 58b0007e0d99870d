"""The code of a module as it lies in a store, which guests share: its stream, and the table of its functions.

What code holds of a store are numbers: of functions, globals and types. In a store of one guest they follow from the
module alone, so all such guests run the same space, each with its own context (`svm.engines.native.program`). What is
linked or compiled for one is there for all. A store of several modules has a space of its own.

A function is lowered and encoded when it is first called. Everything refers to code by offset; offset 0 holds `halt`,
to which the first frame of a call from the host returns. Guests run a space while it changes, each on its own thread:
code is only added to it, and what is replaced in code that may run is one aligned word, after all that this refers to.
The stream of a shared space never moves; one of a store's own may when it grows, which the arenas count as a change.
"""

from __future__ import annotations

import struct
import threading
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Callable
from functools import cached_property

from svm.engines.native.blob import Blob
from svm.engines.native.context import FOREIGN, FUNCTION_ENTRY, FunctionField, header
from svm.engines.native.kept import KeptCode, kept_code
from svm.engines.native.stream import CALL_FIELDS, FunctionCode, KeySet, laid_out
from svm.hints import TYPE_CHECKING, Any
from svm.isa import FuncType
from svm.lower import SLOT_BYTES
from svm.module import ValidFunction, ValidModule
from svm.record import record
from svm.runtime.arenas import Arenas, FunctionInstance, Instance, TagInstance
from svm.runtime.mapping import address_of, new_mapping

if TYPE_CHECKING:
    from svm.lower import TryRange

__all__ = ["FAR_RETURN", "HALT", "CodeSpace", "LinkedCode", "NoRoomError", "Part"]

HALT = 0
_PLAIN = laid_out(())
FAR_RETURN = _PLAIN.size
"""Offset of the code to which a function called from another instance returns."""

_CALL = laid_out(CALL_FIELDS)
_FIXED = struct.Struct(f"<8xII{FUNCTION_ENTRY - 16}x")  # of an entry what never changes: TYPE, INSTANCE
_FRAME = struct.Struct("<IIII")  # and what is known of code that is linked: SLOTS to TEST

_LEAST_ROOM = 1 << 20
_ROOM = 64  # bytes of address space for a byte of the module's code: what few bodies need, and no memory until used


class NoRoomError(Exception):
    """A shared space has no room for more code."""


@record(eq=False)
class Part:
    """A module in a space.  number: of its instance in the store.  functions, globals, types, tags: numbers in the
    store, by the module's own indices.
    """

    module: weakref.ref[ValidModule]
    number: int
    functions: tuple[int, ...]
    globals: tuple[int, ...]
    types: tuple[int, ...]
    tags: tuple[int, ...]

    @property
    def valid(self) -> ValidModule:
        """The module: whoever runs its code keeps it."""
        module = self.module()
        assert module is not None
        return module


class LinkedCode:
    """A function's code in a space: where it begins in the stream, and whose function it is.

    What calls of it need is at hand: instance and number in the store, type, params, size (both in slots), results, and
    the charge of its entry and its test.
    """

    def __init__(self, code: FunctionCode, part: Part, function: int, start: int) -> None:
        self.code = code
        self.part = part
        self.instance = part.number
        self.function = function
        self.number = part.functions[function]
        self.start = start
        self.params, self.size = code.layout.params, code.layout.slots
        self.type = part.valid.context.functions[function]
        self.results = len(self.type.results)
        self.entry, self.entry_test = code.charges.entry, code.charges.entry_test

    @property
    def name(self) -> str:
        """The function's name."""
        return self.part.valid.function_name(self.function)

    @property
    def body_bytes(self) -> int:
        """Length of the function's body."""
        module = self.part.valid
        return len(module.module.functions[self.function - module.imported_functions].body)

    @property
    def checked(self) -> ValidFunction:
        """The function's checked body."""
        return self.part.valid.function(self.function)

    @cached_property
    def tries(self) -> tuple[TryRange, ...]:
        """Where it catches exceptions."""
        from svm.lower import tries_of  # here, for most runs throw nothing

        return tries_of(self.checked)

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


class CodeSpace:
    """See the module's docstring.

    functions: the table that native code finds functions in, by number.  types: numbers of function types.  compiled:
    address of compiled code, by function number.  patched: handlers of the interpreter at positions where compiled code
    runs.  callers: what calls exports from Python, by instance and name.  lock: held while something is added.
    """

    def __init__(self, blob: Blob, keys: KeySet, room: int, changes: array[int] | None = None) -> None:
        """An space without functions, with so many bytes for code.  changes: of the store whose own it is."""
        self.blob = blob
        self.keys = keys
        self.changes = changes
        self.types: dict[FuncType, int] = {}
        self._tags: dict[TagInstance, int] = {}
        self.lock = threading.RLock()
        self.parts: list[Part] = []
        self.codes: list[LinkedCode] = []
        self.starts: list[int] = []
        self.by_number: dict[int, LinkedCode] = {}
        self.known = 0
        self._set_functions(bytearray(_FIXED.pack(FOREIGN, FOREIGN)))  # of null, which has no type
        self.canonical_nans = False
        self.compiled: dict[int, int] = {}
        self.patched: dict[int, int] = {}
        self.callers: dict[tuple[int, str], Callable[..., Any]] = {}
        self._kept: dict[str, KeptCode] = {}
        self._reserve(room)
        self.append(struct.pack(_PLAIN.format, self.handler("halt::")))
        self.append(struct.pack(_PLAIN.format, self.handler("far_return::")))

    @classmethod
    def of_one(cls, blob: Blob, keys: KeySet, instance: Instance) -> CodeSpace:
        """An space for all stores of one guest of the instance's module."""
        code = sum(len(function.body) for function in instance.module.module.functions)
        space = cls(blob, keys, _LEAST_ROOM + _ROOM * code)
        space.learn(instance.arenas)
        space._tags.clear()  # no part is added any more, and the store is not to be kept
        return space

    @property
    def shared(self) -> bool:
        """Whether other stores may use it too."""
        return self.changes is None

    def copy(self, changes: array[int]) -> CodeSpace:
        """The same for one store alone, to which more modules can be added."""
        with self.lock:
            space = CodeSpace(self.blob, self.keys, 2 * self.end, changes)
            space.stream[: self.end] = self.stream[: self.end]
            space.end = self.end
            space.parts, space.codes, space.starts = self.parts.copy(), self.codes.copy(), self.starts.copy()
            space.by_number, space.known, space.types = self.by_number.copy(), self.known, self.types.copy()
            space.canonical_nans = self.canonical_nans
            space._set_functions(self.functions.copy())
            space.compiled, space.patched = self.compiled.copy(), self.patched.copy()
            space._kept = self._kept.copy()
            return space

    # The stream

    def _reserve(self, room: int) -> None:
        self.stream = new_mapping(room)
        self.room = room
        self.words = memoryview(self.stream).cast("Q")
        self.address = address_of(self.stream)
        self.end = 0

    def append(self, code: bytes | bytearray) -> None:
        """Put code at the end of the stream.  Raises NoRoomError."""
        end = self.end + len(code)
        if end > self.room:
            if self.changes is None:
                raise NoRoomError
            self.changes[0] += 1
            before, used = self.stream, self.end
            self._reserve(2 * end)
            self.stream[:used] = before[:used]
        self.stream[end - len(code) : end] = code
        self.end = end

    def handler(self, key: str) -> int:
        """Address of one of the interpreter's handlers."""
        return self.blob.addresses[self.keys.numbers[key]]

    def code_at(self, position: int) -> LinkedCode:
        """The function whose code holds a position."""
        return self.codes[bisect_right(self.starts, position) - 1]

    # Functions

    def code_of(self, number: int, instance: int, index: int) -> LinkedCode:
        """A function's code, made now if it is called for the first time, by its number and its instance's in the store
        and its index in the module.  Raises ModuleError for a bad body, NoRoomError where a shared space is full.
        """
        with self.lock:
            found = self.by_number.get(number)
            if found is None:
                part = self.parts[instance]
                found = self.by_number[number] = self._link(part, index, self._encode(part.valid, index))
            return found

    def _encode(self, module: ValidModule, index: int) -> FunctionCode:
        """A function's code, lowered and encoded unless it is kept from another time."""
        kept = self._kept.get(module.fingerprint)
        if kept is None:
            kept = self._kept[module.fingerprint] = kept_code(module, self.blob.build)
        code = kept.get(index)
        if code is None:
            from svm.engines.native.encode import code_of  # here, for a run whose code is kept lowers nothing

            code = code_of(self.keys, module.context, module.function(index))
            kept.put(index, code)
        return code

    def save(self) -> None:
        """Keep what was lowered for another time."""
        with self.lock:
            for kept in self._kept.values():
                kept.save()

    def _link(self, part: Part, index: int, code: FunctionCode) -> LinkedCode:
        """Put a function's code at the end of the stream, with the addresses and numbers of this space."""
        start = self.end
        stream = bytearray(code.stream)
        words = memoryview(stream).cast("Q")
        addresses = self.blob.addresses
        for at in code.places:
            words[at >> 3] = addresses[words[at >> 3]]
        for at in code.headers:
            words[at >> 3] += start
        words.release()
        for places, numbers in ((code.types, part.types), (code.globals, part.globals)):
            for at in places:
                struct.pack_into("<I", stream, at, numbers[struct.unpack_from("<I", stream, at)[0]])
        self.append(stream)
        done = LinkedCode(code, part, index, start)
        self.codes.append(done)  # before its start, by which another thread looks for it
        self.starts.append(start)
        self._describe(done)
        return done

    def learn(self, arenas: Arenas) -> None:
        """Take in the instances and functions of a store that are not known yet."""
        self.canonical_nans = arenas.canonical_nans
        with self.lock:
            for instance, part in zip(arenas.instances, self.parts, strict=False):  # of a copy: its store's tags
                self._tags.update(zip(instance.tags, part.tags, strict=True))
            for instance in arenas.instances[len(self.parts) :]:
                self.parts.append(self._part(instance))
            count = arenas.functions.count
            if self.known < count:
                functions = bytearray(count * FUNCTION_ENTRY)
                functions[: len(self.functions)] = self.functions
                for number in range(max(self.known, 1), count):
                    type_, owner = arenas.functions.owner(number)
                    whose = FOREIGN if owner is None else owner.number
                    _FIXED.pack_into(functions, number * FUNCTION_ENTRY, self._type_number(type_), whose)
                self.known = count
                self._set_functions(functions)

    def _part(self, instance: Instance) -> Part:
        module = instance.module
        return Part(
            weakref.ref(module),
            instance.number,
            tuple(map(instance.number_of, range(len(module.context.functions)))),
            tuple(item.number for item in instance.globals),
            tuple(self._type_number(type_) for type_ in module.context.types),
            tuple(self._tags.setdefault(tag, len(self._tags)) for tag in instance.tags),
        )

    def _type_number(self, type_: FuncType) -> int:
        """Number of a function type, the same for equal types."""
        return self.types.setdefault(type_, len(self.types))

    def _set_functions(self, functions: bytearray) -> None:
        self.functions = functions
        self.functions_address = address_of(functions)
        self._entries = memoryview(functions).cast("Q")

    def _describe(self, linked: LinkedCode) -> None:
        """Write a function's entry in the table; its code last, which says that the rest is there."""
        place = linked.number * FUNCTION_ENTRY
        frame = (linked.size * SLOT_BYTES, linked.params, linked.entry, linked.entry_test)
        _FRAME.pack_into(self.functions, place + FunctionField.SLOTS, *frame)
        self._entries[place + FunctionField.CODE >> 3] = linked.start

    # What changes in code that may run

    def patch_call(self, position: int, first: int, callee: LinkedCode) -> None:
        """Make a call that asked the driver one that does not."""
        name = "call::" if callee.entry_test else "call_leaf::"
        distance = callee.start - position & 0xFFFF_FFFF
        self._rewrite(position, name, first, distance, callee.params, callee.size * SLOT_BYTES, callee.entry)

    def patch_host(self, position: int, first: int, function: FunctionInstance) -> None:
        """Make a call of a host function that asked the driver one that native code makes."""
        self._rewrite(position, "call_host::", first, function.number, len(function.type.params), 0, 0)

    def _rewrite(self, position: int, name: str, first: int, what: int, params: int, size: int, charge: int) -> None:
        """Make the call at a position one of another kind: its operands, which what stood there does not read, then its
        handler.
        """
        with self.lock:
            index = struct.unpack_from("<I", self.stream, position + _CALL.offsets[-1])[0]
            back = header(position + _CALL.size, first * SLOT_BYTES)
            fields = (what, back, first, params, size, charge, index)
            code = struct.pack(_CALL.format, 0, *(fields[at] for at in _CALL.order))
            self.stream[position + 8 : position + _CALL.size] = code[8:]
            if position in self.patched:  # the call is the first of a loop or a function that is compiled
                self.patched[position] = self.handler(name)
            else:
                self.words[position >> 3] = self.handler(name)

    def patch(self, position: int, handler: int) -> None:
        """Have compiled code run from a position on."""
        with self.lock:
            self.patched.setdefault(position, self.words[position >> 3])
            self.words[position >> 3] = handler

    def enter_compiled(self, linked: LinkedCode, handler: int, entry: int) -> None:
        """Have a function's calls run compiled code: by the handler from the interpreter, by the entry from other
        compiled code.
        """
        with self.lock:
            self.patch(linked.start, handler)
            self.compiled[linked.number] = entry
            self._entries[linked.number * FUNCTION_ENTRY + FunctionField.NATIVE >> 3] = entry

    def leave_compiled(self, linked: LinkedCode) -> None:
        """Have a function's calls run interpreted again."""
        with self.lock:
            self._entries[linked.number * FUNCTION_ENTRY + FunctionField.NATIVE >> 3] = 0
            self.words[linked.start >> 3] = self.patched.pop(linked.start)
            del self.compiled[linked.number]

