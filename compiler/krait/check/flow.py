"""What is known at a point of a function: which variables are bound, and which optional values are not None.

In: the checker's walk in program order. Out: `Flow` values, immutable, joined where paths meet.

Invariant: an unreachable point claims everything, so that joining with it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import TypeAlias

from krait.check.relations import common_base
from krait.check.types import GlobalVar, Local, Type, union

Variable: TypeAlias = Local | GlobalVar
Path: TypeAlias = tuple[Variable, *tuple[str, ...]]
"""A variable and the fields that lead from it to a value: ``node.next`` is ``(node, "next")``."""


@dataclass(frozen=True, slots=True)
class Flow:
    """The state at a point. ``narrowed`` gives the type that a test has shown a variable or field to have."""

    reachable: bool = True
    bound: frozenset[Variable] = frozenset()
    narrowed: dict[Path, Type] = field(default_factory=dict)

    def bind(self, variable: Variable) -> Flow:
        """After an assignment to ``variable``: it is bound, and nothing is known of its value."""
        kept = {path: t for path, t in self.narrowed.items() if path[0] is not variable}
        bound = self.bound if variable in self.bound else self.bound | {variable}
        return Flow(self.reachable, bound, kept)

    def unbind(self, variable: Variable) -> Flow:
        """After ``del``: the variable has no value."""
        return Flow(self.reachable, self.bound - {variable}, self.bind(variable).narrowed)

    def forget(self, name: str) -> Flow:
        """After an assignment to a field ``name`` of some object: that field may have changed in any object."""
        if not any(name in path[1:] for path in self.narrowed):
            return self
        kept = {path: t for path, t in self.narrowed.items() if name not in path[1:]}
        return Flow(self.reachable, self.bound, kept)

    def narrow(self, path: Path, t: Type) -> Flow:
        """After a test that shows ``path`` to be of type ``t``."""
        return Flow(self.reachable, self.bound, {**self.narrowed, path: t})

    def without(self, variables: Iterable[Variable], names: Iterable[str]) -> Flow:
        """At the head of a loop whose body assigns to ``variables`` and to fields called ``names``."""
        changed, fields = set(variables), set(names)
        kept = {
            path: t
            for path, t in self.narrowed.items()
            if path[0] not in changed and not fields.intersection(str(part) for part in path[1:])
        }
        return Flow(self.reachable, self.bound, kept)

    def stop(self) -> Flow:
        """After a statement that never goes on."""
        return Flow(False, self.bound, self.narrowed)

    def is_bound(self, variable: Variable) -> bool:
        """Whether a read here surely finds a value."""
        return not self.reachable or variable in self.bound


def join(*flows: Flow) -> Flow:
    """The state where several paths meet."""
    live = [flow for flow in flows if flow.reachable]
    if not live:
        return flows[0].stop()
    first, *others = live
    bound = first.bound.intersection(*(flow.bound for flow in others))
    narrowed: dict[Path, Type] = {}
    for path, t in first.narrowed.items():
        found = [flow.narrowed[path] for flow in others if path in flow.narrowed]
        if len(found) == len(others):
            narrowed[path] = reduce(_either, found, t)
    return Flow(True, bound, narrowed)


def _either(t: Type, other: Type) -> Type:
    """Return what a value is that two paths have shown to be of one type or the other."""
    return common_base(t, other) or union((t, other))
