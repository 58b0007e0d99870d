"""`yield` within expressions, as statements before those that hold them: `x = yield y` and `yield y` are checked.

In: the statements of a module. Out: the same where the value of a `yield` is in a variable of its own, and so is what
CPython evaluates before it in the same statement. Where it may not be evaluated at all (behind `and`, in a branch of a
conditional expression, in a later part of a chain of comparisons) it stays where it is, and is refused there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count

from krait.syntax import tree

_Yield = (tree.Yield, tree.YieldFrom)


def with_lifted_yields(body: Iterable[tree.stmt]) -> tuple[tree.stmt, ...]:
    """Return the statements of a module with each `yield` where a statement can have it."""
    statements = tuple(body)
    if not any(isinstance(part, _Yield) for root in statements for part in tree.walk(root)):
        return statements
    return tuple(_in_functions(node) for node in statements)


def _in_functions(node: tree.stmt) -> tree.stmt:
    """Return a statement of a module or class with the bodies of its functions changed."""
    if isinstance(node, tree.FunctionDef):
        return _Body(node).function
    return tree.rebuilt(node, lambda part: _in_functions(part) if isinstance(part, tree.stmt) else part)


class _Held(Exception):
    """A `yield` stands where it may not be evaluated."""


class _Body:
    """Changes the body of one function."""

    def __init__(self, node: tree.FunctionDef) -> None:
        self.numbers = count()
        self.shared = {
            name for part in tree.walk(node) if isinstance(part, tree.Nonlocal | tree.Global) for name in part.names
        }
        self.function = tree.FunctionDef(
            node.name, node.args, self.block(node.body), node.decorator_list, node.returns, node.type_params, node.span
        )

    def block(self, body: Iterable[tree.stmt]) -> tuple[tree.stmt, ...]:
        return tuple(part for node in body for part in self.statement(node))

    def statement(self, node: tree.stmt) -> Sequence[tree.stmt]:
        """A statement, behind those that evaluate what it holds up to its last `yield`."""
        if isinstance(node, tree.FunctionDef | tree.ClassDef):
            return (_in_functions(node),)
        whole = tree.rebuilt(node, self.part)
        name = _PLACES.get(type(node))
        value = getattr(whole, name) if name is not None else None
        if not isinstance(value, tree.expr) or not _yields(value) or self.is_plain(whole, value):
            return (whole,)
        before: list[tree.stmt] = []
        try:
            lifted = self.lift(value, before)
        except _Held:
            return (whole,)
        if isinstance(whole, tree.While):
            leave = tree.If(tree.UnaryOp(tree.NOT, lifted, value.span), (tree.Break(value.span),), (), value.span)
            always = tree.Constant(True, value.span)
            return (tree.While(always, (*before, leave, *whole.body), (), whole.span),)
        return *before, tree.rebuilt(whole, lambda part: lifted if part is value else part)

    def part(self, node: tree.AST) -> tree.AST | Sequence[tree.AST]:
        """A part of a statement: the blocks in it are changed."""
        if isinstance(node, tree.stmt):
            return self.statement(node)
        if isinstance(node, tree.excepthandler | tree.match_case):
            return tree.rebuilt(node, self.part)
        return node

    def is_plain(self, node: tree.stmt, value: tree.expr) -> bool:
        """Return whether a statement can have its `yield` where that is, or cannot be changed."""
        if isinstance(node, tree.AugAssign):
            return not isinstance(node.target, tree.Name) or node.target.id in self.shared
        if isinstance(node, tree.While) and node.orelse:
            return True
        if isinstance(node, tree.Assign) and any(map(_yields, node.targets)):
            return True
        takes = isinstance(node, tree.Expr | tree.Assign | tree.AnnAssign | tree.Return)
        return takes and isinstance(value, _Yield) and (value.value is None or not _yields(value.value))

    def lift(self, node: tree.expr, before: list[tree.stmt]) -> tree.expr:
        """Return an expression that has a `yield` without it; ``before`` gets the statements that evaluate it."""
        if isinstance(node, _Yield):
            if node.value is not None and _yields(node.value):
                value = self.lift(node.value, before)
                node = tree.rebuilt(node, lambda part: value)
            return self.kept(node, before)
        if isinstance(node, tree.JoinedStr):
            return self.text(node, before)
        parts = _evaluated(node)
        last = max((at for at, part in enumerate(parts) if _yields(part)), default=-1)
        if last < 0:
            raise _Held
        changed: dict[tree.AST, tree.AST] = {}
        for part in parts[: last + 1]:
            if _yields(part):
                changed[part] = self.lift(part, before)
            elif not isinstance(part, tree.Constant):
                changed[part] = self.kept(part, before)
        return _with(node, changed)

    def text(self, node: tree.JoinedStr, before: list[tree.stmt]) -> tree.expr:
        """An f-string: each field is made a text before the next one is evaluated."""
        last = max(at for at, part in enumerate(node.values) if _yields(part))
        values: list[tree.expr] = []
        for at, part in enumerate(node.values):
            if isinstance(part, tree.FormattedValue) and at <= last:
                if _yields(part):
                    value = self.lift(part.value, before)
                    part = tree.FormattedValue(value, part.conversion, part.format_spec, part.span)
                if at < last:
                    made = self.kept(tree.JoinedStr((part,), part.span), before)
                    part = tree.FormattedValue(made, -1, None, part.span)
            values.append(part)
        return tree.JoinedStr(tuple(values), node.span)

    def kept(self, value: tree.expr, before: list[tree.stmt]) -> tree.expr:
        """Have a value in a variable of its own."""
        name = f"$yield{next(self.numbers)}"
        before.append(tree.Assign((tree.Name(name, tree.STORE, value.span),), value, value.span))
        return tree.Name(name, tree.LOAD, value.span)


_PLACES: dict[type[tree.stmt], str] = {
    **dict.fromkeys((tree.Expr, tree.Assign, tree.AnnAssign, tree.AugAssign, tree.Return), "value"),
    **dict.fromkeys((tree.If, tree.While, tree.Assert), "test"),
    tree.For: "iter",
    tree.Raise: "exc",
    tree.Match: "subject",
}
"""Where statements hold an expression that is evaluated first, and once."""


def _yields(node: tree.AST) -> bool:
    return any(isinstance(part, _Yield) for part in tree.walk(node))


def _evaluated(node: tree.expr) -> list[tree.expr]:
    """Return the parts of an expression that are always evaluated, in their order."""
    match node:
        case tree.BinOp(left=left, right=right) | tree.Compare(left=left, comparators=(right, *_)):
            return [left, right]
        case tree.UnaryOp(operand=part) | tree.Attribute(value=part) | tree.NamedExpr(value=part):
            return [part]
        case tree.Starred(value=part) | tree.IfExp(test=part) | tree.BoolOp(values=(part, *_)):
            return [part]
        case tree.Call(func=func, args=args, keywords=keywords):
            callee = [func.value] if isinstance(func, tree.Attribute) else [] if isinstance(func, tree.Name) else [func]
            return [*callee, *map(_unstarred, args), *(keyword.value for keyword in keywords)]
        case tree.Subscript(value=value, slice=index):
            return [value, index]
        case tree.Tuple(elts=items) | tree.List(elts=items) | tree.Set(elts=items):
            return [*map(_unstarred, items)]
        case tree.Dict(keys=keys, values=values):
            return [part for pair in zip(keys, values, strict=True) for part in pair if part is not None]
        case _:
            return []


def _unstarred(node: tree.expr) -> tree.expr:
    return node.value if isinstance(node, tree.Starred) else node


def _with(node: tree.AST, changed: dict[tree.AST, tree.AST]) -> tree.expr:
    """Return an expression with some of its parts replaced, which may be parts of its parts."""

    def other(part: tree.AST) -> tree.AST:
        if part in changed:
            return changed[part]
        nested = tree.Starred | tree.keyword | tree.Attribute
        return tree.rebuilt(part, other) if isinstance(part, nested) else part

    made = tree.rebuilt(node, other)
    assert isinstance(made, tree.expr)
    return made


__all__ = ["with_lifted_yields"]
