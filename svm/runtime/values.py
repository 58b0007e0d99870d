"""Scalars across the border between host and guest.

A slot is 64 bits, unsigned.  Integers are given to Python signed, and taken signed or unsigned; floats are taken from
int and float; an externref is any Python object; a funcref is a `FunctionInstance` of the same store; both are None
for null.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from svm.errors import UsageError
from svm.isa import EXTERNREF, F32, F64, FUNCREF, I32, I64, FuncType, ValueType
from svm.runtime.store import FunctionInstance, Store

__all__ = ["from_slot", "from_slots", "host_results", "to_slot", "to_slots"]

_WIDTH = {I32: 32, I64: 64}


def to_slot(store: Store, type_: ValueType, value: Any) -> int:
    """Slot for a Python value.  Raises UsageError where it does not fit the type."""
    if type_ in _WIDTH:
        width = _WIDTH[type_]
        if not hasattr(value, "__index__"):
            raise UsageError(f"{type_} expected, {type(value).__name__} given: {value!r:.80}")
        number: int = value.__index__()
        if not -(1 << width - 1) <= number < 1 << width:
            raise UsageError(f"{_shown(number)} does not fit {type_}")
        return number & ((1 << width) - 1)
    if type_ in (F32, F64):
        return _float_slot(type_, value)
    if type_ is EXTERNREF:
        return store.hold(value)
    if value is None:
        return 0
    if not isinstance(value, FunctionInstance) or store.functions[value.number : value.number + 1] != [value]:
        raise UsageError(f"{FUNCREF} expected: a function of the same guest, or None, not {value!r:.80}")
    return value.number


def _float_slot(type_: ValueType, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{type_} expected, {type(value).__name__} given: {value!r:.80}")
    try:
        if type_ is F64:
            bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
        else:
            bits = struct.unpack("<I", struct.pack("<f", value))[0]
    except (OverflowError, struct.error):  # a double that is too large for a float; an int for a double
        raise UsageError(f"{_shown(value)} does not fit {type_}") from None
    return bits


def _shown(number: int | float) -> str:
    """Text of a number for a message; Python refuses to write very long ones."""
    if isinstance(number, int) and number.bit_length() > 200:
        return f"an integer of {number.bit_length()} bits"
    return repr(number)


def from_slot(store: Store, type_: ValueType, slot: int) -> Any:
    """Python value of a slot."""
    if type_ is I32:
        return (slot ^ 0x8000_0000) - 0x8000_0000
    if type_ is I64:
        return (slot ^ 0x8000_0000_0000_0000) - 0x8000_0000_0000_0000
    if type_ is F64:
        return struct.unpack("<d", slot.to_bytes(8, "little"))[0]
    if type_ is F32:
        return struct.unpack("<f", slot.to_bytes(4, "little"))[0]
    return store.held(slot) if type_ is EXTERNREF else store.functions[slot]


def to_slots(store: Store, types: Sequence[ValueType], values: Sequence[Any], what: str) -> list[int]:
    """Slots for arguments or results.  Raises UsageError, which begins with `what`, for a wrong number or value."""
    if len(values) != len(types):
        raise UsageError(f"{what}: {len(types)} value(s) expected, {len(values)} given")
    slots = []
    for at, (type_, value) in enumerate(zip(types, values, strict=True)):
        try:
            slots.append(to_slot(store, type_, value))
        except UsageError as error:
            raise UsageError(f"{what}, value {at + 1}: {error}") from None
    return slots


def from_slots(store: Store, types: Sequence[ValueType], slots: Sequence[int]) -> Any:
    """None, one value, or a tuple of values, for slots of results."""
    values = [from_slot(store, type_, slot) for type_, slot in zip(types, slots, strict=True)]
    if len(values) == 1:
        return values[0]
    return tuple(values) or None


def host_results(store: Store, type_: FuncType, value: Any, name: str) -> list[int]:
    """Slots for what a host function returned.  Raises UsageError where that does not fit its type."""
    if len(type_.results) == 1:
        values: Sequence[Any] = (value,)
    elif isinstance(value, tuple):
        values = value
    else:
        values = () if value is None else (value,)
    return to_slots(store, type_.results, values, f"result of host function {name!r}")
