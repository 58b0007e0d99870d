"""Validation: for each rule a module that breaks it, with what is said and where, and a twin that keeps it."""

from __future__ import annotations

import ast
import re
import time
import tracemalloc
from pathlib import Path

import pytest

import svm.module
from svm.errors import InvalidError, ModuleError
from svm.isa import I32, I64, OPS, FuncType, Immediate, Op, ValueType
from svm.module import Function, Module, from_text, validate
from tests.module.rules import RULES, func, lines


@pytest.mark.parametrize(("refused", "error", "accepted"), RULES.values(), ids=RULES)
def test_a_rule(refused: str, error: str, accepted: str) -> None:
    with pytest.raises(ModuleError) as caught:
        validate(from_text(refused))
    assert str(caught.value) == error
    validate(from_text(accepted))


def messages(path: Path) -> list[str]:
    """The messages of all rules in a source file, as patterns."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in ("fail", "_fail", "InvalidError", "MalformedError"):
            continue
        text = node.args[2 if name == "_fail" else 0]
        if isinstance(text, ast.JoinedStr):
            parts = [re.escape(part.value) if isinstance(part, ast.Constant) else ".*" for part in text.values]
            found.append("".join(parts))
        elif isinstance(text, ast.Constant):
            found.append(re.escape(text.value))
    return found


OF_WASM = [re.escape("data count section required")]  # tests/wasm has a test of it, for only a `.wasm` can break it


@pytest.mark.parametrize(("name", "some"), [("validate.py", 15), ("body.py", 7), ("rules.py", 15)])
def test_every_rule_has_a_test(name: str, some: int) -> None:
    rules = [rule for rule in messages(Path(svm.module.__file__).with_name(name)) if rule not in OF_WASM]
    assert len(rules) > some
    assert [rule for rule in rules if not any(re.search(f"{rule}$", error) for _, error, _ in RULES.values())] == []


# Rows whose types are fixed, with immediates that a module with one of everything has.
ONE_OF_EVERYTHING = """
memory 1
table 1 funcref
tag
data passive ""
elem passive funcref (ref.func 0)
"""
IMMEDIATES = {Immediate.MEMARG: "", Immediate.TYPES: "(i32)", Immediate.REFTYPE: "funcref"}
OVER_MEMORY = [op for op in OPS.values() if {Immediate.MEMARG, Immediate.MEMORY} & set(op.immediates)]
FIXED = [op for op in OPS.values() if op.params is not None and op.results is not None]


def written(op: Op) -> str:
    return " ".join([op.name, *(IMMEDIATES.get(kind, "0") for kind in op.immediates)])


@pytest.mark.parametrize("op", FIXED, ids=[op.name for op in FIXED])
def test_a_row_takes_and_gives_what_it_says(op: Op) -> None:
    assert op.params is not None
    assert op.results is not None

    def text(params: tuple[ValueType, ...], results: tuple[ValueType, ...]) -> str:
        heading = f"(param {' '.join(map(str, params))}) (result {' '.join(map(str, results))})"
        gets = [f"local.get {index}" for index in range(len(params))]
        return lines(ONE_OF_EVERYTHING, func(";".join([*gets, written(op)]), heading))

    checked = validate(from_text(text(op.params, op.results))).function(0)
    assert checked.code[-2].op is op
    for index, kind in enumerate(op.params):
        other = I64 if kind is I32 else I32
        wrong = (*op.params[:index], other, *op.params[index + 1 :])
        with pytest.raises(InvalidError, match=f"{op.name}, .*type mismatch: {kind} expected, {other} found"):
            validate(from_text(text(wrong, op.results)))
    for index, kind in enumerate(op.results):
        other = I64 if kind is I32 else I32
        wrong = (*op.results[:index], other, *op.results[index + 1 :])
        with pytest.raises(InvalidError, match=f"end, .*type mismatch: {other} expected, {kind} found"):
            validate(from_text(text(op.params, wrong)))


@pytest.mark.parametrize("op", OVER_MEMORY, ids=[op.name for op in OVER_MEMORY])
def test_what_uses_memory_needs_one(op: Op) -> None:
    text = lines('data passive ""', func(f"unreachable; {written(op)}; unreachable"))
    with pytest.raises(InvalidError, match=f"{op.name}, byte offset 0x1: unknown memory 0"):
        validate(from_text(text))
    validate(from_text(lines("memory 0", text)))


@pytest.mark.parametrize(
    "body",
    [
        "unreachable; i32.add; drop",
        "unreachable; select; drop",
        "unreachable; select; i64.eqz; drop",
        "unreachable; select; ref.is_null; drop",
        "unreachable; i64.const 1; i32.const 0; select; i64.eqz; drop",
        "block (result i32); unreachable; br_if 0; end; drop",
        "block (result i32); br 1; end; drop",
        "block (result i32) (result i64); unreachable; end; drop; drop",
        "block; return; i32.add; drop; end",
        "i32.const 0; if (result i32); unreachable; else; i32.const 1; end; drop",
        # Operands that are not there have all types at once.
        "block (result f64); block (result f32); unreachable; i32.const 1; br_table (0 1) 1; end; drop; f64.const 0; "
        "end; drop",
        "unreachable; br_if 0; i32.const 0; throw 0",
        "loop (result i32); br 0; end; drop",
        "try_table (result i32); throw 0; end; drop",
    ],
)
def test_what_is_never_reached_may_have_any_operands(body: str) -> None:
    validate(from_text(lines("tag", func(body))))


def test_a_checked_body_knows_its_blocks_and_heights() -> None:
    text = func("local.get 0; block $b (param i32) (result i32); i32.const 1; br $b; end", "(param i32) (result i32)")
    checked = validate(from_text(text)).function(0)
    assert checked.heights == (0, 1, 1, 2, -1, 1)
    assert checked.max_height == 2
    block = checked.blocks[1]
    assert (block.kind, block.start, block.end, block.height) == ("block", 1, 4, 0)
    assert block.type == FuncType((I32,), (I32,))
    assert checked.targets == {3: (1,)}


def test_bodies_may_be_checked_when_they_are_asked_for() -> None:
    module = from_text(lines(func("nop"), func("drop")))
    with pytest.raises(InvalidError, match="function 1, drop"):
        validate(module)
    valid = validate(module, bodies=False)
    assert len(valid.function(0).code) == 2
    for _ in range(2):
        with pytest.raises(InvalidError, match="function 1, drop"):
            valid.function(1)


def test_functions_of_imports_come_first_in_places_and_names() -> None:
    module = from_text(lines('import "a" "b" func $print', 'export "out" func 1', func("drop")))
    with pytest.raises(InvalidError) as caught:
        validate(module)
    assert caught.value.place.item == 1
    assert caught.value.place.name == "out"
    valid = validate(module, bodies=False)
    assert (valid.function_name(0), valid.function_name(1), valid.function_name(2)) == ("print", "out", "function[2]")


def test_lines_are_found_by_offset() -> None:
    text = lines("func", "nop", '@ "a.kr" 3', "nop", "@ 4", "nop", "nop", "end")
    valid = validate(from_text(text))
    assert [valid.line(0, offset) for offset in range(4)] == [None, ("a.kr", 3), ("a.kr", 4), ("a.kr", 4)]
    assert valid.line(1, 0) is None


def test_locals_by_the_million_take_little_memory() -> None:
    """Six bytes of a file declare 50,000 locals."""
    module = Module(types=(FuncType(),), functions=(Function(0, ((50_000, I32),)),) * 2_000)
    tracemalloc.start()
    try:
        valid = validate(module)
        assert len(valid.function(7).locals) == 50_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32 << 20


def test_calls_of_a_thousand_operands_take_little_time() -> None:
    """Two bytes of a body take and give a thousand operands."""
    kind = FuncType((I32,) * 1000, (I32,) * 1000)
    module = Module(
        types=(kind,),
        functions=(Function(0, (), b"\0" + b"\x10\0" * 20_000 + b"\x0b"),),
    )
    start = time.process_time()
    validate(module)
    assert time.process_time() - start < 10
