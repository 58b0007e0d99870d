"""Between which bounds ints lie: arithmetic that cannot overflow is not checked, floor division of what is not negative
is the machine's.

In: the functions of a program, its library apart. Out: the same trees with cheaper instructions in them. Each local has
an interval (`krait.emit.intervals`) at each place: what is assigned gives it, comparisons on the way narrow it, loops
are gone through until nothing changes, bounds that keep moving given up (Cousot and Cousot, "Abstract interpretation",
1977).

Invariant: an interval holds every value that the local can have there; what is raised, and where, stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from krait.check import hir
from krait.check.types import BOOL, FLOAT, INT, NEVER, ClassType, Local, prune, resolve
from krait.emit.intervals import (
    BIT,
    CHECKED,
    COUNTS,
    FULL,
    INT_MAX,
    INT_MIN,
    LIMITS,
    MIRRORED,
    PLAIN,
    Interval,
    shift_left,
)
from krait.emit.layout import size_of

_DEEPEST = 4
"""Loops within loops that are gone through more than once."""
_TRIES = 5
_MEMORY = 2**32
"""Bytes that a guest has at most: so many items of a byte are in no list."""

_Env: TypeAlias = "dict[Local, Interval] | None"
"""What is known at some place; nothing of other locals.  None where control does not come."""


def use_ranges(program: hir.Program) -> None:
    """Change the trees of a program."""
    for function in program.functions.values():
        if not function.module.library:
            _Ranges(program, function).run()


class _Ranges:
    """One function.

    env: what is known where the walk is.  certain: whether it is, so that nodes can be judged.
    proven: the nodes with a cheaper form, and whether it will do each time that they are met.  made: that form.
    loops: what is known where `break` and `continue` of a loop stand.
    same: of the test at hand, the variables that its temporaries are copies of.  moved: the locals that it changes.
    """

    def __init__(self, program: hir.Program, function: hir.Function) -> None:
        self.program = program
        self.function = function
        self.env: _Env = {}
        self.certain = True
        self.depth = 0
        self.proven: dict[hir.Expr, bool] = {}
        self.made: dict[hir.Expr, hir.Expr] = {}
        self.same: dict[Local, Local] = {}
        self.moved: set[Local] = set()
        self.loops: dict[hir.LoopLabel, tuple[list[_Env], list[_Env]]] = {}

    def run(self) -> None:
        self.block(self.function.body)
        if any(self.proven.values()):
            hir.rewrite(self.function.body, self.cheaper, lambda statements: statements)

    # --- what is changed ---------------------------------------------------------------------------------------------

    def judge(self, node: hir.Expr, cheaper: bool) -> None:
        """Note whether a node can have its cheaper form here; it may stand in the tree more than once."""
        if self.certain:
            self.proven[node] = self.proven.get(node, True) and cheaper

    def cheaper(self, node: hir.Expr) -> hir.Expr:
        """Return what takes the place of an expression."""
        if not self.proven.get(node):
            return node
        if node not in self.made:
            self.made[node] = _cheaper(node)
        return self.made[node]

    # --- statements --------------------------------------------------------------------------------------------------

    def block(self, statements: Sequence[hir.Stmt]) -> None:
        for node in statements:
            if self.env is None:
                return
            self.statement(node)

    def statement(self, node: hir.Stmt) -> None:
        match node:
            case hir.Assign(local=local):
                self.set(local, self.value(node.value))
            case hir.If():
                self.env, otherwise = self.tested(node.test)
                self.block(node.then)
                after, self.env = self.env, otherwise
                self.block(node.orelse)
                self.env = _join(after, self.env)
            case hir.While() | hir.ForRange():
                self.loop(node)
            case hir.Break():
                self.loops[node.label][0].append(self.env)
                self.env = None
            case hir.Continue():
                self.loops[node.label][1].append(self.env)
                self.env = None
            case hir.Handle():
                before = _without(self.env, _assigned(node.body))
                self.block(node.body)
                after, self.env = self.env, before
                self.block(node.handler)
                self.env = _join(after, self.env)
            case _:
                for part in hir.children(node):
                    assert isinstance(part, hir.Expr)
                    self.value(part)
                if isinstance(node, hir.Return | hir.Raise | hir.RaiseUnbound | hir.Trap):
                    self.env = None

    def set(self, local: Local, interval: Interval) -> None:
        if self.env is not None:
            if interval == FULL:
                self.env.pop(local, None)
            else:
                self.env[local] = interval

    # --- loops -------------------------------------------------------------------------------------------------------

    def loop(self, node: hir.While | hir.ForRange) -> None:
        """Find what holds whenever the loop's head is reached, then go through it once more for its nodes."""
        counts = self.counts(node) if isinstance(node, hir.ForRange) else None
        if self.env is None:
            return
        entry = dict(self.env)
        certain, self.certain = self.certain, False
        self.depth += 1
        head = self.head(node, counts, entry)
        self.certain = certain
        self.round(node, counts, dict(head))
        self.depth -= 1
        self.block(node.orelse)
        for env in self.loops[node.label][0]:
            self.env = _join(self.env, env)

    def head(self, node: hir.While | hir.ForRange, counts: Interval | None, entry: dict[Local, Interval]) \
            -> dict[Local, Interval]:  # fmt: skip
        if self.depth > _DEEPEST:
            return _without(entry, _assigned([node])) or {}
        head = dict(entry)
        for number in range(_TRIES):
            again = _join(entry, self.round(node, counts, dict(head))) or {}
            known = [local for local in head if local in again]
            wider = {local: _widen(head[local], again[local], number) for local in known}
            if wider == head:
                return again  # as narrow, and it holds as well
            head = {local: interval for local, interval in wider.items() if interval != FULL}
        return _without(entry, _assigned([node])) or {}

    def round(self, node: hir.While | hir.ForRange, counts: Interval | None, head: _Env) -> _Env:
        """Go through a loop once; return what is known where its next round begins. Ends where it is exhausted."""
        left = _without(head, set())
        self.env = head
        continued: list[_Env] = []
        self.loops[node.label] = ([], continued)
        if isinstance(node, hir.ForRange):
            if counts is None:
                self.env = None
            else:
                self.set(node.target, counts)
        elif node.test is None:
            left = None
        else:
            self.env, left = self.tested(node.test)
        self.block(node.body)
        again = self.env
        for env in continued:
            again = _join(again, env)
        self.env = left
        return again

    def counts(self, node: hir.ForRange) -> Interval | None:
        """Evaluate the bounds of a counted loop; return where its count lies, None if it has no round."""
        start, stop, step = self.value(node.start), self.value(node.stop), self.value(node.step)
        up, down = Interval(start.low, stop.high - 1), Interval(stop.low + 1, start.high)
        if step.low > 0:
            return up if up.low <= up.high else None
        if step.high < 0:
            return down if down.low <= down.high else None
        return Interval(max(min(up.low, down.low), INT_MIN), min(max(up.high, down.high), INT_MAX))

    # --- conditions --------------------------------------------------------------------------------------------------

    def tested(self, test: hir.Expr) -> tuple[_Env, _Env]:
        """Go through a test; return what is known if it holds, and if it does not."""
        self.value(test)
        self.same, self.moved = _assignments(test)
        return self.assume(test, True, self.env), self.assume(test, False, self.env)

    def assume(self, test: hir.Expr, holds: bool, env: _Env) -> _Env:
        """Return what is known if a test, which has been gone through, came out as said."""
        if env is None:
            return None
        match test:
            case hir.Const(value=value):
                return dict(env) if bool(value) is holds else None
            case hir.Op(op="i32.eqz", args=[inner]):
                return self.assume(inner, not holds, env)
            case hir.Let(value=inner):
                return self.assume(inner, holds, env)
            case hir.Op(op="i64.eqz", args=[inner]):
                return self.compared("i64.eq" if holds else "i64.ne", inner, hir.Const(INT, 0), env)
            case hir.Op(op=name, args=[left, right]) if name in LIMITS:
                return self.compared(name if holds else LIMITS[name][1], left, right, env)
            case hir.Conditional(orelse=hir.Const(value=False)):
                return self.both(test.test, test.then, True, env) if holds else self.either(test, test.then, True, env)
            case hir.Conditional(then=hir.Const(value=True)):
                if holds:
                    return self.either(test, test.orelse, False, env)
                return self.both(test.test, test.orelse, False, env)
            case _:
                return dict(env)

    def both(self, first: hir.Expr, second: hir.Expr, holds: bool, env: _Env) -> _Env:
        """What is known if two tests came out the same."""
        return self.assume(second, holds, self.assume(first, holds, env))

    def either(self, test: hir.Conditional, second: hir.Expr, first: bool, env: _Env) -> _Env:
        """What is known if the second of two tests decided, or the first did and the second was never made."""
        one, two = self.assume(test.test, not first, env), self.both_then(test.test, first, second, env)
        return _join(one, two)

    def both_then(self, first: hir.Expr, holds: bool, second: hir.Expr, env: _Env) -> _Env:
        return self.assume(second, not holds, self.assume(first, holds, env))

    def compared(self, name: str, left: hir.Expr, right: hir.Expr, env: dict[Local, Interval]) -> _Env:
        """What is known if a comparison of two ints holds."""
        for node in hir.walk([left, right]):
            if isinstance(node, hir.Assign) or (isinstance(node, hir.LocalGet) and node.local in self.moved):
                return dict(env)
        outer, certain = self.env, self.certain
        self.env, self.certain = env, False
        a, b = self.value(left), self.value(right)
        self.env, self.certain = outer, certain
        narrowed = dict(env)
        for side, own, other, comparison in ((left, a, b, name), (right, b, a, MIRRORED[name])):
            found = own.meet(LIMITS[comparison][0](other))
            if found is not None and comparison == "i64.ne" and other.low == other.high:
                low, high = found.low + (found.low == other.low), found.high - (found.high == other.high)
                found = Interval(low, high) if low <= high else None
            if found is None:
                return None
            if isinstance(side, hir.LocalGet) and found != FULL:
                narrowed[side.local] = narrowed[self.same.get(side.local, side.local)] = found
        return narrowed

    # --- expressions -------------------------------------------------------------------------------------------------

    def value(self, node: hir.Expr) -> Interval:
        """Go through an expression, and return where its value lies if it is an int."""
        match node:
            case hir.Const(value=int(value)):
                return Interval(value, value) if prune(node.type) is INT else FULL
            case hir.LocalGet(local=local):
                return (self.env or {}).get(local, FULL) if prune(node.type) is INT else FULL
            case hir.GlobalGet(checked=False, var=var) if var.constant is not None and var.type in (INT, FLOAT):
                self.judge(node, True)
                return Interval(var.constant, var.constant) if isinstance(var.constant, int) else FULL
            case hir.Conditional():
                return self.conditional(node)
            case hir.Let():
                self.block(node.body)
                return self.value(node.value) if self.env is not None else FULL
            case hir.Op():
                return self.op(node)
            case hir.Call():
                return self.call(node)
            case _:
                for part in hir.children(node):
                    if isinstance(part, hir.Expr):
                        self.value(part)
                if resolve(node.type) is NEVER:
                    self.env = None
                return FULL

    def conditional(self, node: hir.Conditional) -> Interval:
        self.env, otherwise = self.tested(node.test)
        found = [self.value(node.then)] if self.env is not None else []
        after, self.env = self.env, otherwise
        if self.env is not None:
            found.append(self.value(node.orelse))
        self.env = _join(after, self.env)
        return found[0].join(found[-1]) if found else FULL

    def op(self, node: hir.Op) -> Interval:
        args = [self.value(arg) for arg in node.args]
        name = node.op
        if prune(node.type) is not INT:
            return FULL
        if name == "i64.extend_i32_u":
            return BIT if prune(node.args[0].type) is BOOL else Interval(0, _MEMORY - 1)
        if len(args) != 2:
            return FULL
        a, b = args
        if name in CHECKED:
            exact = CHECKED[name](a, b)
            self.judge(node, exact.fits())
            return exact.meet(FULL) or FULL
        if name in ("i64.rem_s", "i64.div_s"):
            self.judge(node, a.low >= 0 and b.low > 0)
        corrected = _corrected(node)
        if corrected is not None:
            rest = (self.env or {}).get(corrected[0], FULL)
            self.judge(node, rest.low >= 0)
            if -corrected[1] < rest.low and rest.high < corrected[1]:
                return rest if rest.low >= 0 else Interval(0, corrected[1] - 1)
        return PLAIN[name](a, b) if name in PLAIN else FULL

    def call(self, node: hir.Call) -> Interval:
        args = [self.value(arg) for arg in node.args]
        if resolve(node.type) is NEVER:
            self.env = None
            return FULL
        decl = node.callee.decl
        if decl.owner is None or decl.module.name not in _KNOWN or len(self.program.callees(node)) > 1:
            return FULL
        if decl.name == "__len__":
            return Interval(0, _MEMORY // _item_size(node.args[0]))
        return self.of_ints(node, decl.name, args[0], args[-1]) if decl.module.name == "krait.int" else FULL

    def of_ints(self, node: hir.Call, name: str, a: Interval, b: Interval) -> Interval:
        """Where the result of a method of ints lies."""
        match name:
            case "__abs__":
                return a if a.low >= 0 else Interval(0, min(max(-a.low, a.high), INT_MAX))
            case "__mod__":
                self.judge(node, a.low >= 0 and b.low > 0)
                return Interval(0, min(b.high - 1, a.high if a.low >= 0 else INT_MAX)) if b.low > 0 else FULL
            case "__floordiv__":
                self.judge(node, a.low >= 0 and b.low > 0)
                corners = [x // y for x in a for y in b] if b.low > 0 else FULL
                return Interval(min(corners), max(corners))
            case "__lshift__":
                exact = shift_left(a, b)
                self.judge(node, exact.fits())
                return exact.meet(FULL) or FULL
            case "__rshift__":
                self.judge(node, COUNTS.contains(b))
                return PLAIN["i64.shr_s"](a, b)
            case _:
                return FULL


_INSTRUCTIONS = {
    "__floordiv__": "i64.div_u",
    "__mod__": "i64.rem_u",
    "__lshift__": "i64.shl",
    "__rshift__": "i64.shr_s",
}
"""What does the work of a method of ints where it cannot fail."""

_KNOWN = frozenset(f"krait.{name}" for name in ("int", "list", "str", "bytes", "bytearray", "dict", "set", "tuple"))
"""Modules whose classes' methods are known here."""


def _cheaper(node: hir.Expr) -> hir.Expr:
    """Return the cheaper form of an expression for which it will do."""
    match node:
        case hir.GlobalGet(var=var):
            return hir.Const(node.type, var.constant)
        case hir.Call(callee=callee, args=args):
            return hir.Op(node.type, _INSTRUCTIONS[callee.decl.name], args)
        case hir.Op(op="i64.add", args=[remainder, _]):  # of floor division, corrected for negative dividends
            return remainder
        case hir.Op(op=name) if name in CHECKED:
            node.op = name.removesuffix("_throw")
        case hir.Op(op=name):
            node.op = f"{name.removesuffix('_s')}_u"
        case _:
            pass
    return node


def _corrected(node: hir.Op) -> tuple[Local, int] | None:
    """The remainder, and the divisor, if the node adds that to it where it is negative."""
    match node:
        case hir.Op(
            op="i64.add",
            args=[
                hir.LocalGet(local=rest),
                hir.Op(
                    op="i64.and",
                    args=[hir.Op(op="i64.shr_s", args=[hir.LocalGet(local=again), hir.Const(value=63)]),
                          hir.Const(value=int(divisor))],
                ),
            ],
        ) if rest is again:  # fmt: skip
            return rest, divisor
        case _:
            return None


def _item_size(container: hir.Expr) -> int:
    """Bytes that a container takes for an item at least."""
    t = resolve(container.type)
    if isinstance(t, ClassType) and t.decl.name == "list" and t.decl.module.library:
        return size_of(t.args[0])
    return 1


def _join(a: _Env, b: _Env) -> _Env:
    """What is known where control comes from two places."""
    if a is None or b is None:
        return b if a is None else a
    return {local: interval.join(b[local]) for local, interval in a.items() if local in b}


def _without(env: _Env, locals: set[Local]) -> _Env:
    return None if env is None else {local: interval for local, interval in env.items() if local not in locals}


def _widen(before: Interval, after: Interval, number: int) -> Interval:
    """What to try next for a bound that moved: 0, then none."""
    low, high = before
    if after.low < low:
        low = 0 if after.low >= 0 and number < _TRIES - 1 else INT_MIN
    if after.high > high:
        high = INT_MAX
    return Interval(low, high)


def _assignments(test: hir.Expr) -> tuple[dict[Local, Local], set[Local]]:
    """The temporaries in a test that are copies of variables, and the locals that have several values in it."""
    writes: dict[Local, list[hir.Expr]] = {}
    for node in hir.walk([test]):
        if isinstance(node, hir.Assign):
            writes.setdefault(node.local, []).append(node.value)
    moved = {local for local, values in writes.items() if len(values) > 1 or not local.name.startswith("$")}
    same: dict[Local, Local] = {}
    for local, (value, *_) in writes.items():
        if local not in moved and isinstance(value, hir.LocalGet) and value.local not in writes:
            same[local] = value.local
    return same, moved


def _assigned(nodes: Sequence[hir.Expr | hir.Stmt]) -> set[Local]:
    """The locals that some code sets."""
    found: set[Local] = set()
    for node in hir.walk(nodes):
        match node:
            case hir.Assign(local=local) | hir.ForRange(target=local) | hir.Handle(caught=local):
                found.add(local)
            case _:
                pass
    return found
