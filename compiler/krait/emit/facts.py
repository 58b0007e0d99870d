"""What the code of an expression will do: open blocks, set locals.

In: expressions and statements. Out: answers that the emitter asks for again and again, each found once. Operands that
are waiting on the stack when a block begins must be put into memory by whoever runs the code, so an emitter that knows
of the block pushes constants and locals behind it.
"""

from __future__ import annotations

from typing import NamedTuple

from krait.check import hir
from krait.check.types import Local
from krait.emit.inline import Inliner
from krait.emit.roots import Collects, Roots

_NOTHING: frozenset[Local] = frozenset()
_BLOCKS = (hir.Conditional, hir.If, hir.While, hir.ForRange, hir.Handle)


class Effects(NamedTuple):
    """blocks: whether the code of a node opens blocks.  collects: whether the collector may run in it, and it goes on.
    sets: the locals that it sets.
    """

    blocks: bool
    collects: bool
    sets: frozenset[Local]


class Facts:
    """The effects of the nodes of a program."""

    def __init__(self, inliner: Inliner, roots: Roots) -> None:
        self._inliner = inliner
        self._roots = roots
        self._found: dict[hir.Expr | hir.Stmt, Effects] = {}

    def of(self, node: hir.Expr | hir.Stmt) -> Effects:
        """Return the effects of a node."""
        found = self._found.get(node)
        if found is None:
            found = self._found[node] = self._find(node)
        return found

    def _find(self, node: hir.Expr | hir.Stmt) -> Effects:
        parts = [self.of(child) for child in hir.children(node)]
        blocks = isinstance(node, _BLOCKS) or any(part.blocks for part in parts)
        if isinstance(node, hir.LocalGet | hir.GlobalGet):
            blocks = node.checked
        elif isinstance(node, hir.Call) and (body := self._inliner.body_of(node)) is not None:
            blocks = blocks or any(self.of(part).blocks for part in body.body)
        collects = self._roots.of_node(node) is Collects.RETURNING or any(part.collects for part in parts)
        sets = _NOTHING.union(*(part.sets for part in parts)) if any(part.sets for part in parts) else _NOTHING
        return Effects(blocks or collects, collects, sets | {node.local} if isinstance(node, hir.Assign) else sets)
