"""Assignments: names, fields, items, tuples of targets, `op=`, annotations, `del`.

In: targets and values. Out: statements. The value is evaluated first, then the parts of the target from left to right.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TypeAlias

from krait.check import hir
from krait.check.annotations import Annotations
from krait.check.attributes import read_attribute
from krait.check.byteslike import as_bytes, byte_kind
from krait.check.cells import unbind, write_local
from krait.check.classes import assign_class_variable, assign_of_value, cast_up, class_named
from krait.check.coerce import coerce, require
from krait.check.columns import columns_of
from krait.check.conditions import access_path, narrow_by_value
from krait.check.context import Context, statement
from krait.check.declare import DELETER
from krait.check.displays import make_tuple
from krait.check.flow import Variable
from krait.check.globals import MIXED_GLOBAL, prepare_global
from krait.check.invoke import find_method, invoke, present, try_invoke
from krait.check.items import (
    PLAIN_BOUNDS,
    key_type,
    leaves_lists,
    list_item_type,
    made_slice,
    place,
    read_item,
    slice_bounds,
    takes_slices,
    value_bounds,
    write_item,
)
from krait.check.late import delete_field, mark_late
from krait.check.mixing import has_floats, mixed, mixed_items, stands_for
from krait.check.names import did_you_mean
from krait.check.operators import METHODS, binary
from krait.check.promoted import holding_ints, note_mixed_field, promoted_setter
from krait.check.relations import class_meant
from krait.check.roots import Unfrozen
from krait.check.scopes import check_complete, member_of_module, module_named, read_name
from krait.check.setlike import as_set, set_kind
from krait.check.signatures import field_names, signature
from krait.check.targets import field_of, wanted_by, widen_items
from krait.check.tuples import is_tuple, is_vector
from krait.check.types import (
    FIXED,
    FLOAT,
    INT,
    NEVER,
    NONE,
    U32,
    Alias,
    ClassDecl,
    ClassType,
    FunctionDecl,
    GlobalVar,
    Infer,
    Instance,
    Intrinsic,
    Local,
    Optional,
    Type,
    ancestor,
    optional,
    prune,
    substitute,
)
from krait.check.unification import unify
from krait.check.unpacking import unpacked
from krait.check.world import Refusal
from krait.diagnostics import Note, Span
from krait.syntax import tree

Element: TypeAlias = "hir.Expr | tuple[Element, ...]"
"""A value, or several that come together without a tuple being made."""


# --- names ---------------------------------------------------------------------------------------------------------


def assign_name(ctx: Context, name: str, value: hir.Expr, span: Span, value_span: Span) -> None:
    """Emit the assignment of ``value`` to a variable; the first one gives the variable its type."""
    variable = _variable_for(ctx, name, span)
    if prune(value.type) is NONE and ctx.parent is not None and not isinstance(value, hir.Const):
        ctx.emit(hir.Evaluate(ctx.line, value))  # a wrapper keeps what the function that it wraps returns
        value = hir.Const(NONE, None)
    if variable.broken or prune(value.type) is NEVER:
        ctx.emit(hir.Evaluate(ctx.line, value))
        ctx.flow = ctx.flow.bind(variable)
        return
    if variable.type is None:
        _give_type(ctx, variable, value, name, value_span)
        variable.span = variable.span or span
        variable.typed_at = span
    assert variable.type is not None
    try:
        fitted = _fitted(ctx, variable, value, value_span)
    except Refusal:
        is_mixed = stands_for(variable.type, value.type)
        if not variable.annotated or (isinstance(variable, Local) and is_mixed):
            ctx.widen(variable, value.type)
        elif is_mixed and isinstance(variable, GlobalVar) and prune(variable.type) is FLOAT:
            ctx.world.found_mixed.add((variable.module.name, MIXED_GLOBAL, variable.name))
        raise
    if isinstance(variable, GlobalVar):
        ctx.emit(hir.GlobalSet(ctx.line, variable, fitted))
    else:
        write_local(ctx, variable, fitted)
    ctx.flow = ctx.flow.bind(variable)
    narrow_by_value((variable,), ctx, variable.type, value)


def _fitted(ctx: Context, variable: Variable, value: hir.Expr, span: Span) -> hir.Expr:
    """Return a value as one of the type of the variable that it is assigned to."""
    assert variable.type is not None
    if prune(variable.type) is INT and prune(value.type) is FLOAT and not variable.annotated:
        why = _why(variable)
        hint = f"give `{variable.name}` a float from the start, such as `0.0`"
        raise ctx.mismatch(span, INT, FLOAT, hint, notes=[why] if why is not None else [])
    return coerce(ctx, value, variable.type, span, note=_why(variable))


def _variable_for(ctx: Context, name: str, span: Span) -> Variable:
    variable = ctx.variable(name)
    if variable is None:
        meaning = ctx.module.symbols.get(name)
        what = (
            "function" if isinstance(meaning, FunctionDecl) else "class" if isinstance(meaning, ClassDecl) else "module"
        )
        raise ctx.refuse(
            span, f"`{name}` is a {what}; it cannot be assigned to", "choose another name for the variable"
        )
    if isinstance(variable, GlobalVar):
        prepare_global(ctx.world, variable)
    if variable.type is None and isinstance(variable, Local):
        variable.type = ctx.seeds.get(variable)
    return variable


def _give_type(ctx: Context, variable: Variable, value: hir.Expr, name: str, span: Span) -> None:
    t = prune(value.type)
    if t is NONE:
        if not isinstance(value, hir.Const):
            raise ctx.refuse(
                span, "this call returns None", "call it without assigning its result", label="this is always None"
            )
        variable.type = optional(Infer())
        return
    variable.type = t


def _why(variable: Variable) -> Note | None:
    """Say where a variable got its type."""
    where = variable.typed_at
    if where is None or variable.type is None:
        return None
    how = "declared" if variable.annotated else "it got its type from its first value"
    return Note(f"`{variable.name}` is `{variable.type}`: {how} here", where)


# --- targets -------------------------------------------------------------------------------------------------------


def assign_target(ctx: Context, target: tree.expr, value: hir.Expr, value_span: Span) -> None:
    """Emit the assignment of a value to any target."""
    match target:
        case tree.Name(id=name):
            assign_name(ctx, name, value, target.span, value_span)
        case tree.Attribute():
            _assign_attribute(ctx, target, value, value_span)
        case tree.Subscript():
            _assign_item(ctx, target, value, value_span)
        case tree.Tuple(elts=elts) | tree.List(elts=elts):
            unpack(ctx, elts, value, target.span, value_span)
        case _:
            raise AssertionError(f"{type(target).__name__} is no target for the parser")


def assign_element(ctx: Context, target: tree.expr, element: Element) -> None:
    """Emit the assignment of an item of a loop; several values meet several targets without a tuple being made."""
    if isinstance(element, tuple):
        if isinstance(target, tree.Tuple | tree.List) and len(target.elts) == len(element):
            if not any(isinstance(item, tree.Starred) for item in target.elts):
                for part, value in zip(target.elts, element, strict=True):
                    assign_element(ctx, part, value)
                return
        assign_target(
            ctx, target, make_tuple(ctx, [whole(ctx, part, target.span) for part in element], target.span), target.span
        )
        return
    assign_target(ctx, target, element, target.span)


def whole(ctx: Context, element: Element, span: Span) -> hir.Expr:
    """Return one value for an item of a loop: several become a tuple."""
    if isinstance(element, tuple):
        return make_tuple(ctx, [whole(ctx, part, span) for part in element], span)
    return element


def unpack(ctx: Context, targets: Sequence[tree.expr], value: hir.Expr, span: Span, value_span: Span) -> None:
    """Emit ``a, *b = value``."""
    for target, item in zip(targets, unpacked(ctx, targets, value, value_span), strict=True):
        assign_target(ctx, target.value if isinstance(target, tree.Starred) else target, item, value_span)


def _assign_attribute(ctx: Context, target: tree.Attribute, value: hir.Expr, value_span: Span) -> None:
    if module_named(ctx, target.value) is not None:
        raise ctx.later(target.span, "assignment to variables of other modules", "write a function in that module")
    cls = class_named(ctx, target.value)
    if cls is not None:
        _assign_of_class(ctx, cls, target, value, value_span)
        return
    before, kept = _before_target(ctx, target.value, value)
    for part in before:
        ctx.emit(part)
    ctx.attribute_base = target.value
    owner = present(ctx, ctx.expr(target.value), target.attr, target.span)
    if class_meant(owner.type) is not None:
        assign_of_value(ctx, owner, target, kept, value_span)
        return
    if isinstance(t := prune(owner.type), ClassType) and ctx.world.mark_of(t.decl, target.attr) is not None:
        held, owner = ctx.hold(owner)
        for part in held:
            ctx.emit(part)
    if _call_setter(ctx, owner, target, kept, value_span) or _refuse_frozen(ctx, owner, target, kept):
        return
    field = _field(ctx, owner, target)
    note_mixed_field(ctx, owner.type, target.attr, field, kept.type)
    fitted = coerce(ctx, kept, field, value_span)
    ctx.emit(hir.FieldSet(ctx.line, owner, target.attr, fitted))
    mark_late(ctx, owner, target.attr, value=True)
    _field_assigned(ctx, target, field, kept)


def _assign_of_class(ctx: Context, cls: ClassType, target: tree.Attribute, value: hir.Expr, where: Span) -> None:
    var = assign_class_variable(ctx, cls, target, value, where)
    narrow_by_value((var, target.attr), ctx, var.type or NONE, value)


def _call_setter(ctx: Context, owner: hir.Expr, target: tree.Attribute, value: hir.Expr, value_span: Span) -> bool:
    """Emit the assignment to a property; False if the attribute is none."""
    t = prune(owner.type)
    setter = t.decl.find_setter(target.attr) if isinstance(t, ClassType) else None
    if setter is None or setter.owner is None or not isinstance(t, ClassType):
        return False
    if isinstance(target.value, tree.Name) and ctx.scope.get(target.value.id) is ctx.self_local:
        ctx.attribute_base = None
        check_complete(ctx, target.value)
    up = ancestor(t, setter.owner)
    assert up is not None
    (param,) = signature(ctx.world, setter).params
    wanted = substitute(param.type, dict(zip(setter.owner.type_params, up.args, strict=True)))
    instance = Instance(setter, up.args)
    if (variant := promoted_setter(ctx, setter, wanted, value.type)) is not None:
        instance, wanted = Instance(variant), signature(ctx.world, variant).params[0].type
    arguments = [cast_up(owner, setter.owner), coerce(ctx, value, wanted, value_span)]
    called = ctx.call(instance, arguments, NONE, target.span, virtual=True)
    ctx.emit(hir.Evaluate(ctx.line, called))
    return True


def _refuse_frozen(ctx: Context, owner: hir.Expr, target: tree.Attribute, value: hir.Expr) -> bool:
    """Emit what an assignment to a field of a frozen dataclass raises; False if it is none."""
    t = prune(owner.type)
    decl = ctx.instance.decl
    frozen = isinstance(t, ClassType) and t.decl.data is not None and t.decl.data.frozen
    is_made = decl.name == "__init__" and decl.owner is not None and decl.owner.data is not None
    if not frozen or is_made or " " in target.attr or isinstance(target.ctx, Unfrozen):
        return False
    name = hir.Text(ctx.world.str_type, target.attr)
    for part in (value, owner, ctx.library("dataclasses", "_refuse_assignment", [name], NEVER, target.span)):
        ctx.emit(hir.Evaluate(ctx.line, part))
    return True


def _field_assigned(ctx: Context, target: tree.Attribute, field: Type, value: hir.Expr) -> None:
    ctx.flow = ctx.flow.forget(target.attr)
    path = access_path(ctx, target)
    if path is not None:
        narrow_by_value(path, ctx, field, value)
    is_own = isinstance(target.value, tree.Name) and ctx.scope.get(target.value.id) is ctx.self_local
    if ctx.own_fields is not None and is_own and target.attr in ctx.own_fields:
        ctx.flow = ctx.flow.bind(ctx.own_fields[target.attr])


def _field(ctx: Context, owner: hir.Expr, target: tree.Attribute) -> Type:
    t = prune(owner.type)
    if isinstance(t, Infer):
        raise ctx.unknown(target.value.span, "this value")
    found = field_of(ctx, t, target.attr) if isinstance(t, ClassType) else None
    hidden = isinstance(t, ClassType) and t.decl.module.library and not (ctx.module.unsafe or ctx.module.library)
    if found is not None and not hidden:
        return found
    method = ctx.world.find_method(t, target.attr)
    if method is not None:
        raise ctx.refuse(target.span, f"`{target.attr}` of `{t}` cannot be assigned to")
    names = field_names(ctx.world, t) if isinstance(t, ClassType) and not hidden else []
    raise ctx.refuse(
        target.span,
        f"`{t}` has no field `{target.attr}`",
        *(did_you_mean(target.attr, names) or ("fields are those that `__init__` assigns to",)),
    )


def _assign_item(ctx: Context, target: tree.Subscript, value: hir.Expr, value_span: Span) -> None:
    if isinstance(target.slice, tree.Slice):
        _assign_slice(ctx, target, target.slice, value, value_span)
        return
    before, kept = ctx.hold(value)
    for part in before:
        ctx.emit(part)
    owner = _item_owner(ctx, target)
    index = ctx.expr(target.slice, key_type(ctx, owner.type))
    if find_method(ctx, owner.type, "_set_slice_step") and (by_slice := value_bounds(ctx, index)) is not None:
        held, bounds = by_slice
        for part in held:
            ctx.emit(part)
        _set_slice(ctx, owner, bounds, kept, target, value_span)
        return
    try:
        write_item(ctx, owner, index, kept, target.slice.span, value_span, target.span)
    except Refusal:
        widen_items(ctx, target.value, kept.type)
        raise


def _assign_slice(ctx: Context, target: tree.Subscript, node: tree.Slice, value: hir.Expr, value_span: Span) -> None:
    """Emit ``xs[a:b:c] = value`` for a list, and a value that is one."""
    before, kept = ctx.hold(value)
    for part in before:
        ctx.emit(part)
    owner = _item_owner(ctx, target)
    if takes_slices(ctx, owner.type, "__setitem__"):
        index = made_slice(ctx, (node.lower, node.upper, node.step), node.span)
        write_item(ctx, owner, index, kept, node.span, value_span, target.span)
        return
    _can_change_slices(ctx, owner, target)
    _set_slice(ctx, owner, slice_bounds(ctx, node), kept, target, value_span)


def _set_slice(
    ctx: Context, owner: hir.Expr, bounds: list[hir.Expr], value: hir.Expr, target: tree.Subscript, value_span: Span
) -> None:
    fitted = as_bytes(ctx, value, value_span) if byte_kind(owner.type) else None
    values = (fitted or coerce(ctx, value, owner.type, value_span), value_span)
    method = "_set_slice" if len(bounds) == len(PLAIN_BOUNDS) else "_set_slice_step"
    given = [*((part, target.span) for part in bounds), values]
    ctx.emit(hir.Evaluate(ctx.line, invoke(ctx, owner, method, given, target.span)))


def _can_change_slices(ctx: Context, owner: hir.Expr, target: tree.Subscript) -> None:
    """Refuse what is no list, nor anything else whose slices can be changed."""
    if find_method(ctx, owner.type, "_delete_slice") is None:
        raise ctx.refuse(target.span, f"slices of a `{owner.type}` cannot be changed")


def _item_owner(ctx: Context, target: tree.Subscript) -> hir.Expr:
    owner = ctx.expr(target.value)
    t = prune(owner.type)
    if isinstance(t, Infer):
        raise ctx.unknown(target.value.span, "this value")
    if isinstance(t, Optional):
        owner = require(ctx, owner, "TypeError", "'NoneType' object does not support item assignment", target.span)
        t = prune(owner.type)
    if find_method(ctx, t, "__setitem__") is None:
        hints = (
            ["texts do not change: build a new one"]
            if t == ctx.world.str_type
            else ["tuples do not change: build a new one"]
            if isinstance(t, ClassType) and (is_tuple(t.decl) or is_vector(t.decl))
            else []
        )
        raise ctx.refuse(target.span, f"items of a `{t}` cannot be assigned to", *hints)
    return owner


def _before_target(ctx: Context, owner: tree.expr, value: hir.Expr) -> tuple[hir.Block, hir.Expr]:
    """Have the value evaluated before the target, unless nothing can tell the difference."""
    return ([], value) if _is_still(ctx, owner) else ctx.hold(value)


def _is_still(ctx: Context, node: tree.expr) -> bool:
    """Return whether an expression neither fails nor changes while another one is evaluated."""
    match node:
        case tree.Constant():
            return True
        case tree.Name(id=name):
            local = ctx.scope.get(name)
            return (
                local is not None
                and ctx.flow.is_bound(local)
                and not ctx.names.has_walrus
                and (local,) not in ctx.flow.narrowed
            )
        case _:
            return False


# --- statements ----------------------------------------------------------------------------------------------------


@statement(tree.Assign)
def assign(ctx: Context, node: tree.Assign) -> None:
    """``a = b = value``."""
    first, *others = node.targets
    if ctx.is_module_code and isinstance(first, tree.Name) and not others:
        meaning = ctx.module.symbols.get(first.id)
        if isinstance(meaning, Alias) or (isinstance(meaning, Intrinsic) and meaning.name == "typing.TypeVar"):
            return
    if not others and isinstance(first, tree.Tuple) and isinstance(node.value, tree.Tuple):
        if len(first.elts) == len(node.value.elts) and not any(
            isinstance(item, tree.Starred) for item in (*first.elts, *node.value.elts)
        ):
            _assign_in_parallel(ctx, first.elts, node.value.elts)
            return
    columns = columns_of(ctx, first.elts, node.value) if isinstance(first, tree.Tuple) and not others else None
    value = _value_of(ctx, first, columns or _listed(first, node.value))
    if others:
        if prune(value.type) is NONE and isinstance(value, hir.Const):
            pass
        else:
            held, value = ctx.hold(value)
            for part in held:
                ctx.emit(part)
    for target in node.targets:
        assign_target(ctx, target, value, node.value.span)


def _value_of(ctx: Context, target: tree.expr, node: tree.expr) -> hir.Expr:
    wanted = wanted_by(ctx, target)
    if wanted is None and ctx.mixes_items and isinstance(node, tree.Call):
        with ctx.world.silence(), ctx.collect(), suppress(Refusal):
            wanted = mixed_items(ctx.expr(node).type)
    return ctx.expr(node, wanted)


def _listed(target: tree.expr, node: tree.expr) -> tree.expr:
    """Return a value as a list, where it is assigned to a slice and not one already by its form."""
    match target, node:
        case tree.Subscript(slice=tree.Slice()), tree.Tuple():
            return tree.List(node.elts, tree.LOAD, node.span)
        case tree.Subscript(slice=tree.Slice()), tree.GeneratorExp():
            return tree.ListComp(node.elt, node.generators, node.span)
        case tree.Subscript(slice=tree.Slice()), tree.Call(func=tree.Name(id=name)) if name in _ITERABLES:
            return tree.Call(tree.Name("list", tree.LOAD, node.span), (node,), (), node.span)
        case tree.Subscript(slice=tree.Slice()), tree.Constant(value=str()):
            return tree.Call(tree.Name("list", tree.LOAD, node.span), (node,), (), node.span)
        case _:
            return node


_ITERABLES = frozenset(("range", "map", "filter", "zip", "enumerate", "reversed", "set", "tuple"))


def _assign_in_parallel(ctx: Context, targets: Sequence[tree.expr], nodes: Sequence[tree.expr]) -> None:
    """``a, b = x, y``: all values first, then the targets."""
    values = ctx.attempt((node, wanted_by(ctx, target)) for node, target in zip(nodes, targets, strict=True))
    kept: list[hir.Expr] = []
    for value in values:
        if prune(value.type) is NONE:
            kept.append(value)
            continue
        held, again = ctx.hold(value)
        for part in held:
            ctx.emit(part)
        kept.append(again)
    for target, item, node in zip(targets, kept, nodes, strict=True):
        assign_target(ctx, target, item, node.span)


@statement(tree.AnnAssign)
def ann_assign(ctx: Context, node: tree.AnnAssign) -> None:
    """``name: type = value``."""
    if isinstance(node.target, tree.Name) and isinstance(ctx.module.symbols.get(node.target.id), Alias):
        return
    declared = Annotations(ctx.world, ctx.module, ctx.params, ctx.instance).class_variable(node.annotation)
    if declared is None:  # `Final` leaves the type to the value
        if node.value is not None:
            assign_target(ctx, node.target, ctx.expr(node.value), node.value.span)
        return
    if prune(declared) in (NONE, NEVER):
        raise ctx.refuse(node.annotation.span, f"`{declared}` cannot be the type of a variable")
    if isinstance(node.target, tree.Name):
        if node.value is not None and has_floats(declared) and node.target.id in ctx.scope:
            declared = declared if holding_ints(ctx, node.value, declared) is None else mixed(declared)
        _declare(ctx, node.target, declared)
    elif isinstance(node.target, tree.Attribute) and node.value is None:
        return
    if node.value is not None:
        value = ctx.expr(node.value, declared)
        if isinstance(node.target, tree.Subscript):
            value = coerce(ctx, value, declared, node.value.span)
        assign_target(ctx, node.target, value, node.value.span)


def _declare(ctx: Context, target: tree.Name, declared: Type) -> None:
    variable = _variable_for(ctx, target.id, target.span)
    if variable.broken:
        return
    if isinstance(variable, GlobalVar) and (variable.module.name, MIXED_GLOBAL, variable.name) in ctx.world.mixed:
        declared = mixed(declared)
    if variable.type is not None and stands_for(declared, variable.type):
        declared = variable.type  # it is given ints too
    if variable.type is not None and not unify(variable.type, declared):
        note = _why(variable)
        raise ctx.refuse(
            target.span,
            f"`{target.id}` is `{variable.type}` already, it cannot become `{declared}`",
            "choose another name",
            notes=[note] if note is not None else [],
        )
    variable.type = declared
    variable.annotated = True
    variable.typed_at = variable.typed_at or target.span


@statement(tree.AugAssign)
def aug_assign(ctx: Context, node: tree.AugAssign) -> None:
    """``target op= value``: the target's parts once, then its value, then the other operand."""
    match node.target:
        case tree.Name() as target:
            read = tree.Name(target.id, tree.LOAD, target.span)
            present_value = read_name(ctx, read)
            result = _augmented(ctx, present_value, node)
            if result is not None:
                assign_name(ctx, target.id, result, target.span, node.span)
        case tree.Attribute() as target:
            _augment_attribute(ctx, node, target)
        case tree.Subscript() as target:
            _augment_item(ctx, node, target)


