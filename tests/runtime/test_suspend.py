"""Host functions that answer later: the guest is left at the call, on every engine, and goes on from there."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from svm import (
    ENGINES,
    Exited,
    ExitError,
    Finished,
    Guest,
    HostFunction,
    Limits,
    Module,
    Paused,
    StoppedError,
    Suspend,
    Suspended,
    Trapped,
    UsageError,
)
from svm.module import from_text
from svm.runtime import Instance
from tests.conftest import Spawn
from tests.runtime.functions import NOTED, deep, summed

TEXT = f"""
    import "host" "ask" func $ask (param i32 i64 f32 f64) (result i32)
    import "host" "note" func $note (param i32)
    import "host" "pair" func $pair (param f64) (result i64 f32)
    type $asks (param i32 i64 f32 f64) (result i32)
    table 1 funcref
    memory 1
    global $seen mut i32 (i32.const 0)
    elem active at (i32.const 0) funcref (ref.func $ask)
    func $once (param $n i32) (result i32)
      local $kept i64
      i64.const 1000
      local.set $kept
      local.get $n
      i64.const -3
      f32.const 0.5
      f64.const 0.1
      call $ask
      local.get $kept
      i32.wrap_i64
      i32.add
    end
{summed("many", "local.get $n", "call $once", then=NOTED)}
    func $indirect (param $n i32) (result i32)
      i32.const 7
      local.get $n
      i64.const 1
      f32.const 2
      f64.const 3
      i32.const 0
      call_indirect (type $asks) 0
      i32.add
    end
    func $two (param $n i32) (result i64 f32 i32)
      local.get $n
      f64.convert_i32_s
      call $pair
      local.get $n
    end
{deep("i32.const 7", "call $note")}
    func $noted (param i32)
      local.get 0
      call $note
      unreachable
    end
    export "many" func $many
    export "indirect" func $indirect
    export "two" func $two
    export "deep" func $deep
    export "noted" func $noted
    export "ask" func $ask
    """
RUNS = (("many", (5,)), ("indirect", (3,)), ("two", (4,)), ("deep", (6,)), ("ask", (1, 2, 3.0, 4.0)))


def ask(n: int, *others: Any) -> int:
    """A plain answer."""
    return 2 * n


def pair(x: float) -> tuple[int, float]:
    """Another, of two results."""
    return int(x) << 40, x / 2


PLAIN: dict[str, Callable[..., Any]] = {"ask": ask, "note": lambda n: None, "pair": pair}
LATER: dict[str, Callable[..., Any]] = {name: lambda *args, name=name: Suspend((name, args)) for name in PLAIN}


def make(spawn: Spawn, *, options: dict[str, Any] | None = None, **host: Any) -> Guest:
    """A guest of the program above, with plain host functions for what is not given."""
    return spawn(TEXT, host=PLAIN | host, **(options or {}))


def plain_answer(outcome: Suspended) -> Any:
    """What the plain host function would have returned."""
    assert isinstance(outcome.waits_for, Suspend)
    name, args = outcome.waits_for.what
    assert (outcome.function, outcome.arguments) == (name, args)
    return PLAIN[name](*args)


@pytest.mark.parametrize(("name", "args"), RUNS)
def test_answers_that_come_later_are_those_of_plain_functions(
    spawn: Spawn, name: str, args: tuple[Any, ...]
) -> None:
    plain = make(spawn)
    expected = plain.call(name, *args)
    guest = make(spawn, **LATER)
    for _ in range(2):  # the second time, native code makes the calls
        used = guest.fuel_used
        task = guest.start(name, *args)
        outcome = task.run()
        while isinstance(outcome, Suspended):
            assert guest.task is task and not task.done
            outcome = task.resume(plain_answer(outcome))
        assert outcome == Finished(expected, guest.fuel_used)
        assert guest.fuel_used - used == plain.fuel_used
        assert guest.task is None and guest.store.stack.height == 0


@pytest.mark.parametrize(("name", "args"), RUNS)
def test_a_suspended_call_moves_to_any_engine_and_is_the_same_on_all(
    name: str, args: tuple[Any, ...]
) -> None:
    """At every host call: on from each engine to the next; and what is recorded is the same, slot by slot."""
    module = Module(from_text(TEXT))
    records: dict[str, list[Any]] = {}
    results = set()
    for first in ENGINES:
        others = [each for each in ENGINES if each != first] + [first]
        guest = module.spawn(engine=first, host=LATER)
        warm = guest.start(name, *args)
        outcome = warm.run()
        while isinstance(outcome, Suspended):
            outcome = warm.resume(plain_answer(outcome))
        task = guest.start(name, *args)
        outcome, turn = task.run(), 0
        seen = records.setdefault(first, [])
        while isinstance(outcome, Suspended):
            seen.append(guest.store.stack.record())
            shown = str(outcome.traceback)
            guest.engine = ENGINES[others[turn % len(others)]]()
            assert guest.store.stack.record() == seen[-1]
            assert str(outcome.traceback) == shown
            outcome = task.resume(plain_answer(outcome))
            turn += 1
        assert turn > 0
        assert isinstance(outcome, Finished)
        results.add(repr(outcome))
    assert len(results) == 1
    assert all(seen == records["reference"] for seen in records.values())


def test_what_a_suspended_call_shows(spawn: Spawn) -> None:
    guest = make(spawn, ask=lambda *args: Suspend("an answer"))
    task = guest.start("many", 2)
    outcome = task.run()
    assert isinstance(outcome, Suspended)
    assert (outcome.function, outcome.waits_for) == ("ask", Suspend("an answer"))
    assert outcome.arguments == (2, -3, 0.5, pytest.approx(0.1))
    assert [frame.name for frame in outcome.traceback.frames] == ["many", "once"]
    plain = make(spawn, ask=lambda *args: str(1 / 0))
    with pytest.raises(ZeroDivisionError) as error:
        plain.call("many", 2)
    assert str(outcome.traceback) in error.value.__notes__[0]  # the same places
    assert "function='ask'" in repr(outcome) and "waiting for 'ask'" in repr(guest)
    assert outcome.fuel_used == guest.fuel_used
    task.resume(1)
    assert outcome.arguments == () and outcome.traceback.frames == ()


def test_only_the_answer_goes_on(spawn: Spawn) -> None:
    guest = make(spawn, ask=lambda *args: Suspend())
    task = guest.start("many", 1)
    with pytest.raises(UsageError, match="the call waits for no host function"):
        task.resume(1)
    task.run()
    for attempt in (task.run, lambda: guest.call("deep", 1), lambda: guest.start("deep", 1).run()):
        with pytest.raises(UsageError, match="waits for host function 'ask': await"):
            attempt()
    assert task.resume(1, fuel=100) == Finished(1001, guest.fuel_used)
    with pytest.raises(UsageError, match="the call has ended"):
        task.resume(1)


def test_an_answer_that_does_not_fit_changes_nothing(spawn: Spawn) -> None:
    guest = make(spawn, **LATER)
    for name, args, bad, good in (
        ("many", (1,), ("2", None, 1 << 40, (1, 2), Suspend()), 5),
        ("two", (1,), (1, (1,), (1, "x")), (1, 2.0)),
    ):
        task = guest.start(name, *args)
        before = task.run()
        for value in bad:
            with pytest.raises(UsageError):
                task.resume(value)
            assert task.outcome is before and guest.task is task
        outcome = task.resume(good)
        while isinstance(outcome, Suspended):
            outcome = task.resume()
        assert isinstance(outcome, Finished)


def test_an_exception_arrives_like_that_of_a_plain_function(spawn: Spawn) -> None:
    class Special(Exception):
        pass

    def fail(*args: Any) -> None:
        raise Special("why")

    with pytest.raises(Special) as plain:
        make(spawn, note=fail).call("deep", 3)
    guest = make(spawn, note=lambda n: Suspend())
    task = guest.start("deep", 3)
    task.run()
    with pytest.raises(UsageError, match="an exception is expected"):
        task.throw("why")  # type: ignore[arg-type]  # that is what is tested
    with pytest.raises(Special) as later:
        task.throw(Special("why"))
    assert later.value.__notes__ == plain.value.__notes__
    assert task.done and guest.task is None and guest.store.stack.height == 0
    task = guest.start("deep", 3)
    task.run()
    assert task.throw(ExitError(4)) == Exited(4, guest.fuel_used)
    assert guest.fuel_used == 2 * make_used(spawn)


def make_used(spawn: Spawn) -> int:
    """Fuel used up to the note."""
    guest = make(spawn, note=lambda n: Suspend())
    guest.start("deep", 3).run()
    return guest.fuel_used


def test_a_plain_call_says_that_it_has_no_answer_and_can_go_on(spawn: Spawn) -> None:
    guest = make(spawn, note=lambda n: Suspend())
    with pytest.raises(StoppedError, match="host function 'note' has not answered yet: use `call_async`") as error:
        guest.call("deep", 3)
    assert error.value.reason == "suspended" and error.value.guest is guest
    assert [frame.name for frame in error.value.traceback.frames] == ["deep"] * 4
    assert guest.task is not None
    assert guest.task.resume() == Finished(3, guest.fuel_used)


def test_a_start_function_may_wait(spawn: Spawn) -> None:
    with pytest.raises(StoppedError) as error:
        spawn("""
            import "host" "note" func $note
            global $g mut i32 (i32.const 0)
            func $begin
              call $note
              i32.const 5
              global.set $g
            end
            start $begin
            export "g" global $g
            """, host={"note": Suspend})  # fmt: skip
    guest = error.value.guest
    assert guest.task.resume() == Finished(None, guest.fuel_used)
    assert guest.get_global("g") == 5


def test_cancel_and_close_give_up_a_suspended_call(spawn: Spawn) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        async def later(n: int) -> None:
            pass

        guest = make(spawn, note=later)
        task = guest.start("deep", 3)
        task.run()
        task.cancel()
        assert task.done and guest.task is None and guest.store.stack.height == 0
        assert guest.call("indirect", 1) == 9
        guest.start("deep", 3).run()
        guest.close()
        gc.collect()  # says so of a coroutine that was never awaited


def test_a_nested_call_cannot_wait(spawn: Spawn) -> None:
    async def later(n: int) -> None:
        pass

    def nest(*args: Any) -> int:
        return guest.call("deep", 2)  # type: ignore[no-any-return]  # it is an i32

    guest = make(spawn, ask=nest, note=later)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            with pytest.raises(UsageError, match="function 'note' cannot be waited for: host function 'ask' has call"):
                guest.call("many", 3)
            assert guest.task is None and guest.store.stack.height == 0 and guest.store.stack.in_host == 0
        gc.collect()


def test_a_host_function_may_call_the_guest_and_then_wait(spawn: Spawn) -> None:
    calls: list[Any] = []

    def nest(n: int, *others: Any) -> Any:
        calls.append(guest.call("two", n))
        return Suspend((n, *others))

    guest = make(spawn, ask=nest)
    task = guest.start("many", 3)
    outcome = task.run()
    while isinstance(outcome, Suspended):
        assert isinstance(outcome.waits_for, Suspend) and outcome.waits_for.what == outcome.arguments
        outcome = task.resume(outcome.arguments[0])
    assert outcome == Finished(3006, guest.fuel_used)
    assert calls == [(n << 40, n / 2, n) for n in (3, 2, 1)]


def test_a_call_across_instances_waits(spawn: Spawn, engine: str) -> None:
    from svm import Store

    inner = Module(from_text(TEXT))
    outer = Module(from_text("""
        import "inner" "many" func $many (param i32) (result i32)
        func $f (param i32) (result i32)
          local.get 0
          call $many
          i32.const 1
          i32.add
        end
        export "f" func $f
        """))
    store = Store(engine=engine)
    guest = store.spawn(outer, imports={"inner": store.spawn(inner, host=LATER)})
    for _ in range(2):
        task = guest.start("f", 3)
        outcome = task.run()
        turn = 0
        while isinstance(outcome, Suspended):
            guest.engine = ENGINES[sorted(ENGINES)[turn % len(ENGINES)]]()
            outcome = task.resume(plain_answer(outcome))
            turn += 1
        assert outcome == Finished(3013, guest.fuel_used)


def test_limits_hold_while_it_goes_on(spawn: Spawn) -> None:
    guest = make(spawn, ask=lambda *args: Suspend(), options={"limits": Limits(fuel=30)})
    task = guest.start("many", 100)
    outcome = task.run()
    while isinstance(outcome, Suspended):
        outcome = task.resume(1)
    assert isinstance(outcome, Paused) and outcome.reason == "fuel"
    guest.add_fuel(100_000)
    outcome = task.run()
    while isinstance(outcome, Suspended):
        outcome = task.resume(1)
    assert outcome == Finished(100_100, guest.fuel_used)


def test_a_trap_after_an_answer(spawn: Spawn) -> None:
    guest = make(spawn, note=lambda n: Suspend())
    task = guest.start("noted", 1)
    task.run()
    trapped = task.resume()
    assert isinstance(trapped, Trapped)
    assert [frame.name for frame in trapped.error.traceback.frames] == ["noted"]


def test_the_caller_is_given_when_it_is_called_again(spawn: Spawn) -> None:
    callers: list[Any] = []

    def function(caller: Instance, n: int) -> Awaitable[None]:
        callers.append((caller, n))

        async def wait() -> None:
            await asyncio.sleep(0 if len(callers) > 1 else 100)

        return wait()

    async def main() -> None:
        guest = make(spawn, note=HostFunction(function, caller=True))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await guest.call_async("deep", 2)
        assert guest.task is not None
        outcome = guest.task.outcome
        assert isinstance(outcome, Suspended) and outcome.waits_for is None
        assert outcome.arguments == (7,)
        assert await guest.task.run_async() == Finished(2, guest.fuel_used)
        assert callers == [(guest.instance, 7)] * 2

    asyncio.run(main())
