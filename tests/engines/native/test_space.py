"""Guests of one module share its code: what one links or compiles is there for all, and nothing else is."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest

from svm import Guest, Module, Paused, Store, UncaughtError
from svm.engines.native import space
from svm.engines.native.jit import tier
from svm.module import from_text

TEXT = """
    import "host" "ask" func $ask (param i64) (result i64)
    memory 1
    table $t 4 funcref
    tag $oops (param i64)
    global $g mut i64 (i64.const 0)
    func $fib (param $n i64) (result i64)
      local.get $n
      i64.const 2
      i64.lt_s
      if
        local.get $n
        return
      end
      local.get $n
      i64.const 1
      i64.sub
      call $fib
      local.get $n
      i64.const 2
      i64.sub
      call $fib
      i64.add
    end
    func $asks (param $n i64) (result i64)
      local $sum i64
      loop
        local.get $n
        call $ask
        local.get $sum
        i64.add
        local.set $sum
        global.get $g
        i64.const 1
        i64.add
        global.set $g
        local.get $n
        i64.const 1
        i64.sub
        local.tee $n
        i64.eqz
        i32.eqz
        br_if 0
      end
      local.get $sum
    end
    func $throw (param $n i64) (result i64)
      local.get $n
      throw $oops
    end
    func $catch (param $n i64) (result i64)
      block $caught (result i64)
        try_table (catch $oops $caught)
          local.get $n
          call $throw
          drop
        end
        i64.const -1
      end
    end
    func $through (param $n i64) (param $which i32) (result i64)
      local.get $n
      local.get $which
      call_indirect (param i64) (result i64)
    end
    elem active table $t at (i32.const 0) funcref (ref.func $fib) (ref.func $asks) (ref.func $catch) (ref.func $throw)
    export "fib" func $fib
    export "asks" func $asks
    export "catch" func $catch
    export "throw" func $throw
    export "through" func $through
    export "g" global $g
"""

ENGINES = ("interpreter", "jit", "auto")


@pytest.fixture(params=ENGINES)
def native(request: pytest.FixtureRequest) -> str:
    """Name of a native engine."""
    return str(request.param)


def spawn(module: Module, native: str, factor: int = 1) -> Guest:
    return module.spawn(engine=native, host={"ask": lambda value: value * factor})


def space_of(guest: Guest) -> Any:
    return guest.store.arenas.native.space


def check(guest: Guest, factor: int) -> None:
    """All that the module does, with the guest's own host function, global and tag."""
    before = guest.get_global("g")
    assert guest.call("fib", 15) == 610
    for _ in range(3):
        assert guest.call("asks", 10) == 55 * factor
        assert guest.call("catch", 7) == 7
        assert guest.call("through", 10, 1) == 55 * factor
        assert guest.call("through", 12, 0) == 144
        assert guest.call("through", 3, 2) == 3
    with pytest.raises(UncaughtError):
        guest.call("through", 3, 3)
    assert guest.get_global("g") == before + 60


def test_guests_share_code_and_nothing_else(native: str) -> None:
    module = Module(from_text(TEXT))
    guests = [spawn(module, native, factor) for factor in range(1, 5)]
    for _ in range(2):
        for factor, guest in enumerate(guests, 1):
            check(guest, factor)
    assert len({id(space_of(guest)) for guest in guests}) == 1
    used = {guest.fuel_used for guest in guests}
    assert len(used) == 1
    alone = spawn(Module(from_text(TEXT)), native, 1)
    check(alone, 1)
    check(alone, 1)
    assert {alone.fuel_used} == used and space_of(alone) is not space_of(guests[0])


def test_a_module_that_joins_takes_the_store_off_the_shared_code(native: str) -> None:
    module = Module(from_text(TEXT))
    first, other = spawn(module, native), spawn(module, native, 3)
    check(first, 1)
    check(other, 3)
    task = first.start("asks", 1000)
    outcome = task.run(fuel=100)
    assert isinstance(outcome, Paused)
    shared = space_of(first)
    joined = first.store.spawn(module, host={"ask": lambda value: -value}, imports={})
    while isinstance(outcome, Paused):
        outcome = task.run(fuel=1000)
    assert outcome == type(outcome)(500_500, outcome.fuel_used)
    assert joined.call("asks", 4) == -10
    check(joined, -1)
    check(first, 1)
    check(other, 3)
    assert space_of(first) is not shared and space_of(other) is shared


def test_stores_with_several_modules(native: str) -> None:
    module = Module(from_text(TEXT))
    check(spawn(module, native), 1)
    with Store(engine=native) as store:
        one = store.spawn(module, host={"ask": lambda value: 2 * value})
        check(one, 2)
        two = store.spawn(module, host={"ask": lambda value: 5 * value})
        check(two, 5)
        check(one, 2)
    check(spawn(module, native, 4), 4)


def test_a_space_without_room_is_left(native: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "_LEAST_ROOM", 256)
    monkeypatch.setattr(space, "_ROOM", 1)
    module = Module(from_text(TEXT))
    guests = [spawn(module, native, factor) for factor in (1, 2)]
    for factor, guest in enumerate(guests, 1):
        check(guest, factor)
        assert not space_of(guest).shared
    check(guests[0], 1)


def at_once(module: Module, native: str, factor: int, begin: threading.Barrier, failures: list[BaseException]) -> None:
    try:
        guest = spawn(module, native, factor)
        begin.wait()
        check(guest, factor)
    except BaseException as error:
        failures.append(error)
        raise


def test_guests_on_several_threads_while_code_is_made(native: str) -> None:
    for _ in range(5):
        module = Module(from_text(TEXT))
        failures: list[BaseException] = []
        begin = threading.Barrier(4)

        threads = [threading.Thread(target=at_once, args=(module, native, at, begin, failures)) for at in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures


def test_what_one_guest_made_hot_is_compiled_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tier, "AUTO", tier.Policy(first_call=False, hot=1000, background=False))
    module = Module(from_text(TEXT))
    with spawn(module, "auto") as guest:
        for _ in range(3):
            guest.call("fib", 22)
        units = guest.tiers.units
        assert units
    with spawn(module, "auto") as guest:
        guest.call("fib", 15)
        assert guest.tiers.units[: len(units)] == units
        assert guest.tiers.compiled_fuel > 0.9 * guest.fuel_used


def test_a_small_stack_withdraws_compiled_code_for_its_own_guest_alone() -> None:
    module = Module(from_text(TEXT))
    other = spawn(module, "jit")
    assert other.call("fib", 10) == 55
    results: list[Any] = []

    def work() -> None:
        guest = spawn(module, "jit")
        results.append(guest.call("fib", 15))
        results.append(space_of(guest) is space_of(other))

    over = threading.Event()
    holders = [threading.Thread(target=over.wait) for _ in range(64)]  # the C library keeps larger stacks for the next
    before = threading.stack_size(128 << 10)
    try:
        thread = threading.Thread(target=work)
        for each in (*holders, thread):
            each.start()
    finally:
        threading.stack_size(before)
    thread.join()
    over.set()
    assert results == [610, False]
    used = other.tiers.compiled_fuel
    assert other.call("fib", 15) == 610
    assert other.tiers.compiled_fuel > used


def test_a_module_that_is_gone_leaves_no_code(native: str) -> None:
    module = Module(from_text(TEXT))
    gc.disable()
    try:
        with spawn(module, native) as guest:
            assert guest.call("fib", 15) == 610 and guest.call("asks", 10) == 55
            code = weakref.ref(space_of(guest))
        del guest
        assert code() is not None
        del module
        assert code() is None
    finally:
        gc.enable()
