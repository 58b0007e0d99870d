"""Functions with decorators, as what they stand for without: a function, and an assignment.

In: the statements of a module. Out: the same where ``@d def f`` is ``def f`` under a hidden name and ``f = d(…)``, and
where ``@cache`` and ``@lru_cache`` are a dict with a function around it. Decorators that the compiler knows stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from krait.check.loader import parse_library
from krait.check.vocabulary import LIBRARY
from krait.diagnostics import Span
from krait.syntax import tree

_Node = TypeVar("_Node", bound=tree.AST)
Report = Callable[[Span, str, str], object]
"""Reports an error: where, what, and what to write instead."""

_KNOWN = frozenset(("host", "export", "override", "final", "no_type_check"))
"""Decorators of functions that `declare` looks at."""
_ON_TOP = frozenset(("host", "export", "staticmethod", "classmethod", "property", "abstractmethod"))
"""Decorators that make no sense within a function."""
_UNDECORATED = " (undecorated)"
"""What the name of a function ends with that has a decorator, as it was before."""
_CACHES = frozenset(("cache", "lru_cache"))
_OF_CACHES = frozenset(("cache_clear", "cache_info"))
"""What a function with a cache can be asked, as functions whose names begin with its own."""


def decorator_name(node: tree.expr) -> str:
    """Return the last part of the name of a decorator, with or without arguments."""
    match node:
        case tree.Call(func=func):
            return decorator_name(func)
        case tree.Attribute(attr=attr):
            return attr
        case tree.Name(id=name):
            return name
        case _:
            return ""


def without_wraps(node: tree.FunctionDef) -> tree.FunctionDef:
    """Return a function without ``@wraps(…)``, which gives it a name and a text that nothing can ask for."""
    return without_decorator(node, "wraps")


def without_decorator(node: tree.FunctionDef, name: str) -> tree.FunctionDef:
    """Return a function without a decorator."""
    kept = tuple(item for item in node.decorator_list if decorator_name(item) != name)
    if len(kept) == len(node.decorator_list):
        return node
    return tree.FunctionDef(node.name, node.args, node.body, kept, node.returns, node.type_params, node.span)


def wrapped_by(node: tree.FunctionDef) -> tree.expr | None:
    """Return the function whose name a function takes over: the argument of ``@wraps(…)``."""
    for item in node.decorator_list:
        if decorator_name(item) == "wraps" and isinstance(item, tree.Call) and len(item.args) == 1:
            return item.args[0]
    return None


def is_overload(node: tree.stmt) -> bool:
    """Return whether a statement is a function that describes a way of calling the one that follows it."""
    return isinstance(node, tree.FunctionDef) and "overload" in map(decorator_name, node.decorator_list)


def undecorated(body: Iterable[tree.stmt], report: Report) -> tuple[tree.stmt, ...]:
    """Return the statements of a module, functions with decorators being written out, also those within functions."""
    found: list[tree.stmt] = []
    body = _with_types(tuple(body))
    asked = {part.attr for node in body for part in tree.walk(node) if isinstance(part, tree.Attribute)} & _OF_CACHES
    for node in body:
        if is_overload(node):
            continue
        if isinstance(node, tree.FunctionDef) and node.decorator_list:
            found += _written_out(without_wraps(node), report, asked)
        elif isinstance(node, tree.ClassDef) and any(map(_decorated_by_program, node.body)):
            found += _with_decorated_methods(node, report)
        else:
            found.append(node)
    return tuple(_with_plain_functions(node, report) for node in found)


def _with_plain_functions(node: _Node, report: Report) -> _Node:
    """Return a statement, or a part of one, with the decorated functions within its functions written out."""
    if not any(isinstance(part, tree.FunctionDef) and part.decorator_list for part in tree.walk(node)):
        return node
    inside = not isinstance(node, tree.ClassDef)

    def plain(part: tree.AST) -> Sequence[tree.AST]:
        if not isinstance(part, tree.stmt | tree.excepthandler | tree.match_case):
            return (part,)
        parts = _plain_within(part, report) if inside else (part,)
        return [_with_plain_functions(each, report) for each in parts]

    return tree.rebuilt(node, plain)


def _plain_within(node: tree.AST, report: Report) -> Sequence[tree.AST]:
    """A statement within a function, a function that has a decorator being written out."""
    if not isinstance(node, tree.FunctionDef) or set(map(decorator_name, node.decorator_list)) & _ON_TOP:
        return (node,)
    plain = without_wraps(node)
    if not plain.decorator_list:
        return (node,)
    if is_overload(node):
        return ()
    first, *others = _written_out(plain, report, set())
    assert isinstance(first, tree.FunctionDef)
    wraps = tuple(item for item in node.decorator_list if item not in plain.decorator_list)
    shape = (first.name, first.args, first.body, wraps, first.returns, first.type_params, first.span)
    return tree.FunctionDef(*shape), *others


def _written_out(node: tree.FunctionDef, report: Report, asked: set[str]) -> list[tree.stmt]:
    names = [decorator_name(item) for item in node.decorator_list]
    if not names or set(names) & _KNOWN:
        return [node]
    if names[0] in _CACHES and len(names) == 1:
        return _cached(node, report, asked)
    if names == ["contextmanager"]:
        return managed(node, None)
    plain = node.name + _UNDECORATED
    function = tree.FunctionDef(plain, node.args, node.body, (), node.returns, node.type_params, node.span)
    value: tree.expr = tree.Name(plain, tree.LOAD, node.span)
    for decorator in reversed(node.decorator_list):
        value = tree.Call(decorator, (value,), (), decorator.span)
    return [function, tree.Assign((tree.Name(node.name, tree.STORE, node.span),), value, node.span)]


# --- decorators without types ----------------------------------------------------------------------------------------


def _with_types(body: tuple[tree.stmt, ...]) -> tuple[tree.stmt, ...]:
    """Return the statements of a module; a decorator without types takes and returns functions."""
    functions = [node for root in body for node in tree.walk(root) if isinstance(node, tree.FunctionDef)]
    used = [item for node in functions for item in node.decorator_list]
    plain = {item.id for item in used if isinstance(item, tree.Name)}
    makers = {item.func.id for item in used if isinstance(item, tree.Call) and isinstance(item.func, tree.Name)}
    found: list[tree.stmt] = []
    for node in body:
        if isinstance(node, tree.FunctionDef) and node.name in plain:
            node = _taking_function(node)
        elif isinstance(node, tree.FunctionDef) and node.name in makers:
            node = _making_decorator(node)
        found.append(node)
    return tuple(found)


def _any_function(span: Span) -> tree.expr:
    return tree.Name(f"{LIBRARY}typing.Callable", tree.LOAD, span)


def _taking_function(node: tree.FunctionDef) -> tree.FunctionDef:
    """``def d(f):`` as ``def d(f: Callable) -> Callable:``."""
    match node.args:
        case tree.arguments(args=(tree.arg(arg=name, annotation=None) as arg,), posonlyargs=(), kwonlyargs=()):
            pass
        case _:
            return node
    typed = tree.arg(name, _any_function(arg.span), arg.span)
    given = tree.arguments((), (typed,), None, (), (), None, (), node.args.span)
    returns = node.returns or _any_function(node.span)
    return tree.FunctionDef(node.name, given, node.body, node.decorator_list, returns, node.type_params, node.span)


def _making_decorator(node: tree.FunctionDef) -> tree.FunctionDef:
    """``def maker(n: int): def d(f): …; return d``: the same with types for what it returns."""
    match node.body[-1]:
        case tree.Return(value=tree.Name(id=name)) if node.returns is None:
            pass
        case _:
            return node
    inner = [part for part in node.body if isinstance(part, tree.FunctionDef) and part.name == name]
    if len(inner) != 1 or (typed := _taking_function(inner[0])) is inner[0]:
        return node
    body = tuple(typed if part is inner[0] else part for part in node.body)
    span = node.span
    parts = tree.Tuple((tree.List((_any_function(span),), tree.LOAD, span), _any_function(span)), tree.LOAD, span)
    returns = tree.Subscript(_any_function(span), parts, tree.LOAD, span)
    return tree.FunctionDef(node.name, node.args, body, node.decorator_list, returns, node.type_params, span)


# --- methods ---------------------------------------------------------------------------------------------------------

_OF_METHODS = frozenset(
    ("staticmethod", "classmethod", "property", "setter", "abstractmethod", "override", "final", "overload")
) | {"contextmanager", "cached_property", "deleter", "no_type_check"}
"""Decorators of methods that the compiler knows."""


def _decorated_by_program(node: tree.stmt) -> bool:
    if not isinstance(node, tree.FunctionDef):
        return False
    names = {decorator_name(item) for item in without_wraps(node).decorator_list}
    return bool(names) and not names & (_OF_METHODS | _KNOWN) and bool(node.args.args)


def _with_decorated_methods(node: tree.ClassDef, report: Report) -> list[tree.stmt]:
    """A class whose methods have decorators: each calls ``d(f)`` with the object, where f calls what it was before."""
    body: list[tree.stmt] = []
    behind: list[tree.stmt] = []
    for part in node.body:
        if isinstance(part, tree.FunctionDef) and _decorated_by_program(part) and not node.type_params:
            methods, others = _decorated_method(part, node.name, report)
            body += methods
            behind += others
        else:
            body.append(part)
    kept = (node.bases, node.keywords, tuple(body), node.decorator_list, node.type_params, node.span)
    return [tree.ClassDef(node.name, *kept), *behind]


def _decorated_method(
    node: tree.FunctionDef, owner: str, report: Report
) -> tuple[list[tree.stmt], list[tree.stmt]]:
    """Return the methods that one with decorators becomes, and what stands behind the class for it."""
    span, arguments = node.span, node.args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs:
        report(node.decorator_list[0].span, "not yet part of Krait: decorators of methods with such parameters",
               "give it parameters by position")  # fmt: skip
        return [tree.FunctionDef(node.name, arguments, node.body, (), node.returns, node.type_params, node.span)], []
    own, *rest = arguments.args
    plain, whole = f"{node.name}{_UNDECORATED}", f"{owner}.{node.name}"
    itself = tree.Name(own.arg, tree.LOAD, span)
    names = tuple(tree.Name(arg.arg, tree.LOAD, span) for arg in rest)
    typed = tree.arg(own.arg, tree.Name(owner, tree.LOAD, span), own.span)
    given = tree.arguments((), (typed, *rest), None, (), (), None, arguments.defaults, arguments.span)
    calls = tree.Call(tree.Attribute(itself, plain, tree.LOAD, span), names, (), span)
    decorated = tree.Call(tree.Name(whole, tree.LOAD, span), (itself, *names), (), span)
    function = tree.FunctionDef(whole, given, (tree.Return(calls, span),), node.decorator_list, node.returns, (), span)
    return [
        tree.FunctionDef(plain, arguments, node.body, (), node.returns, node.type_params, span),
        tree.FunctionDef(node.name, arguments, (tree.Return(decorated, span),), (), node.returns, (), span),
    ], _written_out(without_wraps(function), report, set())


# --- cached properties -----------------------------------------------------------------------------------------------

_CACHED = " (cached)"


def cached_property_of(node: tree.FunctionDef, own: str) -> list[tree.stmt]:
    """``@cached_property def f``: a field, what computes it, and a property that asks that when it is missing."""
    span = node.span
    field = tree.Attribute(tree.Name(own, tree.LOAD, span), node.name + _CACHED, tree.LOAD, span)
    target = tree.Attribute(field.value, field.attr, tree.STORE, span)
    method = tree.Attribute(field.value, f"{node.name} (computed)", tree.LOAD, span)
    known = tree.Return(field, span)
    missing = tree.Assign((target,), tree.Call(method, (), (), span), span)
    handler = tree.ExceptHandler(tree.Name("AttributeError", tree.LOAD, span), None, (missing,), span)
    body = (tree.Try((known,), (handler,), (), (), span), known)
    annotation = node.returns or tree.Constant(None, span)
    prop = (tree.Name("property", tree.LOAD, span),)
    return [
        tree.AnnAssign(tree.Name(field.attr, tree.STORE, span), annotation, None, True, span),
        tree.FunctionDef(method.attr, node.args, node.body, (), node.returns, (), span),
        tree.FunctionDef(node.name, node.args, body, prop, node.returns, (), span),
    ]


# --- context managers ------------------------------------------------------------------------------------------------

MANAGED = " (managed)"
"""What the name of a generator function ends with that a context manager runs."""


def managed(node: tree.FunctionDef, own: str | None) -> list[tree.stmt]:
    """``@contextmanager def f``: the generator function, and a function that makes a context manager of its generator.

    own: the name of the first parameter, if it is a method.
    """
    span, arguments = node.span, node.args
    iterator: tree.expr | None = None
    result: tree.expr | None = None
    manager = tree.Name(f"{LIBRARY}contextlib._GeneratorContextManager", tree.LOAD, span)
    if node.returns is not None:
        match node.returns:
            case tree.Subscript(slice=tree.Tuple(elts=(item, *_))) | tree.Subscript(slice=item):
                pass
            case _:
                item = tree.Constant(None, span)
        if isinstance(item, tree.Constant) and item.value is None:  # nothing: the None of an `int | None`
            item = tree.BinOp(tree.Name("int", tree.LOAD, span), tree.BIT_OR, item, span)
        name = tree.Name(f"{LIBRARY}krait.iterator.Iterator", tree.LOAD, span)
        iterator = tree.Subscript(name, item, tree.LOAD, span)
        result = tree.Subscript(manager, item, tree.LOAD, span)
    listed = [arg.arg for arg in (*arguments.posonlyargs, *arguments.args)][1 if own else 0 :]
    passed: list[tree.expr] = [tree.Name(name, tree.LOAD, span) for name in listed]
    if arguments.vararg is not None:
        passed.append(tree.Starred(tree.Name(arguments.vararg.arg, tree.LOAD, span), tree.LOAD, span))
    keywords = tuple(tree.keyword(arg.arg, tree.Name(arg.arg, tree.LOAD, span), span) for arg in arguments.kwonlyargs)
    inner: tree.expr = tree.Name(node.name + MANAGED, tree.LOAD, span)
    if own:
        inner = tree.Attribute(tree.Name(own, tree.LOAD, span), node.name + MANAGED, tree.LOAD, span)
    made = tree.Call(manager, (tree.Call(inner, tuple(passed), keywords, span),), (), span)
    params = node.type_params
    return [
        tree.FunctionDef(node.name + MANAGED, arguments, node.body, (), iterator, params, span),
        tree.FunctionDef(node.name, arguments, (tree.Return(made, span),), (), result, params, span),
    ]


# --- caches --------------------------------------------------------------------------------------------------------


def _cached(node: tree.FunctionDef, report: Report, asked: set[str]) -> list[tree.stmt]:
    """A function whose results are kept: at most ``maxsize`` of them, those asked for last.

    asked: which of `_OF_CACHES` the module names, so that they are there.
    """
    span, arguments = node.span, node.args
    listed = [*arguments.posonlyargs, *arguments.args]
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or node.type_params or not _are_typed(node):
        report(node.decorator_list[0].span, "not part of Krait: a cache of a function that is not plain",
               "give it parameters by position and types")  # fmt: skip
        return [tree.FunctionDef(node.name, node.args, node.body, (), node.returns, node.type_params, span)]
    size = _size(node.decorator_list[0], report)
    plain, kept = f"{node.name} (uncached)", f"{node.name} (cache)"
    names = ", ".join(arg.arg for arg in listed)
    key = f"({names},)"
    counts = "cache_info" in asked
    lines = ["def wrapper():", f"    key_ = {key}", "    if key_ in kept_:"]
    lines += ["        counts_[0] += 1"] if counts else []
    if size is None:
        lines += ["        return kept_[key_]"]
    else:
        lines += ["        found_ = kept_.pop(key_)", "        kept_[key_] = found_", "        return found_"]
    lines += [f"    made_ = plain_({names})"]
    lines += ["    counts_[1] += 1"] if counts else []
    if size is not None:
        lines += [f"    if len(kept_) >= {size}:", "        del kept_[next(iter(kept_))]"]
    lines += ["    kept_[key_] = made_" if size != 0 else "    pass", "    return made_"]
    lines += ["def cache_clear() -> None:", "    kept_.clear()"] if asked else []
    lines += ["    counts_[:] = [0, 0]"] if counts else []
    if counts:
        lines += ["counts_: list_[int] = [0, 0]", "def cache_info() -> info_:"]
        lines += [f"    return info_(counts_[0], counts_[1], {size}, len(kept_))"]
    renamed = {"plain_": plain, "kept_": kept, "counts_": f"{node.name} (counts)", "list_": "list",
               "info_": f"{LIBRARY}functools.CacheInfo"}  # fmt: skip
    made, *others = parse_library("\n".join(lines) + "\n", "<cache>").body
    assert isinstance(made, tree.FunctionDef)
    for root in (made, *others):
        for part in tree.walk(root):
            part.span = span  # type: ignore[misc]  # nodes are frozen for type checkers alone
            if isinstance(part, tree.Name) and part.id in renamed:
                part.id = renamed[part.id]  # type: ignore[misc]  # as above
            elif isinstance(part, tree.FunctionDef) and part.name in _OF_CACHES:
                part.name = f"{node.name}.{part.name}"  # type: ignore[misc]  # as above
    parts = tuple(arg.annotation for arg in listed if arg.annotation is not None)
    keys = _generic("tuple", parts, span)
    assert node.returns is not None
    annotation = _generic("dict", (keys, node.returns), span)
    return [
        tree.FunctionDef(plain, arguments, node.body, (), node.returns, (), span),
        tree.AnnAssign(tree.Name(kept, tree.STORE, span), annotation, tree.Dict((), (), span), True, span),
        tree.FunctionDef(node.name, arguments, made.body, (), node.returns, (), span),
        *others,
    ]


def _generic(name: str, parts: tuple[tree.expr, ...], span: Span) -> tree.expr:
    inner = parts[0] if len(parts) == 1 else tree.Tuple(parts, tree.LOAD, span)
    return tree.Subscript(tree.Name(name, tree.LOAD, span), inner, tree.LOAD, span)


def _are_typed(node: tree.FunctionDef) -> bool:
    listed = [*node.args.posonlyargs, *node.args.args]
    is_none = isinstance(node.returns, tree.Constant) and node.returns.value is None
    return node.returns is not None and not is_none and all(arg.annotation is not None for arg in listed)


def _size(decorator: tree.expr, report: Report) -> int | None:
    """Return how many results are kept, None for all."""
    if decorator_name(decorator) == "cache":
        return None
    if not isinstance(decorator, tree.Call):
        return 128
    match (*decorator.args, *(keyword.value for keyword in decorator.keywords if keyword.arg == "maxsize")):
        case ():
            return 128
        case (tree.Constant(value=None),):
            return None
        case (tree.Constant(value=int(size)),) if size >= 0:
            return size
        case _:
            report(decorator.span, "the size of a cache must be a literal", "write `@lru_cache(maxsize=None)`")
            return None


__all__ = ["MANAGED", "decorator_name", "managed", "undecorated", "without_wraps", "wrapped_by"]
