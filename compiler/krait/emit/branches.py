"""Branches: `if`, conditional expressions, `while`, and where `break` and `continue` go.

In: bools and what depends on them. Out: code in which `and`, `or` and `not` are branches, and each loop is tested at
its end, so that a round takes one branch.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.types import BOOL, resolve
from krait.emit.emitter import BodyEmitter, emits
from krait.emit.kept import forget, keep_for
from krait.emit.layout import value_type

_SMALL_TEST = 40
"""Nodes of a loop's test that is emitted twice, before the loop and at its end."""


def jump(out: BodyEmitter, test: hir.Expr, depth: int, when: bool) -> None:
    """Branch to the block of a depth if a bool is `when`."""
    match test:
        case hir.Const(value=value):
            if bool(value) is when:
                out.branch("br", depth)
        case hir.Op(op="i32.eqz", args=[hir.Expr(type=t) as inner]) if resolve(t) is BOOL:
            jump(out, inner, depth, not when)
        case hir.Let():
            out.block(test.body, test.value)
            jump(out, test.value, depth, when)
        case hir.Conditional(orelse=hir.Const(value=False)) if resolve(test.type) is BOOL:
            _jump_both(out, test.test, test.then, depth, when, decides=False)
        case hir.Conditional(then=hir.Const(value=True)) if resolve(test.type) is BOOL:
            _jump_both(out, test.test, test.orelse, depth, when, decides=True)
        case _:
            out.expr(test)
            if not when:
                out.code("i32.eqz")
            out.branch("br_if", depth)


def _jump_both(out: BodyEmitter, first: hir.Expr, second: hir.Expr, depth: int, when: bool, *, decides: bool) -> None:
    """Branch if `first and second` is `when`, or `first or second`: `decides` is what the first decides by."""
    if decides is when:
        jump(out, first, depth, when)
        jump(out, second, depth, when)
        return
    past = out.open("block")
    jump(out, first, past, decides)
    jump(out, second, depth, when)
    out.close()


def _is_plain(test: hir.Expr) -> bool:
    """Whether a bool is better computed than branched on."""
    return not isinstance(test, hir.Conditional | hir.Let)


@emits(hir.If)
def if_(out: BodyEmitter, node: hir.If) -> None:
    """Run one of two blocks."""
    if not node.then or not _is_plain(node.test):
        _if_by_jumps(out, node)
        return
    out.expr(node.test)
    out.open("if")
    out.block(node.then)
    if node.orelse:
        out.code("else")
        out.block(node.orelse)
    out.close()


def _if_by_jumps(out: BodyEmitter, node: hir.If) -> None:
    if not node.then or not node.orelse:
        past = out.open("block")
        jump(out, node.test, past, not node.then)
        out.block(node.then or node.orelse)
        out.close()
        return
    past = out.open("block")
    otherwise = out.open("block")
    jump(out, node.test, otherwise, False)
    out.block(node.then)
    out.branch("br", past)
    out.close()
    out.block(node.orelse)
    out.close()


@emits(hir.Conditional)
def conditional(out: BodyEmitter, node: hir.Conditional) -> None:
    """Push one of two values."""
    kind = value_type(node.type)
    if _is_plain(node.test):
        out.expr(node.test)
        out.open("if", kind)
        out.expr(node.then)
        if kind is not None or not isinstance(node.orelse, hir.Const):
            out.code("else")
            out.expr(node.orelse)
        out.close()
        return
    past = out.open("block", kind)
    otherwise = out.open("block")
    jump(out, node.test, otherwise, False)
    out.expr(node.then)
    out.branch("br", past)
    out.close()
    out.expr(node.orelse)
    out.close()


@emits(hir.While)
def while_(out: BodyEmitter, node: hir.While) -> None:
    """A loop; the test that begins the next round stands at its end."""
    leave = out.open("block")
    exhausted = out.open("block") if node.orelse else leave
    kept = keep_for(out, node)
    small = node.test is not None and sum(1 for _ in hir.walk([node.test])) <= _SMALL_TEST
    if node.test is not None and small:
        jump(out, node.test, exhausted, False)
    again = out.open("loop")
    if node.test is not None and not small:
        jump(out, node.test, exhausted, False)
    run_round(out, node.label, leave, node.body)
    if node.test is not None and small:
        out.mark(node.line)
        jump(out, node.test, again, True)
    else:
        out.branch("br", again)
    out.close()
    forget(out, kept)
    finish_loop(out, node.orelse)


def run_round(out: BodyEmitter, label: hir.LoopLabel, leave: int, body: Sequence[hir.Stmt]) -> None:
    """Run the body of a loop, in a block that `continue` leaves if there is one."""
    continued = any(isinstance(node, hir.Continue) and node.label is label for node in hir.walk(body))
    proceed = out.open("block") if continued else leave
    out.labels[label] = (leave, proceed)
    out.block(body)
    if continued:
        out.close()


def finish_loop(out: BodyEmitter, orelse: list[hir.Stmt]) -> None:
    """End the blocks around a loop: what runs when it is exhausted comes before where `break` goes."""
    if orelse:
        out.close()
        out.block(orelse)
    out.close()


@emits(hir.Break)
def break_(out: BodyEmitter, node: hir.Break) -> None:
    """Leave a loop."""
    out.branch("br", out.labels[node.label][0])


@emits(hir.Continue)
def continue_(out: BodyEmitter, node: hir.Continue) -> None:
    """Go on with a loop's next round."""
    out.branch("br", out.labels[node.label][1])
