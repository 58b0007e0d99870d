"""What programs write with `object`: marks, and fields of frozen classes.

In: the statements of a module. Out: the same where ``MARK = object()`` makes the only object of a class of its own, so
that `is` says of a value whether it is that mark by its type; an annotation, which says less, is left out. And where
``object.__setattr__(self, "x", value)`` is ``self.x = value``, that being allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from krait.check.names import scan
from krait.check.types import ClassDecl, ClassType, Type, prune
from krait.check.vocabulary import LIBRARY
from krait.syntax import tree

MARK_CLASS = "object ("
"""What the name of a class begins with that a mark of a program has for itself."""


def is_root(decl: ClassDecl) -> bool:
    """Return whether a class is ``object``, from which all derive without saying so."""
    return decl.name == "object" and decl.module.name == "krait.object"


def is_mark(t: Type) -> bool:
    """Return whether a type is that of a mark, ``MARK = object()``, which is the only value of it."""
    t = prune(t)
    return isinstance(t, ClassType) and t.decl.name.startswith(MARK_CLASS)


class Unfrozen(tree.Store):
    """The value is set, even if the object is frozen."""

    __slots__ = ()


_UNFROZEN = Unfrozen()


def with_roots(body: Sequence[tree.stmt], source: str) -> tuple[tree.stmt, ...]:
    """Return the statements of a module with marks that have a class, and plain assignments to fields."""
    if "object" not in source:
        return tuple(body)
    again = {name for node in body for part in tree.walk(node) if isinstance(part, tree.Global) for name in part.names}
    return tuple(part for node in _with_marks(body, "", again) for part in node)


def _with_marks(body: Sequence[tree.stmt], owner: str, again: set[str]) -> Iterator[tuple[tree.stmt, ...]]:
    """For each statement of a module or class, the classes of its marks and the statement itself."""
    assigned = scan(body).assigned
    for node in body:
        match node:
            case tree.AnnAssign(target=tree.Name(id=name), value=value) if _says_object(node.annotation):
                pass
            case tree.Assign(targets=(tree.Name(id=name),), value=value):
                pass
            case tree.ClassDef():
                parts = [*_with_marks(node.body, f"{owner}{node.name}.", set())]
                inner = tuple(part[-1] for part in parts)
                yield *(cls for part in parts for cls in part[:-1]), _with_body(node, inner)
                continue
            case _:
                yield (tree.rebuilt(node, _in_function) if isinstance(node, tree.FunctionDef) else node,)
                continue
        if _is_mark(value) and len(set(assigned[name])) == 1 and name not in again:
            cls = f"{MARK_CLASS}{owner}{name})"
            root = tree.Name(f"{LIBRARY}object", tree.LOAD, node.span)
            declared = tree.ClassDef(cls, (root,), (), (tree.Pass(node.span),), (), (), node.span)
            call = tree.Call(tree.Name(cls, tree.LOAD, node.span), (), (), node.span)
            yield declared, tree.Assign((tree.Name(name, tree.STORE, node.span),), call, node.span)
        else:
            yield (node,)


def _with_body(node: tree.ClassDef, body: tuple[tree.stmt, ...]) -> tree.ClassDef:
    return tree.ClassDef(node.name, node.bases, node.keywords, body, node.decorator_list, node.type_params, node.span)


def _is_mark(value: tree.expr | None) -> bool:
    return (
        isinstance(value, tree.Call)
        and isinstance(value.func, tree.Name)
        and value.func.id == "object"
        and not value.args
        and not value.keywords
    )


def _says_object(annotation: tree.expr) -> bool:
    """Return whether an annotation is ``object`` or ``Any``, or leaves the type to the value."""
    match annotation:
        case tree.Subscript(value=tree.Name(id="ClassVar" | "Final"), slice=inner):
            return _says_object(inner)
        case tree.Name(id=name):
            return name in ("object", "Any", "Final")
        case _:
            return False


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


__all__ = ["MARK_CLASS", "Unfrozen", "is_mark", "is_root", "with_roots"]
