"""Codes of the instructions that a constant expression may be, apart from their rows: most starts read no others."""

from __future__ import annotations

from svm.isa.types import F32, F64, I32, I64, ValueType

__all__ = ["END", "F32_CONST", "F64_CONST", "GLOBAL_GET", "I32_CONST", "I64_CONST", "NUMBERS", "REF_FUNC", "REF_NULL"]

END = 0x0B
GLOBAL_GET = 0x23
I32_CONST = 0x41
I64_CONST = 0x42
F32_CONST = 0x43
F64_CONST = 0x44
REF_NULL = 0xD0
REF_FUNC = 0xD2

NUMBERS: dict[int, ValueType] = {I32_CONST: I32, I64_CONST: I64, F32_CONST: F32, F64_CONST: F64}
"""Those that give a number, and its type."""
