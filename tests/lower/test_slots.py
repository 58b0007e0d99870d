"""Slot code: what operands become, and that hostile bodies do not make lowering slow."""

from __future__ import annotations

import time

import pytest

from svm.engines.native.encode import Encoder
from svm.engines.native.keys import all_keys
from svm.engines.native.stream import KeySet
from svm.isa import I32, FuncType
from svm.limits import MAX_FRAME_SLOTS
from svm.lower import SlotOp, charges_of, layout_of, slot_code
from svm.module import Function, ValidModule, from_text, validate
from svm.module import Module as Model
from svm.module.code import encode_instruction
from tests.lower.test_charges import bodies

HEADER = 4


def ops_of(text: str) -> list[SlotOp]:
    """Slot code of the module's first function."""
    return lower(validate(from_text(text)))


def lower(module: ValidModule) -> list[SlotOp]:
    function = module.function(0)
    return slot_code(module.context, function, layout_of(function), charges_of(function)).ops


def shown(ops: list[SlotOp]) -> list[str]:
    """Operations as text: name, sources, target; notes of control left out."""
    found = []
    for op in ops:
        if op.name != "label":
            sources = " ".join(f"{kind}{value}" for kind, value in op.sources)
            found.append(f"{op.name} {sources} -> {op.target}".replace("  ", " "))
    return found


def test_locals_and_constants_are_used_where_they_are() -> None:
    ops = ops_of("""
        func (param i32 i32) (result i32)
          local.get 0
          i32.const 5
          i32.add
          local.get 1
          i32.mul
        end
        """)
    assert shown(ops) == ["i32.add s0 c5 -> 6", "i32.mul s6 s1 -> 6", "return s6 -> None"]
    assert ops[0].once and ops[1].once


@pytest.mark.parametrize(
    ("first", "name", "expected"),
    [
        ("local.get 0", "f64.mul", "f64.mul s7 s0 -> 6"),  # what was just made stands first …
        ("f64.const 2", "f64.add", "f64.add s7 c4611686018427387904 -> 6"),  # … and a constant last
        ("local.get 0", "f64.lt", "f64.gt s7 s0 -> 6"),  # a comparison is mirrored
        ("local.get 0", "f64.div", "f64.div s0 s7 -> 6"),  # where the order matters it stays
        ("local.get 0", "f64.copysign", "f64.copysign s0 s7 -> 6"),
        ("local.get 0", "f64.min", "f64.min s0 s7 -> 6"),
    ],
)
def test_operands_stand_so_that_few_handlers_serve_them(first: str, name: str, expected: str) -> None:
    result = "i32" if name == "f64.lt" else "f64"
    ops = ops_of(f"""
        func (param f64 f64) (result {result})
          {first}
          local.get 1
          f64.sqrt
          {name}
        end
        """)
    assert shown(ops) == ["f64.sqrt s1 -> 7", expected, "return s6 -> None"]


def test_a_local_that_is_set_while_its_old_value_waits() -> None:
    ops = ops_of("""
        func (param i32) (result i32)
          local.get 0
          local.get 0
          i32.const 1
          i32.add
          local.set 0
          local.get 0
          i32.sub
        end
        """)
    assert shown(ops) == ["copy s0 -> 5", "i32.add s0 c1 -> 0", "i32.sub s5 s0 -> 5", "return s5 -> None"]


def test_operands_lie_in_their_own_slots_at_a_call() -> None:
    ops = ops_of("""
        func (param i32) (result i32)
          local.get 0
          i32.const 7
          local.get 0
          i32.const 1
          i32.add
          call 0
          i32.add
          i32.add
        end
        """)
    assert shown(ops)[:4] == ["i32.add s0 c1 -> 7", "copy s0 -> 5", "copy c7 -> 6", "call -> None"]
    assert not ops[0].once


def test_a_constant_goes_to_the_right_where_the_operation_allows_it() -> None:
    ops = ops_of("""
        func (param i32) (result i32)
          i32.const 5
          local.get 0
          i32.lt_s
          i32.const 9
          local.get 0
          i32.sub
          i32.add
        end
        """)
    assert shown(ops)[:2] == ["i32.gt_s s0 c5 -> 5", "i32.sub c9 s0 -> 6"]


