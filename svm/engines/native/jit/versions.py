"""Loops written twice: once without what could only fail.

When a counted loop is entered, one guard asks how many rounds it surely goes back for, whether the fuel lasts for them,
and whether every access that `svm.engines.native.jit.counted` covers lies in the memory in all of them.  If so, they
run in a copy of the loop without bounds checks and without tests of fuel, where addresses are a base plus a number of
64 bits that counts rounds; so LLVM knows how often it runs, and what it accesses.  Then, and if not, the loop
itself goes on: it ends, pauses or traps as it always does.

Of another loop is not known how often it goes round, but by how much its accesses move.  Where it goes back, the guard
asks the same for `BATCH` rounds more, which run in the copy, and then asks again.  A first round is never in the copy,
for many such loops have no other.

Charges are the same in the copy, and traps of other instructions than those accesses: nothing can be told from outside.
"""

from __future__ import annotations

from collections.abc import Callable

from svm.engines.native.jit.counted import LEAST_ROUNDS, Batched, Counted, Group
from svm.engines.native.jit.linear import Linear, signed
from svm.engines.native.jit.writer import Control, FunctionWriter

__all__ = ["write_copy"]

BATCH = 256
"""Rounds of a batch: to leave the copy is a branch that the processor does not foresee."""

_SELDOM = ", !prof !15"
_COPIED = ", !llvm.loop !17"
_MOST_ROUNDS = (1 << 32) - 1


def write_copy(t: FunctionWriter, key: int, body: Callable[[FunctionWriter, int, int], None]) -> None:
    """Write a loop's guard and its copy, if it has them.  body: writes instructions from an index to another."""
    write = _write_counted if key in t.counted else _write_batches if key in t.batched else None
    if write is None:
        return
    section, kept, stack = t.section, t.kept, list(t.stack)
    with t.aside():
        t.label(f"P{key}{section}")
        t.section += ".copy"
        t.controls.append(Control(t.function.blocks[key], key, stack, False, t.section))
        write(t, key, section, body)
        t.controls.pop()
    t.covered.clear()
    t.section, t.kept, t.stack[:], t.reachable = section, kept, stack, True


def _write_counted(t: FunctionWriter, key: int, section: str, body: Callable[[FunctionWriter, int, int], None]) -> None:
    """The guard, to which the ways into the loop come, and all rounds but the last."""
    cost, counted, end = t.code.charges.loops[key].cost, t.counted[key], t.function.blocks[key].end
    rounds = _guard(t, key, section)
    left, right = (_value(t, value) for value in counted.latch[1:])
    starts = {local: t.read(*t.local(local)) for local in counted.steps}
    t.charge(-cost)  # each round takes it at its start
    t.write(t.variable("%round", "i64"), "i64", "0")
    t.do(f"br label %H{key}{t.section}")
    t.label(f"H{key}{t.section}")
    t.charge(cost)
    way_out = counted.way_out
    if way_out is None:
        body(t, key + 1, end - 1)
        t.take()
    else:
        t.settled[way_out.at] = way_out.taken
        body(t, key + 1, end)
        del t.settled[way_out.at]
        t.label(f"A{key}{t.section}")
    round_, last = t.read("%round", "i64"), f"last{t.name()}"
    t.write("%round", "i64", t.let(f"add nuw nsw i64 {round_}, 1"))
    t.do(f"br i1 {t.let(f'icmp ne i64 {round_}, {rounds}')}, label %H{key}{t.section}, label %{last}")
    t.label(last)
    holds = _after(t, counted, rounds, left, right, starts)
    if way_out is None:
        t.do(f"br i1 {holds}, label %A{key}{section}, label %J{key}{section}")
    else:
        t.do(f"br label %A{key}{section}")


