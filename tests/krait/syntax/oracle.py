"""Trees of CPython's `ast` and of Krait in one form, so that they can be compared.

A node becomes `(class, span or None, {field: value})`; columns are code points in both.
"""

from __future__ import annotations

import ast
import warnings
from typing import Any

from krait.diagnostics import DiagnosticSink
from krait.syntax import tree
from krait.syntax.parser import parse

# What ast has and Krait's tree has not.
_LEFT_OUT = {"type_comment", "type_ignores", "kind", "is_async", "default_value"}  # the last is newer than 3.12
# Nodes to which ast gives no place.
_WITHOUT_PLACE = (
    tree.Module, tree.arguments, tree.comprehension, tree.withitem, tree.match_case,
)  # fmt: skip


def from_cpython(source: str, *, spans: bool = True) -> Any:
    """The tree of CPython; SyntaxError where it refuses `source`."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    encoded = [line.encode() for line in lines]

    def column(line: int, offset: int) -> int:
        return offset if lines[line - 1].isascii() else len(encoded[line - 1][:offset].decode())

    def convert(value: Any) -> Any:
        if isinstance(value, list):
            return [convert(item) for item in value]
        if not isinstance(value, ast.AST):
            return repr(value) if isinstance(value, float | complex) else value
        span = None
        if spans and "lineno" in value._attributes:
            node: Any = value
            span = (node.lineno, column(node.lineno, node.col_offset),
                    node.end_lineno, column(node.end_lineno, node.end_col_offset))
        fields = {name: convert(getattr(value, name, None)) for name in value._fields if name not in _LEFT_OUT}
        if isinstance(value, ast.JoinedStr):  # some versions keep empty text in format specs
            fields["values"] = [item for item in fields["values"] if item[2].get("value") != ""]
        if isinstance(value, ast.FunctionDef | ast.ClassDef):
            fields.setdefault("type_params", [])  # before 3.12
        return type(value).__name__, span, fields

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes and the like, which are not under test
        return convert(ast.parse(source))


def from_krait(module: tree.Module, *, spans: bool = True) -> Any:
    """The tree of Krait."""

    def convert(value: Any) -> Any:
        if isinstance(value, tuple):
            return [convert(item) for item in value]
        if isinstance(value, tree.AST):
            place = tuple(value.span) if spans and not isinstance(value, _WITHOUT_PLACE) else None
            return type(value).__name__, place, {name: convert(getattr(value, name)) for name in value._fields}
        if isinstance(value, tree.Symbol):
            return type(value).__name__, None, {}
        return repr(value) if isinstance(value, float | complex) else value

    return convert(module)


def without_string_places(form: Any) -> Any:
    """`form` with no places inside of f-strings: they are what CPython's versions disagree about."""

    def strip(value: Any, inside: bool) -> Any:
        if isinstance(value, list):
            return [strip(item, inside) for item in value]
        if isinstance(value, tuple):
            name, span, fields = value
            deeper = inside or name == "JoinedStr"
            return name, None if inside else span, {key: strip(item, deeper) for key, item in fields.items()}
        return value

    return strip(form, False)


def first_difference(left: Any, right: Any, path: str = "") -> str | None:
    """Where two forms differ first, in words; None where they are equal."""
    if isinstance(left, tuple) and isinstance(right, tuple):
        if left[:2] != right[:2]:
            return f"{path}: {left[:2]} != {right[:2]}"
        if left[2].keys() != right[2].keys():
            return f"{path}: fields {left[2].keys()} != {right[2].keys()}"
        for key in left[2]:
            if found := first_difference(left[2][key], right[2][key], f"{path}.{key}"):
                return found
        return None
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            return f"{path}: {len(left)} items != {len(right)}"
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            if found := first_difference(one, other, f"{path}[{index}]"):
                return found
        return None
    return None if left == right and type(left) is type(right) else f"{path}: {left!r} != {right!r}"


def is_compiled(source: str) -> bool:
    """Whether CPython's compiler takes `source`: it refuses more than its parser does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "test.kr", "exec")
        except (SyntaxError, ValueError):
            return False
    return True


def krait_tree(source: str) -> tuple[tree.Module | None, DiagnosticSink]:
    """What the parser makes of `source`."""
    sink = DiagnosticSink("test.kr")
    return parse(source, "test.kr", sink), sink
