"""Which locals may still be read."""

from __future__ import annotations

from svm.lower import clear_dead, layout_of, live_locals
from svm.module import ValidFunction, from_text, validate


def checked(text: str) -> ValidFunction:
    return validate(from_text(f"module $m version 1\n{text}")).function(0)


def live_before(function: ValidFunction, name: str, which: int = 0) -> set[int]:
    """Locals that are live before the n-th instruction of a name."""
    at = [index for index, item in enumerate(function.code) if item.op.name == name][which]
    mask = live_locals(function)[at]
    return {index for index in range(len(function.locals)) if mask >> index & 1}


def test_a_local_is_live_from_its_write_to_its_last_read() -> None:
    function = checked("""
        func $f (param i32) (result i32)
          local i32
          local i32
          local.get 0
          local.set 1
          nop
          local.get 1
          local.get 1
          i32.add
        end
    """)
    assert live_before(function, "local.get", 0) == {0}
    assert live_before(function, "local.set") == set()
    assert live_before(function, "nop") == {1}
    assert live_before(function, "i32.add") == set()


def test_what_a_loop_reads_is_live_at_its_end() -> None:
    function = checked("""
        func $f (param i32) (param i32)
          loop
            local.get 0
            drop
            nop
            i32.const 1
            local.set 0
            local.get 1
            br_if 0
          end
        end
    """)
    assert live_before(function, "nop") == {1}
    assert live_before(function, "br_if") == {0, 1}
    assert live_before(function, "loop") == {0, 1}


def test_an_outer_loop_keeps_alive_what_it_reads_after_an_inner_one() -> None:
    function = checked("""
        func $f (param i32) (param i32)
          loop
            local.get 0
            drop
            loop
              nop
              local.get 1
              br_if 0
              local.get 1
              br_if 1
            end
          end
        end
    """)
    assert live_before(function, "nop") == {0, 1}


def test_branches_are_joined() -> None:
    function = checked("""
        func $f (param i32) (param i32) (param i32) (result i32)
          local.get 0
          if (result i32)
            local.get 1
          else
            local.get 2
          end
        end
    """)
    assert live_before(function, "if") == {1, 2}
    assert live_before(function, "local.get", 1) == {1}
    assert live_before(function, "local.get", 2) == {2}


def test_nothing_is_live_after_leaving() -> None:
    function = checked("""
        func $f (param i32)
          nop
          return
          local.get 0
          drop
        end
    """)
    assert live_before(function, "nop") == set()


def test_each_target_of_a_table_counts() -> None:
    function = checked("""
        func $f (param i32) (param i32) (param i32)
          block
            block
              local.get 0
              br_table (0) 1
            end
            local.get 1
            drop
            return
          end
          local.get 2
          drop
        end
    """)
    assert live_before(function, "br_table") == {1, 2}


def test_what_a_handler_reads_is_live_throughout_its_try() -> None:
    function = checked("""
        tag $t
        func $f (param i32) (param i32)
          block
            try_table (catch_all 0)
              nop
              i32.const 5
              local.set 0
              nop
            end
            return
          end
          local.get 1
          drop
        end
    """)
    assert live_before(function, "nop", 0) == {1}
    assert live_before(function, "nop", 1) == {1}
    assert live_before(function, "return") == set()


def test_dead_slots_are_cleared_and_the_others_left() -> None:
    function = checked("""
        func $f (param i32) (param i32)
          local i64
          nop
        end
    """)
    layout = layout_of(function)
    slots = [11, 12, 1, 2, 3, 4, 13, 99]
    clear_dead(slots, 2, layout, 0b010)
    assert slots == [0, 12, 1, 2, 3, 4, 0, 99]
