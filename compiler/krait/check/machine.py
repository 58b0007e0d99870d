"""Generator functions become state machines.

In: the typed tree of a body with `hir.Yield`. Out: a function that runs it from one ``yield`` to the next, and keeps
in an object what must live in between.

The body keeps its structure. `mode` is the number of the ``yield`` to go on behind, 0 once that has been found: what
stands before it is skipped, and the tests of the ``if`` and ``while`` around it lead to it. So a round of a loop that
has been resumed costs one comparison for each block on the way, and loops without ``yield`` cost what they always do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from krait.check import hir
from krait.check.iteration import range_length
from krait.check.types import BOOL, INT, NEVER, NONE, U32, ClassType, Local, Optional, Type, prune

ENDED = 0xFFFFFFFF
"""The state of a generator that has no more items."""
RUNNING = 0xFFFFFFFE
"""The state of a guarded generator while its body runs."""


@dataclass(slots=True)
class Guards:
    """running: what is done if the body runs already.  left: if an exception leaves it, which ``caught`` has then."""

    running: hir.Block
    caught: Local
    left: hir.Block


@dataclass(slots=True)
class Machine:
    """A body that can be resumed, and the variables that its object keeps, each with the name of its field."""

    body: hir.Block
    kept: dict[Local, str]


def build(
    body: hir.Block,
    params: Sequence[Local],
    generator: ClassType,
    made: list[Local],
    thrown: Type | None,
    guards: Guards | None,
) -> Machine:
    """Return the machine of a body; `generator` is the class of its object, which is the function's only parameter.

    made: takes the locals that the machine adds.  thrown: the type of the field with what a ``yield`` raises, None if
    nothing is thrown into it.  guards: what it does if it runs already, or an exception leaves it.
    """
    return _Builder(params, generator, made, thrown, guards).run(body)


class _Builder:
    def __init__(
        self,
        params: Sequence[Local],
        generator: ClassType,
        made: list[Local],
        thrown: Type | None,
        guards: Guards | None,
    ) -> None:
        self.params = params
        self.thrown = thrown
        self.guards = guards
        self.made = made
        self.object = hir.LocalGet(generator, made[0])
        self.mode = self.temp(U32)
        self.numbers: dict[hir.Yield, int] = {}
        self.segments: dict[Local, set[int]] = defaultdict(set)
        self.exposed: set[Local] = set()
        self.segment = 0
        self.kept: dict[Local, str] = {}
        self.stores: list[hir.Block] = []

    def run(self, body: hir.Block) -> Machine:
        _spell_out_flags(body, self.made)
        hir.rewrite(body, lambda node: node, self.with_ends)
        self.numbers = {node: number for number, node in enumerate(_yields_in_order(body), 1)}
        resumed = self.block(body)
        for local in [*self.params, *self.segments]:
            if local in self.kept or local is self.object.local or not _has_value(local.type):
                continue
            temporary = local.name.startswith("$") and local not in self.params
            if len(self.segments[local]) > 1 or local in self.params or (local in self.exposed and not temporary):
                self.kept[local] = f"local {len(self.kept)} {local.name}"
        for block in self.stores:
            block[1:1] = [self.store(local, name) for local, name in self.kept.items()]
        state = hir.FieldGet(U32, self.object, "state")
        start: hir.Block = [
            hir.Assign(0, self.mode, state),
            hir.If(0, self.is_at(ENDED), [hir.Return(0, hir.Const(BOOL, False))], []),
            self.set_state(ENDED),
        ]
        start += [self.load(local, name) for local, name in self.kept.items()]
        if self.guards is not None:
            start[2:3] = [hir.If(0, self.is_at(RUNNING), self.guards.running, []), self.set_state(RUNNING)]
            resumed = [hir.Handle(0, resumed, self.guards.caught, [self.set_state(ENDED), *self.guards.left])]
        return Machine([*start, *resumed, *self.ending(hir.Return(0, None))], self.kept)

    def with_ends(self, block: hir.Block) -> hir.Block:
        """Return a block whose ``return`` ends the generator."""
        return [part for node in block for part in (self.ending(node) if isinstance(node, hir.Return) else [node])]

    def ending(self, node: hir.Return) -> hir.Block:
        leave = hir.Return(node.line, hir.Const(BOOL, False))
        return [leave] if self.guards is None else [self.set_state(ENDED), leave]

    def is_at(self, state: int) -> hir.Expr:
        return hir.Op(BOOL, "i32.eq", [hir.LocalGet(U32, self.mode), hir.Const(U32, state)])

    def set_state(self, state: int) -> hir.Stmt:
        return hir.FieldSet(0, self.object, "state", hir.Const(U32, state))

    def load(self, local: Local, name: str) -> hir.Stmt:
        return hir.Assign(0, local, hir.FieldGet(_type(local), self.object, name))

    def store(self, local: Local, name: str) -> hir.Stmt:
        return hir.FieldSet(0, self.object, name, hir.LocalGet(_type(local), local))

    def temp(self, t: Type) -> Local:
        local = Local("$", t)
        self.made.append(local)
        return local

    # --- what the object must keep -----------------------------------------------------------------------------------

    def note(self, nodes: Sequence[hir.Expr | hir.Stmt]) -> None:
        """Note the variables that a piece of code without ``yield`` mentions."""
        self.segment += 1
        defined: set[Local] = set()
        for node in nodes:
            if isinstance(node, hir.Assign):
                self.mention([node.value], defined)
                self.segments[node.local].add(self.segment)
                defined.add(node.local)
            else:
                self.mention([node], defined)

    def mention(self, nodes: Iterable[hir.Expr | hir.Stmt], defined: set[Local]) -> None:
        for local in _locals_in(nodes):
            self.segments[local].add(self.segment)
            if local not in defined:
                self.exposed.add(local)

    # --- statements --------------------------------------------------------------------------------------------------

    def range_of(self, nodes: Iterable[hir.Expr | hir.Stmt]) -> tuple[int, int] | None:
        """Return the first and the last number of the ``yield`` in some code."""
        found = [self.numbers[node] for node in hir.walk(nodes) if isinstance(node, hir.Yield)]
        return (min(found), max(found)) if found else None

    def block(self, statements: hir.Block) -> hir.Block:
        """Return a block that skips what stands before the ``yield`` to go on behind."""
        out: hir.Block = []
        pending: hir.Block = []
        whole = self.range_of(statements)
        for node in statements:
            found = self.range_of([node])
            if found is None or whole is None:
                pending.append(node)
                continue
            self.skip(pending, out)
            pending = []
            if found[1] == whole[1]:
                out += self.statement(node)
                continue
            not_behind = hir.Op(BOOL, "i32.le_u", [hir.LocalGet(U32, self.mode), hir.Const(U32, found[1])])
            out.append(hir.If(0, not_behind, self.statement(node), []))
        self.note(pending)
        return [*out, *pending]

    def skip(self, pending: hir.Block, out: hir.Block) -> None:
        if pending:
            self.note(pending)
            out.append(hir.If(0, self.is_running(), pending, []))

    def is_running(self) -> hir.Expr:
        return hir.Op(BOOL, "i32.eqz", [hir.LocalGet(U32, self.mode)])

    def leads_to(self, nodes: Sequence[hir.Stmt]) -> hir.Expr | None:
        """Return the test whether the ``yield`` to go on behind is in some code, None if none is there."""
        found = self.range_of(nodes)
        if found is None:
            return None
        mode = hir.LocalGet(U32, self.mode)
        if found[0] == found[1]:
            return self.is_at(found[0])
        offset = hir.Op(U32, "i32.sub", [mode, hir.Const(U32, found[0])])
        return hir.Op(BOOL, "i32.lt_u", [offset, hir.Const(U32, found[1] - found[0] + 1)])

    def test(self, test: hir.Expr, then: hir.Block, orelse: hir.Block) -> hir.Expr:
        """Return a test that leads to the ``yield`` to go on behind."""
        self.note([test])
        out, into = self.leads_to(orelse), self.leads_to(then)
        if out is not None:
            test = hir.Conditional(BOOL, out, hir.Const(BOOL, False), test)
        if into is not None:
            test = hir.Conditional(BOOL, into, hir.Const(BOOL, True), test)
        return test

    def statement(self, node: hir.Stmt) -> hir.Block:
        match node:
            case hir.Yield():
                return [self.yield_(node)]
            case hir.If():
                test = self.test(node.test, node.then, node.orelse)
                return [hir.If(node.line, test, self.block(node.then), self.block(node.orelse))]
            case hir.While():
                looked = None if node.test is None else self.test(node.test, node.body, node.orelse)
                return [hir.While(node.line, node.label, looked, self.block(node.body), self.block(node.orelse))]
            case hir.ForRange():
                return self.counted(node)
            case hir.Handle():
                return self.handle(node)
            case _:
                raise AssertionError(f"`yield` within {type(node).__name__}")

    def yield_(self, node: hir.Yield) -> hir.Stmt:
        self.note([node.value])
        number = self.numbers[node]
        leave: hir.Block = [
            hir.FieldSet(node.line, self.object, "_current", node.value),
            *node.before,
            self.set_state(number),
            hir.Return(0, hir.Const(BOOL, True)),
        ]
        self.stores.append(leave)
        go_on: hir.Block = [hir.Assign(0, self.mode, hir.Const(U32, 0)), *node.behind]
        if not node.delegates:
            go_on += self.raising()
        return hir.If(node.line, self.is_at(number), go_on, leave)

    def raising(self) -> hir.Block:
        """Raise what has been thrown into the generator, if anything has."""
        if self.thrown is None:
            return []
        assert isinstance(self.thrown, Optional)
        local = self.temp(self.thrown)
        found = hir.LocalGet(self.thrown, local)
        leave: hir.Block = [
            hir.FieldSet(0, self.object, "_thrown", hir.Const(self.thrown, None)),
            hir.Raise(0, hir.Cast(self.thrown.inner, found)),
        ]
        return [
            hir.Assign(0, local, hir.FieldGet(self.thrown, self.object, "_thrown")),
            hir.If(0, hir.Op(BOOL, "i32.eqz", [found]), [], leave),
        ]

    def handle(self, node: hir.Handle) -> hir.Block:
        """A ``try``; a handler with a ``yield`` stands behind it, where going on can lead to it."""
        into = self.leads_to(node.handler)
        caught = hir.Assign(0, node.caught, hir.Const(_type(node.caught), None))
        if into is None:
            self.note([caught, *node.handler])
            return [hir.Handle(node.line, self.block(node.body), node.caught, node.handler)]
        self.note([caught])
        raised = self.temp(BOOL)
        note = hir.Assign(0, raised, hir.Const(BOOL, True))
        attempt = hir.Handle(node.line, self.block(node.body), node.caught, [note])
        return [
            hir.Assign(node.line, raised, into),
            hir.If(0, hir.LocalGet(BOOL, raised), [], [attempt]),
            hir.If(0, hir.LocalGet(BOOL, raised), self.block(node.handler), []),
        ]

    def counted(self, node: hir.ForRange) -> hir.Block:
        """A counted loop whose count must be kept: the number of rounds that are left."""
        start, stop, step, left = self.temp(INT), self.temp(INT), self.temp(INT), self.temp(INT)
        setup: hir.Block = [
            hir.Assign(node.line, start, node.start),
            hir.Assign(0, stop, node.stop),
            hir.Assign(0, step, node.step),
        ]
        begin, end, by, rest = (hir.LocalGet(INT, local) for local in (start, stop, step, left))
        amount = node.step if isinstance(node.step, hir.Const) else by
        setup.append(hir.Assign(0, left, range_length(begin, end, amount)))
        one = hir.Const(INT, 1)
        body: hir.Block = [
            hir.Assign(0, node.target, begin),
            hir.Assign(0, start, hir.Op(INT, "i64.add", [begin, by])),
            hir.Assign(0, left, hir.Op(INT, "i64.sub", [rest, one])),
            *node.body,
        ]
        test = hir.Op(BOOL, "i64.ne", [rest, hir.Const(INT, 0)])
        out: hir.Block = []
        self.skip(setup, out)
        return out + self.statement(hir.While(node.line, node.label, test, body, node.orelse))


def _type(local: Local) -> Type:
    assert local.type is not None, local.name
    return local.type


def _has_value(t: Type | None) -> bool:
    return t is not None and prune(t) not in (NONE, NEVER)


def _yields_in_order(body: hir.Block) -> list[hir.Yield]:
    """Return each ``yield`` in the order of the source, so that those of one block have neighbouring numbers."""
    found: list[hir.Yield] = []
    for node in body:
        if isinstance(node, hir.Yield):
            found.append(node)
        else:
            parts = [child for child in hir.children(node) if isinstance(child, hir.Stmt)]
            found += _yields_in_order(parts)
    return found


def _locals_in(nodes: Iterable[hir.Expr | hir.Stmt]) -> Iterable[Local]:
    for node in hir.walk(nodes):
        match node:
            case hir.LocalGet(local=local) | hir.Assign(local=local) | hir.ForRange(target=local):
                yield local
            case hir.Handle(caught=local):
                yield local
            case _:
                pass


def _spell_out_flags(body: hir.Block, made: list[Local]) -> None:
    """Make variables of the marks that say whether a variable is bound, so that they can be kept too."""
    flags: dict[Local, Local] = {}
    for node in hir.walk(body):
        if isinstance(node, hir.LocalGet) and node.checked and node.local not in flags:
            flags[node.local] = Local(f"{node.local.name} is bound", BOOL)
    if not flags:
        return
    made += flags.values()

    def expression(node: hir.Expr) -> hir.Expr:
        if not isinstance(node, hir.LocalGet) or not node.checked:
            return node
        flag = hir.LocalGet(BOOL, flags[node.local])
        plain = hir.LocalGet(node.type, node.local)
        return hir.Let(node.type, [hir.If(0, flag, [], [hir.RaiseUnbound(node.line, node.local.name)])], plain)

    def block(statements: hir.Block) -> hir.Block:
        out: hir.Block = []
        for node in statements:
            out.append(node)
            if isinstance(node, hir.Assign) and node.local in flags:
                out.append(hir.Assign(0, flags[node.local], hir.Const(BOOL, True)))
            if isinstance(node, hir.Unbind) and isinstance(node.variable, Local) and node.variable in flags:
                out.append(hir.Assign(0, flags[node.variable], hir.Const(BOOL, False)))
        return out

    hir.rewrite(body, expression, block)
    for local in flags:
        local.needs_flag = False
