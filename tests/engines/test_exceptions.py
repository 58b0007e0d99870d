"""Exceptions: throw, try_table, and arithmetic that throws where it overflows."""

from __future__ import annotations

import time

import pytest

from svm import TrapError, UncaughtError
from tests.conftest import Spawn


def test_catch_by_tag_takes_the_values(spawn: Spawn) -> None:
    guest = spawn("""
        tag $e (param i32 i64)
        func $f (result i32 i64)
          block $caught (result i32 i64)
            i32.const 100
            try_table (catch $e $caught)
              i32.const 1
              i64.const 2
              throw $e
            end
            unreachable
          end
        end
        export "f" func $f
        """)
    assert guest.call("f") == (1, 2)


def test_body_that_does_not_throw_gives_its_results(spawn: Spawn) -> None:
    guest = spawn("""
        tag $e
        func $f (param i32) (result i32)
          block $caught
            local.get 0
            try_table (param i32) (result i32) (catch $e $caught) (catch_all $caught)
              i32.const 1
              i32.add
            end
            return
          end
          i32.const -1
        end
        export "f" func $f
        """)
    assert guest.call("f", 4) == 5


CHOOSES = """
    tag $a (param i32)
    tag $b (param i32)
    tag $c
    func $throw (param i32)
      block $2
        block $1
          block $0
            local.get 0
            br_table ($0 $1) $2
          end
          i32.const 10
          throw $a
        end
        i32.const 20
        throw $b
      end
      throw $c
    end
    func $f (param i32) (result i32)
      block $all
        block $b (result i32)
          block $a (result i32)
            try_table (catch $a $a) (catch $b $b) (catch_all $all)
              local.get 0
              call $throw
            end
            unreachable
          end
          i32.const 1
          i32.add
          return
        end
        i32.const 2
        i32.add
        return
      end
      i32.const 3
    end
    export "f" func $f
    """


def test_each_tag_goes_to_its_own_handler(spawn: Spawn) -> None:
    guest = spawn(CHOOSES)
    assert [guest.call("f", at) for at in range(3)] == [11, 22, 3]


def test_the_first_catch_that_fits_is_taken(spawn: Spawn) -> None:
    guest = spawn("""
        tag $e
        func $f (result i32)
          block $tagged
            block $all
              try_table (catch_all $all) (catch $e $tagged)
                throw $e
              end
            end
            i32.const 1
            return
          end
          i32.const 2
        end
        export "f" func $f
        """)
    assert guest.call("f") == 1


def test_handlers_are_looked_for_from_the_inside_out_and_through_calls(spawn: Spawn) -> None:
    guest = spawn("""
        tag $a (param i64)
        tag $b
        func $deep (param i32)
          local i64 * 3
          local.get 0
          if
            local.get 0
            i32.const 1
            i32.sub
            call $deep
          else
            i64.const 77
            throw $a
          end
        end
        func $wrong (param i32)
          block $caught
            i64.const 5
            try_table (catch $b $caught)
              i32.const 3
              local.get 0
              call $deep
              drop
            end
            drop
          end
        end
        func $f (param i32) (result i64 i64)
          i64.const 1
          block $caught (result i64)
            i64.const 2
            i64.const 3
            try_table (catch $a $caught)
              local.get 0
              call $wrong
            end
            drop
            drop
            i64.const 0
          end
        end
        export "f" func $f
        """)
    assert guest.call("f", 0) == (1, 77)
    assert guest.call("f", 500) == (1, 77)


def test_a_handler_does_not_guard_itself(spawn: Spawn) -> None:
    guest = spawn("""
        tag $e (param i32)
        func $f (result i32)
          block $outer (result i32)
            try_table (catch $e $outer)
              block $inner (result i32)
                try_table (catch $e $inner)
                  i32.const 1
                  throw $e
                end
                unreachable
              end
              i32.const 1
              i32.add
              throw $e
            end
            unreachable
          end
        end
        export "f" func $f
        """)
    assert guest.call("f") == 2


def test_an_instruction_after_the_block_is_not_guarded(spawn: Spawn) -> None:
    guest = spawn("""
        tag $e
        func $f
          block $caught
            try_table (catch $e $caught)
            end
            throw $e
          end
        end
        export "f" func $f
        """)
    with pytest.raises(UncaughtError):
        guest.call("f")


def test_a_call_as_the_first_and_the_last_instruction_is_guarded(spawn: Spawn) -> None:
    guest = spawn("""
        tag $e
        func $throw
          throw $e
        end
        func $f (result i32)
          block $caught
            try_table (catch $e $caught)
              call $throw
            end
            i32.const 0
            return
          end
          i32.const 1
        end
        func $g
          try_table
          end
          call $throw
        end
        export "f" func $f
        export "g" func $g
        """)
    assert guest.call("f") == 1
    with pytest.raises(UncaughtError):
        guest.call("g")


