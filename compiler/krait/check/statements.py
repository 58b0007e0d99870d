"""Statements other than assignments.

In: syntax. Out: typed statements; the flow of the function along each path.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.annotations import Annotations
from krait.check.calls import announce_subclass
from krait.check.classes import run_class_body
from krait.check.closures import define
from krait.check.coerce import coerce
from krait.check.conditions import Condition, condition
from krait.check.context import Context, Loop, statement
from krait.check.declining import decline
from krait.check.decorated import decorated
from krait.check.exceptions import leave
from krait.check.flow import join
from krait.check.generators import give_result, is_sent, yield_statement
from krait.check.globals import init_function, is_static
from krait.check.iteration import enter_loop, for_each
from krait.check.mixing import has_floats
from krait.check.promoted import holding_ints, note_mixed
from krait.check.signatures import signature
from krait.check.types import (
    NEVER,
    NONE,
    ClassDecl,
    FunctionDecl,
    Import,
    Infer,
    Instance,
    ModuleDecl,
    Optional,
    Type,
    is_known,
    prune,
    resolve,
)
from krait.check.unification import unify
from krait.check.vocabulary import COMPILER_MODULES, PROVIDED
from krait.check.world import Refusal
from krait.diagnostics import Span
from krait.syntax import tree


@statement(tree.Expr)
def expr(ctx: Context, node: tree.Expr) -> None:
    """An expression for its effect; a literal (a docstring) has none."""
    if isinstance(node.value, tree.Constant):
        return
    if isinstance(node.value, tree.Yield | tree.YieldFrom):
        yield_statement(ctx, node.value)
        return
    ctx.emit(hir.Evaluate(node.span.start_line, ctx.expr(node.value)))


@statement(tree.Pass, tree.Global)
def pass_(ctx: Context, node: tree.Pass) -> None:
    """``pass``, and ``global``, which says what names mean, not what to do."""


@statement(tree.Nonlocal)
def nonlocal_(ctx: Context, node: tree.Nonlocal) -> None:
    """``nonlocal``."""
    for name in node.names:
        if name not in ctx.scope:
            raise ctx.refuse(node.span, f"no function around this one has a variable `{name}`")


# --- choices and loops ---------------------------------------------------------------------------------------------


@statement(tree.If)
def if_(ctx: Context, node: tree.If) -> None:
    """``if``."""
    line = node.span.start_line
    test = _condition_or_nothing(ctx, node.test)
    if test is None:
        _check_branches(ctx, node)
        return
    ctx.flow = test.true
    then = ctx.block(node.body)
    after_then, ctx.flow = ctx.flow, test.false
    orelse = ctx.block(node.orelse)
    ctx.flow = join(after_then, ctx.flow)
    if isinstance(test.value, hir.Const):
        for part in then if test.value.value else orelse:
            ctx.emit(part)
    else:
        ctx.emit(hir.If(line, test.value, then, orelse))


def _condition_or_nothing(ctx: Context, node: tree.expr) -> Condition | None:
    """Check a condition; None if it was refused, so that what it guards is checked all the same."""
    try:
        return condition(ctx, node)
    except Refusal:
        ctx.spoil(node)
        return None


def _check_branches(ctx: Context, node: tree.If | tree.While) -> None:
    """Check what a refused condition guards."""
    before = ctx.flow
    loop = Loop(hir.LoopLabel())
    if isinstance(node, tree.While):
        ctx.loops.append(loop)
    ctx.block(node.body)
    if isinstance(node, tree.While):
        ctx.loops.pop()
    after, ctx.flow = ctx.flow, before
    ctx.block(node.orelse)
    ctx.flow = join(after, ctx.flow)


@statement(tree.While)
def while_(ctx: Context, node: tree.While) -> None:
    """``while``."""
    line = node.span.start_line
    enter_loop(ctx, [node.test, *node.body])
    test = _condition_or_nothing(ctx, node.test)
    if test is None:
        _check_branches(ctx, node)
        return
    loop = Loop(hir.LoopLabel())
    ctx.flow = test.true
    ctx.loops.append(loop)
    try:
        body = ctx.block(node.body)
    finally:
        ctx.loops.pop()
    ctx.flow = test.false
    orelse = ctx.block(node.orelse)
    endless = isinstance(test.value, hir.Const) and bool(test.value.value)
    ctx.emit(hir.While(line, loop.label, None if endless else test.value, body, orelse))
    ctx.flow = join(ctx.flow, *loop.breaks)


@statement(tree.For)
def for_(ctx: Context, node: tree.For) -> None:
    """``for``."""
    changed = (node.target, *node.body)
    try:
        for_each(ctx, node.target, node.iter, _Body(ctx, node.body), node.orelse, changed)
    except Refusal:
        ctx.spoil(node.target)
        _check_branches(ctx, tree.While(node.iter, node.body, node.orelse, node.span))


class _Body:
    """The body of a loop, to be checked when its target has been bound."""

    def __init__(self, ctx: Context, body: tuple[tree.stmt, ...]) -> None:
        self.ctx = ctx
        self.body = body

    def __call__(self) -> None:
        for part in self.ctx.block(self.body):
            self.ctx.emit(part)


@statement(tree.Break)
def break_(ctx: Context, node: tree.Break) -> None:
    """``break``."""
    if not ctx.loops:
        raise ctx.refuse(node.span, "`break` outside a loop")
    loop = ctx.loops[-1]
    loop.breaks.append(ctx.flow)
    leave(ctx, "break", node.span.start_line)
    ctx.flow = ctx.flow.stop()


@statement(tree.Continue)
def continue_(ctx: Context, node: tree.Continue) -> None:
    """``continue``."""
    if not ctx.loops:
        raise ctx.refuse(node.span, "`continue` outside a loop")
    loop = ctx.loops[-1]
    loop.continues.append(ctx.flow)
    leave(ctx, "continue", node.span.start_line)
    ctx.flow = ctx.flow.stop()


# --- leaving -------------------------------------------------------------------------------------------------------


def _is_declined(node: tree.expr | None) -> bool:
    return isinstance(node, tree.Name) and node.id == "NotImplemented"


@statement(tree.Return)
def return_(ctx: Context, node: tree.Return) -> None:
    """``return``."""
    line = node.span.start_line
    if ctx.is_module_code:
        raise ctx.refuse(node.span, "`return` outside a function")
    result = prune(ctx.function.result)
    infers = ctx.results is not None
    if isinstance(node.value, tree.IfExp) and (infers or any(map(_is_declined, (node.value.body, node.value.orelse)))):
        sides = (tree.Return(side, node.span) for side in (node.value.body, node.value.orelse))
        ctx.statement(tree.If(node.value.test, (next(sides),), (next(sides),), node.span))
        return
    if ctx.results is not None:
        found = ctx.results if ctx.generator is None else ctx.returned
        found.append(NONE if node.value is None else ctx.expr(node.value).type)
        ctx.flow = ctx.flow.stop()
        return
    if ctx.generator is not None and is_sent(ctx.generator.type):
        _return_of_generator(ctx, node, result, line)
        return
    if isinstance(result, Infer) and node.value is not None:
        _return_inferred(ctx, node.value, result, line)
        return
    if _is_declined(node.value) and ctx.lookup("NotImplemented") is None:
        decline(ctx, node)
        return
    if result is NEVER:
        raise ctx.refuse(node.span, "a function with the result `NoReturn` does not return")
    if node.value is None or (isinstance(node.value, tree.Constant) and node.value.value is None):
        if result is NONE:
            leave(ctx, "return", line)
        elif isinstance(result, Optional):
            leave(ctx, "return", line, hir.Const(result, None))
        else:
            raise ctx.refuse(
                node.span,
                f"expected a value to return: the result is `{result}`, found None",
                f"if it can be None, write `-> {result} | None`",
            )
    elif result is NONE:
        value = ctx.expr(node.value)
        if _is_none_so_far(value.type):
            ctx.unknown_met = True  # if it turns out to be more, it is asked again
        elif prune(value.type) not in (NONE, NEVER) and ctx.function.name != "<lambda>":
            raise ctx.refuse(
                node.value.span,
                f"expected no value to return, found `{value.type}`",
                f"write `-> {value.type}` behind the parameters",
            )
        ctx.emit(hir.Evaluate(line, value))
        leave(ctx, "return", line)
    else:
        held = holding_ints(ctx, node.value, result) if has_floats(result) else None
        value = ctx.expr(node.value, held or result)
        note_mixed(ctx, result, value.type)
        leave(ctx, "return", line, coerce(ctx, value, result, node.value.span))
    ctx.require_own_fields()
    ctx.flow = ctx.flow.stop()


def _is_none_so_far(t: Type) -> bool:
    """Return whether a variable has been given nothing but None."""
    t = prune(t)
    return isinstance(t, Optional) and isinstance(prune(t.inner), Infer)


def _return_of_generator(ctx: Context, node: tree.Return, result: Type, line: int) -> None:
    """The result of a generator, which the end of what goes through it has."""
    value = hir.Const(NONE, None) if node.value is None else ctx.expr(node.value, result)
    give_result(ctx, coerce(ctx, value, result, node.span if node.value is None else node.value.span), line)
    leave(ctx, "return", line)
    ctx.flow = ctx.flow.stop()


def _return_inferred(ctx: Context, node: tree.expr, result: Infer, line: int) -> None:
    """The value of a lambda gives it its result."""
    value = ctx.expr(node)
    t = prune(value.type)
    unify(result, NONE if t is NEVER else t)
    if t in (NONE, NEVER):
        ctx.emit(hir.Evaluate(line, value))
    leave(ctx, "return", line, None if t in (NONE, NEVER) else value)
    ctx.flow = ctx.flow.stop()


@statement(tree.Assert)
def assert_(ctx: Context, node: tree.Assert) -> None:
    """``assert test, message``."""
    test = condition(ctx, node.test)
    ctx.flow = test.false
    message: hir.Expr | None = None
    if node.msg is not None:
        with ctx.collect() as before:
            message = ctx.expr(node.msg)
        if prune(message.type) != ctx.world.str_type:
            _assert_with(ctx, node, test)
            return
        message = hir.Let(message.type, before, message) if before else message
    failed = ctx.raising("AssertionError", message, node.span)
    ctx.emit(hir.If(node.span.start_line, test.value, [], failed))
    ctx.flow = test.true


def _assert_with(ctx: Context, node: tree.Assert, test: Condition) -> None:
    """``assert test, message`` with a message that is no text."""
    assert node.msg is not None
    cls = "$AssertionError"
    ctx.classes[cls] = ctx.world.library_class("AssertionError")
    ctx.flow = test.false
    made = tree.Call(tree.Name(cls, tree.LOAD, node.msg.span), (node.msg,), (), node.msg.span)
    with ctx.collect() as failed:
        ctx.emit(hir.Raise(node.span.start_line, ctx.expr(made)))
    ctx.emit(hir.If(node.span.start_line, test.value, [], failed))
    ctx.flow = test.true


# --- declarations --------------------------------------------------------------------------------------------------


@statement(tree.FunctionDef)
def function_def(ctx: Context, node: tree.FunctionDef) -> None:
    """``def`` at the top level: its defaults are computed now, and from now on its name has a meaning."""
    symbol = ctx.module.symbols.get(node.name)
    if not ctx.is_module_code or not isinstance(symbol, FunctionDecl) or symbol.node is not node:
        define(ctx, node)
        return
    _compute_defaults(ctx, symbol)
    _bind_name(ctx, symbol, node.name)


@statement(tree.ClassDef)
def class_def(ctx: Context, node: tree.ClassDef) -> None:
    """``class`` at the top level."""
    symbol = ctx.module.symbols.get(node.name)
    if not ctx.is_module_code or not isinstance(symbol, ClassDecl) or symbol.node is not node:
        raise ctx.later(_heading(node), "classes within functions", "move it to the top level of the module")
    _run_class(ctx, symbol)
    _bind_name(ctx, symbol, node.name)


def _run_class(ctx: Context, decl: ClassDecl) -> None:
    """Emit what the body of a class does, the classes within it first; then what its base and decorators do."""
    with decorated(ctx, decl):
        for inner in decl.nested.values():
            _run_class(ctx, inner)
        run_class_body(ctx, decl, lambda method: _compute_defaults(ctx, method))
        announce_subclass(ctx, decl)


def _heading(node: tree.FunctionDef | tree.ClassDef) -> Span:
    """The span of ``def name`` or ``class name``."""
    word = "def " if isinstance(node, tree.FunctionDef) else "class "
    start = node.span
    return Span(start.start_line, start.start_col, start.start_line, start.start_col + len(word) + len(node.name))


def _compute_defaults(ctx: Context, decl: FunctionDecl) -> None:
    arguments = decl.node.args
    if not arguments.defaults and not arguments.kw_defaults and not decl.factories:
        return  # so a result that nothing says is not asked for before there are calls, which say what fields hold
    for param in signature(ctx.world, decl).params:
        if param.default_var is None or param.default is None:
            continue
        var = param.default_var
        value = ctx.expr(param.default, var.type)
        if var.type is None:
            if not is_known(value.type):
                hint = "use `None`, and make the value in the function"
                raise ctx.later(param.default.span, "defaults of generic functions that say no type", hint)
            var.type = resolve(value.type)
        fitted = coerce(ctx, value, var.type, param.default.span)
        ctx.emit(hir.GlobalSet(param.span.start_line, var, fitted))


def _bind_name(ctx: Context, symbol: FunctionDecl | ClassDecl, name: str) -> None:
    if ctx.module.library:
        return
    assert symbol.bound_var is not None
    ctx.emit(hir.Bind(ctx.line, symbol.bound_var))
    ctx.flow = ctx.flow.bind(symbol.bound_var)


@statement(tree.Import, tree.ImportFrom)
def import_(ctx: Context, node: tree.Import | tree.ImportFrom) -> None:
    """``import``: the module's code runs, if it has not run yet."""
    if isinstance(node, tree.ImportFrom) and node.module == "__future__":
        return
    failed: Refusal | None = None
    for alias in node.names:
        name = alias.asname or alias.name.partition(".")[0]
        if not ctx.is_module_code and name not in ctx.imports:
            raise ctx.later(node.span, "imports that may not run", "move the import to the beginning of the function")
        link = ctx.imports.get(name) or ctx.module.symbols.get(name)
        if isinstance(link, Import):
            whole = isinstance(node, tree.Import) and alias.asname is None
            try:
                _import(ctx, Import(alias.name, None, alias.span) if whole else link)
            except Refusal as refusal:
                failed = failed or refusal
    if failed is not None:
        raise failed


