"""Ctrl-C: noted while guest code runs, raised where the guest is whole, never lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from svm import Finished, Guest, Paused
from tests.conftest import Spawn

WAITS = """
    import "host" "wait" func $wait
    memory 1
    func $f (result i32)
      loop $next
        i32.const 0
        i32.load8_u
        i32.eqz
        br_if $next
      end
      i32.const 5
    end
    func $g
      call $wait
    end
    export "f" func $f
    export "g" func $g
    """
"""Its `f` runs until the host has set the first byte of its memory."""

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX has them"),
    pytest.mark.skipif(
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler, reason="SIGINT is handled by somebody else"
    ),
]


@contextmanager
def interrupt_after(seconds: float) -> Iterator[list[float]]:
    """SIGINT to this process, after a while; gives the time at which it was sent."""
    sent: list[float] = []

    def send() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(seconds, send)
    timer.start()
    try:
        yield sent
    finally:
        timer.join()


def test_a_running_guest_is_interrupted_soon_and_goes_on(spawn: Spawn) -> None:
    guest = spawn(WAITS, host={"wait": lambda: None})
    task = guest.start("f")
    with interrupt_after(0.1) as sent:
        with pytest.raises(KeyboardInterrupt):
            task.run()
        delay = time.monotonic() - sent[0]
    assert delay < 0.5  # 0.05 is the aim; a loaded machine is slower
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert isinstance(task.outcome, Paused) and task.outcome.reason == "interrupt"
    assert guest.task is task and not task.done
    guest.memory[0] = 1
    assert task.run() == Finished(5, guest.fuel_used)


def test_a_host_function_is_interrupted_at_once(spawn: Spawn) -> None:
    took: list[float] = []

    def wait() -> None:
        with interrupt_after(0.05) as sent:
            try:
                time.sleep(10)
            finally:
                took.append(time.monotonic() - sent[0])

    guest = spawn(WAITS, host={"wait": wait})
    with pytest.raises(KeyboardInterrupt) as error:
        guest.call("g")
    assert took[0] < 1
    assert "in g" in error.value.__notes__[0]
    assert guest.task is None
    guest.memory[0] = 1
    assert guest.call("f") == 5


def test_an_interrupt_before_a_host_function_leaves_its_call_to_be_made(spawn: Spawn) -> None:
    """A guest that prints in a loop is paused like one that does not."""
    calls: list[int] = []
    guest = spawn(WAITS, host={"wait": lambda: calls.append(1)})
    for _ in range(3):
        calls.clear()
        guest.store.watch.noted = guest.store.stack.interrupted = True  # as if the signal came just before
        task = guest.start("g")
        with pytest.raises(KeyboardInterrupt):
            task.run()
        assert isinstance(task.outcome, Paused) and task.outcome.reason == "interrupt"
        assert [frame.name for frame in task.outcome.traceback.frames] == ["g"] and not calls
        assert task.run() == Finished(None, guest.fuel_used)
        assert calls == [1]


def test_a_guest_that_runs_inside_a_host_function_is_interrupted_between_slices(spawn: Spawn) -> None:
    """Both in a call nested in the same guest, and in another guest, which stays paused."""
    guest: Guest = spawn(WAITS, host={"wait": lambda: guest.call("f")})
    with interrupt_after(0.05), pytest.raises(KeyboardInterrupt):
        guest.call("g")
    assert guest.task is None and guest.store.stack.height == 0
    outer = spawn(WAITS, host={"wait": lambda: guest.call("f")})
    with interrupt_after(0.05), pytest.raises(KeyboardInterrupt):
        outer.call("g")
    assert outer.task is None
    assert guest.task is not None
    guest.memory[0] = 1
    assert guest.task.run() == Finished(5, guest.fuel_used)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_in_the_last_slice_is_not_lost(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call ends before anyone looks; its result is there, and the interrupt is raised all the same."""
    guest = spawn(WAITS, host={"wait": lambda: None})
    guest.memory[0] = 1
    task = guest.start("f")
    first = guest.engine.call

    def call(*args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return first(*args)

    monkeypatch.setattr(guest.engine, "call", call)  # as if the signal came while it ran
    with pytest.raises(KeyboardInterrupt):
        task.run()
    assert task.outcome == Finished(5, guest.fuel_used)
    assert task.done and guest.task is None


def test_a_handler_of_the_host_is_left_alone(spawn: Spawn) -> None:
    seen = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        guest = spawn(WAITS, host={"wait": lambda: None})
        with interrupt_after(0.05):
            outcome = guest.start("f").run(seconds=0.2)
        assert isinstance(outcome, Paused) and outcome.reason == "seconds"
        assert seen == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_guest_on_another_thread_leaves_signals_alone(spawn: Spawn) -> None:
    guest = spawn(WAITS, host={"wait": lambda: None})
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(guest.start("f").run(seconds=0.5)))
    thread.start()
    with interrupt_after(0.2), pytest.raises(KeyboardInterrupt):
        time.sleep(5)
    thread.join(5)
    assert [outcome.reason for outcome in outcomes] == ["seconds"]


def test_ctrl_c_in_a_process_of_its_own(engine: str) -> None:
    """From outside, as a terminal does it, into the first call ever."""
    program = textwrap.dedent("""
        import sys, svm
        from svm.module import from_text
        guest = svm.Module(from_text(sys.argv[2])).spawn(engine=sys.argv[1], host={"wait": lambda: None})
        print("ready", flush=True)
        try:
            guest.call("f")
        except KeyboardInterrupt:
            print("interrupted", guest.task.outcome.reason, flush=True)
        guest.memory[0] = 1
        print(guest.task.run().value, flush=True)
        """)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, engine, WAITS]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), str(root / "compiler")))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20)[0] == "interrupted interrupt\n5\n"
        assert process.returncode == 0
