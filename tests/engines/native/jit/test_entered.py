"""Loops that are entered while they run: whatever lies around them, control goes on as if it had come there."""

from __future__ import annotations

import pytest

from svm import Finished, Paused
from svm.engines.native.jit import entered
from tests.engines.native.jit.test_engine import INTERPRETER, REFERENCE, spawn, tier_of

ALONE = """
    local.get $k
    i32.const 1
    i32.add
    local.tee $k
    i32.const 7
    i32.rem_u
    br_if $inner
"""

NEST = """
    type $pair (param i32 i64) (result i64)
    func $f (param $n i32) (result i64)
      local $i i32
      local $j i32
      local $k i32
      local $s i64
      i64.const 5
      loop $outer (result i64)
        i32.const 0
        local.set $j
        block $skip
          local.get $i
          i32.const 1
          i32.and
          if
            loop $middle
              local.get $j
              local.get $s
              loop $inner (type $pair)
                i64.const 3
                i64.mul
                local.set $s
                drop
                local.get $s
                local.get $k
                i64.extend_i32_u
                i64.add
                local.set $s
                local.get $k
                local.get $s
                INNER
                local.set $s
                drop
                i64.const 1
              end
              local.get $s
              i64.add
              local.set $s
              local.get $s
              i64.const 61
              i64.and
              i64.eqz
              br_if $skip
              local.get $j
              i32.const 1
              i32.add
              local.tee $j
              i32.const 5
              i32.lt_u
              br_if $middle
            end
          else
            local.get $s
            i64.const 7
            i64.xor
            local.set $s
          end
        end
        local.get $i
        i32.const 1
        i32.add
        local.tee $i
        local.get $n
        i32.lt_u
        br_if $outer
        i64.const 11
      end
      local.get $s
      i64.add
      i64.add
    end
    export "f" func $f
"""


@pytest.mark.parametrize("most", [entered.MOST_AGAIN, 50, 0])
def test_a_nest_of_loops_is_entered_anywhere(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entered, "MOST_AGAIN", most)
    text = NEST.replace("INNER", f"i32.const {most}\ndrop\n{ALONE}")
    reference = spawn(text, REFERENCE)
    expected = reference.call("f", 12), reference.fuel_used
    moved = 0
    for slice_ in range(20, 300, 90):
        guest = spawn(text)
        task = guest.start("f", 12)
        while isinstance(outcome := task.run(fuel=slice_), Paused):
            moved += 1
        assert isinstance(outcome, Finished)
        assert (outcome.value, guest.fuel_used) == expected
        assert tier_of(guest).failures == []
    assert moved > 50
    assert spawn(text, INTERPRETER).call("f", 12) == expected[0]


def test_a_loop_that_control_never_comes_to_is_not_compiled() -> None:
    text = """
        func $f (result i32)
          i32.const 1
          return
          loop $never
            br $never
          end
          i32.const 2
        end
        export "f" func $f
    """
    guest = spawn(text)
    guest.engine.compile_ahead(guest.instance)  # type: ignore[attr-defined]  # the engine that compiles
    assert {unit.offset for unit in tier_of(guest).log} == {None}
    assert guest.call("f") == 1
