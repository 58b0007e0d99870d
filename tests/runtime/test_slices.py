"""A call that runs in slices of fuel: native code alone runs most of them, which is no different."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest

from svm import (
    ENGINES,
    Finished,
    Guest,
    LimitError,
    Limits,
    Module,
    Paused,
    Suspend,
    Suspended,
    Task,
    Trapped,
    UsageError,
)
from svm.engines.native.blob import supported
from svm.module import from_text
from tests.conftest import Spawn
from tests.runtime.functions import summed

TEXT = f"""
    import "host" "ask" func $ask (param i32) (result i32)
    memory 1 20
    func $sum (param $n i32) (result i64)
      local $sum i64
      loop
        local.get $sum
        i64.const 3
        i64.mul
        local.get $n
        i64.extend_i32_u
        i64.add
        local.set $sum
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if 0
      end
      local.get $sum
    end
{summed("asks", "local.get $n", "call $ask")}
    func $grow (param $n i32) (result i32)
      loop
        i32.const 1
        memory.grow
        drop
        memory.size
        i32.const 16
        i32.shl
        i32.const 4
        i32.sub
        local.get $n
        i32.store
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if 0
      end
      memory.size
    end
    func $fault (param $n i32)
      loop
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if 0
      end
      i32.const -1
      i32.load
      drop
    end
    func $double (param i32) (result i32)
      local.get 0
      i32.const 2
      i32.mul
    end
    export "sum" func $sum
    export "asks" func $asks
    export "grow" func $grow
    export "fault" func $fault
    export "double" func $double
