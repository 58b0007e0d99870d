"""Counted loops in two forms: where it is known before a loop that no index in it goes astray, none is checked.

In: a counted loop without others in it, and what it keeps (`krait.emit.kept`): lists whose length it does not change.
Out: code that asks whether the places of its items, `xs[i + 1]` for the least and the greatest `i`, all lie within
the lists, and the calls that then need not ask. The loop is emitted twice, so the answer is the same either way.

Invariant: what asks has no effects and cannot fail. An item that is read on some path only does not decide which form
runs, unless the index is the count itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from krait.check import hir
from krait.check.types import Local
from krait.emit.emitter import BodyEmitter
from krait.emit.paths import SIGNS, Path, Paths

_MOST_NODES = 400
"""Nodes of a loop that is emitted twice."""
_MOST_ASKED = 10
_FEWEST_ROUNDS = 16
_FARTHEST = 1 << 20

_Index = tuple[Local | None, int]
"""A variable plus a constant, or the constant alone."""


class _Access(NamedTuple):
    """A call that finds the place of an item.  certain: it is made in every round that gets there."""

    call: hir.Call
    owner: Path
    place: _Index
    certain: bool


class Version(NamedTuple):
    """What need not be asked in the quick form of a loop: calls of `list._place`, and elements that may be None.

    spans: of each list and variable, the least and the greatest constant that is added to the variable.
    """

    calls: frozenset[hir.Expr]
    elements: frozenset[Local]
    spans: dict[tuple[Path, Local | None], tuple[int, int]]
    counter: Local


def version_of(out: BodyEmitter, loop: hir.ForRange) -> Version | None:
    """Return what a loop's quick form leaves out, None if it needs none. `keep_for` has been called for it."""
    nodes = list(hir.walk(loop.body))
    if not out.kept or len(nodes) > _MOST_NODES or any(isinstance(node, _NEVER) for node in nodes):
        return None
    if not isinstance(loop.step, hir.Const) or _is_short(loop):
        return None
    finder = _Finder(out, loop)
    finder.scan(loop.body, certain=True)
    version = finder.version()
    return version if version.calls or version.elements else None


def ask(out: BodyEmitter, version: Version, stop: tuple[str, int], down: bool) -> None:
    """Push whether the quick form will do. The count is at its start, and there is a round."""
    out.code("i32.const", 1)
    count = "local.get", out.local(version.counter)
    for (owner, variable), (low, high) in version.spans.items():
        length = out.kept[Path(owner.root, (*owner.fields, "length"))]
        least, greatest = (count, 0), (stop, 1)  # the last count lies before the stop
        if down:
            least, greatest = (stop, -1), (count, 0)
        if variable is not version.counter:
            least = greatest = (("i64.const", 0) if variable is None else ("local.get", out.local(variable))), 0
        out.code(*least[0])
        out.code("i64.const", least[1] - low)
        out.code("i64.ge_s")
        out.code("i32.and")
        out.code(*greatest[0])
        out.code("local.get", length)
        out.code("i64.extend_i32_u")
        out.code("i64.const", greatest[1] - high)
        out.code("i64.add")
        out.code("i64.lt_s")
        out.code("i32.and")
    for element in version.elements:
        out.code("local.get", out.local(element))
        out.code("i32.const", 0)
        out.code("i32.ne")
        out.code("i32.and")


