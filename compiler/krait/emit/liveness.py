"""Which references a function still needs where objects may be made, so that the collector finds them.

In: a `hir.Function`. Out: for each node whose code may collect, the locals that are read later. Found by walking
backwards over the structured tree, loops until nothing changes (Aho, Lam, Sethi, Ullman, "Compilers", 9.2.5).

A set of locals is an int with a bit for each. The lowest bit, `RETURNS`, stands for the function's return: where it
is not in the set, control does not get there, as before a `raise`.

Invariant: what is in a set has a value. In files that import ``krait.unsafe`` a set also has each parameter, and each
variable that the blocks around have assigned to before: raw addresses may have been taken of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from krait.check import hir
from krait.check.types import NEVER, Local, resolve
from krait.emit.layout import is_reference

RETURNS = 1
MAKERS = (hir.New, hir.NewItems, hir.CallIndirect, hir.MarkGlobals)
"""Nodes whose code may collect, besides calls of functions that have such."""


class Needed(NamedTuple):
    """after: what is read once the node's code has run.  caught: what is read if it raises."""

    after: int
    caught: int


class Liveness:
    """What a function needs at each of its nodes that may collect, or raise an exception that it makes."""

    def __init__(self, function: hir.Function) -> None:
        self.at: dict[hir.Expr | hir.Stmt, Needed] = {}
        self._locals: list[Local] = []
        self._bits: dict[Local, int] = {}
        for local in (*function.params, *function.locals):
            self._bit(local)
        self._keeps = function.module.unsafe
        self._caught = 0
        self._loops: dict[hir.LoopLabel, tuple[int, int]] = {}
        scope = 0
        if self._keeps:
            for param in function.params:
                scope |= self._bit(param)
        self._block(function.body, RETURNS, scope)

    def locals(self, needed: int) -> Iterator[Local]:
        """Yield the locals of a set."""
        needed >>= 1
        while needed:
            low = needed & -needed
            yield self._locals[low.bit_length() - 1]
            needed ^= low

    def _bit(self, local: Local) -> int:
        """Return the bit of a local, 0 if it holds no references."""
        found = self._bits.get(local)
        if found is None:
            found = 0
            if local.type is not None and is_reference(local.type):
                self._locals.append(local)
                found = 1 << len(self._locals)
            self._bits[local] = found
        return found

    # --- statements --------------------------------------------------------------------------------------------------

    def _block(self, statements: Sequence[hir.Stmt], live: int, scope: int) -> int:
        """Return what is needed before some statements, given what is behind them."""
        scopes = [scope]
        if self._keeps:
            for statement in statements:
                scope = scopes[-1]
                scopes.append(scope | self._bit(statement.local) if isinstance(statement, hir.Assign) else scope)
        for at in range(len(statements) - 1, -1, -1):
            live = self._statement(statements[at], live, scopes[at] if self._keeps else 0)
        return live

    def _statement(self, node: hir.Stmt, live: int, scope: int) -> int:
        match node:
            case hir.Assign():
                return self._expr(node.value, live & ~self._bit(node.local) | self._caught, scope)
            case hir.If():
                then, orelse = self._block(node.then, live, scope), self._block(node.orelse, live, scope)
                return self._expr(node.test, then | orelse, scope)
            case hir.While():
                return self._while(node, live, scope)
            case hir.ForRange():
                return self._for_range(node, live, scope)
            case hir.Break():
                return self._loops[node.label][0]
            case hir.Continue():
                return self._loops[node.label][1]
            case hir.Return():
                return self._expr(node.value, RETURNS, scope) if node.value is not None else RETURNS
            case hir.Raise():
                return self._expr(node.value, self._caught, scope)
            case hir.Handle():
                return self._handle(node, live, scope)
            case hir.RaiseUnbound():
                self._note(node, 0)
                return self._caught
            case hir.Trap():
                return 0
            case _:
                return self._parts(node, live, scope)

    def _while(self, node: hir.While, live: int, scope: int) -> int:
        exhausted = self._block(node.orelse, live, scope)
        head = 0
        while True:
            self._loops[node.label] = live, head
            before = self._block(node.body, head, scope)
            if node.test is not None:
                before = self._expr(node.test, before | exhausted, scope)
            if before | head == head:
                return head
            head |= before

    def _for_range(self, node: hir.ForRange, live: int, scope: int) -> int:
        exhausted = self._block(node.orelse, live, scope)
        head = exhausted
        while True:
            self._loops[node.label] = live, head
            before = self._block(node.body, head, scope)
            if before | head == head:
                break
            head |= before
        for part in (node.step, node.stop, node.start):
            head = self._expr(part, head, scope)
        return head

    def _handle(self, node: hir.Handle, live: int, scope: int) -> int:
        bit = self._bit(node.caught)
        handler = self._block(node.handler, live, scope | bit if self._keeps else 0) & ~bit | scope
        self._note(node, handler)
        outer, self._caught = self._caught, handler
        before = self._block(node.body, live | handler, scope)
        self._caught = outer
        return before | handler

    # --- expressions -------------------------------------------------------------------------------------------------

    def _expr(self, node: hir.Expr, live: int, scope: int) -> int:
        match node:
            case hir.LocalGet():
                if node.checked:
                    self._note(node, live | scope)
                return live | self._bit(node.local)
            case hir.Conditional():
                arms = self._expr(node.then, live, scope) | self._expr(node.orelse, live, scope)
                return self._expr(node.test, arms, scope)
            case hir.Let():
                inner = scope
                if self._keeps:
                    for statement in node.body:
                        inner |= self._bit(statement.local) if isinstance(statement, hir.Assign) else 0
                return self._block(node.body, self._expr(node.value, live, inner), scope)
            case hir.Call() if resolve(node.type) is NEVER:
                live = 0
                self._note(node, 0)
            case hir.Call() | hir.New() | hir.NewItems() | hir.CallIndirect() | hir.MarkGlobals():
                self._note(node, live | scope)
            case hir.GlobalGet(checked=True):
                self._note(node, live | scope)
            case _:
                pass
        return self._parts(node, live, scope)

    def _parts(self, node: hir.Expr | hir.Stmt, live: int, scope: int) -> int:
        for part in reversed(hir.children(node)):
            live = self._statement(part, live, scope) if isinstance(part, hir.Stmt) else self._expr(part, live, scope)
        return live

    def _note(self, node: hir.Expr | hir.Stmt, after: int) -> None:
        self.at[node] = Needed(after | self._caught, self._caught)
