"""Classes that calls make: `namedtuple("Point", "x y")`, `NamedTuple("Point", [("x", int)])`, `Enum("Color", "RED")`.

In: the statements of a module. Out: the same with a class in the place of each such assignment, if its fields or
members are literals. Nothing says the types of a `namedtuple`'s fields: they are those of the literals, and of what
else shows its type by its form, that the module's calls of it give.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from krait.check.decorators import Report, decorator_name
from krait.check.vocabulary import LIBRARY
from krait.syntax import tree

_ENUMS = frozenset(("Enum", "IntEnum", "StrEnum"))


def classes_of_calls(body: Iterable[tree.stmt], report: Report) -> tuple[tree.stmt, ...]:
    """Return the statements of a module, classes that calls make being written out."""
    statements = tuple(body)
    return tuple(_class_of(node, statements, report) or node for node in statements)


def _class_of(node: tree.stmt, body: tuple[tree.stmt, ...], report: Report) -> tree.ClassDef | None:
    match node:
        case tree.Assign(targets=(tree.Name(id=name),), value=tree.Call(args=(first, fields)) as call):
            if not isinstance(first, tree.Constant) or first.value != name:
                return None
        case _:
            return None
    kind = decorator_name(call)
    if kind == "namedtuple":
        return _untyped(name, _words(fields), call, body, report)
    if kind == "NamedTuple" and not call.keywords:
        return _typed(name, fields, call)
    if kind in _ENUMS and not call.keywords:
        return _enum(name, _words(fields), kind, call)
    return None


def _words(node: tree.expr) -> list[str]:
    """Return the names that a literal lists: in a list, or in a text with blanks or commas between them."""
    match node:
        case tree.Constant(value=str(text)):
            return text.replace(",", " ").split()
        case tree.List(elts=items) | tree.Tuple(elts=items):
            return [item.value for item in items if isinstance(item, tree.Constant) and isinstance(item.value, str)]
        case _:
            return []


def _untyped(
    name: str, fields: list[str], call: tree.Call, body: tuple[tree.stmt, ...], report: Report
) -> tree.ClassDef | None:
    defaults: tuple[tree.expr, ...] = ()
    for keyword in call.keywords:
        if keyword.arg != "defaults" or not isinstance(keyword.value, tree.List | tree.Tuple):
            return None
        defaults = keyword.value.elts
    if not fields or len(defaults) > len(fields) or not all(map(str.isidentifier, fields)):
        return None
    values = dict(zip(fields[::-1], defaults[::-1], strict=False))
    types: dict[str, dict[str, None]] = {field: {} for field in fields}
    for field, value in (*values.items(), *_given(name, fields, body)):
        found = _type_of(value, body)
        if field in types and found is not None:
            types[field][found] = None
    span = call.span
    unknown = [field for field in fields if not types[field]]
    if unknown:
        report(span, f"the type of `{unknown[0]}` of `{name}` is not known",
               f"write `class {name}(NamedTuple):` with a type for each field")  # fmt: skip
    parts = tuple(
        tree.AnnAssign(
            tree.Name(field, tree.STORE, span),
            tree.Constant(" | ".join(types[field]) or "int", span),
            values.get(field),
            1,
            span,
        )
        for field in fields
    )
    return _named(name, parts, "typing.NamedTuple", call)


def _given(name: str, fields: list[str], body: tuple[tree.stmt, ...]) -> Iterator[tuple[str, tree.expr]]:
    """What the calls of a class give to its fields."""
    for root in body:
        for node in tree.walk(root):
            if isinstance(node, tree.Call) and isinstance(node.func, tree.Name) and node.func.id == name:
                yield from zip(fields, node.args, strict=False)
                yield from ((keyword.arg or "", keyword.value) for keyword in node.keywords)


_CONVERSIONS = {"int": "int", "float": "float", "str": "str", "bool": "bool", "len": "int", "round": "int"}


def _type_of(node: tree.expr, body: tuple[tree.stmt, ...]) -> str | None:
    """Return the text of the type of an expression, if its form shows it."""
    match node:
        case tree.Constant(value=None):
            return "None"
        case tree.Constant(value=bool() | int() | float() | str() as value):
            return type(value).__name__
        case tree.JoinedStr():
            return "str"
        case tree.UnaryOp(op=tree.USub(), operand=operand):
            return _type_of(operand, body)
        case tree.List(elts=items) | tree.Tuple(elts=items) if items:
            types = [_type_of(item, body) for item in items]
            if isinstance(node, tree.Tuple):
                return f"tuple[{', '.join(map(str, types))}]" if None not in types else None
            return f"list[{types[0]}]" if types[0] is not None and len(set(types)) == 1 else None
        case tree.Call(func=tree.Name(id=name)) if name in _CONVERSIONS:
            return _CONVERSIONS[name]
        case tree.Call(func=tree.Name(id=name)):
            is_class = any(isinstance(other, tree.ClassDef) and other.name == name for other in body)
            return name if is_class else None
        case _:
            return None


def _typed(name: str, fields: tree.expr, call: tree.Call) -> tree.ClassDef | None:
    parts: list[tree.stmt] = []
    for item in fields.elts if isinstance(fields, tree.List | tree.Tuple) else ():
        match item:
            case tree.Tuple(elts=(tree.Constant(value=str(field)), annotation)):
                parts.append(tree.AnnAssign(tree.Name(field, tree.STORE, item.span), annotation, None, 1, item.span))
            case _:
                return None
    return _named(name, tuple(parts), "typing.NamedTuple", call) if parts else None


def _enum(name: str, members: list[str], kind: str, call: tree.Call) -> tree.ClassDef | None:
    span = call.span
    parts = tuple(
        tree.Assign(
            (tree.Name(member, tree.STORE, span),),
            tree.Constant(member.lower() if kind == "StrEnum" else place, span),
            span,
        )
        for place, member in enumerate(members, 1)
    )
    return _named(name, parts, f"enum.{kind}", call) if parts else None


def _named(name: str, body: tuple[tree.stmt, ...], base: str, call: tree.Call) -> tree.ClassDef:
    root = tree.Name(LIBRARY + base, tree.LOAD, call.func.span)
    return tree.ClassDef(name, (root,), (), body, (), (), call.span)


__all__ = ["classes_of_calls"]
