"""Classes as such: what names one, its own variables, and what runs when its body does.

In: syntax that may name a class, and declarations. Out: the class with its type arguments; reads and assignments of
class variables (through an object, those of the class that the object really has).
"""

from __future__ import annotations

from collections.abc import Callable

from krait.check import hir
from krait.check.annotations import Annotations
from krait.check.class_values import tests_of_classes
from krait.check.class_variables import inherited_variable, own_variable
from krait.check.coerce import coerce
from krait.check.context import Context
from krait.check.globals import prepare_global
from krait.check.mixing import mixed, stands_for
from krait.check.names import object_of_type
from krait.check.relations import class_meant
from krait.check.scopes import find_in_module, module_named, touch_declaration
from krait.check.types import (
    BOOL,
    FLOAT,
    NEVER,
    NONE,
    ClassDecl,
    ClassType,
    ClassVariable,
    FunctionDecl,
    GlobalVar,
    Infer,
    Optional,
    Type,
    ancestor,
    prune,
)
from krait.check.world import Refusal
from krait.diagnostics import Span
from krait.syntax import tree


def class_named(ctx: Context, node: tree.expr) -> ClassType | None:
    """Return the class that an expression names, None if it names none."""
    match node:
        case tree.Call() | tree.Attribute(attr="__class__"):
            return class_of_object(ctx, node)
        case tree.Name(id=name):
            if name in ctx.classes:
                return ctx.classes[name]
            symbol = ctx.lookup(name) if name not in ctx.scope else None
        case tree.Attribute(value=value, attr=attr):
            module = module_named(ctx, value)
            symbol = find_in_module(ctx, module, node) if module is not None else None
            outer = class_named(ctx, value) if module is None else None
            if outer is not None:
                symbol = outer.decl.nested.get(attr)
        case tree.Subscript(value=tree.Name() as value):
            named = class_named(ctx, value)
            if named is None or not named.decl.type_params:
                return None
            found = Annotations(ctx.world, ctx.module, ctx.params, ctx.instance).type(node)
            return found if isinstance(found, ClassType) else None
        case _:
            return None
    if not isinstance(symbol, ClassDecl):
        return None
    return ClassType(symbol, tuple(Infer() for _ in symbol.type_params))


def class_of_object(ctx: Context, node: tree.expr) -> ClassType | None:
    """Return the class that ``type(x)`` or ``x.__class__`` is, where no other class derives from it; else None."""
    subject = object_of_type(node)
    if subject is None or (isinstance(subject, tree.Name) and subject.id not in ctx.scope):
        return None
    with ctx.world.silence(), ctx.collect():
        t = prune(ctx.expr(subject).type)
    return t if isinstance(t, ClassType) and not ctx.world.subclasses(t) and not t.decl.module.library else None


# --- variables -----------------------------------------------------------------------------------------------------


def read_class_variable(ctx: Context, cls: ClassDecl, variable: ClassVariable, node: tree.expr) -> hir.Expr:
    """Return the value of a variable of a class that is named, or of a base."""
    return touch_declaration(ctx, variable.owner, node, _value(ctx, variable, node, cls.name))


def _value(ctx: Context, variable: ClassVariable, node: tree.expr, of: hir.Expr | str) -> hir.Expr:
    """Return the value of a variable, or that of a base while it has none.

    of: the object, or class as a value, that it is read of; or the name of the class.
    """
    var = variable.var
    _prepare(ctx, variable)
    if var.broken:
        raise Refusal(var.name)
    if var.type is None:
        raise ctx.unknown(node.span, f"`{var.name}`")
    value = hir.GlobalGet(var.type, var)
    if variable.mark is None:
        return value
    has_value = hir.GlobalGet(BOOL, variable.mark)
    inherited = inherited_variable(variable.owner, variable.name)
    if inherited is not None:
        return hir.Conditional(var.type, has_value, value, _value(ctx, inherited, node, of))
    text = ctx.world.str_type
    is_object = not isinstance(of, str) and class_meant(of.type) is None
    if isinstance(of, str):
        name: hir.Expr = hir.Text(text, of)
    else:
        name = hir.TypeName(text, of) if is_object else hir.FieldGet(text, of, "_name")
    given = [name, hir.Text(text, variable.name)]
    flow = ctx.flow
    why = "no_attribute" if is_object else "no_class_attribute"
    failed = ctx.library("krait.exceptions", why, given, NEVER, node.span)
    ctx.flow = flow
    return hir.Let(var.type, [hir.If(ctx.line, has_value, [], [hir.Evaluate(ctx.line, failed)])], value)


def _prepare(ctx: Context, variable: ClassVariable) -> None:
    """Find the type of a variable: that of a base, if the class's body does not say it."""
    var, inherited = variable.var, inherited_variable(variable.owner, variable.name)
    if variable.mark is None or var.type is not None:
        prepare_global(ctx.world, var)
    elif inherited is not None:
        _prepare(ctx, inherited)
        var.type = inherited.var.type
    elif isinstance(variable.node, tree.AnnAssign):
        params = {param.name: param for param in variable.owner.type_params}
        var.type = Annotations(ctx.world, var.module, params).class_variable(variable.node.annotation)


def read_through_object(ctx: Context, value: hir.Expr, name: str, node: tree.expr) -> hir.Expr | None:
    """Return a variable of the class that an object has, or a value is; None if there is none of that name."""
    t = class_meant(value.type) or prune(value.type)
    variable = t.decl.find_variable(name) if isinstance(t, ClassType) else None
    if variable is None or not isinstance(t, ClassType):
        return None
    held, kept = ctx.hold(value)
    result = _value(ctx, variable, node, kept)
    for cls, test in tests_of_classes(ctx, kept, node.span):
        own = cls.decl.variables.get(name)
        if own is not None:
            other = coerce(ctx, _value(ctx, own, node, kept), result.type, node.span)
            result = hir.Conditional(result.type, test, other, result)
    return hir.Let(result.type, held or [hir.Evaluate(ctx.line, kept)], result)