def _augment_attribute(ctx: Context, node: tree.AugAssign, target: tree.Attribute) -> None:
    module = module_named(ctx, target.value)
    if module is not None:
        member_of_module(ctx, module, target)
        raise ctx.later(target.span, "assignment to variables of other modules", "write a function in that module")
    cls = class_named(ctx, target.value)
    if cls is not None:
        changed = _augmented(ctx, ctx.expr(tree.Attribute(target.value, target.attr, tree.LOAD, target.span)), node)
        if changed is not None:
            _assign_of_class(ctx, cls, target, changed, node.span)
        return
    ctx.attribute_base = target.value
    held, owner = ctx.hold(present(ctx, ctx.expr(target.value), target.attr, target.span))
    for part in held:
        ctx.emit(part)
    value = read_attribute(ctx, owner, target)
    if class_meant(owner.type) is not None:
        if (changed := _augmented(ctx, value, node)) is not None:
            assign_of_value(ctx, owner, target, changed, node.span)
        return
    if ctx.world.find_method(owner.type, target.attr) is not None:
        result = _augmented(ctx, value, node)
        if result is not None and not _call_setter(ctx, owner, target, result, node.span):
            _field(ctx, owner, target)
        return
    if _refuse_frozen(ctx, owner, target, value):
        return
    field = _field(ctx, owner, target)
    path = access_path(ctx, target)
    if path is not None and path in ctx.flow.narrowed and isinstance(prune(value.type), Optional):
        value = require(ctx, value, "TypeError", f"'{target.attr}' is None", target.span)
    result = _augmented(ctx, value, node)
    if result is not None:
        note_mixed_field(ctx, owner.type, target.attr, field, result.type)
        ctx.emit(hir.FieldSet(ctx.line, owner, target.attr, coerce(ctx, result, field, node.span)))
        _field_assigned(ctx, target, field, result)


