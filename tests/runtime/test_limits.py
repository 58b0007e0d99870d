"""Limits: what is one, what is said where one is met, and that a host can raise each while the guest lives."""

from __future__ import annotations

import dataclasses
import io
import threading
from typing import Any

import pytest

from svm import (
    Console,
    ExhaustionError,
    Finished,
    Guest,
    LimitError,
    Limits,
    Paused,
    UncaughtError,
    UsageError,
    compile,
)
from tests.conftest import Spawn
from tests.runtime.functions import SPIN, deep

TEXT = f"""
    import "host" "ask" func $ask
    memory 1
    table 1 funcref
    func $grow (param i32) (result i32)
      local.get 0
      memory.grow
    end
    func $widen (param i32) (result i32)
      ref.null funcref
      local.get 0
      table.grow 0
    end
{deep()}
    func $spin (param i32)
      loop $next
        local.get 0
        i32.const 1
        i32.sub
        local.tee 0
        br_if $next
      end
    end
    func $asks (param i32)
      call $ask
      local.get 0
      call $spin
    end
    export "grow" func $grow
    export "widen" func $widen
    export "deep" func $deep
    export "spin" func $spin
    export "asks" func $asks
    """


def make(spawn: Spawn, ask: Any = lambda: None, **limits: Any) -> Guest:
    """A guest of the program above."""
    return spawn(TEXT, host={"ask": ask}, limits=Limits(**limits))


