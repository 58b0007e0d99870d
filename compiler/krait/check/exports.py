"""What a program shows to its host, and what it asks of it: wrappers around functions whose values pass through memory.

In: the checked functions of the main module, the functions that stubs declare. Out: `hir.Export`s, the bodies of stubs'
functions, the interface. A function whose parameters and result are numbers and bools is exported as it is; for another
one a function is made that takes its arguments out of the buffer that the host has filled (all of them as one tuple),
and returns the address of its result. The raw import behind a stub's function is given the address of the arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from krait.check import hir
from krait.check.arguments import default_value
from krait.check.border import Interfaces, Uncrossable
from krait.check.context import Context
from krait.check.globals import prepare_global
from krait.check.loader import parse_library
from krait.check.mixing import is_either
from krait.check.names import Names
from krait.check.signatures import signature
from krait.check.tuples import MAX_LENGTH, field_name, tuple_type
from krait.check.types import (
    BOOL,
    FLOAT,
    INT,
    NEVER,
    NONE,
    U32,
    ClassDecl,
    ClassType,
    FunctionDecl,
    GlobalVar,
    Instance,
    Local,
    ModuleDecl,
    Parameter,
    Type,
    optional,
    prune,
    resolve,
)
from krait.check.types import Signature as Declared
from krait.check.world import Mixes, Refusal, World
from krait.diagnostics import Span
from krait.syntax import tree
from svm.module.interface import Interface, Kind, Signature, is_name
from svm.module.interface import Parameter as Shown

_BORDER = "krait.border"
_TEXT = "krait__text"
_RAISE = "if {text} is None:\n    raise {cls}()\nelse:\n    raise {cls}({text})\n"
"""What raises an exception of a stub's class with the text that the host's has."""


def find_exports(world: World, main: ModuleDecl, interfaces: Interfaces) -> list[hir.Export]:
    """Return the functions that a host can call: those marked with ``@export``, and public ones that take numbers."""
    found: list[hir.Export] = []
    for decl in list(main.symbols.values()):
        if not isinstance(decl, FunctionDecl) or decl.module is not main or decl.host is not None:
            continue
        if decl.exported is None and (decl.all_type_params or decl.name.startswith("_")):
            continue
        try:
            shown = shown_signature(world, decl, interfaces)
        except Uncrossable as error:
            if decl.exported is not None:
                message = f"`{decl.name}` cannot be exported: {error.why}"
                world.refuse(main, decl.exported, message, hints=(error.hint,))
            continue
        except Refusal:
            continue
        if not shown.plain and decl.exported is None and not _takes_numbers(world, decl):
            continue
        interfaces.functions.append(shown)
        instance = Instance(decl)
        with suppress(Refusal):  # it has been reported
            found.append(hir.Export(decl.name, instance if shown.plain else _wrapper(world, instance)))
    return found


def _takes_numbers(world: World, decl: FunctionDecl) -> bool:
    """Return whether a function would take and give numbers alone if its floats were not ints as well."""
    sig = signature(world, decl)
    types = [prune(t) for t in (*(param.type for param in sig.params), sig.result)]
    return world.mixes is Mixes.ALL and all(t in (INT, FLOAT, BOOL, NONE) or is_either(t) for t in types)


def shown_signature(world: World, decl: FunctionDecl, interfaces: Interfaces) -> Signature:
    """Return a function as the interface shows it. Raises Uncrossable, Refusal."""
    if decl.all_type_params:
        raise Uncrossable("it is generic", "name the types: `list[int]`, not `Sequence[int]` or `*args`")
    sig = signature(world, decl)
    if not is_name(decl.name) or decl.name in ("memory", "_start"):
        raise Uncrossable("its name means something else to hosts", "give it another name")
    if len(sig.params) > MAX_LENGTH:
        raise Uncrossable(f"it has more than {MAX_LENGTH} parameters", "pass an object of a dataclass")
    params = tuple(_shown(param, interfaces) for param in sig.params)
    if prune(sig.result) is NEVER:
        raise Uncrossable("it never returns", "declare the result as None")
    return Signature(decl.name, params, interfaces.rich(sig.result), decl.module.name if decl.module.stub else None)


def _shown(param: Parameter, interfaces: Interfaces) -> Shown:
    try:
        rich = interfaces.rich(param.type)
    except Uncrossable as error:
        raise Uncrossable(f"{error.why} (the parameter `{param.name}`)", error.hint) from None
    if not is_name(param.name):
        raise Uncrossable(f"the parameter `{param.name}` cannot be named", "give it another name")
    kind = Kind.KEYWORD if param.keyword_only else Kind.POSITIONAL if param.positional_only else Kind.EITHER
    return Shown(param.name, rich, None if param.default is None else interfaces.default_text(param.default), kind)


def needed_interface(world: World, functions: Iterable[Instance], interfaces: Interfaces) -> Interface:
    """Return the interface, with those of the stubs' functions that the program reaches."""
    for instance in functions:
        if is_stub(instance.decl):
            interfaces.functions.append(shown_signature(world, instance.decl, interfaces))
    return interfaces.interface()


