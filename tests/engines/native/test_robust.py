"""Hostile and unlucky guests in native code: they end cleanly, and leave nothing behind."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from svm import ExhaustionError, Guest, Limits, Module, Paused, TrapError
from svm.isa import OPS, Form, ValueType
from svm.limits import PAGE
from svm.module import from_text
from tests.conftest import Spawn
from tests.engines.programs import PROGRAMS

ENGINE = "interpreter"

HOSTILE = """
    memory 1
    func $recurse (param i64) (result i64)
      local.get 0
      i64.const 1
      i64.add
      call $recurse
      i64.const 1
      i64.add
    end
    func $forever
      loop $again
        br $again
      end
    end
    func $each_other (result i32)
      call $other
    end
    func $other (result i32)
      call $each_other
    end
    func $grow (result i32)
      loop $again
        i32.const 1
        memory.grow
        i32.const -1
        i32.ne
        br_if $again
      end
      memory.size
      i32.const 65536
      i32.mul
      i32.const 8
      i32.sub
      i64.const 77
      i64.store
      memory.size
    end
    export "recurse" func $recurse
    export "forever" func $forever
    export "each_other" func $each_other
    export "grow" func $grow
    export "memory" memory 0
    """


@pytest.mark.parametrize("stack", [100, "64 KiB", "1 MiB"])
def test_runaway_recursion(spawn: Spawn, stack: Any) -> None:
    guest = spawn(HOSTILE, limits=Limits(stack=stack))
    for name, args in (("recurse", (0,)), ("each_other", ())):
        for _ in range(2):
            with pytest.raises(ExhaustionError):
                guest.call(name, *args)
    assert guest.store.stack.height == 0


def test_an_endless_loop_under_a_deadline(spawn: Spawn) -> None:
    guest = spawn(HOSTILE)
    task = guest.start("forever")
    for _ in range(2):
        outcome = task.run(seconds=0.05)
        assert isinstance(outcome, Paused) and outcome.reason == "seconds"
    task.cancel()
    with pytest.raises(ExhaustionError):
        guest.call("each_other")


def test_memory_that_grows_to_its_limit(spawn: Spawn) -> None:
    guest = spawn(HOSTILE, limits=Limits(memory="5 MiB"))
    for _ in range(2):
        assert guest.call("grow") == 80
    assert len(guest.memory) == 80 * PAGE
    assert guest.memory[80 * PAGE - 8] == 77


ACCESSES = [op for op in OPS.values() if op.form in (Form.LOAD, Form.STORE)]


@pytest.mark.parametrize("op", ACCESSES, ids=lambda op: op.name)
def test_every_access_traps_past_the_end_of_memory(spawn: Spawn, op: Any) -> None:
    """At the last place that fits, the first that does not, and far away; with the place from a local, a sum and a
    constant.
    """
    value = {kind: f"{kind}.const 0" for kind in map(str, ValueType)}
    put = value[str(op.params[1])] if op.form is Form.STORE else ""
    drop = "" if op.form is Form.STORE else "drop"
    text = f"""
        memory 1
        func $local (param i32)
          local.get 0
          {put}
          {op.name} offset=8
          {drop}
        end
        func $sum (param i32)
          local.get 0
          i32.const 1
          i32.add
          {put}
          {op.name} offset=7
          {drop}
        end
        func $inside
          i32.const {PAGE - op.size - 3}
          {put}
          {op.name} offset=3
          {drop}
        end
        func $outside
          i32.const {PAGE - op.size - 3}
          {put}
          {op.name} offset=4
          {drop}
        end
        func $far
          i32.const -1
          {put}
          {op.name} offset=4294967295
          {drop}
        end
        export "local" func $local
        export "sum" func $sum
        export "inside" func $inside
        export "outside" func $outside
        export "far" func $far
        """
    guest = spawn(text)
    last = PAGE - 8 - op.size
    for name in ("local", "sum"):
        guest.call(name, last)
        guest.call(name, 0)
        for place in (last + 1, PAGE, -16, -9, 1 << 31):
            with pytest.raises(TrapError) as error:
                guest.call(name, place)
            assert error.value.kind == "out_of_bounds_memory"
            assert [frame.name for frame in error.value.traceback.frames] == [name]
    guest.call("inside")
    for name in ("outside", "far"):
        with pytest.raises(TrapError) as error:
            guest.call(name)
        assert error.value.kind == "out_of_bounds_memory"


# What guests leave behind


def usage() -> tuple[int, int, int]:
    """Resident pages, mappings and open files of this process."""
    resident = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    mappings = Path("/proc/self/maps").read_text("ascii").count("\n")
    return resident, mappings, len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="counted as Linux tells it")
@pytest.mark.parametrize("closed", [True, False])
def test_a_thousand_guests_leave_nothing(closed: bool) -> None:
    modules = [Module(from_text(program.text)) for program in PROGRAMS.values()]

    def run(count: int) -> None:
        for at in range(count):
            guest = modules[at % len(modules)].spawn(engine=ENGINE)
            task = guest.start("f", *list(PROGRAMS.values())[at % len(modules)].args)
            task.run(fuel=None if at % 2 else 300)  # half of them are dropped in the middle of a call
            if closed:
                guest.close()
        del guest, task
        gc.collect()

    run(100)
    before = usage()
    run(1000)
    after = usage()
    assert after[0] - before[0] < 500, (before, after)  # pages: 2 MB
    assert after[1] - before[1] < 20, (before, after)
    assert after[2] == before[2]


def test_guests_on_two_threads_both_finish() -> None:
    module = Module(from_text(PROGRAMS["fib"].text))
    found: list[Any] = []

    def run() -> None:
        guest: Guest = module.spawn(engine=ENGINE)
        found.append((guest.call("f", 22), guest.fuel_used))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 2 and found[0] == found[1] and found[0][0] == 17711
