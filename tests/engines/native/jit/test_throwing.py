"""Exceptions between compiled functions, and across interpreted ones: whoever catches them, all is as elsewhere."""

from __future__ import annotations

import pytest

from svm import UncaughtError
from svm.engines.native.jit import maker, tier
from tests.engines.native.jit.test_engine import JIT, REFERENCE, spawn, tier_of

PADDING = "nop\n" * 300

CHAIN = """
    memory 1 8
    tag $a (param i32 f64)
    tag $b
    func $throw (param $n i32)
      local.get $n
      i32.const 3
      i32.rem_u
      i32.eqz
      if
        i32.const 1
        memory.grow
        drop
        local.get $n
        f64.const 2.5
        throw $a
      end
      local.get $n
      i32.const 3
      i32.rem_u
      i32.const 1
      i32.eq
      if
        throw $b
      end
    end
    func $middle (param $n i32)
      block $caught
        local.get $n
        i32.const 5
        i32.rem_u
        i32.eqz
        if
          try_table (catch $b $caught)
            local.get $n
            call $throw
          end
        else
          local.get $n
          call $throw
        end
      end
      MIDDLE
    end
    func $f (param $n i32) (result f64)
      local $sum f64
      loop $again
        block $done
          block $any
            block $caught (result i32 f64)
              try_table (catch $a $caught) (catch_all $any)
                local.get $n
                call $middle
              end
              br $done
            end
            local.get $sum
            f64.add
            local.set $sum
            f64.convert_i32_u
            local.get $sum
            f64.add
            local.set $sum
            memory.size
            f64.convert_i32_u
            local.get $sum
            f64.add
            local.set $sum
            br $done
          end
          local.get $sum
          f64.const 0.125
          f64.add
          local.set $sum
        end
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if $again
      end
      local.get $sum
    end
    func $uncaught (param $n i32)
      local.get $n
      call $middle
    end
    export "f" func $f
    export "uncaught" func $uncaught
"""


@pytest.mark.parametrize("interpreted", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_the_innermost_catch_takes_it(interpreted: bool, apart: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """interpreted: the function in the middle.  apart: each function is a unit of its own."""
    text = CHAIN.replace("MIDDLE", PADDING if interpreted else "nop\n" * apart)
    if interpreted:
        monkeypatch.setattr(tier, "MOST_BODY", 300)
    if apart:
        monkeypatch.setattr(maker, "_SMALL", 0)
    reference = spawn(text, REFERENCE)
    expected = reference.call("f", 60), reference.fuel_used
    guest = spawn(text, JIT)
    assert (guest.call("f", 60), guest.fuel_used) == expected
    assert len(guest.store.arenas.native.space.compiled) == (2 if interpreted else 3)
    assert tier_of(guest).failures == []
    places = []
    for each in (reference, guest):
        with pytest.raises(UncaughtError) as error:
            each.call("uncaught", 3)
        places.append([(frame.name, frame.offset) for frame in error.value.traceback.frames])
    assert places[0] == places[1]


LOCAL = """
    tag $a (param i64)
    tag $b (param i64)
    func $f (param $n i64) (result i64)
      block $outer (result i64)
        local.get $n
        loop $again (param i64) (result i64)
          local.set $n
          try_table (result i64) (catch $b $outer)
            try_table (result i64) (catch $a $again)
              local.get $n
              i64.const 7
              i64.rem_u
              i64.eqz
              if
                local.get $n
                throw $b
              end
              local.get $n
              i64.const 1
              i64.sub
              throw $a
            end
          end
        end
      end
    end
    export "f" func $f
"""


def test_what_a_function_throws_to_itself_is_a_branch() -> None:
    reference, guest = spawn(LOCAL, REFERENCE), spawn(LOCAL, JIT)
    for n in (20, 21):
        assert guest.call("f", n) == reference.call("f", n) == 14 + 7 * (n == 21)
    assert guest.fuel_used == reference.fuel_used == guest.tiers.compiled_fuel
