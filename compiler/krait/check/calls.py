"""Calls: functions, methods, constructors, members of modules.

In: call syntax. Out: calls of instances with their arguments evaluated once, in the order in which they stand, and
defaults filled in; the type parameters of generic functions are inferred from the arguments.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.annotations import Annotations
from krait.check.arguments import check_arguments, in_order, match_arguments
from krait.check.attributes import no_attribute, read_attribute
from krait.check.builtins import BUILTINS, convert, sort_list
from krait.check.classes import class_named, set_defaults
from krait.check.coerce import coerce
from krait.check.collection import collection_method, count, counted, with_factory
from krait.check.context import Context, expression
from krait.check.enums import LOOKUP
from krait.check.exceptions import (
    argument_keeping,
    exception_arguments,
    keeps_arguments,
    refuse_error_numbers,
)
from krait.check.function_values import call_value
from krait.check.invoke import fresh_instance, invoke, present, receiver_for
from krait.check.late import note_late
from krait.check.mappings import dict_from_keys, dict_method
from krait.check.names import did_you_mean, object_of_type
from krait.check.overloads import as_described, described_result
from krait.check.overriding import call_of_each, is_chosen
from krait.check.packs import filled_in, without_no_keywords
from krait.check.records import record_method
from krait.check.relations import wanted_class
from krait.check.roots import is_root
from krait.check.scopes import (
    find,
    find_in_module,
    function_called,
    is_variable,
    module_named,
    read_function,
    read_global,
    read_name,
    touch_declaration,
)
from krait.check.sets import set_method
from krait.check.signatures import declared_fields, signature
from krait.check.spread import spread
from krait.check.templates import format_call
from krait.check.texts import as_number, literal_text, make_table, text_method
from krait.check.types import (
    BOOL,
    F32,
    FIXED,
    INT,
    NEVER,
    NONE,
    Alias,
    ClassDecl,
    ClassType,
    FunctionDecl,
    FunctionType,
    GlobalVar,
    Infer,
    Instance,
    Intrinsic,
    Local,
    NamedType,
    Primitive,
    Symbol,
    Type,
    Union,
    ancestor,
    base_of,
    prune,
    substitute,
    unify,
)
from krait.check.unions import by_member
from krait.check.unsafe import convert_fixed, intrinsic
from krait.check.world import MARK, Refusal
from krait.syntax import tree


@expression(tree.Call)
def call(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``func(args)``."""
    node = spread(ctx, without_no_keywords(ctx, node))
    match node.func:
        case tree.Name(id=name) if name in ctx.classes:
            return construct(ctx, ctx.classes[name].decl, node, ctx.classes[name].args, expected)
        case tree.Name(id=name) as func:
            local = ctx.scope.get(name)
            if local is not None:
                return _call_local(ctx, local, func, node, expected)
            return call_symbol(ctx, find(ctx, func), node, (), expected)
        case tree.Subscript(value=tree.Name() as func, slice=arguments) if not is_variable(ctx, func):
            items = arguments.elts if isinstance(arguments, tree.Tuple) else (arguments,)
            annotations = Annotations(ctx.world, ctx.module, ctx.params, ctx.instance)
            return call_symbol(ctx, find(ctx, func), node, tuple(annotations.type(item) for item in items), expected)
        case tree.Call() | tree.Attribute(attr="__class__") as func if (subject := object_of_type(func)) is not None:
            return _construct_like(ctx, subject, node, expected)
        case tree.Attribute() as func:
            return _call_attribute(ctx, func, node, expected)
        case _:
            return _call_what(ctx, ctx.expr(node.func, _taking(ctx, node)), node, expected)


def _taking(ctx: Context, node: tree.Call) -> Type | None:
    """What is wanted of a call that makes a decorator: a function that takes the function which is decorated."""
    match node:
        case tree.Call(func=tree.Call(), args=(tree.Name() | tree.Call() as arg,), keywords=()):
            with ctx.world.silence():
                try:
                    given = prune(ctx.expr(arg, FunctionType((Infer(pack=True),), Infer())).type)
                except Refusal:
                    return None
            return FunctionType((given,), Infer()) if isinstance(given, FunctionType) else None
        case _:
            return None