# --- exported functions ----------------------------------------------------------------------------------------------


def _wrapper(world: World, callee: Instance) -> Instance:
    """Make the function that calls ``callee`` for the host, and return it."""
    decl = callee.decl
    sig = signature(world, decl)
    nothing = prune(sig.result) is NONE
    made = FunctionDecl(decl.name, decl.module, decl.node, signature=Declared((), NONE if nothing else U32))
    instance = Instance(made)
    function = hir.Function(instance, f"{decl.name} (call)", decl.module, [], NONE if nothing else U32, 0)
    world.functions[instance] = function
    ctx = Context(world, instance, function, Names())
    span = heading(decl)
    with ctx.collect() as body:
        result = ctx.call(callee, _arguments(ctx, sig, span), sig.result, span)
        if nothing:
            ctx.emit(hir.Evaluate(0, result))
        else:
            held, kept = ctx.hold(result)
            ctx.out += held
            _hand_out(ctx, [kept], span)
            ctx.emit(hir.Return(0, ctx.library(_BORDER, "finish", [], U32, span)))
    function.body = body
    return instance


def watched(world: World, export: hir.Export) -> hir.Export:
    """Return an export whose calls end with an error if a generator stands where its end would do something."""
    callee = export.function
    decl, sig = callee.decl, signature(world, callee.decl)
    instance = Instance(FunctionDecl(decl.name, decl.module, decl.node, signature=sig))
    function = hir.Function(instance, f"{decl.name} (call)", decl.module, [], sig.result, 0)
    function.params += [Local(param.name, param.type) for param in sig.params]
    world.functions[instance] = function
    ctx = Context(world, instance, function, Names())
    span = heading(decl)
    with ctx.collect() as body:
        given: list[hir.Expr] = [hir.LocalGet(param.type, param) for param in function.params if param.type is not None]
        result = ctx.call(callee, given, sig.result, span)
        kept: hir.Expr | None = None
        if prune(sig.result) in (NONE, NEVER):
            ctx.emit(hir.Evaluate(0, result))
        else:
            held, kept = ctx.hold(result)
            ctx.out += held
        nothing = hir.Const(optional(world.library_class("BaseException")), None)
        ctx.emit(hir.Evaluate(0, ctx.library("krait.iterator", "refuse_standing", [nothing], NONE, span)))
        ctx.emit(hir.Return(0, kept))
    function.body = body
    return hir.Export(export.name, instance)


def heading(decl: FunctionDecl) -> Span:
    """Return the span of ``def name``."""
    start = decl.node.span
    return Span(start.start_line, start.start_col, start.start_line, start.start_col + len("def ") + len(decl.name))


def _arguments(ctx: Context, sig: Declared, span: Span) -> list[hir.Expr]:
    """Return the arguments that the host has put into the buffer."""
    if not sig.params:
        return []
    given = ctx.world.library_symbol(_BORDER, "Given")
    assert isinstance(given, ClassDecl)
    types: list[Type] = [
        resolve(param.type) if param.default is None else ClassType(given, (resolve(param.type),))
        for param in sig.params
    ]
    all_types = tuple_type(ctx.world, tuple(types))
    held, kept = ctx.hold(ctx.library(_BORDER, "arguments", [], all_types, span, all_types))
    ctx.out += held
    values: list[hir.Expr] = []
    for at, (param, t) in enumerate(zip(sig.params, types, strict=True)):
        item: hir.Expr = hir.FieldGet(t, kept, field_name(at))
        if param.default is not None:
            there = hir.FieldGet(BOOL, item, "given")
            value = hir.FieldGet(resolve(param.type), item, "value")
            item = hir.Conditional(value.type, there, value, default_value(ctx, param))
        values.append(item)
    return values


