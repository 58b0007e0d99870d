"""Counted loops run as the reference engine runs them: at the memory's ends, at those of numbers, without fuel."""

from __future__ import annotations

from functools import cache
from itertools import product

import pytest

from svm import Finished, Guest, Module, Paused, TrapError, Trapped
from svm.engines.native.jit.counted import batched_loops, counted_loops
from svm.engines.native.jit.versions import BATCH
from svm.limits import PAGE
from svm.lower import charges_of
from svm.module import from_text
from tests.engines.native.jit.test_engine import JIT, REFERENCE

LOOP = """
    memory 1 2
    global $seen mut i32 (i32.const 0)
    func $f (param $i TYPE) (param $n TYPE) (param $p i32) (param $s i32) (param $more i32) (result i32)
      local $sum i32
      local.get $more
      if
        local.get $more
        memory.grow
        drop
      end
      loop $next
        local.get $sum
        i32.const 31
        i32.mul
        local.get $p
        i32.load16_u offset=2
        i32.add
        local.tee $sum
        global.set $seen
        local.get $p
        i32.const -3
        i32.add
        local.get $sum
        i32.store8
        local.get $p
        STEP
        i32.add
        local.set $p
        local.get $i
        TYPE.const BY
        TYPE.add
        local.tee $i
        OTHER
        TYPE.COMPARE
        br_if $next
      end
      local.get $sum
    end
    export "f" func $f
    export "seen" global $seen
    export "memory" memory 0
"""

ENOUGH = 2_000
"""Fuel after which a loop that does not end is left."""


BOTH = {"lt_s+": -1, "le_u+": -3, "gt_u+": 1, "ge_s+": 2}
"""Comparisons of which both sides change, and by what the right one does."""


@cache
def module_of(compare: str = "lt_u", by: int = 1, step: str = "i32.const 2", type_: str = "i32") -> Module:
    """A module with such a loop."""
    text = LOOP.replace("STEP", step).replace("BY", str(by)).replace("COMPARE", compare.rstrip("+"))
    other = f"TYPE.const {BOTH[compare]}\nTYPE.add\nlocal.tee $n" if compare in BOTH else ""
    text = text.replace("OTHER", f"local.get $n\n{other}").replace("TYPE", type_)
    module = Module(from_text(f"module $m version 1\n{text}"))
    function = module.valid.function(0)
    (counted,) = counted_loops(function, charges_of(function).loops).values()
    assert (counted.by - counted.against, len(counted.groups)) == (by - BOTH.get(compare, 0), 1)
    return module


def outcome(guest: Guest, portion: int, *args: int) -> list[tuple[object, ...]]:
    """The states at a run's pauses, and how it ends."""
    task = guest.start("f", *args)
    found: list[tuple[object, ...]] = []
    while True:
        run = task.run(fuel=portion)
        end: object = run.value if isinstance(run, Finished) else run
        if isinstance(run, Trapped):
            end = str(run.error), run.error.traceback.frames[-1].offset
        state = guest.fuel_used, guest.get_global("seen"), bytes(guest.memory)
        if not isinstance(run, Paused):
            return [*found, (*state, end)]
        found.append((*state, guest.store.stack.record()))
        if guest.fuel_used > ENOUGH:
            task.cancel()
            return found


def check(module: Module, portion: int, *args: int) -> object:
    """A call ends alike on both engines; its result, or trap, or last state."""
    expected, got = (outcome(module.spawn(engine=engine), portion, *args) for engine in (REFERENCE, JIT))
    assert got == expected, args
    return expected[-1][-1]


@pytest.mark.parametrize("rounds", [1, 3, 4, 5, 6, 40])
@pytest.mark.parametrize("more", [0, 1, 2])
def test_the_memory_s_end_to_the_byte(rounds: int, more: int) -> None:
    module = module_of()
    size = PAGE * (2 if more == 1 else 1)  # it cannot grow by 2
    ends = [check(module, ENOUGH, 0, rounds, size - 4 - 2 * (rounds - 1) + by, 0, more) for by in (-1, 0, 1, 2, 3)]
    assert [isinstance(end, tuple) for end in ends] == [False, False, True, True, True]


@pytest.mark.parametrize("step", ["i32.const -2", "local.get $s"])
@pytest.mark.parametrize("rounds", [1, 5, 6, 40])
def test_the_memory_s_start_to_the_byte(step: str, rounds: int) -> None:
    module = module_of("lt_s", 1, step)
    ends = [
        check(module, ENOUGH, 0, rounds, 3 + 2 * (rounds - 1) + by, -2 & 0xFFFF_FFFF, 0) for by in (1, 0, -1, -2, -3)
    ]
    assert [isinstance(end, tuple) for end in ends] == [False, False, True, True, True]


