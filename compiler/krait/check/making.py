"""Objects that a class's own `__new__` makes, and `__init_subclass__`: methods that are given the class.

In: calls of them. Out: new objects of which no field has a value yet; what `__init__` is given beside them.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.classes import set_defaults
from krait.check.coerce import coerce, is_subtype, require
from krait.check.constructors import abstract_message
from krait.check.context import Context
from krait.check.late import note_late
from krait.check.signatures import declared_fields
from krait.check.spread import kept_value
from krait.check.types import BOOL, NEVER, ClassDecl, ClassType, FunctionDecl, Optional, prune
from krait.check.world import MARK
from krait.diagnostics import Span
from krait.syntax import tree

NEW = "__new__"


def own_new(ctx: Context, decl: ClassDecl, span: Span) -> FunctionDecl | None:
    """Return the method of the program that makes the objects of a class, if there is one."""
    found = decl.find_method(NEW)
    if found is None or decl.module.library or found.module.library:
        return None
    is_tuple = decl.data is not None and decl.data.named
    if decl.enum or is_tuple or ctx.world.is_exception(decl) or found.kind != "class":
        hint = "write `__init__`, or a function that makes objects"
        raise ctx.later(span, f"`{NEW}` of an exception, an enum or a named tuple", hint)
    return found


def bare_object(ctx: Context, t: ClassType, node: tree.Call) -> hir.Expr:
    """``object.__new__(Class)``: an object whose fields have no values, but for those that the class's body gives."""
    if len(node.args) != 1 or node.keywords:
        raise ctx.refuse(node.span, "`object.__new__` takes the class alone", f"write `super().{NEW}(cls)`")
    decl = t.decl
    if decl.missing_methods():
        raised = ctx.raising("TypeError", abstract_message(decl), node.span)
        return hir.Let(t, raised, hir.Cast(t, hir.Const(NEVER, None)))
    fields = declared_fields(ctx.world, t)
    for part in decl.mro():
        names = [name for name in declared_fields(ctx.world, ClassType(part)) if not part.type_params]
        note_late(ctx.world, part, [name for name in names if not decl.is_defaulted(name) and not name.endswith(MARK)])
    local = ctx.temp(t)
    made = hir.LocalGet(t, local)
    body: hir.Block = [hir.Assign(ctx.line, local, hir.New(t, None, node.span.start_line))]
    return hir.Let(t, [*body, *set_defaults(ctx, made, t, fields, node.span)], made)


def repeated(ctx: Context, node: tree.Call) -> tree.Call:
    """Return a call whose arguments are evaluated, here, and can be passed on twice."""
    args = tuple(arg if isinstance(arg, tree.Constant) else kept_value(ctx, ctx.expr(arg), arg) for arg in node.args)
    keywords = tuple(
        tree.keyword(part.arg, kept_value(ctx, ctx.expr(part.value), part.value), part.span) for part in node.keywords
    )
    return tree.Call(node.func, args, keywords, node.span)


def made_by_new(ctx: Context, made: hir.Expr, t: ClassType, span: Span) -> hir.Expr:
    """Return what ``__new__`` has returned, as an object of the class that was called: it must be one."""
    if isinstance(prune(made.type), Optional):
        made = require(ctx, made, "TypeError", f"{t.decl.name}.{NEW} has returned None", span)
    if not (isinstance(prune(made.type), ClassType) and is_subtype(t, made.type)):
        return coerce(ctx, made, t, span)
    if prune(made.type) == t:
        return made
    held, kept = ctx.hold(made)
    message = f"{t.decl.name}.{NEW} has returned an object of another class"
    raised = ctx.raising("TypeError", message, span)
    return hir.Let(t, [*held, hir.If(ctx.line, hir.IsInstance(BOOL, kept, t), [], raised)], hir.Cast(t, kept))


__all__ = ["NEW", "bare_object", "made_by_new", "own_new", "repeated"]
