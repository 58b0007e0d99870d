"""What is charged and tested where; and that hostile bodies neither run long without a test nor take long to lower."""

from __future__ import annotations

import time

import pytest

from svm import Finished, Module, Paused
from svm.isa import I32, I64, OPS, FuncType
from svm.limits import MAX_CONSTANT_CHARGE
from svm.lower import Charges, LoopCharge, bulk_charge, charges_of, layout_of
from svm.lower.charges import SHORT_LEAF, UNTESTED_COST
from svm.module import Export, ExternKind, Function, from_text, validate
from svm.module import Module as Model
from svm.module.code import encode_instruction

COUNTED = """
    i32.const 0
    local.set {local}
    loop
      {inside}
      local.get {local}
      i32.const 1
      i32.add
      local.tee {local}
      i32.const {trips}
      i32.ne
      br_if 0
    end
    """


def counted(trips: int, inside: str = "", local: int = 0) -> str:
    """A counted loop: 2 units before it, and 7 a round and what is inside."""
    return COUNTED.format(trips=trips, inside=inside, local=local)


def charges(body: str, extra: str = "") -> Charges:
    """The charges of a function with four locals."""
    module = validate(from_text(f"""
        memory 1
        table 1 funcref
        tag $e
        data passive "x"
        func $f
          local i32 * 4
          {body}
        end
        {extra}
        """))
    return charges_of(module.function(0))


def test_straight_code_costs_its_instructions() -> None:
    assert charges("nop") == Charges(0, False, {})
    assert charges("i32.const 1\ndrop\nblock\nend\ni32.const 1\nif\nelse\nend") == Charges(3, False, {})


def test_both_arms_of_an_if_are_charged() -> None:
    body = "i32.const 1\nif\ni32.const 1\ndrop\nelse\ni32.const 1\ndrop\ni32.const 1\ndrop\nend"
    assert charges(body).entry == 2 + 1 + 2


def test_each_loop_is_a_region_of_its_own() -> None:
    body = """
        i32.const 1
        drop
        loop
          i32.const 1
          i32.const 2
          drop
          drop
          loop
            i32.const 1
            br_if 0
          end
          i32.const 1
          br_if 0
        end
        i32.const 1
        drop
        """
    assert charges(body) == Charges(2, False, {2: LoopCharge(4, True), 7: LoopCharge(2, True)})


def test_a_function_that_calls_is_tested() -> None:
    assert charges("call $f") == Charges(1, True, {})
    assert charges("i32.const 0\ncall_indirect (type 0) 0") == Charges(2, True, {})
    assert charges("return\ncall $f").entry_test


def test_a_leaf_that_is_long_is_tested() -> None:
    unit = "i32.const 1\ndrop\n"
    assert not charges(unit * SHORT_LEAF).entry_test
    assert charges(unit * (SHORT_LEAF + 1)).entry_test
    in_a_loop = f"loop\n{unit * SHORT_LEAF}i32.const 0\nbr_if 0\nend"
    assert charges(in_a_loop).entry_test
    assert not charges(counted(13)).entry_test  # 2 + 7 + 13 * 7
    assert charges(counted(14)).entry_test


def test_locals_that_are_zeroed_are_charged_by_eight() -> None:
    module = validate(from_text("""
        func (param i64 i64 i64 i64 i64 i64 i64 i64)
          local i64 * 15
        end
        func (param i64)
          local i64 * 1600
        end
        """))
    assert charges_of(module.function(0)) == Charges(1, False, {})
    assert charges_of(module.function(1)) == Charges(200, True, {})


def test_a_cheap_counted_loop_is_not_tested() -> None:
    most = UNTESTED_COST // 7
    for trips in (1, 100, most):
        assert set(charges(counted(trips)).loops.values()) == {LoopCharge(7, False)}
    for trips in (most + 1, 1_000_000):
        assert set(charges(counted(trips)).loops.values()) == {LoopCharge(7, True)}


