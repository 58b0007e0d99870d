"""Exports called again and again: from the second time on native code makes the call itself, which is no different."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from svm import ENGINES, ExitError, Guest, LimitError, Limits, Module, TrapError, UncaughtError, UsageError
from svm.module import from_text
from svm.runtime.engine import DECLINED
from tests.conftest import Spawn
from tests.runtime.functions import GROW, deep

TEXT = f"""
    import "host" "ask" func $ask (param i32) (result i32)
    memory 1
    tag $oops (param i32)
    func $scalars (param i32 i64 f32 f64) (result f64)
      local.get 0
      f64.convert_i32_s
      local.get 1
      f64.convert_i64_s
      f64.add
      local.get 2
      f64.promote_f32
      f64.add
      local.get 3
      f64.add
    end
    func $i32 (param i32) (result i32)
      local.get 0
    end
    func $i64 (param i64) (result i64)
      local.get 0
    end
    func $f32 (param f32) (result f32)
      local.get 0
    end
    func $none
    end
    func $two (param i32) (result i32 i32)
      local.get 0
      local.get 0
    end
    func $spin (param $n i32) (result i32)
      local $turns i32
      loop
        local.get $turns
        i32.const 1
        i32.add
        local.set $turns
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if 0
      end
      local.get $turns
    end
    func $fill (param $n i32)
      loop
        local.get $n
        i32.const 65532
        i32.and
        local.get $n
        i32.store
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if 0
      end
    end
    func $asks (param i32) (result i32)
      local.get 0
      call $ask
      i32.const 1
      i32.add
    end
    func $load (param i32) (result i32)
      local.get 0
      i32.load
    end
    func $throw (param i32)
      local.get 0
      throw $oops
    end
{GROW}
{deep()}
    export "scalars" func $scalars
    export "i32" func $i32
    export "i64" func $i64
    export "f32" func $f32
    export "none" func $none
    export "two" func $two
    export "spin" func $spin
    export "fill" func $fill
    export "ask" func $asks
    export "load" func $load
    export "throw" func $throw
    export "grow" func $grow
    export "deep" func $deep
