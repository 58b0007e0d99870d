"""`__slots__`: the fields that objects of a class may have.

In: a class. Out: an error for a field that CPython would not let be assigned.
"""

from __future__ import annotations

from krait.check.private import private_name
from krait.check.signatures import declared_fields
from krait.check.types import ClassDecl, ClassType
from krait.check.world import MARK, World
from krait.syntax import tree


def check_slots(world: World, decl: ClassDecl) -> None:
    """Refuse fields for which a class whose bases all have slots has none."""
    slots = [_slots_of(part) for part in decl.mro()]
    if slots[0] is None or None in slots or decl.data is not None:
        return
    names = {name for part in slots if part is not None for name in part}
    for name in declared_fields(world, ClassType(decl, decl.type_params)):
        if name not in names and not name.endswith(MARK):
            hint = "name it there: CPython does not let it be assigned"
            message = f"the `__slots__` of `{decl.name}` do not have its field `{name}`"
            place = next(node for node in decl.node.body if isinstance(node, tree.Assign) and _names_slots(node))
            world.refuse(decl.module, place.span, message, hints=(hint,))


def _slots_of(decl: ClassDecl) -> tuple[str, ...] | None:
    """Return the names in ``__slots__``, None if there are none, or not as literals."""
    for node in decl.node.body:
        match node:
            case tree.Assign(value=tree.Constant(value=str(name))) if _names_slots(node):
                return (private_name(decl.name, name),)
            case tree.Assign(value=tree.Tuple(elts=items) | tree.List(elts=items)) if _names_slots(node):
                named = [str(item.value) for item in items if isinstance(item, tree.Constant)]
                return tuple(private_name(decl.name, name) for name in named)
            case _:
                pass
    return None


def _names_slots(node: tree.Assign) -> bool:
    return any(isinstance(target, tree.Name) and target.id == "__slots__" for target in node.targets)


__all__ = ["check_slots"]