def test_negations_of_a_condition_are_taken_into_the_branch() -> None:
    ops = ops_of("""
        func (param i32)
          block
            local.get 0
            i32.const 3
            i32.lt_u
            i32.eqz
            i32.eqz
            i32.eqz
            br_if 0
            unreachable
          end
        end
        """)
    assert shown(ops)[:2] == ["i32.ge_u s0 c3 -> 5", "br_if s5 -> None"]


def code(*instructions: tuple[object, ...]) -> bytes:
    return b"".join(encode_instruction(str(name), args) for name, *args in instructions)


def waiting() -> dict[str, bytes]:
    """Bodies in which 30,000 operands wait below something that happens often."""
    get, drops, block, end = code(("local.get", 0)), code(("drop",)) * 30_000, code(("block", None)), code(("end",))
    renewed = code(("drop",), ("drop",)) + get * 2
    changes = {
        "set": get + code(("i32.const", 1), ("local.set", 0), ("drop",)),
        "tee": code(("local.get", 0), ("local.tee", 0), ("drop",)),
        "block": block + end,
        "if": code(("local.get", 0), ("if", None), ("else",), ("end",)),
        "loop": renewed + code(("loop", None), ("end",)),
        "block renewed": renewed + block + end,
        "call": code(("call", 2)),
        "return": code(("local.get", 0), ("if", None), ("return",), ("end",)),
    }
    found = {name: get * 30_000 + change * 5_000 + drops for name, change in changes.items()}
    noted = block + end + get * 65 + code(("i32.const", 3), ("local.set", 0)) + code(("drop",)) * 65
    found["noted"] = get * 30_000 + noted * 500 + drops
    high = get * 1_001 + code(("local.get", 0), ("br_if", 0)) * 5_000 + code(("drop",))
    found["wide moves"] = get * 1_000 + code(("block", 1)) + code(("drop",)) * 1_000 + high + end
    found["wide moves"] += code(("drop",)) * 1_000
    found["nested"] = block * 9_990 + code(("local.get", 0), ("br_if", 9_000)) * 20_000 + end * 9_990
    return found


HOSTILE = bodies() | waiting()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_are_lowered_and_encoded_in_linear_time(name: str) -> None:
    """A second each on a slow machine; what is quadratic here takes minutes."""
    body = HOSTILE[name] + encode_instruction("end")
    wide = FuncType((I32,) * 1000, (I32,) * 1000)
    empty = Function(0, (), encode_instruction("end"))
    trap = Function(1, (), encode_instruction("unreachable") + encode_instruction("end"))
    model = Model(types=(FuncType(), wide), functions=(Function(0, ((2, I32),), body), trap, empty))
    module = validate(model, bodies=False)
    function = module.function(0)
    layout, charges = layout_of(function), charges_of(function)
    begun = time.process_time()
    slots = slot_code(module.context, function, layout, charges)
    stream = Encoder(KeySet(all_keys()), function).encode(slots, layout, charges).stream
    assert time.process_time() - begun < 8
    assert len(stream) < 40 * len(body) + 100_000


def test_a_function_with_as_many_slots_as_there_may_be() -> None:
    """The last slot, and the scratch slots above it, can be named."""
    from svm import Module

    operands = MAX_FRAME_SLOTS - HEADER - 49_990 - 1
    get = code(("local.get", 1))
    body = code(("local.get", 0), ("local.set", 49_990)) + get * operands + code(("drop",)) * (operands - 1)
    body += code(("drop",), ("i32.const", 20), ("i32.const", 3), ("i32.div_u",), ("local.get", 49_990), ("i32.add",))
    model = Model(
        types=(FuncType((I32,), (I32,)),),
        functions=(Function(0, ((49_990, I32),), body + code(("end",))),),
        exports=from_text('func $f\nend\nexport "f" func $f').exports,
    )
    assert layout_of(validate(model).function(0)).slots == MAX_FRAME_SLOTS
    assert Module(model).spawn().call("f", 5) == 11
