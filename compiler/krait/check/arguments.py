"""The arguments of calls, and the parameters that they are for.

In: call syntax and a signature. Out: for each argument its parameter; checked values in the order of the parameters,
evaluated in the order in which they stand, with defaults filled in. What follows a star is taken apart, or gathered
into the tuple of ``*args``; what has no parameter of its name goes into the dict of ``**kwargs``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from krait.check import hir
from krait.check.builtins import list_of_items
from krait.check.byteslike import fitted_bytes
from krait.check.coerce import coerce, to_float
from krait.check.constants import literal_int
from krait.check.context import Context
from krait.check.globals import prepare_global
from krait.check.mappings import dict_of_items, is_dict
from krait.check.mixing import has_floats, mixed, stands_for
from krait.check.names import did_you_mean
from krait.check.promoted import holding_ints, promoted, takes_ints
from krait.check.relations import item_type
from krait.check.signatures import signature
from krait.check.spread import items_of_list
from krait.check.targets import widen_items
from krait.check.tuples import tuple_type
from krait.check.types import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    ClassType,
    FunctionDecl,
    Infer,
    Instance,
    Optional,
    Parameter,
    Signature,
    Type,
    TypeParam,
    Union,
    prune,
    substitute,
)
from krait.check.unification import unify
from krait.check.unions import by_member
from krait.check.vocabulary import LIBRARY
from krait.check.world import Refusal
from krait.diagnostics import Note, Span
from krait.syntax import tree


@dataclass(slots=True)
class Given:
    """An argument and the parameter that it is for."""

    param: Parameter
    node: tree.expr


def match_arguments(ctx: Context, decl: FunctionDecl, sig: Signature, node: tree.Call) -> list[Given]:
    """Find the parameter of each argument, in the order of the arguments."""
    positional = [param for param in sig.params if not param.keyword_only and not param.variadic]
    rest = next((param for param in sig.params if param.variadic), None)
    others = next((param for param in sig.params if param.keywords), None)
    name = decl.owner.name if decl.owner is not None and decl.name == "__init__" else decl.name
    kind = "positional " if any(param.keyword_only for param in sig.params) else ""
    notes = [Note(f"`{name}` is defined here", _heading(decl))] if decl.module is ctx.module else []
    if len(node.args) > len(positional) and rest is None:
        extra = node.args[len(positional)].span.to(node.args[-1].span)
        raise ctx.refuse(
            extra,
            f"`{name}` takes {_count(len(positional), kind)}, but {len(node.args)} are given",
            label="too many",
            notes=notes,
        )
    kwonly = {param.name for param in sig.params if param.keyword_only}
    only = sum(keyword.arg in kwonly for keyword in node.keywords) if rest is None else None
    node = _starred_last(ctx, decl, positional, node, only)
    for arg in node.args[: len(positional)]:
        if isinstance(arg, tree.Starred):
            raise ctx.later(arg.span, "`*` before an argument of any length", "write the arguments out")
    given = [Given(param, value) for param, value in zip(positional, node.args, strict=False)]
    if rest is not None:
        given.append(Given(rest, tree.Tuple(node.args[len(positional) :], tree.LOAD, node.span)))
    by_name = {param.name: param for param in sig.params if not param.positional_only and not param.keywords}
    extra_keywords: list[tree.keyword] = []
    for keyword in node.keywords:
        param = by_name.get(keyword.arg or "")
        if param is None and others is not None:
            extra_keywords.append(keyword)
            continue
        if keyword.arg is None:
            raise ctx.later(keyword.span, "`**` before an argument", "write the arguments out")
        if param is None:
            raise ctx.refuse(
                keyword.span,
                f"`{name}` has no parameter `{keyword.arg}`",
                *did_you_mean(keyword.arg or "", by_name),
                notes=notes,
            )
        if any(item.param is param for item in given):
            raise ctx.refuse(keyword.span, f"`{keyword.arg}` is given twice")
        given.append(Given(param, keyword.value))
    if others is not None:
        named = [param.name for param in by_name.values() if any(item.param is param for item in given)]
        free = [name for name in by_name if name not in named]
        given.append(Given(others, _keywords(decl, extra_keywords, named, free, node.span)))
    for param in sig.params:  # an int that stands for a float: as if the call gave it
        is_given = any(item.param is param for item in given)
        if not is_given and param.type is FLOAT and takes_ints(ctx, decl) and param.default is not None:
            if literal_int(param.default) is None:
                continue
            given.append(Given(param, param.default))
    missing = [
        param.name for param in sig.params if param.default is None and not any(item.param is param for item in given)
    ]
    if missing:
        listed = ", ".join(f"`{item}`" for item in missing)
        raise ctx.refuse(
            node.span, f"missing argument{'s' if len(missing) > 1 else ''} {listed} of `{name}`", notes=notes
        )
    return given


def _keywords(
    decl: FunctionDecl, keywords: Sequence[tree.keyword], named: Sequence[str], free: Sequence[str], span: Span
) -> tree.expr:
    """The dict of ``**kwargs``; a key of a dict behind a star that is given twice is TypeError when that runs.

    named, free: names of the parameters that have an argument, and of those that have none.
    """
    if all(part.arg is not None for part in keywords):
        keys = tuple(tree.Constant(part.arg, part.span) for part in keywords)
        return tree.Dict(keys, tuple(part.value for part in keywords), span)
    name = tree.Constant(decl.qualified_name, span)
    found: tree.expr = tree.Dict((), (), span)
    for part in keywords:
        more = part.value
        if part.arg is not None:
            more = tree.Dict((tree.Constant(part.arg, part.span),), (more,), part.span)
        module = tree.Constant(decl.module.name, span)
        found = tree.Call(tree.Name(f"{LIBRARY}krait.dict.more_keywords", tree.LOAD, span),
                          (found, more, name, module), (), span)  # fmt: skip
    names = (tree.Constant(" ".join(listed), span) for listed in (named, free))
    return tree.Call(
        tree.Name(f"{LIBRARY}krait.dict.other_keywords", tree.LOAD, span), (found, *names, name), (), span
    )


def _starred_last(
    ctx: Context, decl: FunctionDecl, positional: Sequence[Parameter], node: tree.Call, only: int | None
) -> tree.Call:
    """Return a call with the items of a list whose star is before the last argument as arguments of their own.

    only: see `items_of_list`.
    """
    if not node.args or not isinstance(last := node.args[-1], tree.Starred) or decl.module.library:
        return node
    before = node.args[:-1]
    params = positional[len(before) :]
    is_plain = all(param.default is None or isinstance(param.default, tree.Constant) for param in params)
    by_name = {param.name for param in params}
    if not is_plain or not params or any(keyword.arg in by_name for keyword in node.keywords):
        return node
    owner = decl.owner
    name = decl.qualified_name
    if owner is not None and owner.data is not None and owner.data.named and decl.name == "__init__":
        name = f"{owner.name}.__new__"
    own = decl.kind in ("method", "class") or name.endswith(".__new__")
    items = items_of_list(ctx, name, params, len(before) + own, last, only)
    return tree.Call(node.func, (*before, *items), node.keywords, node.span)


def _heading(decl: FunctionDecl) -> Span:
    """The span of ``def name``."""
    start = decl.node.span
    return Span(start.start_line, start.start_col, start.start_line, start.start_col + len("def ") + len(decl.name))


def _count(number: int, positional: str) -> str:
    return f"{number} {positional}argument{'' if number == 1 else 's'}"


def check_arguments(
    ctx: Context,
    decl: FunctionDecl,
    given: Sequence[Given],
    env: Mapping[TypeParam, Type],
    called_on: tree.expr | None = None,
) -> tuple[FunctionDecl, list[hir.Expr]]:
    """Return the values of arguments, each as the type of its parameter, and the function that takes them.

    called_on: what a method is called on.
    """
    checked: list[hir.Expr] = []
    failed: Refusal | None = None
    ints: dict[str, int] = {}
    takes = takes_ints(ctx, decl)
    for item in given:
        wanted = substitute(item.param.type, env)
        if item.param.item is not None and isinstance(item.node, tree.Tuple):
            if not item.node.elts or any(isinstance(part, tree.Starred) for part in item.node.elts):
                unify(wanted, ctx.world.vector_type(substitute(item.param.item, env)))
            each = substitute(item.param.item, env)
            if prune(each) is FLOAT and _has_ints(ctx, item.node.elts):
                each = mixed(FLOAT)
            unify(wanted, tuple_type(ctx.world, (each,) * len(item.node.elts)))
        note = Note(f"the parameter `{item.param.name}`", item.param.span) if decl.module is ctx.module else None
        value: hir.Expr | None = None
        if item.param.name in decl.open_params:
            _settle_none(item.node, wanted)
        try:
            if item.param.of is not None:
                value = _iterable(ctx, item, wanted, env)
            else:
                held = holding_ints(ctx, item.node, wanted) if takes and has_floats(wanted) else None
                value = _argument(ctx, decl, item, wanted) if held is None else ctx.expr(item.node, held)
            ctx.world.note_given(decl, item.param.name, value.type)
            if takes and stands_for(wanted, value.type):
                ints[item.param.name] = len(checked)
                checked.append(value)
                continue
            checked.append(coerce(ctx, value, wanted, item.node.span, note=note))
        except Refusal as refusal:
            failed = failed or refusal
            if decl.closure is not None and value is not None:
                ctx.widen_parameter(item.param.annotation, wanted, value.type)
            if decl.module.library and not ctx.module.library:
                with ctx.world.silence(), ctx.collect(), suppress(Refusal):
                    value = value or ctx.expr(item.node)
                    widen_items(ctx, called_on if called_on is not None else given[0].node, value.type)
    if failed is not None:
        raise failed
    variant = promoted(ctx, decl, {name: checked[at].type for name, at in ints.items()}) if ints else decl
    if variant is not None:
        for param in signature(ctx.world, variant).params if ints else ():
            if param.name in ints:
                place = ints[param.name]
                checked[place] = coerce(ctx, checked[place], param.type, given[place].node.span)
        return variant, checked
    item = given[min(ints.values())]
    note = Note(f"the parameter `{item.param.name}`", item.param.span) if decl.module is ctx.module else None
    wanted = substitute(item.param.type, env)
    return decl, [coerce(ctx, ctx.expr(item.node, wanted), wanted, item.node.span, note=note)]


def _settle_none(node: tree.expr, wanted: Type) -> None:
    """Have a parameter that takes anything take None, if that is what it is given."""
    if isinstance(node, tree.Constant) and node.value is None and isinstance(prune(wanted), Infer):
        unify(wanted, NONE)


def _has_ints(ctx: Context, nodes: Sequence[tree.expr]) -> bool:
    """Return whether some of these numbers are ints."""
    with ctx.world.silence(), ctx.collect():
        try:
            types = [prune(ctx.expr(node).type) for node in nodes if not isinstance(node, tree.Starred)]
        except Refusal:
            return False
    return any(stands_for(FLOAT, t) for t in types)


def _iterable(ctx: Context, item: Given, wanted: Type, env: Mapping[TypeParam, Type]) -> hir.Expr:
    """Return an argument for ``Iterable[T]``, whatever it is; its items have the type that is meant by T."""
    assert item.param.of is not None
    inner = substitute(item.param.of, env)
    is_display = isinstance(item.node, tree.List | tree.ListComp)
    if isinstance(item.param.of, TypeParam) and item.param.of.usual is not None and _holds_displays(item.node):
        unify(inner, substitute(item.param.of.usual, env))
    value = ctx.expr(item.node, ctx.world.list_type(inner) if is_display else wanted)
    found = item_type(ctx.world, value.type)
    if found is not None:
        unify(inner, found)
    return value


def _holds_displays(node: tree.expr) -> bool:
    """Return whether an expression is a display of displays of lists."""
    match node:
        case tree.List(elts=items):
            return all(isinstance(item, tree.List | tree.ListComp) for item in items)
        case tree.ListComp(elt=item):
            return isinstance(item, tree.List | tree.ListComp)
        case _:
            return False


def _argument(ctx: Context, decl: FunctionDecl, item: Given, wanted: Type) -> hir.Expr:
    """Return an argument. Functions of the library take more than their parameters say.

    They use up at once what CPython lets be any iterable (``str.join``, ``list.extend``), so a list of it will do; and
    what they compute from a float does not show whether an int was given for it.
    """
    if not decl.module.library or ctx.module.library:
        return ctx.expr(item.node, wanted)
    t = prune(wanted)
    if isinstance(t, Optional) and not (isinstance(item.node, tree.Constant) and item.node.value is None):
        t = prune(t.inner) if is_dict(ctx, t.inner) else t
    if isinstance(t, ClassType) and t.decl is ctx.world.list_type(INT).decl:
        return list_of_items(ctx, item.node, item.node.span, wanted)
    if isinstance(t, ClassType) and t.decl.module.name == "krait.iterator":
        return ctx.expr(_iterator_over(item.node), wanted)
    if item.param.item is not None and isinstance(item.node, tree.Tuple) and _takes_iterators(item.param):
        parts = tuple(map(_iterator_over, item.node.elts))
        return ctx.expr(tree.Tuple(parts, tree.LOAD, item.node.span), wanted)
    if is_dict(ctx, t):
        return dict_of_items(ctx, item.node, item.node.span, wanted)[0]
    value = fitted_bytes(ctx, decl, ctx.expr(item.node, wanted), wanted, item.node.span)
    if item.param.type is FLOAT and isinstance(t := prune(value.type), Union) and set(t.members) <= {INT, FLOAT, BOOL}:
        return by_member(ctx, value, to_float)
    return to_float(value) if item.param.type is FLOAT and prune(value.type) in (INT, BOOL) else value


def _iterator_over(node: tree.expr) -> tree.expr:
    return tree.Call(tree.Name(f"{LIBRARY}iter", tree.LOAD, node.span), (node,), (), node.span)


def _takes_iterators(param: Parameter) -> bool:
    t = prune(param.item) if param.item is not None else None
    return isinstance(t, ClassType) and t.decl.module.name == "krait.iterator"


def in_order(
    ctx: Context,
    decl: FunctionDecl,
    sig: Signature,
    given: Sequence[Given],
    checked: Sequence[hir.Expr],
    env: Mapping[TypeParam, Type],
    receiver: hir.Expr | None,
) -> tuple[hir.Block, list[hir.Expr]]:
    """Return the values in the order of the parameters.

    Where the arguments stand in another order, statements that evaluate them first come along.
    """
    order = [item.param for item in given]
    wanted = [param for param in sig.params if param in order]
    before: hir.Block = []
    values = list(checked)
    if order != wanted:
        for index, value in enumerate(values):
            held, values[index] = ctx.hold(value)
            before += held
    by_param = {id(param): value for param, value in zip(order, values, strict=True)}
    return before, [
        by_param[id(param)] if id(param) in by_param else _default(ctx, receiver, param, env)
        for param in sig.params
    ]


def default_value(ctx: Context, param: Parameter) -> hir.Expr:
    """Return the default of a parameter of a function of a module."""
    return _default(ctx, None, param, {})


def _default(ctx: Context, receiver: hir.Expr | None, param: Parameter, env: Mapping[TypeParam, Type]) -> hir.Expr:
    """Return the default of a parameter: a constant, or what was computed when ``def`` ran."""
    assert param.default is not None
    t = substitute(param.type, env)
    if param.factory is not None and param.factory.owner is not None:
        args = tuple(env[own] for own in param.factory.owner.type_params)
        return ctx.call(Instance(param.factory, args), [], t, param.span)
    if param.default_field is not None and receiver is not None:
        return hir.FieldGet(t, receiver, param.default_field)
    if param.default_var is not None:
        prepare_global(ctx.world, param.default_var)
        if param.default_var.type is None:
            raise ctx.unknown(param.default.span, "this default")
        return coerce(ctx, hir.GlobalGet(param.default_var.type, param.default_var), t, param.span)
    _settle_none(param.default, t)
    if param.of is not None and isinstance(param.default, tree.Tuple):
        unify(t, ctx.world.vector_type(substitute(param.of, env)))
    return coerce(ctx, ctx.expr(param.default, t), t, param.span)
