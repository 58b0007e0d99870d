"""The compiler as an engine: what it compiles, what it keeps, how it leaves, and how it goes on."""

from __future__ import annotations

import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from svm import ENGINES, ExhaustionError, Finished, Guest, Limits, Module, Paused, TrapError
from svm.cache import cache_folder
from svm.engines.native.jit import maker, tier
from svm.module import from_text

JIT, INTERPRETER, REFERENCE = "jit", "interpreter", "reference"


def spawn(text: str, engine: str = JIT, **options: Any) -> Guest:
    return Module(from_text(f"module $m version 1\n{text}")).spawn(engine=engine, **options)


def tier_of(guest: Guest) -> tier.Tier:
    """What is compiled in a guest."""
    found = guest.store.arenas.native.tier
    assert isinstance(found, tier.Tier)
    return found


LOOP = """
    func $f (param $n i64) (result i64)
      local $s i64
      loop $again
        local.get $n
        local.get $s
        i64.add
        local.set $s
        local.get $n
        i64.const 1
        i64.sub
        local.tee $n
        i64.const 0
        i64.ne
        br_if $again
      end
      local.get $s
    end
    export "f" func $f
"""

RECURSION = """
    func $f (param $n i64) (result i64)
      local.get $n
      i64.eqz
      if (result i64)
        i64.const 0
      else
        local.get $n
        i64.const 1
        i64.sub
        call $f
        i64.const 1
        i64.add
      end
    end
    export "f" func $f
"""


def test_a_function_is_compiled_with_what_it_calls() -> None:
    guest = spawn("""
        func $f (result i32)
          call $g
          call $g
          i32.add
        end
        func $g (result i32)
          i32.const 21
        end
        func $never (result i32)
          i32.const 1
        end
        export "f" func $f
    """)
    assert guest.call("f") == 42
    found = tier_of(guest)
    assert (len(found.units), found.failures) == (1, [])
    assert len(guest.store.arenas.native.space.compiled) == 2


def test_a_loop_is_compiled_where_the_guest_pauses_in_it() -> None:
    guest = spawn(LOOP)
    task = guest.start("f", 100_000)
    assert isinstance(task.run(fuel=1_000), Paused)
    assert len([loop for _, loop in tier_of(guest).tried if loop is not None]) == 1
    assert len(tier_of(guest).units) == 2
    outcome = task.run()
    assert isinstance(outcome, Finished)
    assert outcome.value == 100_000 * 100_001 // 2
    assert guest.fuel_used == whole(LOOP, 100_000)


def whole(text: str, *args: int) -> int:
    """Fuel that a call uses on the reference engine."""
    guest = spawn(text, REFERENCE)
    guest.call("f", *args)
    return guest.fuel_used


def test_code_is_kept_for_the_next_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spawn(LOOP).call("f", 10) == 55

    def refuse(*_: Any) -> Any:
        raise AssertionError("compiled again")

    monkeypatch.setattr(maker, "unit_ir", refuse)
    guest = spawn(LOOP)
    assert guest.call("f", 10) == 55
    assert len(tier_of(guest).units) == 1


@pytest.mark.parametrize("damage", [b"", b"svmunit2", b"x" * 500])
def test_a_damaged_file_is_compiled_anew(damage: bytes) -> None:
    spawn(RECURSION).call("f", 1)
    for path in Path(cache_folder("units")).iterdir():
        path.write_bytes(damage)
    guest = spawn(RECURSION)
    assert guest.call("f", 10) == 10
    assert (len(tier_of(guest).units), tier_of(guest).failures) == (1, [])


def test_another_unit_s_file_is_not_taken() -> None:
    spawn(LOOP).call("f", 1)
    spawn(RECURSION).call("f", 1)
    files = sorted(Path(cache_folder("units")).iterdir())
    contents = [path.read_bytes() for path in files]
    for path, data in zip(files, [*contents[1:], contents[0]], strict=True):
        path.write_bytes(data)
    assert spawn(LOOP).call("f", 10) == 55
    assert spawn(RECURSION).call("f", 10) == 10


def test_what_the_compiler_refuses_stays_interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maker, "unit_ir", lambda *_: "no IR")
    guest = spawn(LOOP.replace("i64.const 1\n", "i64.const 1\n nop\n"))
    assert guest.call("f", 10) == 55
    assert len(tier_of(guest).failures) == 1
    assert tier_of(guest).units == []


def test_a_function_over_the_cap_stays_interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maker, "_LARGEST", 5)
    guest = spawn(LOOP.replace("i64.const 1\n", "i64.const 1\n nop\n nop\n"))
    assert guest.call("f", 10) == 55
    assert tier_of(guest).units == []


