"""Attributes that are read.

In: an object and a name. Out: a field, a property, or a variable of a module. Calls of methods are in `calls`.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.class_values import class_object, class_of_value
from krait.check.classes import class_named, read_class_variable, read_through_object
from krait.check.coerce import checked_as, is_none, unwrap
from krait.check.conditions import access_path, truth
from krait.check.context import Context, expression
from krait.check.function_values import name_of_function, value_of_class_method, value_of_method, value_of_symbol
from krait.check.invoke import invoke, present
from krait.check.late import read_late
from krait.check.names import did_you_mean, object_of_type
from krait.check.relations import class_meant
from krait.check.scopes import check_complete, member_of_module, module_named
from krait.check.signatures import field_names, field_type
from krait.check.texts import as_number
from krait.check.tuples import field_names_of, is_tuple, named_fields
from krait.check.types import (
    NONE,
    U32,
    ClassDecl,
    ClassType,
    FunctionDecl,
    FunctionType,
    Infer,
    Optional,
    Type,
    Union,
    prune,
)
from krait.check.unions import by_member, of_object
from krait.check.world import Refusal
from krait.diagnostics import Span
from krait.syntax import tree


@expression(tree.Attribute)
def attribute(ctx: Context, node: tree.Attribute, expected: Type | None) -> hir.Expr:
    """``value.attr`` that is not called."""
    module = module_named(ctx, node.value)
    if module is not None:
        return member_of_module(ctx, module, node, expected)
    if node.attr == "__class__":
        return class_of_value(ctx, ctx.expr(node.value), node.span)
    subject = object_of_type(node.value)
    if subject is not None and node.attr in ("__name__", "__qualname__"):
        return _class_name(ctx, ctx.expr(subject))
    named = _function_named(ctx, node.value) if node.attr == "__name__" else None
    if named is not None:
        return hir.Text(ctx.world.str_type, named)
    cls = class_named(ctx, node.value)
    if cls is None and subject is not None:
        value = ctx.expr(subject)
        shared = read_through_object(ctx, value, node.attr, node)
        if shared is not None:
            return shared
    is_base = node is ctx.attribute_base
    if cls is not None:
        return _known_as(ctx, _class_attribute(ctx, cls, node, expected), node, is_base)
    ctx.attribute_base = node.value
    narrowed = _narrowed_attribute(ctx, node, is_base)
    if narrowed is not None:
        return narrowed
    return read_attribute(ctx, ctx.expr(node.value), node, expected)


def _class_name(ctx: Context, value: hir.Expr) -> hir.Expr:
    """``type(value).__name__``."""
    text = ctx.world.str_type
    t = prune(value.type)
    if isinstance(t, Infer):
        raise Refusal("type")
    if isinstance(t, ClassType):
        return hir.TypeName(text, value)
    asked = of_object(ctx, "any_name", [value], text, ctx.span_of_line(ctx.line))
    if asked is not None:
        return asked
    if isinstance(t, Union):
        return by_member(ctx, value, lambda part: _class_name(ctx, part))
    if isinstance(t, Optional):
        held, kept = ctx.hold(value)
        name = hir.Conditional(text, is_none(kept), hir.Text(text, "NoneType"), _class_name(ctx, unwrap(ctx, kept)))
        return hir.Let(text, held, name)
    return hir.Let(text, [hir.Evaluate(ctx.line, value)], hir.Text(text, "NoneType" if t is NONE else str(t)))


def _function_named(ctx: Context, node: tree.expr) -> str | None:
    """Return the name of a function of a module that an expression names."""
    symbol = ctx.lookup(node.id) if isinstance(node, tree.Name) and node.id not in ctx.scope else None
    return name_of_function(ctx, node, symbol) if isinstance(symbol, FunctionDecl) else None


def _function_name(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return ``f.__name__`` of a function as a value, whose object keeps it in programs that ask for that."""
    base = ctx.world.library_symbol("krait.function", "function")
    assert isinstance(base, ClassDecl)
    ctx.world.asks_names = True
    text, cls = ctx.world.str_type, ClassType(base)
    if not ctx.world.named_functions:
        return hir.Let(text, [hir.Evaluate(ctx.line, value)], hir.Text(text, ""))  # this check is done again
    ctx.world.field_types[cls] = {"code": U32, "name": text}
    found, kept = ctx.hold(hir.FieldGet(text, hir.Cast(cls, value), "name"))
    message = "'functools.partial' object has no attribute '__name__'"
    has_name = truth(ctx, kept, span)
    return hir.Let(text, [*found, hir.If(ctx.line, has_name, [], ctx.raising("AttributeError", message, span))], kept)


def _class_attribute(ctx: Context, cls: ClassType, node: tree.Attribute, expected: Type | None) -> hir.Expr:
    """``Class.attr``."""
    if node.attr in ("__name__", "__qualname__"):
        return hir.Text(ctx.world.str_type, cls.decl.name if node.attr == "__name__" else cls.decl.qualified_name)
    if node.attr == "__module__":
        return read_attribute(ctx, class_object(ctx, cls), node)
    if node.attr in cls.decl.nested:
        return value_of_symbol(ctx, cls.decl.nested[node.attr], node, expected)
    named = named_fields(cls) if node.attr == "_fields" else None
    if named is not None:
        return ctx.expr(field_names_of(named, node.span))
    variable = cls.decl.find_variable(node.attr)
    if variable is not None:
        return read_class_variable(ctx, cls.decl, variable, node)
    if cls.decl.find_method(node.attr) is not None:
        return value_of_class_method(ctx, node, expected)
    names = [name for decl in cls.decl.mro() for name in (*decl.variables, *decl.methods)]
    raise ctx.refuse(
        node.span, f"the class `{cls.decl.name}` has no attribute `{node.attr}`", *did_you_mean(node.attr, names)
    )


