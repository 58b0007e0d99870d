"""Blocks, branches, loops, calls, locals and globals."""

from __future__ import annotations

import pytest

from svm import InvalidError, TrapError
from tests.conftest import Spawn

M64 = (1 << 64) - 1


def test_block_gives_several_values(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (result i32 i64 f64)
          block (result i32 i64 f64)
            i32.const 1
            i64.const -2
            f64.const 0.5
          end
        end
        export "f" func $f
        """)
    assert guest.call("f") == (1, -2, 0.5)


def test_block_takes_parameters_from_beneath(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (param i32 i32) (result i32)
          i32.const 1000
          local.get 0
          local.get 1
          block (param i32 i32) (result i32)
            i32.sub
          end
          i32.add
        end
        export "f" func $f
        """)
    assert guest.call("f", 9, 4) == 1005


def test_branch_out_of_a_block_drops_what_lies_beneath_its_values(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (param i32) (result i32)
          i32.const 100
          block $out (result i32)
            i32.const 7
            i32.const 8
            i32.const 9
            local.get 0
            br_if $out
            drop
            drop
          end
          i32.add
        end
        export "f" func $f
        """)
    assert guest.call("f", 1) == 109
    assert guest.call("f", 0) == 107


def test_loop_with_parameters_and_results(spawn: Spawn) -> None:
    """5 + 4 + 3 + 2 + 1 with the whole state on the operand stack."""
    guest = spawn("""
        func $f (param $n i32) (result i32)
          i32.const 0
          local.get $n
          loop $next (param i32 i32) (result i32)
            local.set $n
            local.get $n
            i32.add
            local.get $n
            i32.const 1
            i32.sub
            local.tee $n
            local.get $n
            br_if $next
            drop
          end
        end
        export "f" func $f
        """)
    assert guest.call("f", 5) == 15
    assert guest.call("f", 1000) == 500_500


def test_loop_without_branch_runs_once(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (result i32)
          i32.const 1
          loop (param i32) (result i32)
            i32.const 1
            i32.add
          end
        end
        export "f" func $f
        """)
    assert guest.call("f") == 2


@pytest.mark.parametrize(("index", "result"), [(0, 10), (1, 20), (2, 30), (3, 99), (-1, 99), (1 << 31, 99)])
def test_br_table_chooses_and_falls_to_the_default(spawn: Spawn, index: int, result: int) -> None:
    guest = spawn("""
        func $f (param i32) (result i32)
          block $default
            block $c
              block $b
                block $a
                  local.get 0
                  br_table ($a $b $c) $default
                end
                i32.const 10
                return
              end
              i32.const 20
              return
            end
            i32.const 30
            return
          end
          i32.const 99
        end
        export "f" func $f
        """)
    assert guest.call("f", index) == result


def test_br_table_carries_values_to_labels_of_different_heights(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (param i32) (result i32)
          block $outer (result i32)
            i32.const 1
            i32.const 2
            block $inner (result i32)
              i32.const 3
              i32.const 50
              local.get 0
              br_table ($inner) $outer
            end
            i32.add
            i32.add
          end
        end
        export "f" func $f
        """)
    assert guest.call("f", 0) == 53
    assert guest.call("f", 1) == 50


def test_br_table_back_to_a_loop(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (param $n i32) (result i32)
          local $sum i32
          block $done
            loop $next
              local.get $sum
              local.get $n
              i32.add
              local.set $sum
              local.get $n
              i32.const 1
              i32.sub
              local.tee $n
              i32.eqz
              br_table ($next) $done
            end
          end
          local.get $sum
        end
        export "f" func $f
        """)
    assert guest.call("f", 4) == 10


@pytest.mark.parametrize(("value", "result"), [(0, 2), (1, 1), (-5, 1), (1 << 31, 1)])
def test_if_with_else(spawn: Spawn, value: int, result: int) -> None:
    guest = spawn("""
        func $f (param i32) (result i32)
          local.get 0
          if (result i32)
            i32.const 1
          else
            i32.const 2
          end
        end
        export "f" func $f
        """)
    assert guest.call("f", value) == result


def test_if_without_else_and_with_parameters(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (param i32) (result i32)
          i32.const 40
          local.get 0
          if (param i32) (result i32)
            i32.const 2
            i32.add
          end
        end
        export "f" func $f
        """)
    assert guest.call("f", 1) == 42
    assert guest.call("f", 0) == 40


def test_branch_from_an_if_to_its_own_end(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (param i32) (result i32)
          local.get 0
          if $both (result i32)
            i32.const 1
            i32.const 2
            br $both
          else
            i32.const 3
            i32.const 4
            br $both
          end
        end
        export "f" func $f
        """)
    assert guest.call("f", 1) == 2
    assert guest.call("f", 0) == 4


