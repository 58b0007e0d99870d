"""Functions that take floats, called with ints, and functions of floats that return some.

In: a function, and which of its parameters are given ints where they are or hold floats. Out: the same function checked
for ints there, as a generic one would be, with the result that it has then; None where something in it is wrong then,
so that the call is refused.  A function that returns an int where it says that it returns a float has both as its
result: a check that finds one begins anew (`program`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from krait.check.context import Context
from krait.check.mixing import mixed, stands_for
from krait.check.names import scan
from krait.check.signatures import declared_fields, signature
from krait.check.types import (
    FLOAT,
    INT,
    ClassType,
    FunctionDecl,
    Instance,
    Signature,
    Type,
    is_known,
    prune,
    resolve,
    union,
)
from krait.check.world import Refusal
from krait.diagnostics import DiagnosticSink
from krait.syntax import tree


def holding_ints(ctx: Context, node: tree.expr, wanted: Type) -> Type | None:
    """Return the type of a display that does not fit where floats are wanted, for it holds ints; None if it fits, or
    does not fit for another reason.
    """
    if not isinstance(node, tree.List | tree.ListComp | tree.Tuple | tree.Dict | tree.DictComp | tree.Set):
        return None
    with ctx.world.silence(), ctx.collect():
        for number, t in enumerate((wanted, None, mixed(wanted))):
            try:
                found = ctx.expr(node, t).type
            except Refusal:
                continue
            if number == 0 or stands_for(wanted, found):
                return resolve(found) if number and is_known(found) else None
    return None


def note_mixed(ctx: Context, said: Type, given: Type) -> None:
    """Note that the function being checked says that it returns or yields a float, and gives a value of this type."""
    decl = ctx.instance.decl
    if decl.closure is not None or decl.exported is not None or decl.module.library or ctx.world.promoting:
        return
    if stands_for(said, given) and not decl.name.startswith("__"):
        ctx.world.found_mixed.add((decl.module.name, decl.node.name, decl.node.span.start_line))


def note_mixed_field(ctx: Context, owner: Type, name: str, field: Type, given: Type) -> None:
    """Note that a field of floats of a class of the program is given a value of this type."""
    t = prune(owner)
    if prune(field) is FLOAT and stands_for(FLOAT, given) and isinstance(t, ClassType) and not t.decl.module.library:
        whole = [(part, declared_fields(ctx.world, ClassType(part, part.type_params))) for part in t.decl.mro()]
        declaring = [part for part, fields in whole if name in fields and not part.module.library]
        ctx.world.found_mixed |= {(part.module.name, part.name, name) for part in declaring}


def takes_ints(ctx: Context, decl: FunctionDecl) -> bool:
    """Return whether calls of a function may be checked for ints where it takes floats."""
    plain = decl.kind in ("function", "method", "static", "setter") and decl.closure is None and decl.host is None
    if not plain or decl.module.library or decl.all_type_params:
        return False
    return decl.owner is None or not ctx.world.overriders(Instance(decl))


def promoted(ctx: Context, decl: FunctionDecl, given: Mapping[str, Type]) -> FunctionDecl | None:
    """Return the function for calls that give values of these types to parameters, None if there is none."""
    key = frozenset((name, resolve(t)) for name, t in given.items())
    if key in decl.variants:
        return decl.variants[key]
    if not _is_checked(ctx, decl):
        return None
    sig = signature(ctx.world, decl)
    changed = scan(decl.node.body).assigned
    types = {name: union((INT, FLOAT)) if t is INT and name in changed else t for name, t in key}
    params = tuple(replace(param, type=types.get(param.name, param.type)) for param in sig.params)
    results = [sig.result]
    for result in results:
        made = replace(decl, signature=Signature(params, result), variants={}, exported=None)
        decl.variants[key] = made
        if _is_right(ctx, made):
            return made
        if len(results) == 1 and prune(result) is FLOAT and ctx.world.infer_result is not None:
            results.append(ctx.world.infer_result(ctx.world, Instance(made)))
    decl.variants[key] = None
    return None


def promoted_setter(ctx: Context, setter: FunctionDecl, wanted: Type, given: Type) -> FunctionDecl | None:
    """Return a property's setter for values of this type, None if it takes them as it is, or not at all."""
    if not stands_for(wanted, given) or not takes_ints(ctx, setter):
        return None
    return promoted(ctx, setter, {signature(ctx.world, setter).params[0].name: given})


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
    world.promoting += 1
    try:
        world.check_function(instance)
    finally:
        found, world.root_sink = world.root_sink.diagnostics, outer
        world.promoting -= 1
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


__all__ = ["holding_ints", "note_mixed", "note_mixed_field", "promoted", "promoted_setter", "takes_ints"]
