"""Fuel: the same however it is handed out, and a pause at any test changes nothing."""

from __future__ import annotations

import time
from array import array
from typing import Any

import pytest

import svm.runtime.task
from svm import ENGINES, Finished, Guest, LimitError, Limits, Paused
from svm.limits import PAGE
from svm.lower import BULK_CHUNK
from tests.conftest import Spawn, set_first_slice
from tests.engines.programs import PROGRAMS, Program

FUEL = {"fib": 1526, "sieve": 5191, "exceptions": 540, "indirect": 723, "counted": 2695, "bulk": 6831}
"""What each program uses: part of the charges' version, so a change here is a new version."""


def state(guest: Guest) -> tuple[Any, ...]:
    """All that a paused guest is."""
    instance = guest.instance
    return (
        guest.fuel_used,
        guest.store.stack.record() if guest.task else None,
        tuple(memory.data[: memory.size] for memory in instance.memories),
        tuple(tuple(table.elements) for table in instance.tables),
        tuple(item.value for item in instance.globals),
    )


def run(guest: Guest, program: Program, fuel: int) -> tuple[list[Any], Any]:
    """The state at every pause of a run in portions of fuel, and at its end; and its result."""
    task = guest.start("f", *program.args)
    states = []
    while isinstance(outcome := task.run(fuel=fuel), Paused):
        assert outcome.reason == "fuel"
        assert outcome.fuel_used == guest.fuel_used
        states.append(state(guest))
    assert isinstance(outcome, Finished)
    return [*states, state(guest)], outcome.value


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_uses_the_same_fuel_on_every_engine(spawn: Spawn, name: str) -> None:
    program = PROGRAMS[name]
    guest = spawn(program.text)
    assert guest.call("f", *program.args) == program.result
    assert guest.fuel_used == FUEL[name]


@pytest.mark.parametrize("name", PROGRAMS)
def test_pausing_at_every_test_changes_nothing(spawn: Spawn, name: str) -> None:
    program = PROGRAMS[name]
    guest = spawn(program.text)
    guest.call("f", *program.args)
    end = state(guest)
    guest = spawn(program.text)
    states, result = run(guest, program, 0)
    assert result == program.result
    assert states[-1] == end
    assert len(states) > 3
    used = [each[0] for each in states]
    assert used == sorted(used)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("fuel", [1, 2, 3, 5, 10, 33, 100, 333, 1000, 5000])
def test_any_portions_of_fuel_give_the_same_end(spawn: Spawn, name: str, fuel: int) -> None:
    program = PROGRAMS[name]
    guest = spawn(program.text)
    states, result = run(guest, program, fuel)
    assert result == program.result
    assert states[-1][0] == FUEL[name]
    for before, after in zip([(0,), *states], states[:-1], strict=False):
        assert after[0] - before[0] > fuel  # it paused only when the portion was used up


