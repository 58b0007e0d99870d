"""Results of functions that are described by `@overload`: each call has that of the first way of calling that fits.

In: such a function, and the syntax of a call. Out: the type of the call's result, and the function's own result as it.
CPython believes what the descriptions say; here it is asked when the function has returned.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.arguments import match_arguments
from krait.check.coerce import adapt, checked_as, is_subtype
from krait.check.context import Context
from krait.check.invoke import fresh_instance
from krait.check.signatures import signature
from krait.check.types import FunctionDecl, Type, members_of_union, prune, resolve, substitute
from krait.check.world import Refusal
from krait.diagnostics import Span
from krait.syntax import tree


def described_result(ctx: Context, decl: FunctionDecl, owner_args: Sequence[Type], node: tree.Call) -> Type | None:
    """Return the type of a call's result as the first description that fits says; None if none does."""
    for overload in decl.overloads:
        with ctx.world.silence():
            try:
                found = _result(ctx, overload, owner_args, node)
            except Refusal:
                continue
        if found is not None:
            return found
    return None


def _result(ctx: Context, overload: FunctionDecl, owner_args: Sequence[Type], node: tree.Call) -> Type | None:
    """Return the result of one description, None if it does not take the arguments of a call."""
    sig = signature(ctx.world, overload)
    _, env = fresh_instance(overload, owner_args)
    for item in match_arguments(ctx, overload, sig, node):
        wanted = substitute(item.param.type, env)
        if adapt(ctx, ctx.expr(item.node, wanted), wanted) is None:
            return None
    return resolve(substitute(sig.result, env))


def as_described(ctx: Context, decl: FunctionDecl, value: hir.Expr, described: Type, span: Span) -> hir.Expr:
    """Return the result of a function as the type that a description says."""
    fitted = adapt(ctx, value, described)
    if fitted is not None:
        return fitted
    if not any(is_subtype(described, part) or prune(part) == prune(described) for part in members_of_union(value.type)):
        return value
    wrong = f"the result of '{decl.name}' is no {described}, as its description says"
    return checked_as(ctx, value, described, decl.name, span, wrong)


__all__ = ["as_described", "described_result"]