def assign_class_variable(
    ctx: Context, cls: ClassType, target: tree.Attribute, value: hir.Expr, where: Span
) -> GlobalVar:
    """Emit ``Class.name = value``; return the variable."""
    variable = cls.decl.find_variable(target.attr)
    if variable is None:
        hint = f"declare it in the class: `{target.attr}: {value.type} = …`"
        raise ctx.refuse(target.span, f"the class `{cls.decl.name}` has no variable `{target.attr}`", hint)
    if variable.is_default:
        raise ctx.refuse(
            target.span,
            f"`{target.attr}` is a field of the objects of `{variable.owner.name}` too",
            "give the variable of the class another name",
        )
    if variable.owner is not cls.decl:  # this check is done again
        ctx.world.found_own.add(own_variable(cls.decl, target.attr))
    _prepare(ctx, variable)
    if variable.var.type is None:
        raise ctx.unknown(target.span, f"`{variable.var.name}`")
    ctx.emit(hir.GlobalSet(ctx.line, variable.var, coerce(ctx, value, variable.var.type, where)))
    if variable.mark is not None:
        ctx.emit(hir.GlobalSet(ctx.line, variable.mark, hir.Const(BOOL, True)))
    ctx.flow = ctx.flow.forget(target.attr)
    return variable.var


def assign_of_value(ctx: Context, kind: hir.Expr, target: tree.Attribute, value: hir.Expr, where: Span) -> None:
    """Emit ``cls.name = value`` of a class that is a value: the variable of the class that it is."""
    meant = class_meant(kind.type)
    if not isinstance(meant, ClassType):
        raise ctx.refuse(target.span, f"`{kind.type}` has no variable `{target.attr}`")
    held_kind, kept_kind = ctx.hold(kind)
    held, kept = ctx.hold(value)
    with ctx.collect() as body:
        assign_class_variable(ctx, meant, target, kept, where)
    for cls, test in tests_of_classes(ctx, kept_kind, target.span):
        with ctx.collect() as other:
            assign_class_variable(ctx, cls, target, kept, where)
        body = [hir.If(ctx.line, test, other, body)]
    for part in (*(held_kind or [hir.Evaluate(ctx.line, kind)]), *held, *body):
        ctx.emit(part)


def run_class_body(ctx: Context, decl: ClassDecl, compute_defaults: Callable[[FunctionDecl], None]) -> None:
    """Emit what the body of a class does, in order: its variables get their values, its methods their defaults."""
    parts: list[ClassVariable | FunctionDecl] = [*decl.methods.values(), *decl.setters.values()]
    parts += [variable for variable in decl.variables.values() if variable.node.value is not None]
    outer, ctx.class_body = ctx.class_body, decl
    try:
        for part in sorted(parts, key=lambda part: part.node.span):
            if isinstance(part, FunctionDecl):
                compute_defaults(part)
            else:
                _set_variable(ctx, decl, part)
    finally:
        ctx.class_body = outer


def _set_variable(ctx: Context, decl: ClassDecl, variable: ClassVariable) -> None:
    node, var = variable.node, variable.var
    assert node.value is not None
    if var.type is None and isinstance(node, tree.AnnAssign):
        params = {param.name: param for param in decl.type_params}
        var.type = Annotations(ctx.world, ctx.module, params).class_variable(node.annotation)
    key = (decl.module.name, decl.name, variable.name)
    if key in ctx.world.mixed:
        var.type = mixed(FLOAT)
    value = ctx.expr(node.value, var.type)
    if var.type is FLOAT and stands_for(FLOAT, value.type):
        ctx.world.found_mixed.add(key)
    if var.type is None:
        inherited = inherited_variable(decl, variable.name)
        if inherited is not None:
            _prepare(ctx, inherited)
        if inherited is not None and isinstance(inherited.var.type, Optional):
            var.type = inherited.var.type
        elif prune(value.type) is NONE:
            raise ctx.refuse(
                node.value.span,
                "the type of this class variable is not known",
                f"write `{variable.name}: T | None = None`",
            )
        else:
            var.type = value.type
    ctx.emit(hir.GlobalSet(ctx.line, var, coerce(ctx, value, var.type, node.value.span)))
    ctx.flow = ctx.flow.bind(var)


def set_defaults(ctx: Context, made: hir.Expr, t: ClassType, fields: dict[str, Type], span: Span) -> hir.Block:
    """Return what gives the fields of a new object the values that the class's body gives them."""
    body: hir.Block = []
    for name, field in fields.items():
        variable = t.decl.find_variable(name)
        if variable is not None and variable.is_default:
            prepare_global(ctx.world, variable.var)
            if variable.var.type is None:
                raise Refusal(name)
            value = coerce(ctx, hir.GlobalGet(variable.var.type, variable.var), field, span)
            body.append(hir.FieldSet(ctx.line, made, name, value))
    return body


def cast_up(value: hir.Expr, decl: ClassDecl) -> hir.Expr:
    """Return an object as one of the base class ``decl``."""
    t = prune(value.type)
    assert isinstance(t, ClassType)
    up = ancestor(t, decl)
    assert up is not None
    return value if up is t else hir.Cast(up, value)


__all__ = [
    "assign_class_variable",
    "assign_of_value",
    "cast_up",
    "class_named",
    "read_class_variable",
    "read_through_object",
    "run_class_body",
    "set_defaults",
]
