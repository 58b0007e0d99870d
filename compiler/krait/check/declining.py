"""`return NotImplemented`: an operator's method that does not know the other operand.

In: the statement, in a method whose parameter is `object` (checked anew for each type that it meets). Out: what
CPython does: the other operand's method is asked, if it has one and has not been asked before; where that knows no
better, objects are compared by identity, and other operators raise TypeError.
"""

from __future__ import annotations

from dataclasses import replace

from krait.check import hir
from krait.check.coerce import adapt, coerce
from krait.check.context import Context
from krait.check.exceptions import leave
from krait.check.invoke import find_method, fresh_instance, invoke, receiver_for, result_of
from krait.check.operators import METHODS, SYMBOLS
from krait.check.signatures import signature
from krait.check.types import BOOL, NONE, ClassType, FunctionDecl, Local, Optional, Primitive, prune, substitute
from krait.syntax import tree

_ORDER = {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}
_REFLECTED = {f"__{method}__": f"__r{method}__" for method in METHODS.values()}
_MIRRORED = {"__eq__": "__eq__", "__ne__": "__ne__", "__lt__": "__gt__", "__gt__": "__lt__",
             "__le__": "__ge__", "__ge__": "__le__"}  # fmt: skip
_OPERATORS = {f"__{prefix}{METHODS[kind]}__": (SYMBOLS[kind], prefix) for kind in METHODS for prefix in ("", "r")}


def decline(ctx: Context, node: tree.Return) -> None:
    """Emit ``return NotImplemented``."""
    name, params = ctx.instance.decl.name, ctx.function.params
    if ctx.results is not None:
        ctx.flow = ctx.flow.stop()
        return
    asked = _asked(ctx, name, params, node) if len(params) == 2 else None
    if asked is not None:
        leave(ctx, "return", ctx.line, coerce(ctx, asked, ctx.function.result, node.span))
    elif len(params) == 2 and name in ("__eq__", "__ne__"):
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
            sequence = str(prune(params[1].type or NONE)).partition("[")[0] if prefix else ""
            if symbol == "+" and sequence in ("str", "list", "tuple"):
                parts = [f'can only concatenate {sequence} (not "', right, f'") to {sequence}']
            elif symbol == "*" and sequence in ("str", "list", "tuple", "bytes"):
                parts = ["can't multiply sequence by non-int of type '", right, "'"]
        for part in ctx.raising("TypeError", _joined(ctx, parts, node), node.span):
            ctx.emit(part)
    else:
        raise ctx.refuse(node.span, "`NotImplemented` is what the method of an operator with two operands returns")
    ctx.flow = ctx.flow.stop()


def _asked(ctx: Context, name: str, params: list[Local], node: tree.Return) -> hir.Expr | None:
    """Return the call of the other operand's method; None if it has none for such an operand, or was asked first."""
    first, second = params
    assert first.type is not None and second.type is not None
    own, t = prune(first.type), prune(second.type)
    other = _MIRRORED.get(name) or (_REFLECTED.get(name) if own != t else None)
    found = find_method(ctx, t, other) if other is not None and isinstance(t, ClassType) else None
    if found is None or ctx.instance.decl.is_last or found[0].module.library:
        return None
    decl = _last(found[0])
    sig = signature(ctx.world, decl)
    instance, env = fresh_instance(decl, found[1])
    if len(sig.params) != 1:
        return None
    given = adapt(ctx, hir.LocalGet(own, first), substitute(sig.params[0].type, env))
    if given is None:
        return None
    receiver = receiver_for(ctx, decl, hir.LocalGet(t, second))
    return ctx.call(instance, [receiver, given], result_of(ctx, instance, env, node.span), node.span, virtual=True)


def _last(decl: FunctionDecl) -> FunctionDecl:
    """Return a method that, where it declines, asks nobody else."""
    if decl.last is None:
        decl.last = replace(decl, is_last=True)
    return decl.last


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
