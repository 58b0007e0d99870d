"""How a call ends, in words that svm and its peers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from svm import Guest, TrapError, UncaughtError

__all__ = ["Call", "End", "calls_of"]

End = tuple[str, Any]
"""`returned` and what, `trapped` and why, or `thrown`."""
Call = Callable[[str, tuple[int, ...]], End]
"""Calls an export with arguments."""

# wasmtime's words for traps, which tell some apart less finely.
_KINDS = {
    "unreachable": "UNREACHABLE",
    "out_of_bounds_memory": "MEMORY_OUT_OF_BOUNDS",
    "divide_by_zero": "INTEGER_DIVISION_BY_ZERO",
    "integer_overflow": "INTEGER_OVERFLOW",
    "invalid_conversion": "BAD_CONVERSION_TO_INTEGER",
    "out_of_bounds_table": "TABLE_OUT_OF_BOUNDS",
    "undefined_element": "TABLE_OUT_OF_BOUNDS",
    "uninitialized_element": "INDIRECT_CALL_TO_NULL",
    "indirect_call_type_mismatch": "BAD_SIGNATURE",
}


def calls_of(guest: Guest) -> Call:
    """Calls of a guest of svm."""

    def call(name: str, args: tuple[int, ...]) -> End:
        try:
            return "returned", guest.call(name, *args)
        except UncaughtError:
            return "thrown", None
        except TrapError as trap:
            return "trapped", _KINDS[trap.kind]

    return call
