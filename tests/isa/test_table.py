"""Properties that every row of the instruction table has, so that whoever iterates over it may rely on them."""

from __future__ import annotations

import inspect
import re

import pytest

from svm.isa import BY_CODE, CHAPTERS, NAMED, OPS, PREFIXES, RESERVED, Form, Immediate, Op, TrapKind, document
from svm.isa.types import NUMBER_TYPES, REFERENCE_TYPES, ValueType

ROWS = list(OPS.values())
every_row = pytest.mark.parametrize("op", ROWS, ids=[op.name for op in ROWS])
# Rows without results to define and without an effect on memory: both columns do nothing.
WITHOUT_EFFECT = {"nop", "drop"}


def test_codes_and_names_are_unique() -> None:
    rows = [op for chapter in CHAPTERS.values() for op in chapter]
    assert len(rows) == len(OPS) == len(BY_CODE)
    assert [op for op in rows if OPS[op.name] is not op or BY_CODE[op.code] is not op] == []


def test_no_code_is_a_prefix_or_reserved() -> None:
    single = {op.code for op in ROWS if op.code < 0x100}
    assert not single & PREFIXES
    assert not (single | PREFIXES) & RESERVED.keys()
    assert all(0 <= op.code < 0x10000 for op in ROWS)
    # A number behind a prefix is one byte of LEB128.
    assert all(op.code & 0xFF < 0x80 for op in ROWS if op.code > 0xFF)


def test_our_own_codes_stand_behind_our_prefix() -> None:
    """WebAssembly's core 2.0 has no 0xE0; what it has ends at 0xD2 and 0xFC11."""
    for op in ROWS:
        assert op.code <= 0xD2 or op.code >> 8 == 0xE0 or 0xFC00 <= op.code <= 0xFC11


def test_the_named_rows_are_a_closed_set() -> None:
    """Each engine handles these by name: a row may join them only together with all the engines."""
    assert sorted(NAMED) == [
        "block", "br", "br_if", "br_table", "call", "call_indirect", "data.drop", "elem.drop", "else", "end",
        "global.get", "global.set", "if", "local.get", "local.set", "local.tee", "loop", "memory.grow", "memory.init",
        "memory.size", "ref.func", "return", "table.copy", "table.fill", "table.get", "table.grow", "table.init",
        "table.set", "table.size", "throw", "try_table", "unreachable",
    ]  # fmt: skip


@every_row
def test_a_name_is_a_word_of_the_text_format(op: Op) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)?", op.name)


@every_row
def test_a_row_is_documented(op: Op) -> None:
    assert op.doc.endswith(".")
    assert op.doc[0].isupper() or op.doc[0].isdigit()
    assert "\n" not in op.doc


@every_row
def test_columns_are_there(op: Op) -> None:
    assert (op.python is None) is (op.form is Form.NAMED)
    assert bool(op.llvm) is (op.form is not Form.NAMED and op.name not in WITHOUT_EFFECT)
    assert op.cost >= 0


@every_row
def test_the_llvm_column_defines_the_results(op: Op) -> None:
    """`%r` then `%c`, as many as there are results; CHECKED has its flag besides."""
    if op.form is Form.NAMED:
        return
    count = 0 if op.results is None else len(op.results)
    if op.results is None:
        count = op.name != "drop"
    assert len(op.yields) == count + (op.form is Form.CHECKED)
    if op.form is Form.CHECKED:
        assert op.yields[-1] == "c"
    # An i1 stands for a number only where that is an i32.
    if op.results and op.yields[-1] == "c" and op.form is not Form.CHECKED:
        assert op.results[-1] is ValueType.I32


@every_row
def test_traps_are_known(op: Op) -> None:
    for kind in re.findall(r"trap_if \S+ (\w+)", op.llvm):
        assert kind in TrapKind.__members__


@every_row
def test_forms_have_what_they_need(op: Op) -> None:
    memory = op.form in (Form.LOAD, Form.STORE)
    assert (op.size in (1, 2, 4, 8)) is memory
    assert (op.immediates == (Immediate.MEMARG,)) is memory
    if op.form is Form.LOAD:
        assert op.params == (ValueType.I32,)
        assert op.results is not None and len(op.results) == 1
    if op.form is Form.STORE:
        assert op.params is not None and len(op.params) == 2
        assert op.results == ()
    if op.form is Form.BULK:
        assert set(op.immediates) == {Immediate.MEMORY}
        assert op.params == (ValueType.I32,) * 3
    if op.form is Form.CHECKED:
        assert op.immediates == (Immediate.TAG,)
        assert op.results is not None and len(op.results) == 1


@every_row
def test_the_python_column_takes_operands_and_immediates(op: Op) -> None:
    if op.python is None or op.params is None or op.form not in (Form.PURE, Form.CHECKED):
        return
    values = len(op.immediates) if op.form is Form.PURE else 0
    assert len(inspect.signature(op.python).parameters) == len(op.params) + values


def test_trap_numbers_are_unique_and_positive() -> None:
    codes = [kind.code for kind in TrapKind]
    assert len(set(codes)) == len(codes)
    assert min(codes) == 1
    assert all(kind.message for kind in TrapKind)


def test_types_have_webassembly_codes() -> None:
    assert [(str(kind), int(kind)) for kind in ValueType] == [
        ("i32", 0x7F), ("i64", 0x7E), ("f32", 0x7D), ("f64", 0x7C), ("funcref", 0x70), ("externref", 0x6F),
    ]  # fmt: skip
    assert set(ValueType) == NUMBER_TYPES | REFERENCE_TYPES


def test_the_reference_names_every_row() -> None:
    text = document.render()
    for op in ROWS:
        assert f"| `{op.name}`" in text
    for chapter in CHAPTERS:
        assert f"\n## {chapter}\n" in text


def test_the_reference_tables_are_tables() -> None:
    """A row with another number of cells than its head would be shown in part."""
    cells = None
    for line in document.render().splitlines():
        if not line.startswith("|"):
            cells = None
            continue
        found = len(re.split(r"(?<!\\)\|", line)) - 2
        assert cells in (None, found), line
        cells = found
