"""Calls that are awaited on an event loop: what they wait for, what cancelling leaves, and that the loop stays live."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from svm import (
    ENGINES,
    ExitError,
    Finished,
    Guest,
    LimitError,
    Limits,
    Paused,
    StoppedError,
    Suspend,
    Suspended,
    TrapError,
    UsageError,
)
from tests.conftest import Spawn
from tests.runtime.functions import ONE, SPIN, summed

TEXT = f"""
    import "host" "fetch" func $fetch (param i32) (result i32)
    memory 1
{summed("sum", "local.get $n", "call $fetch")}
{SPIN}
    func $both (result i32)
      call $spin
      call $fetch
    end
    func $trap
      unreachable
    end
{ONE}
    export "sum" func $sum
    export "spin" func $spin
    export "both" func $both
    export "trap" func $trap
    export "one" func $one
    """
"""Its `spin` runs until the host has set the first byte of its memory."""


async def echo(n: int) -> int:
    """A host function that answers after the loop had its turn."""
    await asyncio.sleep(0)
    return n


async def forever(n: int) -> int:
    """One that never does."""
    await asyncio.Event().wait()
    return n


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test on a loop of its own."""
    asyncio.run(asyncio.wait_for(main(), 60))


def make(spawn: Spawn, fetch: Callable[..., Any] = echo, **options: Any) -> Guest:
    """A guest of the program above."""
    return spawn(TEXT, host={"fetch": fetch}, **options)


def test_a_call_is_awaited(spawn: Spawn) -> None:
    async def main() -> None:
        guest = make(spawn)
        for _ in range(2):
            assert await guest.call_async("sum", 20) == 210
        plain = make(spawn, lambda n: n)
        assert await plain.call_async("sum", 20) == 210
        plain.call("sum", 20)
        assert guest.fuel_used == plain.fuel_used
        with pytest.raises(TrapError):
            await guest.call_async("trap")
        assert guest.task is None

    run(main)


@pytest.mark.parametrize("kind", ["future", "task", "gather", "object"])
def test_anything_that_can_be_awaited(spawn: Spawn, kind: str) -> None:
    class Later:
        def __init__(self, n: int) -> None:
            self.n = n

        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return self.n

    async def first(of: Awaitable[list[int]]) -> int:
        return (await of)[0]

    def answer(n: int) -> Awaitable[int]:
        loop = asyncio.get_running_loop()
        if kind == "future":
            future: asyncio.Future[int] = loop.create_future()
            loop.call_soon(future.set_result, n)
            return future
        if kind == "task":
            return loop.create_task(echo(n))
        return Later(n) if kind == "object" else first(asyncio.gather(echo(n), echo(n)))

    async def main() -> None:
        assert await make(spawn, answer).call_async("sum", 5) == 15

    run(main)


def test_many_guests_wait_at_once(spawn: Spawn) -> None:
    async def wait(n: int) -> int:
        await asyncio.sleep(0.1)
        return n

    async def main() -> None:
        guests = [make(spawn, wait) for _ in range(50)]
        begun, threads = time.monotonic(), threading.active_count()
        assert await asyncio.gather(*(guest.call_async("sum", 3) for guest in guests)) == [6] * 50
        assert time.monotonic() - begun < 2
        assert threading.active_count() < threads + 5

    run(main)


class Special(Exception):
    """What host functions of these tests raise."""


@pytest.mark.parametrize("error", [Special("why"), ExitError(3), KeyboardInterrupt("stop"), asyncio.CancelledError()])
def test_what_is_raised_is_that_of_a_plain_function(spawn: Spawn, error: BaseException) -> None:
    """Even a CancelledError, where nobody cancelled the call."""
    kind = type(error)

    async def fail(n: int) -> int:
        await asyncio.sleep(0)
        raise kind(*error.args)

    def plain(n: int) -> int:
        raise kind(*error.args)

    notes = []

    async def main() -> None:
        for fetch in (fail, plain):
            guest = make(spawn, fetch)
            with pytest.raises(kind) as raised:
                await guest.call_async("sum", 2)
            notes.append(getattr(raised.value, "__notes__", None))
            assert guest.task is None and guest.store.stack.height == 0
            assert await guest.call_async("one") == 1

    run(main)
    assert notes[0] == notes[1]


def test_an_answer_that_does_not_fit(spawn: Spawn) -> None:
    async def bad(n: int) -> Any:
        return "x"

    async def again(n: int) -> Any:
        return echo(n)

    async def main() -> None:
        guest = make(spawn, bad)
        with pytest.raises(UsageError, match="result of host function 'fetch', value 1: i32 expected") as error:
            await guest.call_async("sum", 2)
        assert "in sum" in error.value.__notes__[0]
        assert guest.task is None
        with pytest.raises(UsageError, match="the answer of host function 'fetch' is to be awaited itself"):
            await make(spawn, again).call_async("sum", 2)

    run(main)


@asynccontextmanager
async def ticking(every: float = 0.001) -> AsyncIterator[list[float]]:
    """What this thread worked between two turns of the loop meanwhile: on a loaded machine other threads do, too."""
    gaps: list[float] = []

    async def tick() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(every)
            now = time.thread_time()
            gaps.append(now - last)
            last = now

    task = asyncio.create_task(tick())
    try:
        yield gaps
    finally:
        task.cancel()