"""


def on(engine: str, text: str, **options: Any) -> Guest:
    return Module(from_text(text)).spawn(engine=engine, **options)


def begun(spawn: Any, name: str, count: int, ask: Callable[..., Any] = lambda value: value, **options: Any) -> Any:
    """A guest and its call, which was paused twice, so that slices are what comes next."""
    guest = spawn(TEXT, host={"ask": ask}, **options)
    task = guest.start(name, count)
    for _ in range(2):
        assert task.run(fuel=1) == Paused("fuel", guest.fuel_used, task)
    return guest, task


def ended(task: Task, random: Random, most: int = 300) -> list[Any]:
    """Outcomes up to the end."""
    found = [task.run(fuel=random.randrange(most))]
    while not task.done:
        found.append(task.run(fuel=random.randrange(most)))
    return found


@pytest.mark.parametrize(("name", "count"), [("sum", 500), ("asks", 90), ("grow", 15), ("fault", 200)])
def test_it_stops_and_ends_as_on_the_reference_engine(spawn: Spawn, name: str, count: int) -> None:
    def shown(guest: Guest, task: Task) -> list[str]:
        found = [str(outcome) for outcome in ended(task, Random(name))]
        return [*found, str(guest.fuel_used), guest.instance.mapping[:].hex()]

    assert shown(*begun(spawn, name, count)) == shown(*begun(partial(on, "reference"), name, count))


def test_slices_are_what_is_tested_here(spawn: Spawn) -> None:
    guest, task = begun(spawn, "sum", 10_000)
    stack = guest.store.stack
    assert (stack.slices is None) == (guest.engine.name == "reference")
    assert task.sliceable == (stack.slices is not None)
    if stack.slices is not None:
        left = guest.store.meter.left
        assert 0 < left - stack.slices(stack.handle, 100) < 120
        assert guest.store.meter.left < left - 90
        for wrong in ((stack.handle,), (stack.handle, -1), (stack.handle, 1.0), (b"", 1), (5, 1), ()):
            assert not isinstance(stack.slices(*wrong), int)
    for wrong_fuel in (-1, 1.5, True, "1"):
        with pytest.raises(UsageError, match="fuel"):
            task.run(fuel=wrong_fuel)
    task.run()
    assert not task.sliceable
    guest.close()


def test_a_host_function_finds_the_guest_running(spawn: Spawn) -> None:
    guest: Any = None
    refused: list[str] = []

    def ask(value: int) -> int:
        if value == 50:
            for attempt in (lambda: guest.task.run(fuel=1), lambda: guest.task.cancel(), lambda: guest.close(),
                            lambda: guest.snapshot()):  # fmt: skip
                with pytest.raises(UsageError, match="running"):
                    attempt()
                refused.append("running" if guest.store.running else "not")
        doubled: int = guest.call("double", value)
        return doubled

    guest = spawn(TEXT, host={"ask": ask})
    task = guest.start("asks", 100)
    for _ in range(3):
        task.run(fuel=5)
    assert ended(task, Random(1))[-1] == Finished(10_100, guest.fuel_used)
    assert refused == ["running"] * 4


def test_what_a_host_function_raises_comes_through(spawn: Spawn) -> None:
    def ask(value: int) -> int:
        if value == 5:
            raise ZeroDivisionError("at 5")
        return value

    guest, task = begun(spawn, "asks", 50, ask)
    with pytest.raises(ZeroDivisionError, match="at 5"):
        ended(task, Random(2))
    assert task.done and guest.task is None
    assert guest.call("double", 4) == 8


def test_a_host_function_that_answers_later(spawn: Spawn) -> None:
    guest, task = begun(spawn, "asks", 50, lambda value: Suspend(value) if value == 20 else 1)
    while not isinstance(task.run(fuel=50), Suspended):
        pass
    with pytest.raises(UsageError, match="waits for host function"):
        task.run(fuel=50)
    assert isinstance(task.resume(1, fuel=10), Paused)
    assert ended(task, Random(3))[-1] == Finished(50, guest.fuel_used)


def test_a_pause_that_a_host_function_asks_for(spawn: Spawn) -> None:
    guest, task = begun(spawn, "asks", 50, lambda value: guest.pause() or 1 if value == 20 else 1)
    reasons = [str(outcome.reason) for outcome in ended(task, Random(4)) if isinstance(outcome, Paused)]
    assert reasons.count("pause") == 1 and set(reasons) == {"pause", "fuel"}


def test_the_guests_own_limit_of_fuel(spawn: Spawn) -> None:
    guest, task = begun(spawn, "sum", 1000, limits=Limits(fuel=500))
    while guest.fuel_used < 500:
        assert task.run(fuel=40).reason == "fuel"
    used = guest.fuel_used
    assert task.run(fuel=40) == Paused("fuel", used, task) and task.run() == Paused("fuel", used, task)
    guest.add_fuel(100)
    assert task.run(fuel=40).fuel_used > used
    guest.limits = Limits(seconds=30)  # with a limit of time, the time is looked at
    assert isinstance(task.run(fuel=40), Paused) and isinstance(task.run(), Finished)


def test_a_call_that_could_not_begin_begins_once_there_is_fuel(spawn: Spawn) -> None:
    """A fuzzer's finding: a slice of native code went on with what had not begun, and ended at once."""
    guest = spawn(TEXT, host={"ask": lambda value: value}, limits=Limits(fuel=10))
    overdrawn = guest.start("sum", 1000)
    assert isinstance(overdrawn.run(), Paused)
    overdrawn.cancel()
    task = guest.start("double", 21)
    assert isinstance(task.run(fuel=7), Paused)
    used = guest.fuel_used
    guest.add_fuel(1000)
    outcome = task.run(fuel=7)
    assert isinstance(outcome, Finished) and outcome.value == 42
    assert guest.fuel_used > used


def test_fuel_that_is_still_overdrawn_when_more_was_granted(spawn: Spawn) -> None:
    """A fuzzer's finding: native code ran a round further on what was overdrawn, or a call that needs no test."""
    guest, task = begun(spawn, "sum", 1000, limits=Limits(fuel=500))
    while guest.fuel_used <= 500:
        assert isinstance(task.run(fuel=40), Paused)
    used = guest.fuel_used
    guest.limits = Limits(fuel=used - 1)
    for fuel in (0, 1, 40, None):
        assert task.run(fuel=fuel) == Paused("fuel", used, task)
    task.cancel()
    with pytest.raises(LimitError):
        guest.call("double", 21)
    assert guest.task is not None
    guest.task.cancel()
    guest.limits = Limits(fuel=used)
    assert guest.call("double", 21) == 42


