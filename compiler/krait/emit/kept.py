"""What a loop reads again and again and never changes: read once before it, and kept in a local.

In: a loop of the typed tree. Out: locals that hold fields of objects and variables of modules while it runs. So an
index check compares two locals, and an element is one load.

A path (`krait.emit.paths`) is kept if the loop neither assigns its variable nor changes one of its fields, in calls
either (`krait.emit.effects`). Reading it before the loop cannot fail, also where the loop would not read it: what is
None lies at address 0, where memory is zero, and so is what is read there.

Invariant: the tree still has the reads, so liveness keeps the objects alive where they happen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from krait.check import hir
from krait.check.types import NEVER, ClassType, Local, resolve
from krait.emit.emitter import BodyEmitter
from krait.emit.layout import load_instruction, value_type
from krait.emit.paths import Path, path_of

_MOST = 12
"""Paths that one loop keeps: more would only move from memory to the stack."""
_INNER = 8
"""How often an inner loop's body is taken to run."""

_Env = dict[Local, Path | None]


def keep_for(out: BodyEmitter, loop: hir.While | hir.ForRange) -> dict[Path, int]:
    """Emit the reads before a loop, and have them kept until `forget` is called with what this returns."""
    test = loop.test if isinstance(loop, hir.While) else None
    parts: list[hir.Expr | hir.Stmt] = [*([] if test is None else [test]), *loop.body]
    reads = _Reads(out)
    reads.scan(parts, {}, 1)
    if not reads.weights:
        return {}
    assigned = _assigned(loop)
    changed = out.shared.effects.of_body(parts, out.function)
    wanted = [path for path in reads.weights if _can_keep(out, reads, path, assigned, changed)]
    wanted.sort(key=lambda path: -reads.weights[path])
    kept: dict[Path, int] = {}
    for path in wanted[:_MOST]:
        for part in _parts(path):
            if part not in out.kept and part in reads.nodes:
                kept[part] = out.kept[part] = _read(out, part, reads.nodes[part])
    return kept


def forget(out: BodyEmitter, kept: dict[Path, int]) -> None:
    """End what `keep_for` began, behind the loop."""
    for path, index in kept.items():
        del out.kept[path]
        out.leave([index])


def _parts(path: Path) -> list[Path]:
    """A path's beginnings and itself, the shortest first."""
    return [Path(path.root, path.fields[:count]) for count in range(len(path.fields) + 1)]


def _can_keep(out: BodyEmitter, reads: _Reads, path: Path, assigned: set[Local], changed: int) -> bool:
    effects = out.shared.effects
    if path in out.kept or value_type(reads.nodes[path].type) is None:
        return False
    root, *others = _parts(path)
    variable = path.root
    if root not in out.kept and (
        variable in assigned if isinstance(variable, Local) else effects.bit(variable) & changed
    ):
        return False
    for part in others:
        node = reads.nodes.get(part)
        if part not in out.kept and (
            not isinstance(node, hir.FieldGet) or effects.bit(effects.key(node)) & changed
        ):
            return False
    return True


def _assigned(loop: hir.Stmt) -> set[Local]:
    found: set[Local] = set()
    for node in hir.walk([loop]):
        match node:
            case hir.Assign(local=local) | hir.ForRange(target=local) | hir.Handle(caught=local):
                found.add(local)
            case _:
                pass
    return found


def _read(out: BodyEmitter, path: Path, node: hir.FieldGet | hir.GlobalGet) -> int:
    """Read the end of a path, whose other parts are kept, into a local."""
    t = value_type(node.type)
    assert t is not None
    if isinstance(node, hir.GlobalGet):
        out.code("global.get", out.shared.global_index(node.var))
    else:
        owner = Path(path.root, path.fields[:-1])
        if owner in out.kept:
            out.code("local.get", out.kept[owner])
        else:
            assert isinstance(path.root, Local) and not owner.fields
            out.code("local.get", out.local(path.root))
        cls = resolve(node.object.type)
        assert isinstance(cls, ClassType)
        layout = out.shared.layout(cls)
        name, align = load_instruction(layout.types[node.name])
        out.code(name, align, layout.offsets[node.name])
    index = out.take(t)
    out.code("local.set", index)
    return index


class _Reads:
    """The paths that a loop reads, inlined functions included.

    weights: how often.  nodes: one that reads each.
    """

    def __init__(self, out: BodyEmitter) -> None:
        self.out = out
        self.weights: Counter[Path] = Counter()
        self.nodes: dict[Path, hir.FieldGet | hir.GlobalGet] = {}

    def scan(self, nodes: Sequence[hir.Expr | hir.Stmt], env: _Env, weight: int, *, nested: bool = False) -> None:
        """Count what some code reads, up to where it ends in any case. What is never run may read what is no more."""
        for node in nodes:
            self._node(node, env, weight, nested)
            if isinstance(node, hir.Stmt) and _ends(node):
                return

    def _node(self, node: hir.Expr | hir.Stmt, env: _Env, weight: int, nested: bool) -> None:
        match node:
            case hir.FieldGet() | hir.GlobalGet():
                path = path_of(node, self.out.given, env)
                if path is not None:
                    self.weights[path] += weight
                    self.nodes[path] = node
            case hir.Call() if resolve(node.type) is NEVER:
                return
            case hir.Call():
                body = self.out.shared.inliner.body_of(node, nested=nested)
                if body is not None:
                    self._inlined(node, body, env, weight)
            case hir.While() | hir.ForRange():
                weight *= _INNER
            case _:
                pass
        for part in _blocks(node):
            self.scan(part, env, weight, nested=nested)
        if isinstance(node, hir.Assign) and self.out.copies.is_own(node.local):
            env[node.local] = path_of(node.value, self.out.given, env)

    def _inlined(self, call: hir.Call, body: hir.Function, env: _Env, weight: int) -> None:
        self.out.copies.learn(body)
        sets = {local for part in body.body for local in self.out.shared.facts.of(part).sets}
        inside: _Env = dict.fromkeys((*body.params, *body.locals))
        for param, arg in zip(body.params, call.args, strict=True):
            if param not in sets:
                inside[param] = path_of(arg, self.out.given, env)
        self.scan(body.body, inside, weight, nested=True)


def _blocks(node: hir.Expr | hir.Stmt) -> Iterable[Sequence[hir.Expr | hir.Stmt]]:
    """The parts of a node: each block of statements by itself, so that the end of one ends no other."""
    match node:
        case hir.If():
            return [[node.test], node.then, node.orelse]
        case hir.While():
            return [[] if node.test is None else [node.test], node.body, node.orelse]
        case hir.ForRange():
            return [[node.start, node.stop, node.step], node.body, node.orelse]
        case hir.Handle():
            return [node.body, node.handler]
        case _:
            return [hir.children(node)]


def _ends(node: hir.Stmt) -> bool:
    """Whether nothing behind a statement runs."""
    match node:
        case hir.Return() | hir.Raise() | hir.RaiseUnbound() | hir.Break() | hir.Continue() | hir.Trap():
            return True
        case hir.Evaluate(value=value) | hir.Assign(value=value):
            return resolve(value.type) is NEVER
        case hir.If(then=then, orelse=orelse):
            return any(map(_ends, then)) and any(map(_ends, orelse))
        case hir.While(test=None, label=label, body=body):
            return not any(isinstance(part, hir.Break) and part.label is label for part in hir.walk(body))
        case _:
            return False
