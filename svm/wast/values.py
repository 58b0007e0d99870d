"""Values in scripts: what is passed to a function, and the patterns that its results must fit.

In: the JSON of a value, `{"type": "f32", "value": "1065353216"}`. Out: a `Value`, or a `Pattern` that values fit or
not. Invariant: numbers are compared by all of their bits; only the specification's two NaN patterns leave some open
(https://webassembly.github.io/spec/core/syntax/values.html#floating-point).
"""

from __future__ import annotations

import struct
from typing import Any

from svm.isa import EXTERNREF, F32, F64, FUNCREF, I32, I64, ValueType
from svm.record import record

__all__ = ["Pattern", "UnknownValueError", "Value", "read_pattern", "read_value", "show"]

_TYPES = {str(type_): type_ for type_ in ValueType}
_WIDTH = {I32: 32, F32: 32, I64: 64, F64: 64}
_MANTISSA = {F32: 23, F64: 52}
_MOST_DIGITS = 20  # of 64 bits
_NANS = ("nan:canonical", "nan:arithmetic")


class UnknownValueError(Exception):
    """A value of a script that svm has nothing for; the message says what it is."""


@record
class Value:
    """A value: for a number its `content` is its bits, unsigned; for a reference the host's object, or None."""

    type: ValueType
    content: Any

    def __str__(self) -> str:
        return show(self.type, self.content)


@record
class Pattern:
    """What one result must be: any of `values`, or one of the NaNs that `nan` names, or a reference that is not null.

    type: of the result.
    """

    type: ValueType
    values: tuple[Value, ...] = ()
    nan: str | None = None

    def fits(self, value: Value) -> bool:
        """Whether a value is as expected."""
        if value.type is not self.type:
            return False
        if self.nan is not None:
            return _is_nan(self.type, value.content, canonical=self.nan == "nan:canonical")
        if not self.values:
            return value.content is not None
        return value in self.values

    def __str__(self) -> str:
        if self.nan is not None:
            return f"{self.type} {self.nan}"
        return " or ".join(map(str, self.values)) or f"{self.type} that is not null"


def read_value(data: dict[str, Any]) -> Value:
    """The value that a script's JSON means.  Raises UnknownValueError."""
    type_, text = _type(data), data.get("value")
    if not isinstance(text, str):
        raise UnknownValueError(f"{type_} of no value")
    if type_.is_reference and text == "null":
        return Value(type_, None)
    if type_ is FUNCREF or not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
        raise UnknownValueError(f"{type_} {text!r:.80}")
    number = int(text)
    if type_ is not EXTERNREF and number >> _WIDTH[type_]:
        raise UnknownValueError(f"{type_} {text!r:.80}")
    return Value(type_, number)


def read_pattern(data: dict[str, Any]) -> Pattern:
    """The pattern that a script's JSON means.  Raises UnknownValueError."""
    if data.get("type") == "either":
        choices = data.get("values")
        if not isinstance(choices, list) or not choices or not all(isinstance(each, dict) for each in choices):
            raise UnknownValueError("a choice of nothing")
        values = tuple(map(read_value, choices))
        return Pattern(values[0].type, values)
    type_, text = _type(data), data.get("value")
    if text in _NANS and type_ in _MANTISSA:
        return Pattern(type_, nan=text)
    if text is None and type_.is_reference:
        return Pattern(type_)
    return Pattern(type_, (read_value(data),))


def _type(data: dict[str, Any]) -> ValueType:
    name = data.get("type")
    if name == "v128":
        raise UnknownValueError("v128, which is SIMD and not supported")
    if not isinstance(name, str) or name not in _TYPES:
        raise UnknownValueError(f"the type {name!r:.80}")
    return _TYPES[name]


def _is_nan(type_: ValueType, bits: int, *, canonical: bool) -> bool:
    """Whether bits are a NaN whose payload is that of the canonical one, or at least has its highest bit set."""
    sign = 1 << (_WIDTH[type_] - 1)
    exponent = sign - (1 << _MANTISSA[type_])
    quiet = exponent | 1 << (_MANTISSA[type_] - 1)
    return bits & ~sign == quiet if canonical else bits & quiet == quiet


def show(type_: ValueType, content: Any) -> str:
    """A value as WebAssembly's text format would have it, more or less."""
    if content is None:
        return f"{type_} null"
    if type_ is FUNCREF:
        return f"{type_} {content.name!r:.80}"
    if type_ in _MANTISSA and not 0 <= content & (1 << (_WIDTH[type_] - 1)) - 1 <= _infinity(type_):
        payload = content & (1 << _MANTISSA[type_]) - 1
        return f"{type_} {'-' if content >> (_WIDTH[type_] - 1) else ''}nan:{payload:#x}"
    if type_ is F32:
        return f"f32 {struct.unpack('<f', struct.pack('<I', content))[0]!r} ({content:#010x})"
    if type_ is F64:
        return f"f64 {struct.unpack('<d', struct.pack('<Q', content))[0]!r} ({content:#018x})"
    if type_ in _WIDTH:
        half = 1 << (_WIDTH[type_] - 1)
        return f"{type_} {(content ^ half) - half}"
    return f"{type_} {content!r:.80}"


def _infinity(type_: ValueType) -> int:
    return (1 << (_WIDTH[type_] - 1)) - (1 << _MANTISSA[type_])
