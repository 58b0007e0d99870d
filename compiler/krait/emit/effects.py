"""What calls may change: fields of objects, and variables of modules.

In: the functions of a program. Out: for nodes of their trees a set of fields and variables, an int with a bit for each.
A field is known by its name and the class at the root of its hierarchy, so a list of ints is not one of texts. Items
are known by their class.

What is written to an object that was made since a function was entered is nobody's before it: a constructor's fields
do not count for whoever calls it. So a function has two sets, for what it changes through its first parameter and for
all else; the first is left out where that is a new object.

Invariant: memory that is written without a field (`hir.Store`, the instructions on memory) is items, or an object that
no variable refers to yet. What moves the items of a list by an instruction on memory also sets the list's length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from krait.check import hir
from krait.check.types import ClassType, GlobalVar, Instance, Local, Type, base_of, resolve
from krait.emit.roots import OWN_HOST

Key: TypeAlias = "tuple[ClassType, str] | GlobalVar"
"""A field of a class, or a variable of a module."""

ANYTHING = -1
ITEMS = "[]"
"""Stands for a field: the items of lists."""
_MAKERS = (hir.New, hir.NewItems, hir.MarkGlobals, hir.Handle, hir.RaiseUnbound)


class _Summary:
    """What one function does itself, and what it calls: in any way, with its own first parameter as the first
    argument, or with a new object.
    """

    __slots__ = ("any", "assigns", "direct", "fresh", "own", "through", "values")

    def __init__(self) -> None:
        self.direct = 0
        self.through = 0
        self.any: set[Instance] = set()
        self.own: set[Instance] = set()
        self.fresh: set[Instance] = set()
        self.assigns: dict[Local, list[hir.Expr]] = {}
        self.values: list[hir.Expr | None] = []


class Effects:
    """The effects of the functions of a program. callees: the functions that a call may mean.  makers: what the emitter
    itself calls to make objects.
    """

    def __init__(
        self,
        functions: dict[Instance, hir.Function],
        callees: Callable[[hir.Call], list[Instance]],
        makers: Sequence[Instance],
    ) -> None:
        self._functions = functions
        self._callees = callees
        self._makers = makers
        self._bits: dict[Key, int] = {}
        self._roots: dict[ClassType, ClassType] = {}
        self._summaries: dict[Instance, _Summary] = {}
        self._returns_new: dict[Instance, bool] = {}
        self._direct: dict[Instance, int] = {}
        self._through: dict[Instance, int] = {}
        self._indirect: set[Instance] = set()

    def key(self, node: hir.FieldGet | hir.FieldSet) -> Key:
        """Return the field that a node reads or sets."""
        cls = resolve(node.object.type)
        assert isinstance(cls, ClassType)
        root = self._roots.get(cls)
        if root is None:
            root = cls
            while (base := base_of(root)) is not None:
                above = resolve(base)
                assert isinstance(above, ClassType)
                root = above
            self._roots[cls] = root
        return root, node.name

    def bit(self, key: Key) -> int:
        """Return the set of one field or variable."""
        found = self._bits.get(key)
        if found is None:
            found = self._bits[key] = 1 << len(self._bits)
        return found

    def items(self, of: Type) -> int:
        """Return the set of all items of a class, which a store may change."""
        of = resolve(of)
        return self.bit((of, ITEMS)) if isinstance(of, ClassType) else 0

    def of_body(self, nodes: Sequence[hir.Expr | hir.Stmt], function: hir.Function) -> int:
        """Return what a part of a function may change of what there was before it."""
        if not self._summaries:
            self._summarise()
        inside: dict[Local, int] = {}
        for node in hir.walk(nodes):
            if isinstance(node, hir.Assign):
                inside[node.local] = inside.get(node.local, 0) + 1
        # What is assigned outside too may be an object of before.
        everywhere = self._summaries[function.instance].assigns
        assigns = {local: everywhere[local] for local, count in inside.items() if count == len(everywhere[local])}
        changed = 0
        for node in hir.walk(nodes):
            match node:
                case hir.FieldSet():
                    changed |= 0 if self._is_new(node.object, assigns) else self.bit(self.key(node))
                case hir.GlobalSet(var=var):
                    changed |= self.bit(var)
                case hir.Store():
                    changed |= self.items(node.of)
                case hir.Call(args=args):
                    through = not (args and self._is_new(args[0], assigns))
                    for callee in self._callees(node):
                        changed |= self._direct[callee] | (self._through[callee] if through else 0)
                case hir.CallIndirect():
                    changed |= self._of_all(self._indirect)
                case _ if _makes_objects(node):
                    changed |= self._of_all(self._makers)
                case _:
                    pass
        return changed

    def _of_all(self, functions: Iterable[Instance]) -> int:
        changed = 0
        for function in functions:
            changed |= self._direct[function] | self._through[function]
        return changed

    # --- all functions -----------------------------------------------------------------------------------------------

    def _summarise(self) -> None:
        for instance, function in self._functions.items():
            self._summaries[instance] = self._assignments(function)
        for instance, function in self._functions.items():
            host = instance.decl.host
            if host is not None:
                self._summaries[instance].direct = 0 if host[0] == OWN_HOST else ANYTHING
            else:
                self._summary(self._summaries[instance], function)
        for instance, summary in self._summaries.items():
            self._direct[instance], self._through[instance] = summary.direct, summary.through
        self._settle()

    def _assignments(self, function: hir.Function) -> _Summary:
        summary = _Summary()
        for node in hir.walk(function.body):
            if isinstance(node, hir.Assign):
                summary.assigns.setdefault(node.local, []).append(node.value)
            elif isinstance(node, hir.Return):
                summary.values.append(node.value)
            elif isinstance(node, hir.FunctionIndex):
                self._indirect.add(node.callee.resolved())
        return summary

    def _summary(self, summary: _Summary, function: hir.Function) -> None:
        first = function.params[0] if function.params and function.params[0] not in summary.assigns else None
        for node in hir.walk(function.body):
            match node:
                case hir.FieldSet(object=hir.LocalGet(local=local)) if local is first:
                    summary.through |= self.bit(self.key(node))
                case hir.FieldSet():
                    if not self._is_new(node.object, summary.assigns):
                        summary.direct |= self.bit(self.key(node))
                case hir.GlobalSet(var=var):
                    summary.direct |= self.bit(var)
                case hir.Store():
                    summary.direct |= self.items(node.of)
                case hir.Call(args=[hir.LocalGet(local=local), *_]) if local is first:
                    summary.own.update(self._callees(node))
                case hir.Call(args=[receiver, *_]) if self._is_new(receiver, summary.assigns):
                    summary.fresh.update(self._callees(node))
                case hir.Call():
                    summary.any.update(self._callees(node))
                case hir.CallIndirect():
                    summary.any |= self._indirect
                case _ if _makes_objects(node):
                    summary.any.update(self._makers)
                case _:
                    pass

    def _settle(self) -> None:
        """Add what callees do, until nothing changes: the sets only ever grow."""
        callers: dict[Instance, list[Instance]] = {}
        for instance, summary in self._summaries.items():
            for callee in summary.any | summary.own | summary.fresh:
                callers.setdefault(callee, []).append(instance)
        pending = list(self._summaries)
        waiting = set(pending)
        while pending:
            instance = pending.pop()
            waiting.discard(instance)
            summary = self._summaries[instance]
            direct, through = self._direct[instance] | self._of_all(summary.any), self._through[instance]
            for callee in summary.own:
                direct |= self._direct[callee]
                through |= self._through[callee]
            for callee in summary.fresh:
                direct |= self._direct[callee]
            if (direct, through) != (self._direct[instance], self._through[instance]):
                self._direct[instance], self._through[instance] = direct, through
                for caller in callers.get(instance, ()):
                    if caller not in waiting:
                        waiting.add(caller)
                        pending.append(caller)

    # --- new objects -------------------------------------------------------------------------------------------------

    def _is_new(self, value: hir.Expr, assigns: dict[Local, list[hir.Expr]]) -> bool:
        """Whether an expression can only be an object that the function has made, or got from one that does."""
        match value:
            case hir.New():
                return True
            case hir.Cast(value=inner) | hir.Let(value=inner):
                return self._is_new(inner, assigns)
            case hir.Conditional(then=then, orelse=orelse):
                return self._is_new(then, assigns) and self._is_new(orelse, assigns)
            case hir.LocalGet(local=local) if local in assigns:
                without = {other: values for other, values in assigns.items() if other is not local}
                return all(self._is_new(each, without) for each in assigns[local])
            case hir.Call():
                return all(map(self._gives_new, self._callees(value)))
            case _:
                return False

    def _gives_new(self, instance: Instance) -> bool:
        """Whether a function returns nothing but new objects."""
        found = self._returns_new.get(instance)
        if found is None:
            self._returns_new[instance] = False  # for one that calls itself
            summary = self._summaries[instance]
            found = bool(summary.values) and all(
                value is not None and self._is_new(value, summary.assigns) for value in summary.values
            )
            self._returns_new[instance] = found
        return found


def _makes_objects(node: hir.Expr | hir.Stmt) -> bool:
    """Whether the emitter's own code for a node may make an object."""
    return isinstance(node, _MAKERS) or (isinstance(node, hir.LocalGet | hir.GlobalGet) and node.checked)