def test_a_call_that_is_not_the_guests_any_more(spawn: Spawn) -> None:
    guest, task = begun(spawn, "sum", 1000)
    snapshot = guest.snapshot()
    task.run(fuel=1)
    guest.rollback(snapshot)
    with pytest.raises(UsageError, match="ended"):
        task.run(fuel=1)
    other = guest.task
    assert other is not None and isinstance(other.run(fuel=1), Paused)
    other.cancel()
    with pytest.raises(UsageError, match="ended"):
        other.run(fuel=1)
    third = guest.start("sum", 1000)
    for _ in range(3):
        third.run(fuel=10)
    guest.close()
    with pytest.raises(UsageError, match="closed"):
        third.run(fuel=1)


def test_it_moves_between_slices(spawn: Spawn) -> None:
    guest, task = begun(spawn, "asks", 300)
    for turn in range(60):
        if turn % 7 == 0:
            guest.engine = ENGINES[sorted(ENGINES)[turn % len(ENGINES)]]()
        assert isinstance(task.run(fuel=9), Paused)
    assert ended(task, Random(5))[-1] == Finished(300 * 301 // 2, guest.fuel_used)


def test_another_thread_goes_on(spawn: Spawn) -> None:
    _, task = begun(spawn, "sum", 1000)
    outcomes: list[Any] = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: outcomes.extend(task.run(fuel=10) for _ in range(3)))
        thread.start()
        thread.join()
        outcomes.append(task.run(fuel=10))
    assert [outcome.reason for outcome in outcomes] == ["fuel"] * 12
    assert [outcome.fuel_used for outcome in outcomes] == sorted({outcome.fuel_used for outcome in outcomes})


def test_a_second_thread_is_refused(spawn: Spawn) -> None:
    here, go = threading.Event(), threading.Event()

    def ask(value: int) -> int:
        if value == 20:
            here.set()
            assert go.wait(20)
        return value

    guest, task = begun(spawn, "asks", 40, ask)
    thread = threading.Thread(target=lambda: ended(task, Random(6)))
    thread.start()
    assert here.wait(20)
    with pytest.raises(UsageError, match="another thread"):
        task.run(fuel=1)
    go.set()
    thread.join(20)
    assert task.outcome == Finished(40 * 41 // 2, guest.fuel_used)


def test_ctrl_c_between_slices(spawn: Spawn) -> None:
    guest, task = begun(spawn, "sum", 2**32 - 1)
    main = threading.main_thread().ident
    assert main is not None

    def run() -> None:
        threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT)).start()  # here: it may come at any moment
        end = time.monotonic() + 20
        while time.monotonic() < end:
            task.run(fuel=1000)

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run()
        assert isinstance(task.outcome, Paused) and not task.done
        assert isinstance(task.run(fuel=1000), Paused)
    guest.close()


def test_ctrl_c_in_a_host_function(spawn: Spawn) -> None:
    def ask(value: int) -> int:
        if value == 7:
            signal.raise_signal(signal.SIGINT)
        return value

    guest, task = begun(spawn, "asks", 20, ask)
    with pytest.raises(KeyboardInterrupt):
        ended(task, Random(8))
    assert guest.call("double", 4) == 8


@pytest.mark.skipif(supported() is None, reason="the native engine does not run here")
def test_what_slices_show_to_be_hot_is_compiled() -> None:
    guest, task = begun(partial(on, "auto"), "sum", 2**32 - 1)
    assert guest.engine.name == "auto"
    end = time.monotonic() + 60
    while not guest.tiers.units and not guest.tiers.refused and time.monotonic() < end:
        for _ in range(1000):
            task.run(fuel=5000)
    assert guest.tiers.units
    before = guest.tiers.compiled_fuel
    task.run(fuel=50_000)
    assert guest.tiers.compiled_fuel > before
    guest.close()


def test_a_trap(spawn: Spawn) -> None:
    guest, task = begun(spawn, "fault", 100)
    outcome = ended(task, Random(7))[-1]
    assert isinstance(outcome, Trapped) and outcome.fuel_used == guest.fuel_used
    assert outcome.error.traceback.frames[-1].name == "fault"
