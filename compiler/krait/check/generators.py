"""Generator functions and generator expressions.

In: `yield` statements, the typed tree of a body that has them. Out: two functions: one that makes the generator's
object, an `Iterator`, and one that runs the body up to the next item (`machine`).
"""

from __future__ import annotations

from krait.check import hir
from krait.check.coerce import adapt, coerce, is_none, require
from krait.check.context import Context, expression
from krait.check.invoke import find_method, invoke
from krait.check.iteration import for_each
from krait.check.machine import build
from krait.check.promoted import note_mixed
from krait.check.signatures import declared_fields, field_type, returned_value
from krait.check.throwing import (
    guards,
    hand_on_thrown,
    is_generator,
    is_iterator,
    is_managed,
    made_yield,
    refuse_own_close,
)
from krait.check.types import (
    BOOL,
    INT,
    NONE,
    U32,
    ClassDecl,
    ClassType,
    FunctionDecl,
    Infer,
    Instance,
    Local,
    Optional,
    Type,
    base_of,
    optional,
    prune,
)
from krait.check.unification import unify
from krait.check.world import Refusal, World
from krait.diagnostics import Span
from krait.syntax import tree

_ITEM = "$item"
_GENERATOR = "krait.generator"


def iterator_type(world: World, item: Type) -> ClassType:
    """Return the type ``Iterator[item]``."""
    decl = world.library_symbol("krait.iterator", "Iterator")
    assert isinstance(decl, ClassDecl)
    return ClassType(decl, (item,))


def generator_type(world: World, item: Type, result: Type) -> ClassType:
    """Return the type of a generator that returns a value, and says of nothing that it is sent."""
    decl = world.library_symbol(_GENERATOR, "Generator")
    assert isinstance(decl, ClassDecl)
    return ClassType(decl, (item, optional(INT), result))


def begin(ctx: Context, heading: Span) -> None:
    """Prepare the check of the body of a generator function: what its heading promises is what it yields."""
    result = prune(ctx.function.result)
    if isinstance(result, Infer):
        returns = returned_value(ctx.function.instance.decl.node) is not None
        found = generator_type(ctx.world, Infer(), Infer()) if returns else iterator_type(ctx.world, Infer())
        unify(result, found)
        result = found
    takes = is_sent(result)
    if not isinstance(result, ClassType) or not (takes or result.decl is iterator_type(ctx.world, NONE).decl):
        raise ctx.refuse(
            heading,
            f"a function with `yield` returns an iterator, not `{result}`",
            "write `-> Iterator[int]:`, for example",
        )
    ctx.yields = result.args[0]
    base = result.decl
    if is_managed(ctx.function):
        managed = ctx.world.library_symbol("krait.iterator", "Managed")
        assert isinstance(managed, ClassDecl)
        base = managed
    decl = ctx.function.instance.decl
    shape = tree.ClassDef("generator", (), (), (), (), (), decl.node.span)
    own = ClassDecl("generator", decl.module, shape, base=base, base_args=result.args)
    ctx.generator = Local("$generator", ClassType(own))
    ctx.function.result = result.args[2] if takes else NONE


def finish(ctx: Context) -> None:
    """Turn the checked body of a generator function into the two functions that it becomes."""
    assert ctx.yields is not None and ctx.generator is not None
    function, world, own = ctx.function, ctx.world, ctx.generator
    decl = function.instance.decl
    cls = own.type
    assert isinstance(cls, ClassType)
    base = base_of(cls)
    assert base is not None
    result = base if is_sent(cls) else iterator_type(world, ctx.yields)
    takes = is_generator(function) and (world.throws or is_managed(function))
    thrown = field_type(world, base, "_thrown") if takes else None
    made: list[Local] = [own]
    machine = build(function.body, function.params, cls, made, thrown, guards(ctx))
    fields = dict(declared_fields(world, base))
    fields["_current"] = ctx.yields
    fields.update((name, local.type) for local, name in machine.kept.items() if local.type is not None)
    world.field_types[cls] = fields
    resumed = FunctionDecl(decl.name, decl.module, decl.node, None, "nested", closure=cls.decl)
    resume = hir.Function(Instance(resumed), function.name, function.module, [own], BOOL, function.line, machine.body)
    resume.locals = [*function.params, *function.locals, *made[1:]]
    resume.callees = [*function.callees]
    function.nested.append(resume)
    _make_object(function, resume.instance, cls, result, machine.kept)
    if takes and world.throws:
        mark = hir.FieldSet(0, hir.LocalGet(cls, function.locals[0]), "_is_generator", hir.Const(BOOL, True))
        function.body.insert(1, mark)


