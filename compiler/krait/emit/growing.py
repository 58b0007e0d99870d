"""Texts that grow: `s += part` in time that is, on the whole, in proportion to what is appended.

In: the functions of a program. Out: the same, in which a text may be changed in place while one variable alone refers
to it. Such a text is marked (`krait.text.extended`), and each read of the variable that could give it a second
owner takes the mark away (`str._settled`); reads that only look at it (`len(s)`, `s == t`, `print(s)`) do not.

A variable is a local, a variable of a module, or a field of a class: of the latter two, all reads in the program are
found, and an append whose other operand may itself change the variable stays an ordinary sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from krait.check import hir
from krait.check.types import BOOL, INT, NONE, GlobalVar, Instance, Local, resolve
from krait.emit.effects import Effects, Key

_Append: TypeAlias = hir.Assign | hir.GlobalSet | hir.FieldSet
_KEEPING = frozenset(("__hash__", "_key_bits"))
"""Methods that keep something in a text that they look at."""


def let_texts_grow(program: hir.Program, effects: Effects) -> None:
    """Change the trees of a program."""
    methods = program.support.text.decl.methods
    extended, settled = Instance(methods["_extended"]), Instance(methods["_settled"])
    if extended in program.functions and settled in program.functions:
        _Growing(program, effects, extended, settled).run()


class _Growing:
    def __init__(self, program: hir.Program, effects: Effects, extended: Instance, settled: Instance) -> None:
        self.functions = program.functions
        self.effects = effects
        self.text = program.support.text
        self.sum = self.text.decl.methods["__add__"]
        self.extended = extended
        self.settled = settled
        self.appends: set[_Append] = set()
        self.locals: set[Local] = set()
        self.once: dict[Local, _Append] = {}
        self.variables: set[Key] = set()
        self.names: set[str] = set()
        self.wrapped: set[hir.Expr] = set()

    def run(self) -> None:
        for function in self.functions.values():
            for node, in_loop in _statements(function.body, in_loop=False):
                self.find(node, function, in_loop)
        if self.appends:
            for function in self.functions.values():
                if self.variables or not self.locals.isdisjoint((*function.params, *function.locals)):
                    hir.rewrite(function.body, self.expression, self.block)

    # --- what grows --------------------------------------------------------------------------------------------------

    def find(self, node: hir.Stmt, function: hir.Function, in_loop: bool) -> None:
        """Note an append, and the variable that grows by it."""
        if not isinstance(node, _Append) or not self.is_sum(node.value):
            return
        assert isinstance(node.value, hir.Call)
        left, right = node.value.args
        match node, left:
            case hir.Assign(local=local), hir.LocalGet(local=read) if local is read:
                if not _assigns(right, local):
                    self.note_local(node, local, in_loop)
            case hir.GlobalSet(var=var), hir.GlobalGet(var=read_var) if var is read_var:
                self.note(node, var, right, function)
            case hir.FieldSet(object=hir.LocalGet(local=owner)), hir.FieldGet(object=hir.LocalGet(local=read)):
                if owner is read and node.name == left.name and not _assigns(right, owner):
                    self.note(node, self.effects.key(node), right, function)
            case _:
                pass

    def note_local(self, node: _Append, local: Local, in_loop: bool) -> None:
        """Note an append to a local, which is worth it if there is more than one."""
        if not in_loop and local not in self.once and local not in self.locals:
            self.once[local] = node
            return
        self.locals.add(local)
        self.appends.add(node)
        if local in self.once:
            self.appends.add(self.once.pop(local))

    def is_sum(self, value: hir.Expr) -> bool:
        return isinstance(value, hir.Call) and value.callee.decl is self.sum

    def note(self, node: _Append, key: Key, right: hir.Expr, function: hir.Function) -> None:
        if not self.effects.of_body([right], function) & self.effects.bit(key):
            self.variables.add(key)
            self.appends.add(node)
            if not isinstance(key, GlobalVar):
                self.names.add(key[1])

    # --- the trees ---------------------------------------------------------------------------------------------------

    def expression(self, node: hir.Expr) -> hir.Expr:
        """Have the reads of what grows settle it, but those that only look."""
        if node in self.wrapped:  # within something that stands in the tree twice
            assert isinstance(node, hir.Call)
            node.args[0] = self.bare(node.args[0])
        elif isinstance(node, hir.Call) and self.only_looks(node):
            node.args[:] = map(self.bare, node.args)
        elif isinstance(node, hir.FieldGet) and node.object in self.wrapped:
            node.object = self.bare(node.object)
        if not self.reads_growing(node):
            return node
        made = hir.Call(node.type, self.settled, [node])
        self.wrapped.add(made)
        return made

    def block(self, statements: list[hir.Stmt]) -> list[hir.Stmt]:
        for node in statements:
            if node in self.appends:
                assert isinstance(node, _Append) and isinstance(node.value, hir.Call)
                node.value.callee = self.extended
                node.value.virtual = False
                node.value.args[0] = self.bare(node.value.args[0])
        return statements

    def bare(self, node: hir.Expr) -> hir.Expr:
        """Return a read as it was."""
        if node not in self.wrapped:
            return node
        assert isinstance(node, hir.Call)
        return node.args[0]

    def only_looks(self, call: hir.Call) -> bool:
        decl = call.callee.decl
        if decl.owner is self.text.decl:
            return decl.name not in _KEEPING and resolve(call.type) in (BOOL, INT)
        return decl.module.name == "krait.io" and decl.name == "write" and resolve(call.type) is NONE

    def reads_growing(self, node: hir.Expr) -> bool:
        match node:
            case hir.LocalGet(local=local):
                return local in self.locals
            case hir.GlobalGet(var=var):
                return var in self.variables
            case hir.FieldGet(name=name):
                return name in self.names and self.effects.key(node) in self.variables
            case _:
                return False


def _statements(body: list[hir.Stmt], *, in_loop: bool) -> Iterator[tuple[hir.Stmt, bool]]:
    """Yield all statements, and whether each is within a loop."""
    pending: list[tuple[hir.Expr | hir.Stmt, bool]] = [(node, in_loop) for node in body]
    while pending:
        node, inside = pending.pop()
        if isinstance(node, hir.Stmt):
            yield node, inside
        inside = inside or isinstance(node, hir.While | hir.ForRange)
        pending.extend((child, inside) for child in hir.children(node))


def _assigns(value: hir.Expr, local: Local) -> bool:
    return any(isinstance(node, hir.Assign) and node.local is local for node in hir.walk([value]))