def _augment_item(ctx: Context, node: tree.AugAssign, target: tree.Subscript) -> None:
    if isinstance(target.slice, tree.Slice):
        raise ctx.later(target.span, "assignment to a slice", "build a new list")
    held, owner = ctx.hold(_item_owner(ctx, target))
    held_index, index = ctx.hold(ctx.expr(target.slice, key_type(ctx, owner.type)))
    for part in (*held, *held_index):
        ctx.emit(part)
    where = target.slice.span
    item = list_item_type(ctx, owner.type)
    address = ctx.temp(U32)
    if item is None:
        present_value = read_item(ctx, owner, index, where, target.span)
    else:
        ctx.emit(hir.Assign(ctx.line, address, place(ctx, owner, index, where, target.span)))
        present_value = hir.Load(item, hir.LocalGet(U32, address))
    result = _augmented(ctx, present_value, node)
    if result is None:
        return
    try:
        if item is not None and leaves_lists(ctx, result):  # so the address is still right
            fitted = coerce(ctx, result, item, node.span)
            ctx.emit(hir.Store(ctx.line, item, hir.LocalGet(U32, address), fitted))
            return
        held, kept = ctx.hold(result)
        for part in held:
            ctx.emit(part)
        write_item(ctx, owner, index, kept, where, node.span, target.span)
    except Refusal:
        widen_items(ctx, target.value, result.type)
        raise


