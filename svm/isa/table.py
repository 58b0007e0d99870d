"""The one table of instructions.

`OPS` maps names to rows and `BY_CODE` codes to rows.  A code is one byte, or prefix << 8 | number after a prefix
byte, where the number is written as LEB128.  Codes are WebAssembly's wherever the instruction is WebAssembly's; our
own instructions stand behind the prefix 0xE0, which WebAssembly does not use.
"""

from __future__ import annotations

from svm.isa.op import Form, Op
from svm.isa.rows.control import CONSTANT, CONTROL, REFERENCE, VARIABLE
from svm.isa.rows.conversion import CONVERSION
from svm.isa.rows.floating import FLOATING
from svm.isa.rows.integer import INTEGER
from svm.isa.rows.memory import MEMORY

__all__ = ["BY_CODE", "CHAPTERS", "EXTENSION", "NAMED", "NAN_MAKERS", "OPS", "PREFIXES", "RESERVED"]

CHAPTERS: dict[str, tuple[Op, ...]] = {
    "Control": CONTROL,
    "Locals and globals": VARIABLE,
    "References and tables": REFERENCE,
    "Memory": MEMORY,
    "Constants": CONSTANT,
    "Integers": INTEGER,
    "Floating point": FLOATING,
    "Conversion": CONVERSION,
}

OPS: dict[str, Op] = {op.name: op for chapter in CHAPTERS.values() for op in chapter}
BY_CODE: dict[int, Op] = {op.code: op for op in OPS.values()}
EXTENSION = 0xE0
"""The prefix of svm's own instructions."""

PREFIXES = frozenset(op.code >> 8 for op in OPS.values() if op.code > 0xFF)
NAMED = frozenset(op.name for op in OPS.values() if op.form is Form.NAMED)
"""The closed set of instructions that every engine handles by name."""

NAN_MAKERS = frozenset(
    [
        *(f"{kind}.{name}" for kind in ("f32", "f64") for name in ("add", "sub", "mul", "div", "sqrt", "min", "max")),
        *(f"{kind}.{name}" for kind in ("f32", "f64") for name in ("ceil", "floor", "trunc", "nearest")),
        "f32.demote_f64",
        "f64.promote_f32",
    ]
)
"""Instructions whose NaN may have any payload in WebAssembly.  The Python column makes it canonical."""

RESERVED: dict[int, str] = {
    0x06: "legacy exceptions",
    0x07: "legacy exceptions",
    0x09: "legacy exceptions",
    0x0A: "exception references (throw_ref)",
    0x12: "tail calls (return_call)",
    0x13: "tail calls (return_call_indirect)",
    0x14: "typed function references (call_ref)",
    0x15: "typed function references (return_call_ref)",
    0x18: "legacy exceptions",
    0x19: "legacy exceptions",
    0xD3: "garbage collection (ref.eq)",
    0xD4: "typed function references (ref.as_non_null)",
    0xD5: "typed function references (br_on_null)",
    0xD6: "typed function references (br_on_non_null)",
    0xFB: "garbage collection",
    0xFD: "SIMD",
    0xFE: "threads",
}
"""Bytes that WebAssembly gives to proposals that svm does not have: never used for ours, refused by the feature's
name.
"""