def _call_local(ctx: Context, local: Local, func: tree.Name, node: tree.Call, expected: Type | None) -> hir.Expr:
    """Call a variable: a function within this one, or a value."""
    if local.function is not None and local.function.closure is not None:
        receiver = hir.Cast(ClassType(local.function.closure), read_function(ctx, local, func))
        return call_function(ctx, local.function, (), receiver, node, (), expected)
    return _call_what(ctx, read_name(ctx, func), node, expected)


def _call_what(ctx: Context, value: hir.Expr, node: tree.Call, expected: Type | None) -> hir.Expr:
    """Call a value: a function, or an object whose class says what that means."""
    if isinstance(prune(value.type), Union):
        return by_member(ctx, value, lambda part: _call_what(ctx, part, node, expected))
    found = ctx.world.find_method(value.type, "__call__")
    if found is None:
        return call_value(ctx, value, node)
    decl, owner_args = found
    return call_function(ctx, decl, owner_args, receiver_for(ctx, decl, value), node, (), expected, virtual=True)


def call_symbol(
    ctx: Context, symbol: Symbol, node: tree.Call, types: tuple[Type, ...], expected: Type | None
) -> hir.Expr:
    """Call what a name means; ``types`` are type arguments that the call gives in brackets."""
    match symbol:
        case Intrinsic(name=name) if name.startswith("unsafe."):
            return intrinsic(ctx, name.removeprefix("unsafe."), node, types, expected)
        case Intrinsic(name=name) if name in BUILTINS:
            return BUILTINS[name](ctx, node, expected)
        case Intrinsic(name=name):
            raise ctx.later(node.span, f"`{name.removeprefix('typing.')}`")
        case NamedType(type=t) if isinstance(t, Primitive) and (t in FIXED or t is F32):
            return convert_fixed(ctx, t, node)
        case ClassDecl() if node in symbol.enum_calls:
            return construct(ctx, symbol, node, types, expected)
        case ClassDecl():
            made = convert(ctx, symbol, node, expected)
            return (
                made
                if made is not None
                else touch_declaration(ctx, symbol, node, construct(ctx, symbol, node, types, expected))
            )
        case FunctionDecl():
            made = call_function(ctx, symbol, (), None, node, types, expected)
            return touch_declaration(ctx, symbol, node, made)
        case Alias(is_new=True):
            if len(node.args) != 1 or node.keywords:
                raise ctx.refuse(node.span, f"`{symbol.name}` takes one argument")
            annotation = tree.Constant(symbol.name, node.func.span)
            wanted = Annotations(ctx.world, symbol.module, {}, ctx.instance).type(annotation)
            return coerce(ctx, ctx.expr(node.args[0], wanted), wanted, node.args[0].span)
        case Alias(params=()):
            meant = prune(Annotations(ctx.world, ctx.module, {}, ctx.instance).alias(symbol, node.func.span))
            if not isinstance(meant, ClassType):
                raise ctx.refuse(node.func.span, "this cannot be called", label="not a function")
            return construct(ctx, meant.decl, node, meant.args, expected)
        case GlobalVar():
            return _call_what(ctx, read_global(ctx, symbol, node.func), filled_in(ctx, symbol, node), expected)
        case _:
            raise ctx.refuse(node.func.span, "this cannot be called", label="not a function")


# --- attributes ----------------------------------------------------------------------------------------------------