"""


def make(spawn: Spawn, ask: Callable[..., Any] = lambda value: value, **options: Any) -> Guest:
    guest = spawn(TEXT, host={"ask": ask}, **options)
    for name, args in (("spin", (1,)), ("ask", (1,)), ("load", (0,)), ("grow", ()), ("deep", (1,)), ("none", ())):
        for _ in range(3):
            guest.call(name, *args)
    return guest


def call_forever(guest: Guest, turns: int) -> None:
    while True:
        guest.call("spin", turns)


class Index:
    def __index__(self) -> int:
        return 77


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("i32", (0, -1, 2**31 - 1, -(2**31), 2**32 - 1, True, Index(), 2**32, -(2**31) - 1, 1.0, "1", None, 10**100)),
        ("i64", (0, -1, 2**63 - 1, -(2**63), 2**64 - 1, False, Index(), 2**64, 1.5, b"1", 10**100)),
        ("f32", (0.0, -0.0, 1, True, 2**24 + 1, 1e39, float("inf"), "nan", None, 10**400)),
        ("none", ()),
        ("two", (1, -1)),
    ],
)
def test_values_pass_each_time_as_the_first_time(spawn: Spawn, name: str, values: tuple[Any, ...]) -> None:
    def outcome(guest: Guest, value: Any) -> str:
        try:
            return repr(guest.call(name, *(() if name == "none" else (value,))))
        except UsageError as error:
            return str(error)

    again = spawn(TEXT, host={"ask": abs})
    for value in (*values, *values[:1], *values) or (None,) * 5:
        assert outcome(again, value) == outcome(spawn(TEXT, host={"ask": abs}), value)


def test_all_kinds_together(spawn: Spawn) -> None:
    guest = spawn(TEXT, host={"ask": abs})
    for at in range(6):
        assert guest.call("scalars", -at, at << 40, 0.5, 0.25) == -at + (at << 40) + 0.75
        before = guest.fuel_used
        guest.call("none")
        assert guest.fuel_used - before == spawn_fuel(spawn)
    for args in ((), (1, 2, 3), (1, 2, 3, 4, 5)):
        with pytest.raises(UsageError, match="4 value"):
            guest.call("scalars", *args)
    assert guest.call("scalars", 1, 2, 3, 4) == 10.0


def spawn_fuel(spawn: Spawn) -> int:
    guest = spawn(TEXT, host={"ask": abs})
    guest.call("none")
    return guest.fuel_used


def test_fuel_that_runs_out_is_a_pause(spawn: Spawn) -> None:
    guest = make(spawn, limits=Limits(fuel=100_000))
    with pytest.raises(LimitError) as caught:
        call_forever(guest, 100)
    assert caught.value.limit == "fuel" and caught.value.guest is guest
    assert guest.fuel == 0
    assert guest.fuel_used >= 100_000
    guest.add_fuel(1000)
    assert guest.task is not None
    assert guest.task.run().value == 100
    assert guest.call("spin", 10) == 10


def test_calls_longer_than_a_slice(spawn: Spawn) -> None:
    guest = make(spawn)
    used = guest.fuel_used
    assert guest.call("spin", 1000) == 1000
    each = guest.fuel_used - used
    for _ in range(3):
        assert guest.call("spin", 100_000 if guest.engine.name != "reference" else 10_000)
        used = guest.fuel_used
        assert guest.call("spin", 1000) == 1000 and guest.fuel_used - used == each


def test_traps_and_exceptions(spawn: Spawn) -> None:
    guest = make(spawn)
    for _ in range(3):
        with pytest.raises(TrapError, match="out of bounds") as caught:
            guest.call("load", -1)
        assert [frame.name for frame in caught.value.traceback.frames] == ["load"]
        with pytest.raises(UncaughtError) as thrown:
            guest.call("throw", 5)
        assert thrown.value.values == (5,) and len(thrown.value.traceback.frames) == 1
        with pytest.raises(TrapError, match="stack"):
            guest.call("deep", 10_000_000)
        assert guest.task is None and guest.call("deep", 100) == 100 and guest.store.stack.height == 0


def test_what_a_host_function_raises(spawn: Spawn) -> None:
    failures: list[BaseException] = []

    def ask(value: int) -> int:
        if failures:
            raise failures.pop()
        return value

    guest = make(spawn, ask)
    for _ in range(3):
        failures.append(ValueError("no"))
        with pytest.raises(ValueError, match="no") as caught:
            guest.call("ask", 1)
        assert "asks" in caught.value.__notes__[0] and len(caught.value.__notes__) == 1
        failures.append(ExitError(3))
        with pytest.raises(ExitError) as left:
            guest.call("ask", 1)
        assert left.value.code == 3
        failures.append(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            guest.call("ask", 1)
        assert guest.task is None and guest.call("ask", 41) == 42 and guest.store.stack.height == 0


def test_what_a_host_function_may_do_meanwhile(spawn: Spawn) -> None:
    seen: list[Any] = []

    def ask(value: int) -> int:
        if value == 100:
            task = guest.task
            assert task is not None and not task.done
            seen.append([frame.name for frame in task.traceback().frames][-1:])
            with pytest.raises(UsageError, match="running"):
                task.run()
            with pytest.raises(UsageError, match="running"):
                guest.close()
            with pytest.raises(UsageError, match="inside of the host function 'ask'"):
                guest.engine = ENGINES["reference"]()
        if value == 200:
            seen.append(guest.call("spin", 300))
            seen.append(guest.call("ask", 1))
            assert guest.call("grow") > 0
        return value

    guest = make(spawn, ask)
    used = 0
    for _ in range(3):
        assert guest.call("ask", 100) == 101
        assert guest.call("ask", 200) == 201
        assert guest.task is None and guest.store.stack.height == 0
        assert guest.call("ask", 5) == 6
        assert seen == [["asks"], 300, 2]
        seen.clear()
        before, used = used, guest.fuel_used
    assert guest.fuel_used - before > 900


def test_another_thread_is_refused_meanwhile(spawn: Spawn) -> None:
    errors: list[str] = []

    def other() -> None:
        for act in (lambda: guest.call("none"), lambda: guest.start("none").run(), guest.close, guest.flush):
            with pytest.raises(UsageError) as caught:
                act()
            errors.append(str(caught.value))

    def ask(value: int) -> int:
        if value > 1:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
        return value

    guest = make(spawn, ask)
    assert guest.call("ask", 2) == 3
    assert len(errors) == 4 and all("thread" in text for text in errors)
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.extend(guest.call("spin", at) for at in range(1, 5)))
    thread.start()
    thread.join()
    assert results == [1, 2, 3, 4] and guest.call("spin", 9) == 9  # guests may change threads between calls


def test_time_limits_hold(spawn: Spawn) -> None:
    guest = make(spawn)
    guest.limits = Limits(seconds=0.05)
    begun = time.monotonic()
    with pytest.raises(LimitError, match="out of time"):
        guest.call("fill", 0)
    assert time.monotonic() - begun < 10


def test_the_engine_may_change_and_the_guest_be_closed(spawn: Spawn) -> None:
    guest = make(spawn)
    for name in (*ENGINES, *ENGINES):
        guest.engine = ENGINES[name]()
        for at in range(4):
            assert guest.call("spin", at + 1) == at + 1
    guest.close()
    for name in ("spin", "none"):
        with pytest.raises(UsageError, match="closed"):
            guest.call(name, 1)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
def test_an_interrupt_leaves_the_call_paused(spawn: Spawn) -> None:
    guest = make(spawn)
    turns = 20_000 if guest.engine.name == "reference" else 2**31 - 1
    before = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    try:
        for _ in range(2):
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            try:
                with pytest.raises(KeyboardInterrupt):
                    call_forever(guest, turns)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            if guest.task is not None:  # else it came between two calls
                guest.task.cancel()
            assert guest.call("spin", 7) == 7
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("engine", ["auto", "jit"])
def test_short_calls_get_hot_too(engine: str) -> None:
    guest = Module(from_text(TEXT)).spawn(engine=engine, host={"ask": abs})
    end = time.monotonic() + 60
    while not guest.tiers.units and time.monotonic() < end:
        guest.call("spin", 1000)
    assert guest.tiers.units
    used, compiled = guest.fuel_used, guest.tiers.compiled_fuel
    for _ in range(1000):
        guest.call("spin", 1000)
    assert guest.tiers.compiled_fuel - compiled > 0.9 * (guest.fuel_used - used)


def test_prepared_calls_are_what_is_tested_here(spawn: Spawn) -> None:
    guest = make(spawn)
    stack = guest.store.stack
    made, handle = stack.prepared(guest.instance, "spin"), stack.handle
    assert (made is None) == (guest.engine.name == "reference")
    if made is not None:
        assert made(handle, 5) == 5 and made(handle, "x") is DECLINED and made(handle) is DECLINED
        assert made() is DECLINED and made(5, 5) is DECLINED and made(b"no handle", 5) is DECLINED
        guest.close()
        assert made(handle, 5) is DECLINED


def test_guests_of_a_module_share_what_calls_it(engine: str) -> None:
    module = Module(from_text(TEXT))
    one, two = (make(lambda _, **options: module.spawn(engine=engine, **options)) for _ in range(2))
    if one.engine.name != "reference":
        assert one._prepared["spin"] is two._prepared["spin"]
    one.call("fill", 8)
    assert [guest.call("load", 0) for guest in (one, two)] == [1, 0]
    assert [guest.call("load", 8) for guest in (one, two)] == [8, 0]


def test_the_first_call_of_a_second_guest_is_prepared(engine: str) -> None:
    module, host = Module(from_text(TEXT)), {"ask": lambda value: value}
    with module.spawn(engine=engine, host=host) as first:
        assert first.call("spin", 3) == 3
    with module.spawn(engine=engine, host=host, limits=Limits(fuel=100)) as second:
        assert second.call("spin", 3) == 3 and second.call("none") is None
        assert second.engine.name == "reference" or "spin" in second._prepared
        with pytest.raises(LimitError, match="fuel"):
            second.call("spin", 1000)
    with pytest.raises(UsageError, match="closed"):
        second.call("spin", 3)


def test_nothing_is_left_behind(spawn: Spawn) -> None:
    guest = make(spawn)
    stack, handle = weakref.ref(guest.store.stack), guest.store.stack.handle
    method = guest._prepared.get("spin")
    guest.close()
    del guest
    gc.collect()
    assert stack() is None
    assert method is None or method(handle, 3) is DECLINED
