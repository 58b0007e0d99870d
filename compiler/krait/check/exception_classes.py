"""The class of an exception as `__exit__` is given it: which one it is, and what it derives from.

In: syntax. Out: tests of the exception that the object for its class keeps.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.classes import class_named
from krait.check.coerce import is_none, require
from krait.check.conditions import classes_wanted
from krait.check.context import Context
from krait.check.roots import is_root
from krait.check.signatures import library_type
from krait.check.types import BOOL, U32, ClassType, Optional, Type, prune
from krait.diagnostics import Span
from krait.syntax import tree


def _is_exception_class(ctx: Context, t: Type) -> bool:
    t = prune(t)
    inner = prune(t.inner) if isinstance(t, Optional) else t
    return inner == library_type(ctx.world, "ExceptionClass")


def _example(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return the exception whose class an object stands for."""
    kind = library_type(ctx.world, "ExceptionClass")
    if isinstance(prune(value.type), Optional):
        value = require(ctx, value, "TypeError", "issubclass() arg 1 must be a class", span)
    return hir.FieldGet(ctx.world.library_class("BaseException"), hir.Cast(kind, value), "example")


def same_exception_class(ctx: Context, left: tree.expr, right: tree.expr, is_same: bool) -> hir.Expr | None:
    """``kind is KeyError``, where ``kind`` is what `__exit__` is given; None for anything else."""
    for subject, named in ((left, right), (right, left)):
        cls = class_named(ctx, named)
        if cls is None or not ctx.world.is_exception(cls.decl) or class_named(ctx, subject) is not None:
            continue
        value = ctx.expr(subject)
        if not _is_exception_class(ctx, value.type):
            return None
        held, kept = ctx.hold(value)
        present = hir.Cast(library_type(ctx.world, "ExceptionClass"), kept)
        op = "i32.eq" if is_same else "i32.ne"
        found = hir.TypeId(U32, _example(ctx, present, subject.span))
        test: hir.Expr = hir.Op(BOOL, op, [found, hir.ClassId(U32, cls)])
        if isinstance(prune(value.type), Optional):
            test = hir.Conditional(BOOL, is_none(kept), hir.Const(BOOL, not is_same), test)
        return hir.Let(BOOL, held, test)
    return None


def is_subclass(ctx: Context, subject: tree.expr, cls: tree.expr) -> hir.Expr:
    """``issubclass(kind, Class)``, where ``kind`` is a class by name, or what `__exit__` is given."""
    wanted = [one for one in classes_wanted(ctx, cls) if isinstance(one, ClassType)]
    named = class_named(ctx, subject)
    if named is not None:
        return hir.Const(BOOL, any(named.decl.is_subclass(one.decl) or is_root(one.decl) for one in wanted))
    value = ctx.expr(subject)
    if not _is_exception_class(ctx, value.type):
        raise ctx.refuse(subject.span, "`issubclass` needs the name of a class here")
    held, kept = ctx.hold(_example(ctx, value, subject.span))
    result: hir.Expr = hir.Const(BOOL, False)
    for one in wanted:
        result = hir.Conditional(BOOL, hir.IsInstance(BOOL, kept, one), hir.Const(BOOL, True), result)
    return hir.Let(BOOL, held, result)
