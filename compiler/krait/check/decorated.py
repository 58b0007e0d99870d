"""The calls of the decorators of a class.

In: a class whose statement runs. Out: what its decorators do. What each returns must be the class itself, for its name
means the same wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from krait.check import hir
from krait.check.class_decorators import own_decorators
from krait.check.class_values import class_object
from krait.check.context import Context
from krait.check.relations import class_meant
from krait.check.spread import kept_value
from krait.check.types import BOOL, ClassDecl, ClassType, FunctionType, Infer
from krait.syntax import tree

_CLASS = "$class"
"""The name that the class has in the call of a decorator: its own has no meaning yet."""


@contextmanager
def decorated(ctx: Context, decl: ClassDecl) -> Iterator[None]:
    """Emit what the decorators of a class do: calls that make one come before its body, all are called behind it."""
    decorators = own_decorators(decl.node)
    cls = ClassType(decl, tuple(Infer() for _ in decl.type_params))
    made = [_made(ctx, item, cls) for item in decorators]
    yield
    if not decorators:
        return
    ctx.classes[_CLASS] = cls
    for item in reversed(made):
        given = tree.Name(_CLASS, tree.LOAD, item.span)
        _require_same(ctx, ctx.expr(tree.Call(item, (given,), (), item.span)), class_object(ctx, cls), item)
    del ctx.classes[_CLASS]


def _made(ctx: Context, node: tree.expr, cls: ClassType) -> tree.expr:
    if not isinstance(node, tree.Call):
        return node
    return kept_value(ctx, ctx.expr(node, FunctionType((ctx.world.class_type(cls),), Infer())), node)


def _require_same(ctx: Context, value: hir.Expr, cls: hir.Expr, node: tree.expr) -> None:
    """Emit the test that a decorator has returned the class that it was given."""
    if class_meant(value.type) is None and value.type != ctx.world.class_type(None):
        raise ctx.later(node.span, f"a decorator of a class that returns a `{value.type}`", "return the class")
    raised = ctx.raising("TypeError", "a decorator of a class has returned another class", node.span)
    ctx.emit(hir.If(ctx.line, hir.Op(BOOL, "i32.eq", [value, cls]), [], raised))


__all__ = ["decorated"]