def test_the_cost_of_nested_loops_multiplies() -> None:
    inner = counted(10, local=1)
    assert [loop.test for loop in charges(counted(100, inner)).loops.values()] == [False, False]
    assert [loop.test for loop in charges(counted(10_000, inner)).loops.values()] == [True, False]
    assert [loop.test for loop in charges(counted(10, counted(20_000, local=1))).loops.values()] == [True, True]


def test_a_loop_that_is_not_counted_makes_the_loops_around_it_tested() -> None:
    wild = "loop\nlocal.get 2\nbr_if 0\nend"
    assert [loop.test for loop in charges(counted(10, counted(10, wild, 1))).loops.values()] == [True, True, True]
    both = counted(10, counted(10, local=1) + wild)
    assert [loop.test for loop in charges(both).loops.values()] == [True, False, True]


@pytest.mark.parametrize(
    "inside",
    [
        "call $f",
        "i32.const 0\ncall_indirect (type 0) 0",
        "i32.const 0\ni32.const 0\ni32.const 0\nmemory.copy",
        "i32.const 0\ni32.const 0\ni32.const 0\nmemory.find\ndrop",
        "i32.const 0\ni32.const 0\ni32.const 0\nmemory.init 0",
        "i32.const 0\ni32.const 0\ni32.const 0\ntable.copy",
        "ref.null funcref\ni32.const 0\ntable.grow 0\ndrop",
        "i32.const 0\nmemory.grow\ndrop",
    ],
)
def test_a_loop_that_calls_or_works_by_length_is_tested(inside: str) -> None:
    assert [loop.test for loop in charges(counted(10, inside)).loops.values()] == [True]
    assert [loop.test for loop in charges(counted(10, counted(10, inside, 1))).loops.values()] == [True, True]


def test_untested_loops_are_bounded_together() -> None:
    """Each is cheap, but a hostile body could have a hundred thousand of them, one after the other."""
    tests = [loop.test for loop in charges(counted(10_000) * 10).loops.values()]
    assert tests == [False] + [True] * 9
    inside = f"loop\n{counted(10_000)}local.get 2\nbr_if 0\nend\n" * 5
    tests = [loop.test for loop in charges(inside).loops.values()]
    assert tests == [True, False] + [True, True] * 4


def test_constant_charges_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_CONSTANT_CHARGE == 1 << 20
    monkeypatch.setattr("svm.lower.charges.MAX_CONSTANT_CHARGE", 50)
    unit = "i32.const 1\ndrop\n"
    body = f"{unit * 60}loop\n{unit * 60}end\nloop\n{unit * 50}end"
    assert charges(body) == Charges(50, True, {120: LoopCharge(50, True), 242: LoopCharge(50, True)})


def test_bulk_charges() -> None:
    assert bulk_charge(OPS["memory.copy"], 63) == 0
    assert bulk_charge(OPS["memory.init"], 64) == 1
    assert bulk_charge(OPS["memory.grow"], 65536) == 1024
    assert bulk_charge(OPS["memory.grow"], 65536 * 65535) == MAX_CONSTANT_CHARGE
    assert bulk_charge(OPS["table.fill"], 7) == 0
    assert bulk_charge(OPS["table.grow"], 1 << 20) == 1 << 17


def test_every_instruction_costs_little() -> None:
    assert all(0 <= op.cost <= 10 for op in OPS.values())


# Hostile bodies


def longest_without_a_test(text: str) -> int:
    """The most fuel that a run uses between two tests, over its first tests."""
    task = Module(from_text(text)).spawn(engine="reference").start("f")
    longest = before = 0
    for _ in range(30):
        outcome = task.run(fuel=0)
        assert isinstance(outcome, Paused | Finished)
        longest = max(longest, outcome.fuel_used - before)
        before = outcome.fuel_used
        if isinstance(outcome, Finished):
            break
    return longest


def test_many_counted_loops_do_not_run_long_without_a_test() -> None:
    loops = counted(1000) * 1000  # 7 million units in all
    assert longest_without_a_test(f'func $f\nlocal i32\n{loops}\nend\nexport "f" func $f') < 2 * UNTESTED_COST