def _narrowed_attribute(ctx: Context, node: tree.Attribute, is_base: bool) -> hir.Expr | None:
    """Return a field of which a test has shown what it is.

    is_base: an attribute of it is asked for, which raises CPython's AttributeError where it is None.
    """
    path = access_path(ctx, node)
    if path is None or path not in ctx.flow.narrowed:
        return None
    return _known_as(ctx, read_attribute(ctx, ctx.expr(node.value), node), node, is_base)


def _known_as(ctx: Context, value: hir.Expr, node: tree.Attribute, is_base: bool) -> hir.Expr:
    """Return an attribute as what a test has shown it to be, if one has."""
    path = access_path(ctx, node)
    known = ctx.flow.narrowed.get(path) if path is not None else None
    if known is None:
        return value
    declared = prune(value.type)
    if is_base and isinstance(declared, Optional) and prune(declared.inner) == prune(known):
        return value
    return checked_as(ctx, value, known, node.attr, node.span)


def read_attribute(ctx: Context, value: hir.Expr, node: tree.Attribute, expected: Type | None = None) -> hir.Expr:
    """Return a field, property or method of an object."""
    value = as_number(ctx, present(ctx, value, node.attr, node.span), node.attr)
    t = prune(value.type)
    if isinstance(t, Infer):
        raise ctx.unknown(node.value.span, "this value")
    if isinstance(t, Union):
        return by_member(ctx, value, lambda part: read_attribute(ctx, part, node, expected))
    if isinstance(t, FunctionType) and node.attr == "__name__":
        return _function_name(ctx, value, node.span)
    meant = class_meant(t)
    if isinstance(meant, ClassType) and (shared := read_through_object(ctx, value, node.attr, node)) is not None:
        return shared
    if isinstance(meant, ClassType) and meant.decl.find_method(node.attr) is not None:
        raise ctx.later(node.span, f"a method of a `{t}` as a value", "write a lambda that calls it")
    if isinstance(t, ClassType):
        found = field_type(ctx.world, t, node.attr)
        if found is not None:
            _check_visible(ctx, t, node)
            _check_assigned(ctx, node)
            return read_late(ctx, value, found, node.attr, node.span)
    named = named_fields(t) if node.attr == "_fields" else None
    if named is not None:
        return ctx.expr(field_names_of(named, node.span))
    method = ctx.world.find_method(t, node.attr)
    if method is not None and method[0].kind == "property":
        if node.attr == "args" and method[0].module.library:
            ctx.world.asks_arguments = True
            return invoke(ctx, value, "_args" if ctx.world.keeps_arguments else "args", [], node.span)
        if isinstance(node.value, tree.Name) and ctx.scope.get(node.value.id) is ctx.self_local:
            ctx.attribute_base = None
            check_complete(ctx, node.value)
        return invoke(ctx, value, node.attr, [], node.span)
    shared = read_through_object(ctx, value, node.attr, node)
    if shared is not None:
        return shared
    if method is not None:
        return value_of_method(ctx, value, method[0], node, expected)
    if node.attr == "format" and t == ctx.world.str_type:
        return value_of_method(ctx, value, None, node, expected)
    raise no_attribute(ctx, t, node)


def no_attribute(ctx: Context, t: Type, node: tree.Attribute) -> Refusal:
    """Report that values of the type have no such attribute."""
    names: list[str] = []
    owner = ctx.world.class_of(t)
    if isinstance(t, ClassType):
        names = field_names(ctx.world, t)
    elif owner is not None:
        names = list(owner[0].methods)
    if not ctx.module.unsafe and owner is not None and owner[0].module.library:
        names = [candidate for candidate in names if candidate in owner[0].methods]
    span = Span(node.span.end_line, max(node.span.end_col - len(node.attr), 0), node.span.end_line, node.span.end_col)
    return ctx.refuse(span, f"`{t}` has no attribute `{node.attr}`", *did_you_mean(node.attr, names))


def _check_visible(ctx: Context, t: ClassType, node: tree.Attribute) -> None:
    """Fields of the library's built-in classes are its own."""
    hidden = t.decl.module.name.startswith("krait.") and not ctx.module.unsafe and not ctx.module.library
    if hidden and not is_tuple(t.decl):
        raise no_attribute(ctx, t, node)


def _check_assigned(ctx: Context, node: tree.Attribute) -> None:
    """In ``__init__``, a field can be read once it has a value."""
    if (
        ctx.own_fields is None
        or not isinstance(node.value, tree.Name)
        or ctx.scope.get(node.value.id) is not ctx.self_local
    ):
        return
    marker = ctx.own_fields.get(node.attr)
    if marker is not None and not ctx.flow.is_bound(marker):
        raise ctx.refuse(
            node.span, f"the field `{node.attr}` may have no value yet", f"assign `self.{node.attr}` first"
        )
