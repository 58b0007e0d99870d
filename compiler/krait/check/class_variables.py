"""Variables of classes that get their values from assignments alone, if ever, each with a mark that says so.

In: declarations. Out: such variables. ``cls.count += 1`` gives a class a variable of its own, where it had that of its
base. A check that finds one that it did not know begins anew (`program`), since what has been checked before has read
the base's.
"""

from __future__ import annotations

from collections.abc import Collection

from krait.check.types import BOOL, ClassDecl, ClassVariable, GlobalVar
from krait.diagnostics import Span
from krait.syntax import tree

_MARK = " (has a value)"


def late_variable(decl: ClassDecl, name: str, annotation: tree.expr, span: Span) -> ClassVariable:
    """Return a variable of a class whose body gives it no value."""
    node = tree.AnnAssign(tree.Name(name, tree.STORE, span), annotation, None, True, span)
    var = GlobalVar(f"{decl.name}.{name}", decl.module, span=span)
    mark = GlobalVar(f"{var.name}{_MARK}", decl.module, BOOL)
    return ClassVariable(name, decl, node, var, False, mark)


def add_own_variables(decl: ClassDecl, known: Collection[tuple[str, str, str]]) -> None:
    """Give a class the variables of its own that assignments have been found to give it."""
    if decl.base is None or not known:
        return
    names = dict.fromkeys(name for base in decl.base.mro() for name in base.variables)
    for name in names:
        if own_variable(decl, name) in known and name not in decl.variables:
            decl.variables[name] = late_variable(decl, name, tree.Constant(None, decl.node.span), decl.node.span)


def own_variable(decl: ClassDecl, name: str) -> tuple[str, str, str]:
    """Return what stands for a variable of a class from one check to the next."""
    return decl.module.name, decl.qualified_name, name


def inherited_variable(decl: ClassDecl, name: str) -> ClassVariable | None:
    """Return the variable of that name that a class would have without one of its own."""
    return decl.base.find_variable(name) if decl.base is not None else None


def always_has(decl: ClassDecl, name: str) -> bool:
    """Return whether a variable of a class, or that of a base, has a value whenever it is read."""
    return any(name in part.variables and part.variables[name].mark is None for part in decl.mro())
