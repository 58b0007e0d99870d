"""Which calls are replaced by the body of what they call.

In: the functions of a program. Out: the small ones among them. A body that stands in the place of its call has no
frame, so a function of the program itself is only inlined if nothing in it can fail: a traceback would not show it.
The library's functions are not shown anyway. What an inlined body calls only on some path stays a call, unless it is
tiny.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from krait.check import hir
from krait.check.types import NEVER, Instance, resolve

_MOST_NODES = 30
"""Nodes of the tree that an inlined body may have, those inlined into it included."""
_TINY = 4
_DEEPEST = 8

_NEVER = (hir.While, hir.ForRange, hir.Break, hir.Continue, hir.Handle, hir.Trap)
_FREE = (hir.Const, hir.LocalGet, hir.SizeOf, hir.Cast, hir.Let, hir.Evaluate, hir.Return)
_FAILING = (hir.Raise, hir.RaiseUnbound, hir.New, hir.NewItems, hir.Load, hir.Store, hir.CallIndirect)
_DIVISIONS = ("div_s", "div_u", "rem_s", "rem_u")
_FAILING_OPS = (*_DIVISIONS, "_throw", "trunc_f64_s", "memory.grow", "memory.copy", "memory.fill")


def _op_fails(node: hir.Op) -> bool:
    if not node.op.endswith(_FAILING_OPS):
        return False
    divides = node.op.endswith(_DIVISIONS)
    return not (divides and isinstance(node.args[1], hir.Const) and node.args[1].value not in (0, -1))


class _Small(NamedTuple):
    """What is known of a function that can be inlined: nodes of its tree, whether something in it can fail."""

    size: int
    fails: bool


class Inliner:
    """Says of each function of a program whether it is inlined.

    is_open: whether a call may mean one of several methods.
    """

    def __init__(self, functions: dict[Instance, hir.Function], is_open: Callable[[hir.Call], bool]) -> None:
        self._functions = functions
        self._is_open = is_open
        self._found: dict[Instance, _Small | None] = {}
        self._sometimes: set[hir.Call] = set()
        self._pending: list[Instance] = []

    def body_of(self, call: hir.Call, *, nested: bool = False) -> hir.Function | None:
        """Return the function whose body takes the place of a call, None if none does.

        nested: the call stands in an inlined body.
        """
        small = None if self._is_open(call) else self._small(call.callee.resolved())
        if small is None or (nested and self._is_spared(call, small)):
            return None
        return self._functions[call.callee.resolved()]

    def _is_spared(self, call: hir.Call, small: _Small) -> bool:
        return call in self._sometimes and (small.fails or small.size > _TINY)

    def _small(self, callee: Instance) -> _Small | None:
        """Return what is known of a function that is inlined, None for others.

        A chain of calls ends at its deepest function, which is never inlined, so no circle of them is without end.
        """
        if callee not in self._found:
            if callee in self._pending or len(self._pending) == _DEEPEST:
                self._found[callee] = None
            else:
                self._pending.append(callee)
                found = self._measure(self._functions[callee])
                self._pending.pop()
                self._found.setdefault(callee, found)
        return self._found[callee]

    def _measure(self, function: hir.Function) -> _Small | None:
        decl = function.instance.decl
        if decl.host is not None or resolve(function.result) is NEVER:
            return None
        if any(local.needs_flag for local in (*function.params, *function.locals)):
            return None
        size, fails = 0, False
        for node in hir.walk(function.body):
            if isinstance(node, _NEVER) or (isinstance(node, hir.LocalGet | hir.GlobalGet) and node.checked):
                return None
            if isinstance(node, hir.If):
                self._note_sometimes([*node.then, *node.orelse])
            elif isinstance(node, hir.Conditional):
                self._note_sometimes([node.then, node.orelse])
            small = self._weigh(node)
            size += small.size
            fails = fails or small.fails
            if size > _MOST_NODES or (fails and not decl.module.library):
                return None
        return _Small(size, fails)

    def _note_sometimes(self, arms: Sequence[hir.Expr | hir.Stmt]) -> None:
        self._sometimes.update(node for node in hir.walk(arms) if isinstance(node, hir.Call))

    def _weigh(self, node: hir.Expr | hir.Stmt) -> _Small:
        if isinstance(node, hir.Call):
            within = None if self._is_open(node) else self._small(node.callee.resolved())
            return within if within is not None and not self._is_spared(node, within) else _Small(1, True)
        fails = isinstance(node, _FAILING) or (isinstance(node, hir.Op) and _op_fails(node))
        return _Small(0 if isinstance(node, _FREE) else 1, fails)
