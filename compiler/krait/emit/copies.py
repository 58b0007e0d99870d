"""Copies that need not be made.

In: the statements of a block, in order. Out: the statements to emit, and for each local that is but another's name,
what stands for it. The checker holds a value in a temporary wherever something might change before it is used; here
it is seen whether something does.

Invariant: how often a local is read and written is counted over the whole function, so what is not in sight counts
against sparing a copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from krait.check import hir
from krait.check.types import Local

_SIGHT = 400
"""Nodes that are looked at to spare one copy."""
_STEPS = 3
"""Statements between a temporary and the variable that it is for."""


class Copies:
    """What is known of the locals of one function, and of those inlined into it."""

    def __init__(self, function: hir.Function) -> None:
        self._reads: Counter[Local] = Counter()
        self._writes: Counter[Local] = Counter()
        self._known: set[int] = set()
        self._loops: dict[Local, list[hir.ForRange]] = {}
        self._counters: dict[Local, bool] = {}
        self.learn(function)

    def learn(self, function: hir.Function) -> None:
        """Count the reads and writes of a function."""
        if id(function) in self._known:
            return
        self._known.add(id(function))
        for node in hir.walk(function.body):
            if isinstance(node, hir.LocalGet):
                self._reads[node.local] += 1
            elif isinstance(node, hir.Assign):
                self._writes[node.local] += 1
            elif isinstance(node, hir.ForRange) and (variable := _variable(node)) is not None:
                self._loops.setdefault(variable, []).append(node)

    def is_own(self, local: Local) -> bool:
        """Return whether a local is a temporary of the compiler with one value only."""
        return local.name.startswith("$") and self._writes[local] == 1 and not local.needs_flag

    # --- counters ----------------------------------------------------------------------------------------------------

    def counts_only(self, loop: hir.ForRange) -> Local | None:
        """Return the variable of a loop if only such loops set it, and nothing but their bodies reads it.

        Then nobody sees that it has the wrong value after the loop.
        """
        variable = _variable(loop)
        if variable is None or variable not in self._counters:
            if variable is None:
                return None
            self._counters[variable] = self._is_counter(variable)
        return variable if self._counters[variable] else None

    def _is_counter(self, variable: Local) -> bool:
        loops = self._loops.get(variable, [])
        reads, writes = 0, 0
        for loop in loops:
            inside = 0
            for node in hir.walk(loop.body):
                reads += isinstance(node, hir.LocalGet) and node.local is variable
                inside += isinstance(node, hir.Assign) and node.local is variable
            if inside != 1:
                return False
            writes += 1
        return not variable.needs_flag and (reads, writes) == (self._reads[variable], self._writes[variable])

    # --- copies ------------------------------------------------------------------------------------------------------

    def spared(
        self,
        statements: Sequence[hir.Stmt],
        given: dict[Local, hir.Expr],
        value: hir.Expr | None,
        kept: Callable[[hir.Expr], hir.Expr | None],
    ) -> Iterator[hir.Stmt]:
        """Yield the statements without needless copies; `value` is what is evaluated behind them.

        What stands for a local is put into `given`.  kept: returns what stands for an expression that a loop keeps; it
        is evaluated all the same, for it may raise.
        """
        skipped: set[int] = set()
        for at, statement in enumerate(statements):
            if id(statement) in skipped:
                continue
            if isinstance(statement, hir.Assign) and self.is_own(statement.local):
                source = statement.value
                known = kept(source)
                if known is not None or (isinstance(source, hir.LocalGet) and not source.checked):
                    original = known
                    if original is None:
                        assert isinstance(source, hir.LocalGet)
                        original = given.get(source.local, source)
                    following: Sequence[hir.Stmt | hir.Expr] = statements[at + 1 :]
                    if value is not None:
                        following = [*following, value]
                    if self._is_alias(statement.local, original, following):
                        given[statement.local] = original
                        if known is not None:
                            yield hir.Evaluate(statement.line, source)
                        continue
                target = self._destination(statement.local, statements[at + 1 : at + 1 + _STEPS])
                if target is not None:
                    skipped.add(id(target))
                    statement = hir.Assign(statement.line, target.local, source)
            yield statement

    def _is_alias(self, local: Local, original: hir.Expr, following: Sequence[hir.Stmt | hir.Expr]) -> bool:
        """Whether nothing changes the original as long as the copy is read, which `following` alone does."""
        unread = self._reads[local]
        seen = 0
        for part in following:
            changed = False
            for node in islice(hir.walk([part]), _SIGHT):
                seen += 1
                if isinstance(node, hir.LocalGet) and node.local is local:
                    unread -= 1
                elif isinstance(node, hir.Assign) and isinstance(original, hir.LocalGet):
                    changed = changed or (node.local is original.local and node is not part)
            if changed or seen >= _SIGHT:
                return False
            if unread == 0:
                return True
            if isinstance(part, hir.Assign) and isinstance(original, hir.LocalGet) and part.local is original.local:
                return False
        return unread == 0

    def _destination(self, local: Local, following: Sequence[hir.Stmt]) -> hir.Assign | None:
        """Return the assignment that only hands a temporary on to a variable which nothing in between mentions."""
        if self._reads[local] != 1:
            return None
        for at, part in enumerate(following):
            if not isinstance(part, hir.Assign):
                return None
            source = part.value
            if isinstance(source, hir.LocalGet) and source.local is local:
                between = following[:at]
                return part if not source.checked and not any(_mentions(each, part.local) for each in between) else None
            if not _is_harmless(part):
                return None
        return None


def _variable(loop: hir.ForRange) -> Local | None:
    """Return the variable that a loop's body begins by giving the count to, if nothing else reads that."""
    match loop.body:
        case [hir.Assign(local=variable, value=hir.LocalGet(local=counter)), *_] if counter is loop.target:
            return variable
        case _:
            return None


def _mentions(statement: hir.Stmt, local: Local) -> bool:
    return any(isinstance(node, hir.LocalGet | hir.Assign) and node.local is local for node in hir.walk([statement]))


def _is_harmless(statement: hir.Stmt) -> bool:
    """Whether a statement only sets temporaries, and cannot fail."""
    first, *others = hir.walk([statement])
    if not isinstance(first, hir.Assign) or not first.local.name.startswith("$"):
        return False
    return all(isinstance(node, hir.Const | hir.LocalGet) or (isinstance(node, hir.Op) and node.op in _SAFE)
               for node in others)  # fmt: skip


_SAFE = frozenset(("i32.add", "i32.sub", "i64.add", "i64.sub"))
