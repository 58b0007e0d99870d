"""Calls, and functions in the place of their calls.

In: calls with their arguments. Out: code that evaluates the arguments from left to right and then calls, or goes on
with the body of the function (`krait.emit.inline` says which).
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.types import NEVER, OWNED, U32, ClassType, Local, resolve
from krait.emit.emitter import BodyEmitter, Inlined, emits, type_of
from krait.emit.layout import is_reference, value_type
from krait.emit.objects import call_function, pop_roots, push_roots
from krait.emit.paths import SIGNS
from krait.emit.values import check_element, is_stable, operands
from svm import isa


@emits(hir.Call)
def call(out: BodyEmitter, node: hir.Call) -> None:
    """Push the result of a call."""
    if node in out.certain:
        _place_of(out, node)
        return
    line = out.line_now
    body = out.shared.inliner.body_of(node, nested=bool(out.inlined))
    if body is not None:
        _inline(out, node, body)
    else:
        operands(out, node.args)
        out.mark(node.line)
        callee = node.callee.resolved()
        shared = out.shared
        index = shared.virtual_index(callee) if node.virtual else shared.function_index(callee)
        call_function(out, index, out.roots(node))
        if resolve(node.type) is NEVER:
            out.code("unreachable")
    out.mark(line)


def _place_of(out: BodyEmitter, node: hir.Call) -> None:
    """Push the address of a list's item that is known to be there. So the sum that is its index has no overflow."""
    owner, index = node.args[0], node.args[1]
    out.expr(hir.FieldGet(OWNED, owner, "items"))
    if isinstance(index, hir.Op) and index.op in SIGNS:
        index = hir.Op(index.type, index.op.removesuffix("_throw"), index.args)
    if value_type(index.type) is isa.I64:
        index = hir.Op(U32, "i32.wrap_i64", [index])
    cls = resolve(owner.type)
    assert isinstance(cls, ClassType)
    size = hir.SizeOf(U32, cls.args)
    out.expr(hir.Op(U32, "i32.mul", [index, size]))
    out.code("i32.add")


@emits(hir.FunctionIndex)
def function_index(out: BodyEmitter, node: hir.FunctionIndex) -> None:
    """Push a function's place in the table."""
    out.code("i32.const", out.shared.table_index(node.callee.resolved()))


@emits(hir.CallIndirect)
def call_indirect(out: BodyEmitter, node: hir.CallIndirect) -> None:
    """Push the result of a call through the table."""
    line = out.line_now
    operands(out, [*node.args, node.code])
    out.mark(node.line)
    params = [t for arg in node.args if (t := value_type(arg.type)) is not None]
    result = value_type(node.type)
    base = push_roots(out, out.roots(node))
    out.shared.calls_through_table = True
    out.code("call_indirect", out.shared.type_index(params, [] if result is None else [result]), 0)
    pop_roots(out, base)
    if resolve(node.type) is NEVER:
        out.code("unreachable")
    out.mark(line)


def _inline(out: BodyEmitter, node: hir.Call, function: hir.Function) -> None:
    """Run the body of a function with parameters that hold the arguments, or stand for them."""
    out.copies.learn(function)
    _bind(out, function, node.args)
    out.mark(node.line)
    result = value_type(function.result)
    tail = function.body[-1] if function.body else None
    early = any(isinstance(part, hir.Return) and part is not tail for part in hir.walk(function.body))
    if early:
        out.open("block", result)
    after, caught = out.needed(node)
    out.inlined.append(Inlined(tail, out.depth, out.shared.roots.liveness(function.instance), after, caught))
    out.block(function.body)
    out.inlined.pop()
    if result is not None and not isinstance(tail, hir.Return):
        out.code("unreachable")
    if early:
        out.close()
    for local in (*function.params, *function.locals):
        out.given.pop(local, None)
        if local in out.indices:
            out.leave([out.indices.pop(local)])


def _bind(out: BodyEmitter, function: hir.Function, args: Sequence[hir.Expr]) -> None:
    """Evaluate the arguments, and give them to the parameters when all are there.

    A parameter that never changes is another name for a constant or a local.
    """
    sets = {local for part in function.body for local in out.shared.facts.of(part).sets}
    given: dict[Local, hir.Expr] = {}
    indices: dict[Local, int] = {}
    pending = len(out.pending)
    for at, (param, arg) in enumerate(zip(function.params, args, strict=True)):
        t = value_type(type_of(param))
        if t is not None and param not in sets and is_stable(out, arg, args[at + 1 :]):
            given[param] = out.given.get(arg.local, arg) if isinstance(arg, hir.LocalGet) else arg
            if is_reference(type_of(param)):
                out.keep(arg, None)
            continue
        element = out.element(arg) if param not in sets else None
        if element is not None:
            check_element(out, arg, element)
            given[param] = hir.LocalGet(arg.type, element)
            out.keep(given[param], None)
            continue
        out.expr(arg)
        if t is not None:
            indices[param] = out.take(t)
            out.code("local.set", indices[param])
            if is_reference(type_of(param)):
                out.pending.append(indices[param])
    del out.pending[pending:]
    out.given |= given
    out.indices |= indices
