"""Values across the border between host and guest.

A slot is 64 bits, unsigned.  Integers are given to Python signed, and taken signed or unsigned; floats are taken from
int and float; an externref is any Python object; a funcref is a `FunctionInstance` of the same store; both are None
for null.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as StructError
from typing import Any

from svm.errors import UsageError
from svm.isa import EXTERNREF, F32, F64, FUNCREF, I32, I64, ValueType
from svm.runtime.arenas import Arenas, FunctionInstance

__all__ = ["Signature", "Values", "from_slot", "signature_of", "slots_of", "to_slot"]


class Values:
    """How values of some types lie in slots, prepared once.  layout: of the slots, as Python numbers."""

    __slots__ = ("_encoders", "_references", "_what", "layout")

    def __init__(self, types: Sequence[ValueType], what: str) -> None:
        """Prepare.  what: names the values in messages."""
        self._what = what
        self._encoders = [_ENCODE[type_] for type_ in types]
        self._references = [(at, _REFERRED[type_]) for at, type_ in enumerate(types) if type_ in _REFERRED]
        self.layout = Struct("<" + "".join([_FORMATS[type_] for type_ in types]))

    def encode(self, arenas: Arenas, values: Sequence[Any]) -> list[int]:
        """Slots of values.  Raises UsageError for a wrong number of them, or one that does not fit its type."""
        if len(values) != len(self._encoders):
            raise UsageError(f"{self._what}: {len(self._encoders)} value(s) expected, {len(values)} given")
        slots: list[int] = []
        try:
            for encode, value in zip(self._encoders, values):  # noqa: B905 - as many, as was seen
                slots.append(encode(arenas, value))
        except UsageError as error:
            raise UsageError(f"{self._what}, value {len(slots) + 1}: {error}") from None
        return slots

    def decode(self, arenas: Arenas, numbers: Sequence[Any]) -> Sequence[Any]:
        """Values of what `layout` unpacked."""
        if not self._references:
            return numbers
        values = list(numbers)
        for at, referred in self._references:
            values[at] = referred(arenas, values[at])
        return values


class Signature:
    """The values that pass in calls of one function."""

    __slots__ = ("params", "results")

    def __init__(self, function: FunctionInstance) -> None:
        host = "" if function.host is None else "host function "
        self.params = Values(function.type.params, f"arguments of {function.name!r}")
        self.results = Values(function.type.results, f"result of {host}{function.name!r}")


def signature_of(function: FunctionInstance) -> Signature:
    """A function's signature, made when it is first asked for."""
    signature = function.signature
    if signature is None:
        signature = function.signature = Signature(function)
    assert isinstance(signature, Signature)
    return signature


def slots_of(count: int) -> Struct:
    """Layout of slots as they are."""
    return Struct(f"<{count}Q")


def to_slot(arenas: Arenas, type_: ValueType, value: Any) -> int:
    """Slot for a Python value.  Raises UsageError where it does not fit the type."""
    return _ENCODE[type_](arenas, value)


def from_slot(arenas: Arenas, type_: ValueType, slot: int) -> Any:
    """Python value of a slot."""
    values = Values((type_,), "")
    return values.decode(arenas, values.layout.unpack(array("Q", (slot,))))[0]


def _integer(type_: ValueType, width: int) -> Callable[[Arenas, Any], int]:
    low, high, mask = -(1 << width - 1), 1 << width, (1 << width) - 1

    def encode(arenas: Arenas, value: Any) -> int:
        try:
            number: int = value.__index__()
        except AttributeError:
            raise UsageError(f"{type_} expected, {type(value).__name__} given: {value!r:.80}") from None
        if not low <= number < high:
            raise UsageError(f"{_shown(number)} does not fit {type_}")
        return number & mask

    return encode


def _float(type_: ValueType, code: str, bits: Struct) -> Callable[[Arenas, Any], int]:
    layout = Struct(code)

    def encode(arenas: Arenas, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"{type_} expected, {type(value).__name__} given: {value!r:.80}")
        try:
            slot: int = bits.unpack(layout.pack(value))[0]
        except (OverflowError, StructError):  # a double that is too large for a float; an int for a double
            raise UsageError(f"{_shown(value)} does not fit {type_}") from None
        return slot

    return encode


def _function(arenas: Arenas, value: Any) -> int:
    if value is None:
        return 0
    if not isinstance(value, FunctionInstance) or not arenas.owns(value):
        raise UsageError(f"{FUNCREF} expected: a function of the same store, or None, not {value!r:.80}")
    return value.number


def _shown(number: int | float) -> str:
    """Text of a number for a message; Python refuses to write very long ones."""
    if isinstance(number, int) and number.bit_length() > 200:
        return f"an integer of {number.bit_length()} bits"
    return repr(number)


_ENCODE: dict[ValueType, Callable[[Arenas, Any], int]] = {
    I32: _integer(I32, 32),
    I64: _integer(I64, 64),
    F32: _float(F32, "<f", Struct("<I")),
    F64: _float(F64, "<d", Struct("<Q")),
    EXTERNREF: lambda arenas, value: arenas.hold(value),
    FUNCREF: _function,
}
_FORMATS: dict[ValueType, str] = {I32: "i4x", I64: "q", F32: "f4x", F64: "d", EXTERNREF: "Q", FUNCREF: "Q"}
_REFERRED: dict[ValueType, Callable[[Arenas, int], Any]] = {
    EXTERNREF: lambda arenas, slot: arenas.held(slot),
    FUNCREF: lambda arenas, slot: arenas.functions[slot],
}