def test_branch_to_the_function_returns(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (param i32) (result i32 i32)
          i32.const 5
          i32.const 1
          i32.const 2
          block
            local.get 0
            br_if 0
            i32.const 3
            i32.const 4
            br 1
          end
          return
        end
        export "f" func $f
        """)
    assert guest.call("f", 0) == (3, 4)
    assert guest.call("f", 1) == (1, 2)


def test_unreachable_code_of_every_kind_is_skipped(spawn: Spawn) -> None:
    guest = spawn("""
        memory 1
        func $f (result i32)
          i32.const 11
          return
          i32.add
          i64.const 1
          drop
          block (result f64)
            loop
              f64.const 2
              br 1
            end
            f64.const 1
          end
          drop
          if
            call $f
            drop
          else
            unreachable
          end
          select
          br_table (0) 0
        end
        export "f" func $f
        """)
    assert guest.call("f") == 11


def test_unreachable_end_of_a_block_is_not_left_by(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (param i32) (result i32)
          block
            local.get 0
            br_if 0
            unreachable
          end
          i32.const 3
        end
        export "f" func $f
        """)
    assert guest.call("f", 1) == 3
    with pytest.raises(TrapError, match="unreachable"):
        guest.call("f", 0)


def test_deep_nesting(spawn: Spawn) -> None:
    depth = 2_000
    opened = "\n".join(["block (result i32)"] * depth)
    closed = "\n".join(["i32.const 1\ni32.add\nend"] * depth)
    guest = spawn(f"""
        func $f (param i32) (result i32)
          {opened}
          i32.const 0
          local.get 0
          br_if {depth - 1}
          {closed}
        end
        export "f" func $f
        """)
    assert guest.call("f", 0) == depth
    assert guest.call("f", 1) == 0


def test_calls_pass_arguments_in_order_and_give_several_results(spawn: Spawn) -> None:
    guest = spawn("""
        func $swap (param i32 i64 f32) (result f32 i64 i32)
          local.get 2
          local.get 1
          local.get 0
        end
        func $f (result f32 i64 i32)
          i32.const 1
          i64.const 2
          f32.const 3
          call $swap
        end
        export "f" func $f
        """)
    assert guest.call("f") == (3.0, 2, 1)


def test_recursion_and_mutual_recursion(spawn: Spawn) -> None:
    guest = spawn("""
        func $factorial (param i64) (result i64)
          local.get 0
          i64.eqz
          if (result i64)
            i64.const 1
          else
            local.get 0
            local.get 0
            i64.const 1
            i64.sub
            call $factorial
            i64.mul
          end
        end
        func $even (param i32) (result i32)
          local.get 0
          i32.eqz
          if
            i32.const 1
            return
          end
          local.get 0
          i32.const 1
          i32.sub
          call $odd
        end
        func $odd (param i32) (result i32)
          local.get 0
          i32.eqz
          if
            i32.const 0
            return
          end
          local.get 0
          i32.const 1
          i32.sub
          call $even
        end
        export "factorial" func $factorial
        export "even" func $even
        """)
    assert guest.call("factorial", 20) == 2432902008176640000
    assert [guest.call("even", n) for n in range(4)] == [1, 0, 1, 0]


def test_results_of_a_call_land_on_top_of_the_callers_operands(spawn: Spawn) -> None:
    guest = spawn("""
        func $pair (param i32) (result i32 i32)
          local i64 * 20
          local.get 0
          local.get 0
          i32.const 1
          i32.add
        end
        func $f (result i32)
          i32.const 1000
          i32.const 100
          i32.const 7
          call $pair
          i32.mul
          i32.add
          i32.add
        end
        export "f" func $f
        """)
    assert guest.call("f") == 1000 + 100 + 7 * 8


def test_thousand_parameters_and_results(spawn: Spawn) -> None:
    types = " ".join(["i64"] * 1000)
    gets = "\n".join(f"local.get {at}" for at in reversed(range(1000)))
    guest = spawn(f"""
        func $reverse (param {types}) (result {types})
          {gets}
        end
        func $f (param {types}) (result {types})
          {gets}
          call $reverse
        end
        export "reverse" func $reverse
        export "f" func $f
        """)
    values = tuple(range(-500, 500))
    assert guest.call("reverse", *values) == values[::-1]
    assert guest.call("f", *values) == values