def _call_attribute(ctx: Context, func: tree.Attribute, node: tree.Call, expected: Type | None) -> hir.Expr:
    template = literal_text(ctx, func.value) if func.attr == "format" else None
    if template is not None:
        return format_call(ctx, template, node)
    module = module_named(ctx, func.value)
    if module is not None:
        return call_symbol(ctx, find_in_module(ctx, module, func), node, (), expected)
    maker = function_called(ctx, tree.Call(func.value, (), (), node.span))
    if isinstance(maker, FunctionDecl) and f"{maker.module.name}.{maker.name}.{func.attr}" in BUILTINS:
        return BUILTINS[f"{maker.module.name}.{maker.name}.{func.attr}"](ctx, node, expected)
    of_cache = maker.module.symbols.get(f"{maker.name}.{func.attr}") if isinstance(maker, FunctionDecl) else None
    if of_cache is not None:
        return call_symbol(ctx, of_cache, node, (), expected)
    cls = class_named(ctx, func.value)
    if cls is not None and func.attr in cls.decl.nested:
        return call_symbol(ctx, cls.decl.nested[func.attr], node, (), expected)
    if cls is not None:
        return _call_on_class(ctx, cls, func, node, expected)
    subject = object_of_type(func.value)
    if subject is not None:
        return _call_of(ctx, ctx.expr(subject), func, node, expected)
    match func.value:
        case tree.Call(func=tree.Name(id="super"), args=(), keywords=()):
            return _call_super(ctx, func, node, expected)
        case _:
            pass
    owner, is_self = ctx.instance.decl.owner, False
    if isinstance(func.value, tree.Name) and ctx.scope.get(func.value.id) is ctx.self_local:
        method = owner.find_method(func.attr) if owner is not None else None
        is_self = method is None or method.kind not in ("static", "class")
    if not is_self:
        ctx.attribute_base = func.value  # None raises CPython's AttributeError
    return _call_of(ctx, present(ctx, ctx.expr(func.value), func.attr, func.span), func, node, expected)


def _call_of(
    ctx: Context, receiver: hir.Expr, func: tree.Attribute, node: tree.Call, expected: Type | None
) -> hir.Expr:
    """``receiver.attr(…)`` of a checked receiver that is not None."""
    t = prune(receiver.type)
    if isinstance(t, Infer):
        raise ctx.unknown(func.value.span, "this value")
    receiver = as_number(ctx, receiver, func.attr)
    t = prune(receiver.type)
    if isinstance(t, Union):
        return by_member(ctx, receiver, lambda part: _call_of(ctx, part, func, node, expected))
    made = collection_method(ctx, receiver, node, func)
    made = made or dict_method(ctx, receiver, node, func) or set_method(ctx, receiver, node, func)
    made = made or record_method(ctx, receiver, node, func) or text_method(ctx, receiver, node, func)
    if made is not None:
        return made
    if func.attr == "sort" and isinstance(t, ClassType) and t.decl is ctx.world.list_type(INT).decl:
        made = sort_list(ctx, receiver, node)
        if made is not None:
            return made
    found = ctx.world.find_method(t, func.attr)
    if found is None or (
        func.attr.startswith("_")
        and not func.attr.startswith("__")
        and found[0].module.library
        and not ctx.module.library
    ):
        if isinstance(t, ClassType) and func.attr in declared_fields(ctx.world, t):
            return _call_what(ctx, read_attribute(ctx, receiver, func), node, expected)
        raise no_attribute(ctx, t, func)
    decl, owner_args = found
    if decl.kind == "property":
        return _call_what(ctx, invoke(ctx, receiver, func.attr, [], func.span), node, expected)
    if decl.kind in ("static", "class"):
        return _call_class_method(ctx, decl, owner_args, receiver, node, expected)
    if isinstance(t, ClassType) and is_chosen(ctx.world, t, decl):

        def call(own: hir.Expr, method: FunctionDecl, cls: ClassType) -> hir.Expr:
            up = ancestor(cls, method.owner) if method.owner is not None else None
            assert up is not None
            return call_function(ctx, method, up.args, receiver_for(ctx, method, own), node, (), expected)

        return call_of_each(ctx, receiver, decl, call)
    return call_function(ctx, decl, owner_args, receiver_for(ctx, decl, receiver), node, (), expected, virtual=True)


