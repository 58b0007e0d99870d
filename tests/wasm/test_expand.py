"""Our own instructions in WebAssembly's: the same results, traps and exceptions, on our engines."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from operator import attrgetter
from random import Random

import pytest

from svm import GuestError, InvalidError, MalformedError, Module, limits
from svm.isa import BY_CODE, I32, Form, Op
from svm.module import FunctionLines, Lines, NameKind, decode_body, from_text, validate
from svm.module import Module as Model
from svm.wasm.expand import expand
from svm.wasm.expansions import library
from tests.conftest import Spawn
from tests.isa.operands import EDGES, random_operand
from tests.wasm.ends import Call, calls_of

OURS = [op for code, op in sorted(BY_CODE.items()) if code >> 8 == 0xE0]
ARITHMETIC = [op for op in OURS if op.form is not Form.BULK]
SEARCHES = [op for op in OURS if op.form is Form.BULK]
NAME = attrgetter("name")
THROWN = 77


def arithmetic(op: Op) -> Model:
    """A module that exports `run`, with an operand beneath the instruction's, and `caught`, which catches what it
    throws.
    """
    assert op.params and op.results
    kind, results = op.params[0], " ".join(map(str, op.results))
    zeros = "\n".join(f"{result}.const 0" for result in op.results)
    tag = " $overflow" if op.form is Form.CHECKED else ""
    return from_text(f"""
        tag $overflow
        export "run" func $run
        export "caught" func $caught
        func $run (param i32 {kind} {kind}) (result i32 {results})
          local f64
          local.get 0
          local.get 1
          local.get 2
          {op.name}{tag}
        end
        func $caught (param i32 {kind} {kind}) (result i32 {results})
          block $other
            try_table (result i32 {results}) (catch $overflow $other)
              local.get 0
              local.get 1
              local.get 2
              {op.name}{tag}
            end
            return
          end
          i32.const {THROWN}
          {zeros}
        end""")


def pairs(op: Op) -> list[tuple[int, int]]:
    """Edges with each other, and random operands: of products, those too that only just fit."""
    assert op.params
    kind, random = op.params[0], Random(op.code)
    width = 32 if kind is I32 else 64
    top = 1 << width - 1
    edges = [*EDGES[kind][::4], 0, 1, 2, top, top - 1, top + 1, 2 * top - 1, 2 * top - 2]
    found = list(product(edges, edges))
    for _ in range(150):
        a = random_operand(random, kind)
        fits = (top + random.randrange(-2, 3)) // (a or 1) + random.randrange(-1, 2)
        others = (random_operand(random, kind), fits, -fits, random.getrandbits(random.randrange(1, width + 1)))
        found += [(a, b % (2 * top)) for b in others]
    return found


def signed(value: int, op: Op) -> int:
    """A value of the instruction's type, as hosts get it."""
    assert op.params
    width = 32 if op.params[0] is I32 else 64
    return value - (1 << width) if value >> width - 1 else value


def check_arithmetic(op: Op, call: Call) -> None:
    ends = {0: 0, 1: 0}
    for a, b in pairs(op):
        assert op.python is not None
        value, flag = op.python(a, b)
        ends[flag] += 1
        args = (5, signed(a, op), signed(b, op))
        for name in ("run", "caught"):
            if op.form is not Form.CHECKED:
                expected = "returned", (5, signed(value, op), flag)
            elif not flag:
                expected = "returned", (5, signed(value, op))
            else:
                expected = ("thrown", None) if name == "run" else ("returned", (THROWN, 0))
            assert call(name, args) == expected, (op.name, name, a, b)
    assert min(ends.values()) > 50


@pytest.mark.parametrize("op", ARITHMETIC, ids=NAME)
def test_arithmetic(op: Op, spawn: Spawn) -> None:
    check_arithmetic(op, calls_of(spawn(expand(arithmetic(op)))))


def searching(op: Op) -> Model:
    return from_text(f"""
        memory 1 2
        export "memory" memory 0
        export "run" func $run
        export "grow" func $grow
        export "set" func $set
        func $grow
          i32.const 1
          memory.grow
          drop
        end
        func $set (param i32 i32)
          local.get 0
          local.get 1
          i32.store8
        end
        func $run (param i32 i32 i32) (result i32)
          local.get 0
          local.get 1
          local.get 2
          {op.name}
        end""")


