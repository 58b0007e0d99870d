"""Rows of control, calls, exceptions and constants, and of locals, globals, references and tables."""

from __future__ import annotations

from svm.isa.constants import (
    END,
    F32_CONST,
    F64_CONST,
    GLOBAL_GET,
    I32_CONST,
    I64_CONST,
    REF_FUNC,
    REF_NULL,
)
from svm.isa.numeric import M32, M64
from svm.isa.op import Form, row

__all__ = ["CONSTANT", "CONTROL", "REFERENCE", "VARIABLE"]

CONTROL = (
    row(0x00, "unreachable", "…", None, "", "Trap.", form=Form.NAMED),
    row(0x01, "nop", "->", lambda: None, "", "Do nothing.", cost=0),
    row(
        0x02, "block", "…",
        None,
        "",
        "Begin a block; its label is its end.",
        form=Form.NAMED, immediates="blocktype", cost=0,
    ),
    row(
        0x03, "loop", "…",
        None,
        "",
        "Begin a loop; its label is its start.",
        form=Form.NAMED, immediates="blocktype", cost=0,
    ),
    row(
        0x04, "if", "…",
        None,
        "",
        "Begin a block that runs if the operand is not 0.",
        form=Form.NAMED, immediates="blocktype",
    ),
    row(0x05, "else", "…", None, "", "Begin the block that runs if it was 0.", form=Form.NAMED, cost=0),
    row(
        0x08, "throw", "…",
        None,
        "",
        "Throw an exception with the tag's parameters.",
        form=Form.NAMED, immediates="tag",
    ),
    row(END, "end", "…", None, "", "End a block, or the function.", form=Form.NAMED, cost=0),
    row(0x0C, "br", "…", None, "", "Branch to a label.", form=Form.NAMED, immediates="label"),
    row(
        0x0D, "br_if", "…",
        None,
        "",
        "Branch to a label if the operand is not 0.",
        form=Form.NAMED, immediates="label",
    ),
    row(
        0x0E, "br_table", "…",
        None,
        "",
        "Branch to the label that the operand chooses, else to the last.",
        form=Form.NAMED, immediates="labels label",
    ),
    row(0x0F, "return", "…", None, "", "Return from the function.", form=Form.NAMED),
    row(0x10, "call", "…", None, "", "Call a function.", form=Form.NAMED, immediates="func"),
    row(
        0x11, "call_indirect", "…",
        None,
        "",
        "Call the table's element that the operand chooses, of a type checked now.",
        form=Form.NAMED, immediates="type table",
    ),
    row(0x1A, "drop", "…", lambda a: None, "", "Drop an operand.", cost=0),
    row(
        0x1B, "select", "…",
        lambda a, b, d: a if d else b,
        """
        %n = icmp ne i32 %d, 0
        %r = select i1 %n, T %a, T %b
        """,
        "The first operand if the third is not 0, else the second; of a number type.",
    ),
    row(
        0x1C, "select_typed", "…",
        lambda a, b, d, types: a if d else b,
        """
        %n = icmp ne i32 %d, 0
        %r = select i1 %n, T %a, T %b
        """,
        "As `select`, of the type given.",
        immediates="types",
    ),
    row(
        0x1F, "try_table", "…",
        None,
        "",
        "Begin a block whose exceptions branch to the labels of their catches.",
        form=Form.NAMED, immediates="blocktype catches", cost=0,
    ),
)

CONSTANT = (
    row(I32_CONST, "i32.const", "-> i32", lambda i: i & M32, "%r = add i32 %i, 0", "A constant.", immediates="i32"),
    row(I64_CONST, "i64.const", "-> i64", lambda i: i & M64, "%r = add i64 %i, 0", "A constant.", immediates="i64"),
    row(
        F32_CONST, "f32.const", "-> f32",
        lambda i: i,
        "%r = bitcast i32 %i to float",
        "A constant, by its bits.",
        immediates="f32",
    ),
    row(
        F64_CONST, "f64.const", "-> f64",
        lambda i: i,
        "%r = bitcast i64 %i to double",
        "A constant, by its bits.",
        immediates="f64",
    ),
)

VARIABLE = (
    row(0x20, "local.get", "…", None, "", "Value of a local.", form=Form.NAMED, immediates="local"),
    row(0x21, "local.set", "…", None, "", "Set a local.", form=Form.NAMED, immediates="local"),
    row(0x22, "local.tee", "…", None, "", "Set a local and keep the operand.", form=Form.NAMED, immediates="local"),
    row(GLOBAL_GET, "global.get", "…", None, "", "Value of a global.", form=Form.NAMED, immediates="global"),
    row(0x24, "global.set", "…", None, "", "Set a mutable global.", form=Form.NAMED, immediates="global"),
)

REFERENCE = (
    row(0x25, "table.get", "…", None, "", "Element of a table.", form=Form.NAMED, immediates="table"),
    row(0x26, "table.set", "…", None, "", "Set an element of a table.", form=Form.NAMED, immediates="table"),
    row(
        REF_NULL, "ref.null", "…",
        lambda i: 0,
        "%r = add i64 0, 0",
        "The null reference of a type.",
        immediates="reftype",
    ),
    row(0xD1, "ref.is_null", "…", lambda a: int(a == 0), "%c = icmp eq i64 %a, 0", "1 if null."),
    row(REF_FUNC, "ref.func", "-> funcref", None, "", "Reference to a function.", form=Form.NAMED, immediates="func"),
    row(
        0xFC0C, "table.init", "i32 i32 i32 ->",
        None,
        "",
        "Copy from an element segment: destination, source, length.",
        form=Form.NAMED, immediates="elem table",
    ),
    row(0xFC0D, "elem.drop", "->", None, "", "Give up an element segment.", form=Form.NAMED, immediates="elem"),
    row(
        0xFC0E, "table.copy", "i32 i32 i32 ->",
        None,
        "",
        "Copy elements, also where the ranges overlap: destination, source, length.",
        form=Form.NAMED, immediates="table table",
    ),
    row(
        0xFC0F, "table.grow", "…",
        None,
        "",
        "Grow by elements of a value: value, count; the size before, or -1 where the limit refuses.",
        form=Form.NAMED, immediates="table",
    ),
    row(0xFC10, "table.size", "-> i32", None, "", "Number of elements.", form=Form.NAMED, immediates="table"),
    row(
        0xFC11, "table.fill", "…",
        None,
        "",
        "Fill elements with a value: start, value, length.",
        form=Form.NAMED, immediates="table",
    ),
)
