"""The types of values and functions, with the codes that WebAssembly's binary format gives them; what memory is."""

from __future__ import annotations

from enum import IntEnum
from mmap import mmap

from svm.record import record

__all__ = [
    "EXTERNREF",
    "F32",
    "F64",
    "FUNCREF",
    "I32",
    "I64",
    "NUMBER_TYPES",
    "REFERENCE_TYPES",
    "RESERVED_TYPES",
    "FuncType",
    "Memory",
    "ValueType",
]


class ValueType(IntEnum):
    """Type of one value.  A slot of a frame holds any of them as 64 unsigned bits, references as store-wide indices."""

    I32 = 0x7F
    I64 = 0x7E
    F32 = 0x7D
    F64 = 0x7C
    FUNCREF = 0x70
    EXTERNREF = 0x6F

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def is_reference(self) -> bool:
        """Whether values of the type are references."""
        return self in REFERENCE_TYPES


I32, I64, F32, F64 = ValueType.I32, ValueType.I64, ValueType.F32, ValueType.F64
FUNCREF, EXTERNREF = ValueType.FUNCREF, ValueType.EXTERNREF
NUMBER_TYPES = frozenset((I32, I64, F32, F64))
REFERENCE_TYPES = frozenset((FUNCREF, EXTERNREF))

RESERVED_TYPES: dict[int, str] = {
    0x7B: "SIMD (v128)",
    **dict.fromkeys((0x64, 0x63), "typed function references (ref)"),
    **dict.fromkeys((0x74, 0x69), "exception references (exnref)"),
    **dict.fromkeys((0x73, 0x72, 0x71, *range(0x6A, 0x6F)), "garbage collection"),
    **dict.fromkeys((0x75, 0x68), "stack switching (contref)"),
}
"""Codes that WebAssembly gives to types of proposals that svm does not have: refused by the feature's name."""


Memory = bytearray | mmap
"""A linear memory as Python sees it."""


@record
class FuncType:
    """Type of a function: what it takes and what it gives, in order."""

    params: tuple[ValueType, ...] = ()
    results: tuple[ValueType, ...] = ()

    def __str__(self) -> str:
        return f"({' '.join(map(str, self.params))}) -> ({' '.join(map(str, self.results))})"