def test_many_loops_that_run_once_do_not_hide_counted_ones() -> None:
    loops = f"loop\n{counted(1000)}i32.const 0\nbr_if 0\nend\n" * 500
    assert longest_without_a_test(f'func $f\nlocal i32\n{loops}\nend\nexport "f" func $f') < 2 * UNTESTED_COST


def test_many_calls_of_a_long_leaf_do_not_run_long_without_a_test() -> None:
    text = f"""
        func $leaf
          local i32
          {counted(10_000)}
        end
        func $f
          {chr(10).join(["call $leaf"] * 300)}
        end
        export "f" func $f
        """
    assert longest_without_a_test(text) < 2 * UNTESTED_COST


def bodies() -> dict[str, bytes]:
    """Bodies of some 100,000 instructions that are awkward to validate or lower."""

    def code(*instructions: tuple[object, ...]) -> bytes:
        return b"".join(encode_instruction(str(name), args) for name, *args in instructions)

    end = code(("end",))
    unit = code(("local.get", 0), ("i32.const", 5), ("i32.add",), ("local.set", 0))
    start = code(("i32.const", 0), ("local.set", 1), ("loop", None))
    latch = code(("local.get", 0), ("i32.const", 1), ("i32.add",), ("local.tee", 0),
                 ("i32.const", 10), ("i32.ne",), ("br_if", 0), ("end",))  # fmt: skip
    thousand = code(("i32.const", 0)) * 1000
    drops = code(("drop",)) * 1000
    every = tuple(range(1000))
    return {
        "straight": unit * 25_000,
        "nested": start * 9_990 + latch * 9_990,
        "nests": (start * 280 + latch * 280) * 35,
        "loops": (start + latch) * 10_000,
        "branches": code(("loop", None)) + code(("local.get", 0), ("br_if", 0)) * 50_000 + end,
        "labels": code(("block", None)) * 1000
        + code(("block", None), ("local.get", 0), ("br_table", every, 0), ("end",)) * 50
        + end * 1000,
        "tries": code(("try_table", None, (("catch_all", 0),))) * 9_990 + end * 9_990,
        "catches": code(("try_table", None, (("catch_all", 0),) * 50_000)) + end,
        "wide calls": thousand + code(("call", 1)) * 50_000 + drops,
        "wide blocks": thousand + (code(("block", 1)) + end) * 25_000 + drops,
        "wide branches": thousand + code(("block", 1)) + code(("local.get", 0), ("br_if", 0)) * 25_000 + end + drops,
        "wide and dead": code(("unreachable",), ("call", 1)) * 25_000 + code(("unreachable",)),
    }


@pytest.mark.parametrize("name", bodies())
def test_hostile_bodies_are_validated_and_lowered_in_linear_time(name: str) -> None:
    """About half a second each on a slow machine; what is quadratic here takes minutes."""
    wide = FuncType((I32,) * 1000, (I32,) * 1000)
    end = encode_instruction("end")
    body = bodies()[name] + end
    model = Model(
        types=(FuncType(), wide),
        functions=(Function(0, ((2, I32),), body), Function(1, (), encode_instruction("unreachable") + end)),
    )
    begun = time.process_time()
    function = validate(model, bodies=False).function(0)
    charges_of(function)
    layout_of(function)
    assert time.process_time() - begun < 10


def test_functions_with_many_locals_are_validated_in_linear_time() -> None:
    model = Model(types=(FuncType(),), functions=(Function(0, ((49_999, I32), (1, I32))),) * 5_000)
    begun = time.process_time()
    validate(model)
    assert time.process_time() - begun < 10


def test_the_last_of_many_locals_can_be_used() -> None:
    code = b"".join((
        encode_instruction("i64.const", (5,)),
        encode_instruction("local.set", (49_999,)),
        encode_instruction("local.get", (49_999,)),
        encode_instruction("end"),
    ))
    model = Model(
        types=(FuncType((), (I64,)),),
        functions=(Function(0, ((49_999, I32), (0, I32), (1, I64)), code),),
        exports=(Export("f", ExternKind.FUNC, 0),),
    )
    assert Module(model).spawn().call("f") == 5
