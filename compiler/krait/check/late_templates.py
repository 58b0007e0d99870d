"""`template % values` and `template.format(values)` where the template is known at run time only; `%` of bytes.

In: a checked template, and the values. Out: calls of `krait.templates`, which takes the template apart; each value
becomes a function that gives its text for a specification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from krait.check import hir
from krait.check.byteslike import byte_kind
from krait.check.coerce import is_none, unwrap
from krait.check.context import Context
from krait.check.invoke import find_method
from krait.check.relations import dict_of
from krait.check.set_order import require_order
from krait.check.tuples import is_tuple, is_vector, plain_tuple
from krait.check.types import BOOL, NONE, ClassType, Optional, Type, is_object, members_of_union, prune
from krait.check.unions import by_member
from krait.check.vocabulary import LIBRARY
from krait.diagnostics import Span
from krait.syntax import tree

_TEMPLATE, _VALUE, _EACH, _KEY = "$template", "$value", "$each", "$key"


def is_template(ctx: Context, t: Type) -> bool:
    """Return whether `%` of values of the type fills in a template."""
    return prune(t) == ctx.world.str_type or bool(byte_kind(t))


def percent_of_several(ctx: Context, template: hir.Expr, right: tree.Tuple, span: Span) -> hir.Expr:
    """Return ``template % (…)``."""
    if any(isinstance(item, tree.Starred) for item in right.elts):
        return percent_of_value(ctx, template, ctx.expr(right), span)
    return _Percent(ctx, template, span).of_several(ctx.attempt((item, None) for item in right.elts))


def percent_of_value(ctx: Context, template: hir.Expr, value: hir.Expr, span: Span) -> hir.Expr:
    """Return ``template % value``."""
    return _Percent(ctx, template, span).of_one(plain_tuple(value))


class _Percent:
    def __init__(self, ctx: Context, template: hir.Expr, span: Span) -> None:
        self.ctx = ctx
        self.template = template
        self.span = span
        self.kind = byte_kind(template.type)
        self.field = "directed_octets" if self.kind else "directed"

    def of_several(self, values: Sequence[hir.Expr]) -> hir.Expr:
        """The values of a tuple."""
        given = {f"{_VALUE}{at}": self.shown(value) for at, value in enumerate(values)}
        listed = tree.List(tuple(_field(self.field, name, self.span) for name in given), tree.LOAD, self.span)
        return self.filled(given, listed, tree.Constant(None, self.span), is_mapping=False)

    def of_one(self, value: hir.Expr) -> hir.Expr:
        """A tuple that is a value, or anything else: a mapping, or the only value."""
        ctx, span, t = self.ctx, self.span, prune(value.type)
        if not isinstance(t, ClassType) and may_be_several(t):
            held, self.template = ctx.hold(self.template)
            made = self.of_each(value, t)
            return hir.Let(made.type, held, made)
        if isinstance(t, ClassType) and is_tuple(t.decl):
            name = tree.Name(_VALUE, tree.LOAD, span)
            items = [tree.Subscript(name, tree.Constant(at, span), tree.LOAD, span) for at in range(len(t.args))]
            listed: tree.expr = tree.List(tuple(_field(self.field, item, span) for item in items), tree.LOAD, span)
        elif isinstance(t, ClassType) and is_vector(t.decl):
            listed = _each_field(self.field, tree.Name(_VALUE, tree.LOAD, span), span)
        else:
            single = tree.List((_field(self.field, _VALUE, span),), tree.LOAD, span)
            is_mapping = not is_template(ctx, t) and find_method(ctx, t, "__getitem__") is not None
            shown = no_tuple(ctx, self.shown(value), span)
            return self.filled({_VALUE: shown}, single, self.lookup(t), is_mapping=is_mapping)
        return self.filled({_VALUE: value}, listed, tree.Constant(None, span), is_mapping=False)

    def of_each(self, value: hir.Expr, t: Type) -> hir.Expr:
        """What may be a tuple, or anything else."""
        if not isinstance(t, Optional):
            return by_member(self.ctx, value, lambda part: self.of_one(plain_tuple(part)))
        held, kept = self.ctx.hold(value)
        nothing = self.of_one(hir.Const(NONE, None))
        made = hir.Conditional(nothing.type, is_none(kept), nothing, self.of_one(unwrap(self.ctx, kept)))
        return hir.Let(made.type, held, made)

    def shown(self, value: hir.Expr) -> hir.Expr:
        """A value whose text can be asked for; one that says itself which bytes it is would have two."""
        t = prune(value.type)
        if self.kind and isinstance(t, ClassType) and find_method(self.ctx, t, "__bytes__") is not None:
            if not t.decl.module.library:
                raise self.ctx.later(self.span, f"`%` of bytes and a `{t}`", "write `bytes(…)` around it")
        return _shown(self.ctx, value, self.span)

    def lookup(self, t: Type) -> tree.expr:
        """What finds the value of a directive with a name; None if the values have no names."""
        key: tree.expr = tree.Name(_KEY, tree.LOAD, self.span)
        if not self.kind:
            return _lookup(self.ctx, t, self.field, _VALUE, key, self.ctx.world.str_type, self.span)
        encode = tree.Attribute(key, "encode", tree.LOAD, self.span)
        key = tree.Call(encode, (tree.Constant("latin-1", self.span),), (), self.span)
        return _lookup(self.ctx, t, self.field, _VALUE, key, self.ctx.world.library_class("bytes"), self.span)

    def filled(
        self, given: Mapping[str, hir.Expr], listed: tree.expr, lookup: tree.expr, *, is_mapping: bool
    ) -> hir.Expr:
        span = self.span
        name: tree.expr = tree.Name(_TEMPLATE, tree.LOAD, span)
        if self.kind == "bytearray":
            name = tree.Call(tree.Name(f"{LIBRARY}bytes", tree.LOAD, span), (name,), (), span)
        arguments = (name, listed, lookup, tree.Constant(is_mapping, span))
        call = _library("percent_octets" if self.kind else "percent", arguments, span)
        if self.kind == "bytearray":
            call = tree.Call(tree.Name(f"{LIBRARY}bytearray", tree.LOAD, span), (call,), (), span)
        return self.ctx.let({_TEMPLATE: self.template, **given}, lambda: self.ctx.expr(call))


def format_at_run_time(ctx: Context, template: hir.Expr, node: tree.Call) -> hir.Expr:
    """Return ``template.format(…)``."""
    span = node.span
    given: dict[str, hir.Expr] = {_TEMPLATE: template}
    listed: list[tree.expr] = []
    for at, arg in enumerate(node.args):
        name = f"{_VALUE}{at}"
        if isinstance(arg, tree.Starred):
            given[name] = ctx.expr(arg.value)
            each = _each_field("formatted", tree.Name(name, tree.LOAD, span), span)
            listed.append(tree.Starred(each, tree.LOAD, span))
        else:
            given[name] = _shown(ctx, ctx.expr(arg), arg.span)
            listed.append(_field("formatted", name, span))
    names, fields = list[tree.expr](), list[tree.expr]()
    lookup: tree.expr = tree.Name(f"{LIBRARY}krait.templates.no_value", tree.LOAD, span)
    for keyword in node.keywords:
        name = f"{_VALUE} {keyword.arg or ''}"
        given[name] = value = _shown(ctx, ctx.expr(keyword.value), keyword.span)
        if keyword.arg is None:
            if dict_of(ctx.world, value.type) is None or len(node.keywords) > 1:
                raise ctx.later(keyword.span, "`**` among other values of a template", "write the arguments out")
            key = tree.Name(_KEY, tree.LOAD, span)
            lookup = _lookup(ctx, value.type, "formatted", name, key, ctx.world.str_type, span)
        else:
            names.append(tree.Constant(keyword.arg, span))
            fields.append(_field("formatted", name, span))
    if names:
        pair = (tree.List(tuple(names), tree.LOAD, span), tree.List(tuple(fields), tree.LOAD, span))
        lookup = _library("named", pair, span)
    values = tree.List(tuple(listed), tree.LOAD, span)
    call = _library("fill", (tree.Name(_TEMPLATE, tree.LOAD, span), values, lookup), span)
    return ctx.let(given, lambda: ctx.expr(call))


def no_tuple(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return the only value of a template, which would be several if it were a tuple: an ``object`` is asked."""
    if not is_object(value.type):
        return value
    held, kept = ctx.hold(value)
    asked = ctx.library("krait.anything", "any_is_tuple", [kept], BOOL, span)
    message = "a tuple that is an object is not taken apart by `%`"
    return hir.Let(value.type, [*held, hir.If(ctx.line, asked, ctx.raising("TypeError", message, span), [])], kept)