def _import(ctx: Context, link: Import) -> None:
    """Run the modules that an import names: packages before what is in them."""
    if link.module in COMPILER_MODULES:
        ctx.world.compiler_symbol(ctx.module, link)
        return
    if (link.module, link.member or "") in PROVIDED:
        return
    found = ctx.world.follow(ctx.module, link)
    parts = link.module.split(".")
    names = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    if isinstance(found, ModuleDecl) and found.name not in names:
        names.append(found.name)
    for name in names:
        module = ctx.world.module(name)
        if module is not None and module is not ctx.module and not is_static(module) and has_code(ctx, module):
            called = ctx.call(Instance(init_function(module)), [], NONE, link.span)
            ctx.emit(hir.Evaluate(ctx.line, called))


def has_code(ctx: Context, module: ModuleDecl) -> bool:
    """Return whether a module does anything when it is imported."""
    return any(
        not isinstance(node, tree.FunctionDef | tree.ClassDef | tree.Pass)
        and not (isinstance(node, tree.Expr) and isinstance(node.value, tree.Constant))
        for node in module.tree.body
    )


@statement(tree.TypeAlias)
def type_alias(ctx: Context, node: tree.TypeAlias) -> None:
    """``type X = …``."""
    Annotations(ctx.world, ctx.module, ctx.params, ctx.instance).type(node.value)