def change(guest: Guest, **changes: Any) -> None:
    """Have other limits."""
    guest.limits = dataclasses.replace(guest.limits, **changes)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"memory": -1}, "a size cannot be negative: -1"),
        ({"memory": 1.5}, "not a size: 1.5"),
        ({"memory": "lots"}, "not a size: 'lots'"),
        ({"memory": True}, "not a size: True"),
        ({"memory": 1 << 80}, "no machine has so many bytes"),
        ({"memory": "9" * 400 + "g"}, "not a size"),
        ({"memory": "9999999999999g"}, "no machine has so many bytes"),
        ({"stack": 0}, "a stack has 1 to"),
        ({"stack": "2 GiB"}, "a stack has 1 to"),
        ({"stack": []}, r"not a size: \[\]"),
        ({"output": -5}, "a size cannot be negative: -5"),
        ({"storage": -5}, "a size cannot be negative: -5"),
        ({"values": "x"}, "not a size: 'x'"),
        ({"fuel": -1}, "fuel is a whole number from 0"),
        ({"fuel": 1.0}, "fuel is a whole number from 0"),
        ({"fuel": True}, "fuel is a whole number from 0"),
        ({"fuel": 10**400}, "not an integer of 1329 bits"),
        ({"seconds": 0}, "seconds must be positive"),
        ({"seconds": float("nan")}, "seconds are a number from 0, not nan"),
        ({"seconds": -1.0}, "seconds are a number from 0, not -1.0"),
        ({"seconds": "1"}, "seconds are a number from 0, not '1'"),
        ({"table_elements": -1}, "table_elements is 0 to"),
        ({"table_elements": "5"}, "table_elements is 0 to .*, not '5'"),
    ],
)
def test_what_is_no_limit(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Limits(**limits)


def test_what_is_a_limit() -> None:
    limits = Limits(memory="1.5 MiB", seconds=10**400, output="2k")
    assert (limits.memory, limits.output, limits.seconds) == (3 << 19, 2048, 1e9)
    assert "memory=1572864" in repr(limits) and "output=2048" in repr(limits)
    assert dataclasses.replace(limits, fuel=5).fuel == 5


@pytest.mark.parametrize("seconds", [float("nan"), -1, True, None])
def test_seconds_and_fuel_of_a_run_are_checked(spawn: Spawn, seconds: Any) -> None:
    guest = make(spawn)
    if seconds is not None:
        with pytest.raises(UsageError, match="seconds are a number from 0"):
            guest.start("spin", 1).run(seconds=seconds)
    with pytest.raises(UsageError, match="fuel is a whole number from 0"):
        guest.start("spin", 1).run(fuel=1 << 70)
    assert isinstance(guest.start("spin", 1).run(seconds=10**400, fuel=1000), Finished)
    assert isinstance(guest.start("spin", 1).run(seconds=float("inf")), Finished)


def test_memory_and_tables_are_raised_and_lowered(spawn: Spawn) -> None:
    guest = make(spawn, memory="64 KiB", table_elements=1)
    for name in ("grow", "widen"):
        assert guest.call(name, 1) == -1
    change(guest, memory="192 KiB", table_elements=3)
    for name in ("grow", "widen"):
        assert guest.call(name, 1) == 1
        assert guest.call(name, 2) == -1
    change(guest, memory="64 KiB", table_elements=1)  # less than it has
    for name in ("grow", "widen"):
        assert guest.call(name, 1) == -1
        assert guest.call(name, 0) == 2


def test_fuel_is_raised_to_a_total(spawn: Spawn) -> None:
    guest = make(spawn, fuel=100)
    with pytest.raises(LimitError, match="out of fuel: the limit is 100") as error:
        guest.call("spin", 1000)
    assert (error.value.limit, error.value.value) == ("fuel", 100)
    assert error.value.fuel_used == guest.fuel_used
    assert [frame.name for frame in error.value.traceback.frames] == ["spin"]
    used = guest.fuel_used
    change(guest, fuel=500)
    assert guest.fuel == 500 - used and guest.task is not None
    outcome = guest.task.run()
    assert isinstance(outcome, Paused) and outcome.reason == "fuel"
    guest.add_fuel(1000)
    assert guest.limits.fuel == 1500
    change(guest, fuel=None)
    assert guest.fuel is None
    assert isinstance(guest.task.run(), Finished)
    change(guest, fuel=10)  # less than was used
    assert guest.fuel == 0
    with pytest.raises(LimitError, match="out of fuel: the limit is 10"):
        guest.call("spin", 5)


def test_a_host_function_raises_the_limits_of_the_call_that_runs(spawn: Spawn) -> None:
    guest: Guest = make(spawn, lambda: change(guest, fuel=1_000_000), fuel=50)
    guest.call("asks", 1000)
    assert 50 < guest.fuel_used < 1_000_000
    lowered: Guest = make(spawn, lambda: change(lowered, fuel=40), fuel=1_000_000)
    with pytest.raises(LimitError, match="the limit is 40"):
        lowered.call("asks", 1000)


def test_the_stack_is_raised(spawn: Spawn) -> None:
    guest = make(spawn, stack=1000)
    with pytest.raises(ExhaustionError, match="the guest's stack limit is 1000 bytes") as error:
        guest.call("deep", 100)
    assert error.value.limit == 1000 and error.value.traceback.frames
    change(guest, stack="64 KiB")
    assert guest.call("deep", 100) == 100
    task = guest.start("deep", 900)
    task.run(fuel=3000)
    change(guest, stack="1 MiB")  # under a call that is paused
    with pytest.raises(UsageError, match="the guest's frames take more than 1000 bytes of stack already"):
        change(guest, stack=1000)
    assert task.run() == Finished(900, guest.fuel_used)
    assert guest.call("deep", 10_000) == 10_000
    inside: Guest = make(spawn, lambda: change(inside, stack="2 MiB"))
    with pytest.raises(UsageError, match="host function 'ask', which cannot be paused: its stack cannot get another"):
        inside.call("asks", 1)


def test_seconds_are_those_of_the_next_run(spawn: Spawn) -> None:
    guest = spawn(f'memory 1\n{SPIN}\nexport "spin" func $spin', limits=Limits(seconds=0.02))
    with pytest.raises(LimitError, match=r"out of time: the limit is 0\.02 s") as error:
        guest.call("spin")  # a loop without an effect takes compiled code no time
    assert (error.value.limit, error.value.value) == ("seconds", 0.02)
    change(guest, seconds=0.01)
    assert guest.task is not None
    outcome = guest.task.run()
    assert isinstance(outcome, Paused) and outcome.reason == "seconds"


def test_limits_are_refused_to_others(spawn: Spawn) -> None:
    guest = make(spawn)
    with pytest.raises(UsageError, match="limits are a `Limits`, not 5"):
        guest.limits = 5  # type: ignore[assignment]  # that is what is tested
    errors: list[str] = []

    def elsewhere() -> None:
        for attempt in (lambda: change(guest, fuel=10), lambda: guest.add_fuel(10)):
            try:
                attempt()
            except UsageError as error:
                errors.append(str(error))

    def ask() -> None:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    guest = make(spawn, ask, fuel=1000)
    guest.call("asks", 1)
    assert len(errors) == 2 and "another thread" in errors[0]
    guest.close()
    with pytest.raises(UsageError, match="closed"):
        guest.limits = Limits()


PRINTS = compile("""
def main() -> int:
    for turn in range(4):
        print("0123456789", flush=True)
    return 5

main()
""")


def test_output_pauses_and_goes_on(engine: str) -> None:
    out = io.BytesIO()
    console = Console(io.BytesIO(), out, out)
    guest = PRINTS.spawn(engine=engine, devices=[console], limits=Limits(output=15))
    with pytest.raises(LimitError, match="the limit of output, 15 bytes, is reached") as error:
        guest.call("_start")
    assert (error.value.limit, error.value.value) == ("output", 15)
    assert error.value.traceback.frames and error.value.fuel_used == guest.fuel_used
    assert out.getvalue() == b"0123456789\n0123"
    task = guest.task
    assert task is not None
    outcome = task.run()  # nothing was raised
    assert isinstance(outcome, Paused) and outcome.reason == "output"
    change(guest, output=20)
    outcome = task.run()
    assert isinstance(outcome, Paused)
    assert out.getvalue() == b"0123456789\n012345678"
    change(guest, output=None)
    assert isinstance(task.run(), Finished)
    assert out.getvalue() == b"0123456789\n" * 4


def test_output_that_is_refused_ends_with_the_call(engine: str) -> None:
    guest = PRINTS.spawn(engine=engine, devices=[Console(io.BytesIO(), io.BytesIO(), None)], limits=Limits(output=0))
    with pytest.raises(LimitError, match="0 bytes"):
        guest.run()
    guest.flush()  # in vain, but no harm
    assert guest.task is not None
    guest.task.cancel()
    with pytest.raises((LimitError, UncaughtError)):
        guest.run()
