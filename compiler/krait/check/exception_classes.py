"""What a class derives from, and which one that of an exception is, as `__exit__` is given it.

In: syntax. Out: tests of classes as values, or of the exception that the object for its class keeps.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.class_values import is_among
from krait.check.classes import class_named
from krait.check.coerce import is_none, require
from krait.check.conditions import classes_wanted
from krait.check.context import Context
from krait.check.relations import class_meant
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
    """``issubclass``, of classes by name or as values; what `__exit__` is given has an exception that is asked."""
    named = class_named(ctx, subject)
    wanted = _named_classes(ctx, cls)
    if named is not None and wanted is not None:
        return hir.Const(BOOL, any(named.decl.is_subclass(one.decl) for one in wanted))
    held, kept = ctx.hold(ctx.expr(subject))
    if _is_exception_class(ctx, kept.type):
        held_example, example = ctx.hold(_example(ctx, kept, subject.span))
        tests: list[hir.Expr] = [hir.IsInstance(BOOL, example, one) for one in wanted or ()]
        held += held_example
    elif not _is_class(ctx, kept.type):
        raise ctx.refuse(subject.span, "`issubclass` needs the name of a class here, or a `type[C]`")
    elif wanted is not None:
        tests = [hir.IsInstance(BOOL, kept, ctx.world.class_type(one)) for one in wanted]
    else:
        held_other, other = ctx.hold(ctx.expr(cls))
        if not _is_class(ctx, other.type):
            raise ctx.refuse(cls.span, "`issubclass` needs the name of a class here, or a `type[C]`")
        held += held_other
        tests = [is_among(hir.FieldGet(U32, kept, "_first"), other)]
    result: hir.Expr = hir.Const(BOOL, False)
    for test in reversed(tests):
        result = hir.Conditional(BOOL, test, hir.Const(BOOL, True), result)
    return hir.Let(BOOL, held, result)


def _named_classes(ctx: Context, node: tree.expr) -> list[ClassType] | None:
    """Return the classes that an expression names, None if it is a value."""
    if isinstance(node, tree.Tuple) or class_named(ctx, node) is not None:
        return [one for one in classes_wanted(ctx, node) if isinstance(one, ClassType)]
    return None


def _is_class(ctx: Context, t: Type) -> bool:
    """Return whether values of a type are classes whose objects have numbers: those of the program, and exceptions."""
    meant = class_meant(t)
    return isinstance(meant, ClassType) and not (meant.decl.module.library and not ctx.world.is_exception(meant.decl))