def test_runaway_recursion_traps_at_the_same_depth_on_each_engine() -> None:
    text = """
        global $depth mut i64 (i64.const 0)
        func $f (param $n i64) (result i64)
          global.get $depth
          i64.const 1
          i64.add
          global.set $depth
          local.get $n
          call $f
          i64.const 1
          i64.add
        end
        export "f" func $f
        export "depth" global $depth
    """
    found = []
    for engine in ENGINES:
        guest = spawn(text, engine, limits=Limits(stack=100_000))
        with pytest.raises(ExhaustionError) as error:
            guest.call("f", 1)
        found.append((guest.get_global("depth"), guest.fuel_used, error.value.traceback.frames[-1]))
    assert found == [found[0]] * len(ENGINES)
    assert found[0][0] > 1000


STEPS = """
    memory 1
    func $outer (param $n i32) (result i32)
      i32.const 5
      local.get $n
      call $f
      i32.add
    end
    func $f (param $n i32) (result i32)
      local.get $n
      i32.eqz
      if (result i32)
        i32.const 1
      else
        i32.const 3
        i32.const 4
        local.get $n
        i32.const 1
        i32.sub
        call $f
        i32.mul
        i32.add
        i32.const 0
        local.get $n
        i32.store
        local.get $n
        i32.const 1
        i32.sub
        call $f
        i32.add
      end
    end
    export "f" func $f
    export "outer" func $outer
    export "memory" memory 0
"""


@pytest.mark.parametrize("name", ["f", "outer"])
def test_the_guest_s_stack_ends_in_any_step_of_a_recursion(name: str) -> None:
    """Two steps of it are tested together; where they may not fit, the interpreter goes on, and compiled code again."""
    ended = set()
    for stack in range(240, 480, 8):
        outcomes = []
        for engine in (REFERENCE, JIT):
            with spawn(STEPS, engine, limits=Limits(stack=stack)) as guest:
                try:
                    end: object = guest.call(name, 6)
                except TrapError as error:
                    end = [(frame.function, frame.offset) for frame in error.traceback.frames]
                outcomes.append((end, guest.fuel_used, bytes(guest.memory[:8])))
        assert outcomes[0] == outcomes[1], stack
        ended.add(isinstance(outcomes[0][0], int))
    assert ended == {True, False}


@pytest.mark.parametrize("body", ["call $f", "nop\nloop\ncall $f\nend", "i32.const 1\ndrop\ncall $f"])
def test_a_recursion_from_a_first_handler_ends(body: str) -> None:
    """There the interpreter cannot make the call, for compiled code stands in the handler's place."""
    outcomes = []
    for engine in (REFERENCE, JIT):
        guest = spawn(f"func $f\n{body}\nend\nexport \"f\" func $f", engine, limits=Limits(stack=2_000))
        for _ in range(3):
            with pytest.raises(ExhaustionError) as error:
                guest.call("f")
        outcomes.append((guest.fuel_used, error.value.traceback.frames))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("size", [192 << 10, 256 << 10, 512 << 10, 16 << 20])
def test_deep_recursion_completes_on_any_native_stack(size: int) -> None:
    depth = 200_000
    done: list[Any] = []
    spawn(RECURSION).call("f", 1)  # compiled here, for LLVM needs a stack of its own size

    def work() -> None:
        guest = spawn(RECURSION, limits=Limits(stack=64 << 20))
        done.append((guest.call("f", depth), guest.fuel_used))

    before = threading.stack_size(size)
    try:
        thread = threading.Thread(target=work)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    guest = spawn(RECURSION, INTERPRETER, limits=Limits(stack=64 << 20))
    assert done == [(guest.call("f", depth), guest.fuel_used)]


NANS = """
    memory 1
    func $f (param $a i64) (param $b i64) (result i64)
      local $x f64
      local $y f64
      local.get $a
      f64.reinterpret_i64
      local.set $x
      local.get $a
      f64.reinterpret_i64
      local.get $b
      f64.reinterpret_i64
      BODY
      i64.reinterpret_f64
    end
    export "f" func $f
"""
PAYLOAD = 0x7FF8_0000_0000_1234
INFINITY = 0x7FF0_0000_0000_0000


