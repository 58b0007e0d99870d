"""Scalars across the border between host and guest.

A slot is 64 bits, unsigned.  Integers are given to Python signed, and taken signed or unsigned; floats are taken from
int and float; an externref is any Python object; a funcref is a `FunctionInstance` of the same store; both are None
for null.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as StructError
from typing import Any

from svm.errors import UsageError
from svm.isa import EXTERNREF, F32, F64, FUNCREF, I32, I64, FuncType, ValueType
from svm.runtime.arenas import Arenas, FunctionInstance

__all__ = ["from_slot", "from_slots", "host_results", "to_slot", "to_slots", "values_of"]

def to_slot(arenas: Arenas, type_: ValueType, value: Any) -> int:
    """Slot for a Python value.  Raises UsageError where it does not fit the type."""
    return _ENCODE[type_](arenas, value)


def from_slot(arenas: Arenas, type_: ValueType, slot: int) -> Any:
    """Python value of a slot."""
    return _DECODE[type_](arenas, slot)


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


_U32, _U64 = Struct("<I"), Struct("<Q")
_ENCODE: dict[ValueType, Callable[[Arenas, Any], int]] = {
    I32: _integer(I32, 32),
    I64: _integer(I64, 64),
    F32: _float(F32, "<f", _U32),
    F64: _float(F64, "<d", _U64),
    EXTERNREF: lambda arenas, value: arenas.hold(value),
    FUNCREF: _function,
}
_DECODE: dict[ValueType, Callable[[Arenas, int], Any]] = {
    I32: lambda arenas, slot: (slot ^ 0x8000_0000) - 0x8000_0000,
    I64: lambda arenas, slot: (slot ^ 0x8000_0000_0000_0000) - 0x8000_0000_0000_0000,
    F32: lambda arenas, slot: Struct("<f").unpack(_U32.pack(slot))[0],
    F64: lambda arenas, slot: Struct("<d").unpack(_U64.pack(slot))[0],
    EXTERNREF: lambda arenas, slot: arenas.held(slot),
    FUNCREF: lambda arenas, slot: arenas.functions[slot],
}


def to_slots(arenas: Arenas, types: Sequence[ValueType], values: Sequence[Any], what: str) -> list[int]:
    """Slots for arguments or results.  Raises UsageError, which begins with `what`, for a wrong number or value."""
    if len(values) != len(types):
        raise UsageError(f"{what}: {len(types)} value(s) expected, {len(values)} given")
    slots = []
    for at, (type_, value) in enumerate(zip(types, values, strict=True)):
        try:
            slots.append(_ENCODE[type_](arenas, value))
        except UsageError as error:
            raise UsageError(f"{what}, value {at + 1}: {error}") from None
    return slots


def values_of(arenas: Arenas, types: Sequence[ValueType], slots: Sequence[int]) -> list[Any]:
    """Python values of slots, of which there are as many as types."""
    return [_DECODE[type_](arenas, slot) for type_, slot in zip(types, slots)]  # noqa: B905 - they are, and it is dear


def from_slots(arenas: Arenas, types: Sequence[ValueType], slots: Sequence[int]) -> Any:
    """None, one value, or a tuple of values, for slots of results."""
    values = values_of(arenas, types, slots)
    if len(values) == 1:
        return values[0]
    return tuple(values) or None


def host_results(arenas: Arenas, type_: FuncType, value: Any, name: str) -> Sequence[int]:
    """Slots for what a host function returned.  Raises UsageError where that does not fit its type."""
    if len(type_.results) == 1:
        try:
            return (_ENCODE[type_.results[0]](arenas, value),)
        except UsageError as error:
            raise UsageError(f"result of host function {name!r}, value 1: {error}") from None
    values: Sequence[Any]
    if type_.results == () and value is None:
        return ()
    if isinstance(value, tuple):
        values = value
    else:
        values = () if value is None else (value,)
    return to_slots(arenas, type_.results, values, f"result of host function {name!r}")
