"""The life of guests and their end: closed, dropped, forked, used by others; and that nothing of them is left."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from svm import (
    Console,
    Finished,
    Guest,
    LimitError,
    Limits,
    Module,
    Paused,
    Store,
    Suspend,
    Suspended,
    TrapError,
    UsageError,
)
from svm.module import from_text
from tests.conftest import Spawn

TEXT = """
    import "host" "ask" func $ask (param i32) (result i32)
    memory 1
    global $g mut i32 (i32.const 3)
    func $asks (param i32) (result i32)
      local.get 0
      call $ask
    end
    func $spin (param i32) (result i32)
      local $n i32
      loop $next
        local.get $n
        i32.const 1
        i32.add
        local.set $n
        local.get 0
        i32.const 1
        i32.sub
        local.tee 0
        br_if $next
      end
      local.get $n
    end
    func $trap
      unreachable
    end
    export "asks" func $asks
    export "spin" func $spin
    export "trap" func $trap
    export "g" global $g
    """
ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="looks into Linux's /proc")


def test_a_closed_guest_refuses_everything_and_says_so(spawn: Spawn) -> None:
    guest = spawn(TEXT, host={"ask": lambda n: n})
    snapshot = guest.snapshot()
    task = guest.start("spin", 5)
    guest.close()
    guest.close()

    async def awaited() -> None:
        await guest.call_async("spin", 1)

    attempts: list[Any] = [
        lambda: guest.call("spin", 1), lambda: guest.start("spin", 1), lambda: asyncio.run(awaited()), task.run,
        lambda: task.resume(1), lambda: task.throw(ValueError()), task.cancel, lambda: guest.memory,
        lambda: guest.exports, lambda: guest.get_global("g"), lambda: guest.set_global("g", 1), guest.flush,
        guest.snapshot, guest.clone, lambda: guest.rollback(snapshot), lambda: setattr(guest, "limits", Limits()),
        lambda: guest.add_fuel(1), lambda: guest.tiers, lambda: setattr(guest, "engine", guest.engine),
        lambda: guest.store.spawn(Module(from_text("memory 1"))),
    ]  # fmt: skip
    for attempt in attempts:
        with pytest.raises(UsageError, match="closed"):
            attempt()
    guest.pause()  # nothing to be done
    assert "closed" in repr(guest)
    assert (guest.task, guest.limits) == (None, Limits())
    assert snapshot.restore(host={"ask": lambda n: n}).call("spin", 3) == 3


def test_leaving_a_context_closes_and_keeps_the_error(spawn: Spawn) -> None:
    guest = spawn(TEXT, host={"ask": Suspend})

    def fail() -> None:
        with guest:
            guest.start("asks", 1).run()  # suspended for good
            str(1 / 0)

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "closed" in repr(guest)

    async def main() -> None:
        async def forever(n: int) -> int:
            await asyncio.Event().wait()
            return n

        busy = spawn(TEXT, host={"ask": forever})
        call = asyncio.create_task(busy.call_async("asks", 1))

        async def fail_too() -> None:
            with busy:
                await asyncio.sleep(0)
                raise ValueError("what was wrong before")

        with pytest.raises(UsageError, match="awaited: cancel what awaits it") as error:
            await fail_too()
        assert isinstance(error.value.__context__, ValueError)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        busy.close()

    asyncio.run(main())


def test_close_from_another_thread_while_it_runs(spawn: Spawn) -> None:
    """It is refused, and the call goes on to its result."""
    refused: list[str] = []
    guest = spawn(TEXT, host={"ask": lambda n: n})

    def close() -> None:
        while not refused:
            if guest.store.running:
                try:
                    guest.close()
                except UsageError as error:
                    refused.append(str(error))

    thread = threading.Thread(target=close)
    thread.start()
    result = 0
    while not refused and "closed" not in repr(guest):
        result = guest.call("spin", 100_000 if guest.engine.name != "reference" else 2_000)
    thread.join()
    assert result in (100_000, 2_000) and "cannot be closed" in refused[0]


def test_a_store_closes_its_guests(engine: str) -> None:
    with Store(engine=engine) as store:
        guest = store.spawn(Module(from_text(TEXT)), host={"ask": lambda n: n})
        other = store.spawn(Module(from_text(TEXT)), host={"ask": lambda n: n})
        guest.close()
        assert other.call("spin", 3) == 3
        with pytest.raises(UsageError, match="the guest is closed"):
            guest.call("spin", 1)
    with pytest.raises(UsageError, match="closed"):
        other.call("spin", 1)


# Nothing is left


def one_life(module: Module, engine: str, turn: int) -> None:
    """A guest that does a bit of everything, and is closed or only dropped."""
    guest = module.spawn(
        engine=engine, limits=Limits(fuel=100_000), devices=[Console(io.BytesIO(), io.BytesIO(), io.BytesIO())],
        host={"ask": lambda n: Suspend() if n == 1 else n // (n - 2)},
    )  # fmt: skip
    guest.call("spin", 5)
    with pytest.raises(TrapError):
        guest.call("trap")
    with pytest.raises(ZeroDivisionError):
        guest.call("asks", 2)
    assert isinstance(guest.start("asks", 1).run(), Suspended)
    twin = guest.clone()
    assert twin.task is not None and guest.task is not None
    twin.task.cancel()
    assert guest.task.resume(4) == Finished(4, guest.fuel_used)
    with pytest.raises(LimitError):
        guest.call("spin", 1_000_000)
    guest.limits = Limits(stack="2 MiB")
    if turn % 2:
        guest.close()
        twin.close()


async def one_await(module: Module, engine: str) -> None:
    """A guest that is awaited, and cancelled."""

    async def forever(n: int) -> int:
        await asyncio.Event().wait()
        return n

    guest = module.spawn(engine=engine, host={"ask": forever})
    call = asyncio.ensure_future(guest.call_async("asks", 1))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)


def held() -> tuple[int, int, int]:
    """Mappings, descriptors and threads of this process."""
    gc.collect()
    maps = len(Path("/proc/self/maps").read_text("utf-8").splitlines())
    return maps, len(os.listdir("/proc/self/fd")), threading.active_count()


@LINUX
@pytest.mark.parametrize("name", ["interpreter", "auto", "reference"])
def test_a_thousand_lives_leave_nothing(name: str) -> None:
    """No mapping, descriptor or thread, and no memory to speak of."""
    module = Module(from_text(TEXT))
    turns = 1000 if name == "interpreter" else 100

    def lives(count: int) -> None:
        for turn in range(count):
            one_life(module, name, turn)

        async def awaits() -> None:
            for _ in range(count // 4):
                await one_await(module, name)

        asyncio.run(awaits())

    lives(20)
    before, memory = held(), resident()
    lives(turns)
    after = held()
    assert after[0] <= before[0] + 10 and after[1:] == before[1:]
    assert resident() - memory < 8 << 20


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text("utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")


# Forks

FORKS = textwrap.dedent("""
    import os, sys, threading, time, svm
    from svm.module import from_text

    module = svm.Module(from_text(sys.argv[2]))
    guest = module.spawn(engine=sys.argv[1], host={"ask": lambda n: svm.Suspend() if n == 1 else n})
    if sys.argv[1] == "auto":  # what compiles for it, and its thread, are there
        deadline = time.monotonic() + 60
        while not guest.tiers.units and time.monotonic() < deadline:
            guest.call("spin", 3_000_000)
        assert guest.tiers.units, guest.tiers
    warm = guest.call("spin", 1000)
    waits = module.spawn(engine=sys.argv[1], host={"ask": lambda n: svm.Suspend()})
    waits.start("asks", 1).run()
    task = guest.start("spin", 20_000)
    assert isinstance(task.run(fuel=5000), svm.Paused)
    guest.memory[0] = 1

    def rest(who):
        guest.memory[1] = who
        assert task.run().value == 20_000
        assert waits.task.resume(who).value == who
        assert guest.call("asks", 5) == 5
        fresh = module.spawn(engine=sys.argv[1], host={"ask": lambda n: n})
        assert fresh.call("spin", 200_000) == 200_000
        if sys.argv[1] == "auto":  # compiles anew, with a process of its own
            other = svm.Module(from_text(sys.argv[2].replace("i32.const 3", f"i32.const {who + 10}")))
            again, deadline = other.spawn(host={"ask": lambda n: n}), time.monotonic() + 60
            while not again.tiers.units and time.monotonic() < deadline:
                again.call("spin", 3_000_000)
            assert again.tiers.units
        assert guest.memory[0:2] == bytes((1, who))
        guest.close()

    child = os.fork()
    if not child:
        try:
            rest(7)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    rest(8)
    assert os.waitpid(child, 0)[1] == 0
    print("both")
    """)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("name", ["interpreter", "auto", "reference"])
def test_both_processes_go_on_after_a_fork(name: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "compiler")))}
    command = [sys.executable, "-W", "ignore", "-c", FORKS, name, TEXT]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert (done.stdout, done.returncode) == ("both\n", 0), done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_guest_that_another_thread_runs_is_lost_to_the_child(spawn: Spawn) -> None:
    """It is in the middle of something that nobody goes on with there; other guests are not."""
    guest, other = (spawn(TEXT, host={"ask": lambda n: (inside.set(), go.wait(20)) and n}) for _ in range(2))
    inside, go = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: guest.call("asks", 1))
    thread.start()
    inside.wait(20)
    child = os.fork()
    if not child:
        status = 1
        try:
            refused = 0
            for attempt in (lambda: guest.call("spin", 1), guest.close):
                try:
                    attempt()
                except UsageError:
                    refused += 1
            status = 0 if refused == 2 and other.call("spin", 3) == 3 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    go.set()
    thread.join()
    assert guest.call("spin", 2) == 2


def test_a_task_keeps_a_paused_guest_usable(spawn: Spawn) -> None:
    """Nobody but the task holds the guest."""
    task = spawn(TEXT, host={"ask": lambda n: n}).start("spin", 1000)
    gc.collect()
    assert isinstance(task.run(fuel=50), Paused)
    gc.collect()
    assert isinstance(task.run(), Finished)


def test_what_things_say_of_themselves(spawn: Spawn) -> None:
    guest: Guest = spawn(TEXT, host={"ask": Suspend})
    assert "ready" in repr(guest) and guest.engine.name in repr(guest)
    task = guest.start("asks", 1)
    assert "asks" in repr(task) and "ready" in repr(task)
    outcome = task.run()
    assert "waiting for 'ask'" in repr(guest) and "'ask'" in repr(task) and "Suspend(what=1)" in repr(outcome)
    assert "waiting for 'ask'" in repr(guest.store) and "1 guest" in repr(guest.store)
    assert "Limits(memory=None" in repr(guest.limits)
    assert "exports" in repr(Module(from_text(TEXT)))
