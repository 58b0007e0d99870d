"""Guests that share a store: limits, fuel, calls and their end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from svm import Finished, Guest, LimitError, Limits, Module, Paused, Store, UsageError
from svm.module import from_text
from svm.runtime import FunctionInstance
from tests.conftest import Spawn

COUNTS = """
    global $count mut i64 (i64.const 0)
    memory $memory 1
    func $spin (param $turns i32) (result i32)
      loop
        local.get $turns
        i32.const 1
        i32.sub
        local.tee $turns
        br_if 0
      end
      i32.const 7
    end
    func $self (result funcref)
      ref.func $spin
    end
    export "spin" func $spin
    export "self" func $self
    export "count" global $count
    export "memory" memory $memory
    """


def add(store: Store, text: str, **options: Any) -> Guest:
    """A guest of the store."""
    return store.spawn(Module(from_text(text)), **options)


def test_guests_share_fuel_and_limits(engine: str) -> None:
    store = Store(engine=engine, limits=Limits(fuel=1000, memory="128 KiB"))
    one, two = add(store, COUNTS), add(store, COUNTS)
    assert one.call("spin", 10) == 7
    assert store.fuel_used == one.fuel_used == two.fuel_used > 0
    assert one.fuel == two.fuel == store.fuel == 1000 - store.fuel_used
    with pytest.raises(LimitError, match="out of fuel") as error:
        two.call("spin", 1000)
    assert error.value.guest is two
    task = store.task
    assert task is not None and one.task is task is two.task
    with pytest.raises(UsageError, match="a call of the guest is paused"):
        one.call("spin", 1)
    one.add_fuel(100_000)
    assert task.run() == Finished(7, store.fuel_used)
    with pytest.raises(LimitError, match="the module's memory needs 196608 bytes, the limit is 131072"):
        add(store, COUNTS)
    assert one.limits is store.limits


def test_one_thread_drives_a_store(engine: str) -> None:
    errors: list[BaseException] = []

    def other() -> None:
        for attempt in (lambda: one.call("spin", 1), lambda: add(store, COUNTS), store.close):
            try:
                attempt()
            except UsageError as error:
                errors.append(error)

    def meanwhile() -> None:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)

    store = Store(engine=engine)
    one = add(store, COUNTS)
    two = add(store, """
        import "host" "meanwhile" func $meanwhile
        func $f
          call $meanwhile
        end
        export "f" func $f
        """, host={"meanwhile": meanwhile})  # fmt: skip
    two.call("f")
    assert [str(error)[:40] for error in errors] == [
        "the guest is driven by another thread; a", "the guest is driven by another thread; a",
        "the guest is running, and cannot be clos",
    ]  # fmt: skip


def test_a_host_function_spawns_into_its_store(engine: str) -> None:
    """Globals and functions are added while the caller runs, and the newcomer runs its start function."""
    text = """
        import "env" "count" global $count mut i64
        global $a i64 (i64.const 5)
        func $begin
          global.get $count
          global.get $a
          i64.add
          global.set $count
        end
        start $begin
        """
    store = Store(engine=engine)
    first = add(store, COUNTS)
    user = add(store, """
        import "env" "count" global $count mut i64
        import "host" "spawn" func $spawn
        func $f (result i64)
          call $spawn
          call $spawn
          global.get $count
        end
        export "f" func $f
        """, imports={"env": first},
        host={"spawn": lambda: [add(store, text, imports={"env": first}) for _ in range(50)] and None})  # fmt: skip
    assert user.call("f") == 500
    assert first.get_global("count") == 500


def test_functions_are_called_by_reference(engine: str) -> None:
    store = Store(engine=engine)
    guest = add(store, COUNTS)
    reference = guest.call("self")
    assert isinstance(reference, FunctionInstance)
    assert repr(reference) == "<function spin: (i32) -> (i32)>"
    assert store.call(reference, 5) == 7
    task = store.start(reference, 500)
    assert isinstance(task.run(fuel=10), Paused)
    assert isinstance(task.run(), Finished)
    other = Store(engine=engine)
    add(other, COUNTS)
    for wrong in (reference, None, "spin", guest):
        with pytest.raises(UsageError, match="a function of this store is expected"):
            other.call(wrong, 5)  # type: ignore[arg-type]  # that is what is tested


def test_globals_are_set_by_the_host(spawn: Spawn) -> None:
    guest = spawn("""
        import "host" "next" func $next (param f64)
        global $i mut i32 (i32.const 1)
        global $f mut f64 (f64.const 1.5)
        global $r mut externref (ref.null externref)
        global $constant i32 (i32.const 1)
        func $get (result i32 f64 externref)
          global.get $f
          call $next
          global.get $i
          global.get $f
          global.get $r
        end
        export "get" func $get
        export "i" global $i
        export "f" global $f
        export "r" global $r
        export "constant" global $constant
        """, host={"next": lambda value: guest.set_global("f", value * 2)})  # fmt: skip
    thing = object()
    guest.set_global("i", -5)
    guest.set_global("r", thing)
    assert guest.call("get") == (-5, 3.0, thing)  # the host function's change is seen by the caller at once
    assert guest.get_global("f") == 3.0
    with pytest.raises(UsageError, match="the global 'constant' is not mutable"):
        guest.set_global("constant", 1)
    with pytest.raises(UsageError, match="does not fit i32"):
        guest.set_global("i", 1 << 40)
    with pytest.raises(UsageError, match="the module exports no global 'get'"):
        guest.set_global("get", 1)


def test_the_same_object_has_one_reference(engine: str) -> None:
    store = Store(engine=engine)
    guest = add(store, """
        func $f (param externref)
        end
        export "f" func $f
        """)  # fmt: skip
    things = [object(), object()]
    for _ in range(100):
        for thing in things:
            guest.call("f", thing)
    assert len({store.arenas.hold(thing) for thing in things}) == 2
    assert store.arenas.hold(object()) == 3


SLOW_START = """
    global $done mut i32 (i32.const 0)
    func $begin
      local i32
      i32.const 1000
      local.set 0
      loop
        local.get 0
        i32.const 1
        i32.sub
        local.tee 0
        br_if 0
      end
      i32.const 1
      global.set $done
    end
    func $one (result i32)
      i32.const 1
    end
    start $begin
    export "done" global $done
    export "one" func $one
    """


def test_a_start_function_that_meets_a_limit_goes_on(engine: str, spawn: Spawn) -> None:
    limits = Limits(fuel=500)
    store = Store(engine=engine, limits=limits)
    for begin in (lambda: add(store, SLOW_START), lambda: spawn(SLOW_START, limits=limits)):
        with pytest.raises(LimitError, match="out of fuel: the limit is 500") as error:
            begin()
        guest = error.value.guest
        assert guest.get_global("done") == 0
        assert [frame.name for frame in error.value.traceback.frames] == ["begin"]
        with pytest.raises(UsageError, match="a call of the guest is paused"):
            guest.call("one")
        guest.add_fuel(50_000)
        assert guest.task.run() == Finished(None, guest.fuel_used)
        assert guest.get_global("done") == 1 == guest.call("one")


def test_a_start_function_waits_for_no_paused_call(engine: str) -> None:
    """It is refused before anything is changed; a module without one can come."""
    store = Store(engine=engine)
    guest = add(store, COUNTS)
    task = guest.start("spin", 1000)
    task.run(fuel=100)
    before = len(store.arenas.instances)
    with pytest.raises(UsageError, match="a call of the guest is paused"):
        add(store, SLOW_START)
    assert len(store.arenas.instances) == before
    add(store, COUNTS)
    assert isinstance(task.run(), Finished)
    assert add(store, SLOW_START).get_global("done") == 1


def test_a_store_moves_to_another_engine_as_a_whole(engine: str) -> None:
    from svm import ENGINES

    store = Store(engine=engine)
    one = add(store, COUNTS)
    two = add(store, """
        import "one" "spin" func $spin (param i32) (result i32)
        func $f (result i32)
          i32.const 1000
          call $spin
          i32.const 1
          i32.add
        end
        export "f" func $f
        """, imports={"one": one})  # fmt: skip
    task = two.start("f")
    task.run(fuel=500)
    for name in (*ENGINES, *ENGINES):
        two.engine = ENGINES[name]()
        assert one.engine is two.engine is store.engine
        assert isinstance(task.run(fuel=500), Paused)
    assert task.run().value == 8  # type: ignore[union-attr]  # it is Finished


def test_closing(engine: str) -> None:
    store = Store(engine=engine)
    one, two = add(store, COUNTS), add(store, COUNTS)
    one.close()
    one.close()
    with pytest.raises(UsageError, match="the guest is closed"):
        one.call("spin", 1)
    assert "closed" in repr(one)
    assert two.call("spin", 1) == 7
    third = add(store, """
        import "two" "spin" func $spin (param i32) (result i32)
        export "spin" func $spin
        """, imports={"two": two})  # fmt: skip
    two.close()
    spin = store.arenas.functions[store.arenas.functions.count - 1]
    assert isinstance(spin, FunctionInstance)
    assert third.call("spin", 1) == 7  # what it imports stays with the store
    store.close()
    store.close()
    assert "closed" in repr(third)
    for attempt in (
        lambda: third.call("spin", 1),
        lambda: add(store, COUNTS),
        lambda: store.start(spin, 1),
        lambda: third.memory,
    ):
        with pytest.raises(UsageError, match="the guest is closed"):
            attempt()
    with Store(engine=engine) as another:
        guest = add(another, COUNTS)
    with pytest.raises(UsageError, match="the guest is closed"):
        guest.call("spin", 1)
