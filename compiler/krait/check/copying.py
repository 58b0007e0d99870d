"""`copy.copy` and `copy.deepcopy`: a value again, as its type says.

In: calls. Out: for lists, dicts and sets, calls of the library; for objects of a program, new ones of the same
class with the same fields; values that cannot change are themselves.
"""

from __future__ import annotations

from collections.abc import Callable

from krait.check import hir
from krait.check.builtins import builtin, plain_args
from krait.check.coerce import adapt, is_none, unwrap
from krait.check.context import Context
from krait.check.displays import make_tuple
from krait.check.invoke import find_method, invoke
from krait.check.relations import dict_of
from krait.check.setlike import set_kind
from krait.check.signatures import declared_fields, field_type
from krait.check.tuples import field_name, is_tuple, is_vector
from krait.check.types import (
    BOOL,
    INT,
    U32,
    ClassType,
    FunctionType,
    Infer,
    Optional,
    Primitive,
    Type,
    Union,
    is_object,
    prune,
)
from krait.check.unions import by_member
from krait.check.vocabulary import LIBRARY
from krait.check.world import Refusal
from krait.diagnostics import Span
from krait.syntax import tree

_PLAIN = ("str", "bytes", "range", "frozenset", "type")
"""Classes of the library whose objects are not copied."""


