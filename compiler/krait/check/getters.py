"""Lambdas in the place of what gives functions: `itemgetter`, `attrgetter` and `methodcaller` of `operator`.

In: syntax. Out: the lambda that does the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check.context import Context
from krait.check.scopes import function_called
from krait.check.types import Intrinsic
from krait.diagnostics import Span
from krait.syntax import tree

_OBJECT = "$object"


def lambda_of(names: Sequence[str], body: tree.expr, span: Span) -> tree.Lambda:
    """Return a lambda with parameters of such names."""
    listed = tuple(tree.arg(name, None, span) for name in names)
    return tree.Lambda(tree.arguments((), listed, None, (), (), None, (), span), body, span)


def getter(ctx: Context, node: tree.Call) -> tree.Lambda | None:
    """Return the lambda that a call of a function of ``operator`` gives, None if it is no such call."""
    symbol = function_called(ctx, node)
    kind = symbol.name if isinstance(symbol, Intrinsic) else ""
    if kind not in ("operator.itemgetter", "operator.attrgetter", "operator.methodcaller"):
        return None
    given = tree.Name(_OBJECT, tree.LOAD, node.span)
    constants = [arg for arg in node.args if _is_constant(arg)]
    if not node.args or len(constants) < len(node.args):
        raise ctx.refuse(node.span, f"`{kind.rpartition('.')[2]}` takes literals", "write a lambda")
    if kind == "operator.methodcaller":
        method = tree.Attribute(given, _text(ctx, node.args[0]), tree.LOAD, node.span)
        return lambda_of((_OBJECT,), tree.Call(method, node.args[1:], node.keywords, node.span), node.span)
    if node.keywords:
        raise ctx.refuse(node.span, f"`{kind.rpartition('.')[2]}` takes no keyword arguments")
    parts: list[tree.expr] = []
    for arg in node.args:
        part: tree.expr = given
        if kind == "operator.itemgetter":
            part = tree.Subscript(given, arg, tree.LOAD, node.span)
        else:
            for name in _text(ctx, arg).split("."):
                part = tree.Attribute(part, name, tree.LOAD, node.span)
        parts.append(part)
    whole = parts[0] if len(parts) == 1 else tree.Tuple(tuple(parts), tree.LOAD, node.span)
    return lambda_of((_OBJECT,), whole, node.span)


def _is_constant(node: tree.expr) -> bool:
    operand = node.operand if isinstance(node, tree.UnaryOp) else node
    return isinstance(operand, tree.Constant)


def _text(ctx: Context, node: tree.expr) -> str:
    if isinstance(node, tree.Constant) and isinstance(node.value, str):
        return node.value
    raise ctx.refuse(node.span, "this takes the name of an attribute")
