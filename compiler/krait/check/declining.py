"""`return NotImplemented`: an operator's method that does not know the other operand.

In: the statement, in a method whose parameter is `object` (checked anew for each type that it meets). Out: what
CPython does in the end when the other operand knows no better: objects are compared by identity, other operators raise
TypeError.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.context import Context
from krait.check.exceptions import leave
from krait.check.invoke import invoke
from krait.check.operators import METHODS, SYMBOLS
from krait.check.types import BOOL, NONE, ClassType, Local, Optional, Primitive, prune
from krait.syntax import tree

_ORDER = {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}
_OPERATORS = {f"__{prefix}{METHODS[kind]}__": (SYMBOLS[kind], prefix) for kind in METHODS for prefix in ("", "r")}


def decline(ctx: Context, node: tree.Return) -> None:
    """Emit ``return NotImplemented``."""
    name, params = ctx.instance.decl.name, ctx.function.params
    if len(params) == 2 and name in ("__eq__", "__ne__"):
        leave(ctx, "return", ctx.line, _identity(params[0], params[1], equal=name == "__eq__"))
    elif len(params) == 2 and (name in _ORDER or name in _OPERATORS):
        first, second = _class_name(ctx, params[0]), _class_name(ctx, params[1])
        if name in _ORDER:
            begin = f"'{_ORDER[name]}' not supported between instances of '"
            parts: list[hir.Expr | str] = [begin, first, "' and '", second, "'"]
        else:
            symbol, prefix = _OPERATORS[name]
            left, right = (second, first) if prefix else (first, second)
            parts = [f"unsupported operand type(s) for {symbol}: '", left, "' and '", right, "'"]
        for part in ctx.raising("TypeError", _joined(ctx, parts, node), node.span):
            ctx.emit(part)
    else:
        raise ctx.refuse(node.span, "`NotImplemented` is what the method of an operator with two operands returns")
    ctx.flow = ctx.flow.stop()


def _identity(first: Local, second: Local, *, equal: bool) -> hir.Expr:
    assert first.type is not None and second.type is not None
    if not isinstance(prune(first.type), ClassType) or isinstance(prune(second.type), Primitive):
        return hir.Const(BOOL, not equal)
    pair: list[hir.Expr] = [hir.LocalGet(first.type, first), hir.LocalGet(second.type, second)]
    return hir.Op(BOOL, "i32.eq" if equal else "i32.ne", pair)


def _class_name(ctx: Context, local: Local) -> hir.Expr:
    text = ctx.world.str_type
    assert local.type is not None
    t = prune(local.type)
    if isinstance(t, ClassType):
        return hir.TypeName(text, hir.LocalGet(t, local))
    inner = prune(t.inner) if isinstance(t, Optional) else t
    return hir.Text(text, "NoneType" if inner is NONE or isinstance(t, Optional) else str(inner))


def _joined(ctx: Context, parts: list[hir.Expr | str], node: tree.Return) -> hir.Expr:
    text = ctx.world.str_type
    values = [hir.Text(text, part) if isinstance(part, str) else part for part in parts]
    result: hir.Expr = values[0]
    for value in values[1:]:
        result = invoke(ctx, result, "__add__", [(value, node.span)], node.span)
    return result


__all__ = ["decline"]
