"""Functions with decorators, as what they stand for without: a function, and an assignment.

In: the statements of a module. Out: the same where ``@d def f`` is ``def f`` under a hidden name and ``f = d(…)``, and
where ``@cache`` and ``@lru_cache`` are a dict with a function around it. Decorators that the compiler knows stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from krait.check.loader import parse_library
from krait.check.vocabulary import LIBRARY
from krait.diagnostics import Span
from krait.syntax import tree

Report = Callable[[Span, str, str], object]
"""Reports an error: where, what, and what to write instead."""

_KNOWN = frozenset(("host", "export", "override", "final", "no_type_check"))
"""Decorators of functions that `declare` looks at."""
_CACHES = frozenset(("cache", "lru_cache"))


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
    kept = tuple(item for item in node.decorator_list if decorator_name(item) != "wraps")
    if len(kept) == len(node.decorator_list):
        return node
    return tree.FunctionDef(node.name, node.args, node.body, kept, node.returns, node.type_params, node.span)


def wrapped_by(node: tree.FunctionDef) -> tree.expr | None:
    """Return the function whose name a function takes over: the argument of ``@wraps(…)``."""
    for item in node.decorator_list:
        if decorator_name(item) == "wraps" and isinstance(item, tree.Call) and len(item.args) == 1:
            return item.args[0]
    return None


def undecorated(body: Iterable[tree.stmt], report: Report) -> tuple[tree.stmt, ...]:
    """Return the statements of a module, functions with decorators being written out."""
    found: list[tree.stmt] = []
    for node in body:
        if isinstance(node, tree.FunctionDef) and "overload" in map(decorator_name, node.decorator_list):
            continue  # the function that follows takes the place of what only describes it
        if isinstance(node, tree.FunctionDef) and node.decorator_list:
            found += _written_out(without_wraps(node), report)
        else:
            found.append(node)
    return tuple(found)


def _written_out(node: tree.FunctionDef, report: Report) -> list[tree.stmt]:
    names = [decorator_name(item) for item in node.decorator_list]
    if not names or set(names) & _KNOWN:
        return [node]
    if names[0] in _CACHES and len(names) == 1:
        return _cached(node, report)
    if names == ["contextmanager"]:
        return managed(node, None)
    plain = f"{node.name} (undecorated)"
    function = tree.FunctionDef(plain, node.args, node.body, (), node.returns, node.type_params, node.span)
    value: tree.expr = tree.Name(plain, tree.LOAD, node.span)
    for decorator in reversed(node.decorator_list):
        value = tree.Call(decorator, (value,), (), decorator.span)
    return [function, tree.Assign((tree.Name(node.name, tree.STORE, node.span),), value, node.span)]


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


def _cached(node: tree.FunctionDef, report: Report) -> list[tree.stmt]:
    """A function whose results are kept: at most ``maxsize`` of them, those asked for last."""
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
    lines = ["def wrapper():", f"    key_ = {key}", "    if key_ in kept_:"]
    if size is None:
        lines += ["        return kept_[key_]"]
    else:
        lines += ["        found_ = kept_.pop(key_)", "        kept_[key_] = found_", "        return found_"]
    lines += [f"    made_ = plain_({names})"]
    if size is not None:
        lines += [f"    if len(kept_) >= {size}:", "        del kept_[next(iter(kept_))]"]
    lines += ["    kept_[key_] = made_" if size != 0 else "    pass", "    return made_"]
    (made,) = parse_library("\n".join(lines) + "\n", "<cache>").body
    assert isinstance(made, tree.FunctionDef)
    for part in tree.walk(made):
        part.span = span  # type: ignore[misc]  # nodes are frozen for type checkers alone
        if isinstance(part, tree.Name) and part.id in ("plain_", "kept_"):
            part.id = plain if part.id == "plain_" else kept  # type: ignore[misc]  # as above
    parts = tuple(arg.annotation for arg in listed if arg.annotation is not None)
    keys = _generic("tuple", parts, span)
    assert node.returns is not None
    annotation = _generic("dict", (keys, node.returns), span)
    return [
        tree.FunctionDef(plain, arguments, node.body, (), node.returns, (), span),
        tree.AnnAssign(tree.Name(kept, tree.STORE, span), annotation, tree.Dict((), (), span), True, span),
        tree.FunctionDef(node.name, arguments, made.body, (), node.returns, (), span),
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