class _Finder:
    """Finds the places that a loop asks for.

    counts: the variables that are the count. values: what temporaries of the compiler stand for.  env: the same as
    paths.
    """

    def __init__(self, out: BodyEmitter, loop: hir.ForRange) -> None:
        self.out = out
        self.counter = loop.target
        self.assigned = {loop.target}
        writes: list[Local] = [node.local for node in hir.walk(loop.body) if isinstance(node, hir.Assign)]
        self.assigned.update(writes)
        self.counts = {loop.target}
        match loop.body:
            case [hir.Assign(local=variable, value=hir.LocalGet(local=count)), *_] if count is loop.target:
                if writes.count(variable) == 1:
                    self.counts.add(variable)
            case _:
                pass
        self.values: dict[Local, hir.Expr] = {}
        self.env: dict[Local, Path | None] = {}
        self.paths = Paths(out.given, lambda element, _: out.elements.get(element), self.env)
        self.found: list[_Access] = []
        self.elements: set[Local] = set()

    def scan(self, nodes: Sequence[hir.Expr | hir.Stmt], *, certain: bool) -> None:
        """Note the accesses of some code, in its order."""
        for node in nodes:
            match node:
                case hir.If():
                    self.scan([node.test], certain=certain)
                    self.scan([*node.then, *node.orelse], certain=False)
                case hir.Conditional():
                    self.scan([node.test], certain=certain)
                    self.scan([node.then, node.orelse], certain=False)
                case _:
                    self.scan(hir.children(node), certain=certain)
            if isinstance(node, hir.Call):
                self.note(node, certain)
            elif isinstance(node, hir.Load):
                element = self.paths.element_of(node)
                kept = None if element is None else self.out.elements.get(element)
                if kept is not None:
                    self.elements.add(kept)
            elif isinstance(node, hir.Assign) and self.out.copies.is_own(node.local):
                self.values[node.local] = node.value
                self.env[node.local] = self.paths.of(node.value)

    def note(self, call: hir.Call, certain: bool) -> None:
        decl = call.callee.decl
        if decl.name not in ("_place", "_place_front") or decl.module.name != "krait.list":
            return
        owner, index = self.paths.of(call.args[0]), self.index(call.args[1])
        if owner is None or index is None or abs(index[1]) > _FARTHEST:
            return
        if all(Path(owner.root, (*owner.fields, name)) in self.out.kept for name in ("length", "items")):
            self.found.append(_Access(call, owner, index, certain))

    def index(self, node: hir.Expr) -> _Index | None:
        """Return which variable an index is made of, and what is added to it."""
        match node:
            case hir.Const(value=int(value)):
                return None, value
            case hir.LocalGet(checked=False, local=local):
                if local in self.counts:
                    return self.counter, 0
                other = self.values.get(local) or self.out.given.get(local)
                if other is not None:
                    return self.index(other)
                return None if local in self.assigned else (local, 0)
            case hir.Op(op=name, args=[left, hir.Const(value=int(by))]) if name in SIGNS:
                found = self.index(left)
                return None if found is None else (found[0], found[1] + SIGNS[name] * by)
            case _:
                return None

    def version(self) -> Version:
        """Choose what to ask: all that is certain, then what that implies, then what is at the count itself."""
        spans: dict[tuple[Path, Local | None], tuple[int, int]] = {}
        calls: list[hir.Expr] = []
        for access in sorted(self.found, key=lambda each: not each.certain):
            variable, by = access.place
            key = access.owner, variable
            asks = (access.certain or by == 0) and (variable is not None or by >= 0)
            if asks and key not in spans and len(spans) < _MOST_ASKED:
                spans[key] = by, by
            if key not in spans:
                continue
            low, high = spans[key]
            if access.certain:
                spans[key] = min(low, by), max(high, by)
            elif not low <= by <= high:
                continue
            calls.append(access.call)
        return Version(frozenset(calls), frozenset(self.elements), spans, self.counter)


_NEVER = (hir.While, hir.ForRange, hir.Handle)


def _is_short(loop: hir.ForRange) -> bool:
    """Whether a loop is known to have few rounds."""
    match loop:
        case hir.ForRange(start=hir.Const(value=int(start)), stop=hir.Const(value=int(stop))):
            assert isinstance(loop.step, hir.Const) and isinstance(loop.step.value, int)
            return len(range(start, stop, loop.step.value)) < _FEWEST_ROUNDS
        case _:
            return False