def operands(op: Op, random: Random, size: int) -> tuple[int, int, int]:
    """Two places (or a place and a byte) and a length: small ones, at the end of memory, a little or far beyond."""
    edge = random.choice((0, 1000, 1000, 1000, size, (1 << 32) - 1))
    first = edge + random.randrange(-20, 20)
    length = random.choice((0, 1, 7, 8, 9, size, size - first, (1 << 32) - first, random.randrange(40)))
    length += random.choice((0, 0, 0, 1, -1))
    if op.name == "memory.find":
        return first, random.choice((0, 1, 2, 255, 256, -1, -255)), length
    return first, 2000 + random.randrange(-20, 20) if random.random() < 0.8 else size - 10, length


def check_search(op: Op, call: Call) -> None:
    """The column decides, over memory that is mostly equal, and mostly of one byte."""
    random = Random(op.code)
    memory = bytearray(limits.PAGE)
    ends: dict[object, int] = {}

    def does(name: str, *args: int) -> tuple[str, object]:
        return call(name, tuple((value & 0xFFFFFFFF) - ((value & 1 << 31) << 1) for value in args))

    for turn in range(1500):
        if turn == 1000:
            does("grow")
            memory += bytes(limits.PAGE)
        for base in (1000, 2000, 0, len(memory) - 20):
            if random.random() < 0.3:
                at, byte = base + random.randrange(20), random.choice((0, 0, 1, 2, 127, 128, 255))
                memory[at] = byte
                does("set", at, byte)
        a, b, length = (value & 0xFFFFFFFF for value in operands(op, random, len(memory)))
        starts = (a, b) if op.name == "memory.compare" else (a,)
        if max(starts) + length > len(memory):
            expected: tuple[str, object] = "trapped", "out_of_bounds_memory"
        else:
            assert op.python is not None
            value = op.python(memory, a, b, length)
            expected = "returned", value - ((value & 1 << 31) << 1)
        assert does("run", a, b, length) == expected, (op.name, a, b, length)
        kind = expected[1] if op.name == "memory.compare" else expected[1] == a + length or expected[0]
        ends[kind] = ends.get(kind, 0) + 1
    assert min(ends.values()) > 30 and len(ends) >= 3, ends


@pytest.mark.parametrize("op", SEARCHES, ids=NAME)
def test_search(op: Op, spawn: Spawn) -> None:
    check_search(op, calls_of(spawn(expand(searching(op)))))


@pytest.mark.parametrize("op", OURS, ids=NAME)
def test_nothing_of_ours_is_left(op: Op) -> None:
    module = expand(searching(op) if op in SEARCHES else arithmetic(op))
    validate(module)
    assert not [each for item in module.functions for each in decode_body(item.body) if each.op in OURS]


def test_the_expansions_are_valid_by_themselves() -> None:
    validate(library())
    assert not [each for item in library().functions for each in decode_body(item.body) if each.op in OURS]


def test_a_module_with_nothing_to_expand_stays_as_it_is() -> None:
    module = from_text("func $f (result i32)\n  i32.const 96\nend")  # whose bytes are E0 00
    assert b"\xe0" in module.functions[0].body
    assert expand(module) == module


LINES = """
export "f" func $f
tag $overflow
memory 1
func $f (param i64 i32) (result i64)
  local $sum i64
  @ "here.kr" 10
  local.get 0
  i64.const 1
  i64.add_throw $overflow
  @ 11
  local.get 0
  @ 12
  i64.mul_throw $overflow
  local.set $sum
  @ 13
  i32.const 0
  local.get 1
  local.get 1
  memory.compare
  @ 14
  i64.extend_i32_s
  local.get 0
  i64.const -1
  i64.sub_throw $overflow
  @ 15
  i64.const 100
  local.get $sum
  i64.div_s
  i64.add
  i64.add
end
"""