def _write_batches(t: FunctionWriter, key: int, section: str, body: Callable[[FunctionWriter, int, int], None]) -> None:
    """The guard, to which the loop's way back comes, and a batch of rounds.

    What the rounds count in is told from their number, so that the copy need do so only for what it uses.
    """
    charge, steps = t.code.charges.loops[key], t.batched[key].steps
    fuel, refuse = t.read("%fuel", "i64"), "false"
    if charge.test:
        refuse = t.let(f"icmp slt i64 {fuel}, {charge.cost * BATCH}")
    _enter(t, key, section, _cover(t, t.batched[key], str(BATCH), refuse))
    starts = {local: t.read(*t.local(local)) for local in steps}
    t.write(t.variable("%round", "i64"), "i64", "0")
    t.do(f"br label %H{key}{t.section}")
    t.label(f"H{key}{t.section}")
    round_ = t.read("%round", "i64")
    t.write("%fuel", "i64", t.let(f"sub i64 {fuel}, {t.let(f'mul i64 {round_}, {charge.cost}')}"))
    for local, step in steps.items():
        _move(t, local, step, starts[local], round_)
    body(t, key + 1, t.function.blocks[key].end)
    if t.reachable:
        t.do(f"br label %J{key}{section}")
    t.label(f"A{key}{t.section}")
    next_ = t.let(f"add nuw nsw i64 {t.read('%round', 'i64')}, 1")
    t.write("%round", "i64", next_)
    t.do(f"br i1 {t.let(f'icmp ne i64 {next_}, {BATCH}')}, label %H{key}{t.section}, label %B{key}{section}{_COPIED}")
    t.label(f"B{key}{section}")
    t.charge(charge.cost)
    t.do(f"br label %P{key}{section}")


def _enter(t: FunctionWriter, key: int, section: str, refuse: str) -> None:
    """Go to the copy, or the loop."""
    name = t.name()
    t.do(f"br i1 {refuse}, label %H{key}{section}, label %copy{name}{_SELDOM}")
    t.label(f"copy{name}")


def _guard(t: FunctionWriter, key: int, section: str) -> str:
    """Go to the copy of a counted loop, or the loop; how many rounds the copy goes back for."""
    charge, counted = t.code.charges.loops[key], t.counted[key]
    rounds = _rounds(t, counted)
    name = t.name()
    few = t.let(f"icmp ult i64 {rounds}, {LEAST_ROUNDS}")
    t.do(f"br i1 {few}, label %H{key}{section}, label %many{name}")
    t.label(f"many{name}")
    refuse = "false"
    if charge.test:
        rounds = _paid(t, rounds, charge.cost)
        refuse = t.let(f"icmp ult i64 {rounds}, {LEAST_ROUNDS}")
    if counted.way_out is not None:  # the round that leaves by it begins in the loop
        rounds = t.let(f"sub i64 {rounds}, 1")
    _enter(t, key, section, _cover(t, counted, rounds, refuse))
    return rounds


def _cover(t: FunctionWriter, loop: Counted | Batched, rounds: str, refuse: str) -> str:
    """Have the copy take its accesses for covered; whether they are not, or a condition holds before."""
    places = []
    for group in loop.groups:
        first, step = t.let(f"zext i32 {_value(t, group.start)} to i64"), _step(t, group.step)
        for outside in _outside(t, group, first, step, rounds):
            refuse = t.let(f"or i1 {refuse}, {outside}")
        # LLVM groups accesses by what their addresses are derived from, and compares groups when the code runs.
        address = t.let(f"add i64 {t.let(f'ptrtoint ptr {t.memory()} to i64')}, {first}")
        places.append((t.let(f"inttoptr i64 {address} to ptr"), step))
    for at, (group_at, beyond) in loop.accesses.items():
        t.covered[at] = (*places[group_at], beyond)
    return refuse


def _move(t: FunctionWriter, local: int, step: Linear, start: str, rounds: str) -> None:
    """Give an induction variable its value after so many rounds."""
    variable, kind = t.local(local)
    times = rounds if step.bits == 64 else t.let(f"trunc i64 {rounds} to i32")
    t.write(variable, kind, t.let(f"add {kind} {start}, {t.let(f'mul {kind} {times}, {_value(t, step)}')}"))


def _after(t: FunctionWriter, counted: Counted, rounds: str, left: str, right: str, starts: dict[int, str]) -> str:
    """After the copy, give the induction variables their last values; whether the latch still holds, which is seldom.

    Both are told from their values before, so that the copy need not count in them.  left, right: what the latch
    compared in the first round.
    """
    times = t.let(f"add i64 {rounds}, 1")
    for local, step in counted.steps.items():
        _move(t, local, step, starts[local], times)
    kind = f"i{counted.latch.left.bits}"
    times = rounds if kind == "i64" else t.let(f"trunc i64 {rounds} to i32")
    by = counted.by if counted.pace is None else _value(t, counted.pace)
    left = t.let(f"add {kind} {left}, {t.let(f'mul {kind} {times}, {by}')}")
    right = t.let(f"add {kind} {right}, {t.let(f'mul {kind} {times}, {counted.against}')}")
    name = counted.latch.name
    return t.let(f"icmp {name[-1] + name[:2] if '_' in name else name} {kind} {left}, {right}")