def test_the_loop_stays_live(spawn: Spawn) -> None:
    async def main() -> None:
        guest = make(spawn)
        async with ticking() as gaps:
            call = asyncio.create_task(guest.call_async("spin"))
            while len(gaps) < 11:  # to compile, some engines took long in the first of them
                await asyncio.sleep(0.001)
            guest.memory[0] = 1
            assert await call == 5
        assert sorted(gaps)[len(gaps) // 2] < 0.1  # 0.01 is the aim, of which a busy machine may make more

    run(main)


# Cancelling


def test_cancelled_between_two_turns_it_is_paused(spawn: Spawn) -> None:
    async def main() -> None:
        guest = make(spawn)
        call = asyncio.create_task(guest.call_async("spin"))
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        task = guest.task
        assert task is not None
        assert isinstance(task.outcome, Paused) and task.outcome.reason == "cancelled"
        assert [frame.name for frame in task.outcome.traceback.frames] == ["spin"]
        used = guest.fuel_used
        outcome = task.run(fuel=1000)  # as any paused call
        assert isinstance(outcome, Paused) and guest.fuel_used > used
        guest.memory[0] = 1
        assert await task.run_async() == Finished(5, guest.fuel_used)
        assert await guest.call_async("one") == 1

    run(main)


def test_cancelled_while_a_host_function_is_awaited_it_is_suspended(spawn: Spawn) -> None:
    ended: list[int] = []

    async def wait(n: int) -> int:
        try:
            return await forever(n)
        finally:
            ended.append(n)

    async def main() -> None:
        guest = make(spawn, wait)
        for go_on in ("resume", "throw", "again", "cancel"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await guest.call_async("sum", 1)
            task = guest.task
            assert task is not None
            assert isinstance(task.outcome, Suspended)
            assert (task.outcome.function, task.outcome.waits_for, task.outcome.arguments) == ("fetch", None, (1,))
            if go_on == "resume":
                assert task.resume(9) == Finished(9, guest.fuel_used)
            elif go_on == "throw":
                with pytest.raises(Special):
                    task.throw(Special())
            elif go_on == "again":
                again = asyncio.create_task(task.run_async())
                await asyncio.sleep(0.01)
                again.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await again
                outcome = task.run()
                assert isinstance(outcome, Suspended) and outcome.waits_for is not None
                task.cancel()
            else:
                task.cancel()
            assert guest.task is None
            assert guest.call("one") == 1
        assert ended == [1] * 5

    run(main)


def test_a_host_function_may_finish_though_it_was_cancelled(spawn: Spawn) -> None:
    async def stubborn(n: int) -> int:
        try:
            return await forever(n)
        except asyncio.CancelledError:
            return 2 * n

    async def main() -> None:
        guest = make(spawn, stubborn)
        call = asyncio.create_task(guest.call_async("sum", 1))
        await asyncio.sleep(0.01)
        call.cancel()
        assert await call == 2  # as with any coroutine

    run(main)


def test_cancelled_before_and_after(spawn: Spawn) -> None:
    async def main() -> None:
        guest = make(spawn)
        call = asyncio.create_task(guest.call_async("one"))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert guest.task is None
        call = asyncio.create_task(guest.call_async("one"))
        assert await call == 1
        call.cancel()
        assert guest.task is None and guest.call("one") == 1

    run(main)


def test_a_coroutine_that_is_closed_leaves_the_guest_usable(spawn: Spawn) -> None:
    """As when its loop is closed while it waits."""
    guest = make(spawn, forever)
    loop = asyncio.new_event_loop()
    call = guest.call_async("sum", 1)
    task = loop.create_task(call)
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    assert guest.task is not None and guest.task.awaited
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # that is what is done here
    call.close()
    assert isinstance(guest.task.outcome, Suspended) and guest.task.outcome.waits_for is None
    assert guest.task.resume(4) == Finished(4, guest.fuel_used)


# Limits


def test_fuel_is_that_of_the_whole_run(spawn: Spawn) -> None:
    async def main() -> None:
        guest = make(spawn)
        task = guest.start("spin")
        for portion in (1000, 5_000_000):
            used = guest.fuel_used
            outcome = await task.run_async(fuel=portion)
            assert isinstance(outcome, Paused) and outcome.reason == "fuel"
            assert portion <= guest.fuel_used - used < portion + 100
        limited = make(spawn, limits=Limits(fuel=100))
        with pytest.raises(LimitError, match="out of fuel: the limit is 100"):
            await limited.call_async("spin")
        assert limited.task is not None

    run(main)


def test_only_the_time_in_which_the_guest_runs_counts(spawn: Spawn) -> None:
    async def slow(n: int) -> int:
        await asyncio.sleep(0.05)
        return n

    async def main() -> None:
        guest = make(spawn, slow, limits=Limits(seconds=0.1))
        assert await guest.call_async("sum", 4) == 10
        begun = time.monotonic()
        with pytest.raises(LimitError, match="out of time"):
            await guest.call_async("spin")
        assert time.monotonic() - begun >= 0.1

    run(main)


# One call at a time


def test_a_second_call_is_refused_meanwhile(spawn: Spawn) -> None:
    async def main() -> None:
        for name in ("spin", "sum"):
            guest = make(spawn, forever)
            call = asyncio.create_task(guest.call_async(name, *(1,) * (name == "sum")))
            await asyncio.sleep(0.01)
            with pytest.raises(UsageError, match=f"call of '{name}' is being awaited; a guest does one call at a time"):
                await guest.call_async("one")
            with pytest.raises(UsageError, match="is being awaited"):
                guest.call("one")
            assert guest.task is not None
            for attempt in (guest.task.run, guest.task.resume, guest.task.cancel):
                with pytest.raises(UsageError, match="the call is running"):
                    attempt()
            with pytest.raises(UsageError, match="the call is running"):
                await guest.task.run_async()
            with pytest.raises(UsageError, match="the guest's call is awaited: cancel what awaits it"):
                guest.close()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            guest.close()

    run(main)


def test_what_waits_for_no_awaitable_is_not_awaited(spawn: Spawn) -> None:
    async def main() -> None:
        guest = make(spawn, Suspend)
        with pytest.raises(StoppedError, match="host function 'fetch' has not answered yet"):
            await guest.call_async("sum", 1)
        task = guest.task
        assert task is not None
        with pytest.raises(UsageError, match="waits for host function 'fetch'"):
            await task.run_async()
        assert task.resume(6) == Finished(6, guest.fuel_used)

    run(main)


def test_a_call_begun_without_a_loop_is_awaited_later(spawn: Spawn) -> None:
    guest = make(spawn)
    task = guest.start("sum", 3)
    outcome = task.run()
    assert isinstance(outcome, Suspended)

    async def main() -> None:
        assert await task.run_async() == Finished(6, guest.fuel_used)

    run(main)


def test_a_host_function_that_is_awaited_may_call_the_guest(spawn: Spawn) -> None:
    async def nest(n: int) -> int:
        before = guest.call("one")
        await asyncio.sleep(0)
        if n == 2:
            with pytest.raises(UsageError, match="'fetch' cannot be waited for: host function 'fetch' has called"):
                guest.call("sum", 1)
        for refused in (guest.close, lambda: setattr(guest, "engine", guest.engine)):
            with pytest.raises(UsageError):
                refused()
        return n + before + int(guest.call("one"))

    guest = make(spawn, nest)

    async def main() -> None:
        assert await guest.call_async("sum", 3) == 12
        assert guest.store.stack.in_host == 0 and guest.store.stack.height == 0
        assert not guest.store.running

    run(main)


def test_the_engine_changes_while_a_call_is_awaited(spawn: Spawn) -> None:
    async def main() -> None:
        for name in ENGINES:
            answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            guest = make(spawn, lambda n, answered=answered: answered)
            call = asyncio.create_task(guest.call_async("sum", 1))
            await asyncio.sleep(0)
            guest.engine = ENGINES[name]()
            answered.set_result(8)
            assert await call == 8

    run(main)


def test_a_second_thread_is_refused_and_does_no_harm(spawn: Spawn) -> None:
    refused: list[str] = []
    done = threading.Event()

    def disturb() -> None:
        while not done.is_set():
            for attempt in (lambda: guest.call("one"), guest.close):
                try:
                    attempt()
                except UsageError as error:
                    refused.append(str(error))

    async def fetch(n: int) -> int:
        if not thread.is_alive():
            thread.start()
        await asyncio.sleep(0)
        return n

    async def main() -> None:
        try:
            assert await guest.call_async("sum", 300) == 45150
        finally:
            done.set()

    guest, thread = make(spawn, fetch), threading.Thread(target=disturb)

    run(main)
    thread.join()
    assert refused


def test_pause_from_the_loop_and_from_a_thread(spawn: Spawn) -> None:
    async def main() -> None:
        guest = make(spawn)
        call = asyncio.create_task(guest.call_async("spin"))
        await asyncio.sleep(0.02)
        guest.pause()
        with pytest.raises(StoppedError, match="the call was paused") as error:
            await call
        assert error.value.reason == "pause"
        assert guest.task is not None
        timer = threading.Timer(0.02, guest.pause)
        timer.start()
        outcome = await guest.task.run_async()
        timer.join()
        assert isinstance(outcome, Paused) and outcome.reason == "pause"
        guest.memory[0] = 1
        assert await guest.task.run_async() == Finished(5, guest.fuel_used)

    run(main)


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX has them")
def test_ctrl_c_cancels_the_program_and_leaves_the_guest_paused(spawn: Spawn) -> None:
    guest = make(spawn)

    async def main() -> None:
        threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        await guest.call_async("spin")

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        pytest.skip("SIGINT is handled by somebody else")
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert guest.task is not None
    assert isinstance(guest.task.outcome, Paused) and guest.task.outcome.reason == "cancelled"
    guest.memory[0] = 1
    assert guest.task.run() == Finished(5, guest.fuel_used)
