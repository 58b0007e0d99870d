"""Bounds checks of neighbouring accesses, made one.

Accesses through the same address with offsets of their own, between which nothing can be seen from outside, are
checked at the first of them, up to the end of the one that reaches farthest.  Only where that fails are they checked
one by one, for the trap has its place.  A store can be the last of them: what comes after it is checked after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from svm.isa import Form, Op
from svm.module import ValidFunction

__all__ = ["shared_checks"]


def shared_checks(function: ValidFunction) -> tuple[dict[int, list[int]], set[int]]:
    """Indices of accesses that are checked together, by the first of them; and those that are checked by another."""
    scan = _Scan()
    for at, (op, args, _) in enumerate(function.code):
        scan.step(at, op, args)
    groups = [group for group in scan.groups if len(group) > 1]
    return {group[0]: group for group in groups}, {at for group in groups for at in group[1:]}


class _Scan:
    """One pass over straight code.  stack: what lies on top of the operands, each a local as it was written for the nth
    time, or None.  open: the group of accesses through such a local that more may join.
    """

    def __init__(self) -> None:
        self.stack: list[tuple[int, int] | None] = []
        self.written: dict[int, int] = {}
        self.open: dict[tuple[int, int], list[int]] = {}
        self.groups: list[list[int]] = []

    def step(self, at: int, op: Op, args: tuple[Any, ...]) -> None:
        name, form = op.name, op.form
        if name == "local.get":
            self.stack.append(self.local(args[0]))
        elif name in ("local.set", "local.tee"):
            self.pop()
            self.written[args[0]] = self.written.get(args[0], 0) + 1
            if name == "local.tee":
                self.stack.append(self.local(args[0]))
        elif form in (Form.LOAD, Form.STORE):
            operands = self.pops(len(op.params or ()))
            self.access(at, operands[0])
            if form is Form.STORE:
                self.open.clear()
            self.push(op.results)
        elif name.endswith(".const"):
            self.stack.append(None)
        elif form is Form.PURE and op.params is not None and "trap_if" not in op.llvm:
            self.pops(len(op.params))
            self.push(op.results)
        else:
            self.stack.clear()
            self.open.clear()

    def local(self, index: int) -> tuple[int, int]:
        return index, self.written.get(index, 0)

    def pop(self) -> tuple[int, int] | None:
        return self.stack.pop() if self.stack else None

    def pops(self, count: int) -> list[tuple[int, int] | None]:
        return [self.pop() for _ in range(count)][::-1]

    def push(self, results: Iterable[object] | None) -> None:
        self.stack += [None for _ in results or ()]

    def access(self, at: int, address: tuple[int, int] | None) -> None:
        if address is None:
            return
        group = self.open.get(address)
        if group is None:
            group = self.open[address] = []
            self.groups.append(group)
        group.append(at)
