"""`Enum`, `IntEnum`, `StrEnum`, `Flag` and `IntFlag`: their members and methods, as Krait's own syntax trees.

In: a class whose base is one of these. Out: fields `name` and `value`, a variable of the class for each member,
and the methods behind `Color(1)`, `Color["RED"]` and iteration, checked later like those that a program writes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from krait.check.flags import is_single, source_of_flag
from krait.check.loader import parse_library
from krait.check.types import ClassDecl, ClassVariable, FunctionDecl, GlobalVar
from krait.check.vocabulary import LIBRARY
from krait.diagnostics import Span
from krait.syntax import tree

Report = Callable[[Span, str, str], object]
"""Reports an error: where, what, and what to write instead."""

KINDS = {"Enum": "enum", "IntEnum": "int", "StrEnum": "str", "Flag": "flag", "IntFlag": "int flag"}
"""The classes of the module `enum` that can be derived from, each with what its members are."""

LOOKUP = "<lookup>"
BY_NAME = "<by name>"
MEMBERS = "<members>"
INDEX = "<index>"
AT = "<at>"
"""The names of the methods behind `Color(1)`, `Color["RED"]` and `for c in Color`, and of those that turn members into
places and back for the host; no program can write them.
"""

_COMBINED = "<combined>"
"""The variable with the combinations of flags that have been met, by their values."""

_STATIC = {"lookup": LOOKUP, "by_name": BY_NAME, "members": MEMBERS, "index": INDEX, "at": AT}

_TYPES: dict[type, str] = {int: "int", str: "str", float: "float", bool: "bool"}


def make_enum(decl: ClassDecl, is_named: bool, report: Report) -> None:
    """Turn the assignments in the body of a class into members, and give the class the methods of an enum.

    is_named: `str()` of a member is its name, as it is where the class derives from `Enum` itself.
    """
    start = decl.node.span
    span = Span(start.start_line, start.start_col, start.start_line, start.start_col + len("class ") + len(decl.name))
    values: dict[str, tree.expr] = {}
    for node in decl.node.body:
        match node:
            case tree.Assign(targets=(tree.Name(id=name),), value=value) if not name.startswith("_"):
                values[name] = value
            case _:
                pass
    members, aliases = _values(decl, values, report)
    for name, value in members.items():
        node = decl.variables[name].node
        made = tree.Call(
            tree.Name(decl.name, tree.LOAD, node.span), (tree.Constant(name, node.span), value), (), node.span
        )
        decl.enum_calls.add(made)
        _set_variable(decl, name, made, node.span)
    for name, other in aliases.items():
        node = decl.variables[name].node
        _set_variable(decl, name, tree.Name(other, tree.LOAD, node.span), node.span)
    _inline_init(decl, next(iter(members.values()), None))
    kind = decl.enum
    if "flag" not in kind:
        decl.members = tuple(members)
        _add_methods(decl, _lines(decl, is_named, _value_type(members), aliases), span)
        return
    constants = {name: node.value for name, node in members.items() if isinstance(node, tree.Constant)}
    numbers = {name: value for name, value in constants.items() if isinstance(value, int)}
    decl.members = tuple(name for name, value in numbers.items() if is_single(value))
    _keep_combinations(decl, span)
    _add_methods(decl, source_of_flag(decl.name, numbers, aliases, is_int="int" in kind), span)


def _set_variable(decl: ClassDecl, name: str, value: tree.expr, span: Span) -> None:
    assign = tree.Assign((tree.Name(name, tree.STORE, span),), value, span)
    var = GlobalVar(f"{decl.name}.{name}", decl.module, span=span)
    decl.variables[name] = ClassVariable(name, decl, assign, var, False)


def _values(
    decl: ClassDecl, values: dict[str, tree.expr], report: Report
) -> tuple[dict[str, tree.expr], dict[str, str]]:
    """The members with their values, and what is another name of one. ``auto()`` counts up from the greatest so far."""
    found: dict[str, tree.expr] = {}
    aliases: dict[str, str] = {}
    names: dict[object, str] = {}
    known: dict[str, object] = {}
    greatest = 0
    is_counted = [getattr(base, "id", "") for base in decl.node.bases] != ["str", "Enum"]
    for name, node in values.items():
        span = node.span
        match node:
            case tree.Call(func=tree.Name(id="auto") | tree.Attribute(attr="auto"), args=()) if is_counted:
                value: object = name.lower() if decl.enum == "str" else greatest + 1
                if "flag" in decl.enum:
                    value = 1 << greatest.bit_length()
            case _:
                value = _constant(node, known)
        if value is None:
            message = "not part of Krait: members of an enum whose values are not known when the program is compiled"
            report(span, message, "write a literal, or an expression of literals")
            continue
        if "flag" in decl.enum and not (isinstance(value, int) and value >= 0):
            report(span, "not part of Krait: flags whose values are no ints from 0 on", "write `auto()`")
            continue
        known[name] = value
        if (value, type(value)) in names:
            aliases[name] = names[value, type(value)]
            continue
        names[value, type(value)] = name
        greatest = max(greatest, value) if isinstance(value, int) else greatest
        found[name] = _literal(value, span)
    return found, aliases


def _constant(node: tree.expr, known: dict[str, object]) -> object:
    """Return the value of an expression of literals and earlier members, None for others."""
    match node:
        case tree.Constant(value=value) if type(value) in _TYPES:
            return value
        case tree.Name(id=name):
            return known.get(name)
        case tree.UnaryOp(op=tree.USub(), operand=operand):
            inner = _constant(operand, known)
            return -inner if isinstance(inner, int | float) else None
        case tree.BinOp(op=op, left=left, right=right) if type(op) in _OPERATORS:
            a, b = _constant(left, known), _constant(right, known)
            is_small = isinstance(a, int) and isinstance(b, int) and abs(b) < 64
            return _OPERATORS[type(op)](a, b) if is_small and isinstance(a, int) and isinstance(b, int) else None
        case tree.Tuple(elts=parts):
            items = [_constant(part, known) for part in parts]
            return None if None in items else tuple(items)
        case _:
            return None


_OPERATORS: dict[type[tree.operator], Callable[[int, int], int]] = {
    tree.Add: operator.add,
    tree.Sub: operator.sub,
    tree.Mult: operator.mul,
    tree.LShift: lambda a, b: a << max(b, 0),
    tree.BitOr: operator.or_,
    tree.BitAnd: operator.and_,
}


def _literal(value: object, span: Span) -> tree.expr:
    if isinstance(value, tuple):
        return tree.Tuple(tuple(_literal(item, span) for item in value), tree.LOAD, span)
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        return tree.UnaryOp(tree.USUB, tree.Constant(-value, span), span)
    assert isinstance(value, int | float | str)
    return tree.Constant(value, span)


def _value_type(members: dict[str, tree.expr]) -> str:
    return " | ".join(dict.fromkeys(map(_type_of, members.values()))) or "int"


def _type_of(node: tree.expr) -> str:
    match node:
        case tree.Tuple(elts=parts):
            return f"tuple[{', '.join(map(_type_of, parts))}]" if parts else "tuple[()]"
        case tree.UnaryOp(operand=operand):
            return _type_of(operand)
        case _:
            assert isinstance(node, tree.Constant)
            return _TYPES[type(node.value)]


def _inline_init(decl: ClassDecl, first: tree.expr | None) -> None:
    """Let the ``__init__`` of an enum take a member's name and value; its own parameters are the items of the value."""
    own = decl.methods.pop("__init__", None)
    if own is None or first is None:
        return
    span = decl.node.span
    arguments = [*own.node.args.posonlyargs, *own.node.args.args]
    value = tree.Name("value", tree.LOAD, span)
    body: list[tree.stmt] = []
    for at, arg in enumerate(arguments[1:]):
        item: tree.expr = value
        if isinstance(first, tree.Tuple):
            item = tree.Subscript(value, tree.Constant(at, span), tree.LOAD, span)
        target = tree.Name(arg.arg, tree.STORE, span)
        if arg.arg != "value":
            body.append(tree.AnnAssign(target, arg.annotation, item, 1, span) if arg.annotation is not None
                        else tree.Assign((target,), item, span))  # fmt: skip
    decl.enum_init = (*body, *own.node.body)