def _call_class_method(
    ctx: Context,
    decl: FunctionDecl,
    owner_args: tuple[Type, ...],
    receiver: hir.Expr,
    node: tree.Call,
    expected: Type | None,
) -> hir.Expr:
    """``object.method(…)`` of a class or static method: the class is the one that the object really has."""
    t = prune(receiver.type)
    if not isinstance(t, ClassType):
        ctx.emit(hir.Evaluate(ctx.line, receiver))
        return call_function(ctx, decl, owner_args, None, node, (), expected)
    held, kept = ctx.hold(receiver)
    result = call_function(ctx, decl, owner_args, None, node, (), expected, cls=t)
    for cls in ctx.world.subclasses(t):
        method = cls.decl.find_method(decl.name)
        assert method is not None and method.owner is not None
        if method is decl and decl.kind == "static":
            continue
        up = ancestor(cls, method.owner)
        assert up is not None
        other = call_function(ctx, method, up.args, None, node, (), expected, cls=cls)
        other = coerce(ctx, other, result.type, node.span)
        result = hir.Conditional(result.type, hir.IsInstance(BOOL, kept, cls), other, result)
    return hir.Let(result.type, held or [hir.Evaluate(ctx.line, kept)], result)


def _call_on_class(
    ctx: Context, cls: ClassType, func: tree.Attribute, node: tree.Call, expected: Type | None
) -> hir.Expr:
    """``Class.method(…)``: a static or class method, or a method that is given ``self``."""
    if cls.decl is ctx.world.dict_type(INT, INT).decl and func.attr == "fromkeys":
        return dict_from_keys(ctx, node, expected)
    if cls == ctx.world.str_type and func.attr == "maketrans":
        return make_table(ctx, node)
    if is_root(cls.decl):
        hint = "call `__setattr__` with a field's name as a literal, as a statement, and no other method of it"
        raise ctx.later(func.span, f"`object.{func.attr}`", hint)
    decl = cls.decl.find_method(func.attr)
    if decl is None:
        raise ctx.refuse(
            func.span,
            f"the class `{cls.decl.name}` has no method `{func.attr}`",
            *did_you_mean(func.attr, cls.decl.methods),
        )
    assert decl.owner is not None
    up = ancestor(cls, decl.owner)
    assert up is not None
    if decl.kind in ("static", "class"):
        made = call_function(ctx, decl, up.args, None, node, (), expected, cls=cls)
        return touch_declaration(ctx, cls.decl, node, made)
    if not node.args:
        raise ctx.refuse(
            node.span,
            f"`{cls.decl.name}.{func.attr}` needs the object as its first argument",
            f"call it on an object: `x.{func.attr}(…)`",
        )
    if isinstance(node.args[0], tree.Name) and func.attr == "__init__":
        ctx.attribute_base = node.args[0]
    own = decl.owner.primitive or up
    receiver = coerce(ctx, ctx.expr(node.args[0]), own, node.args[0].span)
    rest = tree.Call(node.func, node.args[1:], node.keywords, node.span)
    result = call_function(ctx, decl, up.args, receiver, rest, (), expected)
    _base_fields_assigned(ctx, func, up)
    return touch_declaration(ctx, cls.decl, node, result)


