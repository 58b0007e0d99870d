"""`raise`, `try`, `except`, `else`, `finally`.

In: syntax. Out: `hir.Handle` and what surrounds it. A handler is a chain of instance tests that ends in raising the
exception again. `finally` is emitted once: every way out of its `try` (falling through, an exception, ``return``,
``break``, ``continue``) notes where it leads, the clause runs, and then goes there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from krait.check import hir
from krait.check.classes import class_named
from krait.check.coerce import adapt, coerce
from krait.check.context import Context, Finally, statement
from krait.check.flow import Flow, join
from krait.check.names import scan
from krait.check.relations import class_meant
from krait.check.scopes import find
from krait.check.spread import kept_value
from krait.check.types import (
    BOOL,
    INT,
    NONE,
    ClassDecl,
    ClassType,
    FunctionDecl,
    Instance,
    Local,
    Optional,
    Type,
    Union,
    optional,
    prune,
)
from krait.check.vocabulary import LIBRARY
from krait.check.world import Refusal
from krait.diagnostics import Span
from krait.syntax import tree

_RAISED = -1


# --- raise ---------------------------------------------------------------------------------------------------------


@statement(tree.Raise)
def raise_(ctx: Context, node: tree.Raise) -> None:
    """``raise X("text")``, ``raise X``, ``raise``."""
    line = node.span.start_line
    if node.exc is None:
        if not ctx.caught:
            raise ctx.refuse(node.span, "`raise` alone stands in an `except` clause", "name the exception")
        caught = ctx.caught[-1]
        ctx.emit(hir.Raise(line, hir.LocalGet(_type_of(caught), caught)))
        ctx.flow = ctx.flow.stop()
        return
    exc = node.exc
    if isinstance(exc, tree.Name) and exc.id not in ctx.scope:
        if isinstance(ctx.lookup(exc.id), ClassDecl):
            exc = tree.Call(exc, (), (), exc.span)
    value = ctx.expr(exc)
    if class_meant(value.type) is not None:
        value = ctx.expr(tree.Call(kept_value(ctx, value, exc), (), (), exc.span))
    t = prune(value.type)
    if not isinstance(t, ClassType) or not ctx.world.is_exception(t.decl):
        raise ctx.refuse(
            exc.span,
            f"expected an exception, found `{t}`",
            'write `raise ValueError("…")`, for example',
            label="exceptions derive from BaseException",
        )
    if node.cause is not None:
        value = _with_cause(ctx, value, node.cause)
    ctx.emit(hir.Raise(line, value))
    ctx.flow = ctx.flow.stop()


def _with_cause(ctx: Context, value: hir.Expr, node: tree.expr) -> hir.Expr:
    """Return the exception of ``raise value from node``, which then knows its cause."""
    base = ctx.world.library_class("BaseException")
    held, kept = ctx.hold(value)
    for part in held:
        ctx.emit(part)
    if isinstance(node, tree.Name) and node.id not in ctx.scope and isinstance(ctx.lookup(node.id), ClassDecl):
        node = tree.Call(node, (), (), node.span)
    cause = coerce(ctx, ctx.expr(node), optional(base), node.span)
    ctx.emit(hir.FieldSet(ctx.line, hir.Cast(base, kept), "cause", cause))
    return kept


def refuse_error_numbers(ctx: Context, decl: ClassDecl, init: FunctionDecl, node: tree.Call) -> None:
    """Refuse an ``OSError`` of several arguments, whose first CPython takes for an error number that has a text."""
    if len(node.args) > 1 and init.owner is not None and init.owner.module.library:
        if any(base.name == "OSError" for base in decl.mro()):
            raise ctx.later(node.span, f"`{decl.name}` with several arguments", "give it one text")


def exception_arguments(
    ctx: Context, decl: FunctionDecl, node: tree.Call, made: hir.Expr | None
) -> tuple[tree.Call, hir.Block]:
    """Return the call of the ``__init__`` of a built-in exception with its arguments as texts, evaluated here, and what
    gives them to the new exception as they are, in a program that asks for them.
    """
    owner = decl.owner
    is_own = decl.name == "__init__" and owner is not None and owner.module.library and ctx.world.is_exception(owner)
    if not is_own or owner is None or not node.args or node.keywords or ctx.module.library:
        return node, []
    span = node.span
    several = len(node.args) > 1
    value = ctx.expr(tree.Tuple(node.args, tree.LOAD, span) if several else node.args[0])
    if prune(value.type) is NONE:
        ctx.emit(hir.Evaluate(ctx.line, value))
        text = tree.Constant("None", span)
        call = tree.Call(node.func, (text, tree.Constant("(None)", span)), (), span)
        return call, _kept(ctx, made, tree.Tuple((tree.Constant(None, span),), tree.LOAD, span))
    name = kept_value(ctx, value, node)
    t = prune(value.type)
    ends = owner.name == "StopIteration"
    if t == ctx.world.str_type:
        nothing = tree.Constant(None, span)
        return tree.Call(node.func, (name, nothing, name) if ends else (name,), (), span), []
    shown = tree.FormattedValue(name, ord("r"), None, span)
    if several:
        call = tree.Call(node.func, (tree.JoinedStr((shown,), span),) * 2, (), span)
        return call, _kept(ctx, made, name)
    parts = (tree.Constant("(", span), shown, tree.Constant(")", span))
    given: tuple[tree.expr, ...] = (tree.JoinedStr((tree.FormattedValue(name, ord("s"), None, span),), span),
                                    tree.JoinedStr(parts, span))  # fmt: skip
    if owner.name == "SystemExit" and t is BOOL:
        given = (*given, tree.Call(tree.Name(f"{LIBRARY}int", tree.LOAD, span), (name,), (), span))
    elif owner.name == "SystemExit" and isinstance(t, Optional | Union):
        status = tree.Name(f"{LIBRARY}krait.exceptions.status_of", tree.LOAD, span)
        given = (*given, tree.Call(status, (name,), (), span))
    elif (owner.name == "SystemExit" and t is INT) or ends:
        given = (*given, name)
    return tree.Call(node.func, given, (), span), _kept(ctx, made, tree.Tuple((name,), tree.LOAD, span))


def _kept(ctx: Context, made: hir.Expr | None, arguments: tree.expr) -> hir.Block:
    """Return what gives a new exception its arguments, if the program asks for some and these can be objects."""
    ctx.world.gives_arguments = True
    if made is None or not ctx.world.keeps_arguments:
        return []
    base = ctx.world.library_class("BaseException")
    values = adapt(ctx, ctx.expr(arguments), optional(ctx.world.vector_type(optional(ctx.world.anything))))
    return [hir.FieldSet(ctx.line, hir.Cast(base, made), "values", values)] if values is not None else []


def keeps_arguments(ctx: Context, decl: ClassDecl, init: FunctionDecl) -> bool:
    """Return whether an exception has the arguments that its class is called with: ``__init__`` gives it no other."""
    if decl.module.library or init.module.library or not ctx.world.is_exception(decl):
        return False
    for node in init.node.body:
        match node:
            case tree.Expr(value=tree.Call(func=tree.Attribute(attr="__init__"))):
                return False
            case _:
                pass
    return True


def argument_keeping(
    ctx: Context, init: FunctionDecl, node: tree.Call, made: hir.Expr
) -> tuple[tree.Call, hir.Block]:
    """Return the call with its arguments in variables, and what gives them to the new exception."""
    names: list[tree.expr] = []
    for arg in node.args:
        if isinstance(arg, tree.Constant):
            names.append(arg)
            continue
        names.append(kept_value(ctx, ctx.expr(arg), arg))
    kept = tree.Call(node.func, tuple(names), (), node.span)
    base = ctx.world.library_class("BaseException")
    own = base.decl.methods["__init__"]
    given, before = exception_arguments(ctx, own, kept, made)
    text = optional(ctx.world.str_type)
    values = [coerce(ctx, ctx.expr(arg), text, arg.span) for arg in given.args]
    values += [hir.Const(text, None)] * (2 - len(values))
    call = ctx.call(Instance(own), [hir.Cast(base, made), *values], NONE, node.span)
    return tree.Call(node.func, tuple(names), node.keywords, node.span), [*before, hir.Evaluate(ctx.line, call)]


# --- try … except … else -------------------------------------------------------------------------------------------


@statement(tree.Try)
def try_(ctx: Context, node: tree.Try) -> None:
    """``try``."""
    if node.finalbody:
        _with_finally(ctx, node)
    else:
        _with_handlers(ctx, node)


@statement(tree.TryStar)
def try_star(ctx: Context, node: tree.TryStar) -> None:
    """``try`` with ``except*``."""
    span = node.span
    raise ctx.later(
        Span(span.start_line, span.start_col, span.start_line, span.start_col + 3), "`except*`", "write `except`"
    )


def _with_handlers(ctx: Context, node: tree.Try) -> None:
    line = node.span.start_line
    before = _anywhere_in(ctx.flow, ctx, node.body)
    acts = _acts_on_close(ctx, node.handlers)
    ctx.closings += acts
    body = ctx.block(node.body)
    ctx.closings -= acts
    completed: Local | None = None
    orelse: hir.Block = []
    if node.orelse:
        completed = ctx.temp(BOOL)
        ctx.emit(hir.Assign(line, completed, hir.Const(BOOL, False)))
        body.append(hir.Assign(0, completed, hir.Const(BOOL, True)))
        orelse = ctx.block(node.orelse)
    ends = [ctx.flow]
    caught = ctx.temp(ctx.world.library_class("BaseException"))
    handler: hir.Block = [hir.Raise(0, hir.LocalGet(_type_of(caught), caught))]
    chain: list[tuple[hir.Expr | None, hir.Block]] = []
    for clause in node.handlers:
        ctx.flow = before
        chain.append((_clause_test(ctx, clause, caught), _clause_body(ctx, clause, caught)))
        ends.append(ctx.flow)
    for test, block in reversed(chain):
        handler = block if test is None else [hir.If(0, test, block, handler)]
    ctx.emit(hir.Handle(line, body, caught, handler))
    if completed is not None:
        ctx.emit(hir.If(0, hir.LocalGet(BOOL, completed), orelse, []))
    ctx.flow = join(*ends)


def _acts_on_close(ctx: Context, clauses: Sequence[tree.ExceptHandler]) -> bool:
    """Return whether the clauses of a ``try`` do more with a GeneratorExit than to let the generator end."""
    closing = ctx.world.library_class("GeneratorExit").decl
    for clause in clauses if ctx.yields is not None else ():
        with ctx.world.silence(), suppress(Refusal):
            classes = _clause_classes(ctx, clause)
            if not classes or any(closing.is_subclass(cls.decl) for cls in classes):
                return not _only_ends(clause.body)
    return False


def _only_ends(body: Sequence[tree.stmt]) -> bool:
    match body:
        case (tree.Raise(exc=None),) | (tree.Return(value=None | tree.Constant()),):
            return True
        case _:
            return False


def _anywhere_in(entry: Flow, ctx: Context, body: Sequence[tree.AST]) -> Flow:
    """What is known wherever in ``body`` an exception may arise."""
    names = scan(body)
    variables = [variable for name in names.assigned if (variable := ctx.variable(name)) is not None]
    return entry.without(variables, names.fields)


def _clause_classes(ctx: Context, clause: tree.ExceptHandler) -> list[ClassType]:
    """Return the classes that a clause names, none for a bare ``except:``."""
    if clause.type is None:
        return []
    nodes = clause.type.elts if isinstance(clause.type, tree.Tuple) else (clause.type,)
    classes = []
    for node in nodes:
        if isinstance(node, tree.Name) and node.id not in ctx.scope:
            find(ctx, node)
        cls = class_named(ctx, node)
        if cls is None or not ctx.world.is_exception(cls.decl):
            raise ctx.refuse(node.span, "`except` needs the names of exception classes",
                             "write `except ValueError:`, for example")  # fmt: skip
        classes.append(cls)
    return classes


def _clause_test(ctx: Context, clause: tree.ExceptHandler, caught: Local) -> hir.Expr | None:
    """Return the test whether a clause takes the exception, None if it takes all."""
    try:
        classes = _clause_classes(ctx, clause)
    except Refusal:
        return hir.Const(BOOL, False)
    result: hir.Expr | None = None
    for cls in classes:
        test = hir.IsInstance(BOOL, hir.LocalGet(_type_of(caught), caught), cls)
        result = test if result is None else hir.Conditional(BOOL, result, hir.Const(BOOL, True), test)
    return result


def _clause_body(ctx: Context, clause: tree.ExceptHandler, caught: Local) -> hir.Block:
    """Check the body of a clause; the name it gives the exception is known in it alone, as in CPython."""
    before: hir.Block = []
    named: list[Local] = []
    if clause.name is not None:
        t = _named_type(ctx, clause)
        named = [Local(clause.name, t, span=clause.span)]
        ctx.function.locals += named
        before = [hir.Assign(clause.span.start_line, named[0], hir.Cast(t, hir.LocalGet(_type_of(caught), caught)))]
    ctx.caught.append(caught)
    try:
        with ctx.naming(*named):
            return [*before, *ctx.block(clause.body)]
    finally:
        ctx.caught.pop()


def _named_type(ctx: Context, clause: tree.ExceptHandler) -> ClassType:
    """Return the class that all the exceptions a clause takes derive from."""
    base = ctx.world.library_class("BaseException")
    with ctx.world.silence():  # the test has reported what is wrong with the classes
        try:
            classes = _clause_classes(ctx, clause)
        except Refusal:
            return base
    for decl in classes[0].decl.mro() if classes else ():
        if all(cls.decl.is_subclass(decl) for cls in classes):
            return ClassType(decl)
    return base


# --- finally -------------------------------------------------------------------------------------------------------


def _with_finally(ctx: Context, node: tree.Try) -> None:
    line = node.span.start_line
    entry = _anywhere_in(ctx.flow, ctx, (*node.body, *node.orelse, *node.handlers))
    frame = Finally(hir.LoopLabel(), ctx.temp(INT), len(ctx.loops))
    ctx.finals.append(frame)
    try:
        if node.handlers:
            with ctx.collect() as body:
                _with_handlers(ctx, tree.Try(node.body, node.handlers, node.orelse, (), node.span))
        else:
            body = ctx.block((*node.body, *node.orelse))
    finally:
        ctx.finals.pop()
    normal = ctx.flow
    caught = ctx.temp(ctx.world.library_class("BaseException"))
    note = hir.Assign(0, frame.action, hir.Const(INT, _RAISED))
    once = [hir.Handle(line, body, caught, [note]), hir.Break(0, frame.label)]
    ctx.emit(hir.Assign(line, frame.action, hir.Const(INT, 0)))
    ctx.emit(hir.While(0, frame.label, None, list[hir.Stmt](once), []))
    ctx.flow = join(normal, entry)
    known = ctx.flow.bound
    for part in ctx.block(node.finalbody):
        ctx.emit(part)
    after = ctx.flow
    _go_on(ctx, frame, caught, line)
    changed = _anywhere_in(normal, ctx, node.finalbody)
    ctx.flow = (
        Flow(normal.reachable, normal.bound | (after.bound - known), changed.narrowed) if after.reachable else after
    )


def _go_on(ctx: Context, frame: Finally, caught: Local, line: int) -> None:
    """Emit what comes after ``finally``: where the way out of the ``try`` led."""
    action = hir.LocalGet(INT, frame.action)

    def chosen(code: int) -> hir.Expr:
        return hir.Op(BOOL, "i64.eq", [action, hir.Const(INT, code)])

    again = hir.Raise(0, hir.LocalGet(_type_of(caught), caught))
    ctx.emit(hir.If(0, chosen(_RAISED), [again], []))
    for kind, code in frame.used.items():
        with ctx.collect() as block:
            value = (
                hir.LocalGet(_type_of(frame.value), frame.value)
                if kind == "return" and frame.value is not None
                else None
            )
            leave(ctx, kind, line, value)
        ctx.emit(hir.If(0, chosen(code), block, []))


def leave(ctx: Context, kind: str, line: int, value: hir.Expr | None = None) -> None:
    """Emit a ``return``, ``break`` or ``continue``, by way of the ``finally`` clauses that it leaves."""
    frame = ctx.finals[-1] if ctx.finals else None
    if frame is None or (kind != "return" and frame.loops < len(ctx.loops)):
        if kind == "return":
            ctx.emit(hir.Return(line, value))
        else:
            label = ctx.loops[-1].label
            ctx.emit(hir.Break(line, label) if kind == "break" else hir.Continue(line, label))
        return
    if value is not None:
        if frame.value is None:
            frame.value = ctx.temp(ctx.function.result)
        ctx.emit(hir.Assign(line, frame.value, value))
    code = frame.used.setdefault(kind, len(frame.used) + 1)
    ctx.emit(hir.Assign(line, frame.action, hir.Const(INT, code)))
    ctx.emit(hir.Break(0, frame.label))


def _type_of(local: Local) -> Type:
    return local.type if local.type is not None else NONE