@pytest.mark.parametrize(
    "body",
    [
        "f64.sub",  # arithmetic's own
        "f64.sub\nf64.neg",  # its sign is seen
        "f64.sub\nf64.abs",
        "f64.add\nlocal.set $y\nlocal.get $y",  # through a local that only arithmetic writes
        "f64.add\nlocal.set $x\nlocal.get $x",  # and one that holds a payload too
        "drop\nlocal.set $y\nlocal.get $y",  # a payload passes unchanged
        "f64.div\nlocal.tee $y\nlocal.get $y\nf64.copysign",
        "f64.sub\nlocal.get $x\ni32.const 1\nselect",
        "f64.min",
    ],
)
@pytest.mark.parametrize("values", [(PAYLOAD, 0), (INFINITY, INFINITY), (0, 0), (INFINITY | 1 << 63, PAYLOAD)])
def test_nans_have_the_bits_that_they_have_on_the_reference_engine(body: str, values: tuple[int, int]) -> None:
    text = NANS.replace("BODY", body)
    expected, got = (spawn(text, engine, canonical_nans=True).call("f", *values) for engine in (REFERENCE, JIT))
    assert struct.pack("<q", got) == struct.pack("<q", expected)


def test_a_loop_after_what_compiled_code_leaves_for_can_be_entered() -> None:
    text = """
        memory 1
        func $f (param $n i32) (result i32)
          local $s i32
          i32.const 1
          memory.grow
          drop
          loop $again
            local.get $s
            local.get $n
            i32.add
            local.set $s
            local.get $n
            i32.const 1
            i32.sub
            local.tee $n
            br_if $again
          end
          local.get $s
        end
        export "f" func $f
    """
    guest = spawn(text)
    task = guest.start("f", 1000)
    assert isinstance(task.run(fuel=100), Paused)
    outcome = task.run()
    assert isinstance(outcome, Finished)
    assert outcome.value == 500_500
    assert tier_of(guest).failures == []
    assert guest.fuel_used == whole(text, 1000)


def test_a_trap_says_where_it_happened() -> None:
    text = """
        memory 1
        func $f (param $n i32) (result i32)
          local.get $n
          call $g
          i32.const 1
          i32.add
        end
        func $g (param $n i32) (result i32)
          local.get $n
          i32.load offset=4
          local.get $n
          i32.load offset=65532
          i32.add
        end
        export "f" func $f
    """
    places = []
    for engine in (REFERENCE, JIT):
        with pytest.raises(TrapError, match="out of bounds memory access") as error:
            spawn(text, engine).call("f", 8)
        places.append([(frame.name, frame.offset) for frame in error.value.traceback.frames])
    assert places[0] == places[1]


@pytest.mark.parametrize("engine", [JIT, "auto"])
def test_the_fuel_of_each_tier_is_counted(engine: str) -> None:
    guest = spawn(RECURSION, engine)
    guest.call("f", 100)
    assert guest.tiers.compiled_fuel == (guest.fuel_used if engine == JIT else 0)
    looping = spawn(LOOP, engine)
    task = looping.start("f", 10_000)
    assert isinstance(task.run(fuel=5_000), Paused)
    assert looping.tiers.compiled_fuel == (looping.fuel_used if engine == JIT else 0)
    before = looping.fuel_used
    assert isinstance(task.run(), Finished)
    assert looping.tiers.compiled_fuel == looping.fuel_used - (0 if engine == JIT else before)
    assert looping.tiers.units[-1].offset is not None or engine == "auto"


def test_fuel_of_what_compiled_code_has_interpreted_is_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
        func $f (result i32)
          call $g
          i32.const 1
          i32.add
        end
        func $g (result i32)
          nop
          i32.const 21
          i32.const 21
          i32.mul
        end
        export "f" func $f
    """
    whole_ = spawn(text, REFERENCE)
    assert whole_.call("f") == 442
    monkeypatch.setattr(maker, "_SMALL", 0)
    monkeypatch.setattr(tier, "MOST_BODY", 6)
    guest = spawn(text.replace("21", "22"))
    for _ in range(2):
        assert guest.call("f") == 485
    assert guest.fuel_used == 2 * whole_.fuel_used
    assert 0 < guest.tiers.compiled_fuel < guest.fuel_used


def test_nans_are_made_canonical_only_where_that_is_asked_for() -> None:
    """Infinity less infinity is a NaN whose sign x86 sets; the code of both kinds is kept under names of its own."""
    text = NANS.replace("BODY", "f64.sub")
    canonical, raw = (spawn(text, canonical_nans=wanted).call("f", INFINITY, INFINITY) for wanted in (True, False))
    assert canonical == 0x7FF8 << 48
    assert struct.pack("<q", raw) == struct.pack("<Q", 0xFFF8 << 48)
    assert spawn(text, INTERPRETER).call("f", INFINITY, INFINITY) == canonical
