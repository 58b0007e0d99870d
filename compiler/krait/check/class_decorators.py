"""Decorators of classes that say no types: functions that are given the class and return it.

In: the statements of a module. Out: the same, with types for what such functions take and return.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from krait.check.decorators import decorator_name
from krait.check.vocabulary import LIBRARY
from krait.diagnostics import Span
from krait.syntax import tree

_PARAM = "C (decorated)"

_KNOWN = frozenset(("dataclass", "final", "runtime_checkable", "unique", "total_ordering"))
"""Decorators of classes that the compiler knows."""


def own_decorators(node: tree.ClassDef) -> list[tree.expr]:
    """Return the decorators of a class that are functions of the program."""
    return [item for item in node.decorator_list if decorator_name(item) not in _KNOWN]


def with_class_types(body: Iterable[tree.stmt]) -> Iterator[tree.stmt]:
    """The statements of a module; what decorates classes and does not say its types takes and returns a class."""
    statements = tuple(body)
    used = [item for node in statements if isinstance(node, tree.ClassDef) for item in own_decorators(node)]
    plain = {item.id for item in used if isinstance(item, tree.Name)}
    makers = {item.func.id for item in used if isinstance(item, tree.Call) and isinstance(item.func, tree.Name)}
    for node in statements:
        if isinstance(node, tree.FunctionDef) and node.name in plain:
            yield _taking_class(node, (tree.TypeVar(_PARAM, None, node.span),))
        elif isinstance(node, tree.FunctionDef) and node.name in makers:
            yield _making_decorator(node)
        else:
            yield node


def _taking_class(node: tree.FunctionDef, params: tuple[tree.type_param, ...]) -> tree.FunctionDef:
    """``def d(cls):`` as ``def d[C](cls: type[C]) -> type[C]:``, if it returns what it is given."""
    arguments = node.args
    others = (*arguments.posonlyargs, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
    if len(arguments.args) != 1 or any(others) or arguments.args[0].annotation is not None or node.returns is not None:
        return node
    (arg,) = arguments.args
    given = (tree.arg(arg.arg, _class_type(arg.span), arg.span),)
    typed = tree.arguments((), given, None, (), (), None, (), arguments.span)
    returns = _class_type(node.span) if _returns(node, arg.arg) else None
    return tree.FunctionDef(node.name, typed, node.body, node.decorator_list, returns, params, node.span)


def _making_decorator(node: tree.FunctionDef) -> tree.FunctionDef:
    """``def maker(n: int): def d(cls): …; return d``: the same with types for what it returns."""
    inner = [part for part in node.body if isinstance(part, tree.FunctionDef) and _returns(node, part.name)]
    if len(inner) != 1 or node.returns is not None or (typed := _taking_class(inner[0], ())) is inner[0]:
        return node
    body = tuple(typed if part is inner[0] else part for part in node.body)
    span = node.span
    result = typed.returns or tree.Constant(None, span)
    parts = tree.Tuple((tree.List((_class_type(span),), tree.LOAD, span), result), tree.LOAD, span)
    returns = tree.Subscript(tree.Name(f"{LIBRARY}typing.Callable", tree.LOAD, span), parts, tree.LOAD, span)
    params = (*node.type_params, tree.TypeVar(_PARAM, None, span))
    return tree.FunctionDef(node.name, node.args, body, node.decorator_list, returns, params, span)


def _class_type(span: Span) -> tree.expr:
    root = tree.Name(f"{LIBRARY}typing.Type", tree.LOAD, span)
    return tree.Subscript(root, tree.Name(_PARAM, tree.LOAD, span), tree.LOAD, span)


def _returns(node: tree.FunctionDef, name: str) -> bool:
    """Return whether a function ends by returning a variable."""
    match node.body[-1]:
        case tree.Return(value=tree.Name(id=found)):
            return found == name
        case _:
            return False


__all__ = ["own_decorators", "with_class_types"]