@pytest.mark.parametrize("start", [0, 1, 2, 3, 100, PAGE - 4, PAGE, 1 << 31, (1 << 32) - 9, (1 << 32) - 1])
@pytest.mark.parametrize("step", [0, 1, 3, -1, -7, PAGE, -PAGE, (1 << 31) - 1, -1 << 31, 1 << 30])
def test_steps_that_are_known_when_it_runs(start: int, step: int) -> None:
    check(module_of("ne", 1, "local.get $s"), ENOUGH, 0, 9, start, step & 0xFFFF_FFFF, 0)


_EDGES = (0, 1, 2, 7, 8, 9, 40, (1 << 31) - 3, 1 << 31, (1 << 32) - 8, (1 << 32) - 2, (1 << 32) - 1)


@pytest.mark.parametrize(
    ("compare", "by"),
    [
        *(("ne", by) for by in (1, -1, 2, 3, -8, (1 << 31) - 1)),
        *((f"{name}_{sign}", by) for name in ("lt", "le") for sign in "su" for by in (1, 7)),
        *((f"{name}_{sign}", by) for name in ("gt", "ge") for sign in "su" for by in (-1, -4)),
        *((name, -other) for name, other in BOTH.items()),
    ],
)
def test_how_often_a_loop_goes_round(compare: str, by: int) -> None:
    module = module_of(compare, by, "i32.const 0")
    for start, end in product(_EDGES, _EDGES):
        check(module, ENOUGH, start, end, 100, 0, 0)


@pytest.mark.parametrize(
    ("compare", "by"), [("ne", 1), ("ne", -3), ("lt_s", 5), ("le_u", 1), ("gt_s", -1), ("ge_u", -2)]
)
def test_how_often_with_64_bits(compare: str, by: int) -> None:
    module = module_of(compare, by, "i32.const 0", "i64")
    edges = (0, 1, 9, 40, (1 << 32) + 3, (1 << 63) - 3, 1 << 63, (1 << 64) - 20, (1 << 64) - 1)
    for start, end in product(edges, edges):
        check(module, ENOUGH, start, end, 100, 0, 0)


@pytest.mark.parametrize("portion", [0, 1, 20, 60, 61, 62, 100, 333])
def test_fuel_ends_in_the_middle(portion: int) -> None:
    check(module_of(), portion, 0, 60, 1000, 0, 0)
    check(module_of(), portion, 0, 60, PAGE - 60, 0, 0)


def test_it_traps_between_two_pauses() -> None:
    for portion in range(0, 400, 37):
        end = check(module_of(), portion or 1, 0, 1 << 20, PAGE - 70, 0, 0)
        assert isinstance(end, tuple)


EXITS = """
    memory 1
    func $f (param $p i32) (param $n i32) (param $stop i32) (result i32)
      local $i i32
      block $out
        loop $next
          local.get $p
          local.get $i
          i32.add
          local.get $i
          i32.store8
          local.get $i
          local.get $stop
          i32.eq
          br_if $out
          i32.const 1000
          local.get $i
          i32.const 30
          i32.sub
          i32.div_u
          drop
          local.get $i
          i32.load8_u offset=77
          i32.load8_u offset=65400
          drop
          local.get $i
          i32.const 1
          i32.add
          local.tee $i
          local.get $n
          i32.lt_u
          br_if $next
        end
        i32.const 0x1000
        local.get $i
        i32.add
        return
      end
      local.get $i
    end
    export "f" func $f
    export "memory" memory 0
    data $d active at (i32.const 110) "\\78\\80\\90"
"""


def test_other_ways_out_of_the_copy() -> None:
    """A branch, a trap of an instruction, and a check of an access whose address is no sum of locals."""
    guests = [Module(from_text("module $m version 1" + EXITS)).spawn(engine=engine) for engine in (REFERENCE, JIT)]
    ends = set()
    for p, n, stop in product((0, 78, PAGE - 30), (1, 20, 29, 31, 50), (0, 3, 19, 28, 99)):
        found = []
        for guest in guests:
            before = guest.fuel_used
            try:
                end: object = guest.call("f", p, n, stop)
            except TrapError as error:
                end = str(error), error.traceback.frames[-1].offset
            found.append((end, guest.fuel_used - before, bytes(guest.memory)))
        assert found[0] == found[1], (p, n, stop)
        ends.add(found[0][0])
    assert len(ends) > 6


