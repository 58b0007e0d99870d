"""Counted loops, written twice: once without what could only fail.

When such a loop is entered, one guard asks how many rounds it surely goes back for, whether the fuel lasts for them,
and whether every access that `svm.engines.native.jit.counted` covers lies in the memory in all of them.  If so, they
run in a copy of the loop without bounds checks and without tests of fuel, where addresses are a base plus a number of
64 bits that counts rounds; so LLVM knows how often it runs, and what it accesses.  Then, and if not, the loop
itself goes on: it ends, pauses or traps as it always does.

Charges are the same in the copy, and traps of other instructions than those accesses: nothing can be told from outside.
"""

from __future__ import annotations

from collections.abc import Callable

from svm.engines.native.jit.counted import LEAST_ROUNDS, Counted, Group
from svm.engines.native.jit.linear import Linear, signed
from svm.engines.native.jit.writer import Control, FunctionWriter

__all__ = ["write_copy"]

_SELDOM = ", !prof !15"
_MOST_ROUNDS = (1 << 32) - 1


def write_copy(t: FunctionWriter, key: int, body: Callable[[FunctionWriter, int, int], None]) -> None:
    """Write the guard of a loop, to which the ways into it come, and the copy.  body: writes instructions from an index
    to another.
    """
    block, section, kept = t.function.blocks[key], t.section, t.kept
    with t.aside():
        t.label(f"P{key}{section}")
        rounds = _guard(t, key)
        t.section += ".copy"
        t.controls.append(Control(block, key, list(t.stack), False, t.section))
        t.write(t.variable("%round", "i64"), "i64", "0")
        t.do(f"br label %H{key}{t.section}")
        t.label(f"A{key}{t.section}")
        t.charge(t.code.charges.loops[key].cost)
        t.write("%round", "i64", t.let(f"add nuw nsw i64 {t.read('%round', 'i64')}, 1"))
        t.do(f"br label %H{key}{t.section}")
        t.label(f"H{key}{t.section}")
        body(t, key + 1, block.end - 1)
        t.covered.clear()
        condition = t.let(f"icmp ne i32 {t.pop()}, 0")
        more, last = t.let(f"icmp ne i64 {t.read('%round', 'i64')}, {rounds}"), f"last{t.name()}"
        t.do(f"br i1 {more}, label %A{key}{t.section}, label %{last}")
        t.label(last)
        t.do(f"br i1 {condition}, label %A{key}{section}, label %J{key}{section}")
        t.controls.pop()
        t.section, t.kept = section, kept


def _guard(t: FunctionWriter, key: int) -> str:
    """Go to the copy, or the loop; how many rounds the copy goes back for."""
    charge, counted = t.code.charges.loops[key], t.counted[key]
    rounds = _rounds(t, counted)
    if charge.test:
        rounds = _paid(t, rounds, charge.cost)
    refuse = t.let(f"icmp ult i64 {rounds}, {LEAST_ROUNDS}")
    places = []
    for group in counted.groups:
        first, step = t.let(f"zext i32 {_value(t, group.start)} to i64"), _step(t, group.step)
        for outside in _outside(t, group, first, step, rounds):
            refuse = t.let(f"or i1 {refuse}, {outside}")
        places.append((t.let(f"getelementptr i8, ptr {t.memory()}, i64 {first}"), step))
    for at, (group_at, beyond) in counted.accesses.items():
        t.covered[at] = (*places[group_at], beyond)
    name = t.name()
    t.do(f"br i1 {refuse}, label %H{key}{t.section}, label %copy{name}{_SELDOM}")
    t.label(f"copy{name}")
    return rounds


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
    (name, left, right), by = counted.latch, counted.by
    if name == "ne":
        way = _wide(t, left.times(-1) if by > 0 else left, "zext")
        rounds = t.let(f"udiv i64 {way}, {abs(by)}")
    else:
        order, strict = name[-1], name[1] == "t"
        extend = "sext" if order == "s" else "zext"
        low, high = (_wide(t, value, extend) for value in ((left, right) if by > 0 else (right, left)))
        holds = t.let(f"icmp {order}{'lt' if strict else 'le'} i64 {low}, {high}")
        way = t.let(f"sub i64 {high}, {low}")
        way = t.let(f"sub i64 {way}, 1") if strict else way
        count = t.let(f"add i64 {t.let(f'udiv i64 {way}, {abs(by)}')}, 1")
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