@pytest.mark.parametrize(("args", "line"), [((2**63 - 1, 0), 10), ((2**40, 0), 12), ((3, 70000), 13), ((0, 0), 15)])
def test_lines_move_with_their_instructions(spawn: Spawn, args: tuple[int, int], line: int) -> None:
    for module in (from_text(LINES), expand(from_text(LINES))):
        with pytest.raises(GuestError) as raised:
            spawn(module).call("f", *args)
        assert [frame.line for frame in raised.value.traceback.frames if frame.name == "f"] == [line]


def test_lines_beyond_the_body_stay_beyond() -> None:
    """Found by a damaged file: such a line table means nothing, but it is valid."""
    module = from_text(LINES)
    lines = Lines(("here.kr",), (FunctionLines(0, ((0, 0, 10), (1_000, 0, 11), (2_000, 0, 12))),))
    (first, _, _), (second, _, _), (third, _, _) = expand(replace(module, lines=lines)).lines.functions[0].entries
    assert first == 0 and third - second == 1_000 and second > 1_000


@pytest.mark.parametrize("op", OURS, ids=NAME)
def test_code_that_is_never_reached_stays_valid(op: Op) -> None:
    tag = " $overflow" if op.form is Form.CHECKED else ""
    for operand in ("", "i32.const 1" if op.params and op.params[-1] is I32 else "i64.const 1"):
        validate(
            expand(
                from_text(f"""
            memory 1
            tag $overflow
            func $f (result f32)
              unreachable
              {operand}
              {op.name}{tag}
              unreachable
            end""")
            )
        )


def test_indices_and_names_stay() -> None:
    module = from_text(LINES)
    expanded = expand(module)
    assert expanded.functions[0].type == module.functions[0].type
    assert expanded.types[: len(module.types)] == module.types
    assert expanded.exports == module.exports
    names = expanded.names.of(NameKind.FUNCTION)
    assert names[0] == "f"
    assert sorted(names[at] for at in range(1, len(expanded.functions))) == [
        "memory.compare", "svm.check_range", "svm.product_overflows",
    ]  # fmt: skip


def test_temporaries_are_shared() -> None:
    one, many = (
        from_text(
            "tag $t\nfunc $f (param i64) (result i64)\n  local i64 * 3\n  local.get 0\n"
            + "  local.get 0\n  i64.add_throw $t\n" * count + "end"
        )
        for count in (1, 9)
    )  # fmt: skip
    assert expand(one).functions[0].locals == expand(many).functions[0].locals != one.functions[0].locals


def test_a_function_without_room_for_temporaries_is_refused() -> None:
    text = "func $wide (result i64 i32)\n  local i64 * {}\n  i64.const 1\n  i64.const 2\n  i64.add_overflow\nend"
    expand(from_text(text.format(limits.MAX_LOCALS - 3)))
    for count in (limits.MAX_LOCALS - 2, limits.MAX_LOCALS):
        module = from_text(text.format(count))
        validate(module)
        with pytest.raises(InvalidError, match=r"\(wide\), i64.add_overflow, .* 0x4: no room for a temporary"):
            Module(module).to_wasm()


def test_a_body_that_grows_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BODY_BYTES", 40)
    with pytest.raises(InvalidError, match=r"function 0 \(run\): in WebAssembly's .*, the body has \d+ bytes"):
        expand(arithmetic(ARITHMETIC[-1]))


def test_too_many_functions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_FUNCTIONS", 4)
    with pytest.raises(InvalidError, match="function section: with 2 for our instructions"):
        expand(searching(SEARCHES[0]))


def test_a_body_that_is_no_code_is_told_by_its_place() -> None:
    module = from_text(LINES)
    broken = replace(module, functions=(replace(module.functions[0], body=b"\xe0\xff\x0b"),))
    with pytest.raises(MalformedError, match=r"function 0 \(f\)"):
        expand(broken)


def test_an_instruction_without_an_expansion_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("svm.wasm.expand.expansion", lambda name: None)
    with pytest.raises(InvalidError, match=r"\(f\), i64.add_throw, .* 0x4: WebAssembly has no such instruction"):
        expand(from_text(LINES))
