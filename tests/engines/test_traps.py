"""Traps: their kinds, their words, and where they say that they happened."""

from __future__ import annotations

import pytest

from svm import ExhaustionError, Limits, TrapError
from svm.isa import TrapKind
from svm.module import CodeBuilder, decode_body, from_text
from tests.conftest import Spawn

# What traps, by instruction: (instructions before it, the instruction, kind)
TRAPS = [
    ("nop", "unreachable", TrapKind.UNREACHABLE),
    ("i32.const 65533", "i32.load", TrapKind.OUT_OF_BOUNDS_MEMORY),
    ("i32.const 65533\ni32.const 0", "i32.store", TrapKind.OUT_OF_BOUNDS_MEMORY),
    ("i32.const 0\ni32.const 0\ni32.const 65537", "memory.fill", TrapKind.OUT_OF_BOUNDS_MEMORY),
    ("i32.const 0\ni32.const 0\ni32.const 65537", "memory.copy", TrapKind.OUT_OF_BOUNDS_MEMORY),
    ("i32.const 0\ni32.const 0\ni32.const 3", "memory.init 0", TrapKind.OUT_OF_BOUNDS_MEMORY),
    ("i32.const 0\ni32.const 1\ni32.const 65536", "memory.compare", TrapKind.OUT_OF_BOUNDS_MEMORY),
    ("i32.const 65537\ni32.const 0\ni32.const 0", "memory.find", TrapKind.OUT_OF_BOUNDS_MEMORY),
    ("i32.const 2", "table.get 0", TrapKind.OUT_OF_BOUNDS_TABLE),
    ("i32.const 2\nref.null funcref", "table.set 0", TrapKind.OUT_OF_BOUNDS_TABLE),
    ("i32.const 0\nref.null funcref\ni32.const 3", "table.fill 0", TrapKind.OUT_OF_BOUNDS_TABLE),
    ("i32.const 0\ni32.const 0\ni32.const 3", "table.copy 0 0", TrapKind.OUT_OF_BOUNDS_TABLE),
    ("i32.const 0\ni32.const 0\ni32.const 2", "table.init 1 0", TrapKind.OUT_OF_BOUNDS_TABLE),
    ("i32.const 2", "call_indirect (type 0) 0", TrapKind.UNDEFINED_ELEMENT),
    ("i32.const 1", "call_indirect (type 0) 0", TrapKind.UNINITIALIZED_ELEMENT),
    ("i32.const 0", "call_indirect (result i32) 0", TrapKind.INDIRECT_CALL_TYPE_MISMATCH),
    *[
        (f"{kind}.const 1\n{kind}.const 0", f"{kind}.{name}", TrapKind.DIVIDE_BY_ZERO)
        for kind in ("i32", "i64")
        for name in ("div_s", "div_u", "rem_s", "rem_u")
    ],
    ("i32.const 0x80000000\ni32.const -1", "i32.div_s", TrapKind.INTEGER_OVERFLOW),
    ("i64.const 0x8000000000000000\ni64.const -1", "i64.div_s", TrapKind.INTEGER_OVERFLOW),
    *[
        (f"{source}.const {value}", f"{kind}.trunc_{source}_{sign}", trap)
        for kind in ("i32", "i64")
        for source in ("f32", "f64")
        for sign in "su"
        for value, trap in (
            ("nan", TrapKind.INVALID_CONVERSION),
            ("1e30", TrapKind.INTEGER_OVERFLOW),
            ("-inf", TrapKind.INTEGER_OVERFLOW),
        )
    ],
]


@pytest.mark.parametrize(("before", "instruction", "kind"), TRAPS, ids=[f"{trap[1]}-{trap[2].name}" for trap in TRAPS])
def test_every_trap_tells_its_kind_and_place(spawn: Spawn, before: str, instruction: str, kind: TrapKind) -> None:
    module = from_text(f"""
        module $trapping
        type
        memory 1
        table 2 funcref
        elem active table 0 at (i32.const 0) funcref (ref.func $f)
        elem passive funcref (ref.func $f)
        data passive "ab"
        func $f
          @ "source.kr" 7
          {before}
          @ 8
          {instruction}
          @ 9
          unreachable
        end
        func $main
          @ "main.kr" 70
          nop
          @ 71
          call $f
          @ 72
          nop
        end
        export "main" func $main
        """)
    guest = spawn(module)
    with pytest.raises(TrapError) as trap:
        guest.call("main")
    assert trap.value.kind == kind.name.lower()
    assert str(trap.value) == kind.message
    main, inner = trap.value.traceback.frames
    name = instruction.split()[0]
    places = {item.op.name: item.offset for item in decode_body(module.functions[0].body)[:-2]}
    assert (inner.module, inner.function, inner.name, inner.file, inner.line) == ("trapping", 0, "f", "source.kr", 8)
    assert inner.offset == places[name]
    assert (main.function, main.name, main.file, main.line) == (1, "main", "main.kr", 71)
    assert str(trap.value.traceback).splitlines()[-1] == '  File "source.kr", line 8, in f'