def test_catch_inside_a_loop(spawn: Spawn) -> None:
    """A loop that throws on every odd round and catches inside."""
    guest = spawn("""
        tag $odd (param i32)
        func $check (param i32)
          local.get 0
          i32.const 1
          i32.and
          if
            local.get 0
            throw $odd
          end
        end
        func $f (param $n i32) (result i32)
          local $sum i32
          loop $next
            block $go_on
              block $caught (result i32)
                try_table (catch $odd $caught)
                  local.get $n
                  call $check
                end
                br $go_on
              end
              local.get $sum
              i32.add
              local.set $sum
            end
            local.get $n
            i32.const 1
            i32.sub
            local.tee $n
            br_if $next
          end
          local.get $sum
        end
        export "f" func $f
        """)
    assert guest.call("f", 10) == 25


def test_catch_that_goes_to_the_start_of_a_loop(spawn: Spawn) -> None:
    guest = spawn("""
        tag $again (param i32)
        func $f (param $n i32) (result i32)
          local $rounds i32
          local.get $n
          loop $retry (param i32)
            local.set $n
            local.get $rounds
            i32.const 1
            i32.add
            local.set $rounds
            local.get $n
            if
              i64.const 9
              try_table (catch $again $retry)
                local.get $n
                i32.const 1
                i32.sub
                throw $again
              end
              unreachable
            end
          end
          local.get $rounds
        end
        export "f" func $f
        """)
    assert guest.call("f", 0) == 1
    assert guest.call("f", 9) == 10


def test_catch_that_returns_from_the_function(spawn: Spawn) -> None:
    guest = spawn("""
        tag $e (param i32)
        func $f (result i32)
          i32.const 5
          i32.const 6
          try_table (catch $e 0)
            i32.const 8
            throw $e
          end
          drop
        end
        export "f" func $f
        """)
    assert guest.call("f") == 8


def test_values_of_every_type_are_carried(spawn: Spawn) -> None:
    guest = spawn("""
        tag $e (param i32 i64 f32 f64 externref funcref)
        func $throw (param externref)
          i32.const -1
          i64.const -2
          f32.const 0.5
          f64.const 0.25
          local.get 0
          ref.func $throw
          throw $e
        end
        func $f (param externref) (result i32 i64 f32 f64 externref funcref)
          block $caught (result i32 i64 f32 f64 externref funcref)
            try_table (catch $e $caught)
              local.get 0
              call $throw
            end
            unreachable
          end
        end
        export "f" func $f
        export "throw" func $throw
        """)
    here = object()
    assert guest.call("f", here) == (-1, -2, 0.5, 0.25, here, guest.exports["throw"])
    with pytest.raises(UncaughtError) as error:
        guest.call("throw", here)
    assert error.value.values == (-1, -2, 0.5, 0.25, here, guest.exports["throw"])


def test_traps_are_not_caught(spawn: Spawn) -> None:
    guest = spawn("""
        func $f
          block $caught
            try_table (catch_all $caught)
              unreachable
            end
          end
        end
        func $g
          block $caught
            try_table (catch_all $caught)
              call $g
            end
          end
        end
        export "f" func $f
        export "g" func $g
        """)
    with pytest.raises(TrapError, match="unreachable"):
        guest.call("f")
    with pytest.raises(TrapError, match="call stack exhausted"):
        guest.call("g")


def test_uncaught_exception_tells_tag_values_and_the_whole_stack(spawn: Spawn) -> None:
    guest = spawn("""
        tag $oops (param i32 f64)
        func $inner
          @ "a.kr" 30
          i32.const 7
          f64.const 1.5
          @ 31
          throw $oops
        end
        func $middle
          block $caught
            try_table
              @ "b.kr" 20
              call $inner
            end
          end
        end
        func $outer
          @ "a.kr" 10
          nop
          call $middle
          @ 11
          nop
        end
        export "outer" func $outer
        export "problem" tag $oops
        """)
    with pytest.raises(UncaughtError) as error:
        guest.call("outer")
    assert error.value.tag == "problem"
    assert error.value.values == (7, 1.5)
    assert str(error.value) == "uncaught exception problem(7, 1.5)"
    assert str(error.value.traceback).splitlines() == [
        '  File "a.kr", line 10, in outer',
        '  File "b.kr", line 20, in middle',
        '  File "a.kr", line 31, in inner',
    ]


def test_a_guest_can_be_called_after_an_uncaught_exception(spawn: Spawn) -> None:
    guest = spawn(CHOOSES + 'export "throw" func $throw')
    with pytest.raises(UncaughtError):
        guest.call("throw", 0)
    assert guest.call("f", 1) == 22


def test_tags_of_the_same_type_are_different(spawn: Spawn) -> None:
    guest = spawn("""
        tag $a
        tag $b
        func $f
          block $caught
            try_table (catch $b $caught)
              throw $a
            end
          end
        end
        export "f" func $f
        """)
    with pytest.raises(UncaughtError, match=r"uncaught exception a\(\)"):
        guest.call("f")


