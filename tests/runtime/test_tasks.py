"""Calls that stop and go on: tasks, their outcomes, and what is refused."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from svm import (
    Exited,
    ExitError,
    Finished,
    Guest,
    LimitError,
    Limits,
    Paused,
    TrapError,
    Trapped,
    UncaughtError,
    UsageError,
)
from tests.conftest import Spawn
from tests.engines.programs import PROGRAMS

WAITS = """
    memory 1
    global $rounds mut i64 (i64.const 0)
    func $f (result i64)
      loop $next
        global.get $rounds
        i64.const 1
        i64.add
        global.set $rounds
        i32.const 0
        i32.load8_u
        i32.eqz
        br_if $next
      end
      i64.const 5
    end
    func $one (result i32)
      i32.const 1
    end
    export "f" func $f
    export "one" func $one
    export "rounds" global $rounds
    """
"""Its `f` runs until the host has set the first byte of its memory."""


def test_outcomes(spawn: Spawn) -> None:
    guest = spawn("""
        import "host" "quit" func $quit
        tag $e (param i32)
        func $none
        end
        func $two (result i32 f64)
          i32.const 1
          f64.const 2
        end
        func $trap
          unreachable
        end
        func $throw
          i32.const 3
          throw $e
        end
        func $exit
          call $quit
        end
        export "none" func $none
        export "two" func $two
        export "trap" func $trap
        export "throw" func $throw
        export "exit" func $exit
        """, host={"quit": leave})  # fmt: skip
    assert guest.start("none").run() == Finished(None, 0)
    assert guest.start("two").run() == Finished((1, 2.0), 2)
    trapped = guest.start("trap").run()
    assert isinstance(trapped, Trapped) and isinstance(trapped.error, TrapError)
    assert trapped.fuel_used == trapped.error.fuel_used == 3
    thrown = guest.start("throw").run()
    assert isinstance(thrown, Trapped) and isinstance(thrown.error, UncaughtError)
    assert guest.start("exit").run() == Exited(5, 6)
    with pytest.raises(ExitError, match="the guest exited with status 5") as error:
        guest.call("exit")
    assert error.value.code == 5
    assert guest.task is None
    assert guest.call("two") == (1, 2.0)


def leave() -> None:
    """A host function that ends the guest."""
    raise ExitError(5)


def test_run_is_for_programs(spawn: Spawn) -> None:
    text = """
        import "host" "quit" func $quit
        func $main
          {}
        end
        export "_start" func $main
        """
    assert spawn(text.format("call $quit"), host={"quit": leave}).run() == 5
    assert spawn(text.format("nop"), host={"quit": leave}).run() == 0
    with pytest.raises(TrapError):
        spawn(text.format("unreachable"), host={"quit": leave}).run()


def test_a_task_runs_in_portions_and_tells_how_it_stands(spawn: Spawn) -> None:
    program = PROGRAMS["fib"]
    guest = spawn(program.text)
    task = guest.start("f", *program.args)
    assert not task.done and task.outcome is None
    outcome = task.run(fuel=100)
    assert isinstance(outcome, Paused)
    assert task.outcome is outcome
    assert guest.task is task
    assert not task.done
    shown = str(outcome.traceback)
    assert "in f" in shown
    assert "paused" in repr(guest)
    before = outcome
    outcome = task.run()
    assert before.traceback.frames == ()  # the call stands there no longer
    assert outcome == Finished(34, 1526)
    assert task.done and guest.task is None
    with pytest.raises(UsageError, match="the call has ended"):
        task.run()


def test_a_second_call_is_refused_while_one_is_paused(spawn: Spawn) -> None:
    guest = spawn(PROGRAMS["fib"].text)
    task = guest.start("f", 9)
    other = guest.start("f", 5)
    task.run(fuel=100)
    for attempt in (lambda: guest.call("f", 1), other.run):
        with pytest.raises(UsageError, match="a call of the guest is paused"):
            attempt()
    assert task.run().value == 34  # type: ignore[union-attr]  # a Finished, or the test fails
    assert other.run() == Finished(5, guest.fuel_used)


def test_cancel_drops_a_paused_call(spawn: Spawn) -> None:
    guest = spawn(PROGRAMS["fib"].text)
    task = guest.start("f", 9)
    task.run(fuel=100)
    task.cancel()
    task.cancel()
    assert task.done and guest.task is None
    assert guest.store.stack.height == 0
    with pytest.raises(UsageError, match="the call has ended"):
        task.run()
    assert guest.call("f", 9) == 34


def test_cancel_before_and_after_a_run(spawn: Spawn) -> None:
    guest = spawn(PROGRAMS["fib"].text)
    task = guest.start("f", 9)
    task.cancel()
    with pytest.raises(UsageError, match="the call has ended"):
        task.run()
    task = guest.start("f", 9)
    outcome = task.run()
    task.cancel()
    assert task.outcome is outcome


def test_a_deadline_pauses_and_the_call_goes_on(spawn: Spawn) -> None:
    guest = spawn(WAITS, limits=Limits(seconds=0.05))
    begun = time.monotonic()
    with pytest.raises(LimitError, match=r"out of time: the limit is 0\.05 s") as error:
        guest.call("f")
    assert 0.05 <= time.monotonic() - begun < 1
    assert (error.value.limit, error.value.value) == ("seconds", 0.05)
    assert error.value.traceback.frames[0].name == "f"
    task = guest.task
    assert task is not None
    assert guest.get_global("rounds") > 0
    guest.memory[0] = 1
    assert task.run() == Finished(5, guest.fuel_used)


def test_a_deadline_of_one_run(spawn: Spawn) -> None:
    guest = spawn(WAITS)
    task = guest.start("f")
    before = -1
    for _ in range(3):
        outcome = task.run(seconds=0.01)
        assert isinstance(outcome, Paused) and outcome.reason == "seconds"
        assert guest.get_global("rounds") > before
        before = guest.get_global("rounds")


def test_fuel_comes_before_time(spawn: Spawn) -> None:
    guest = spawn(WAITS)
    outcome = guest.start("f").run(fuel=10, seconds=1e-9)
    assert isinstance(outcome, Paused) and outcome.reason == "fuel"


@pytest.mark.parametrize("fuel", [-1, 1.5, "7"])
def test_fuel_of_a_run_is_a_whole_number(spawn: Spawn, fuel: Any) -> None:
    guest = spawn(WAITS)
    with pytest.raises(UsageError, match="fuel is a whole number from 0"):
        guest.start("f").run(fuel=fuel)
    with pytest.raises(UsageError, match="fuel is a whole number from 0"):
        guest.add_fuel(fuel)
    assert guest.task is None  # nothing has begun
    assert guest.call("one") == 1


def test_seconds_of_a_run_are_a_number(spawn: Spawn) -> None:
    guest = spawn(WAITS)
    with pytest.raises(UsageError, match="seconds are a number from 0, not '5'"):
        guest.start("f").run(seconds="5")  # type: ignore[arg-type]  # that is what is tested
    assert guest.call("one") == 1


def test_names_and_arguments_are_checked(spawn: Spawn) -> None:
    guest = spawn(PROGRAMS["fib"].text + '\nmemory 1\nexport "memory" memory 0')
    with pytest.raises(UsageError, match="the module exports no function 'nonsense'; it has f"):
        guest.call("nonsense")
    with pytest.raises(UsageError, match="the module exports no function 'memory'; it has f"):
        guest.call("memory")
    with pytest.raises(UsageError, match=r"arguments of 'f': 1 value\(s\) expected, 0 given"):
        guest.call("f")
    with pytest.raises(UsageError, match="arguments of 'f', value 1: i64 expected, str given: 'x'"):
        guest.call("f", "x")
    with pytest.raises(UsageError, match="the module exports no global 'f'"):
        guest.get_global("f")
    with pytest.raises(UsageError, match="it has none"):
        spawn("memory 1").call("f")
    assert guest.call("f", 9) == 34


def in_thread(work: Any) -> BaseException | None:
    """What `work` raises in another thread."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    return raised[0] if raised else None


