"""Calls: functions, methods, constructors, members of modules.

In: call syntax. Out: calls of instances with their arguments evaluated once, in the order in which they stand, and
defaults filled in; the type parameters of generic functions are inferred from the arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from krait.check import hir
from krait.check.annotations import Annotations
from krait.check.arguments import check_arguments, in_order, match_arguments
from krait.check.attributes import no_attribute, read_attribute
from krait.check.builtins import BUILTINS, convert, sort_list
from krait.check.class_values import tests_of_classes
from krait.check.classes import class_named, set_defaults
from krait.check.coerce import adapt, coerce
from krait.check.collection import collection_method, count, counted, with_factory
from krait.check.conditions import truth
from krait.check.constructors import abstract_message, wrong_arguments
from krait.check.context import Context, expression
from krait.check.enums import LOOKUP
from krait.check.exceptions import (
    argument_keeping,
    exception_arguments,
    keeps_arguments,
    refuse_error_numbers,
)
from krait.check.flow import join
from krait.check.function_values import call_value
from krait.check.invoke import fresh_instance, invoke, present, receiver_for, result_of
from krait.check.late import note_late
from krait.check.making import NEW, bare_object, made_by_new, own_new, repeated
from krait.check.mappings import dict_from_keys, dict_method
from krait.check.names import did_you_mean, object_of_type
from krait.check.overloads import as_described, described_result
from krait.check.overriding import call_of_each, is_chosen
from krait.check.packs import filled_in, without_no_keywords
from krait.check.records import record_method
from krait.check.relations import class_meant, wanted_class
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
from krait.check.throwing import thrown_argument
from krait.check.types import (
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
    is_object,
    prune,
    substitute,
)
from krait.check.unification import unify
from krait.check.unions import by_member, expands_objects
from krait.check.unsafe import convert_fixed, intrinsic
from krait.check.world import MARK, Refusal
from krait.syntax import tree


@expression(tree.Call)
def call(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``func(args)``."""
    node = spread(ctx, without_no_keywords(ctx, node))
    match node.func:
        case tree.Name(id=name) if _is_derived(ctx, name):
            return _make_derived(ctx, ctx.classes[name], node)
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
            return _construct_like(ctx, ctx.expr(subject), node, expected)
        case tree.Attribute() as func:
            return _call_attribute(ctx, func, node, expected)
        case _:
            return _call_what(ctx, ctx.expr(node.func, _taking(ctx, node)), node, expected)


def _is_derived(ctx: Context, name: str) -> bool:
    """Return whether a class method is checked for another class than its own, whose constructor may be another one."""
    decl = ctx.instance.decl
    return decl.kind == "class" and name == decl.type_params[-1].name and ctx.classes[name].decl is not decl.owner


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
    if class_meant(value.type) is not None:
        return _construct_like(ctx, value, node, expected)
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
    if isinstance(func.value, tree.Name) and func.value.id == "object" and func.attr == NEW:
        return _new_of(ctx, None, func, node)
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


def _as_text(ctx: Context, receiver: hir.Expr, t: Union, func: tree.Attribute) -> hir.Expr | None:
    """Return an object as a text, which is asked when it runs, if of all objects only texts have the method."""
    text = ctx.world.str_type
    if not is_object(t) or expands_objects(ctx) or ctx.world.find_method(text, func.attr) is None:
        return None
    others = (member for member in t.members if prune(member) != text)
    return None if any(ctx.world.find_method(part, func.attr) for part in others) else adapt(ctx, receiver, text)


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
        text = _as_text(ctx, receiver, t, func)
        if text is not None:
            return _call_of(ctx, text, func, node, expected)
        return by_member(ctx, receiver, lambda part: _call_of(ctx, part, func, node, expected))
    meant = class_meant(t)
    if isinstance(meant, ClassType) and (method := meant.decl.find_method(func.attr)) is not None:
        up = ancestor(meant, method.owner) if method.owner is not None else None
        if method.kind not in ("static", "class") or up is None:
            raise ctx.later(func.span, f"a method of objects of a `{t}`", "call it on the object")
        return _call_class_method(ctx, method, up.args, receiver, node, expected)
    if isinstance(meant, ClassType) and meant.decl.find_variable(func.attr) is not None:
        return _call_what(ctx, read_attribute(ctx, receiver, func), node, expected)
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
    """``x.method(…)`` of a class or static method: the class is the one that an object really has, or a value is."""
    t = class_meant(receiver.type) or prune(receiver.type)
    if not isinstance(t, ClassType):
        ctx.emit(hir.Evaluate(ctx.line, receiver))
        return call_function(ctx, decl, owner_args, None, node, (), expected)
    held, kept = ctx.hold(receiver)
    result = call_function(ctx, decl, owner_args, None, node, (), expected, cls=t)
    for cls, test in tests_of_classes(ctx, kept, node.span):
        method = cls.decl.find_method(decl.name)
        assert method is not None and method.owner is not None
        if method is decl and decl.kind == "static":
            continue
        up = ancestor(cls, method.owner)
        assert up is not None
        other = call_function(ctx, method, up.args, None, node, (), expected, cls=cls)
        other = coerce(ctx, other, result.type, node.span)
        result = hir.Conditional(result.type, test, other, result)
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
    if func.attr == NEW and not cls.decl.module.library:
        return _new_of(ctx, cls, func, node)
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


