"""Rich values in the memory of a guest: what `svm.border` writes and reads, at the places that the module agreed to.

An export that is not plain takes no slots and gives the address of what it hands out; its arguments lie in the buffer
that the module's `krait:room` makes (two globals say where it is and how large). A host function is given the address
of what the guest hands out, and answers with 0 for a result in that buffer, or 1 for an exception. What a guest hands
out is a u32 length, then as many bytes; it is copied at once, so nothing changes under the reader, and the guest may
use the memory again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from struct import Struct
from typing import Any

from svm.border import Buffer, Call, Codecs, GuestTypes, PlainCall, Unfit, classes_for, invalid, pack_exception
from svm.errors import Error, InterfaceError, LimitError, LinkError
from svm.isa import F64, I32, I64, FuncType
from svm.module import ExternKind, ValidModule
from svm.module.interface import Kind, Signature
from svm.runtime.arenas import Arenas, FunctionInstance, GlobalInstance, HostFunction, Instance

__all__ = ["Border", "Delivery", "HostSignature", "RichSignature", "border_of", "export_signature"]

_ROOM, _BUFFER, _BUFFER_SIZE = "krait:room", "krait:buffer", "krait:buffer_size"
_I32 = 0xFFFF_FFFF
_ROOM_TYPE = FuncType((I32,), (I32,))
_ROOM_FUEL = 100_000
_HOST_TYPE = FuncType((I32,), (I32,))
_SLOTS = {"bool": I32, "float": F64, "int": I64}
_LENGTH = Struct("<I")
_ADDRESS = Struct("<I4x")
_NOTHING = Struct("")


class Border:
    """The interface of a module at work: checked against the module's types, its calls made once for all guests."""

    def __init__(self, module: ValidModule) -> None:
        """Raises MalformedError for an interface that is none, InvalidError for one that its module contradicts."""
        self.interface = module.interface
        self.types = GuestTypes(self.interface, module.module.names.module or "guest")
        self.codecs = Codecs(self.interface, self.types)
        self._exports: dict[int, Signature] = {}
        self._calls: dict[tuple[int, bool], Call | PlainCall] = {}
        functions = {item.name: item.index for item in module.module.exports if item.kind is ExternKind.FUNC}
        for item in self.interface.exports:
            at = functions.get(item.name)
            if at is None or module.context.functions[at] != _type_of(item):
                raise invalid(f"`{item.name}` is no exported function of the type {_type_of(item)}")
            self._exports[at] = item
        imports = {
            (item.module, item.name): module.module.types[item.type]
            for item in module.module.imported(ExternKind.FUNC)
            if isinstance(item.type, int)
        }
        self._hosts = {(item.host or "", item.name): item for item in self.interface.hosts}
        for key in self._hosts:
            if imports.get(key) != _HOST_TYPE:
                raise invalid(f"`{key[1]}` is no import of {key[0]!r} of the type {_HOST_TYPE}")

    def call(self, index: int, *, arrays: bool = False) -> Call | PlainCall | None:
        """How an exported function is called; None where the interface does not have it."""
        signature = self._exports.get(index)
        if signature is None:
            return None
        found = self._calls.get((index, arrays))
        if found is None:
            if signature.plain:
                found = PlainCall(signature)
            else:
                found = Call(signature, Codecs(self.interface, self.types, as_array=True) if arrays else self.codecs)
            self._calls[index, arrays] = found
        return found

    def with_types(self, module: str, name: str, given: HostFunction | FunctionInstance) -> Any:
        """What was given for an import, and how values pass to it, if it is one of the interface.

        Raises LinkError where it does not fit.
        """
        signature = self._hosts.get((module, name))
        if signature is None:
            return given
        if isinstance(given, FunctionInstance):
            raise _unfit(signature, "a Python function is asked for, not another guest's")
        function = partial(given.function, None) if given.caller else given.function
        try:
            own = classes_for(self.interface, signature, function)
        except Unfit as error:
            raise _unfit(signature, str(error)) from None
        codecs = Codecs(self.interface, self.types, own) if own else self.codecs
        keywords = [param.name for param in signature.params if param.kind == Kind.KEYWORD]
        called = _by_name(given.function, keywords) if keywords else given.function
        return HostFunction(called, given.caller, given.type, Call(signature, codecs))