def _make_object(
    function: hir.Function, resume: Instance, cls: ClassType, result: ClassType, kept: dict[Local, str]
) -> None:
    """Give a generator function the body that makes its object."""
    params = [Local(local.name, local.type) for local in function.params]
    local = Local("$", cls)
    target = hir.LocalGet(cls, local)
    body: hir.Block = [
        hir.Assign(function.line, local, hir.New(cls, None, function.line)),
        hir.FieldSet(0, target, "code", hir.FunctionIndex(U32, resume)),
    ]
    for given, old in zip(params, function.params, strict=True):
        if old in kept and given.type is not None:
            body.append(hir.FieldSet(0, target, kept[old], hir.LocalGet(given.type, given)))
    body.append(hir.Return(0, hir.Cast(result, target)))
    function.params[:], function.locals[:], function.body[:] = params, [local], body
    function.callees[:] = [(resume, function.instance.decl.node.span)]
    function.result = result


# --- yield ---------------------------------------------------------------------------------------------------------


def is_sent(cls: Type | None) -> bool:
    """Return whether a generator is sent values, or returns one: what its object is of, or what makes it."""
    t = prune(cls) if cls is not None else None
    decl = t.decl if isinstance(t, ClassType) else None
    return decl is not None and any(part.module.name == _GENERATOR for part in decl.mro())


def give_result(ctx: Context, value: hir.Expr, line: int) -> None:
    """Emit that a generator keeps its result, for whoever asks it next."""
    assert ctx.generator is not None and ctx.generator.type is not None
    own = hir.LocalGet(ctx.generator.type, ctx.generator)
    kept = optional(ctx.function.result)
    adapted = adapt(ctx, value, kept)
    assert adapted is not None
    ctx.emit(hir.FieldSet(line, own, "_returned", adapted))


@expression(tree.Yield, tree.YieldFrom)
def yield_value(ctx: Context, node: tree.Yield | tree.YieldFrom, expected: Type | None) -> hir.Expr:
    """``x = yield value`` and ``x = yield from generator``: the value, when the generator goes on."""
    if ctx.at_once is not node:
        raise ctx.later(node.span, "the value of `yield` within an expression", "assign it to a variable first")
    if isinstance(node, tree.YieldFrom):
        return _value_of_delegation(ctx, node)
    yield_statement(ctx, node)
    if ctx.generator is None or not is_sent(ctx.generator.type):
        hint = "say what is sent: `Generator[int, str, None]`"
        raise ctx.refuse(node.span, "the value of `yield` in a generator that is sent nothing", hint)
    kept, wanted = _sent(ctx)
    value = hir.LocalGet(optional(wanted), kept)
    if isinstance(prune(wanted), Optional):
        return value
    return require(ctx, value, "TypeError", f"a generator that is sent `{wanted}` goes on without a value", node.span)


def _sent(ctx: Context) -> tuple[Local, Type]:
    """Emit that what has been sent is taken; return the variable that has it then, and the type that was promised."""
    assert ctx.generator is not None and isinstance(ctx.generator.type, ClassType)
    wanted = ctx.generator.type.decl.base_args[1]
    own = hir.LocalGet(ctx.generator.type, ctx.generator)
    kept = ctx.temp(optional(wanted))
    ctx.emit(hir.Assign(ctx.line, kept, hir.FieldGet(optional(wanted), own, "_sent")))
    ctx.emit(hir.FieldSet(ctx.line, own, "_sent", hir.Const(optional(wanted), None)))
    return kept, wanted


def _value_of_delegation(ctx: Context, node: tree.YieldFrom) -> hir.Expr:
    """Go through a generator, handing on what is sent; its result is the value."""
    _check_place(ctx, node)
    inner = _iterator(ctx, node.value)
    t = prune(inner.type)
    if not isinstance(t, ClassType) or not is_sent(t):
        raise ctx.refuse(node.value.span, "the value of `yield from` needs a `Generator[Y, S, R]`")
    kept = _delegation(ctx, node, inner)
    result = hir.FieldGet(optional(t.args[2]), kept, "_returned")
    if isinstance(prune(t.args[2]), Optional):
        return result
    return require(ctx, result, "TypeError", "this generator has ended before", node.span)


