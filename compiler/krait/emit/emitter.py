"""The emission of one function's body: its state, and the registry of what emits each kind of node.

In: nodes of the typed tree, through the rules that the modules of this package register with `emits`. Out: code, the
locals that it needs, its line entries. Operands are pushed in the order of the tree, so evaluation order is the tree's.

Invariant: each statement leaves the operand stack as it found it, also inside an expression (`hir.Let`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from krait.check import hir
from krait.check.types import Local, Type
from krait.emit.copies import Copies
from krait.emit.layout import value_type
from krait.emit.liveness import Liveness
from krait.emit.paths import Element, Path, Paths
from krait.emit.roots import Collects
from krait.emit.shared import Shared
from svm import isa
from svm.module import CodeBuilder

Rule = Callable[["BodyEmitter", Any], None]
_RULES: dict[type[hir.Expr | hir.Stmt], Rule] = {}
_R = TypeVar("_R", bound=Rule)


def emits(node: type[hir.Expr | hir.Stmt]) -> Callable[[_R], _R]:
    """Register the rule for a kind of node."""

    def register(rule: _R) -> _R:
        _RULES[node] = rule
        return rule

    return register


@dataclass(slots=True)
class Inlined:
    """A call whose function's body stands in its place.

    exit: the block that a `return` leaves; tail: the one at the end, which need not leave anything.
    liveness: the function's own, None if it makes no objects.  after, caught: the locals with references that are
    needed when the call has returned, or raised an exception.
    """

    tail: hir.Stmt | None
    exit: int
    liveness: Liveness | None
    after: list[int]
    caught: list[int]


class BodyEmitter:
    """The state of the emission of one function's body.

    given: what stands for a local that needs no place of its own: a constant, another local, or what is kept.
    kept: the locals that hold what is at the end of a path, while a loop runs that does not change it.
    elements: the same for elements of lists: variables, which are None where the index is out of range.
    certain: places of items that are known to be there, and elements that are known not to be None, for the same time.
    labels: where `break` and `continue` of a loop go.  inlined: the inlined calls around the node at hand.
    pending: the locals with references that wait to be operands.
    """

    def __init__(self, shared: Shared, function: hir.Function) -> None:
        self.shared = shared
        self.function = function
        self.code = CodeBuilder()
        self.copies = Copies(function)
        self.file = shared.file_index(function.module.filename)
        self.line_now = 0
        self.indices: dict[Local, int] = {}
        self.given: dict[Local, hir.Expr] = {}
        self.kept: dict[Path, int] = {}
        self.elements: dict[Element, Local] = {}
        self.paths = Paths(self.given, lambda element, _: self.elements.get(element))
        self._certain = Paths(self.given, lambda element, _: None)
        self.certain: set[hir.Expr | Local] = set()
        self.flags: dict[Local, int] = {}
        self.types: list[isa.ValueType] = []
        self.names: list[str] = []
        self.free: dict[isa.ValueType, list[int]] = {}
        self.param_count = 0
        self.depth = 0
        self.labels: dict[hir.LoopLabel, tuple[int, int]] = {}
        self.inlined: list[Inlined] = []
        self.pending: list[int] = []
        self.liveness = shared.roots.liveness(function.instance)
        for param in function.params:
            if value_type(type_of(param)) is not None:
                self.indices[param] = self.param_count
                self.param_count += 1

    # --- walking ---------------------------------------------------------------------------------------------------

    def expr(self, node: hir.Expr) -> None:
        """Push the value of an expression."""
        _RULES[type(node)](self, node)

    def block(self, statements: Sequence[hir.Stmt], value: hir.Expr | None = None) -> None:
        """Emit statements; `value` is what is evaluated behind them."""
        for statement in self.copies.spared(statements, self.given, value, self._known):
            self.mark(statement.line)
            _RULES[type(statement)](self, statement)

    def _known(self, node: hir.Expr) -> hir.Expr | None:
        """Return what stands for an expression whose value is kept throughout the loop."""
        element = self.element(node)
        if element is not None:
            return hir.LocalGet(node.type, element)
        return node if self.kept_local(node) is not None else None

    def mark(self, line: int) -> None:
        """What follows belongs to this source line; inlined code belongs to the line of its call."""
        if line and line != self.line_now and not self.inlined:
            self.line_now = line
            self.code.line(self.file, line)

    # --- locals ----------------------------------------------------------------------------------------------------

    def new_local(self, t: isa.ValueType, name: str) -> int:
        """Return the index of a new local."""
        self.types.append(t)
        self.names.append(name)
        return self.param_count + len(self.types) - 1

    def local(self, local: Local) -> int:
        """Return the index of a variable."""
        index = self.indices.get(local)
        if index is None:
            t = value_type(type_of(local))
            assert t is not None, f"{local.name} has no values"
            index = self.indices[local] = self.take(t) if self.inlined else self.new_local(t, local.name)
        return index

    def kept_local(self, node: hir.Expr) -> int | None:
        """Return the local that holds what a field or a module's variable is throughout the loop, None if none does."""
        if not self.kept or not isinstance(node, hir.FieldGet | hir.GlobalGet | hir.Cast):
            return None
        path = self._certain.of(node)
        return None if path is None else self.kept.get(path)

    def element(self, node: hir.Expr) -> Local | None:
        """Return the variable that is an element of a list throughout the loop; it holds None out of range."""
        if not self.elements or not isinstance(node, hir.Load):
            return None
        element = self.paths.element_of(node)
        return None if element is None else self.elements.get(element)

    @contextmanager
    def certain_of(self, calls: Iterable[hir.Expr], elements: Iterable[Local]) -> Iterator[None]:
        """Emit code for which it has been asked whether items are where some calls look, and elements not None."""
        before = self.certain
        self.certain = {*before, *calls, *elements}
        yield
        self.certain = before

    def flag(self, local: Local) -> int:
        """Return the index of the local that says whether a variable is bound."""
        index = self.flags.get(local)
        if index is None:
            index = self.flags[local] = self.new_local(isa.I32, f"{local.name} is bound")
        return index

    def take(self, t: isa.ValueType) -> int:
        """Return the index of a local that nobody uses, until `leave` gives it back."""
        unused = self.free.get(t)
        return unused.pop() if unused else self.new_local(t, "$")

    def leave(self, indices: Iterable[int]) -> None:
        """Give back what `take` returned: nothing reads it any more before it is set again."""
        for index in indices:
            self.free.setdefault(self.types[index - self.param_count], []).append(index)

    # --- references ------------------------------------------------------------------------------------------------

    def roots(self, node: hir.Expr | hir.Stmt) -> list[int]:
        """Return the locals that must be on the shadow stack while a node's own code runs."""
        collects = self.shared.roots.of_node(node)
        if collects is Collects.NEVER:
            return []
        after, caught = self.needed(node)
        return list(dict.fromkeys([*self.pending, *after] if collects is Collects.RETURNING else caught))

    def needed(self, node: hir.Expr | hir.Stmt) -> tuple[list[int], list[int]]:
        """Return the locals with references that are read after a node, and those that are read if it raises."""
        around = self.inlined[-1] if self.inlined else None
        liveness = around.liveness if around is not None else self.liveness
        if liveness is None:
            return [], []
        needed = liveness.at[node]
        after, caught = (self._references(liveness.locals(part)) for part in (needed.after, needed.caught))
        return (after, caught) if around is None else ([*around.after, *after], [*around.caught, *caught])

    def keep(self, value: hir.Expr, index: int | None) -> None:
        """Note that a reference waits to be an operand: in a local of its own, or in a variable."""
        if index is not None:
            self.pending.append(index)
        elif isinstance(value, hir.LocalGet):
            self.pending += self._references([value.local])
        elif (kept := self.kept_local(value)) is not None:
            self.pending.append(kept)

    def _references(self, locals: Iterable[Local]) -> list[int]:
        """Return the indices of variables, or of what stands for them; constants need none."""
        found: list[int] = []
        for local in locals:
            value = self.given.get(local)
            if value is None:
                # Not yet set, and still to be: in a function's own loops.
                if local in self.indices or not self.inlined:
                    found.append(self.local(local))
            elif isinstance(value, hir.LocalGet):
                found += self._references([value.local])
            elif (kept := self.kept_local(value)) is not None:
                found.append(kept)
        return found

    # --- blocks ----------------------------------------------------------------------------------------------------

    def open(self, name: str, kind: isa.ValueType | None = None) -> int:
        """Begin a block and return its depth, for branches to it."""
        self.code(name, kind)
        self.depth += 1
        return self.depth

    def close(self) -> None:
        """End a block."""
        self.code("end")
        self.depth -= 1

    def branch(self, name: str, depth: int) -> None:
        """Branch to the block of a depth."""
        self.code(name, self.depth - depth)


def type_of(local: Local) -> Type:
    """Return the type of a checked function's local."""
    assert local.type is not None, local.name
    return local.type