def _augmented(ctx: Context, left: hir.Expr, node: tree.AugAssign) -> hir.Expr | None:
    """Return the new value; None where the object was changed in place, so that nothing is left to assign."""
    t = prune(left.type)
    wanted = t if t in FIXED or isinstance(t, ClassType) else None
    right = ctx.expr(node.value, wanted)
    is_builtin = isinstance(t, ClassType) and t.decl.module.library
    in_place = _IN_PLACE.get((t.decl.name, type(node.op))) if isinstance(t, ClassType) and is_builtin else None
    if in_place is not None:
        if set_kind(left.type) and set_kind(right.type):
            right = as_set(ctx, right, node.value.span)
        changed = try_invoke(ctx, left, in_place, [(right, node.value.span)], node.span)
        if changed is not None:
            ctx.emit(hir.Evaluate(ctx.line, changed))
            return None
    changed = try_invoke(ctx, left, f"__i{METHODS[type(node.op)]}__", [(right, node.value.span)], node.span)
    return changed if changed is not None else binary(ctx, node.op, left, right, node)


_IN_PLACE: dict[tuple[str, type[tree.operator]], str] = {
    ("list", tree.Add): "extend",
    ("list", tree.Mult): "_repeat",
    ("bytearray", tree.Add): "extend",
    ("bytearray", tree.Mult): "_repeat",
    ("dict", tree.BitOr): "update",
    ("set", tree.BitOr): "update",
    ("set", tree.BitAnd): "intersection_update",
    ("set", tree.Sub): "difference_update",
    ("set", tree.BitXor): "symmetric_difference_update",
}
"""The method that an augmented assignment to an object of a built-in class calls, to change the object itself."""


