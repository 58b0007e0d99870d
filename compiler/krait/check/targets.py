"""What the targets of assignments say of the values that they are given.

In: a target. Out: the type that a value should have to be assigned to it, as far as variables and fields say it;
nothing is emitted.
"""

from __future__ import annotations

from krait.check.context import Context
from krait.check.globals import prepare_global
from krait.check.mixing import mixed_value, stands_for
from krait.check.signatures import declared_fields, field_type
from krait.check.types import OWNED, U32, ClassType, GlobalVar, Local, Optional, Type, prune
from krait.syntax import tree


def wanted_by(ctx: Context, target: tree.expr) -> Type | None:
    """Return the type of a target, where it is already known, for the literals of the value."""
    match target:
        case tree.Name(id=name):
            variable = ctx.variable(name)
            if isinstance(variable, GlobalVar):
                prepare_global(ctx.world, variable)
            if variable is not None and variable.type is None and isinstance(variable, Local):
                return ctx.seeds.get(variable)
            return variable.type if variable is not None else None
        case tree.Attribute(value=value, attr=attr):
            owner = _owner_type(ctx, value)
            return field_of(ctx, owner, attr) if owner is not None else None
        case tree.Subscript(value=container, slice=at):
            t = _owner_type(ctx, container)
            if t is None or not t.decl.module.library or not t.args:
                return None
            return t if isinstance(at, tree.Slice) else t.args[-1]
        case _:
            return None


def _owner_type(ctx: Context, node: tree.expr) -> ClassType | None:
    """Return the type of an object of which a part is assigned to, where variables and fields say it."""
    t: Type | None = None
    match node:
        case tree.Name(id=name):
            found = ctx.scope.get(name) or ctx.lookup(name)
            if isinstance(found, GlobalVar):
                prepare_global(ctx.world, found)
            t = found.type if isinstance(found, Local | GlobalVar) else None
        case tree.Attribute(value=value, attr=attr):
            owner = _owner_type(ctx, value)
            t = field_of(ctx, owner, attr) if owner is not None else None
        case tree.Subscript(value=value, slice=at) if not isinstance(at, tree.Slice):
            owner = _owner_type(ctx, value)
            t = owner.args[-1] if owner is not None and owner.decl.module.library and owner.args else None
        case _:
            pass
    whole = prune(t) if t is not None else None
    inner = prune(whole.inner) if isinstance(whole, Optional) else whole
    return inner if isinstance(inner, ClassType) else None


def field_of(ctx: Context, t: ClassType, name: str) -> Type | None:
    """Return the type of a field that is assigned to; in ``__init__`` the assignment may be what determines it."""
    decl = ctx.instance.decl
    if decl.name == "__init__" and decl.owner is t.decl:
        found = declared_fields(ctx.world, t).get(name)
        return U32 if found is OWNED else found
    return field_type(ctx.world, t, name)


def widen_items(ctx: Context, node: tree.expr, given: Type) -> None:
    """Note that a container, which a variable without annotation has, is given floats where it holds ints."""
    depth = 1
    while isinstance(node, tree.Subscript):
        node, depth = node.value, depth + 1
    variable = ctx.variable(node.id) if isinstance(node, tree.Name) else None
    if variable is None or variable.annotated or variable.type is None:
        return
    whole = _with_floats(variable.type, depth, given)
    if whole is not None:
        ctx.widen_to(variable, whole)


def _with_floats(t: Type, depth: int, given: Type) -> Type | None:
    """Return a type with room for what is given so many containers deep; None if that is not for its floats alone."""
    t = prune(t)
    if depth == 0:
        wider = mixed_value(given)
        return wider if wider != t and stands_for(wider, t) else None
    if not isinstance(t, ClassType) or not t.decl.module.library or not t.args:
        return None
    inner = _with_floats(t.args[-1], depth - 1, given)
    return ClassType(t.decl, (*t.args[:-1], inner)) if inner is not None else None


__all__ = ["field_of", "wanted_by", "widen_items"]
