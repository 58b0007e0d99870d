"""Which variables functions share, found without types.

In: syntax. Out: the names that a function, lambda or generator expression uses of the scopes around it, and for the
variables of a function whether those within it may keep a copy of the value or must share a cell.

A copy will do for a variable that has its only value before the function that uses it is made: a parameter that is
never assigned to, or a name that one statement of the body's own level assigns to, further up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from krait.check.names import names_of_target, scan, walk_scope
from krait.syntax import tree

Nested = tree.FunctionDef | tree.Lambda | tree.GeneratorExp

_AT_ONCE = frozenset(
    ("sum", "any", "all", "min", "max", "list", "sorted", "tuple", "set", "frozenset", "dict", "join", "extend")
)
"""What uses up a generator expression while it runs, so that no function of its own is made for it."""


@dataclass(slots=True)
class Captures:
    """What the functions within a piece of source use.

    first: each name that they use with the line and column of the first such function.  rebound: those that they assign
    to by ``nonlocal``.
    """

    first: dict[str, tuple[int, int]] = field(default_factory=dict)
    rebound: set[str] = field(default_factory=set)


def free_names(node: Nested) -> frozenset[str]:
    """Return the names that a function uses and does not bind itself."""
    return frozenset(_free(node))


def captures(statements: Iterable[tree.AST]) -> Captures:
    """Return what the functions within ``statements`` use of the scope that these belong to."""
    found = Captures()
    for node in nested_functions(statements):
        place = (node.span.start_line, node.span.start_col)
        for name, rebinds in _free(node).items():
            found.first[name] = min(place, found.first.get(name, place))
            if rebinds:
                found.rebound.add(name)
    return found


def nested_functions(statements: Iterable[tree.AST]) -> Iterator[Nested]:
    """The functions directly within ``statements`` for which objects are made."""
    roots = list(statements)
    consumed: set[int] = set()
    for node in walk_scope(roots, targets=True):
        match node:
            case tree.Call(func=func, args=(tree.GeneratorExp() as only, *_)):
                name = func.id if isinstance(func, tree.Name) else func.attr if isinstance(func, tree.Attribute) else ""
                if name in _AT_ONCE:
                    consumed.add(id(only))
            case tree.For(iter=tree.GeneratorExp() as only) | tree.comprehension(iter=tree.GeneratorExp() as only):
                consumed.add(id(only))
            case tree.FunctionDef() | tree.Lambda():
                yield node
            case tree.GeneratorExp() if id(node) not in consumed:
                yield node
            case _:
                pass


def must_share(name: str, statements: Sequence[tree.stmt], used: Captures, *, is_parameter: bool) -> bool:
    """Return whether the variable ``name`` of a function with the body ``statements`` needs a cell."""
    if name in used.rebound:
        return True
    places = scan(statements).assigned.get(name, [])
    if is_parameter:
        return bool(places)
    if len(places) != 1:
        return True
    for statement in statements:
        bound = _bound_by(statement)
        if name in bound:
            end = (statement.span.end_line, statement.span.end_col)
            return end > used.first[name]
    return True


def _bound_by(statement: tree.stmt) -> set[str]:
    """Return the names that a statement surely binds."""
    match statement:
        case tree.Assign(targets=targets):
            return {node.id for target in targets for node in names_of_target(target)}
        case tree.AnnAssign(target=target, value=value) if value is not None:
            return {node.id for node in names_of_target(target)}
        case tree.FunctionDef(name=name):
            return {name}
        case _:
            return set()


def _free(node: Nested) -> dict[str, bool]:
    """Return the names that a function uses of the scopes around it, each with whether it assigns to it."""
    match node:
        case tree.FunctionDef(args=arguments, body=body):
            return _of_scope(body, _parameters(arguments))
        case tree.Lambda(args=arguments, body=value):
            return _of_scope([value], _parameters(arguments))
        case tree.GeneratorExp():
            return _of_scope([node], frozenset())


def _parameters(arguments: tree.arguments) -> frozenset[str]:
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    listed += [extra for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
    return frozenset(item.arg for item in listed)


def _of_scope(roots: Sequence[tree.AST], parameters: frozenset[str]) -> dict[str, bool]:
    names = scan(roots)
    bound = (parameters | names.assigned.keys()) - names.nonlocal_names.keys()
    found: dict[str, bool] = dict.fromkeys(names.nonlocal_names, True)
    for name in _used(roots):
        if name not in bound and name not in names.global_names:
            found.setdefault(name, False)
    return found


def _used(roots: Sequence[tree.AST]) -> Iterator[str]:
    """The names that a scope reads, those that its own functions use of it included."""
    hidden = _comprehension_targets(roots)
    for node in walk_scope(roots):
        match node:
            case tree.Name(id=name, ctx=tree.Load()) if name not in hidden.get(id(node), ()):
                yield name
            case tree.FunctionDef() | tree.Lambda():
                for name in _free(node):
                    if name not in hidden.get(id(node), ()):
                        yield name
            case _:
                pass


def _comprehension_targets(roots: Sequence[tree.AST]) -> Mapping[int, frozenset[str]]:
    """Return for each node within a comprehension the names that are its targets; the first iterable is outside."""
    hidden: dict[int, frozenset[str]] = {}

    def enter(node: tree.AST, names: frozenset[str]) -> None:
        if names:
            hidden[id(node)] = names
        if isinstance(node, tree.ListComp | tree.SetComp | tree.DictComp | tree.GeneratorExp):
            inner = names | {part.id for each in node.generators for part in names_of_target(each.target)}
            enter(node.generators[0].iter, names)
            skipped = node.generators[0].iter
            for child in tree.iter_child_nodes(node):
                if isinstance(child, tree.comprehension):
                    for part in (child.iter, *child.ifs):
                        if part is not skipped:
                            enter(part, inner)
                else:
                    enter(child, inner)
            return
        if isinstance(node, tree.FunctionDef | tree.Lambda | tree.ClassDef):
            return
        for child in tree.iter_child_nodes(node):
            enter(child, names)

    for root in roots:
        enter(root, frozenset())
    return hidden
