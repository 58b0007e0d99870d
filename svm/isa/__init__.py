"""The instruction set: one table of instructions, their types, traps and two semantic columns.

Nothing comes in; out go `OPS`, `BY_CODE` and the types that every other stage speaks of.  No other stage may know an
instruction's operands, code or meaning but from here.  The table is imported when it is first asked for: code that is
lowered already runs without it.
"""

from svm.hints import TYPE_CHECKING
from svm.isa.trap import Forbidden, TrapKind
from svm.isa.types import (
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    NUMBER_TYPES,
    REFERENCE_TYPES,
    RESERVED_TYPES,
    FuncType,
    Memory,
    ValueType,
)
from svm.isa.version import VERSION
from svm.lazy import lazily

if TYPE_CHECKING:
    from svm.isa.op import Form, Immediate, Op, row
    from svm.isa.table import BY_CODE, CHAPTERS, EXTENSION, NAMED, NAN_MAKERS, OPS, PREFIXES, RESERVED
else:
    __getattr__ = lazily(__name__, {
        "svm.isa.op": ("Form", "Immediate", "Op", "row"),
        "svm.isa.table": ("BY_CODE", "CHAPTERS", "EXTENSION", "NAMED", "NAN_MAKERS", "OPS", "PREFIXES", "RESERVED"),
    })  # fmt: skip

__all__ = [
    "BY_CODE",
    "CHAPTERS",
    "EXTENSION",
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
    "RESERVED_TYPES",
    "VERSION",
    "Forbidden",
    "Form",
    "FuncType",
    "Immediate",
    "Memory",
    "Op",
    "TrapKind",
    "ValueType",
    "row",
]
