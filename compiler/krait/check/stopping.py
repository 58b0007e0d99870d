"""Which functions might raise StopIteration: what a generator that calls them makes a RuntimeError.

In: the text of a program. Out: whether a function's text names what asks iterators, or a function that does. By their
names alone: a guard too many costs a little, and one too few would let StopIteration out of a generator.
"""

from __future__ import annotations

from krait.check.names import scan
from krait.check.world import World
from krait.syntax import tree

_ASK = frozenset(("next", "StopIteration", "__next__", "send", "throw", "close"))


def asks_iterators(world: World, node: tree.AST) -> bool:
    """Return whether a piece of code might raise StopIteration, or go on with a generator."""
    return not _names(node).isdisjoint(_asking(world))


def _asking(world: World) -> frozenset[str]:
    """Return the names of what asks iterators, in the modules of the program that have been met."""
    own = [module for module in world.modules.values() if not module.library]
    count, found = world.asking
    if count != len(own):
        pending: dict[str, set[str]] = {}
        for module in own:
            _note_functions(module.tree, "", pending)
        found, known = _ASK, frozenset[str]()
        while found != known:
            known = found
            found |= {name for name, used in pending.items() if not used.isdisjoint(known)}
        world.asking = (len(own), found)
    return found


def _note_functions(node: tree.AST, owner: str, found: dict[str, set[str]]) -> None:
    """Note what the functions in a piece of code name; generators keep StopIteration to themselves."""
    for part in tree.iter_child_nodes(node):
        if isinstance(part, tree.FunctionDef) and not scan(part.body).has_yield:
            made = part.name in ("__init__", "__post_init__")
            found.setdefault(owner if made else part.name, set()).update(_names(part))
        _note_functions(part, part.name if isinstance(part, tree.ClassDef) else owner, found)


def _names(node: tree.AST) -> set[str]:
    """Return the names and attributes in a piece of code."""
    found: set[str] = set()
    for part in tree.walk(node):
        if isinstance(part, tree.Name):
            found.add(part.id)
        elif isinstance(part, tree.Attribute):
            found.add(part.attr)
    return found


__all__ = ["asks_iterators"]
