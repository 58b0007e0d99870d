"""Which functions may collect, and what is kept on the shadow stack around their calls.

In: the functions of a program. Out: for each function one of three answers, and the liveness of those that make
objects. A function that makes an object only to throw it (an exception) does not collect as far as its callers are
concerned: nothing that they hold is read again, unless by a handler. So a list's index check costs nobody anything.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from krait.check import hir
from krait.check.types import Instance
from krait.emit.liveness import MAKERS, RETURNS, Liveness

OWN_HOST = "wasi_snapshot_preview1"
"""Functions of these imports never call back."""


class Collects(IntEnum):
    """Whether the call of a function may run the collector: never, only if it then raises, or also if it returns."""

    NEVER = 0
    RAISING = 1
    RETURNING = 2


class Roots:
    """The answers for a program. callees: the functions that a call may mean."""

    def __init__(
        self, functions: dict[Instance, hir.Function], callees: Callable[[hir.Call], list[Instance]]
    ) -> None:
        self._callees = callees
        self._liveness: dict[Instance, Liveness] = {}
        self._answers: dict[Instance, Collects] = {}
        makers = self._makers(functions)
        for instance in makers:
            self._liveness[instance] = Liveness(functions[instance])
        self._settle(makers)

    def of(self, instance: Instance) -> Collects:
        """Return the answer for a function."""
        return self._answers.get(instance, Collects.NEVER)

    def of_node(self, node: hir.Expr | hir.Stmt) -> Collects:
        """Return the answer for what a node itself does, without its parts."""
        if isinstance(node, hir.Call):
            return max(map(self.of, self._callees(node)))
        if isinstance(node, (*MAKERS, hir.Handle)):
            return Collects.RETURNING
        if isinstance(node, hir.LocalGet | hir.GlobalGet):
            return Collects.RAISING if node.checked else Collects.NEVER
        return Collects.RAISING if isinstance(node, hir.RaiseUnbound) else Collects.NEVER

    def liveness(self, instance: Instance) -> Liveness | None:
        """Return the liveness of a function, None if nothing in it can make an object."""
        return self._liveness.get(instance)

    def _makers(self, functions: dict[Instance, hir.Function]) -> list[Instance]:
        """Return the functions that may make an object, whatever then happens."""
        callers: dict[Instance, list[Instance]] = {}
        pending: list[Instance] = []
        for instance, function in functions.items():
            if instance.decl.host is not None:
                if instance.decl.host[0] != OWN_HOST:
                    self._answers[instance] = Collects.RETURNING
                    pending.append(instance)
                continue
            makes = False
            for node in hir.walk(function.body):
                if isinstance(node, hir.Call):
                    for callee in self._callees(node):
                        callers.setdefault(callee, []).append(instance)
                else:
                    makes = makes or self.of_node(node) is not Collects.NEVER
            if makes:
                pending.append(instance)
        found = dict.fromkeys(pending)
        for instance in pending:
            for caller in callers.get(instance, ()):
                if caller not in found:
                    found[caller] = None
                    pending.append(caller)
        return [instance for instance in found if instance.decl.host is None]

    def _settle(self, makers: list[Instance]) -> None:
        """Find the answers: they only ever rise, so this ends."""
        changed = True
        while changed:
            changed = False
            for instance in makers:
                answer = self._answer(self._liveness[instance])
                if answer > self.of(instance):
                    self._answers[instance] = answer
                    changed = True

    def _answer(self, liveness: Liveness) -> Collects:
        answer = Collects.NEVER
        for node, needed in liveness.at.items():
            own = self.of_node(node)
            if own is Collects.NEVER:
                continue
            later = needed.after if own is Collects.RETURNING else needed.caught
            answer = max(answer, Collects.RETURNING if later & RETURNS else Collects.RAISING)
            if answer is Collects.RETURNING:
                return answer
        return answer
