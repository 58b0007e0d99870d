"""Host functions: values across the border, calls back into the guest, and what they raise."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest

import svm.runtime.task
from svm import (
    ExitError,
    Finished,
    Guest,
    HostFunction,
    LimitError,
    Limits,
    Paused,
    TrapError,
    UncaughtError,
    UsageError,
)
from svm.limits import PAGE
from tests.conftest import Spawn, set_first_slice


def through(kind: str) -> str:
    """A module that passes a value of a type through a host function, and back."""
    return f"""
        import "host" "f" func $f (param {kind}) (result {kind})
        func $call (param {kind}) (result {kind})
          local.get 0
          call $f
        end
        export "call" func $call
        """


@pytest.mark.parametrize(
    ("kind", "given", "taken"),
    [
        ("i32", 5, 5),
        ("i32", -1, -1),
        ("i32", (1 << 32) - 1, -1),
        ("i32", 1 << 31, -(1 << 31)),
        ("i32", -(1 << 31), -(1 << 31)),
        ("i32", True, 1),
        ("i64", (1 << 64) - 1, -1),
        ("i64", 1 << 63, -(1 << 63)),
        ("i64", -(1 << 63), -(1 << 63)),
        ("f32", 0.5, 0.5),
        ("f32", 0.1, struct.unpack("<f", struct.pack("<f", 0.1))[0]),
        ("f32", 3, 3.0),
        ("f32", math.inf, math.inf),
        ("f64", 0.1, 0.1),
        ("f64", 1 << 60, float(1 << 60)),
        ("f64", -0.0, -0.0),
        ("f64", 5e-324, 5e-324),
    ],
)
def test_numbers_pass_both_ways(spawn: Spawn, kind: str, given: Any, taken: Any) -> None:
    seen = []

    def function(value: Any) -> Any:
        seen.append(value)
        return given

    result = spawn(through(kind), host={"f": function}).call("call", given)
    for value in (result, *seen):
        assert value == taken and type(value) is type(taken)
        assert math.copysign(1, value) == math.copysign(1, taken)


def test_nan_and_objects_that_are_integers(spawn: Spawn) -> None:
    class Index:
        def __index__(self) -> int:
            return 7

    assert math.isnan(spawn(through("f64"), host={"f": lambda value: value}).call("call", math.nan))
    assert math.isnan(spawn(through("f32"), host={"f": lambda value: value}).call("call", math.nan))
    assert spawn(through("i32"), host={"f": lambda value: Index()}).call("call", Index()) == 7


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("i32", 1 << 32, "4294967296 does not fit i32"),
        ("i32", -(1 << 31) - 1, "-2147483649 does not fit i32"),
        ("i64", 1 << 64, "18446744073709551616 does not fit i64"),
        ("i32", 1.0, "i32 expected, float given: 1.0"),
        ("i64", "5", "i64 expected, str given: '5'"),
        ("i64", None, "i64 expected, NoneType given: None"),
        ("f64", True, "f64 expected, bool given: True"),
        ("f64", "x", "f64 expected, str given: 'x'"),
        pytest.param("f64", 10**400, "an integer of 1329 bits does not fit f64", id="f64-long"),
        pytest.param("i64", -(10**5000), "an integer of 16610 bits does not fit i64", id="i64-long"),
        ("f32", 1e39, r"1e\+39 does not fit f32"),
        ("funcref", 5, "funcref expected: a function of the same store, or None, not 5"),
        ("funcref", len, "funcref expected: a function of the same store, or None, not <built-in function len>"),
    ],
)
def test_values_that_do_not_fit_are_refused_both_ways(spawn: Spawn, kind: str, value: Any, message: str) -> None:
    guest = spawn(through(kind), host={"f": lambda given: value})
    with pytest.raises(UsageError, match=f"arguments of 'call', value 1: .*{message}"):
        guest.call("call", value)
    fitting = {"f": 0.0, "i": 0}.get(kind[0]) if kind != "funcref" else None
    with pytest.raises(UsageError, match=f"result of host function 'f', value 1: .*{message}") as error:
        guest.call("call", fitting)
    assert "in call" in error.value.__notes__[0]
    assert guest.task is None and guest.store.stack.height == 0


@pytest.mark.parametrize(
    ("results", "value", "expected"),
    [
        ("", None, None),
        ("", (), None),
        ("i32", 4, 4),
        ("i32 f64", (1, 2.0), (1, 2.0)),
        ("i32 f64", (1, 2), (1, 2.0)),
        ("i32 i64 externref", (1, 2, "x"), (1, 2, "x")),
    ],
)
def test_numbers_of_results(spawn: Spawn, results: str, value: Any, expected: Any) -> None:
    text = f"""
        import "host" "f" func $f (result {results})
        func $call (result {results})
          call $f
        end
        export "call" func $call
        export "f" func $f
        """
    guest = spawn(text, host={"f": lambda: value})
    assert guest.call("call") == expected
    assert guest.call("f") == expected  # an import that is exported can be called from the host


@pytest.mark.parametrize(
    ("results", "value", "message"),
    [
        ("", 5, r"0 value\(s\) expected, 1 given"),
        ("", (1, 2), r"0 value\(s\) expected, 2 given"),
        ("i32", None, "i32 expected, NoneType given"),
        ("i32", (1, 2), "i32 expected, tuple given"),
        ("i32 i32", 5, r"2 value\(s\) expected, 1 given"),
        ("i32 i32", None, r"2 value\(s\) expected, 0 given"),
        ("i32 i32", (1, 2, 3), r"2 value\(s\) expected, 3 given"),
        ("i32 i32", [1, 2], r"2 value\(s\) expected, 1 given"),
    ],
)
def test_wrong_numbers_of_results(spawn: Spawn, results: str, value: Any, message: str) -> None:
    guest = spawn(f"""
        import "host" "f" func $f (result {results})
        func $call (result {results})
          call $f
        end
        export "call" func $call
        export "f" func $f
        """, host={"f": lambda: value})  # fmt: skip
    for name in ("call", "f"):
        with pytest.raises(UsageError, match=f"result of host function 'f'.*{message}"):
            guest.call(name)


def test_arguments_come_in_order_beneath_what_the_guest_keeps(spawn: Spawn) -> None:
    guest = spawn("""
        import "host" "f" func $f (param i32 f64 i64) (result i32)
        func $call (result i32)
          i32.const 1000
          i32.const 1
          f64.const 2.5
          i64.const -3
          call $f
          i32.add
        end
        export "call" func $call
        """, host={"f": lambda a, b, c: int(a + b * 10 + c)})  # fmt: skip
    assert guest.call("call") == 1000 + 1 + 25 - 3


def test_host_objects_keep_their_identity(spawn: Spawn) -> None:
    seen = []

    def function(value: Any) -> Any:
        seen.append(value)
        return value

    guest = spawn(through("externref"), host={"f": function})
    for value in (object(), None, 0, "", [1], guest):
        assert guest.call("call", value) is value
        assert seen.pop() is value


def test_functions_of_the_guest_pass_as_references(spawn: Spawn) -> None:
    guest = spawn("""
        import "host" "f" func $f (param funcref) (result funcref)
        func $seven (result i32)
          i32.const 7
        end
        func $call (result funcref funcref)
          ref.func $seven
          call $f
          ref.null funcref
          call $f
        end
        export "call" func $call
        export "seven" func $seven
        """, host={"f": lambda reference: reference})  # fmt: skip
    assert guest.call("call") == (guest.exports["seven"], None)


def test_a_function_of_another_guest_is_refused(spawn: Spawn) -> None:
    text = through("funcref")
    one, two = (spawn(text, host={"f": lambda reference: reference}) for _ in range(2))
    with pytest.raises(UsageError, match="a function of the same store"):
        one.call("call", two.exports["call"])


def test_a_host_function_can_be_called_indirectly(spawn: Spawn) -> None:
    guest = spawn("""
        import "host" "f" func $f (param i32) (result i32)
        table 1 funcref
        elem active at (i32.const 0) funcref (ref.func $f)
        func $call (param i32) (result i32)
          local.get 0
          i32.const 0
          call_indirect (param i32) (result i32) 0
        end
        export "call" func $call
        """, host={"f": lambda value: value * 3})  # fmt: skip
    assert guest.call("call", 5) == 15


def test_a_host_function_can_ask_for_its_caller(spawn: Spawn) -> None:
    def write(caller: Any, address: int, length: int) -> int:
        text = bytes(caller.memory[address : address + length])
        caller.memory[0:4] = b"done"
        return text.count(b"l")

    guest = spawn("""
        import "host" "write" func $write (param i32 i32) (result i32)
        memory 1
        data active at (i32.const 16) "hello, world"
        func $f (result i32)
          i32.const 16
          i32.const 12
          call $write
        end
        export "f" func $f
        export "write" func $write
        """, host={"write": HostFunction(write, caller=True)})  # fmt: skip
    assert guest.call("f") == 3
    assert guest.memory[:4] == b"done"
    assert guest.call("write", 16, 3) == 1


def test_what_a_host_function_raises_comes_through_with_the_guests_traceback(spawn: Spawn) -> None:
    class Special(Exception):
        pass

    def fail() -> None:
        raise Special("no")

    guest = spawn("""
        import "host" "fail" func $fail
        tag $e
        func $inner
          @ "x.kr" 3
          call $fail
        end
        func $f
          block $caught
            try_table (catch_all $caught)
              @ "x.kr" 9
              call $inner
            end
          end
        end
        func $g (result i32)
          i32.const 1
        end
        export "f" func $f
        export "g" func $g
        """, host={"fail": fail})  # fmt: skip
    with pytest.raises(Special, match="no") as error:
        guest.call("f")
    assert error.value.__notes__ == [
        "The guest's traceback (most recent call last):\n"
        '  File "x.kr", line 9, in f\n'
        '  File "x.kr", line 3, in inner'
    ]
    assert guest.task is None and guest.store.stack.height == 0
    assert guest.call("g") == 1
    task = guest.start("f")
    with pytest.raises(Special):
        task.run()
    assert task.done
    with pytest.raises(UsageError, match="the call has ended"):
        task.run()


def test_keyboard_interrupt_of_a_host_function_comes_through(spawn: Spawn) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    guest = spawn("""
        import "host" "f" func $f
        export "f" func $f
        """, host={"f": interrupt})  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        guest.call("f")
    assert guest.task is None


# Calls back into the guest

NESTED = """
    import "host" "back" func $back (param i32) (result i32)
    global $g mut i32 (i32.const 0)
    tag $e (param i32)
    func $outer (param i32) (result i32)
      i32.const 1000
      local.get 0
      call $back
      i32.add
    end
    func $work (param $n i32) (result i32)
      local $sum i32
      block $done
        loop $next
          local.get $n
          i32.eqz
          br_if $done
          local.get $sum
          local.get $n
          i32.add
          local.set $sum
          local.get $n
          i32.const 1
          i32.sub
          local.set $n
          br $next
        end
      end
      local.get $sum
    end
    func $throw (param i32) (result i32)
      local.get 0
      throw $e
    end
    func $forever
      loop $next
        br $next
      end
    end
    func $many (param $n i32) (result i32)
      local $sum i32
      loop $next
        local.get $sum
        local.get $n
        call $back
        i32.add
        local.set $sum
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if $next
      end
      local.get $sum
    end
    export "outer" func $outer
    export "work" func $work
    export "throw" func $throw
    export "forever" func $forever
    export "many" func $many
    """


def nested(spawn: Spawn, back: Any, **options: Any) -> Guest:
    """A guest whose host function gets the guest and the argument."""
    guest: Guest = spawn(NESTED, host={"back": lambda value: back(guest, value)}, **options)
    return guest


def test_a_host_function_calls_the_guest(spawn: Spawn) -> None:
    guest = nested(spawn, lambda guest, value: guest.call("work", value))
    assert guest.call("outer", 10) == 1055
    assert guest.task is None and guest.store.stack.height == 0


def test_calls_nest(spawn: Spawn) -> None:
    def back(guest: Guest, value: int) -> int:
        result: int = guest.call("outer", value - 1) if value else 0
        return result

    guest = nested(spawn, back)
    assert guest.call("outer", 20) == 21_000
    with pytest.raises(UsageError, match="host functions call into the guest more than 40 deep"):
        guest.call("outer", 100)
    assert guest.task is None and guest.store.stack.height == 0
    assert guest.call("outer", 3) == 4_000


def test_what_a_nested_call_uses_counts(spawn: Spawn) -> None:
    alone = nested(spawn, lambda guest, value: value)
    alone.call("outer", 50)
    alone.call("work", 50)
    guest = nested(spawn, lambda guest, value: guest.call("work", value))
    guest.call("outer", 50)
    assert guest.fuel_used == alone.fuel_used


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
@pytest.mark.parametrize("fuel", [0, 50, 333])
def test_a_run_in_portions_pauses_at_the_same_places_with_nested_calls(
    spawn: Spawn, monkeypatch: pytest.MonkeyPatch, size: int, fuel: int
) -> None:
    """What a nested call uses comes out of the portion of the call around it, however both are sliced."""

    def run() -> tuple[list[int], Any]:
        guest = nested(spawn, lambda guest, value: guest.call("work", value))
        task = guest.start("many", 30)
        pauses = []
        while isinstance(outcome := task.run(fuel=fuel), Paused):
            pauses.append(outcome.fuel_used)
        return pauses, outcome

    expected = run()
    assert expected[1].value == sum(n * (n + 1) // 2 for n in range(31))
    assert len(expected[0]) > 5
    set_first_slice(monkeypatch, size)
    monkeypatch.setattr(svm.runtime.task, "_next_size", lambda before, seconds, target: size)
    assert run() == expected


def test_fuel_that_runs_out_in_a_nested_call_is_an_error_there(spawn: Spawn) -> None:
    errors = []

    def back(guest: Guest, value: int) -> int:
        with pytest.raises(LimitError, match="out of fuel: the limit is 1000") as error:
            guest.call("work", 10_000)
        errors.append(error.value)
        guest.add_fuel(500)
        result: int = guest.call("work", 3)
        return result

    guest = nested(spawn, back, limits=Limits(fuel=1000))
    assert guest.call("outer", 1) == 1006
    assert errors[0].traceback.frames[0].name == "work"
    assert guest.fuel is not None and 0 < guest.fuel < 500


def test_a_limit_in_a_nested_call_that_is_not_caught_ends_the_outer_call(spawn: Spawn) -> None:
    guest = nested(spawn, lambda guest, value: guest.call("work", value), limits=Limits(fuel=1000))
    with pytest.raises(LimitError) as error:
        guest.call("outer", 10_000)
    assert guest.task is None and guest.store.stack.height == 0
    assert "in outer" in error.value.__notes__[0]


def test_a_nested_call_stops_at_the_deadline_of_the_call_around_it(spawn: Spawn) -> None:
    guest = nested(spawn, lambda guest, value: guest.call("forever") or 0)
    with pytest.raises(LimitError, match=r"out of time: the limit is 0\.05 s"):
        guest.start("outer", 1).run(seconds=0.05)
    guest = nested(spawn, lambda guest, value: guest.call("forever") or 0, limits=Limits(seconds=0.05))
    with pytest.raises(LimitError, match=r"out of time: the limit is 0\.05 s"):
        guest.call("outer", 1)
    assert guest.task is None


def test_a_nested_call_with_a_deadline_or_fuel_of_its_own(spawn: Spawn) -> None:
    def back(guest: Guest, value: int) -> int:
        for options, reason in (({"seconds": 0.01}, "seconds"), ({"fuel": 100}, "fuel")):
            task = guest.start("forever")
            outcome = task.run(**options)  # type: ignore[arg-type]  # one of each type
            assert isinstance(outcome, Paused) and outcome.reason == reason
            assert task.done  # it could not be kept
            with pytest.raises(UsageError, match="the call has ended"):
                task.run()
        return 5

    assert nested(spawn, back).call("outer", 1) == 1005


def test_a_nested_call_whose_errors_the_host_handles(spawn: Spawn) -> None:
    def back(guest: Guest, value: int) -> int:
        with pytest.raises(UncaughtError, match=r"uncaught exception e\(7,\)") as error:
            guest.call("throw", 7)
        assert [frame.name for frame in error.value.traceback.frames] == ["throw"]
        return 1

    guest = nested(spawn, back)
    assert guest.call("outer", 1) == 1001


def test_an_exception_does_not_pass_from_a_nested_call_into_the_guest(spawn: Spawn) -> None:
    guest: Guest = spawn("""
        import "host" "back" func $back
        tag $e
        func $throw
          throw $e
        end
        func $f
          block $caught
            try_table (catch_all $caught)
              call $back
            end
          end
        end
        export "f" func $f
        export "throw" func $throw
        """, host={"back": lambda: guest.call("throw")})  # fmt: skip
    with pytest.raises(UncaughtError):
        guest.call("f")


def test_exit_in_a_nested_call_ends_the_outer_call(spawn: Spawn) -> None:
    def back(guest: Guest, value: int) -> int:
        if value == 0:
            raise ExitError(9)
        result: int = guest.call("outer", 0)
        return result

    guest = nested(spawn, back)
    with pytest.raises(ExitError) as error:
        guest.call("outer", 1)
    assert error.value.code == 9
    assert guest.task is None and guest.store.stack.height == 0


def test_the_call_around_can_be_neither_run_nor_given_up_from_inside(spawn: Spawn) -> None:
    def back(guest: Guest, value: int) -> int:
        task = guest.task
        assert task is not None
        with pytest.raises(UsageError, match="the call is running already"):
            task.run()
        with pytest.raises(UsageError, match="the call is running: only a paused call can be given up"):
            task.cancel()
        return 3

    guest = nested(spawn, back)
    task = guest.start("outer", 1)
    assert task.run() == Finished(1003, guest.fuel_used)


def test_the_stack_limit_holds_for_nested_calls_together(spawn: Spawn) -> None:
    def back(guest: Guest, value: int) -> int:
        result: int = guest.call("outer", value - 1) if value else 0
        return result

    guest = nested(spawn, back, limits=Limits(stack=8 * 40))
    assert guest.call("outer", 3) == 4000
    with pytest.raises(TrapError, match="call stack exhausted"):
        guest.call("outer", 10)
    assert guest.store.stack.height == 0


def test_memory_that_grows_in_a_nested_call_is_seen_at_once(spawn: Spawn) -> None:
    guest: Guest = spawn("""
        import "host" "back" func $back
        memory 1
        func $grow
          i32.const 1
          memory.grow
          drop
        end
        func $f (result i32 i32)
          i32.const 65536
          call $back
          i32.load
          memory.size
        end
        export "f" func $f
        export "grow" func $grow
        """, host={"back": lambda: guest.call("grow")})  # fmt: skip
    assert guest.call("f") == (0, 2)
    assert len(guest.memory) == 2 * PAGE


def test_a_host_function_that_calls_another_guest_and_back(spawn: Spawn) -> None:
    one = nested(spawn, lambda guest, value: two.call("outer", value) if value else 1)
    two = nested(spawn, lambda guest, value: one.call("outer", value - 1))
    assert one.call("outer", 3) == 7001
    assert one.task is None and two.task is None
