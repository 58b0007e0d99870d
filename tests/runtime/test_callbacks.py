"""Host functions called again and again: what native code calls itself, from the second time on, is no different."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from svm import Finished, Guest, HostFunction, LimitError, Limits, Module, Paused, TrapError, UsageError
from svm.module import from_text
from tests.conftest import Spawn
from tests.runtime.functions import GROW, NOTED, deep, summed

TEXT = f"""
    import "host" "f" func $f (param i32 i64 f32 f64) (result i32)
    import "host" "note" func $note (param i32)
    memory 1
    global $g mut i32 (i32.const 0)
    func $once (param $n i32) (result i32)
      local.get $n
      i64.const -3
      f32.const 0.5
      f64.const 0.1
      call $f
    end
{summed("many", "local.get $n", "call $once", then=NOTED)}
{GROW}
    func $store (param $n i32)
      loop $next
        local.get $n
        call $note
        i32.const 65536
        local.get $n
        i32.store
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if $next
      end
    end
{deep("i32.const 7", "call $note")}
    export "many" func $many
    export "grow" func $grow
    export "store" func $store
    export "deep" func $deep
    """

Host = Callable[..., Any]


def first(*args: Any) -> Any:
    """A host function's first argument."""
    return args[0]


def make(spawn: Spawn, f: Host | HostFunction = first, note: Host | HostFunction = first, **options: Any) -> Guest:
    """A guest with two host functions, the second without a result."""
    plain = note.function if isinstance(note, HostFunction) else note

    def nothing(*args: Any) -> None:
        plain(*args)

    given = HostFunction(nothing, caller=True) if isinstance(note, HostFunction) else nothing
    return spawn(TEXT, host={"f": f, "note": given}, **options)


def at(turn: int, action: Callable[[], Any]) -> Host:
    """A host function that returns its first argument, but does something when that is `turn`."""
    return lambda *args: action() if args[0] == turn else args[0]


def test_arguments_and_results_pass_every_time(spawn: Spawn) -> None:
    seen: list[tuple[Any, ...]] = []
    guest = make(spawn, lambda *args: seen.append(args) or args[0])
    assert guest.call("many", 5) == 15
    assert seen == [(n, -3, 0.5, 0.1) for n in (5, 4, 3, 2, 1)]
    assert {type(value) for value in seen[4]} == {int, float}


@pytest.mark.parametrize("turn", [5, 4, 2])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1 << 32, "4294967296 does not fit i32"),
        (1 << 70, "1180591620717411303424 does not fit i32"),
        (-(1 << 31) - 1, "-2147483649 does not fit i32"),
        (2.0, "i32 expected, float given"),
        ("2", "i32 expected, str given"),
        (None, "i32 expected, NoneType given"),
        ((1, 2), "i32 expected, tuple given"),
    ],
)
def test_a_result_that_does_not_fit_is_refused_whenever_it_comes(
    spawn: Spawn, turn: int, value: Any, message: str
) -> None:
    guest = make(spawn, at(turn, lambda: value))
    with pytest.raises(UsageError, match=f"result of host function 'f', value 1: {message}") as error:
        guest.call("many", 5)
    assert "in once" in error.value.__notes__[0]
    assert guest.task is None and guest.store.stack.height == 0
    assert guest.call("grow") == 1


def test_results_that_are_looked_at_the_long_way_pass_every_time(spawn: Spawn) -> None:
    class Index:
        def __index__(self) -> int:
            return 9

    for value, taken in ((True, 1), (Index(), 9), ((1 << 32) - 1, -1), (-(1 << 31), -(1 << 31))):
        guest = make(spawn, lambda *args, value=value: value)
        assert guest.call("many", 4) == (4 * taken + (1 << 31)) % (1 << 32) - (1 << 31)


@pytest.mark.parametrize("turn", [5, 4, 2])
def test_an_exception_comes_through_whenever_it_is_raised(spawn: Spawn, turn: int) -> None:
    class Special(Exception):
        pass

    def fail() -> None:
        raise Special(turn)

    notes = set()
    for function in ({"f": at(turn, fail)}, {"note": at(turn, fail)}):
        guest = make(spawn, **function)
        with pytest.raises(Special) as error:
            guest.call("many", 5)
        notes.add(error.value.__notes__[0].count("in once"))
        assert "in many" in error.value.__notes__[0]
        assert guest.task is None and guest.store.stack.height == 0 and guest.store.stack.in_host == 0
        assert guest.call("deep", 3) == 3
    assert notes == {0, 1}


def test_the_frames_of_an_exception_from_deep_below(spawn: Spawn) -> None:
    calls = []

    def fail(*args: int) -> None:
        calls.append(args)
        if len(calls) > 3:
            raise ValueError("deep")

    guest = make(spawn, note=fail)
    for _ in range(3):
        assert guest.call("deep", 20) == 20
    with pytest.raises(ValueError, match="deep") as error:
        guest.call("deep", 20)
    assert "[Previous line repeated 17 more times]" in error.value.__notes__[0]


