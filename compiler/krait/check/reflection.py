"""`getattr` and `hasattr` with a literal, `callable`, `id`: what a value is.

In: calls. Out: the attribute itself, or a constant, where types say it when the program is compiled; what the value's
own class or a field without a value says is asked at run time. A name that is computed is refused.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.attributes import read_attribute
from krait.check.builtins import builtin, plain_args
from krait.check.class_variables import always_has
from krait.check.classes import class_named
from krait.check.coerce import is_none, unwrap
from krait.check.context import Context
from krait.check.identity import has_identity
from krait.check.scopes import function_called
from krait.check.signatures import declared_fields
from krait.check.types import (
    BOOL,
    INT,
    NONE,
    ClassDecl,
    ClassType,
    FunctionDecl,
    FunctionType,
    Infer,
    Intrinsic,
    Optional,
    Type,
    Union,
    prune,
)
from krait.check.unions import by_member
from krait.diagnostics import Span
from krait.syntax import tree


def _name(ctx: Context, node: tree.Call, what: str) -> str:
    """Return the name of an attribute that a call gives as a literal."""
    match node.args[1]:
        case tree.Constant(value=str(name)):
            return name
        case other:
            hint = "write the attribute's name, or keep values by name in a dict"
            raise ctx.refuse(other.span, f"not part of Krait: `{what}` with a name that is computed", hint)


@builtin("getattr")
def getattr_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``getattr(x, "name")`` is ``x.name``; with a third argument, that where no value has such an attribute."""
    plain_args(ctx, node, 2, 3)
    name = _name(ctx, node, "getattr")
    read = tree.Attribute(node.args[0], name, tree.LOAD, node.span)
    if len(node.args) == 2:
        return ctx.expr(read, expected)
    value = ctx.expr(node.args[0])
    known = _has(ctx, prune(value.type), name)
    if known is None:
        hint = f"test for it: `if hasattr(x, {name!r}):`"
        raise ctx.later(node.span, f"`getattr` with a default for an attribute that a `{value.type}` may have", hint)
    held, kept = ctx.hold(value)
    if known:
        default = ctx.expr(node.args[2])
        found = read_attribute(ctx, kept, read, expected)
        unused: hir.Block = [hir.Evaluate(ctx.line, default)] if prune(default.type) is not NONE else []
        return hir.Let(found.type, [*held, *unused], found)
    default = ctx.expr(node.args[2], expected)
    return hir.Let(default.type, [hir.Evaluate(ctx.line, value)], default)


@builtin("hasattr")
def hasattr_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``hasattr(x, "name")``."""
    plain_args(ctx, node, 2, 2)
    return _test(ctx, ctx.expr(node.args[0]), _name(ctx, node, "hasattr"), node.span)


def _test(ctx: Context, value: hir.Expr, name: str, span: Span) -> hir.Expr:
    t = prune(value.type)
    if isinstance(t, Infer):
        raise ctx.unknown(span, "this value")
    if isinstance(t, Union):
        return by_member(ctx, value, lambda part: _test(ctx, part, name, span))
    if isinstance(t, Optional):
        held, kept = ctx.hold(value)
        inner = _test(ctx, unwrap(ctx, kept), name, span)
        nothing = hir.Const(BOOL, name in dir(type(None)))
        return hir.Let(BOOL, held, hir.Conditional(BOOL, is_none(kept), nothing, inner))
    known = _has(ctx, t, name)
    if known is not None:
        constant = hir.Const(BOOL, known)
        return constant if isinstance(value, hir.LocalGet) else hir.Let(BOOL, [hir.Evaluate(ctx.line, value)], constant)
    assert isinstance(t, ClassType)
    held, kept = ctx.hold(value)
    mark = ctx.world.mark_of(t.decl, name)
    own: hir.Expr = hir.FieldGet(BOOL, kept, mark) if mark is not None else hir.Const(BOOL, False)
    for cls in ctx.world.subclasses(t):
        if _says(ctx, cls, name) and not _says(ctx, t, name):
            part = _test(ctx, hir.Cast(cls, kept), name, span)
            own = hir.Conditional(BOOL, hir.IsInstance(BOOL, kept, cls), part, own)
    return hir.Let(BOOL, held, own)


def _says(ctx: Context, t: ClassType, name: str) -> bool:
    """Return whether objects of a program's class have an attribute, or can have it."""
    decl = t.decl
    if decl.find_variable(name) is not None and not always_has(decl, name):
        _unknown(ctx, t, name)
    named = decl.find_method(name) or decl.find_variable(name) or name in declared_fields(ctx.world, t)
    return bool(named) or name in dir(object)


