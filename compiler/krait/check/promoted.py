"""Functions that take floats, called with ints.

In: a function, and which of its parameters are given ints. Out: the same function checked for ints there, as a generic
one would be; None where what it does with them could show the difference (`return x`), so that the call is refused.
"""

from __future__ import annotations

from dataclasses import replace

from krait.check.context import Context
from krait.check.names import scan
from krait.check.signatures import signature
from krait.check.types import FLOAT, INT, FunctionDecl, Instance, Signature, union
from krait.diagnostics import DiagnosticSink


def takes_ints(ctx: Context, decl: FunctionDecl) -> bool:
    """Return whether calls of a function may be checked for ints where it takes floats."""
    plain = decl.kind in ("function", "method", "static") and decl.closure is None and decl.host is None
    if not plain or decl.module.library or decl.all_type_params:
        return False
    return decl.owner is None or not ctx.world.overriders(Instance(decl))


def promoted(ctx: Context, decl: FunctionDecl, names: frozenset[str]) -> FunctionDecl | None:
    """Return the function for calls that give ints for these parameters, None if there is none."""
    if names in decl.variants:
        return decl.variants[names]
    if not _is_checked(ctx, decl):
        return None
    sig = signature(ctx.world, decl)
    changed = scan(decl.node.body).assigned
    params = tuple(
        replace(param, type=union((INT, FLOAT)) if param.name in changed else INT) if param.name in names else param
        for param in sig.params
    )
    made = replace(decl, signature=Signature(params, sig.result), variants={}, exported=None)
    decl.variants[names] = made
    if not _is_right(ctx, made):
        decl.variants[names] = None
    return decl.variants[names]


def _is_checked(ctx: Context, decl: FunctionDecl) -> bool:
    """Have the function itself checked first: it says what types the fields have that ``__init__`` assigns to."""
    assert ctx.world.check_function is not None
    ctx.world.check_function(Instance(decl))
    return Instance(decl) not in ctx.world.in_progress or decl.name != "__init__"


def _is_right(ctx: Context, decl: FunctionDecl) -> bool:
    """Check the function, and return whether there is nothing wrong with it; what is wrong elsewhere stays said."""
    world, instance = ctx.world, Instance(decl)
    assert world.check_function is not None
    outer, world.root_sink = world.root_sink, DiagnosticSink(decl.module.filename, decl.module.source)
    try:
        world.check_function(instance)
    finally:
        found, world.root_sink = world.root_sink.diagnostics, outer
    first, last = decl.node.span.start_line, decl.node.span.end_line
    is_right = True
    for diagnostic in found:
        if diagnostic.filename == decl.module.filename and first <= diagnostic.span.start_line <= last:
            is_right = False
        else:
            outer.add(diagnostic)
    if not is_right:
        del world.functions[instance]
    return is_right


__all__ = ["promoted", "takes_ints"]