def test_fuel_is_seen_and_counted_as_on_every_engine(spawn: Spawn) -> None:
    seen: list[int] = []
    guest: Guest = make(spawn, lambda *args: seen.append(guest.fuel_used) or 0)
    guest.call("many", 4)
    assert seen == [seen[0] + (seen[1] - seen[0]) * turn for turn in range(4)]
    assert seen[0] < seen[1] and guest.fuel_used >= seen[3]
    alone = make(spawn, lambda *args: 0)
    task = alone.start("many", 4)
    while isinstance(task.run(fuel=3), Paused):
        pass
    assert alone.fuel_used == guest.fuel_used


def test_memory_that_grows_while_the_host_is_called_is_used_at_once(spawn: Spawn) -> None:
    guest: Guest = make(spawn, note=at(3, lambda: guest.call("grow")))
    with pytest.raises(TrapError, match="out of bounds memory access"):
        guest.call("store", 5)  # before the host's third call
    guest = make(spawn, note=at(5, lambda: guest.call("grow")))
    guest.call("store", 5)
    assert guest.memory[65536:65540] == b"\1\0\0\0"
    guest = make(spawn, note=at(3, lambda: guest.instance.memories[0].grow(1)))
    guest.instance.memories[0].grow(1)
    guest.call("store", 5)
    assert len(guest.memory) == 3 * 65536


def test_a_guest_that_joins_the_store_while_the_host_is_called(engine: str) -> None:
    import svm

    store = svm.Store(engine=engine)
    module = Module(from_text(TEXT))
    born = []

    def spawn_more() -> int:
        for _ in range(50):  # enough for tables to move
            born.append(store.spawn(module, host={"f": first, "note": lambda value: None}))
        return int(born[-1].call("many", 2))

    guest = store.spawn(module, host={"f": at(3, spawn_more), "note": lambda value: None})
    assert guest.call("many", 5) == 5 + 4 + 3 + 2 + 1
    assert guest.call("many", 2) == 3


@pytest.mark.parametrize("turn", [5, 2])
def test_calls_nest_whenever_they_are_made(spawn: Spawn, turn: int) -> None:
    guest: Guest = make(spawn, at(turn, lambda: guest.call("deep", 30)))
    assert guest.call("many", 5) == 15 - turn + 30
    used = guest.fuel_used
    assert guest.call("many", 5) == 15 - turn + 30
    assert guest.fuel_used == 2 * used


def test_recursion_through_the_host_ends_in_an_error(spawn: Spawn) -> None:
    guest: Guest = make(spawn, lambda *args: guest.call("many", args[0]))
    for _ in range(3):
        with pytest.raises(UsageError, match="host functions call into the guest more than 40 deep"):
            guest.call("many", 1)
        assert guest.task is None and guest.store.stack.height == 0
    one: Guest = make(spawn, lambda *args: two.call("many", 1))
    two: Guest = make(spawn, lambda *args: one.call("many", 1))
    with pytest.raises((UsageError, RecursionError)):
        one.call("many", 1)
    assert one.task is None and two.task is None


def test_a_call_from_a_host_function_has_the_same_room_on_every_engine(spawn: Spawn) -> None:
    """The arguments of the host function stay on the guest's stack."""

    def used(guest: Guest) -> list[int]:
        found = []
        for _ in range(3):
            with suppress(TrapError):
                guest.call("many", 1)
            found.append(guest.fuel_used)
        return found

    def again(*args: Any) -> int:
        result: int = guest.call("deep", 1)
        return result

    for size in range(160, 480, 24):
        guest: Guest = make(spawn, again, limits=Limits(stack=size))
        mine = used(guest)
        guest = make_on_reference(again, size)
        assert mine == used(guest)


def make_on_reference(host: Callable[..., Any], size: int) -> Guest:
    functions = {"f": host, "note": lambda value: None}
    return Module(from_text(TEXT)).spawn(engine="reference", host=functions, limits=Limits(stack=size))


def test_recursion_on_a_thread_with_a_small_stack(spawn: Spawn) -> None:
    guest: Guest = make(spawn, at(1, lambda: 5), note=lambda value: None)
    results: list[Any] = []
    before = threading.stack_size(512 << 10)
    try:
        thread = threading.Thread(target=lambda: results.append((guest.call("deep", 3000), guest.call("many", 3))))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert results == [(3000, 10)]


def test_a_traceback_asked_for_by_the_host_begins_where_it_is_called(spawn: Spawn) -> None:
    names: list[str] = []

    def look(*args: Any) -> int:
        assert guest.task is not None
        names.append(guest.task.traceback().frames[-1].name)
        return 0

    guest = make(spawn, look)
    guest.call("many", 4)
    assert names == ["once"] * 4