def _keep_combinations(decl: ClassDecl, span: Span) -> None:
    annotation = tree.Constant(f"dict[int, {decl.name}]", span)
    assign = tree.AnnAssign(tree.Name(_COMBINED, tree.STORE, span), annotation, tree.Dict((), (), span), 1, span)
    var = GlobalVar(f"{decl.name}.{_COMBINED}", decl.module, span=span)
    decl.variables[_COMBINED] = ClassVariable(_COMBINED, decl, assign, var, False)


def _lines(decl: ClassDecl, is_named: bool, value: str, aliases: dict[str, str]) -> str:
    """Return the definitions of an enum that is none of flags."""
    name, is_int = decl.name, decl.enum == "int"
    lines = [f"def __init__(self, name: str, value: {value}) -> None:"]
    lines += ["    self.name = name", "    self.value = value"]
    lines += ["def __repr__(self) -> str:", f'    return f"<{name}.{{self.name}}: {{self.value!r}}>"']
    shown = f'f"{name}.{{self.name}}"' if is_named else "str(self.value)"
    lines += ["def __str__(self) -> str:", f"    return {shown}"]
    lines += ["def __format__(self, spec: str) -> str:"]
    whole = "format(str(self), spec)"
    lines += [f"    return {whole if is_named else f'format(self.value, spec) if spec else {whole}'}"]
    if is_int:
        lines += ["def __hash__(self) -> int:", "    return hash(self.value)"]
        lines += ["def __int__(self) -> int:", "    return self.value", "def __index__(self) -> int:"]
        lines += ["    return self.value", "def __bool__(self) -> bool:", "    return self.value != 0"]
    else:
        lines += ["def __hash__(self) -> int:", "    return hash(self.name)"]
    lines += [f"def lookup(value: {value}) -> {name}:"]
    lines += [f"    if value == {name}.{member}.value:\n        return {name}.{member}" for member in decl.members]
    if "_missing_" in decl.methods:
        lines += [f"    found = {name}._missing_(value)", f"    if isinstance(found, {name}):", "        return found"]
    lines += [f'    raise ValueError(f"{{value!r}} is not a valid {name}")', f"def by_name(name: str) -> {name}:"]
    named = dict.fromkeys(decl.members, "") | aliases
    lines += [f"    if name == {member!r}:\n        return {name}.{other or member}" for member, other in named.items()]
    listed = ", ".join(f"{name}.{member}" for member in decl.members)
    lines += ["    raise KeyError(name)", f"def index(member: {name}) -> int:"]
    numbered = list(enumerate(decl.members))
    lines += [f"    if member is {name}.{member}:\n        return {at}" for at, member in numbered]
    lines += ["    raise ValueError('no member')", f"def at(place: int) -> {name}:"]
    lines += [f"    if place == {at}:\n        return {name}.{member}" for at, member in numbered]
    lines += ["    raise ValueError('no member')", f"def members() -> list[{name}]:", f"    return [{listed}]"]
    return "\n".join(lines) + "\n"


