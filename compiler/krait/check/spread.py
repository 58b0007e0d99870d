"""What follows a star in a call or display, taken apart where its length is known.

In: arguments or items as they are written. Out: the same without stars before tuples of known length; what has been
evaluated on the way is in variables of its own, so that the order is CPython's.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.context import Context
from krait.check.tuples import is_tuple, plain_tuple
from krait.check.types import ClassType, Local, prune
from krait.syntax import tree


def spread(ctx: Context, node: tree.Call) -> tree.Call:
    """Return a call with what follows a star taken apart, where its length is known; evaluated here, in order."""
    if not any(isinstance(arg, tree.Starred) for arg in node.args):
        return node
    args: list[tree.expr] = []
    for arg in node.args:
        inner = arg.value if isinstance(arg, tree.Starred) else arg
        if isinstance(inner, tree.Constant | tree.Lambda | tree.List | tree.Dict | tree.GeneratorExp):
            if isinstance(inner, tree.List) and isinstance(arg, tree.Starred):
                args += inner.elts
                continue
            args.append(arg)
            continue
        if isinstance(arg, tree.Starred) and isinstance(inner, tree.Tuple):
            args += inner.elts
            continue
        if not isinstance(arg, tree.Starred) and isinstance(inner, tree.Name):
            args.append(arg)
            continue
        value = plain_tuple(ctx.expr(inner))
        local = Local(f"$arg{len(ctx.function.locals)}", value.type, stable=True)
        ctx.function.locals.append(local)
        ctx.emit(hir.Assign(ctx.line, local, value))
        ctx.scope[local.name] = local
        ctx.flow = ctx.flow.bind(local)
        name = tree.Name(local.name, tree.LOAD, inner.span)
        t = prune(value.type)
        if not isinstance(arg, tree.Starred):
            args.append(name)
        elif isinstance(t, ClassType) and is_tuple(t.decl):
            places = [tree.Constant(at, arg.span) for at in range(len(t.args))]
            args += [tree.Subscript(name, place, tree.LOAD, arg.span) for place in places]
        else:
            args.append(tree.Starred(name, tree.LOAD, arg.span))
    return tree.Call(node.func, tuple(args), node.keywords, node.span)
