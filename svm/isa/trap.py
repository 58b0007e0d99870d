"""Why an instruction traps.

Apart from the rows, for whoever runs code that is lowered already has no use for them.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Forbidden", "TrapKind"]


class TrapKind(Enum):
    """Why a guest trapped: the code that native tiers report, and WebAssembly's words for it."""

    UNREACHABLE = (1, "unreachable")
    OUT_OF_BOUNDS_MEMORY = (2, "out of bounds memory access")
    DIVIDE_BY_ZERO = (3, "integer divide by zero")
    INTEGER_OVERFLOW = (4, "integer overflow")
    INVALID_CONVERSION = (5, "invalid conversion to integer")
    OUT_OF_BOUNDS_TABLE = (6, "out of bounds table access")
    UNDEFINED_ELEMENT = (7, "undefined element")
    UNINITIALIZED_ELEMENT = (8, "uninitialized element")
    INDIRECT_CALL_TYPE_MISMATCH = (9, "indirect call type mismatch")
    CALL_STACK_EXHAUSTED = (10, "call stack exhausted")

    @property
    def code(self) -> int:
        """Number of the kind, from 1."""
        return self.value[0]

    @property
    def message(self) -> str:
        """WebAssembly's words."""
        return self.value[1]


class Forbidden(Exception):
    """Raised by a row's Python meaning where the instruction traps; the engine makes it a trap with its place."""

    def __init__(self, kind: TrapKind) -> None:
        self.kind = kind
        super().__init__(kind.message)