def _add_methods(decl: ClassDecl, source: str, span: Span) -> None:
    """Give a class the methods of a source, but for those that it has."""
    for node in parse_library(source, "<enum>").body:
        assert isinstance(node, tree.FunctionDef)
        for part in tree.walk(node):
            part.span = span  # type: ignore[misc]  # nodes are frozen for type checkers alone
            if isinstance(part, tree.Attribute) and part.attr == "combined_":
                part.attr = _COMBINED  # type: ignore[misc]  # as above
            elif isinstance(part, tree.Call) and isinstance(part.func, tree.Name) and part.func.id == "new_":
                part.func.id = decl.name  # type: ignore[misc]  # as above
                decl.enum_calls.add(part)
            elif isinstance(part, tree.Name) and part.id == "Iterator":
                part.id = f"{LIBRARY}krait.iterator.Iterator"  # type: ignore[misc]  # as above
        if node.name == "__init__" and decl.enum_init:
            node = tree.FunctionDef("__init__", node.args, (*node.body, *decl.enum_init), (), node.returns, (), span)
        static = _STATIC.get(node.name)
        if static is None and node.name in decl.methods:
            continue
        method = FunctionDecl(node.name, decl.module, node, decl, "static" if static else "method")
        decl.methods[static or node.name] = method


__all__ = ["AT", "BY_NAME", "INDEX", "KINDS", "LOOKUP", "MEMBERS", "make_enum"]