def _type_of(item: Signature) -> FuncType:
    """The type that the compiler gives to an exported function."""
    if not item.plain:
        return FuncType((), () if item.result.name == "None" else (I32,))
    result = _SLOTS.get(item.result.name)
    return FuncType(tuple(_SLOTS[param.type.name] for param in item.params), () if result is None else (result,))


def border_of(module: ValidModule) -> Border:
    """The border of a module, made when it is first asked for."""
    if module.border is None:
        module.border = Border(module)
    found: Border = module.border
    return found


# --- memory ----------------------------------------------------------------------------------------------------------


def read(instance: Instance, address: int) -> bytes:
    """What a guest hands out at an address.  Raises InterfaceError where it does not lie in its memory."""
    memory = instance.mapping
    size = len(memory)
    if address + 4 > size:
        raise InterfaceError(f"the guest handed out a value at {address:#x}, beyond its memory of {size} bytes")
    start = address + 4
    stop = start + _LENGTH.unpack_from(memory, address)[0]
    if stop > size:
        raise InterfaceError(f"the guest handed out a value up to {stop:#x}, beyond its memory of {size} bytes")
    return memory[start:stop]


def write(instance: Instance, blocks: Sequence[Buffer]) -> None:
    """Put bytes into the guest's buffer for what comes in.  Raises LimitError where the guest has no room for them."""
    size = sum(map(len, blocks))
    at = _room(instance, size)
    memory = instance.mapping
    if at + size > len(memory):
        raise InterfaceError(f"the guest gives room at {at:#x}, beyond its memory of {len(memory)} bytes")
    for block in blocks:
        memory[at : at + len(block)] = block
        at += len(block)


def _room(instance: Instance, size: int) -> int:
    """Where the guest has so much room: in the buffer that is there, else in one that it makes."""
    exports = instance.exports
    room, address = exports.get(_BUFFER_SIZE), exports.get(_BUFFER)
    if isinstance(room, GlobalInstance) and isinstance(address, GlobalInstance) and size <= room.value & _I32:
        return address.value & _I32
    found = instance.arenas.call_aside(instance, _ROOM, _ROOM_TYPE, (size,), _ROOM_FUEL + size)
    if found is None or found[0] == 0:
        most = instance.arenas.limits.memory_bytes
        limit = f"the limit of its memory is {most} bytes" if most is not None else "its memory cannot grow"
        raise LimitError(f"the guest has no room for a value of {size} bytes: {limit}", "memory", most or 0)
    return int(found[0]) & _I32


class Delivery:
    """Arguments of a call that has not begun: written into the guest's memory when it does."""

    __slots__ = ("_blocks", "_instance")

    def __init__(self, instance: Instance, blocks: Sequence[Buffer]) -> None:
        self._instance = instance
        self._blocks = blocks

    def deliver(self) -> bytes:
        """Write them; the slots of the call."""
        write(self._instance, self._blocks)
        return b""


# --- exports ---------------------------------------------------------------------------------------------------------


class _Arguments:
    """The arguments of an exported function."""

    layout = _NOTHING
    refers = single = False

    def __init__(self, instance: Instance, call: Call | PlainCall) -> None:
        self._instance = instance
        self._call = call

    def encode(self, arenas: Arenas, values: Sequence[Any]) -> bytes | Delivery:
        """Slots of arguments: of a list, as `order` gives it, or of a tuple of what a host gave by position.

        Raises UsageError, LimitError.
        """
        call = self._call
        if isinstance(call, PlainCall):
            return call.pack(values)
        if not isinstance(values, list):
            values = call.names.order(values, {})
        if not values:
            return b""
        return Delivery(self._instance, call.pack(values, arenas.limits.value_bytes))


