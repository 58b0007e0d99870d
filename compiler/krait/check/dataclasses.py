"""`@dataclass`: the methods that the decorator makes, as Krait's own syntax trees.

In: classes with the decorator, whose bases are known. Out: `__init__`, `__repr__`, `__eq__`, the comparisons and
`__hash__` among the class's methods, checked later like those that a program writes. They stand at the class's
heading, and behave as CPython 3.12's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from krait.check.data import DataField, DataOptions
from krait.check.loader import parse_library
from krait.check.types import ClassDecl, FunctionDecl
from krait.diagnostics import Span
from krait.syntax import tree

Report = Callable[[Span, str, str], object]
"""Reports an error: where, what, and what to write instead."""

_ORDER = {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}


@dataclass(frozen=True, slots=True)
class _Maker:
    """What makes the methods of one class."""

    decl: ClassDecl
    options: DataOptions
    fields: list[DataField]
    span: Span

    def compared_type(self) -> tree.expr:
        """What an object can be compared with, as an annotation: the first of its bases that is a dataclass."""
        if not self.decl.type_params:
            first = [cls for cls in self.decl.mro() if cls.data is not None][-1]
            return tree.Name(first.name if first.module is self.decl.module else self.decl.name, tree.LOAD, self.span)
        name = tree.Name(self.decl.name, tree.LOAD, self.span)
        items = tuple(tree.Name(param.name, tree.LOAD, self.span) for param in self.decl.type_params)
        inner = items[0] if len(items) == 1 else tree.Tuple(items, tree.LOAD, self.span)
        return tree.Subscript(name, inner, tree.LOAD, self.span)

    def add(self, text: str, *, other: bool = False) -> None:
        """Add a method by its source; ``other`` stands for an object of the same class."""
        (node,) = parse_library(text, "<dataclass>").body
        assert isinstance(node, tree.FunctionDef)
        if node.name in self.decl.methods:
            return
        for part in tree.walk(node):
            part.span = self.span  # type: ignore[misc]  # nodes are frozen for type checkers alone
        if other:
            own, second = node.args.args
            args = (own, tree.arg(second.arg, self.compared_type(), self.span))
            node = self.with_parameters(node, args, (), ())
        self.method(node).implied = True

    def with_parameters(
        self,
        node: tree.FunctionDef,
        args: tuple[tree.arg, ...],
        defaults: tuple[tree.expr, ...],
        keyword_only: tuple[tuple[tree.arg, tree.expr | None], ...],
    ) -> tree.FunctionDef:
        """The same function with these parameters."""
        names = tuple(arg for arg, _ in keyword_only)
        values = tuple(value for _, value in keyword_only)
        arguments = tree.arguments((), args, None, names, values, None, defaults, self.span)
        return tree.FunctionDef(node.name, arguments, node.body, (), node.returns, (), self.span)

    def method(self, node: tree.FunctionDef) -> FunctionDecl:
        made = FunctionDecl(node.name, self.decl.module, node, self.decl, "method")
        self.decl.methods[node.name] = made
        return made

    def init(self, lines: list[str] | None = None) -> None:
        """``__init__``: fields with a factory call it where no argument is given."""
        lines = lines or [f"    self.{f.name} = {f.name}" for f in self.fields if f.init]
        lines += [f"    self.{f.name} = {f.name}__made" for f in self.fields if not f.init and f.has_default]
        if self.decl.find_method("__post_init__") is not None:
            lines.append("    self.__post_init__()")
        text = "def __init__(self) -> None:\n" + ("\n".join(lines) or "    pass") + "\n"
        (node,) = parse_library(text, "<dataclass>").body
        assert isinstance(node, tree.FunctionDef)
        made = {f"{f.name}__made": self.value_of(f) for f in self.fields if not f.init and f.has_default}
        for part in tree.walk(node):
            part.span = self.span  # type: ignore[misc]  # as above
            if isinstance(part, tree.Assign) and isinstance(part.value, tree.Name) and part.value.id in made:
                part.value = made[part.value.id]  # type: ignore[misc]  # as above
        shown = [f for f in self.fields if f.init]
        args = [tree.arg("self", None, self.span)]
        args += [tree.arg(f.name, f.annotation, f.span) for f in shown if not f.keyword_only]
        defaults = tuple(self.value_of(f) for f in shown if not f.keyword_only and f.has_default)
        keyword_only = tuple(
            (tree.arg(f.name, f.annotation, f.span), self.value_of(f) if f.has_default else None)
            for f in shown
            if f.keyword_only
        )
        done = self.method(self.with_parameters(node, tuple(args), defaults, keyword_only))
        done.factories = {f.name: self.factory(f) for f in shown if f.factory is not None}

    def value_of(self, item: DataField) -> tree.expr:
        """The first value of a field where no argument gives it."""
        if item.factory is not None:
            return tree.Call(item.factory, (), (), item.span)
        assert item.default is not None
        return item.default

    def factory(self, item: DataField) -> FunctionDecl:
        """A static method that calls the factory of a field."""
        empty = tree.arguments((), (), None, (), (), None, (), item.span)
        body = (tree.Return(self.value_of(item), item.span),)
        name = f"<default of {item.name}>"
        node = tree.FunctionDef(name, empty, body, (), item.annotation, (), item.span)
        made = FunctionDecl(name, self.decl.module, node, self.decl, "static")
        self.decl.methods[name] = made
        return made

    def named_tuple(self) -> None:
        """What a ``NamedTuple`` has besides the methods of tuples."""
        names = [f.name for f in self.fields]
        self.init([f"    self.item{at} = {name}" for at, name in enumerate(names)])
        for at, item in enumerate(self.fields):
            (node,) = parse_library(f"def {item.name}(self) -> None:\n    return self.item{at}\n", "<tuple>").body
            assert isinstance(node, tree.FunctionDef)
            for part in tree.walk(node):
                part.span = self.span  # type: ignore[misc]  # as above
            made = tree.FunctionDef(item.name, node.args, node.body, (), item.annotation, (), self.span)
            self.method(made).kind = "property"
        parts = ", ".join(f"{name}={{self.{name}!r}}" for name in names)
        self.add(f'def __repr__(self) -> str:\n    return f"{{type(self).__name__}}({parts})"\n')

    def run(self) -> None:
        if self.options.named:
            self.named_tuple()
            return
        compared = [f.name for f in self.fields if f.compare]
        if self.options.init and "__init__" not in self.decl.methods:
            self.init()
        if self.options.repr:
            parts = ", ".join(f"{f.name}={{self.{f.name}!r}}" for f in self.fields if f.repr)
            name = self.decl.place + "{type(self).__name__}"
            self.add(f'def __repr__(self) -> str:\n    return f"{name}({parts})"\n')
        has_eq = "__eq__" in self.decl.methods
        if self.options.eq:
            tests = "".join(f" and self.{name} == other.{name}" for name in compared)
            same = f"type(self) is type(other) and isinstance(other, {self.decl.name})"
            self.add(f"def __eq__(self, other) -> bool:\n    return {same}{tests}\n", other=True)
        if self.options.order:
            for name, symbol in _ORDER.items():
                message = f"'{symbol}' not supported between instances of '{{type(self).__name__}}' and "
                lines = [
                    f"def {name}(self, other) -> bool:",
                    f"    if type(self) is not type(other) or not isinstance(other, {self.decl.name}):",
                    f"""        raise TypeError(f"{message}'{{type(other).__name__}}'")""",
                ]
                for item in compared:
                    lines.append(f"    if self.{item} != other.{item}:")
                    lines.append(f"        return self.{item} {symbol} other.{item}")
                lines.append(f"    return {'=' in symbol}\n")
                self.add("\n".join(lines), other=True)
        if "__hash__" not in self.decl.methods and not has_eq and self.options.eq:
            if self.options.frozen or self.options.unsafe_hash:
                items = "".join(f"self.{f.name}, " for f in self.fields if f.hashed)
                self.add(f"def __hash__(self) -> int:\n    return hash(({items}))\n")


def make_methods(decl: ClassDecl, report: Report) -> None:
    """Give a dataclass its methods; its base has them already."""
    options = decl.data
    assert options is not None
    start = decl.node.span
    span = Span(start.start_line, start.start_col, start.start_line, start.start_col + len("class ") + len(decl.name))
    fields: dict[str, DataField] = {}
    for base in list(decl.mro())[:0:-1]:
        if base.data is not None:
            fields.update((item.name, item) for item in base.data.fields)
            if base.data.frozen != options.frozen:
                word = "frozen" if base.data.frozen else "not frozen"
                report(span, f"the dataclass `{base.name}` is {word}, and this one is not the same", "make both alike")
    for item in options.fields:
        fields[item.name] = item
    ordered = list(fields.values())
    _check_defaults(ordered, report)
    options.fields = ordered
    _Maker(decl, options, ordered, span).run()


def make_ordering(decl: ClassDecl, report: Report) -> None:
    """``@total_ordering``: the comparisons that a class lacks, made of the one that it has, and of ``==``."""
    span = decl.node.span
    root = next((name for name in _ORDER if name in decl.methods), None)
    if root is None:
        report(span, "`total_ordering` needs one of the comparisons", "write `def __lt__(self, other: …) -> bool:`")
        return
    own, other = [*decl.methods[root].node.args.posonlyargs, *decl.methods[root].node.args.args]
    for name, text in _FROM[root].items():
        (node,) = parse_library(f"def {name}({own.arg}, {other.arg}) -> bool:\n    return {text}\n"
                                .replace("self", own.arg).replace("other", other.arg), "<ordering>").body  # fmt: skip
        assert isinstance(node, tree.FunctionDef)
        for part in tree.walk(node):
            part.span = span  # type: ignore[misc]  # as above
        made = tree.FunctionDef(name, decl.methods[root].node.args, node.body, (), node.returns, (), span)
        if name not in decl.methods:
            model = decl.methods[root]
            decl.methods[name] = FunctionDecl(
                name, decl.module, made, decl, "method", type_params=model.type_params, open_params=model.open_params
            )


_FROM = {
    "__lt__": {
        "__gt__": "not self < other and self != other", "__le__": "self < other or self == other",
        "__ge__": "not self < other",
    },
    "__le__": {
        "__ge__": "not self <= other or self == other", "__lt__": "self <= other and self != other",
        "__gt__": "not self <= other",
    },
    "__gt__": {
        "__lt__": "not self > other and self != other", "__ge__": "self > other or self == other",
        "__le__": "not self > other",
    },
    "__ge__": {
        "__le__": "not self >= other or self == other", "__gt__": "self >= other and self != other",
        "__lt__": "not self >= other",
    },
}  # fmt: skip
"""What `functools.total_ordering` makes of each comparison."""


def _check_defaults(fields: Iterable[DataField], report: Report) -> None:
    seen = False
    for item in fields:
        if isinstance(item.default, tree.List | tree.Dict | tree.Set):
            report(
                item.span,
                f"the default of `{item.name}` would be shared by all objects",
                "write `field(default_factory=…)`",
            )
        if item.init and not item.keyword_only:
            if seen and not item.has_default:
                report(item.span, f"`{item.name}` has no default, but follows a field that has one", "reorder them")
            seen = seen or item.has_default


__all__ = ["make_methods"]
