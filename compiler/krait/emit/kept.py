"""What a loop reads again and again and never changes: read once before it, and kept in a local.

In: a loop of the typed tree. Out: locals that hold fields of objects and variables of modules while it runs. So an
index check compares two locals, and an element is one load.

A path (`krait.emit.paths`) is kept if the loop neither assigns its variable nor changes one of its fields, in calls
either (`krait.emit.effects`). Reading it before the loop cannot fail, also where the loop would not read it: what is
None lies at address 0, where memory is zero, and so is what is read there. A row of a table, `rows[i]`, is kept as well
where the loop changes neither `i` nor the rows; it is None where there is none, and whoever reads it asks.

Invariant: the tree still has the reads, so liveness keeps the objects alive where they happen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from krait.check import hir
from krait.check.types import NEVER, U32, ClassType, GlobalVar, Local, Type, resolve
from krait.emit.emitter import BodyEmitter
from krait.emit.layout import load_instruction, value_type
from krait.emit.paths import Element, Path, Paths
from svm import isa

_MOST = 12
"""Paths that one loop keeps: more would only move from memory to the stack."""
_INNER = 8
"""How often an inner loop's body is taken to run."""

_Env = dict[Local, Path | None]


class Kept(NamedTuple):
    """What was begun for a loop: paths and elements that are kept."""

    paths: list[Path]
    elements: list[Element]


def keep_for(out: BodyEmitter, loop: hir.While | hir.ForRange) -> Kept:
    """Emit the reads before a loop, and have them kept until `forget` is called with what this returns."""
    test = loop.test if isinstance(loop, hir.While) else None
    parts: list[hir.Expr | hir.Stmt] = [*([] if test is None else [test]), *loop.body]
    kept = Kept([], [])
    reads = _Reads(out)
    reads.scan(parts, {}, 1)
    if reads.weights:
        _Keeper(out, reads, _assigned(loop), out.shared.effects.of_body(parts, out.function), kept).run()
    return kept


def forget(out: BodyEmitter, kept: Kept) -> None:
    """End what `keep_for` began, behind the loop."""
    for path in kept.paths:
        out.leave([out.kept.pop(path)])
    for element in kept.elements:
        out.leave([out.indices.pop(out.elements.pop(element))])


class _Keeper:
    """Chooses what one loop keeps.  assigned: the locals that it sets.  changed: what else it may change."""

    def __init__(self, out: BodyEmitter, reads: _Reads, assigned: set[Local], changed: int, kept: Kept) -> None:
        self.out = out
        self.reads = reads
        self.assigned = assigned
        self.changed = changed
        self.effects = out.shared.effects
        self.kept = kept

    def run(self) -> None:
        wanted = [path for path in self.reads.weights if path not in self.out.kept and self.can_keep(path)]
        wanted.sort(key=lambda path: -self.reads.weights[path])
        for path in wanted[:_MOST]:
            self.keep(path)

    # --- what can be kept --------------------------------------------------------------------------------------------

    def can_keep(self, path: Path) -> bool:
        """Return whether the loop leaves a path as it is."""
        if path.fields and value_type(self.reads.nodes[path].type) is None:
            return False
        root, *others = _beginnings(path)
        return (root in self.out.kept or self.is_still(path.root)) and all(map(self.is_left, others))

    def is_still(self, variable: Local | GlobalVar) -> bool:
        """Return whether the loop does not set a variable, or the element that it is."""
        if isinstance(variable, GlobalVar):
            return not self.effects.bit(variable) & self.changed
        found = self.reads.elements.get(variable)
        if found is None or variable in self.out.indices:
            return variable not in self.assigned
        element, node = found
        if element.place in self.assigned or self.effects.items(node.type) & self.changed:
            return False
        lists = _list_of(node)
        fields = [self.effects.key(hir.FieldGet(U32, lists, name)) for name in ("length", "items")]
        return self.can_keep(element.owner) and not any(self.effects.bit(field) & self.changed for field in fields)

    def is_left(self, path: Path) -> bool:
        """Return whether the loop does not set the last field of a path."""
        node = self.reads.nodes.get(path)
        if path in self.out.kept:
            return True
        return isinstance(node, hir.FieldGet) and not self.effects.bit(self.effects.key(node)) & self.changed

    # --- the reads ---------------------------------------------------------------------------------------------------

    def keep(self, path: Path) -> None:
        """Emit the reads of a path and its beginnings that are not kept yet."""
        out = self.out
        if path.root in self.reads.elements and path.root not in out.indices:
            assert isinstance(path.root, Local)
            self.keep_element(path.root)
        for part in _beginnings(path):
            if part not in out.kept and part in self.reads.nodes:
                out.kept[part] = self.read(part, self.reads.nodes[part])
                self.kept.paths.append(part)

    def read(self, path: Path, node: hir.FieldGet | hir.GlobalGet) -> int:
        """Read the end of a path, whose other parts are kept, into a local."""
        out = self.out
        t = value_type(node.type)
        assert t is not None
        if isinstance(node, hir.GlobalGet):
            out.code("global.get", out.shared.global_index(node.var))
        else:
            self.push(Path(path.root, path.fields[:-1]))
            self.load_field(node.object.type, node.name)
        index = out.take(t)
        out.code("local.set", index)
        return index

    def push(self, path: Path) -> None:
        """Push what is at the end of a path that is kept, or a local."""
        kept = self.out.kept.get(path)
        if kept is None:
            assert isinstance(path.root, Local) and not path.fields
            kept = self.out.local(path.root)
        self.out.code("local.get", kept)

    def load_field(self, owner: Type, field: str) -> None:
        cls = resolve(owner)
        assert isinstance(cls, ClassType)
        layout = self.out.shared.layout(cls)
        name, align = load_instruction(layout.types[field])
        self.out.code(name, align, layout.offsets[field])

    def keep_element(self, local: Local) -> None:
        """Read an element of a list, None out of range, into the local that stands for it."""
        out = self.out
        element, node = self.reads.elements[local]
        self.keep(element.owner)
        lists = _list_of(node).type
        at, found = out.take(isa.I64), out.take(isa.I32)

        def push_length() -> None:
            self.push(element.owner)
            self.load_field(lists, "length")
            out.code("i64.extend_i32_u")

        if element.place is not None:
            out.code("local.get", out.local(element.place))
        out.code("i64.const", element.offset)
        if element.place is not None:
            out.code("i64.add")
        out.code("local.tee", at)
        push_length()
        out.code("i64.ge_u")
        out.open("if")
        out.code("local.get", at)
        push_length()
        out.code("i64.add")
        out.code("local.set", at)
        out.close()
        out.code("local.get", at)
        push_length()
        out.code("i64.lt_u")
        out.open("if", isa.I32)
        self.push(element.owner)
        self.load_field(lists, "items")
        out.code("local.get", at)
        out.code("i32.wrap_i64")
        out.code("i32.const", 2)
        out.code("i32.shl")
        out.code("i32.add")
        out.code("i32.load", 2, 0)
        out.code("else")
        out.code("i32.const", 0)
        out.close()
        out.code("local.set", found)
        out.leave([at])
        out.indices[local] = found
        out.elements[element] = local
        self.kept.elements.append(element)