@pytest.mark.parametrize("name", PROGRAMS)
def test_slices_are_invisible(spawn: Spawn, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = PROGRAMS[name]
    expected = run(spawn(program.text), program, 61)
    for size in (1, 2, 3, 7, 20, 61, 62, 500):
        set_first_slice(monkeypatch, size)
        monkeypatch.setattr(svm.runtime.task, "_next_size", lambda before, seconds, target, size=size: size)
        assert run(spawn(program.text), program, 61) == expected


@pytest.mark.parametrize("name", PROGRAMS)
def test_another_engine_can_go_on_from_any_pause(spawn: Spawn, name: str) -> None:
    """All of a guest's state lies in its frames: engines take turns."""
    program = PROGRAMS[name]
    guest = spawn(program.text)
    engines = [make() for make in ENGINES.values()] * 2
    task = guest.start("f", *program.args)
    turn = 0
    while isinstance(outcome := task.run(fuel=20), Paused):
        turn += 1
        guest.engine = engines[turn % len(engines)]
    assert outcome == Finished(program.result, FUEL[name])


@pytest.mark.parametrize("name", PROGRAMS)
def test_out_of_fuel_is_a_pause_and_more_can_be_added(spawn: Spawn, name: str) -> None:
    program = PROGRAMS[name]
    guest = spawn(program.text, limits=Limits(fuel=100))
    with pytest.raises(LimitError, match="out of fuel: the limit is 100") as error:
        guest.call("f", *program.args)
    assert (error.value.limit, error.value.value) == ("fuel", 100)
    assert error.value.fuel_used == guest.fuel_used > 100
    assert error.value.traceback.frames[0].name == "f"
    assert guest.fuel == 0
    task = guest.task
    assert task is not None
    while isinstance(outcome := task.run(), Paused):
        guest.add_fuel(97)
    assert outcome == Finished(program.result, FUEL[name])
    assert guest.task is None


def test_exactly_enough_fuel_is_enough(spawn: Spawn) -> None:
    for name, program in PROGRAMS.items():
        guest = spawn(program.text, limits=Limits(fuel=FUEL[name]))
        assert guest.call("f", *program.args) == program.result
        assert guest.fuel == 0
        with pytest.raises(LimitError):
            guest.call("f", *program.args)


def test_fuel_is_counted_over_the_life_of_a_guest(spawn: Spawn) -> None:
    program = PROGRAMS["fib"]
    guest = spawn(program.text, limits=Limits(fuel=10_000))
    for calls in range(1, 4):
        guest.call("f", *program.args)
        assert guest.fuel_used == calls * FUEL["fib"]
        assert guest.fuel == 10_000 - calls * FUEL["fib"]


def test_a_guest_without_fuel_pauses_at_its_first_test(spawn: Spawn) -> None:
    guest = spawn(PROGRAMS["fib"].text, limits=Limits(fuel=0))
    with pytest.raises(LimitError, match="the limit is 0"):
        guest.call("f", 9)
    assert guest.task is not None
    guest.add_fuel(10_000)
    assert guest.task.run() == Finished(34, FUEL["fib"])


LEAF = """
    func $leaf (param i64) (result i64)
      local.get 0
      i64.const 1
      i64.add
    end
    func $caller (param i64) (result i64)
      local.get 0
      call $leaf
      call $leaf
    end
    export "leaf" func $leaf
    export "caller" func $caller
    """


def test_a_leaf_is_charged_but_not_tested(spawn: Spawn) -> None:
    guest = spawn(LEAF, limits=Limits(fuel=0))
    assert guest.call("leaf", 1) == 2
    assert guest.fuel_used == 3
    guest.add_fuel(3)
    task = guest.start("caller", 1)
    assert isinstance(paused := task.run(), Paused)
    assert paused.fuel_used == 6  # the caller's three instructions, before the first of them
    guest.add_fuel(3)
    assert task.run() == Finished(3, 12)  # and the leaf's, which nobody tests


def test_a_charge_counts_the_locals_that_a_call_zeroes(spawn: Spawn) -> None:
    guest = spawn("""
        func $few
          local i64 * 7
          nop
        end
        func $many
          local i64 * 8000
          nop
        end
        export "few" func $few
        export "many" func $many
        """)
    guest.call("few")
    assert guest.fuel_used == 0
    guest.call("many")
    assert guest.fuel_used == 1000


def test_a_loop_is_charged_on_entry_and_at_its_latch(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (param i32)
          loop $next
            local.get 0
            i32.const 1
            i32.sub
            local.tee 0
            br_if $next
          end
        end
        export "f" func $f
        """)
    for rounds in (1, 2, 10):
        before = guest.fuel_used
        guest.call("f", rounds)
        assert guest.fuel_used - before == 5 * rounds
    task = guest.start("f", 10)
    pauses = 0
    while isinstance(task.run(fuel=0), Paused):
        pauses += 1
    assert pauses == 9


def test_a_counted_loop_is_not_tested(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (result i32)
          local $i i32
          i32.const 0
          local.set $i
          loop $next
            local.get $i
            i32.const 1
            i32.add
            local.tee $i
            i32.const 1000
            i32.ne
            br_if $next
          end
          local.get $i
        end
        export "f" func $f
        """)
    assert guest.start("f").run(fuel=3) == Finished(1000, 3 + 7 * 1000)  # enough for the entry


COPY = """
    memory 200
    func $copy (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      memory.copy
    end
    func $fill (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      memory.fill
    end
    func $compare (param i32 i32 i32) (result i32)
      local.get 0
      local.get 1
      local.get 2
      memory.compare
    end
    func $find (param i32 i32 i32) (result i32)
      local.get 0
      local.get 1
      local.get 2
      memory.find
    end
    export "copy" func $copy
    export "fill" func $fill
    export "compare" func $compare
    export "find" func $find
    """

MIB = 1 << 20
LONG = 4 * MIB + 777  # five chunks
CHUNKS = [BULK_CHUNK >> 6] * 4 + [777 >> 6]


def chunked(guest: Guest, name: str, *args: int) -> tuple[Any, list[int]]:
    """Result of a call that pauses after every chunk, and what each pause had charged since the last."""
    task = guest.start(name, *args)
    charges, before = [], guest.fuel_used + 4  # the function itself: entry is a leaf's, so nothing pauses there
    while isinstance(paused := task.run(fuel=0), Paused):
        charges.append(paused.fuel_used - before)
        before = paused.fuel_used
        guest.engine = guest.engine  # nothing but the frames of record carries what is left
    assert isinstance(paused, Finished)
    return paused.value, charges


@pytest.fixture
def pattern() -> bytes:
    return bytes((at * at >> 5) & 0xFF for at in range(65537)) * 200


@pytest.mark.parametrize(
    "target", [0, 1000, 5 * MIB, 3 * MIB + 5, 3 * MIB - 5, 3 * MIB - BULK_CHUNK, 3 * MIB + BULK_CHUNK]
)
def test_a_long_copy_pauses_between_chunks(spawn: Spawn, pattern: bytes, target: int) -> None:
    guest = spawn(COPY)
    model = bytearray(pattern[: 200 * PAGE])
    guest.memory[:] = model
    source = 3 * MIB
    _, charges = chunked(guest, "copy", target, source, LONG)
    model[target : target + LONG] = model[source : source + LONG]
    assert guest.memory[:] == model
    assert charges == CHUNKS


def test_a_long_fill_pauses_between_chunks(spawn: Spawn) -> None:
    guest = spawn(COPY)
    _, charges = chunked(guest, "fill", 333, 0xAB, LONG)
    assert guest.memory[:] == bytes(333) + b"\xab" * LONG + bytes(200 * PAGE - 333 - LONG)
    assert charges == CHUNKS


@pytest.mark.parametrize("differs", [None, 0, MIB - 1, MIB, 3 * MIB + 17, LONG - 1])
def test_a_long_compare_stops_at_the_first_difference(spawn: Spawn, differs: int | None) -> None:
    guest = spawn(COPY)
    if differs is not None:
        guest.memory[5 * MIB + differs] = 1
    result, charges = chunked(guest, "compare", 0, 5 * MIB, LONG)
    assert result == (0 if differs is None else -1)
    assert charges == CHUNKS[: len(CHUNKS) if differs is None else differs // BULK_CHUNK + 1]


@pytest.mark.parametrize("place", [None, 0, MIB - 1, MIB, 3 * MIB + 17, LONG - 1])
def test_a_long_find_stops_at_what_it_finds(spawn: Spawn, place: int | None) -> None:
    guest = spawn(COPY)
    if place is not None:
        guest.memory[11 + place] = 0x5A
    result, charges = chunked(guest, "find", 11, 0x5A, LONG)
    assert result == 11 + (LONG if place is None else place)
    assert charges == CHUNKS[: len(CHUNKS) if place is None else place // BULK_CHUNK + 1]


def test_a_long_table_copy_pauses_between_chunks(spawn: Spawn) -> None:
    guest = spawn("""
        table $t 3000000 externref
        func $f (param i32 i32 i32)
          local.get 0
          local.get 1
          local.get 2
          table.copy $t $t
        end
        func $fill (param i32 externref i32)
          local.get 0
          local.get 1
          local.get 2
          table.fill $t
        end
        export "f" func $f
        export "fill" func $fill
        export "t" table $t
        """)
    elements = guest.instance.tables[0].elements
    model = array("Q", range(3_000_000))
    for target, source in ((7, 0), (0, 7)):
        elements[:] = model
        _, charges = chunked(guest, "f", target, source, 2_500_000)
        expected = model[:]
        expected[target : target + 2_500_000] = model[source : source + 2_500_000]
        assert elements == expected
        assert charges == [BULK_CHUNK >> 3, BULK_CHUNK >> 3, (2_500_000 - 2 * BULK_CHUNK) >> 3]
    here = object()
    _, charges = chunked(guest, "fill", 5, here, 1_500_000)
    assert elements[4:6] != elements[5:7]
    assert len(set(elements[5 : 5 + 1_500_000])) == 1
    assert charges == [BULK_CHUNK >> 3, (1_500_000 - BULK_CHUNK) >> 3]


def test_growth_is_charged_when_it_succeeds(spawn: Spawn) -> None:
    guest = spawn("""
        memory 1 100
        func $f (param i32) (result i32)
          local.get 0
          memory.grow
        end
        export "f" func $f
        """)
    guest.call("f", 10)
    assert guest.fuel_used == 2 + (10 * PAGE >> 6)
    before = guest.fuel_used
    assert guest.call("f", 1000) == -1
    assert guest.fuel_used == before + 2
    assert isinstance(guest.start("f", 1).run(fuel=0), Paused)
    assert guest.task is not None
    assert guest.task.run() == Finished(11, before + 2 + 2 + (PAGE >> 6))


def test_added_fuel_must_not_be_negative(spawn: Spawn) -> None:
    guest = spawn(LEAF, limits=Limits(fuel=5))
    with pytest.raises(svm.UsageError):
        guest.add_fuel(-1)
    guest.add_fuel(0)
    assert guest.fuel == 5


def test_a_guest_without_a_limit_still_counts(spawn: Spawn) -> None:
    guest = spawn(LEAF)
    assert guest.fuel is None
    guest.call("caller", 1)
    assert guest.fuel_used == 9


@pytest.mark.parametrize("free", ["nop", "block\nend", "loop\nend", "try_table\nend"])
def test_what_costs_no_fuel_takes_no_time(spawn: Spawn, free: str) -> None:
    """Else a loop over a hundred thousand of them would hold up the host between two slices."""
    guest = spawn(f"""
        func $f (param $n i32)
          loop $next
            {chr(10).join([free] * 10_000)}
            local.get $n
            i32.const 1
            i32.sub
            local.tee $n
            br_if $next
          end
        end
        export "f" func $f
        """)
    guest.call("f", 1)
    begun = time.process_time()
    guest.call("f", 4000)
    assert time.process_time() - begun < 2
    assert guest.fuel_used == 5 * 4001
