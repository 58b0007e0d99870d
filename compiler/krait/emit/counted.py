"""Counted loops: `for … in range(…)`.

In: a start, a stop and a step. Out: a loop that counts in one local and ends when that meets its end, so that a round
costs one addition and one branch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from krait.check import hir
from krait.emit.branches import finish_loop, run_round
from krait.emit.emitter import BodyEmitter, emits
from krait.emit.kept import forget, keep_for
from krait.emit.values import is_stable
from krait.emit.versions import ask, version_of
from svm import isa

_Push = tuple[str, int]
"""An instruction that pushes an int, and its immediate."""


@emits(hir.ForRange)
def for_range(out: BodyEmitter, node: hir.ForRange) -> None:
    """A counted loop. The counter is a variable of its own, unless nothing can tell it from the program's."""
    body = node.body
    variable = out.copies.counts_only(node)
    counter = out.local(node.target if variable is None else variable)
    if variable is not None:
        out.indices[node.target] = counter
        body = body[1:]
    leave = out.open("block")
    exhausted = out.open("block") if node.orelse else leave
    out.expr(node.start)
    out.code("local.set", counter)
    stop = _kept(out, node.stop, [node.step, *node.body])
    step = _kept(out, node.step, node.body)
    end = _end(out, node, counter, stop, step, exhausted)
    kept = keep_for(out, node)

    def run() -> None:
        again = out.open("loop")
        run_round(out, node.label, leave, body)
        out.mark(node.line)
        out.code("local.get", counter)
        out.code(*step)
        out.code("i64.add")
        out.code("local.tee", counter)
        out.code(*end)
        out.code("i64.ne")
        out.branch("br_if", again)
        out.close()

    version = version_of(out, node)
    if version is None:
        run()
    else:
        ask(out, version, stop, down=step[1] < 0)
        out.open("if")
        with out.certain_of(version.calls, version.elements):
            run()
        out.code("else")
        run()
        out.close()
    forget(out, kept)
    finish_loop(out, node.orelse)


def _kept(out: BodyEmitter, value: hir.Expr, others: Sequence[hir.Expr | hir.Stmt]) -> _Push:
    """Evaluate an int now and return what pushes it again; `others` are evaluated before that is over."""
    if isinstance(value, hir.Const):
        assert isinstance(value.value, int)
        return "i64.const", value.value
    if isinstance(value, hir.LocalGet) and is_stable(out, value, others):
        given = out.given.get(value.local, value)
        if isinstance(given, hir.LocalGet):
            return "local.get", out.local(given.local)
    out.expr(value)
    index = out.new_local(isa.I64, "$")
    out.code("local.set", index)
    return "local.get", index


def _end(out: BodyEmitter, node: hir.ForRange, counter: int, stop: _Push, step: _Push, exhausted: int) -> _Push:
    """Leave the loop if it has no round; return what pushes the value that the counter has after the last one.

    Where steps are not of one, the counter may pass the stop, and overflow: so the end is computed from how many rounds
    there are, modulo 2**64. No earlier value of the counter is equal to it, for the last one lies before the stop.
    """
    if isinstance(node.start, hir.Const) and stop[0] == step[0] == "i64.const":
        assert isinstance(node.start.value, int)
        values = range(node.start.value, stop[1], step[1])
        if not values:
            out.branch("br", exhausted)
            return stop
        return "i64.const", (values[-1] + step[1] + 2**63) % 2**64 - 2**63
    if step in (("i64.const", 1), ("i64.const", -1)):
        out.code("local.get", counter)
        out.code(*stop)
        out.code("i64.ge_s" if step[1] > 0 else "i64.le_s")
        out.branch("br_if", exhausted)
        return stop
    end = out.new_local(isa.I64, "$")
    _rounds(out, ("local.get", counter), stop, step)
    out.code("local.tee", end)
    out.code("i64.eqz")
    out.branch("br_if", exhausted)
    out.code("local.get", end)
    out.code(*step)
    out.code("i64.mul")
    out.code("local.get", counter)
    out.code("i64.add")
    out.code("local.set", end)
    return "local.get", end


def _rounds(out: BodyEmitter, start: _Push, stop: _Push, step: _Push) -> None:
    """Push how many rounds a loop has."""
    name, value = step

    def negated() -> None:
        out.code("i64.const", 0)
        out.code(*step)
        out.code("i64.sub")

    if name == "i64.const":
        if value > 0:
            _length(out, start, stop, lambda: out.code(*step))
        else:
            _length(out, stop, start, negated)
        return
    out.code(*step)
    out.code("i64.const", 0)
    out.code("i64.gt_s")
    out.open("if", isa.I64)
    _length(out, start, stop, lambda: out.code(*step))
    out.code("else")
    _length(out, stop, start, negated)
    out.close()


def _length(out: BodyEmitter, low: _Push, high: _Push, step: Callable[[], None]) -> None:
    """Push (high - low - 1) / step + 1, unsigned, or 0 if low is not below high."""
    out.code(*low)
    out.code(*high)
    out.code("i64.lt_s")
    out.open("if", isa.I64)
    out.code(*high)
    out.code(*low)
    out.code("i64.sub")
    out.code("i64.const", 1)
    out.code("i64.sub")
    step()
    out.code("i64.div_u")
    out.code("i64.const", 1)
    out.code("i64.add")
    out.code("else")
    out.code("i64.const", 0)
    out.close()