def test_a_caller_is_given_every_time(spawn: Spawn) -> None:
    seen: list[int] = []

    def note(caller: Any, value: int) -> None:
        seen.append(value)
        caller.memory[0] = value

    guest = make(spawn, note=HostFunction(note, caller=True))
    guest.call("many", 3)
    assert seen == [3, 2, 1] and guest.memory[0] == 1


def test_the_right_caller_is_given_where_two_instances_share_an_import(engine: str) -> None:
    import svm

    callers: list[Any] = []
    store = svm.Store(engine=engine)
    text = """
        import "host" "f" func $f (param i32)
        func $g (param $n i32)
          loop $next
            local.get $n
            call $f
            local.get $n
            i32.const 1
            i32.sub
            local.tee $n
            br_if $next
          end
        end
        export "f" func $f
        export "g" func $g
        """
    host = HostFunction(lambda caller, value: callers.append(caller), caller=True)
    one = store.spawn(Module(from_text(text)), host={"f": host})
    two = store.spawn(Module(from_text(text)), imports={"host": one})
    for guest in (one, two, one, two):
        guest.call("g", 3)
        assert callers == [guest.instance] * 3
        callers.clear()


def test_another_thread_is_refused_while_the_host_is_called(spawn: Spawn) -> None:
    errors: list[Exception] = []

    def other() -> None:
        try:
            guest.call("grow")
        except UsageError as error:
            errors.append(error)

    def look() -> int:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        return 0

    guest: Guest = make(spawn, at(2, look))
    assert guest.call("many", 3) == 4
    assert len(errors) == 1 and "driven by another thread" in str(errors[0])


def test_guests_on_two_threads_call_the_host_at_once(spawn: Spawn) -> None:
    guests = [make(spawn, note=lambda value: None) for _ in range(2)]
    results: list[int] = []

    def work(guest: Guest) -> None:
        results.append(guest.call("many", 3000))

    threads = [threading.Thread(target=work, args=(guest,)) for guest in guests]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert results == [3000 * 3001 // 2] * 2


def test_nothing_leaks(spawn: Spawn) -> None:
    class Kept:
        def __call__(self, *args: Any) -> int:
            return 1000

    function = Kept()
    guest = make(spawn, function)
    turns = 20_000 if guest.engine.name != "reference" else 300
    guest.call("many", 50)
    counts = sys.getrefcount(function), sys.getrefcount(None) // 1000, sys.getrefcount(1000)
    tracemalloc.start()
    try:
        guest.call("many", turns)
        size = tracemalloc.get_traced_memory()[0]
        guest.call("many", turns)
        assert tracemalloc.get_traced_memory()[0] < size + 2000
    finally:
        tracemalloc.stop()
    assert (sys.getrefcount(function), sys.getrefcount(None) // 1000, sys.getrefcount(1000)) == counts
    result = object()
    failing = make(spawn, at(1, lambda: result))
    for _ in range(200):
        with pytest.raises(UsageError):
            failing.call("many", 3)
    gc.collect()  # errors and the frames that they have been through refer to each other
    assert sys.getrefcount(result) == 2


def test_limits_meet_calls_of_the_host(spawn: Spawn) -> None:
    guest = make(spawn, limits=Limits(fuel=500))
    with pytest.raises(LimitError, match="out of fuel"):
        guest.call("many", 10_000)
    guest.add_fuel(1_000_000)
    assert guest.task is not None
    assert guest.task.run() == Finished((10_000 * 10_001 // 2), guest.fuel_used)


@pytest.mark.skipif(
    os.name != "posix" or signal.getsignal(signal.SIGINT) is not signal.default_int_handler,
    reason="signals are sent as POSIX has them",
)
@pytest.mark.parametrize("turn", [20, 19, 5])
def test_an_interrupt_in_the_host_ends_the_call_there(spawn: Spawn, turn: int) -> None:
    after: list[int] = []

    def interrupt() -> int:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10):
            after.append(1)
        return 0

    guest = make(spawn, at(turn, interrupt))
    with pytest.raises(KeyboardInterrupt) as error:
        guest.call("many", 20)
    assert "in once" in error.value.__notes__[0]
    assert guest.task is None and guest.call("deep", 2) == 2 and len(after) < 10


def test_a_process_ends_while_a_thread_is_in_the_host(engine: str) -> None:
    program = textwrap.dedent("""
        import sys, threading, time, svm
        from svm.module import from_text
        started = threading.Event()
        def note(value):
            started.set()
        guest = svm.Module(from_text(sys.argv[2])).spawn(engine=sys.argv[1], host={"f": lambda *a: 0, "note": note})
        threading.Thread(target=guest.call, args=("many", 0), daemon=True).start()
        started.wait()
        time.sleep(0.02)
        """)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), str(root / "compiler")))}
    for _ in range(3):
        command = [sys.executable, "-c", program, engine, TEXT]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
