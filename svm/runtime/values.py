"""Values across the border between host and guest.

A slot is 64 bits, unsigned.  Integers are given to Python signed, and taken signed or unsigned; floats are taken from
int and float; an externref is any Python object; a funcref is a `FunctionInstance` of the same store; both are None
for null.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct
from struct import error as StructError

from svm.errors import UsageError
from svm.hints import Any
from svm.isa import EXTERNREF, F32, F64, FUNCREF, I32, I64, FuncType, ValueType
from svm.runtime.arenas import Arenas, FunctionInstance

__all__ = ["Signature", "Values", "from_slot", "signature_of", "slots_of", "to_slot"]


class Values:
    """How values of some types lie in slots, prepared once.

    layout: of the slots, as Python numbers.  refers: whether some are references, which `decode` is for.
    single: whether there is one.
    """

    __slots__ = ("_checks", "_exact", "_types", "_what", "layout", "refers", "single")

    def __init__(self, types: Sequence[ValueType], what: str) -> None:
        """Prepare.  what: names the values in messages."""
        self._types = types
        self._what = what
        self._checks = [_CHECKS[type_] for type_ in types]
        self._exact = all(type_ in (I32, I64) for type_ in types)
        self.layout = Struct("<" + "".join([_FORMATS[type_] for type_ in types]))
        self.single = len(types) == 1
        self.refers = any(type_ in _REFERRED for type_ in types)

    def encode(self, arenas: Arenas, values: Sequence[Any]) -> bytes:
        """Slots of values.  Raises UsageError for a wrong number of them, or one that does not fit its type.

        Integers are checked by packing them; only what that refuses, or may take too much of, is looked at by itself.
        """
        if self._exact:
            try:
                return self.layout.pack(*values)
            except StructError:
                pass
        if len(values) != len(self._checks):
            raise UsageError(f"{self._what}: {len(self._checks)} value(s) expected, {len(values)} given")
        numbers: list[Any] = []
        try:
            for check, value in zip(self._checks, values):  # noqa: B905 - as many, as was seen
                numbers.append(check(arenas, value))
        except UsageError as error:
            raise UsageError(f"{self._what}, value {len(numbers) + 1}: {error}") from None
        return self.layout.pack(*numbers)

    def decode(self, arenas: Arenas, numbers: Sequence[Any]) -> Sequence[Any]:
        """Values of what `layout` unpacked."""
        pairs = zip(self._types, numbers, strict=True)
        return [_REFERRED[type_](arenas, number) if type_ in _REFERRED else number for type_, number in pairs]


class Signature:
    """The values that pass in calls of one function.  direct: whether native code may do so by itself.  bools: which
    parameters, and then results, are bools to Python.
    """

    __slots__ = ("bools", "params", "results")
    direct = True

    def __init__(self, type_: FuncType, name: str, host: bool) -> None:
        self.params = Values(type_.params, f"arguments of {name!r}")
        self.results = Values(type_.results, f"result of {'host function ' if host else ''}{name!r}")
        self.bools = [False] * (len(type_.params) + len(type_.results))

    def caught(self, arenas: Arenas, error: Exception) -> bytes | None:
        """Slots that say what a host function raised; None, for it takes an interface to make it the guest's."""
        return None


def signature_of(function: FunctionInstance) -> Signature:
    """A function's signature, made when it is first asked for: by the interface of its module, if that has it
    (`svm.runtime.rich`), else by its type.  Raises ModuleError for an interface that is damaged.
    """
    if function.signature is None:
        found: Any = None
        if function.instance is not None and function.instance.module.may_describe(function.index):
            from svm.runtime.rich import export_signature  # here, for few functions are in such an interface

            found = export_signature(function)
        function.signature = found or _plain(function.type, function.name, function.host is not None)
    signature: Signature = function.signature
    return signature


_plain = lru_cache(4096)(Signature)  # of functions that differ in nothing else, in all stores


def slots_of(count: int) -> Struct:
    """Layout of slots as they are, unsigned."""
    return Struct(f"<{count}Q")


def to_slot(arenas: Arenas, type_: ValueType, value: Any) -> int:
    """Slot for a Python value.  Raises UsageError where it does not fit the type."""
    slot: int = slots_of(1).unpack(Values((type_,), "value of the type").encode(arenas, (value,)))[0]
    return slot


def from_slot(arenas: Arenas, type_: ValueType, slot: int) -> Any:
    """Python value of a slot."""
    values = Values((type_,), "")
    return values.decode(arenas, values.layout.unpack(slots_of(1).pack(slot)))[0]


def _integer(type_: ValueType, width: int) -> Callable[[Arenas, Any], int]:
    low, sign, high = -(1 << width - 1), 1 << width - 1, 1 << width

    def check(arenas: Arenas, value: Any) -> int:
        try:
            number: int = value.__index__()
        except AttributeError:
            raise UsageError(f"{type_} expected, {type(value).__name__} given: {value!r:.80}") from None
        if not low <= number < high:
            raise UsageError(f"{_shown(number)} does not fit {type_}")
        return number if number < sign else number - high

    return check


def _float(type_: ValueType, layout: Struct) -> Callable[[Arenas, Any], float]:
    def check(arenas: Arenas, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"{type_} expected, {type(value).__name__} given: {value!r:.80}")
        try:
            layout.pack(value)
        except (OverflowError, StructError):  # a double that is too large for a float; an int for a double
            raise UsageError(f"{_shown(value)} does not fit {type_}") from None
        return value

    return check


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


_CHECKS: dict[ValueType, Callable[[Arenas, Any], Any]] = {
    I32: _integer(I32, 32),
    I64: _integer(I64, 64),
    F32: _float(F32, Struct("<f")),
    F64: _float(F64, Struct("<d")),
    EXTERNREF: lambda arenas, value: arenas.hold(value),
    FUNCREF: _function,
}
_FORMATS: dict[ValueType, str] = {I32: "i4x", I64: "q", F32: "f4x", F64: "d", EXTERNREF: "Q", FUNCREF: "Q"}
_REFERRED: dict[ValueType, Callable[[Arenas, int], Any]] = {
    EXTERNREF: lambda arenas, slot: arenas.held(slot),
    FUNCREF: lambda arenas, slot: arenas.functions[slot],
}
