"""The module `spectest`, which scripts may import without registering it.

What is in it is laid down by the specification's interpreter
(https://github.com/WebAssembly/spec/tree/main/interpreter#spectest-host-module).
"""

from __future__ import annotations

from svm.module import Module
from svm.module.text import from_text

__all__ = ["PRINTERS", "model"]

_TEXT = """
module $spectest version 1
import "host" "print" func $print
import "host" "print_i32" func $print_i32 (param i32)
import "host" "print_i64" func $print_i64 (param i64)
import "host" "print_f32" func $print_f32 (param f32)
import "host" "print_f64" func $print_f64 (param f64)
import "host" "print_i32_f32" func $print_i32_f32 (param i32 f32)
import "host" "print_f64_f64" func $print_f64_f64 (param f64 f64)
table $table 10 20 funcref
memory $memory 1 2
global $global_i32 i32 (i32.const 666)
global $global_i64 i64 (i64.const 666)
global $global_f32 f32 (f32.const 666.6)
global $global_f64 f64 (f64.const 666.6)
export "print" func $print
export "print_i32" func $print_i32
export "print_i64" func $print_i64
export "print_f32" func $print_f32
export "print_f64" func $print_f64
export "print_i32_f32" func $print_i32_f32
export "print_f64_f64" func $print_f64_f64
export "table" table $table
export "memory" memory $memory
export "global_i32" global $global_i32
export "global_i64" global $global_i64
export "global_f32" global $global_f32
export "global_f64" global $global_f64
"""


def _print(*values: float) -> None:
    """Print nothing: a script says nothing of what is printed, and its verdicts would drown in it."""


PRINTERS = dict.fromkeys(
    ("print", "print_i32", "print_i64", "print_f32", "print_f64", "print_i32_f32", "print_f64_f64"), _print
)
"""What the module asks of its host, under the name `host`."""


def model() -> Module:
    """The module; a script has an instance of its own."""
    return from_text(_TEXT, "spectest")