def test_a_second_thread_is_refused_while_the_guest_runs(spawn: Spawn) -> None:
    errors: list[BaseException | None] = []

    def meanwhile() -> None:
        errors.append(in_thread(lambda: guest.call("one")))
        errors.append(in_thread(lambda: paused.cancel()))
        errors.append(in_thread(guest.close))

    guest = spawn("""
        import "host" "meanwhile" func $meanwhile
        func $f
          call $meanwhile
        end
        func $one
        end
        export "f" func $f
        export "one" func $one
        """, host={"meanwhile": meanwhile})  # fmt: skip
    paused = guest.start("one")
    guest.call("f")
    assert [type(error) for error in errors] == [UsageError] * 3
    assert "driven by another thread" in str(errors[0])
    assert "cannot be closed" in str(errors[2])
    assert in_thread(lambda: guest.call("one")) is None  # a guest may change threads between calls


def test_guests_on_different_threads_do_not_disturb_each_other(spawn: Spawn) -> None:
    results: list[Any] = []
    guests = [spawn(PROGRAMS["sieve"].text) for _ in range(4)]

    def run(guest: Guest) -> None:
        results.append((guest.call("f", 150), guest.fuel_used))

    threads = [threading.Thread(target=run, args=(guest,)) for guest in guests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [(35, 5191)] * 4


def test_a_closed_guest_refuses_everything(spawn: Spawn) -> None:
    guest = spawn(WAITS)
    paused = guest.start("f")
    paused.run(fuel=100)
    fresh = guest.start("one")
    guest.close()
    guest.close()
    for attempt in (
        lambda: guest.call("one"),
        lambda: guest.start("one"),
        paused.run,
        fresh.run,
        lambda: guest.memory,
        lambda: guest.exports,
        lambda: guest.get_global("rounds"),
    ):
        with pytest.raises(UsageError, match="the guest is closed"):
            attempt()
    assert "closed" in repr(guest)
    assert guest.task is None


def test_a_guest_is_a_context(spawn: Spawn) -> None:
    with spawn(WAITS) as guest:
        assert guest.call("one") == 1
    with pytest.raises(UsageError, match="closed"):
        guest.call("one")


def test_close_from_a_host_function_is_refused(spawn: Spawn) -> None:
    guest: Guest = spawn("""
        import "host" "close" func $close
        func $f
          call $close
        end
        export "f" func $f
        """, host={"close": lambda: guest.close()})  # fmt: skip
    with pytest.raises(UsageError, match="the guest is running, and cannot be closed"):
        guest.call("f")
    guest.close()


@pytest.mark.parametrize("depth", [1, 17, 100])
def test_the_stack_limit_is_exact(spawn: Spawn, depth: int) -> None:
    """A frame is parameters, header, locals and operands, 8 bytes each; there is room for so many and no more."""
    text = """
        func $f (param i32) (result i32)
          local i64
          local i64
          local.get 0
          i32.eqz
          if (result i32)
            i32.const 0
          else
            local.get 0
            i32.const 1
            i32.sub
            call $f
            i32.const 1
            i32.add
          end
        end
        export "f" func $f
        """
    first = 1 + 4 + 2 + 2
    others = first - 1  # the parameter lies where the caller has it, among its operands
    size = first + (depth - 1) * (others - 1)  # the caller's second operand has been taken when it calls
    assert spawn(text, limits=Limits(stack=8 * size)).call("f", depth - 1) == depth - 1
    with pytest.raises(TrapError, match="call stack exhausted"):
        spawn(text, limits=Limits(stack=8 * size)).call("f", depth)
    with pytest.raises(TrapError, match="call stack exhausted"):
        spawn(text, limits=Limits(stack=8 * size - 8)).call("f", depth - 1)


def test_a_stack_without_room_for_the_first_frame(spawn: Spawn) -> None:
    """Nothing of the call is there yet, least of all a frame that a traceback could show."""
    guest = spawn("""
        func $f (param i64 i64 i64 i64 i64)
        end
        export "f" func $f
        """, limits=Limits(stack=64))  # fmt: skip
    with pytest.raises(TrapError, match="the guest's stack limit is 64 bytes") as error:
        guest.call("f", 5, 6, 7, 8, 9)
    assert error.value.traceback.frames == ()
    assert guest.store.stack.height == 0


def test_a_traceback_of_a_deep_stack_shows_its_ends(spawn: Spawn) -> None:
    guest = spawn("""
        func $even (param $n i32)
          local.get $n
          i32.const 1
          i32.sub
          call $odd
        end
        func $odd (param $n i32)
          local.get $n
          i32.eqz
          if
            unreachable
          end
          local.get $n
          i32.const 1
          i32.sub
          call $even
        end
        export "even" func $even
        """)  # fmt: skip
    with pytest.raises(TrapError, match="unreachable") as error:
        guest.call("even", 9001)
    shown = error.value.traceback
    assert (len(shown.frames), shown.omitted) == (100, 8902)
    assert [frame.name for frame in shown.frames] == ["even", "odd"] * 50
    assert len({frame.offset for frame in shown.frames if frame.name == "odd"}) == 2
    assert "[8902 more frames]" in str(shown)
    with pytest.raises(TrapError) as error:
        guest.call("even", 99)
    assert (len(error.value.traceback.frames), error.value.traceback.omitted) == (100, 0)


def test_memory_limit_at_instantiation(spawn: Spawn) -> None:
    with pytest.raises(LimitError, match="the module's memory needs 131072 bytes, the limit is 131071") as error:
        spawn("memory 2", limits=Limits(memory=131071))
    assert (error.value.limit, error.value.value) == ("memory", 131071)
    spawn("memory 2", limits=Limits(memory=131072))


def test_table_limit_at_instantiation(spawn: Spawn) -> None:
    text = "table 5 funcref\ntable 6 externref"
    with pytest.raises(LimitError, match="the module's tables need 11 elements, the limit is 10"):
        spawn(text, limits=Limits(table_elements=10))
    spawn(text, limits=Limits(table_elements=11))


def test_an_uncaught_exception_after_memory_was_refused_says_so(spawn: Spawn) -> None:
    guest = spawn("""
        memory 1
        tag $out_of_memory
        func $f
          i32.const 1
          memory.grow
          i32.const -1
          i32.eq
          if
            throw $out_of_memory
          end
        end
        export "f" func $f
        """, limits=Limits(memory="64 KiB"))  # fmt: skip
    with pytest.raises(UncaughtError) as error:
        guest.call("f")
    assert error.value.__notes__ == ["the guest's memory limit of 65536 bytes refused it more memory"]


@pytest.mark.parametrize("what", ["trap", "throw", "limit", "exit"])
def test_a_start_function_that_fails_fails_the_spawn(spawn: Spawn, what: str) -> None:
    body = {"trap": "unreachable", "throw": "throw 0", "limit": "loop\nbr 0\nend", "exit": "call 0"}[what]
    error = {"trap": TrapError, "throw": UncaughtError, "limit": LimitError, "exit": ExitError}[what]
    with pytest.raises(error) as raised:
        spawn(f"""
            import "host" "quit" func
            tag
            func $begin
              {body}
            end
            start $begin
            """, host={"quit": leave}, limits=Limits(fuel=1000))  # fmt: skip
    if what in ("trap", "throw"):
        assert [frame.name for frame in raised.value.traceback.frames] == ["begin"]


DESCRIBED = """
    memory 1
    data active at (i32.const 100) "ValueError: é\\ff!"
    tag $e (param i32)
    tag $overflow
    tag $wide (param i64)
    func $throw (param i32)
      local.get 0
      throw $e
    end
    func $overflow
      throw $overflow
    end
    func $wide
      i64.const 1
      throw $wide
    end
    func $describe {}
    end
    export "throw" func $throw
    export "overflow" func $overflow
    export "wide" func $wide
    export "krait:describe_utf8" func $describe
    """


def test_the_guest_describes_its_exceptions(spawn: Spawn) -> None:
    guest = spawn(DESCRIBED.format("(param i32) (result i32 i32)\nlocal.get 0\ni32.const 16"))
    with pytest.raises(UncaughtError) as error:
        guest.call("throw", 100)
    assert str(error.value) == error.value.description == "ValueError: é�!"
    assert guest.fuel_used == 2  # what the description took is not the guest's
    with pytest.raises(UncaughtError) as error:
        guest.call("overflow")
    assert error.value.description == "\0" * 16
    with pytest.raises(UncaughtError) as error:
        guest.call("wide")  # no exception of the language's
    assert error.value.description is None
    with pytest.raises(UncaughtError) as error:
        guest.call("throw", 65530)
    assert error.value.description == "\0" * 6


@pytest.mark.parametrize(
    "function",
    [
        "(param i32) (result i32 i32)\nunreachable",
        "(param i32) (result i32 i32)\nlocal.get 0\nthrow $e",
        "(param i32) (result i32 i32)\nloop\nbr 0\nend\nunreachable",
        "(param i32) (result i32 i32)\nlocal.get 0\ncall $describe",
        "(param i64) (result i64 i64)\nlocal.get 0\nlocal.get 0",
        "(result i32 i32)\ni32.const 0\ni32.const 0",
        "",
        "(param i32) (result i32)\ni32.const 0",
    ],
)
def test_a_description_that_fails_does_not_hide_the_exception(
    spawn: Spawn, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("svm.runtime.shared._ASIDE_FUEL", 10_000)
    guest = spawn(DESCRIBED.format(function))
    with pytest.raises(UncaughtError) as error:
        guest.call("throw", 7)
    assert error.value.description is None
    assert str(error.value) == "uncaught exception e(7,)"
    assert guest.store.stack.height == 0
    assert guest.fuel_used == 2


def test_a_description_of_4_gib_is_cut_short(spawn: Spawn) -> None:
    text = DESCRIBED.format("(param i32) (result i32 i32)\ni32.const 0\ni32.const -1")
    guest = spawn(text.replace("memory 1", "memory 2"))
    with pytest.raises(UncaughtError) as error:
        guest.call("throw", 7)
    assert len(error.value.description or "") < 70_000


def test_a_description_by_an_import_is_not_asked_for(spawn: Spawn) -> None:
    guest = spawn("""
        import "host" "describe" func $describe (param i32) (result i32 i32)
        tag $e (param i32)
        func $throw
          i32.const 1
          throw $e
        end
        export "throw" func $throw
        export "krait:describe_utf8" func $describe
        """, host={"describe": lambda address: (0, 0)})  # fmt: skip
    with pytest.raises(UncaughtError, match=r"uncaught exception e\(1,\)"):
        guest.call("throw")