@builtin("copy.copy")
def copy(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``copy(x)``."""
    (arg,) = plain_args(ctx, node, 1, 1)
    return _shallow(ctx, ctx.expr(arg, expected), arg.span)


def _shallow(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    t = prune(value.type)
    if isinstance(t, Union) and not is_object(t):
        return _of_members(ctx, value, lambda part: _shallow(ctx, part, span))
    if isinstance(t, Optional) and not is_object(t):
        return _unless_none(ctx, value, lambda part: _shallow(ctx, part, span))
    if _is_constant(ctx, t) or (isinstance(t, ClassType) and (is_tuple(t.decl) or is_vector(t.decl))):
        return value
    if isinstance(t, ClassType) and t.decl.module.library and find_method(ctx, t, "copy") is not None:
        return invoke(ctx, value, "copy", [], span)
    return _new_objects(ctx, value, span, None)


@builtin("copy.deepcopy")
def deepcopy(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``deepcopy(x)``."""
    (arg,) = plain_args(ctx, node, 1, 1)
    return ctx.expr(tree.Call(tree.Name(f"{LIBRARY}copy._deepcopy", tree.LOAD, node.span), (arg,), (), node.span))


@builtin("copying.deep")
def deep(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``deep(x, memo)`` of the library, for the type that x has there."""
    value, memo = ctx.attempt((arg, None) for arg in node.args)
    held, kept = ctx.hold(memo)
    made = _deep(ctx, value, kept, node.span)
    return hir.Let(made.type, held, made) if held else made


@builtin("copying.deep_fields")
def deep_fields(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``deep_fields(x, memo)`` of the library: a new object, which the memo knows before its fields are copied."""
    value, memo = ctx.attempt((arg, None) for arg in node.args)
    held, kept = ctx.hold(memo)
    made = _new_objects(ctx, value, node.span, kept)
    return hir.Let(made.type, held, made) if held else made


def _deep(ctx: Context, value: hir.Expr, memo: hir.Expr, span: Span) -> hir.Expr:
    t = prune(value.type)
    if isinstance(t, Union) and not is_object(t):
        return _of_members(ctx, value, lambda part: _deep(ctx, part, memo, span))
    if isinstance(t, Optional) and not is_object(t):
        return _unless_none(ctx, value, lambda part: _deep(ctx, part, memo, span))
    if _is_constant(ctx, t):
        return value
    if not isinstance(t, ClassType) or is_object(t):
        raise _cannot(ctx, t, span)
    if is_tuple(t.decl) and not ctx.world.subclasses(t):
        held, kept = ctx.hold(value)
        items = [_deep(ctx, hir.FieldGet(item, kept, field_name(at)), memo, span) for at, item in enumerate(t.args)]
        made = make_tuple(ctx, items, span)
        return hir.Let(made.type, held, made) if held else made
    if t.decl is ctx.world.list_type(INT).decl:
        return ctx.library("copy", "_list", [value, memo], t, span, *t.args)
    if is_vector(t.decl):
        return ctx.library("copy", "_vector", [value, memo], t, span, *t.args)
    if set_kind(t) == "set":
        return ctx.library("copy", "_set", [value, memo], t, span, *t.args)
    mapping = dict_of(ctx.world, t)
    if mapping is not None:
        made = ctx.library("copy", "_dict", [hir.Cast(mapping, value), memo], mapping, span, *mapping.args)
        return hir.Cast(t, made)
    if t.decl.module.library:
        raise _cannot(ctx, t, span)
    return ctx.library("copy", "_object", [value, memo], t, span, t)


def _cannot(ctx: Context, t: Type, span: Span) -> Refusal:
    if isinstance(t, Infer):
        return ctx.unknown(span, "this value")
    return ctx.later(span, f"a copy of a `{t}`", "make it anew")


def _is_constant(ctx: Context, t: Type) -> bool:
    """Return whether a copy of a value is the value itself."""
    if isinstance(t, Primitive | FunctionType):
        return True
    return isinstance(t, ClassType) and (bool(t.decl.enum) or (t.decl.module.library and t.decl.name in _PLAIN))


def _new_objects(ctx: Context, value: hir.Expr, span: Span, memo: hir.Expr | None) -> hir.Expr:
    """Return a new object of the class that another has, with its fields: copies of these, if there is a memo."""
    t = prune(value.type)
    if not isinstance(t, ClassType) or t.decl.module.library or is_object(t):
        raise _cannot(ctx, t, span)
    held, kept = ctx.hold(value)
    result: hir.Expr = hir.Const(t, None)
    for cls in [t, *ctx.world.subclasses(t)]:
        if find_method(ctx, cls, "__copy__") is not None or find_method(ctx, cls, "__deepcopy__") is not None:
            raise ctx.later(span, f"a class `{cls}` that says itself how it is copied", "call its method")
        made = _new_object(ctx, hir.Cast(cls, kept) if cls is not t else kept, cls, span, memo)
        whole = hir.Cast(t, made) if cls is not t else made
        result = whole if cls is t else hir.Conditional(t, hir.IsInstance(BOOL, kept, cls), whole, result)
    return hir.Let(t, held, result) if held else result


def _new_object(ctx: Context, old: hir.Expr, cls: ClassType, span: Span, memo: hir.Expr | None) -> hir.Expr:
    local = ctx.temp(cls)
    new = hir.LocalGet(cls, local)
    body: hir.Block = [hir.Assign(ctx.line, local, hir.New(cls, None, span.start_line))]
    if memo is not None:
        places = [(hir.Cast(U32, old), span), (hir.Cast(U32, new), span)]
        body.append(hir.Evaluate(ctx.line, invoke(ctx, memo, "add", places, span)))
    for name in declared_fields(ctx.world, cls):
        field = field_type(ctx.world, cls, name)
        assert field is not None
        read: hir.Expr = hir.FieldGet(field, old, name)
        copied = read if memo is None else _deep(ctx, read, memo, span)
        store: hir.Stmt = hir.FieldSet(ctx.line, new, name, copied)
        mark = ctx.world.mark_of(cls.decl, name)
        is_there = None if mark is None or mark == name else hir.FieldGet(BOOL, old, mark)
        body.append(store if is_there is None else hir.If(ctx.line, is_there, [store], []))
    return hir.Let(cls, body, new)


def _of_members(ctx: Context, value: hir.Expr, act: Callable[[hir.Expr], hir.Expr]) -> hir.Expr:
    t = value.type

    def whole(part: hir.Expr) -> hir.Expr:
        fitted = adapt(ctx, act(part), t)
        assert fitted is not None
        return fitted

    return by_member(ctx, value, whole)


def _unless_none(ctx: Context, value: hir.Expr, act: Callable[[hir.Expr], hir.Expr]) -> hir.Expr:
    t = value.type
    held, kept = ctx.hold(value)
    fitted = adapt(ctx, act(unwrap(ctx, kept)), t)
    assert fitted is not None
    return hir.Let(t, held, hir.Conditional(t, is_none(kept), hir.Const(t, None), fitted))