def test_locals_begin_as_zero_in_every_call(spawn: Spawn) -> None:
    guest = spawn("""
        func $dirty (param i64)
          local i64 * 3
          i64.const -1
          local.set 1
          i64.const -1
          local.set 2
          i64.const -1
          local.set 3
        end
        func $sum (param i64) (result i32 i64 f32 f64 i32)
          local i32
          local i64
          local f32
          local f64
          local funcref
          local.get 1
          local.get 2
          local.get 3
          local.get 4
          local.get 5
          ref.is_null
        end
        func $f (result i32 i64 f32 f64 i32)
          i64.const -1
          call $dirty
          i64.const -1
          call $sum
        end
        export "f" func $f
        """)
    assert guest.call("f") == (0, 0, 0.0, 0.0, 1)


def test_local_tee_keeps_and_parameters_can_be_set(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (param i64) (result i64 i64)
          local.get 0
          i64.const 3
          i64.mul
          local.tee 0
          local.get 0
        end
        export "f" func $f
        """)
    assert guest.call("f", 5) == (15, 15)


@pytest.mark.parametrize("kind", ["i32", "i64", "f32", "f64"])
def test_select(spawn: Spawn, kind: str) -> None:
    guest = spawn(f"""
        func $f (param {kind} {kind} i32) (result {kind} {kind})
          local.get 0
          local.get 1
          local.get 2
          select
          local.get 0
          local.get 1
          local.get 2
          select_typed ({kind})
        end
        export "f" func $f
        """)
    assert guest.call("f", 1, 2, 1) == (1, 1)
    assert guest.call("f", 1, 2, 0) == (2, 2)
    assert guest.call("f", 1, 2, 1 << 31) == (1, 1)


def test_select_of_references(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (param externref externref i32) (result externref)
          local.get 0
          local.get 1
          local.get 2
          select_typed (externref)
        end
        export "f" func $f
        """)
    one, two = object(), object()
    assert guest.call("f", one, two, 7) is one
    assert guest.call("f", one, two, 0) is two


def test_globals_of_every_type_keep_their_values_between_calls(spawn: Spawn) -> None:
    guest = spawn("""
        global $a mut i32 (i32.const -7)
        global $b mut i64 (i64.const 0x7fffffffffffffff)
        global $c mut f32 (f32.const 0.5)
        global $d mut f64 (f64.const -inf)
        global $e i32 (i32.const 3)
        global $f mut funcref (ref.func $get)
        global $g mut externref (ref.null externref)
        func $get (result i32 i64 f32 f64 i32)
          global.get $a
          global.get $b
          global.get $c
          global.get $d
          global.get $e
        end
        func $change
          global.get $a
          i32.const 1
          i32.add
          global.set $a
          global.get $b
          i64.const 1
          i64.add
          global.set $b
          f32.const 1.5
          global.set $c
          f64.const 2.5
          global.set $d
          ref.null funcref
          global.set $f
        end
        func $keep (param externref)
          local.get 0
          global.set $g
        end
        export "get" func $get
        export "change" func $change
        export "keep" func $keep
        export "f" global $f
        export "g" global $g
        export "b" global $b
        """)
    assert guest.call("get") == (-7, (1 << 63) - 1, 0.5, float("-inf"), 3)
    assert guest.get_global("f") is guest.exports["get"]
    guest.call("change")
    assert guest.call("get") == (-6, -(1 << 63), 1.5, 2.5, 3)
    assert guest.get_global("b") == -(1 << 63)
    assert guest.get_global("f") is None
    here = object()
    guest.call("keep", here)
    assert guest.get_global("g") is here


def test_nop_and_drop(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (result i32)
          nop
          i32.const 1
          nop
          i64.const 2
          drop
          nop
        end
        export "f" func $f
        """)
    assert guest.call("f") == 1


def test_start_function_runs_once_before_the_first_call(spawn: Spawn) -> None:
    guest = spawn("""
        global $g mut i32 (i32.const 0)
        func $start
          global.get $g
          i32.const 1
          i32.add
          global.set $g
        end
        func $f (result i32)
          global.get $g
        end
        start $start
        export "f" func $f
        """)
    assert guest.call("f") == 1
    assert guest.call("f") == 1


def test_functions_of_a_lazy_module_are_checked_at_their_first_call(engine: str) -> None:
    from svm import Module
    from svm.module import from_text

    model = from_text("""
        func $good (result i32)
          i32.const 1
        end
        func $bad (result i32)
          i64.const 1
        end
        func $f (param i32) (result i32)
          local.get 0
          if (result i32)
            call $bad
          else
            call $good
          end
        end
        export "f" func $f
        export "bad" func $bad
        """)
    guest = Module(model, eager=False).spawn(engine=engine)
    assert guest.call("f", 0) == 1
    for call in (lambda: guest.call("f", 1), lambda: guest.call("bad")):
        with pytest.raises(InvalidError, match=r"function 1 \(bad\).*i32 expected, i64 found"):
            call()
    assert guest.call("f", 0) == 1
