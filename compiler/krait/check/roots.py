"""What programs write with `object`: marks, and fields of frozen classes.

In: the statements of a module. Out: the same where ``MARK: object = object()`` has no annotation, which says less than
the value, so that what is compared with it by ``is`` is known to be compared with a mark; and where
``object.__setattr__(self, "x", value)`` is ``self.x = value``, that being allowed.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.syntax import tree


class Unfrozen(tree.Store):
    """The value is set, even if the object is frozen."""

    __slots__ = ()


_UNFROZEN = Unfrozen()


def with_roots(body: Sequence[tree.stmt], source: str) -> tuple[tree.stmt, ...]:
    """Return the statements of a module with what they do with ``object`` as plain assignments."""
    return tuple(map(_in_scope, body)) if "object" in source else tuple(body)


def _in_scope(node: tree.stmt) -> tree.stmt:
    """A statement of a module or class."""
    match node:
        case tree.AnnAssign(
            target=tree.Name() as target,
            annotation=tree.Name(id="object" | "Any")
            | tree.Subscript(value=tree.Name(id="ClassVar" | "Final"), slice=tree.Name(id="object" | "Any")),
            value=tree.Call(func=tree.Name(id="object"), args=(), keywords=()) as value,
        ):
            return tree.Assign((target,), value, node.span)
        case tree.ClassDef():
            return tree.rebuilt(node, lambda part: _in_scope(part) if isinstance(part, tree.stmt) else part)
        case tree.FunctionDef():
            return tree.rebuilt(node, _in_function)
        case _:
            return node


def _in_function(node: tree.AST) -> tree.AST:
    match node:
        case tree.Expr(
            value=tree.Call(
                func=tree.Attribute(value=tree.Name(id="object"), attr="__setattr__"),
                args=(tree.Name() as owner, tree.Constant(value=str(name)), value),
                keywords=(),
            )
        ):
            return tree.Assign((tree.Attribute(owner, name, _UNFROZEN, node.span),), value, node.span)
        case tree.stmt() | tree.excepthandler() | tree.match_case():
            return tree.rebuilt(node, _in_function)
        case _:
            return node


__all__ = ["Unfrozen", "with_roots"]
