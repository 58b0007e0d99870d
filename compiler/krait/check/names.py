"""Which names a piece of source assigns to, found without types.

In: statements. Out: the names that are local to a function (or belong to a module), the names that a loop's body
changes, and spelling suggestions. Nested functions and classes are scopes of their own and are not entered;
the targets of comprehensions belong to the comprehension, those of ``:=`` in it to the function.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from krait.diagnostics import Span
from krait.syntax import tree


@dataclass(slots=True)
class Names:
    """What a piece of source does with names.

    assigned: each name with the places of its assignments.  global_names, nonlocal_names: from the statements of that
    name. fields: names of attributes that are assigned to.  has_walrus: an expression assigns to a variable.
    has_yield: it makes the function a generator.
    """

    assigned: dict[str, list[Span]] = field(default_factory=dict)
    global_names: dict[str, Span] = field(default_factory=dict)
    nonlocal_names: dict[str, Span] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)
    has_walrus: bool = False
    has_yield: bool = False

    def add(self, name: str, span: Span) -> None:
        """Note an assignment."""
        self.assigned.setdefault(name, []).append(span)


def scan(statements: Iterable[tree.AST]) -> Names:
    """Return what ``statements`` do with names."""
    names = Names()
    for node in walk_scope(statements):
        if type(node) in _TELLING:
            _visit(node, names)
    return names


_SCOPES = (tree.FunctionDef, tree.ClassDef, tree.Lambda)


def walk_scope(roots: Iterable[tree.AST], *, targets: bool = False) -> Iterator[tree.AST]:
    """All nodes below ``roots`` that belong to the same scope, targets of comprehensions only if asked for."""
    pending: list[tree.AST] = list(roots)[::-1]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, _SCOPES):
            pending.extend(reversed(_evaluated_outside(node)))
        elif isinstance(node, tree.comprehension) and not targets:
            pending.extend((node.iter, *node.ifs))
        else:
            pending.extend([*tree.iter_child_nodes(node)][::-1])


def _evaluated_outside(node: tree.FunctionDef | tree.ClassDef | tree.Lambda) -> list[tree.expr]:
    """What belongs to the scope around a function or class: defaults, decorators, bases."""
    match node:
        case tree.FunctionDef(args=arguments, decorator_list=decorators):
            outside = [*decorators]
        case tree.Lambda(args=arguments):
            outside = []
        case tree.ClassDef():
            return [*node.decorator_list, *node.bases]
    return [*outside, *arguments.defaults, *(item for item in arguments.kw_defaults if item is not None)]


def _visit(node: tree.AST, names: Names) -> None:
    match node:
        case tree.Name(id=name, ctx=tree.Store() | tree.Del()):
            names.add(name, node.span)
        case tree.Attribute(attr=attr, ctx=tree.Store() | tree.Del()):
            names.fields.add(attr)
        case tree.NamedExpr(target=target):
            names.has_walrus = True
            names.add(target.id, target.span)
        case tree.Yield() | tree.YieldFrom():
            names.has_yield = True
        case tree.FunctionDef(name=name) | tree.ClassDef(name=name):
            names.add(name, node.span)
        case tree.Import() | tree.ImportFrom():
            for alias in node.names:
                names.add(alias.asname or alias.name.partition(".")[0], alias.span)
        case tree.ExceptHandler(name=str(name)) | tree.MatchAs(name=str(name)) | tree.MatchStar(name=str(name)):
            names.add(name, node.span)
        case tree.MatchMapping(rest=str(name)):
            names.add(name, node.span)
        case tree.Global():
            names.global_names.update(dict.fromkeys(node.names, node.span))
        case tree.Nonlocal():
            names.nonlocal_names.update(dict.fromkeys(node.names, node.span))
        case _:
            pass


_TELLING = frozenset(
    {
        *(tree.Name, tree.Attribute, tree.NamedExpr, tree.Yield, tree.YieldFrom, tree.FunctionDef, tree.ClassDef),
        *(tree.Import, tree.ImportFrom, tree.ExceptHandler, tree.MatchAs, tree.MatchStar, tree.MatchMapping),
        *(tree.Global, tree.Nonlocal),
    }
)
"""The nodes that `_visit` looks into."""


def names_of_target(target: tree.expr) -> Iterator[tree.Name]:
    """The names that a target of an assignment, ``for`` or comprehension binds."""
    for node in tree.walk(target):
        if isinstance(node, tree.Name) and not isinstance(node.ctx, tree.Load):
            yield node


_COMPARED = 1000
"""Names that a misspelt one is compared with: a program with thousands of errors is to be checked too."""


def did_you_mean(name: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """A hint that names the candidate closest to a misspelt name, or nothing."""
    size = len(name)
    near = (c for c in candidates if 0.4 * size <= len(c) <= 2.4 * size and (c[0] != "_" or name[:1] == "_"))
    close = difflib.get_close_matches(name, islice(near, _COMPARED), 1, 0.6)
    return (f"did you mean `{close[0]}`?",) if close else ()


def object_of_type(node: tree.expr) -> tree.expr | None:
    """Return the object whose class ``type(x)`` or ``x.__class__`` asks for, None for anything else."""
    match node:
        case tree.Call(func=tree.Name(id="type"), args=(subject,), keywords=()):
            return subject
        case tree.Attribute(value=subject, attr="__class__"):
            return subject
        case _:
            return None