_OF_OBJECT = ("__init__", "__init_subclass__")
"""Methods that every class has, which do nothing."""


def _call_super(ctx: Context, func: tree.Attribute, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``super().method(…)``."""
    owner = ctx.instance.decl.owner
    own = ctx.class_of_method
    base = base_of(own) if own is not None else None
    if func.attr == NEW and owner is not None:
        return _new_of(ctx, base, func, node)
    if owner is None or own is None or base is None:
        if func.attr in _OF_OBJECT and owner is not None and not node.args:
            return _nothing_of_object(ctx, owner, func, node)
        raise ctx.refuse(func.span, "`super()` needs a method of a class that has a base")
    decl = base.decl.find_method(func.attr)
    if decl is None or decl.owner is None:
        if func.attr in _OF_OBJECT and not node.args:
            return _nothing_of_object(ctx, owner, func, node)
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


def _nothing_of_object(ctx: Context, owner: ClassDecl, func: tree.Attribute, node: tree.Call) -> hir.Expr:
    """``super().__init__(**kwargs)`` of a class without a base: TypeError if there are any arguments."""
    body: hir.Block = []
    message = "object.__init__() takes exactly one argument (the instance to initialize)"
    if func.attr == "__init_subclass__":
        cls = prune(ctx.instance.args[-1]) if ctx.instance.decl.kind == "class" else None
        message = f"{cls or owner.name}.__init_subclass__() takes no keyword arguments"
    for part in node.keywords:
        if part.arg is not None:
            raise ctx.refuse(part.span, f"no base of `{owner.name}` takes an argument `{part.arg}`")
        raised = ctx.raising("TypeError", message, node.span)
        body.append(hir.If(ctx.line, truth(ctx, ctx.expr(part.value), part.span), raised, []))
    return hir.Let(NONE, body, hir.Const(NONE, None)) if body else hir.Const(NONE, None)


def _construct_like(ctx: Context, like: hir.Expr, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``type(x)(…)`` and ``cls(…)``: an object of the class that another one has, or that a value is.

    Of classes that derive from the one that is known, those whose constructor takes other arguments raise TypeError.
    """
    meant = class_meant(like.type)
    t = prune(like.type) if meant is None else meant
    found = ctx.world.class_of(t)
    if found is None or (meant is None and found[0].module.library):
        raise ctx.later(node.func.span, f"a call of the class of a `{t}`", "name the class")
    held, kept = ctx.hold(like)
    before = ctx.flow
    result = _make(ctx, found[0], node, found[1], expected)
    ends = [ctx.flow]
    for cls, test in tests_of_classes(ctx, kept, node.span):
        ctx.flow = before
        with ctx.collect() as block:
            other = _make_derived(ctx, cls, node)
        result = hir.Conditional(result.type, test, hir.Let(result.type, block, hir.Cast(result.type, other)), result)
        ends.append(ctx.flow)
    ctx.flow = join(*ends)
    return hir.Let(result.type, held or [hir.Evaluate(ctx.line, kept)], result)


def _make(
    ctx: Context, decl: ClassDecl, node: tree.Call, types: tuple[Type, ...], expected: Type | None
) -> hir.Expr:
    """``Class(args)``, of a built-in class or any other."""
    return convert(ctx, decl, node, expected) or construct(ctx, decl, node, types, expected)


def _make_derived(ctx: Context, cls: ClassType, node: tree.Call) -> hir.Expr:
    """An object of a class that may be the one which is called; TypeError where it takes other arguments."""
    local = ctx.temp(cls)

    def make(cls: ClassType) -> hir.Block:
        return [hir.Assign(ctx.line, local, _make(ctx, cls.decl, node, cls.args, None))]

    return hir.Let(cls, _if_taken(ctx, cls, node, make), hir.LocalGet(cls, local))


def _if_taken(ctx: Context, cls: ClassType, node: tree.Call, act: Callable[[ClassType], hir.Block]) -> hir.Block:
    """What ``act`` does with a class that may not take the arguments of a call: then that raises TypeError."""
    flow = ctx.flow
    with ctx.world.silence(), ctx.collect() as block:
        try:
            block += act(cls)
        except Refusal:
            ctx.flow = flow
            return ctx.raising("TypeError", wrong_arguments(ctx.world, cls.decl, node), node.span)
    return block


def announce_subclass(ctx: Context, decl: ClassDecl) -> None:
    """Emit what the ``__init_subclass__`` of its bases does with a new class."""
    method = decl.base.find_method("__init_subclass__") if decl.base is not None else None
    keywords = tuple(part for part in decl.node.keywords if part.arg != "metaclass")
    node = tree.Call(tree.Name(decl.name, tree.LOAD, decl.node.span), (), keywords, decl.node.span)
    if method is None:
        if keywords:
            hint, span = "write `__init_subclass__` in the base", keywords[0].span
            raise ctx.refuse(span, f"`{decl.name}.__init_subclass__()` takes no keyword arguments", hint)
        return
    cls = ClassType(decl, tuple(Infer() for _ in decl.type_params))
    up = ancestor(cls, method.owner) if method.owner is not None else None
    if decl.type_params or decl.place.endswith("<locals>.") or method.kind != "class" or up is None:
        hint, span = "call a function that is given the class", decl.node.bases[0].span
        raise ctx.later(span, "`__init_subclass__` for a class within a function, or with type parameters", hint)
    ctx.emit(hir.Evaluate(ctx.line, call_function(ctx, method, up.args, None, node, (), None, cls=cls)))


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
    if (new := own_new(ctx, decl, node.span)) is not None:
        return _construct_by_new(ctx, new, t, node)
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


def _call_new(ctx: Context, new: FunctionDecl, t: ClassType, node: tree.Call) -> hir.Expr:
    """What the class's own ``__new__`` makes of the arguments of a call."""
    up = ancestor(t, new.owner) if new.owner is not None else None
    assert up is not None
    return made_by_new(ctx, call_function(ctx, new, up.args, None, node, (), None, cls=t), t, node.span)


def _construct_by_new(ctx: Context, new: FunctionDecl, t: ClassType, node: tree.Call) -> hir.Expr:
    """What ``__new__`` makes of the arguments; then the ``__init__`` of the class that this has is given the same."""
    local = ctx.temp(t)
    made = hir.LocalGet(t, local)

    def init_of(cls: ClassType) -> hir.Block:
        init = cls.decl.find_method("__init__")
        up = ancestor(cls, init.owner) if init is not None and init.owner is not None else None
        if init is None or up is None:
            return []
        receiver = receiver_for(ctx, init, made if cls is t else hir.Cast(cls, made))
        return [hir.Evaluate(ctx.line, call_function(ctx, init, up.args, receiver, node, (), None))]

    inits = {cls.decl.find_method("__init__") for cls in (t, *ctx.world.subclasses(t))}
    with ctx.collect() as body:
        node = repeated(ctx, node) if inits != {None} else node
        ctx.emit(hir.Assign(ctx.line, local, _call_new(ctx, new, t, node)))
        with ctx.collect() as chosen:
            chosen += init_of(t)
        for cls, test in tests_of_classes(ctx, made, node.span) if len(inits) > 1 else ():
            other = _if_taken(ctx, cls, node, init_of)
            chosen = [hir.If(ctx.line, test, other, chosen)]
        body += chosen
    return hir.Let(t, body, made)


def _new_of(ctx: Context, base: ClassType | None, func: tree.Attribute, node: tree.Call) -> hir.Expr:
    """``super().__new__(cls, …)``, ``object.__new__(cls)``: that of a base, with a class of its own."""
    cls = class_named(ctx, node.args[0]) if node.args else None
    if cls is None or cls.decl.module.library or cls.args:
        raise ctx.later(func.span, f"`{NEW}` of this", "name the class: `super().__new__(cls)`")
    new = base.decl.find_method(NEW) if base is not None else None
    if new is None:
        return bare_object(ctx, cls, node)
    return _call_new(ctx, new, cls, tree.Call(func, node.args[1:], node.keywords, node.span))


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
    given = (arg.value if isinstance(arg, tree.Starred) else arg for arg in node.args)
    values = ctx.attempt((arg, None) for arg in (*given, *(keyword.value for keyword in node.keywords)))
    body: hir.Block = [hir.Evaluate(ctx.line, value) for value in values]
    raised = ctx.raising("TypeError", abstract_message(decl), node.span)
    return hir.Let(t, [*body, *raised], hir.Cast(t, hir.Const(NEVER, None)))


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
    held: hir.Block = []
    if receiver is not None and decl.name == "__init__" and ctx.world.keeps_arguments:
        held, receiver = ctx.hold(receiver)
    node, arguments = exception_arguments(ctx, decl, node, receiver)
    node = thrown_argument(ctx, decl, node)
    described = described_result(ctx, decl, owner_args, node)
    given = match_arguments(ctx, decl, sig, node)
    called_on = node.func.value if isinstance(node.func, tree.Attribute) and receiver is not None else None
    taker, checked = check_arguments(ctx, decl, given, env, called_on)
    result = substitute(sig.result, env)
    if taker is not decl:
        instance, result = Instance(taker), signature(ctx.world, taker).result
    if expected is not None and decl.type_params and not isinstance(prune(result), Primitive):
        unify(result, expected)
        result = substitute(result, {})
    if receiver is not None and (decl.closure is not None or [item.param for item in given] != list(sig.params)):
        more, receiver = ctx.hold(receiver)
        held += more
    before, values = in_order(ctx, decl, sig, given, checked, env, receiver)
    before = [*held, *arguments, *before]
    args = values if receiver is None else [receiver, *values]
    if taker is decl:
        result = result_of(ctx, instance, env, node.span)
    made = ctx.call(instance, args, result, node.span, virtual=virtual)
    if described is not None:
        made = as_described(ctx, decl, made, described, node.span)
    return hir.Let(made.type, before, made) if before else made