def test_every_kind_of_trap_is_covered() -> None:
    assert {kind for _, _, kind in TRAPS} == set(TrapKind) - {TrapKind.CALL_STACK_EXHAUSTED}


def test_a_place_without_lines_or_names(spawn: Spawn) -> None:
    guest = spawn("""
        func
          nop
          nop
          unreachable
        end
        func
          call 0
        end
        export "main" func 1
        """)
    with pytest.raises(TrapError) as trap:
        guest.call("main")
    assert str(trap.value.traceback).splitlines() == [
        "  module ? at 0x0, in main",
        "  module ? at 0x2, in function[0]",
    ]


def test_a_guest_can_be_called_after_a_trap(spawn: Spawn) -> None:
    guest = spawn("""
        global $g mut i32 (i32.const 0)
        func $f (param i32) (result i32)
          global.get $g
          i32.const 1
          i32.add
          global.set $g
          i32.const 10
          local.get 0
          i32.div_u
        end
        export "f" func $f
        export "g" global $g
        """)
    assert guest.call("f", 2) == 5
    with pytest.raises(TrapError):
        guest.call("f", 0)
    assert guest.call("f", 5) == 2
    assert guest.get_global("g") == 3
    assert guest.task is None


RECURSE = """
    func $down (param i32) (result i32)
      @ "deep.kr" 3
      local.get 0
      i32.eqz
      if (result i32)
        @ 4
        i32.const 1
        local.get 0
        i32.div_u
      else
        @ 5
        local.get 0
        i32.const 1
        i32.sub
        call $down
      end
    end
    func $other (param i32) (result i32)
      @ "deep.kr" 9
      local.get 0
      call $down
    end
    export "other" func $other
    """


def test_traceback_of_a_deep_stack_leaves_out_its_middle(spawn: Spawn) -> None:
    guest = spawn(RECURSE)
    with pytest.raises(TrapError) as trap:
        guest.call("other", 5_000)
    traceback = trap.value.traceback
    assert len(traceback.frames) == 100
    assert traceback.omitted == 5_002 - 100
    assert traceback.frames[0].line == 9
    assert {frame.line for frame in traceback.frames[1:-1]} == {5}
    assert traceback.frames[-1].line == 4
    text = str(traceback).splitlines()
    assert text[0] == '  File "deep.kr", line 9, in other'
    assert "  [4902 more frames]" in text
    assert text[-1] == '  File "deep.kr", line 4, in down'
    assert len(text) < 15


@pytest.mark.parametrize("depth", [0, 1, 2, 97, 98, 99, 100, 101])
def test_traceback_is_whole_up_to_a_hundred_frames(spawn: Spawn, depth: int) -> None:
    guest = spawn(RECURSE)
    with pytest.raises(TrapError) as trap:
        guest.call("other", depth)
    traceback = trap.value.traceback
    assert len(traceback.frames) + traceback.omitted == depth + 2
    assert traceback.omitted == max(depth + 2 - 100, 0)
    assert traceback.frames[0].name == "other"
    assert traceback.frames[-1].line == 4


def test_call_stack_exhaustion_is_a_trap_that_tells_the_limit(spawn: Spawn) -> None:
    guest = spawn(RECURSE, limits=Limits(stack="64 KiB"))
    with pytest.raises(ExhaustionError) as error:
        guest.call("other", 1_000_000)
    assert error.value.kind == "call_stack_exhausted"
    assert error.value.limit == 65536
    assert str(error.value) == "call stack exhausted: the guest's stack limit is 65536 bytes"
    assert error.value.traceback.frames[-1].line == 5
    with pytest.raises(TrapError, match="divide by zero"):
        guest.call("other", 10)


def test_a_builder_gives_the_same_places_as_text(spawn: Spawn) -> None:
    code = CodeBuilder()
    code.line(0, 12)
    code("i32.const", 1)
    code.line(0, 13)
    at = code.offset
    code("unreachable")
    body, lines = code.finish()
    from svm.isa import FuncType
    from svm.module import Export, ExternKind, Function, FunctionLines, Lines, Module

    module = Module(
        types=(FuncType(),),
        functions=(Function(0, (), body),),
        exports=(Export("f", ExternKind.FUNC, 0),),
        lines=Lines(("x.kr",), (FunctionLines(0, lines),)),
    )
    with pytest.raises(TrapError) as trap:
        spawn(module).call("f")
    (frame,) = trap.value.traceback.frames
    assert (frame.name, frame.offset, frame.line) == ("f", at, 13)