def _delegation(ctx: Context, node: tree.YieldFrom, inner: hir.Expr) -> hir.Expr:
    """Go through a generator, handing on what is sent and thrown; return it."""
    t = inner.type
    source = Local("$source", t, stable=True, span=node.span)
    ctx.function.locals.append(source)
    ctx.emit(hir.Assign(ctx.line, source, inner))
    kept = hir.LocalGet(t, source)
    with ctx.naming(source):
        _yield_from(ctx, tree.YieldFrom(tree.Name(source.name, tree.LOAD, node.value.span), node.span), kept)
    return kept


def _hand_on(ctx: Context, inner: hir.Expr | None, span: Span) -> None:
    """Emit that what is sent to a generator goes to the one that it goes through, if that can be sent anything."""
    sent, wanted = _sent(ctx)
    value = hir.LocalGet(optional(wanted), sent)
    t = prune(inner.type) if inner is not None else None
    if inner is not None and is_sent(t) and isinstance(t, ClassType) and optional(t.args[1]) == optional(wanted):
        ctx.emit(hir.FieldSet(ctx.line, inner, "_sent", value))
        return
    failed = ctx.raising("AttributeError", "'iterator' object has no attribute 'send'", span)
    ctx.emit(hir.If(ctx.line, is_none(value), [], failed))


def yield_statement(ctx: Context, node: tree.Yield | tree.YieldFrom, *, delegates: bool = False) -> None:
    """``yield value`` and ``yield from items``, as statements.  delegates: the value is another generator's."""
    _check_place(ctx, node)
    assert ctx.yields is not None
    if isinstance(node, tree.YieldFrom):
        with ctx.world.silence(), ctx.collect():
            inner = _type_of(ctx, node.value)
        if is_sent(inner):
            ctx.emit(hir.Evaluate(ctx.line, _value_of_delegation(ctx, node)))
        elif ctx.world.throws and is_iterator(inner):
            _delegation(ctx, node, _iterator(ctx, node.value))
        else:
            refuse_own_close(ctx, inner, node.value.span)
            _yield_from(ctx, node, None)
        return
    value = hir.Const(NONE, None) if node.value is None else ctx.expr(node.value, ctx.yields)
    if ctx.results is not None:
        ctx.results.append(value.type)
        return
    where = node.span if node.value is None else node.value.span
    note_mixed(ctx, ctx.yields, value.type)
    ctx.emit(made_yield(ctx, coerce(ctx, value, ctx.yields, where), node.span, delegates=delegates))


def _type_of(ctx: Context, node: tree.expr) -> Type | None:
    if not isinstance(node, tree.Call | tree.Name | tree.Attribute | tree.Subscript | tree.IfExp):
        return None
    try:
        return _iterator(ctx, node).type
    except Refusal:
        return None


def _iterator(ctx: Context, node: tree.expr) -> hir.Expr:
    """Return what ``yield from`` goes through: what `__iter__` of a program's object gives, else the value itself."""
    value = ctx.expr(node)
    found = find_method(ctx, value.type, "__iter__") if isinstance(prune(value.type), ClassType) else None
    gives = found is not None and not found[0].module.library
    return invoke(ctx, value, "__iter__", [], node.span) if gives else value


def _yield_from(ctx: Context, node: tree.YieldFrom, inner: hir.Expr | None) -> None:
    """Go through something.  inner: the generator that it is, if that is told what is sent and thrown."""
    item = Local(_ITEM, span=node.span)
    ctx.function.locals.append(item)
    read = tree.Yield(tree.Name(_ITEM, tree.LOAD, node.value.span), node.span)

    def each() -> None:
        throws = inner is not None and ctx.world.throws
        yield_statement(ctx, read, delegates=throws)
        if inner is not None and throws and ctx.results is None:
            hand_on_thrown(ctx, inner, node.value.span)
        if ctx.results is None and ctx.generator is not None and is_sent(ctx.generator.type):
            _hand_on(ctx, inner, node.span)

    with ctx.naming(item):
        for_each(ctx, tree.Name(_ITEM, tree.STORE, node.value.span), node.value, each, (), ())


def _check_place(ctx: Context, node: tree.expr) -> None:
    if ctx.yields is None:
        raise ctx.refuse(node.span, "`yield` outside a function")
