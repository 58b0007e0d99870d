"""`Guest.pause`: from any thread, at the next safepoint or before the next call of the host, never lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from svm import Finished, Guest, LimitError, Limits, Paused, StoppedError
from tests.conftest import Spawn
from tests.runtime.functions import COUNT, ONE, SPIN, summed

TEXT = f"""
    import "host" "ask" func $ask (param i32) (result i32)
    memory 1
{SPIN}
{summed("asks", "local.get $n", "call $ask")}
{COUNT}
{ONE}
    export "spin" func $spin
    export "asks" func $asks
    export "count" func $count
    export "one" func $one
    """


def make(spawn: Spawn, ask: Callable[[int], Any] = lambda n: n, **options: Any) -> Guest:
    """A guest of the program above."""
    return spawn(TEXT, host={"ask": ask}, **options)


def paused(outcome: Any) -> bool:
    """Whether a run stopped because it was asked to."""
    return isinstance(outcome, Paused) and outcome.reason == "pause"


def test_a_running_loop_is_paused_soon_and_goes_on(spawn: Spawn) -> None:
    guest = make(spawn)
    task = guest.start("spin")
    for _ in range(3):
        asked: list[float] = []
        timer = threading.Timer(0.02, lambda asked=asked: (asked.append(time.monotonic()), guest.pause()))
        timer.start()
        outcome = task.run()
        delay = time.monotonic() - asked[0]
        assert paused(outcome)
        assert delay < 0.5  # 0.02 is the aim; a loaded machine is slower
        assert outcome.traceback.frames[0].name == "spin"  # type: ignore[union-attr]  # it is paused
        timer.join()
    assert "paused (pause)" in repr(guest)
    guest.memory[0] = 1
    assert task.run() == Finished(5, guest.fuel_used)


def test_asking_twice_is_asking_once_and_a_paused_call_stays_so(spawn: Spawn) -> None:
    guest = make(spawn)
    task = guest.start("spin")
    assert isinstance(task.run(fuel=100), Paused)
    guest.pause()  # it is
    used = guest.fuel_used
    outcome = task.run(fuel=1000)
    assert isinstance(outcome, Paused) and outcome.reason == "fuel" and guest.fuel_used > used
    guest.memory[0] = 1
    assert isinstance(task.run(), Finished)


def test_before_a_run_the_next_one_stops(spawn: Spawn) -> None:
    guest = make(spawn)
    for _ in range(4):  # native code makes the last of the calls
        assert guest.call("count", 3) == 3
    guest.pause()
    guest.pause()
    with pytest.raises(StoppedError, match="the call was paused") as error:
        guest.call("count", 1000)
    assert (error.value.reason, error.value.guest) == ("pause", guest)
    assert guest.task is not None
    assert guest.task.run() == Finished(1000, guest.fuel_used)
    assert guest.call("count", 3) == 3


def test_a_call_that_ends_before_it_meets_a_safepoint(spawn: Spawn) -> None:
    guest = make(spawn)
    guest.pause()
    assert guest.call("one") == 1  # it has none
    assert guest.call("count", 100) == 100  # and with it the request was met


def test_it_waits_for_a_host_function(spawn: Spawn) -> None:
    """And stops before the next call of one, however long they take."""
    seen: list[int] = []

    def ask(n: int) -> int:
        seen.append(n)
        if n == 95:
            guest.pause()
        return n

    guest = make(spawn, ask)
    for _ in range(2):
        seen.clear()
        task = guest.start("asks", 100)
        assert paused(task.run())
        assert seen == [100, 99, 98, 97, 96, 95]
        assert task.run() == Finished(5050, guest.fuel_used)
        assert seen == list(range(100, 0, -1))
    plain = make(spawn)
    plain.call("asks", 100)
    assert guest.fuel_used == 2 * plain.fuel_used


def test_calls_that_host_functions_make_come_to_their_end(spawn: Spawn) -> None:
    def ask(n: int) -> int:
        guest.pause()
        return int(guest.call("count", 50_000) + guest.call("asks" if n == 3 else "count", 1))

    guest = make(spawn, lambda n: ask(n) if n > 1 else n)
    task = guest.start("asks", 3)
    outcomes = [task.run()]
    while not task.done:
        outcomes.append(task.run())
    assert [paused(outcome) for outcome in outcomes] == [True, True, False]
    assert outcomes[-1] == Finished(50_001 * 2 + 1, guest.fuel_used)


def test_slow_host_functions_do_not_put_off_a_deadline(spawn: Spawn) -> None:
    guest = make(spawn, lambda n: time.sleep(0.001) or n, limits=Limits(seconds=0.05))
    begun = time.monotonic()
    with pytest.raises(LimitError, match="out of time"):
        guest.call("asks", 1_000_000)
    assert time.monotonic() - begun < 3  # 100 calls of the host or so, on a loaded machine


def test_no_request_is_lost(spawn: Spawn) -> None:
    """Whenever it comes, the call that it is meant for stops, or has ended, or the next one stops."""
    guest = make(spawn)
    requests = 150
    ask, asked = threading.Semaphore(0), threading.Semaphore(0)

    def other() -> None:
        for _ in range(requests):
            ask.acquire()
            guest.pause()
            asked.release()

    thread = threading.Thread(target=other)
    thread.start()
    task = guest.start("spin")
    for _ in range(requests):
        ask.release()
        outcome = task.run(seconds=20)  # it may come before, while, or after the run begins
        assert paused(outcome)
        asked.acquire()
        task.run(fuel=1)  # takes what came when it was paused already
    thread.join()
    guest.memory[0] = 1
    assert isinstance(task.run(), Finished)
