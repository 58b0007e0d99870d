"""What a class derives from, and which one that of an exception is, as `__exit__` is given it.

In: syntax. Out: tests of classes as values, or of the exception that the object for its class keeps.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.class_values import class_object, derives_from, is_among, is_class
from krait.check.classes import class_named
from krait.check.coerce import is_none, require
from krait.check.context import Context
from krait.check.roots import is_root
from krait.check.signatures import library_type
from krait.check.types import BOOL, INT, U32, ClassDecl, ClassType, Optional, Type, prune
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
    named, wanted = class_named(ctx, subject), _classes_named(ctx, cls)
    if named is not None and wanted is not None:
        return hir.Const(BOOL, any(_derives(ctx, named.decl, one.decl) for one in wanted))
    held, kept = ctx.hold(ctx.expr(subject, ctx.world.class_type(None)))
    if not is_class(ctx, kept.type) and not _is_exception_class(ctx, kept.type):
        raise ctx.refuse(subject.span, "`issubclass` needs the name of a class here, or a `type[C]`")
    if wanted is None:
        held_other, other = ctx.hold(ctx.expr(cls, ctx.world.class_type(None)))
        if not is_class(ctx, other.type):
            raise ctx.refuse(cls.span, "`issubclass` needs the name of a class here, or a `type[C]`")
        held, others = [*held, *held_other], [other]
    elif any(is_root(one.decl) for one in wanted):
        return hir.Let(BOOL, [*held, hir.Evaluate(ctx.line, kept)], hir.Const(BOOL, True))
    else:
        others = [class_object(ctx, one.decl.primitive or one) for one in wanted]
    result: hir.Expr = hir.Const(BOOL, False)
    if _is_exception_class(ctx, kept.type):
        held_example, example = ctx.hold(_example(ctx, kept, subject.span))
        held += held_example
        tests = [is_among(hir.TypeId(U32, example), other) for other in others]
    else:
        tests = [derives_from(ctx, kept, other, subject.span) for other in others]
    for test in reversed(tests):
        result = hir.Conditional(BOOL, test, hir.Const(BOOL, True), result)
    return hir.Let(BOOL, held, result)


def _derives(ctx: Context, decl: ClassDecl, other: ClassDecl) -> bool:
    """Return whether a class derives from another; a bool is an int, and members of some enums are ints or texts."""
    is_int = decl.primitive is BOOL or decl.enum.startswith("int")
    as_int, as_text = other.primitive is INT and is_int, decl.enum == "str" and other is ctx.world.str_type.decl
    return decl.is_subclass(other) or is_root(other) or as_int or as_text


def _classes_named(ctx: Context, node: tree.expr) -> list[ClassType] | None:
    """Return the classes that an expression names, None if it is a value."""
    match node:
        case tree.Tuple(elts=parts):
            named = [_classes_named(ctx, part) for part in parts]
        case tree.BinOp(op=tree.BitOr(), left=left, right=right):
            named = [_classes_named(ctx, part) for part in (left, right)]
        case _:
            cls = class_named(ctx, node)
            return [cls] if cls is not None else None
    return None if None in named else [cls for part in named for cls in part or ()]
