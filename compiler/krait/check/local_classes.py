"""Classes within functions, as classes of the module where that makes no difference.

In: the statements of a module. Out: the same with such classes before the function, if their bodies hold fields and
methods alone, use nothing of the function around them, and nothing else in the module has their name; with the text
that `repr` of a dataclass shows before the name. Others stay where they are, and are refused there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from krait.check.class_decorators import own_decorators
from krait.check.decorators import decorator_name
from krait.check.names import scan
from krait.syntax import tree


def with_local_classes(body: Iterable[tree.stmt]) -> tuple[tuple[tree.stmt, ...], dict[str, str]]:
    """Return the statements of a module, and for each class that was within a function where it was."""
    found: list[tree.stmt] = []
    places: dict[str, str] = {}
    statements = tuple(body)
    functions = [function for root in statements for _, function in _functions(root)]
    uses = _uses(statements) if any(map(_classes, functions)) else Counter()
    for node in statements:
        moved: list[tree.ClassDef] = []
        for place, function in _functions(node):
            for cls in _classes(function):
                if uses[cls.name] == _uses((function,))[cls.name] and _is_apart(cls, function):
                    moved.append(cls)
                    places[cls.name] = f"{place}.<locals>."
        found += [*moved, _without(node, moved) if moved else node]
    return tuple(found), places


def _functions(node: tree.stmt, place: str = "") -> Iterator[tuple[str, tree.FunctionDef]]:
    """The functions and methods that a statement of a module defines, with their qualified names."""
    if isinstance(node, tree.FunctionDef):
        yield place + node.name, node
    elif isinstance(node, tree.ClassDef):
        for part in node.body:
            yield from _functions(part, f"{node.name}.")


def _classes(function: tree.FunctionDef) -> list[tree.ClassDef]:
    return [node for node in function.body if isinstance(node, tree.ClassDef)]


def _uses(roots: Iterable[tree.stmt]) -> Counter[str]:
    """How often each name stands somewhere, as that of a variable, or of what is defined or imported."""
    count: Counter[str] = Counter()
    for root in roots:
        for node in tree.walk(root):
            match node:
                case tree.Name(id=name) | tree.FunctionDef(name=name) | tree.ClassDef(name=name) | tree.arg(arg=name):
                    count[name] += 1
                case tree.alias(name=name, asname=other):
                    count[other or name.partition(".")[0]] += 1
                case _:
                    pass
    return count


_KINDS = frozenset(("Enum", "IntEnum", "StrEnum"))


def _is_apart(cls: tree.ClassDef, function: tree.FunctionDef) -> bool:
    """Return whether a class uses nothing of the function around it, and is the same whenever that runs."""
    others = {node.name for node in _classes(function)}
    args = function.args
    own = {arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg) if arg}
    own |= set(scan(function.body).assigned) - others
    used = {node.id for node in tree.walk(cls) if isinstance(node, tree.Name)}
    is_enum = any(decorator_name(base) in _KINDS for base in cls.bases)
    if own_decorators(cls):
        return False
    return not own & used and not function.type_params and all(_is_constant(part, is_enum) for part in cls.body)


def _is_constant(node: tree.stmt, is_enum: bool) -> bool:
    """Return whether a statement of a class's body does the same whenever it runs."""
    match node:
        case tree.FunctionDef(args=args):
            defaults = (*args.defaults, *(value for value in args.kw_defaults if value is not None))
            return all(isinstance(value, tree.Constant) for value in defaults)
        case tree.Pass() | tree.Expr(value=tree.Constant()) | tree.AnnAssign(value=None | tree.Constant()):
            return True
        case tree.AnnAssign(value=tree.Call() as call):
            return decorator_name(call) == "field"
        case tree.Assign(value=tree.Constant()):
            return is_enum
        case tree.Assign(value=tree.Call() as call):
            return is_enum and decorator_name(call) == "auto"
        case _:
            return False


def _without(node: tree.stmt, moved: list[tree.ClassDef]) -> tree.stmt:
    """Return a statement with classes taken out of the functions in it."""
    if isinstance(node, tree.FunctionDef):
        body = tuple(tree.Pass(part.span) if part in moved else part for part in node.body)
        return tree.FunctionDef(
            node.name, node.args, body, node.decorator_list, node.returns, node.type_params, node.span
        )
    assert isinstance(node, tree.ClassDef)
    body = tuple(_without(part, moved) if isinstance(part, tree.FunctionDef) else part for part in node.body)
    return tree.ClassDef(
        node.name, node.bases, node.keywords, body, node.decorator_list, node.type_params, node.span
    )


__all__ = ["with_local_classes"]
