"""Counted loops: innermost loops of which it can be told, when they are entered, how many rounds they take at least,
and which memory they access in them; and others, of which only the second can be told.

What ends a counted loop is its latch, the branch back before its end, or a branch in its middle that is its only way
out: so compilers write a loop whose number of rounds is no multiple of how often they unrolled it.

The body is read once in symbols: what each local holds after so many instructions of a round, as a sum of what locals
held at its start (`svm.engines.native.jit.linear`).  A local that each round changes by the same sum of locals which
the loop leaves alone is an induction variable.  An access is covered if its address is a sum of those and of what the
loop leaves alone: then it moves by the same step each round, so where its first and its last place lie in the memory,
all do.  Nothing in the loop may pause the guest or change the memory's size.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from svm.engines.native.jit.exits import Exits, WayOut
from svm.engines.native.jit.linear import Comparison, Known, Linear, evaluate, signed
from svm.isa import I32, I64, Form, Op
from svm.lower import LoopCharge
from svm.lower.stops import stops
from svm.lower.trips import latched_once
from svm.module import ValidFunction
from svm.record import record

__all__ = ["LEAST_ROUNDS", "Batched", "Counted", "Group", "batched_loops", "counted_loops"]

LEAST_ROUNDS = 4
"""Rounds from which on a counted loop is worth its guard."""

_LONGEST = 500
"""Instructions of a loop."""

_MOST_LOCALS = 64
"""Locals that a loop writes, and those that its addresses are sums of."""

_MOST_GROUPS = 12
_MOST_AGAIN = 1_500
"""Instructions of all such loops of a function: each is there twice."""

_LONGEST_BATCHED = 100
_MOST_BATCHED = 400
"""The same of loops whose rounds are not counted."""

_MOST_READINGS = 4


class Group(NamedTuple):
    """Accesses whose addresses differ by constants.  start: of the lowest, in the first round.  step: what a round
    adds.  over: from the lowest address to the end of what is accessed farthest from it.
    """

    start: Linear
    step: Linear
    over: int


@record
class Counted:
    """A counted loop, which goes round as long as `latch` holds: where it goes back, or at its way out.

    by, against: what each round adds to the left and the right of it, which so come nearer to where it fails.  pace:
    what it adds to the left, in place of 1, if that is known only when the code runs.  way_out: that branch, if it is
    not the one at the end.  steps: what a round adds to the induction variables.  accesses: those that the groups
    cover, by their index: the group's, and how far beyond its lowest address they begin.
    """

    latch: Comparison
    by: int
    against: int
    pace: Linear | None
    way_out: WayOut | None
    steps: dict[int, Linear]
    groups: tuple[Group, ...]
    accesses: dict[int, tuple[int, int]]


@record
class Batched:
    """A loop that ends nobody knows when.  steps, groups, accesses: as of a counted one."""

    steps: dict[int, Linear]
    groups: tuple[Group, ...]
    accesses: dict[int, tuple[int, int]]


def counted_loops(function: ValidFunction, charges: dict[int, LoopCharge]) -> dict[int, Counted]:
    """The counted loops of a function, by key."""
    found: dict[int, Counted] = {}
    once = latched_once(function)
    exits, room = Exits(function), _MOST_AGAIN
    for key, block in sorted(function.blocks.items()):
        if block.kind != "loop":
            continue
        counted, size = None, block.end - key
        if key in once and size <= min(_LONGEST, room):
            counted = _Reading(function, key).counted()
        if counted is None:
            way_out = exits.only(key)
            size -= way_out.past - way_out.at if way_out is not None else 0
            if way_out is not None and size <= min(_LONGEST, room):
                counted = _Reading(function, key, way_out).counted()
        if counted is not None and (counted.groups or charges[key].test):
            found[key] = counted
            room -= size
    return found


def batched_loops(function: ValidFunction, counted: Collection[int]) -> dict[int, Batched]:
    """Other loops whose accesses move by steps that are plain from the code, by key.  counted: keys of the counted."""
    found: dict[int, Batched] = {}
    room = _MOST_BATCHED
    for key, block in sorted(function.blocks.items()):
        size = block.end - key
        if block.kind != "loop" or key in counted or size > min(_LONGEST_BATCHED, room):
            continue
        batched = _Reading(function, key).batched()
        if batched is not None and batched.groups and not any(group.step.terms for group in batched.groups):
            found[key] = batched
            room -= size
    return found


class _Reading:
    """What is known in one loop.  written: the locals that it writes; of them, those that are taken to be induction
    variables until a reading shows the contrary have an entry in steps, which a reading corrects.
    """

    def __init__(self, function: ValidFunction, key: int, way_out: WayOut | None = None) -> None:
        self.function = function
        self.key = key
        self.way_out = way_out
        self.block = function.blocks[key]
        self.body = function.code[key + 1 : self.block.end]
        if way_out is not None:
            self.body = function.code[key + 1 : way_out.at + 1] + function.code[way_out.past : self.block.end]
        self.written = {args[0] for op, args, _ in self.body if op.name in ("local.set", "local.tee")}
        integers = (local for local in self.written if function.locals[local] in (I32, I64))
        self.steps: dict[int, Linear] = {local: Linear((), 0, 32) for local in integers}

    def counted(self) -> Counted | None:
        """What is known of a loop with a way out, or whose last instruction is its only branch back, if its rounds can
        be counted.
        """
        last, way_out = self.block.end - 1, self.way_out
        latched = last > self.key and self.function.code[last].op.name == "br_if" and self.function.heights[last] >= 0
        if way_out is None and not latched:
            return None
        reading = self._read()
        latch = self._latch(reading.latch) if reading is not None else None
        if reading is None or latch is None:
            return None
        return Counted(*latch, way_out, self.steps, *self._covered(reading))

    def batched(self) -> Batched | None:
        """What is known of any other."""
        reading = self._read()
        return None if reading is None else Batched(self.steps, *self._covered(reading))

    def _read(self) -> _Round | None:
        """The reading that agrees with what it takes to be induction variables."""
        if not self._suits():
            return None
        for _ in range(_MOST_READINGS):
            reading = _Round(self)
            reading.run()
            before = set(self.steps)
            self.steps = self._induction(reading.joined.get(self.key, {}))
            if set(self.steps) == before:
                return reading
        return None

    def _suits(self) -> bool:
        type_ = self.block.type
        results = type_.results and self.way_out is None  # what leaves by a branch brings none
        if type_.params or results or len(self.written) > _MOST_LOCALS:
            return False
        return all(not stops(op) and (op.form is not Form.NAMED or _suits(op.name)) for op, _, _ in self.body)

    def _induction(self, ends: dict[int, Known]) -> dict[int, Linear]:
        """What a round adds to each induction variable."""
        steps = {}
        for local in self.steps:
            end = ends.get(local)
            if isinstance(end, Linear):
                step = end.plus(Linear(((local, 1),), 0, end.bits), -1)
                if not any(other in self.written for other, _ in step.terms):
                    steps[local] = step
        return steps

    def step(self, value: Linear) -> Linear:
        """What a round adds to a value."""
        total = Linear((), 0, value.bits)
        for local, factor in value.terms:
            if local in self.steps:
                step = self.steps[local]
                total = total.plus(step.narrow() if value.bits == 32 else step, factor)
        return total

    def _covered(self, reading: _Round) -> tuple[tuple[Group, ...], dict[int, tuple[int, int]]]:
        """Groups of accesses, and of which group each is."""
        groups: dict[tuple[tuple[int, int], ...], list[tuple[int, int]]] = {}
        for at, address in reading.accesses.items():
            groups.setdefault(address.terms, []).append((signed(address.const, 32), at))
        made: list[Group] = []
        accesses: dict[int, tuple[int, int]] = {}
        for terms, members in list(groups.items())[:_MOST_GROUPS]:
            low = min(const for const, _ in members)
            over = 0
            for const, at in members:
                op, args, _ = self.function.code[at]
                accesses[at] = len(made), const - low + args[1]
                over = max(over, const - low + args[1] + op.size)
            start = Linear(terms, low & 0xFFFF_FFFF, 32)
            made.append(Group(start, self.step(start), over))
        return tuple(made), accesses

    def _latch(self, latch: Known) -> tuple[Comparison, int, int, Linear | None] | None:
        """The comparison that holds in rounds that go round, and what a round adds to its sides."""
        if isinstance(latch, Linear):
            latch = Comparison("ne", latch, Linear((), 0, latch.bits))
        if latch is not None and self.way_out is not None and not self.way_out.taken:
            latch = latch.opposite()
        if latch is None:
            return None
        name, left, right = latch
        if name == "ne":
            left, right = left.plus(right, -1), Linear((), 0, left.bits)
        steps = self.step(left), self.step(right)
        by, against = (signed(step.const, left.bits) for step in steps)
        if name[0] == "l" and steps[0].terms and not steps[1].terms and against == 0:
            return Comparison(name, left, right), 1, 0, steps[0]
        if any(step.terms for step in steps) or max(abs(by), abs(against)) >= 1 << 31 or by == against:
            return None
        if name == "ne" or (name[0] == "l" and by >= 0 >= against) or (name[0] == "g" and by <= 0 <= against):
            return Comparison(name, left, right), by, against, None
        return None


def _suits(name: str) -> bool:
    return name in _NAMED or name.endswith(".const")


_STRUCTURE = frozenset(("nop", "unreachable", "block", "if", "else", "end", "br", "br_if", "br_table", "return"))
_POPS = {
    "drop": 1, "global.set": 1, "select": 3, "select_typed": 3, "table.get": 1, "table.set": 2, "ref.is_null": 1
}  # fmt: skip
_PUSHES = frozenset(("global.get", "select", "select_typed", "table.get", "ref.null", "ref.is_null"))
_LOCALS = frozenset(("local.get", "local.set", "local.tee"))
_NAMED = _STRUCTURE | _LOCALS | _PUSHES | {*_POPS, "memory.size", "table.size", "ref.func"}
"""Instructions without a column that may stand in a counted loop, besides constants."""


class _Round:
    """One reading of a loop's body.  locals: what those that it writes hold, None where control does not come.
    joined: the same where branches to a block's end come together, by the block's key; of the loop, to its start.
    latch: what its last instruction takes, or its way out.
    """

    def __init__(self, reading: _Reading) -> None:
        self.function = reading.function
        self.key = reading.key
        self.block = reading.block
        self.way_out = reading.way_out
        self.locals: dict[int, Known] | None = {
            local: self._itself(local) if local in reading.steps else None for local in reading.written
        }
        self.stack: list[Known] = []
        self.opened: list[int] = []
        self.joined: dict[int, dict[int, Known]] = {}
        self.others: dict[int, dict[int, Known]] = {}  # at the start of an `if`, for its `else`
        self.accesses: dict[int, Linear] = {}
        self.latch: Known = None

    def _itself(self, local: int) -> Known:
        kind = self.function.locals[local]
        return Linear(((local, 1),), 0, 32 if kind is I32 else 64) if kind in (I32, I64) else None

    def run(self) -> None:
        """Read it all."""
        at, last = self.key + 1, self.block.end - 1
        decides = last if self.way_out is None else self.way_out.at
        while at <= last:
            if at == decides and self.stack:
                self.latch = self.stack[-1]
            at = self._dead(at) if self.locals is None else self._alive(at)
            if at == decides + 1 and self.way_out is not None and self.way_out.taken:
                self.locals, at = None, self.way_out.past

    def _dead(self, at: int) -> int:
        """Pass by an instruction that control never comes to; the index of the next."""
        name = self.function.code[at].op.name
        if name in ("else", "end"):
            return self._close(at, name)
        return self.function.blocks[at].end + 1 if name in ("block", "if") else at + 1

    def _alive(self, at: int) -> int:
        assert self.locals is not None
        op, args, _ = self.function.code[at]
        name = op.name
        if name in ("block", "if"):
            self.opened.append(at)
            if name == "if":
                self.stack.pop()
                self.others[at] = dict(self.locals)
        elif name in ("else", "end"):
            return self._close(at, name)
        elif name in ("br", "br_if", "br_table", "return", "unreachable"):
            self._branch(at, name)
        elif name == "local.get":
            self.stack.append(self.locals[args[0]] if args[0] in self.locals else self._itself(args[0]))
        elif name in ("local.set", "local.tee"):
            self.locals[args[0]] = self.stack[-1]
            if name == "local.set":
                self.stack.pop()
        else:
            self._other(at, op, args)
        return at + 1

    def _other(self, at: int, op: Op, args: tuple[Any, ...]) -> None:
        count = len(op.params) if op.params is not None else _POPS.get(op.name, 0)
        first = len(self.stack) - count
        operands = self.stack[first:]
        del self.stack[first:]
        if op.form in (Form.LOAD, Form.STORE):
            address = operands[0]
            if isinstance(address, Linear) and len(address.terms) <= _MOST_LOCALS:
                self.accesses[at] = address
        pushed = len(op.results) if op.results is not None else int(op.name in _PUSHES)
        self.stack += [evaluate(op.name, operands, args)] if pushed == 1 else [None] * pushed

    def _close(self, at: int, name: str) -> int:
        """An `else`, or an end."""
        key = self.opened[-1]
        block = self.function.blocks[key]
        self._join(key)
        del self.stack[block.height - self.block.height :]
        if name == "else":
            self.locals = self.others.pop(key)
            self.stack += [None] * len(block.type.params)
            return at + 1
        self.opened.pop()
        if key in self.others:  # an `if` without an `else`
            self.locals = self.others.pop(key)
            self._join(key)
        self.locals = self.joined.pop(key, None)
        self.stack += [None] * len(block.type.results)
        return at + 1

    def _branch(self, at: int, name: str) -> None:
        if name in ("br_if", "br_table"):
            self.stack.pop()
        for key in self.function.targets.get(at, ()):
            self._join(key)
        if name != "br_if":
            self.locals = None

    def _join(self, key: int) -> None:
        """Control goes from here to a block's end, or the loop's start, if it comes here."""
        if self.locals is None or key < self.key:
            return
        before = self.joined.get(key)
        if before is None:
            self.joined[key] = dict(self.locals)
        else:
            for local, value in self.locals.items():
                if before[local] != value:
                    before[local] = None
