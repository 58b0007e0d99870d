"""Functions that take any arguments and hand them on: the wrappers that decorators make.

In: a body with ``def wrapper(*args, **kwargs)`` that calls ``f(*args, **kwargs)``, where the type of ``f`` is known.
Out: the same where ``wrapper`` takes the parameters of ``f`` by position, one by one. Calls of a decorated function by
name of a parameter, or without one that has a default, are filled in at the call: that is right if no wrapper looks at
what it hands on, and refused otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from krait.check.arguments import match_arguments
from krait.check.context import Context
from krait.check.signatures import signature
from krait.check.types import FunctionDecl, FunctionType, GlobalVar, ModuleDecl, prune
from krait.diagnostics import Span
from krait.syntax import tree

_GIVEN = "$given"


def wrappers_written_out(ctx: Context, body: tuple[tree.stmt, ...]) -> tuple[tree.stmt, ...]:
    """Return the body of a function, wrappers within it having parameters one by one."""
    if not any(isinstance(node, tree.FunctionDef) and node.args.vararg is not None for node in body):
        return body
    return tuple(_written_out(ctx, node) if isinstance(node, tree.FunctionDef) else node for node in body)


def _written_out(ctx: Context, node: tree.FunctionDef) -> tree.FunctionDef:
    arguments = node.args
    calls = list(_handed_on(node))
    if not calls or arguments.vararg is None or arguments.posonlyargs or arguments.args or arguments.kwonlyargs:
        return node
    callee = calls[0].func
    local = ctx.scope.get(callee.id) if isinstance(callee, tree.Name) else None
    t = prune(local.type) if local is not None and local.type is not None else None
    if not isinstance(t, FunctionType):
        return node
    place = arguments.vararg.span
    names = [f"{_GIVEN}{at}" for at in range(len(t.params))]
    listed = []
    for at, (name, param) in enumerate(zip(names, t.params, strict=True)):
        annotation = f"{_GIVEN} {place.start_line} {place.start_col} {at}"
        ctx.params[annotation] = param
        listed.append(tree.arg(name, tree.Name(annotation, tree.LOAD, place), place))
    given = tree.arguments(tuple(listed), (), None, (), (), None, (), arguments.span)
    values = tuple(tree.Name(name, tree.LOAD, place) for name in names)
    body = [_assigned(arguments.vararg.arg, tree.Tuple(values, tree.LOAD, place), "tuple", place)]
    if arguments.kwarg is not None and not _only_hands_on(node):
        body.append(_assigned(arguments.kwarg.arg, tree.Dict((), (), place), "dict", place))
    any_result = isinstance(node.returns, tree.Name) and node.returns.id in ("Any", "object")
    returns = None if any_result else node.returns
    made = tree.FunctionDef(node.name, given, (*body, *node.body), node.decorator_list, returns, (), node.span)
    if arguments.kwarg is not None:
        ctx.world.no_keywords[made] = arguments.kwarg.arg
    return made


def _assigned(name: str, value: tree.expr, kind: str, span: Span) -> tree.stmt:
    """The assignment of what is given; by name that is nothing."""
    target = tree.Name(name, tree.STORE, span)
    if kind == "tuple":
        return tree.Assign((target,), value, span)
    parts = tree.Tuple((tree.Name("str", tree.LOAD, span), tree.Name("int", tree.LOAD, span)), tree.LOAD, span)
    annotation = tree.Subscript(tree.Name("dict", tree.LOAD, span), parts, tree.LOAD, span)
    return tree.AnnAssign(target, annotation, value, True, span)


def without_no_keywords(ctx: Context, node: tree.Call) -> tree.Call:
    """Return a call without ``**kwargs`` of a wrapper, which is given everything by position."""
    name = ctx.world.no_keywords.get(ctx.instance.decl.node)
    if name is None or not any(_is_name(part, name) for part in node.keywords):
        return node
    keywords = tuple(part for part in node.keywords if not _is_name(part, name))
    return tree.Call(node.func, node.args, keywords, node.span)


def _is_name(part: tree.keyword, name: str) -> bool:
    return part.arg is None and isinstance(part.value, tree.Name) and part.value.id == name


def _handed_on(node: tree.FunctionDef) -> Iterator[tree.Call]:
    """The calls in a function that hand on its ``*args`` and ``**kwargs``."""
    for part in node.body:
        for inner in tree.walk(part):
            if isinstance(inner, tree.Call) and _hands_on(inner, node.args):
                yield inner


def _hands_on(call: tree.Call, arguments: tree.arguments) -> bool:
    match call:
        case tree.Call(args=(tree.Starred(value=tree.Name(id=name)),), keywords=keywords):
            if arguments.vararg is None or name != arguments.vararg.arg:
                return False
            if arguments.kwarg is None:
                return not keywords
            return len(keywords) == 1 and _is_name(keywords[0], arguments.kwarg.arg)
        case _:
            return False


def _only_hands_on(node: tree.FunctionDef) -> bool:
    """Return whether a function does nothing else with its ``*args`` and ``**kwargs`` than to hand them on."""
    names = {part.arg for part in (node.args.vararg, node.args.kwarg) if part is not None}
    inner = [part for statement in node.body for part in tree.walk(statement)]
    used = [part for part in inner if isinstance(part, tree.Name) and part.id in names]
    return len(used) == len(names) * len(list(_handed_on(node)))


# --- calls of decorated functions ------------------------------------------------------------------------------------


def filled_in(ctx: Context, variable: GlobalVar, node: tree.Call) -> tree.Call:
    """Return a call of a decorated function with all arguments by position, if its decorators only hand them on."""
    decl = variable.module.symbols.get(f"{variable.name} (undecorated)")
    if not isinstance(decl, FunctionDecl) or any(isinstance(arg, tree.Starred) for arg in node.args):
        return node
    params = signature(ctx.world, decl).params
    plain = not any(param.variadic or param.keywords for param in params)
    if not plain or (not node.keywords and len(node.args) == len(params)):
        return node
    if not all(_is_transparent(ctx, variable.module, item) for item in _decorators(variable)):
        return node
    given = {item.param.name: item.node for item in match_arguments(ctx, decl, signature(ctx.world, decl), node)}
    values = [given.get(param.name, param.default) for param in params]
    if [value for value in values if value in given.values()] != list(given.values()):
        raise ctx.later(node.span, "arguments in another order than the parameters of a decorated function",
                        "write them in the order of the parameters")  # fmt: skip
    for param in params:
        if param.name not in given and param.default_var is not None:
            hint = "write the argument out"
            raise ctx.later(node.span, "defaults of a decorated function that are no constants", hint)
    return tree.Call(node.func, tuple(value for value in values if value is not None), (), node.span)


def _decorators(variable: GlobalVar) -> list[tree.expr]:
    """Return the decorators of a function, which its name is the value of."""
    found: list[tree.expr] = []
    for node in variable.module.tree.body:
        match node:
            case tree.Assign(targets=(tree.Name(id=name),), value=value) if name == variable.name:
                while isinstance(value, tree.Call):
                    found.append(value.func)
                    value = value.args[0]
            case _:
                pass
    return found


def _is_transparent(ctx: Context, module: ModuleDecl, decorator: tree.expr) -> bool:
    symbol = ctx.world.symbol_named(module, decorator.func if isinstance(decorator, tree.Call) else decorator)
    if not isinstance(symbol, FunctionDecl):
        return False
    return _gives_wrapper(symbol.node, 2 if isinstance(decorator, tree.Call) else 1)


def _gives_wrapper(node: tree.FunctionDef, calls: int) -> bool:
    """Return whether so many calls of a function give what it was given, or a function that only hands on to that."""
    if calls == 0:
        return _only_hands_on(node) and any(True for _ in _handed_on(node))
    functions = {part.name: part for part in node.body if isinstance(part, tree.FunctionDef)}
    listed = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    returned = list(_returned(node.body))
    for value in returned:
        name = value.id if isinstance(value, tree.Name) else ""
        if calls == 1 and name == listed[0]:
            continue
        if name not in functions or not _gives_wrapper(functions[name], calls - 1):
            return False
    return bool(returned)


def _returned(body: Sequence[tree.AST]) -> Iterator[tree.expr | None]:
    """What the ``return`` statements of a function give."""
    for node in body:
        if isinstance(node, tree.Return):
            yield node.value
        elif not isinstance(node, tree.FunctionDef | tree.ClassDef | tree.expr):
            yield from _returned(list(tree.iter_child_nodes(node)))


__all__ = ["filled_in", "without_no_keywords", "wrappers_written_out"]
