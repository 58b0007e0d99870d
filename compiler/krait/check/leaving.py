"""`def __exit__(self, *args)`: what `with` gives it, as parameters of their own.

In: a method. Out: the same method with three parameters, of which its body makes the tuple.
"""

from __future__ import annotations

from krait.syntax import tree

_GIVEN = ("$kind", "$error", "$traceback")


def leaving_written_out(node: tree.FunctionDef) -> tree.FunctionDef:
    """Return a method ``__exit__`` without a star among its parameters, any other as it is."""
    arguments = node.args
    if node.name != "__exit__" or arguments.vararg is None:
        return node
    span = arguments.vararg.span
    own = [*arguments.posonlyargs, *arguments.args]
    names = _GIVEN[len(own) - 1 :]
    values = tuple(tree.Name(name, tree.LOAD, span) for name in names)
    target = tree.Name(arguments.vararg.arg, tree.STORE, span)
    made = tree.Assign((target,), tree.Tuple(values, tree.LOAD, span), span)
    listed = (*arguments.args, *(tree.arg(name, None, span) for name in names))
    given = tree.arguments(arguments.posonlyargs, listed, None, (), (), None, (), arguments.span)
    return tree.FunctionDef(node.name, given, (made, *node.body), node.decorator_list, node.returns, (), node.span)


__all__ = ["leaving_written_out"]