@statement(tree.Delete)
def delete(ctx: Context, node: tree.Delete) -> None:
    """``del xs[i]``."""
    for target in node.targets:
        if isinstance(target, tree.Name):
            ctx.emit(hir.Evaluate(ctx.line, read_name(ctx, tree.Name(target.id, tree.LOAD, target.span))))
            unbind(ctx, _variable_for(ctx, target.id, target.span))
            continue
        if isinstance(target, tree.Tuple | tree.List):
            delete(ctx, tree.Delete(target.elts, node.span))
            continue
        if isinstance(target, tree.Attribute):
            owner = present(ctx, ctx.expr(target.value), target.attr, target.span)
            if find_method(ctx, owner.type, target.attr + DELETER) is not None:
                ctx.emit(hir.Evaluate(ctx.line, invoke(ctx, owner, target.attr + DELETER, [], target.span)))
                continue
            delete_field(ctx, owner, _field(ctx, owner, target), target.attr, target.span)
            continue
        assert isinstance(target, tree.Subscript)
        if isinstance(target.slice, tree.Slice):
            owner = _item_owner(ctx, target)
            if takes_slices(ctx, owner.type, "__delitem__"):
                parts = (target.slice.lower, target.slice.upper, target.slice.step)
                by_slice = (made_slice(ctx, parts, target.slice.span), target.slice.span)
                ctx.emit(hir.Evaluate(ctx.line, invoke(ctx, owner, "__delitem__", [by_slice], target.span)))
                continue
            _can_change_slices(ctx, owner, target)
            bounds = [(part, target.span) for part in slice_bounds(ctx, target.slice, stepped=True)]
            ctx.emit(hir.Evaluate(ctx.line, invoke(ctx, owner, "_delete_slice", bounds, target.span)))
            continue
        owner = ctx.expr(target.value)
        if find_method(ctx, owner.type, "__delitem__") is None:
            raise ctx.refuse(target.span, f"items of a `{owner.type}` cannot be deleted")
        index = ctx.expr(target.slice, key_type(ctx, owner.type))
        ctx.emit(hir.Evaluate(ctx.line, invoke(ctx, owner, "__delitem__", [(index, target.slice.span)], target.span)))


__all__ = ["Element", "assign_element", "assign_name", "assign_target", "unpack"]