def _has(ctx: Context, t: Type, name: str) -> bool | None:
    """Return whether values of a type have an attribute; None if that differs from object to object."""
    if not isinstance(t, ClassType) or t.decl.module.library:
        return _has_builtin(ctx, t, name)
    if name in ("__dict__", "__module__", "__doc__", "__weakref__") or ctx.world.is_exception(t.decl):
        if not _says(ctx, t, name):
            return _unknown(ctx, t, name)
    if _says(ctx, t, name):
        return True if ctx.world.mark_of(t.decl, name) is None else None
    return None if any(_says(ctx, cls, name) for cls in ctx.world.subclasses(t)) else False


_LIKE: dict[str, type] = {
    **{cls.__name__: cls for cls in (int, float, bool, str, bytes, bytearray, list, dict, set, tuple, frozenset)},
    "None": type(None),
}
"""The classes that CPython has for built-in types, which say what attributes there are."""


def _has_builtin(ctx: Context, t: Type, name: str) -> bool:
    """Return whether values of a built-in type have an attribute in CPython."""
    if isinstance(t, FunctionType) and name == "__call__":
        return True
    word = str(t).partition("[")[0]
    if word not in _LIKE:
        _unknown(ctx, t, name)
    return name in dir(_LIKE[word])


def _unknown(ctx: Context, t: Type, name: str) -> bool:
    raise ctx.later(ctx.span_of_line(ctx.line), f"whether a `{t}` has an attribute `{name}`", "use `isinstance`")


@builtin("callable")
def callable_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``callable(x)``."""
    (arg,) = plain_args(ctx, node, 1, 1)
    named = function_called(ctx, tree.Call(arg, (), (), node.span)) if isinstance(arg, tree.Name) else None
    is_named = isinstance(named, FunctionDecl | ClassDecl | Intrinsic) or class_named(ctx, arg) is not None
    if is_named or isinstance(arg, tree.Lambda):
        return hir.Const(BOOL, True)
    return _is_called(ctx, ctx.expr(arg), node.span)


def _is_called(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    t = prune(value.type)
    if isinstance(t, Union):
        return by_member(ctx, value, lambda part: _is_called(ctx, part, span))
    if isinstance(t, Optional):
        held, kept = ctx.hold(value)
        inner = _is_called(ctx, unwrap(ctx, kept), span)
        return hir.Let(BOOL, held, hir.Conditional(BOOL, is_none(kept), hir.Const(BOOL, False), inner))
    if isinstance(t, ClassType) and not t.decl.module.library:
        return _test(ctx, value, "__call__", span)
    known = hir.Const(BOOL, isinstance(t, FunctionType))
    return hir.Let(BOOL, [hir.Evaluate(ctx.line, value)], known)


@builtin("id")
def id_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``id(x)``."""
    (arg,) = plain_args(ctx, node, 1, 1)
    value = ctx.expr(arg)
    t = prune(value.type)
    if isinstance(t, Infer):
        raise ctx.unknown(arg.span, "this value")
    if not has_identity(t):
        raise ctx.refuse(
            node.span,
            f"`id` does not take a `{t}`",
            "use the value itself",
            label="identity of such values is an accident of the implementation",
        )
    return hir.Op(INT, "i64.extend_i32_u", [value])
