"""The scope of a function that has functions within it.

In: a function's body and its variables. Out: cells for the variables that functions within it share, and the
declarations of those functions, so that they can be called by name before their ``def`` is checked.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.captures import captures, must_share
from krait.check.cells import make_cell, write_local
from krait.check.context import Context
from krait.check.decorators import without_wraps
from krait.check.signatures import signature
from krait.check.types import ClassDecl, ClassType, FunctionDecl, FunctionType, Infer, Local, Optional, Type, prune
from krait.check.world import Refusal
from krait.diagnostics import Span
from krait.syntax import tree


def prepare_scope(ctx: Context, body: Sequence[tree.stmt]) -> None:
    """Decide which variables of a function are shared by cells, and make these; know the functions within it."""
    used = captures(body)
    parameters = {local.name: local for local in ctx.function.params}
    for name, local in list(ctx.scope.items()):
        if local.captured or name not in used.first:
            continue
        if not must_share(name, body, used, is_parameter=name in parameters):
            local.stable = True
        elif name in parameters:
            _move_to_cell(ctx, local, stable=name not in used.rebound)
        else:
            local.stable = name not in used.rebound
            make_cell(ctx, local)
    for node in _functions(body):
        known = ctx.scope.get(node.name)
        if known is not None and len(ctx.names.assigned.get(node.name, ())) == 1:
            _announce(ctx, node, known)


def _move_to_cell(ctx: Context, local: Local, *, stable: bool) -> None:
    assert local.type is not None
    shared = Local(local.name, local.type, annotated=True, span=local.span, typed_at=local.typed_at, stable=stable)
    make_cell(ctx, shared)
    write_local(ctx, shared, hir.LocalGet(local.type, local))
    ctx.scope[local.name] = shared
    ctx.flow = ctx.flow.bind(shared)
    if local is ctx.self_local:
        ctx.self_local = shared


def _announce(ctx: Context, node: tree.FunctionDef, local: Local) -> None:
    """Give the name of a function its meaning; what is wrong with its heading is reported where it stands."""
    with ctx.world.silence():
        try:
            decl = declare_nested(ctx, node)
            sig = signature(ctx.world, decl)
        except Refusal:
            return
    local.function = decl
    local.stable = local.stable or local.cell is None  # as a value it becomes a function that keeps it as it is
    local.type = FunctionType(tuple(param.type for param in sig.params), sig.result)


def declare_nested(ctx: Context, node: tree.FunctionDef) -> FunctionDecl:
    """Return the declaration of a function within another one."""
    _leave_types_open(ctx, node)
    if node.type_params:
        raise ctx.later(
            node.type_params[0].span, "generic functions within functions", "move it to the top level of the module"
        )
    if without_wraps(node).decorator_list:
        raise ctx.later(
            node.decorator_list[0].span,
            "decorators of functions within functions",
            "call the wrapping function where the result is used",
        )
    return nested_decl(ctx, node)


OPEN = "$type "
"""What the name of the type of a parameter begins with that has no annotation: its calls say it."""


def _leave_types_open(ctx: Context, node: tree.FunctionDef) -> None:
    """Give parameters without annotations types that calls determine; what an earlier check has found is known."""
    for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
        name = f"{OPEN}{arg.span.start_line}:{arg.span.start_col}"
        if arg.annotation is None:
            arg.annotation = tree.Name(name, tree.LOAD, arg.span)  # type: ignore[misc]  # nodes are frozen for checkers
        elif not isinstance(arg.annotation, tree.Name) or arg.annotation.id != name:
            continue
        if name not in ctx.params:
            known = ctx.known_lambdas.get(name)
            ctx.params[name] = _renewed(known) if known is not None else Infer()
        ctx.open_types.add(name)


def _renewed(t: Type) -> Type:
    """Return a type that an earlier check has found, with what it has left open to be found again."""
    t = prune(t)
    if isinstance(t, Infer):
        return Infer()
    if isinstance(t, ClassType):
        return ClassType(t.decl, tuple(map(_renewed, t.args)))
    return Optional(_renewed(t.inner)) if isinstance(t, Optional) else t


def nested_decl(ctx: Context, node: tree.FunctionDef) -> FunctionDecl:
    """Return a declaration with a class of its own for the function's object."""
    base = ctx.world.library_symbol("krait.function", "function")
    assert isinstance(base, ClassDecl)
    shape = tree.ClassDef("function", (), (), (), (), (), Span(1, 0, 1, 0))
    closure = ClassDecl("function", ctx.module, shape, base=base)
    return FunctionDecl(node.name, ctx.module, node, None, "nested", scope=ctx.params, closure=closure)


def share_targets(ctx: Context, locals_: Sequence[Local], parts: Sequence[tree.AST]) -> None:
    """Give cells to the targets of a comprehension that functions in it use."""
    used = captures(parts)
    for local in locals_:
        if local.name in used.first:
            make_cell(ctx, local)
            local.stable = local.name not in used.rebound


def _functions(body: Sequence[tree.stmt]) -> list[tree.FunctionDef]:
    """Return the ``def`` statements of a function's own scope."""
    found: list[tree.FunctionDef] = []
    pending: list[tree.AST] = list(body)
    while pending:
        node = pending.pop(0)
        if isinstance(node, tree.FunctionDef):
            found.append(node)
        elif not isinstance(node, tree.ClassDef | tree.expr):
            pending.extend(tree.iter_child_nodes(node))
    return found
