"""What CPython says where a class is called that cannot be called so.

In: a class and a call. Out: the message of the TypeError.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check.signatures import signature
from krait.check.types import ClassDecl
from krait.check.world import World
from krait.syntax import tree


def wrong_arguments(world: World, decl: ClassDecl, node: tree.Call) -> str:
    """Return what is wrong with the arguments of a call of a class."""
    init = decl.find_method("__init__")
    if init is None:
        return f"{decl.name}() takes no arguments"
    params = signature(world, init).params
    name = f"{init.owner.qualified_name if init.owner is not None else decl.name}.__init__()"
    named = {keyword.arg for keyword in node.keywords}
    for keyword in node.keywords:
        if not any(keyword.arg == param.name or param.keywords for param in params):
            return f"{name} got an unexpected keyword argument '{keyword.arg}'"
    positional = [param for param in params if not (param.keyword_only or param.variadic or param.keywords)]
    required = [param for param in positional if param.default is None]
    if len(node.args) > len(positional) and not any(param.variadic for param in params):
        least, most = len(required) + 1, len(positional) + 1
        takes = f"from {least} to {most} positional arguments" if least < most else _count(most, "positional argument")
        return f"{name} takes {takes} but {len(node.args) + 1} were given"
    given = len(node.args)
    missing = [param.name for param in positional[given:] if param.default is None and param.name not in named]
    if missing:
        return f"{name} missing {_count(len(missing), 'required positional argument')}: {_listed(missing)}"
    missing = [param.name for param in params if param.keyword_only and param.default is None]
    missing = [param for param in missing if param not in named]
    if missing:
        return f"{name} missing {_count(len(missing), 'required keyword-only argument')}: {_listed(missing)}"
    return f"{name} does not take arguments of these types"


def abstract_message(decl: ClassDecl) -> str:
    """Return what is wrong with making an object of an abstract class."""
    names = ", ".join(map(repr, decl.missing_methods()))
    plural = "s" if len(decl.missing_methods()) > 1 else ""
    return f"Can't instantiate abstract class {decl.name} without an implementation for abstract method{plural} {names}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _listed(names: Sequence[str]) -> str:
    """Return names as CPython lists them."""
    *before, last = map(repr, names)
    return f"{', '.join(before)}{',' * (len(before) > 1)} and {last}" if before else last