def _call_super(ctx: Context, func: tree.Attribute, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``super().method(…)``."""
    owner = ctx.instance.decl.owner
    own = ctx.class_of_method
    base = base_of(own) if own is not None else None
    if owner is None or own is None or base is None:
        if func.attr == "__init__" and owner is not None and not node.args and not node.keywords:
            return hir.Const(NONE, None)
        raise ctx.refuse(func.span, "`super()` needs a method of a class that has a base")
    decl = base.decl.find_method(func.attr)
    if decl is None or decl.owner is None:
        if func.attr == "__init__" and not node.args and not node.keywords:
            return hir.Const(NONE, None)
        raise ctx.refuse(func.span, f"no base of `{owner.name}` has a method `{func.attr}`")
    up = ancestor(base, decl.owner)
    assert up is not None
    if decl.kind in ("static", "class"):
        return call_function(ctx, decl, up.args, None, node, (), expected, cls=own)
    if ctx.self_local is None or ctx.self_local.type is None:
        raise ctx.refuse(func.span, f"`{func.attr}` of the base needs an object")
    receiver = hir.Cast(up, hir.LocalGet(ctx.self_local.type, ctx.self_local))
    result = call_function(ctx, decl, up.args, receiver, node, (), expected)
    _base_fields_assigned(ctx, func, up)
    return result


def _base_fields_assigned(ctx: Context, func: tree.Attribute, base: ClassType) -> None:
    """After ``super().__init__(…)`` the fields of the base have values."""
    if ctx.own_fields is not None and func.attr == "__init__":
        for name in declared_fields(ctx.world, base):
            if name in ctx.own_fields:
                ctx.flow = ctx.flow.bind(ctx.own_fields[name])


def _construct_like(ctx: Context, subject: tree.expr, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``type(x)(…)``: an object of the class that another one has."""
    like = ctx.expr(subject)
    t = prune(like.type)
    if not isinstance(t, ClassType) or t.decl.module.library:
        raise ctx.later(node.func.span, f"a call of the class of a `{t}`", "name the class")

    def make(cls: ClassType) -> hir.Expr:
        made = construct(ctx, cls.decl, node, cls.args, expected)
        return made if cls == t else hir.Cast(t, made)

    held, kept = ctx.hold(like)
    result = make(t)
    for cls in ctx.world.subclasses(t):
        with ctx.collect() as block:
            other = make(cls)
        chosen = hir.Let(t, block, other) if block else other
        result = hir.Conditional(t, hir.IsInstance(BOOL, kept, cls), chosen, result)
    return hir.Let(t, held or [hir.Evaluate(ctx.line, kept)], result)


# --- constructors --------------------------------------------------------------------------------------------------


def construct(
    ctx: Context, decl: ClassDecl, node: tree.Call, types: tuple[Type, ...], expected: Type | None
) -> hir.Expr:
    """``Class(args)``: a new object, then ``__init__``; of an enum, the member that has the value."""
    if decl.enum and node not in decl.enum_calls:
        return call_function(ctx, decl.methods[LOOKUP], (), None, node, (), expected)
    if types and len(types) != len(decl.type_params):
        raise ctx.refuse(
            node.func.span, f"`{decl.name}` takes {len(decl.type_params)} type arguments, not {len(types)}"
        )
    args = types or tuple(map(Infer.of, decl.type_params))
    t = ClassType(decl, args)
    wanted = wanted_class(expected, decl)
    up = ancestor(t, wanted.decl) if wanted is not None else None
    if wanted is not None and up is not None:
        unify(up, wanted)
    node, source = counted(ctx, decl, with_factory(ctx, decl, node))
    if decl.missing_methods():
        return _refuse_abstract(ctx, decl, node, t)
    local = ctx.temp(t)
    made = hir.New(t, None, node.span.start_line)
    init = decl.find_method("__init__")
    body: hir.Block = [hir.Assign(ctx.line, local, made)]
    if init is not None and keeps_arguments(ctx, decl, init):
        node, first = argument_keeping(ctx, init, node, hir.LocalGet(t, local))
        body += first
    fields = declared_fields(ctx.world, t) if not decl.module.library else {}
    body += set_defaults(ctx, hir.LocalGet(t, local), t, fields, node.span)
    if init is not None:
        receiver = receiver_for(ctx, init, hir.LocalGet(t, local))
        assert init.owner is not None
        up = ancestor(t, init.owner)
        assert up is not None
        refuse_error_numbers(ctx, decl, init, node)
        body.append(hir.Evaluate(ctx.line, call_function(ctx, init, up.args, receiver, node, (), None)))
    elif node.args or node.keywords:
        raise ctx.refuse(node.span, f"`{decl.name}()` takes no arguments", "give the class a method `__init__`")
    else:
        if not decl.module.library:
            ctx.note_program_call()
    _note_unassigned(ctx, decl, init)
    whole = hir.Let(t, body, hir.LocalGet(t, local))
    return whole if source is None else count(ctx, whole, source)


def _note_unassigned(ctx: Context, decl: ClassDecl, init: FunctionDecl | None) -> None:
    """Note the fields that no ``__init__`` gives a value: those of classes that derive from that which has it."""
    for part in decl.mro():
        if (init is not None and part is init.owner) or part.module.library or part.module.unsafe:
            return
        params = tuple(Infer() for _ in part.type_params)
        inherited = declared_fields(ctx.world, up) if (up := base_of(ClassType(part, params))) is not None else {}
        names = [name for name in declared_fields(ctx.world, ClassType(part, params)) if name not in inherited]
        note_late(ctx.world, part, [name for name in names if not part.is_defaulted(name) and not name.endswith(MARK)])


def _refuse_abstract(ctx: Context, decl: ClassDecl, node: tree.Call, t: ClassType) -> hir.Expr:
    """An object of an abstract class: CPython evaluates the arguments, then raises TypeError."""
    names = ", ".join(f"'{name}'" for name in decl.missing_methods())
    plural = "s" if len(decl.missing_methods()) > 1 else ""
    message = (
        f"Can't instantiate abstract class {decl.name} without an implementation for abstract method{plural} {names}"
    )
    values = ctx.attempt((arg, None) for arg in (*node.args, *(keyword.value for keyword in node.keywords)))
    body: hir.Block = [hir.Evaluate(ctx.line, value) for value in values]
    return hir.Let(t, [*body, *ctx.raising("TypeError", message, node.span)], hir.Cast(t, hir.Const(NEVER, None)))


# --- functions -----------------------------------------------------------------------------------------------------


def call_function(
    ctx: Context,
    decl: FunctionDecl,
    owner_args: Sequence[Type],
    receiver: hir.Expr | None,
    node: tree.Call,
    types: tuple[Type, ...],
    expected: Type | None,
    *,
    virtual: bool = False,
    cls: ClassType | None = None,
) -> hir.Expr:
    """Return the call of a function or method whose receiver is already checked; ``cls`` is that of a class method."""
    sig = signature(ctx.world, decl)
    instance, env = fresh_instance(decl, owner_args)
    if decl.kind == "class":
        assert cls is not None
        unify(env[decl.type_params[-1]], cls)
    if types:
        if len(types) != len(decl.type_params):
            raise ctx.refuse(
                node.func.span, f"`{decl.name}` takes {len(decl.type_params)} type arguments, not {len(types)}"
            )
        for param, value in zip(decl.type_params, types, strict=True):
            unify(env[param], value)
    node = exception_arguments(ctx, decl, node)
    described = described_result(ctx, decl, owner_args, node)
    given = match_arguments(ctx, decl, sig, node)
    taker, checked = check_arguments(ctx, decl, given, env)
    result = substitute(sig.result, env)
    if taker is not decl:
        instance, result = Instance(taker), signature(ctx.world, taker).result
    if expected is not None and decl.type_params and not isinstance(prune(result), Primitive):
        unify(result, expected)
        result = substitute(result, {})
    held: hir.Block = []
    if receiver is not None and (decl.closure is not None or [item.param for item in given] != list(sig.params)):
        held, receiver = ctx.hold(receiver)
    before, values = in_order(ctx, decl, sig, given, checked, env, receiver)
    before = [*held, *before]
    args = values if receiver is None else [receiver, *values]
    made = ctx.call(instance, args, result, node.span, virtual=virtual)
    if described is not None:
        made = as_described(ctx, decl, made, described, node.span)
    return hir.Let(made.type, before, made) if before else made