def _hand_out(ctx: Context, values: Iterable[hir.Expr], span: Span) -> None:
    """Emit what writes values into the buffer for the host."""
    ctx.emit(hir.Evaluate(0, ctx.library(_BORDER, "begin", [], NONE, span)))
    for value in values:
        t = resolve(value.type)
        ctx.emit(hir.Evaluate(0, ctx.library(_BORDER, "put", [value], NONE, span, t)))


# --- functions of the host -------------------------------------------------------------------------------------------


def is_stub(decl: FunctionDecl) -> bool:
    """Return whether a function is one that a stub declares, for the host to give."""
    return decl.module.stub and decl.owner is None and decl.host is None and decl is not decl.module.init


def check_stub(ctx: Context) -> None:
    """Make the body of a function that a stub declares; its parameters are locals already."""
    decl, function, world = ctx.instance.decl, ctx.function, ctx.world
    span = heading(decl)
    sig = signature(world, decl)
    for node in decl.node.body:
        if not isinstance(node, tree.Pass | tree.Expr) or not isinstance(getattr(node, "value", None), tree.Constant):
            raise ctx.refuse(node.span, "a stub has no code", "write `...`: the host gives the function")
    for param in sig.params:
        if isinstance(param.default, tree.Constant) and param.default.value is ...:
            raise ctx.refuse(param.default.span, f"the default of `{param.name}` is not known", "write its value")
    try:
        shown_signature(world, decl, Interfaces(world))
    except Uncrossable as error:
        raise ctx.refuse(span, f"`{decl.name}` cannot be a function of the host: {error.why}", error.hint) from None
    raw = FunctionDecl(decl.name, decl.module, decl.node, host=(decl.module.name, decl.name))
    raw.signature = Declared((Parameter("values", U32, None, False, True, span),), U32)
    result = resolve(function.result)
    with ctx.collect() as body:
        _hand_out(ctx, [hir.LocalGet(resolve(local.type), local) for local in function.params if local.type], span)
        status = ctx.call(Instance(raw), [ctx.library(_BORDER, "finish", [], U32, span)], U32, span)
        ctx.emit(hir.If(0, hir.Op(BOOL, "i32.ne", [status, hir.Const(U32, 0)]), _failing(ctx, span), []))
        if result is not NONE:
            ctx.emit(hir.Return(0, ctx.library(_BORDER, "arguments", [], result, span, result)))
    function.body = body


def _failing(ctx: Context, span: Span) -> hir.Block:
    """Return what raises an exception of the host: of a class that the stub declares, else of one of the library's."""
    world = ctx.world
    failure = world.library_symbol(_BORDER, "Failure")
    assert isinstance(failure, ClassDecl)
    classes = [item for item in ctx.module.symbols.values() if isinstance(item, ClassDecl)]
    declared = [item for item in classes if world.is_exception(item)]
    before = ctx.flow
    with ctx.collect() as body:
        held, failed = ctx.hold(ctx.library(_BORDER, "failure", [], ClassType(failure), span))
        ctx.out += held
        for cls in sorted(declared, key=lambda item: -len(list(item.mro()))):
            name = hir.Text(world.str_type, cls.name)
            test = ctx.library(_BORDER, "is_named", [failed, name], BOOL, span)
            text = Local(_TEXT, optional(world.str_type), stable=True)
            ctx.function.locals.append(text)
            ctx.scope[text.name], ctx.flow = text, before.bind(text)
            taken = hir.Assign(0, text, ctx.library(_BORDER, "text_as", [failed, name], optional(world.str_type), span))
            raising = parse_library(_RAISE.format(cls=cls.name, text=_TEXT), "<stub>").body
            for part in (part for node in raising for part in tree.walk(node)):
                part.span = span  # type: ignore[misc]  # nodes are frozen for type checkers alone
            ctx.emit(hir.If(0, test, [taken, *ctx.block(raising)], []))
            ctx.flow = before
        ctx.emit(hir.Evaluate(0, ctx.library(_BORDER, "raise_failure", [failed], NONE, span)))
    return body


def host_buffer(world: World) -> hir.Buffer:
    """Return what the host writes values into."""
    places: list[GlobalVar] = []
    for name in ("_in", "_in_size"):
        symbol = world.library_symbol(_BORDER, name)
        assert isinstance(symbol, GlobalVar)
        prepare_global(world, symbol)
        places.append(symbol)
    return hir.Buffer(world.library_function(_BORDER, "room"), *places)
