"""The instruction set: one table of instructions, their types, traps and two semantic columns.

Nothing comes in; out go `OPS`, `BY_CODE` and the types that every other stage speaks of.  No other stage may know an
instruction's operands, code or meaning but from here.
"""

from svm.isa.op import Forbidden, Form, Immediate, Op, TrapKind, row
from svm.isa.table import BY_CODE, CHAPTERS, NAMED, NAN_MAKERS, OPS, PREFIXES, RESERVED, VERSION
from svm.isa.types import (
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    NUMBER_TYPES,
    REFERENCE_TYPES,
    FuncType,
    ValueType,
)

__all__ = [
    "BY_CODE",
    "CHAPTERS",
    "EXTERNREF",
    "F32",
    "F64",
    "FUNCREF",
    "I32",
    "I64",
    "NAMED",
    "NAN_MAKERS",
    "NUMBER_TYPES",
    "OPS",
    "PREFIXES",
    "REFERENCE_TYPES",
    "RESERVED",
    "VERSION",
    "Forbidden",
    "Form",
    "FuncType",
    "Immediate",
    "Op",
    "TrapKind",
    "ValueType",
    "row",
]