def _list_of(node: hir.Load) -> hir.Expr:
    """The list that an element is read from."""
    assert isinstance(node.address, hir.Call)
    return node.address.args[0]


def _beginnings(path: Path) -> list[Path]:
    """A path's beginnings and itself, the shortest first."""
    return [Path(path.root, path.fields[:count]) for count in range(len(path.fields) + 1)]


def _assigned(loop: hir.Stmt) -> set[Local]:
    found: set[Local] = set()
    for node in hir.walk([loop]):
        match node:
            case hir.Assign(local=local) | hir.ForRange(target=local) | hir.Handle(caught=local):
                found.add(local)
            case _:
                pass
    return found


class _Reads:
    """The paths that a loop reads, inlined functions included.

    weights: how often.  nodes: one that reads each.  elements: the variables for elements of lists, and their reads.
    """

    def __init__(self, out: BodyEmitter) -> None:
        self.out = out
        self.weights: Counter[Path] = Counter()
        self.nodes: dict[Path, hir.FieldGet | hir.GlobalGet] = {}
        self.elements: dict[Local, tuple[Element, hir.Load]] = {}
        self._locals: dict[Element, Local] = dict(out.elements)

    def element(self, element: Element, node: hir.Load) -> Local:
        """Return the variable for an element of a list."""
        local = self._locals.get(element)
        if local is None:
            local = self._locals[element] = Local("$element", node.type)
            self.elements[local] = element, node
        return local

    def path_of(self, node: hir.Expr, env: _Env) -> Path | None:
        """Return the path that an expression reads."""
        return Paths(self.out.given, self.element, env).of(node)

    def scan(self, nodes: Sequence[hir.Expr | hir.Stmt], env: _Env, weight: int, *, nested: bool = False) -> None:
        """Count what some code reads, up to where it ends in any case. What is never run may read what is no more."""
        for node in nodes:
            self._node(node, env, weight, nested)
            if isinstance(node, hir.Stmt) and _ends(node):
                return

    def _node(self, node: hir.Expr | hir.Stmt, env: _Env, weight: int, nested: bool) -> None:
        match node:
            case hir.FieldGet() | hir.GlobalGet():
                path = self.path_of(node, env)
                if path is not None:
                    self.weights[path] += weight
                    self.nodes[path] = node
            case hir.Load():
                path = self.path_of(node, env)
                if path is not None:
                    self.weights[path] += weight
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
            env[node.local] = self.path_of(node.value, env)

    def _inlined(self, call: hir.Call, body: hir.Function, env: _Env, weight: int) -> None:
        self.out.copies.learn(body)
        sets = {local for part in body.body for local in self.out.shared.facts.of(part).sets}
        inside: _Env = dict.fromkeys((*body.params, *body.locals, *sets))
        for param, arg in zip(body.params, call.args, strict=True):
            if param not in sets:
                inside[param] = self.path_of(arg, env)
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
