"""Whose method an operator asks first, where one operand's class may derive from the other's.

In: two checked operands, the method of the right one, and what asks the left one. Out: CPython's order: the right
operand's method comes first if its class derives from the left one's and has such a method of its own. Which classes
the operands have is asked at run time, and only where the program has such classes.
"""

from __future__ import annotations

from collections.abc import Callable

from krait.check import hir
from krait.check.coerce import coerce
from krait.check.context import Context
from krait.check.invoke import try_invoke
from krait.check.types import BOOL, U32, ClassDecl, ClassType, Type, ancestor, prune
from krait.diagnostics import Span

Ask = Callable[[hir.Expr, hir.Expr], hir.Expr]


def derived_first(
    ctx: Context, left: hir.Expr, right: hir.Expr, method: str, span: Span, ask_left: Ask
) -> hir.Expr | None:
    """Return ``left op right`` where the right operand's ``method`` may come first; None where it never does."""
    pairs = _pairs(ctx, prune(left.type), prune(right.type), method)
    if not pairs:
        return None
    held_left, first = ctx.hold(left)
    held_right, second = ctx.hold(right)
    result = ask_left(first, second)
    for base, cls in pairs:
        asked = try_invoke(ctx, hir.Cast(cls, second), method, [(first, span)], span)
        if asked is None:
            raise ctx.refuse(span, f"`{method}` of `{cls}` comes first in CPython, and takes no `{left.type}`")
        is_base = hir.Op(BOOL, "i32.eq", [hir.TypeId(U32, first), hir.ClassId(U32, base)])
        derives: hir.Expr = hir.IsInstance(BOOL, second, cls)
        if cls == base:
            derives = hir.Conditional(BOOL, derives, _is_other(second, base), hir.Const(BOOL, False))
        test = hir.Conditional(BOOL, is_base, derives, hir.Const(BOOL, False))
        result = hir.Conditional(result.type, test, coerce(ctx, asked, result.type, span), result)
    return hir.Let(result.type, [*held_left, *held_right], result)


def by_derived(
    ctx: Context, left: hir.Expr, method: str, result: hir.Expr, ask: Callable[[hir.Expr], hir.Expr]
) -> hir.Expr:
    """Return what the left operand's own class says, for one without the method from which others derive."""
    t = prune(left.type)
    assert isinstance(t, ClassType)
    for cls in ctx.world.subclasses(t):
        if method in cls.decl.methods:
            result = hir.Conditional(result.type, hir.IsInstance(BOOL, left, cls), ask(hir.Cast(cls, left)), result)
    return result


def _is_other(value: hir.Expr, cls: ClassType) -> hir.Expr:
    return hir.Op(BOOL, "i32.ne", [hir.TypeId(U32, value), hir.ClassId(U32, cls)])


def _pairs(ctx: Context, a: Type, b: Type, method: str) -> list[tuple[ClassType, ClassType]]:
    """Return classes that the left operand may have, each with one whose ``method`` comes first for its objects."""
    if not isinstance(a, ClassType) or not isinstance(b, ClassType) or a.decl.module.library or b.decl.module.library:
        return []
    if ancestor(a, b.decl) is None and ancestor(b, a.decl) is None:
        return []
    found: list[tuple[ClassType, ClassType]] = []
    for base in (a, *ctx.world.subclasses(a)):
        own = base.decl.find_method(method)
        derived = [cls for cls in ctx.world.subclasses(base) if _says_itself(cls.decl, method)]
        derived = [cls for cls in derived if ancestor(cls, b.decl) is not None or ancestor(b, cls.decl) is not None]
        if own is not None and derived:
            found.append((base, base))
        elif derived:
            found += [(base, cls) for cls in derived]
    return found


def _says_itself(decl: ClassDecl, method: str) -> bool:
    """Return whether a class's own body has the method; those that a dataclass is given ask both sides alike."""
    found = decl.methods.get(method)
    return found is not None and (decl.data is None or found.node in decl.node.body)


__all__ = ["by_derived", "derived_first"]