MIDDLE = """
    memory 1
    global $seen mut i32 (i32.const 0)
    func $f (param $i i32) (param $n i32) (param $p i32) (param $s i32) (result i32)
      local $sum i32
      block $out
        loop $next
          block $on
            local.get $p
            local.get $sum
            i32.store16
            local.get $i
            PACE
            i32.add
            local.tee $i
            local.get $n
            WAY
          end
          local.get $p
          i32.load8_u offset=2
          local.get $sum
          i32.const 31
          i32.mul
          i32.add
          local.tee $sum
          global.set $seen
          local.get $p
          local.get $s
          i32.add
          local.set $p
          br $next
        end
      end
      local.get $p
      local.get $sum
      i32.add
    end
    export "f" func $f
    export "seen" global $seen
    export "memory" memory 0
"""
WAYS = {
    "ge_u": "i32.ge_u\nbr_if $out",
    "ne": "i32.ne\nbr_if $on\nlocal.get $i\nreturn",
    "lt_s": "i32.lt_s\nbr_if $on\nbr $out",
}


@cache
def middle(way: str, pace: str) -> Module:
    """A module with a loop that is left in its middle."""
    module = Module(from_text(f"module $m version 1\n{MIDDLE.replace('PACE', pace).replace('WAY', WAYS[way])}"))
    function = module.valid.function(0)
    (counted,) = counted_loops(function, charges_of(function).loops).values()
    assert counted.way_out is not None and len(counted.groups) == 1
    return module


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rounds", [1, 2, 4, 5, 6, 40])
def test_loops_that_are_left_in_the_middle(way: str, rounds: int) -> None:
    """Its last round stores, but does not load."""
    places = [4_000, *(PAGE - 2 * rounds - by for by in (-1, 0, 1, 2))]
    ends = [check(middle(way, "i32.const 3"), ENOUGH, 9, 9 + 3 * rounds, place, 2) for place in places]
    assert [isinstance(end, tuple) for end in ends] == [False, True, False, False, False]


@pytest.mark.parametrize("portion", [37, 64, 101, 250])
def test_their_fuel_ends_in_the_middle(portion: int) -> None:
    check(middle("ge_u", "i32.const 1"), portion, 0, 60, 5_000, 3)


@pytest.mark.parametrize("way", ["ge_u", "lt_s"])
@pytest.mark.parametrize("pace", [0, 1, 7, 1 << 30, -(1 << 31), -1, -5])
def test_a_pace_that_is_known_when_it_runs(way: str, pace: int) -> None:
    for i, n in product((-30, 0, 3, 1 << 31), (-31, 5, 100, (1 << 31) - 1)):
        check(middle(way, "local.get $s"), ENOUGH, i, n, 6_000, pace & 0xFFFF_FFFF)


SCAN = """
    memory 1
    global $seen mut i32 (i32.const 0)
    func $f (param $p i32) (param $stop i32) (result i32)
      local $sum i32
      i32.const 12345
      local.set $sum
      block $out
        loop $next
          local.get $sum
          i32.const 31
          i32.mul
          local.get $p
          i32.load8_u offset=1
          i32.add
          local.tee $sum
          global.set $seen
          local.get $p
          local.get $sum
          i32.store16
          local.get $p
          i32.const STEP
          i32.add
          local.tee $p
          local.get $stop
          i32.eq
          br_if $out
          local.get $p
          i32.const 1
          i32.and
          br_if $next
          local.get $p
          br_if $next
        end
        i32.const 77
        local.set $sum
      end
      local.get $p
      local.get $sum
      i32.add
    end
    export "f" func $f
    export "seen" global $seen
    export "memory" memory 0
"""


@cache
def scan(step: int) -> Module:
    """A module with a loop of two ways back, that ends by data."""
    module = Module(from_text(f"module $m version 1\n{SCAN.replace('STEP', str(step))}"))
    function = module.valid.function(0)
    (batched,) = batched_loops(function, counted_loops(function, charges_of(function).loops)).values()
    assert len(batched.groups) == 1
    return module


@pytest.mark.parametrize("step", [1, -2])
@pytest.mark.parametrize("rounds", [1, 2, BATCH, BATCH + 1, BATCH + 2, 2 * BATCH + 1])
def test_batches_of_rounds(step: int, rounds: int) -> None:
    ends = [check(scan(step), 100_000, start, start + step * rounds) for start in (3_000, 3_001)]
    assert any(isinstance(end, int) for end in ends)


@pytest.mark.parametrize("step", [3, -2])
def test_batches_at_the_memory_s_ends(step: int) -> None:
    for far in (0, *(abs(step) * (BATCH + 1) + by for by in (-1, 0, 2)), abs(step) * (BATCH - 5)):
        check(scan(step), 100_000, far if step < 0 else PAGE - 2 - far, 1 << 20)


def test_batches_end_with_the_fuel() -> None:
    charges = charges_of(scan(1).valid.function(0))
    (cost,) = (each.cost for each in charges.loops.values())
    before = charges.entry + 2 * cost  # what is taken when the guard is first asked
    for portion in (400, *(before + cost * BATCH + by for by in (-2, -1, 0, 1))):
        check(scan(1), portion, 5_000, 5_600)
