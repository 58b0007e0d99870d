"""Constant expressions, which give globals and segments what they begin with: one instruction, then `end`.

In come an expression's bytes, out come its code and its value.  WebAssembly allows no more than one instruction, for
each of those that it allows here gives a value and takes none; so neither a decoder nor the instruction table is needed
but to say what is wrong with an expression that is none.
"""

from __future__ import annotations

from svm.errors import InvalidError, MalformedError, Place
from svm.isa import FUNCREF, REFERENCE_TYPES, ValueType
from svm.isa.constants import END, F32_CONST, F64_CONST, GLOBAL_GET, I32_CONST, I64_CONST, NUMBERS, REF_FUNC, REF_NULL
from svm.module.checked import Context
from svm.module.leb import read_s32, read_s64, read_u32

__all__ = ["check_constant", "constant_end", "read_constant"]

_INTEGERS = {
    I32_CONST: (read_s32, 0xFFFF_FFFF),
    I64_CONST: (read_s64, 0xFFFF_FFFF_FFFF_FFFF),
    GLOBAL_GET: (read_u32, 0xFFFF_FFFF),
    REF_FUNC: (read_u32, 0xFFFF_FFFF),
}
_FLOATS = {F32_CONST: 4, F64_CONST: 8}
_REFERENCES = {int(kind): kind for kind in REFERENCE_TYPES}
_END = bytes((END,))


def read_constant(expression: bytes) -> tuple[int, int] | None:
    """Code and value of a constant expression: a number's bits, an index, or for REF_NULL the code of its type.

    None for whatever is not one instruction of `svm.isa.constants` and `end`.
    """
    found = _read(expression, 0)
    return found[:2] if found is not None and found[2] == len(expression) else None


def constant_end(data: bytes, at: int) -> int | None:
    """Where the constant expression at `at` ends, None for whatever `read_constant` would not read."""
    found = _read(data, at)
    return None if found is None else found[2]


def _read(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Code and value of the constant expression at `at`, and where it ends."""
    if len(data) < at + 3:
        return None
    code, value, end = data[at], data[at + 1], at + 2
    if code in _INTEGERS:
        read, mask = _INTEGERS[code]
        try:
            value, end = read(data, at + 1)
        except MalformedError:
            return None
        value &= mask
    elif code in _FLOATS:
        end = at + 1 + _FLOATS[code]
        value = int.from_bytes(data[at + 1 : end], "little")
    elif code != REF_NULL or value not in _REFERENCES:
        return None
    return (code, value, end + 1) if data[end : end + 1] == _END else None


def check_constant(context: Context, expression: bytes, expect: ValueType, place: Place) -> None:
    """Check that a constant expression gives one value of type `expect`.

    Raises InvalidError, or MalformedError where it is no code.
    """
    found = read_constant(expression)
    if found is None or _type(context, *found, place) is not expect:
        from svm.module.body import refuse_constant  # here, for it needs the instruction table

        refuse_constant(context, expression, expect, place)


def _type(context: Context, code: int, value: int, place: Place) -> ValueType:
    if code == GLOBAL_GET:
        if value >= context.constants:
            raise _invalid(place, "global.get", f"unknown global {value}: a constant may read imported globals only")
        if context.globals[value].mutable:
            raise _invalid(place, "global.get", "constant expression required: the global is mutable")
        return context.globals[value].type
    if code == REF_FUNC:
        if value >= len(context.functions):
            raise _invalid(place, "ref.func", f"unknown function {value}")
        return FUNCREF
    return _REFERENCES[value] if code == REF_NULL else NUMBERS[code]


def _invalid(place: Place, instruction: str, message: str) -> InvalidError:
    return InvalidError(message, Place(place.section, place.item, None, instruction, 0))