def test_one_tag_under_two_indices_is_one_tag(spawn: Spawn) -> None:
    """A tag that is imported twice is caught under either index."""
    from svm.isa import I32, FuncType
    from svm.runtime import TagInstance

    tag, other = TagInstance(FuncType((I32,)), "shared"), TagInstance(FuncType((I32,)), "other")
    text = """
        import "env" "a" tag $a (param i32)
        import "env" "b" tag $b (param i32)
        func $f (result i32)
          block $caught (result i32)
            try_table (catch $b $caught)
              i32.const 4
              throw $a
            end
            unreachable
          end
        end
        export "f" func $f
        """
    assert spawn(text, imports={"env": {"a": tag, "b": tag}}).call("f") == 4
    with pytest.raises(UncaughtError, match=r"uncaught exception shared\(4,\)"):
        spawn(text, imports={"env": {"a": tag, "b": other}}).call("f")


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("name", ["add", "sub", "mul"])
def test_checked_arithmetic(spawn: Spawn, width: int, name: str) -> None:
    kind = f"i{width}"
    guest = spawn(f"""
        tag $overflow
        func $throws (param {kind} {kind}) (result {kind} i32)
          block $caught
            i64.const 99
            try_table (result {kind} i32) (catch $overflow $caught)
              local.get 0
              local.get 1
              {kind}.{name}_throw $overflow
              i32.const 0
            end
            return
          end
          {kind}.const 0
          i32.const 1
        end
        func $flags (param {kind} {kind}) (result {kind} i32)
          local.get 0
          local.get 1
          {kind}.{name}_overflow
        end
        export "throws" func $throws
        export "flags" func $flags
        """)
    low, high = -(1 << width - 1), (1 << width - 1) - 1
    edges = (low, low + 1, -(1 << width // 2), -2, -1, 0, 1, 2, 3, 1 << width // 2, high // 2 + 1, high - 1, high)
    for a in edges:
        for b in edges:
            exact = {"add": a + b, "sub": a - b, "mul": a * b}[name]
            over = not low <= exact <= high
            wrapped = (exact - low) % (1 << width) + low
            assert guest.call("flags", a, b) == (wrapped, over)
            assert guest.call("throws", a, b) == (0 if over else exact, over)


def test_overflow_that_nobody_catches(spawn: Spawn) -> None:
    guest = spawn("""
        tag $overflow
        func $f (param i64) (result i64)
          @ "a.kr" 1
          local.get 0
          i64.const 1
          @ 2
          i64.add_throw $overflow
        end
        export "f" func $f
        """)
    assert guest.call("f", -1) == 0
    with pytest.raises(UncaughtError, match=r"uncaught exception overflow\(\)") as error:
        guest.call("f", (1 << 63) - 1)
    (frame,) = error.value.traceback.frames
    assert (frame.name, frame.file, frame.line) == ("f", "a.kr", 2)


def test_many_handlers_are_searched_once(spawn: Spawn) -> None:
    """Ten thousand try_tables around a throw in a loop: each throw must not look through all of them."""
    depth = 5_000
    opened = "\n".join(["try_table (catch $other $out)"] * depth)
    closed = "\n".join(["end"] * depth)
    siblings = "\n".join(["try_table (catch $e $out)\nend"] * depth)
    guest = spawn(f"""
        tag $e
        tag $other
        func $f (param $n i32)
          loop $next
            block $out
              block $caught
                try_table (catch $e $caught)
                  {siblings}
                  {opened}
                  throw $e
                  {closed}
                end
              end
              local.get $n
              i32.const 1
              i32.sub
              local.tee $n
              br_if $next
            end
          end
        end
        export "f" func $f
        """)
    begun = time.process_time()
    guest.call("f", 30_000)
    assert time.process_time() - begun < 5  # a search through all of them, each time, takes 20


def test_an_uncaught_exception_may_carry_a_function(spawn: Spawn) -> None:
    """Its message shows the function, which refers to its code, which refers to the function: found by `make fuzz`."""
    guest = spawn("""
        tag $e (param funcref externref)
        func $f
          ref.func $f
          ref.null externref
          throw $e
        end
        export "f" func $f
        """)
    with pytest.raises(UncaughtError, match="<function f") as error:
        guest.call("f")
    assert error.value.values == (guest.exports["f"], None)


def test_a_frame_returns_to_where_the_innermost_throws(spawn: Spawn) -> None:
    """The handler reaches the frame that called, not the one that throws, though both are at one place of the code."""
    guest = spawn("""
        tag $e
        func $f (param $n i32) (result i32)
          block $caught
            try_table (catch $e $caught)
              local.get $n
              if
                local.get $n
                i32.const 1
                i32.sub
                call $f
                drop
              end
            end
            throw $e
          end
          local.get $n
        end
        export "f" func $f
        """)  # fmt: skip
    assert guest.call("f", 1) == 1
    assert guest.call("f", 3) == 3  # for the call of f(2) throws after that of f(1) has returned