def _value(t: FunctionWriter, value: Linear) -> str:
    """A sum of what locals hold here."""
    kind = f"i{value.bits}"
    total = str(value.const)
    for local, factor in value.terms:
        variable, wide = t.local(local)
        part = t.read(variable, wide)
        if wide != kind:
            part = t.let(f"trunc {wide} {part} to {kind}")
        if factor != 1:
            part = t.let(f"mul {kind} {part}, {factor}")
        total = t.let(f"add {kind} {part}, {total}")
    return total


def _step(t: FunctionWriter, step: Linear) -> str:
    if not step.terms:
        return str(signed(step.const, 32))
    return t.let(f"sext i32 {_value(t, step)} to i64")


def _rounds(t: FunctionWriter, counted: Counted) -> str:
    """How often the latch surely holds, one time after the other: an i64, at most 2^32."""
    (name, left, right), speed, forwards = counted.latch, str(abs(counted.by - counted.against)), "true"
    if counted.pace is not None:  # the comparison may also hold because the left side goes away from the right
        pace = _wide(t, counted.pace, "sext" if name[-1] == "s" else "zext")
        speed = t.let(f"call i64 @llvm.smax.i64(i64 {pace}, i64 1)")
        forwards = t.let(f"icmp sgt i64 {pace}, 0")
    if name == "ne":
        way = _wide(t, left.times(-1) if counted.by > 0 else left, "zext")
        rounds = t.let(f"udiv i64 {way}, {speed}")
    else:
        order, strict = name[-1], name[1] == "t"
        extend = "sext" if order == "s" else "zext"
        low, high = (_wide(t, value, extend) for value in ((left, right) if name[0] == "l" else (right, left)))
        holds = t.let(f"icmp {order}{'lt' if strict else 'le'} i64 {low}, {high}")
        holds = t.let(f"and i1 {holds}, {forwards}") if counted.pace is not None else holds
        way = t.let(f"sub i64 {high}, {low}")
        way = t.let(f"sub i64 {way}, 1") if strict else way
        count = t.let(f"add i64 {t.let(f'udiv i64 {way}, {speed}')}, 1")
        rounds = t.let(f"select i1 {holds}, i64 {count}, i64 0")
    return rounds if left.bits == 32 else t.let(f"call i64 @llvm.umin.i64(i64 {rounds}, i64 {_MOST_ROUNDS})")


def _wide(t: FunctionWriter, value: Linear, extend: str) -> str:
    text = _value(t, value)
    return text if value.bits == 64 else t.let(f"{extend} i32 {text} to i64")


def _paid(t: FunctionWriter, rounds: str, cost: int) -> str:
    """As many of the rounds as there is fuel for."""
    fuel, name, paid = t.read("%fuel", "i64"), t.name(), t.variable("%paid", "i64")
    t.write(paid, "i64", rounds)
    dear = t.let(f"icmp sgt i64 {t.let(f'mul nuw nsw i64 {rounds}, {cost}')}, {fuel}")
    t.do(f"br i1 {dear}, label %dear{name}, label %paid{name}{_SELDOM}")
    with t.aside():
        t.label(f"dear{name}")
        some = t.let(f"call i64 @llvm.smax.i64(i64 {fuel}, i64 0)")
        t.write(paid, "i64", t.let(f"udiv i64 {some}, {cost}"))
        t.do(f"br label %paid{name}")
    t.label(f"paid{name}")
    return t.read(paid, "i64")


def _outside(t: FunctionWriter, group: Group, first: str, step: str, rounds: str) -> list[str]:
    """Whether a group goes past the memory's end, or below its start, in the first round or the last."""
    size = t.read("%size", "i64")

    def beyond(place: str) -> str:
        return t.let(f"icmp ugt i64 {t.let(f'add i64 {place}, {group.over}')}, {size}")

    if step == "0":
        return [beyond(first)]
    last = t.let(f"add i64 {first}, {t.let(f'mul nsw i64 {rounds}, {step}')}")
    if group.step.terms:
        return [beyond(first), beyond(last), t.let(f"icmp slt i64 {last}, 0")]
    return [beyond(first), t.let(f"icmp slt i64 {last}, 0")] if step[0] == "-" else [beyond(last)]
