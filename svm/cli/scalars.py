"""Scalars on a command line: words to arguments of a type, results to words."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from svm.errors import UsageError
from svm.isa import F32, I32, I64, REFERENCE_TYPES, ValueType

__all__ = ["parse", "show"]


def parse(types: Sequence[ValueType], words: Sequence[str], what: str) -> list[Any]:
    """Arguments of the types.  Raises UsageError, which begins with `what`, for a wrong number of words or a bad
    one."""
    if len(words) != len(types):
        listed = ", ".join(map(str, types))
        raise UsageError(f"{what} takes {len(types)} argument(s) ({listed}), {len(words)} given")
    return [_parsed(type_, word, what) for type_, word in zip(types, words, strict=True)]


def _parsed(type_: ValueType, word: str, what: str) -> Any:
    try:
        if type_ in (I32, I64):
            return int(word, 0)
        if type_ in REFERENCE_TYPES:
            if word != "null":
                raise ValueError
            return None
        return float(word)
    except ValueError:
        form = "null" if type_ in REFERENCE_TYPES else "a whole number" if type_ in (I32, I64) else "a number"
        raise UsageError(f"{what}: {word!r} is not {form}, as {type_} takes it") from None


def show(types: Sequence[ValueType], result: Any) -> list[str]:
    """The words for a call's result: what `Guest.call` gave, for results of the types."""
    values = (result,) if len(types) == 1 else result or ()
    return [_shown(type_, value) for type_, value in zip(types, values, strict=True)]


def _shown(type_: ValueType, value: Any) -> str:
    if value is None:
        return "null"
    if type_ is F32:
        return _shortest(value)
    return str(type_) if type_ in REFERENCE_TYPES else repr(value)


def _shortest(value: float) -> str:
    """The shortest decimal number that is this float of 32 bits."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        try:
            if struct.pack("<f", float(text)) == struct.pack("<f", value):
                return repr(float(text))
        except OverflowError:  # rounded up beyond the largest
            continue
    return repr(value)