class _Result:
    """The result of an exported function."""

    def __init__(self, instance: Instance, call: Call | PlainCall) -> None:
        self._instance = instance
        self._call = call
        nothing = call.signature.result.name == "None"
        self.refers = isinstance(call, Call) and not nothing
        self.single = not nothing
        self.layout = call.result if isinstance(call, PlainCall) else _NOTHING if nothing else _ADDRESS

    def decode(self, arenas: Arenas, numbers: Sequence[Any]) -> list[Any]:
        """The value whose address the function gave.  Raises InterfaceError, LimitError."""
        assert isinstance(self._call, Call)
        return [self._call.unpack(read(self._instance, numbers[0]), arenas.limits.value_bytes)]


class RichSignature:
    """How values pass in calls of an exported function, as `svm.runtime.values.Signature` for one without types."""

    def __init__(self, instance: Instance, call: Call | PlainCall) -> None:
        self.params = _Arguments(instance, call)
        self.results = _Result(instance, call)
        self.direct = isinstance(call, PlainCall) and call.direct
        self.bools = call.bools if isinstance(call, PlainCall) else ()
        self._call = call

    def order(self, args: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        """Arguments by position and by name, in the order of the parameters.  Raises UsageError."""
        return self._call.names.order(args, named)


def export_signature(function: FunctionInstance, *, arrays: bool = False) -> RichSignature | None:
    """How values pass to a function by the interface of its module; None where that does not have it.

    Raises ModuleError for an interface that is none, or that the module contradicts.
    """
    instance = function.instance
    if instance is None or not instance.module.may_describe(function.index):
        return None
    call = border_of(instance.module).call(function.index, arrays=arrays)
    return None if call is None else RichSignature(instance, call)


# --- host functions --------------------------------------------------------------------------------------------------


class _HostArguments:
    """The arguments that a guest gives to a host function."""

    layout = _ADDRESS
    refers = True

    def __init__(self, instance: Instance, call: Call) -> None:
        self._instance = instance
        self._call = call

    def decode(self, arenas: Arenas, numbers: Sequence[Any]) -> list[Any]:
        """The values at an address.  Raises InterfaceError, LimitError."""
        return self._call.unpack_arguments(read(self._instance, numbers[0]), arenas.limits.value_bytes)


class _HostResult:
    """The result that a host function gives to a guest: it lies in memory, the slot says that it is one."""

    layout = _ADDRESS
    single = True

    def __init__(self, instance: Instance, call: Call) -> None:
        self._instance = instance
        self._call = call

    def encode(self, arenas: Arenas, values: Sequence[Any]) -> bytes:
        """The slot of what the function returned.  Raises UsageError, LimitError."""
        blocks = self._call.pack_result(values[0], arenas.limits.value_bytes)
        if self._call.signature.result.name != "None":
            write(self._instance, blocks)
        return _ADDRESS.pack(0)


class HostSignature:
    """How values pass in calls of a host function of the interface."""

    direct = False

    def __init__(self, instance: Instance, call: Call) -> None:
        self.params = _HostArguments(instance, call)
        self.results = _HostResult(instance, call)
        self._instance = instance

    def caught(self, arenas: Arenas, error: Exception) -> bytes | None:
        """The slot that says that the function raised, the exception being in memory; None for an error of svm's own,
        which is the host's or ends the guest.
        """
        if isinstance(error, Error):
            return None
        write(self._instance, pack_exception(error, arenas.limits.value_bytes))
        arenas.raised = error
        return _ADDRESS.pack(1)


def _unfit(item: Signature, why: str) -> LinkError:
    shown = str(item).partition("\n")[2].removesuffix(": ...").removeprefix("def ")
    return LinkError(f"import {item.host!r} {item.name!r} is {shown}: {why}")


def _by_name(function: Any, keywords: Sequence[str]) -> Any:
    """A function whose last arguments are passed by name."""
    count = len(keywords)
    return lambda *args: function(*args[:-count], **dict(zip(keywords, args[-count:], strict=True)))