def _shown(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return a value whose text can be asked for."""
    require_order(ctx, value.type, span)
    return value


def may_be_several(t: Type) -> bool:
    """Return whether a value of a type may be a tuple, whose items `%` takes one by one."""
    parts = [prune(plain_tuple(hir.Const(part, None)).type) for part in members_of_union(t)]
    return any(isinstance(part, ClassType) and (is_tuple(part.decl) or is_vector(part.decl)) for part in parts)


def _library(name: str, arguments: Sequence[tree.expr], span: Span) -> tree.expr:
    return tree.Call(tree.Name(f"{LIBRARY}krait.templates.{name}", tree.LOAD, span), tuple(arguments), (), span)


def _field(maker: str, value: str | tree.expr, span: Span) -> tree.expr:
    """The function that gives the texts of a value."""
    return _library(maker, [tree.Name(value, tree.LOAD, span) if isinstance(value, str) else value], span)


def _each_field(maker: str, values: tree.expr, span: Span) -> tree.expr:
    """The same for each item of something, as a list."""
    source = tree.comprehension(tree.Name(_EACH, tree.STORE, span), values, (), span)
    return tree.ListComp(_field(maker, _EACH, span), (source,), span)


def _lookup(
    ctx: Context, t: Type, maker: str, mapping: str, key: tree.expr, wanted: Type, span: Span
) -> tree.expr:
    """What finds a value of a dict by its name; None for what is no dict."""
    found = dict_of(ctx.world, t)
    if found is None:
        return tree.Constant(None, span)
    if not is_object(found.args[0]) and prune(wanted) not in map(prune, members_of_union(found.args[0])):
        return tree.Name(f"{LIBRARY}krait.templates.no_value", tree.LOAD, span)
    item = tree.Subscript(tree.Name(mapping, tree.LOAD, span), key, tree.LOAD, span)
    named = tree.arg(_KEY, None, span)
    arguments = tree.arguments((), (named,), None, (), (), None, (), span)
    return tree.Lambda(arguments, _field(maker, item, span), span)


__all__ = [
    "format_at_run_time",
    "is_template",
    "may_be_several",
    "no_tuple",
    "percent_of_several",
    "percent_of_value",
]
