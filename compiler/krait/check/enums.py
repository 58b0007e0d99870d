"""`Enum`, `IntEnum` and `StrEnum`: what their members are and which methods they have, as Krait's own syntax trees.

In: a class whose base is one of the three. Out: fields `name` and `value`, a variable of the class for each member,
and the methods behind `Color(1)`, `Color["RED"]` and iteration, checked later like those that a program writes.
"""

from __future__ import annotations

from collections.abc import Callable

from krait.check.loader import parse_library
from krait.check.types import ClassDecl, ClassVariable, FunctionDecl, GlobalVar
from krait.diagnostics import Span
from krait.syntax import tree

Report = Callable[[Span, str, str], object]
"""Reports an error: where, what, and what to write instead."""

KINDS = {"Enum": "enum", "IntEnum": "int", "StrEnum": "str"}
"""The classes of the module `enum` that can be derived from, each with what its members are."""

LOOKUP = "<lookup>"
BY_NAME = "<by name>"
MEMBERS = "<members>"
INDEX = "<index>"
AT = "<at>"
"""The names of the methods behind `Color(1)`, `Color["RED"]` and `for c in Color`, and of those that turn members into
places and back for the host; no program can write them.
"""

_STATIC = {"lookup": LOOKUP, "by_name": BY_NAME, "members": MEMBERS, "index": INDEX, "at": AT}

_TYPES: dict[type, str] = {int: "int", str: "str", float: "float", bool: "bool"}


def make_enum(decl: ClassDecl, kind: str, report: Report) -> None:
    """Turn the assignments in the body of a class into members, and give the class the methods of an enum."""
    start = decl.node.span
    span = Span(start.start_line, start.start_col, start.start_line, start.start_col + len("class ") + len(decl.name))
    values: dict[str, tree.expr] = {}
    for node in decl.node.body:
        match node:
            case tree.Assign(targets=(tree.Name(id=name),), value=value) if not name.startswith("_"):
                values[name] = value
            case _:
                pass
    members = _values(decl, values, report)
    for name, value in members.items():
        node = decl.variables[name].node
        made = tree.Call(
            tree.Name(decl.name, tree.LOAD, node.span), (tree.Constant(name, node.span), value), (), node.span
        )
        decl.enum_calls.add(made)
        assign = tree.Assign((tree.Name(name, tree.STORE, node.span),), made, node.span)
        var = GlobalVar(f"{decl.name}.{name}", decl.module, span=node.span)
        decl.variables[name] = ClassVariable(name, decl, assign, var, False)
    decl.members = tuple(members)
    _add_methods(decl, kind, _value_type(members), span)


def _values(decl: ClassDecl, values: dict[str, tree.expr], report: Report) -> dict[str, tree.expr]:
    """The members with their values: ``auto()`` counts up from the one before."""
    found: dict[str, tree.expr] = {}
    seen: dict[object, str] = {}
    last = 0
    for name, value in values.items():
        span = value.span
        match value:
            case tree.Call(func=tree.Name(id="auto") | tree.Attribute(attr="auto"), args=()):
                value = tree.Constant(last + 1, span) if decl.enum != "str" else tree.Constant(name.lower(), span)
            case tree.UnaryOp(op=tree.USub(), operand=tree.Constant(value=int(number))):
                value = tree.Constant(-number, span)
            case _:
                pass
        if not isinstance(value, tree.Constant) or type(value.value) not in _TYPES:
            report(span, "not yet part of Krait: members of an enum that are no literals", "write an int or a text")
            continue
        if value.value in seen:
            report(span, f"not yet part of Krait: `{name}` as another name of `{seen[value.value]}`", "leave it out")
        seen[value.value] = name
        last = value.value if isinstance(value.value, int) else last
        found[name] = value
    if len({type(value.value) for value in found.values() if isinstance(value, tree.Constant)}) > 1:
        report(decl.node.span, "the members of an enum must have values of one type", "use ints, or texts")
    return found


def _value_type(members: dict[str, tree.expr]) -> str:
    first = next(iter(members.values()), None)
    return _TYPES[type(first.value)] if isinstance(first, tree.Constant) else "int"


def _add_methods(decl: ClassDecl, kind: str, value: str, span: Span) -> None:
    name = decl.name
    lines = [f"def __init__(self, name: str, value: {value}) -> None:"]
    lines += ["    self.name = name", "    self.value = value"]
    lines += ["def __repr__(self) -> str:", f'    return f"<{name}.{{self.name}}: {{self.value!r}}>"']
    shown = f'f"{name}.{{self.name}}"' if kind == "enum" else "str(self.value)"
    lines += ["def __str__(self) -> str:", f"    return {shown}"]
    lines += ["def __format__(self, spec: str) -> str:"]
    lines += ["    return format(str(self), spec)" if kind != "int" else "    return format(self.value, spec)"]
    if kind == "int":
        lines += ["def __hash__(self) -> int:", "    return hash(self.value)"]
        lines += ["def __int__(self) -> int:", "    return self.value", "def __index__(self) -> int:"]
        lines += ["    return self.value", "def __bool__(self) -> bool:", "    return self.value != 0"]
    else:
        lines += ["def __hash__(self) -> int:", "    return hash(self.name)"]
    lines += [f"def lookup(value: {value}) -> {name}:"]
    lines += [f"    if value == {name}.{member}.value:\n        return {name}.{member}" for member in decl.members]
    lines += [f'    raise ValueError(f"{{value!r}} is not a valid {name}")', f"def by_name(name: str) -> {name}:"]
    lines += [f"    if name == {member!r}:\n        return {name}.{member}" for member in decl.members]
    listed = ", ".join(f"{name}.{member}" for member in decl.members)
    lines += ["    raise KeyError(name)", f"def index(member: {name}) -> int:"]
    numbered = list(enumerate(decl.members))
    lines += [f"    if member is {name}.{member}:\n        return {at}" for at, member in numbered]
    lines += ["    raise ValueError('no member')", f"def at(place: int) -> {name}:"]
    lines += [f"    if place == {at}:\n        return {name}.{member}" for at, member in numbered]
    lines += ["    raise ValueError('no member')", f"def members() -> list[{name}]:", f"    return [{listed}]"]
    for node in parse_library("\n".join(lines) + "\n", "<enum>").body:
        assert isinstance(node, tree.FunctionDef)
        for part in tree.walk(node):
            part.span = span  # type: ignore[misc]  # nodes are frozen for type checkers alone
        static = _STATIC.get(node.name)
        if static is None and node.name in decl.methods:
            continue
        method = FunctionDecl(node.name, decl.module, node, decl, "static" if static else "method")
        decl.methods[static or node.name] = method


__all__ = ["AT", "BY_NAME", "INDEX", "KINDS", "LOOKUP", "MEMBERS", "make_enum"]
