"""Tuples that are only ever taken apart: `n, digit = divmod(n, 10)` makes none, nor does `p = a, b` where all that is
asked of `p` are its items.

In: the functions of a program, its library apart. Out: the same, in which such a variable is one for each item. It gets
nothing but tuples that are made for it, and nothing reads it but to read an item; so nobody can tell that they are not
there (escape analysis and scalar replacement; Choi and others, "Escape analysis for Java", 1999).

Invariant: what the items are made of is evaluated in the same order, all of it before the first is set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from krait.check import hir
from krait.check.types import Local


def take_tuples_apart(program: hir.Program) -> None:
    """Change the trees of a program."""
    for function in program.functions.values():
        if not function.module.library:
            _TakingApart(function).run()


class _TakingApart:
    """One function.  parts: for each variable that is taken apart, those for its items by their names."""

    def __init__(self, function: hir.Function) -> None:
        self.function = function
        self.reads: Counter[Local] = Counter()
        self.parts: dict[Local, dict[str, Local]] = {}

    def run(self) -> None:
        made: dict[Local, list[hir.Expr]] = {}
        asked: Counter[Local] = Counter()
        others = set(self.function.params)
        for node in hir.walk(self.function.body):
            match node:
                case hir.Assign(local=local, value=value):
                    made.setdefault(local, []).append(value)
                case hir.FieldGet(object=hir.LocalGet(checked=False, local=local)):
                    asked[local] += 1
                case hir.LocalGet(local=local):
                    self.reads[local] += 1
                case hir.Handle(caught=local):
                    others.add(local)
                case _:
                    pass
        for local, values in made.items():
            if 0 < asked[local] == self.reads[local] and local not in others and not local.needs_flag:
                fields = [self.fields(value) for value in values]
                if all(fields):
                    name = local.name.lstrip("$") or "tuple"  # they have several values, as temporaries have not
                    self.parts[local] = {node.name: Local(f"{name}.{node.name}", node.value.type) for node in fields[0]}
        if self.parts:
            self.function.locals.extend(part for parts in self.parts.values() for part in parts.values())
            hir.rewrite(self.function.body, self.expression, self.block)

    def fields(self, value: hir.Expr) -> list[hir.FieldSet]:
        """What sets the items of a new tuple; nothing if that is not what a value is, or all it is."""
        statements, result = _flat(value)
        match result:
            case hir.LocalGet(checked=False, local=new):
                pass
            case _:
                return []
        found: list[hir.FieldSet] = []
        makers = 0
        for node in statements:
            match node:
                case hir.Assign(local=local, value=hir.New(extra=None)) if local is new:
                    makers += 1
                case hir.FieldSet(object=hir.LocalGet(local=local), value=set_to) if local is new and _is_still(set_to):
                    found.append(node)
                case _:
                    if found:
                        return []
        return found if makers == 1 and self.reads[new] == len(found) + 1 else []

    def expression(self, node: hir.Expr) -> hir.Expr:
        match node:
            case hir.FieldGet(object=hir.LocalGet(local=local), name=name) if local in self.parts:
                return hir.LocalGet(node.type, self.parts[local][name])
            case _:
                return node

    def block(self, statements: list[hir.Stmt]) -> list[hir.Stmt]:
        return [part for node in statements for part in self.statement(node)]

    def statement(self, node: hir.Stmt) -> Iterable[hir.Stmt]:
        """What takes the place of a statement."""
        if not isinstance(node, hir.Assign) or node.local not in self.parts:
            return [node]
        statements, result = _flat(node.value)
        assert isinstance(result, hir.LocalGet)
        found: list[hir.Stmt] = []
        for part in statements:
            match part:
                case hir.Assign(local=local) if local is result.local:
                    pass
                case hir.FieldSet(object=hir.LocalGet(local=local)) if local is result.local:
                    found.append(hir.Assign(part.line, self.parts[node.local][part.name], part.value))
                case _:
                    found.append(part)
        return found


def _is_still(value: hir.Expr) -> bool:
    """Whether a value is there already."""
    return isinstance(value, hir.Const) or (isinstance(value, hir.LocalGet) and not value.checked)


def _flat(value: hir.Expr) -> tuple[list[hir.Stmt], hir.Expr]:
    """The statements before a value, and the value."""
    statements: list[hir.Stmt] = []
    while isinstance(value, hir.Let):
        statements += value.body
        value = value.value
    return statements, value
