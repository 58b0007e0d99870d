"""Protocols where values of one are kept: in fields, in containers, as results.

In: a class that derives from `Protocol`. Out: the union of the program's classes that have its methods and fields, by
their names and numbers of parameters. (A parameter of a protocol is a type parameter instead: see `declare`.)
"""

from __future__ import annotations

from contextlib import suppress

from krait.check.signatures import assigned_fields
from krait.check.types import ClassDecl, ClassType, FunctionDecl, Import, Type, Union
from krait.check.world import Refusal, World
from krait.syntax import tree


def protocol_type(world: World, protocol: ClassDecl) -> Type | None:
    """Return the type of values that have what a protocol describes, None if no class of the program has it."""
    found = world.protocols.get(protocol)
    if found is None:
        classes = conforming(world, protocol)
        members = tuple(ClassType(decl) for decl in classes)
        if not members:
            return None
        found = members[0] if len(members) == 1 else Union(members, protocol.name)
        world.protocols[protocol] = found
    return found


def conforming(world: World, protocol: ClassDecl) -> list[ClassDecl]:
    """Return the classes that have what a protocol describes, without those that derive from another one of them."""
    _load_all(world)
    found: list[ClassDecl] = []
    for module in list(world.modules.values()):
        if module.library:
            continue
        for symbol in module.symbols.values():
            is_plain = isinstance(symbol, ClassDecl) and not symbol.protocol and not symbol.type_params
            if isinstance(symbol, ClassDecl) and is_plain and _conforms(symbol, protocol) and symbol not in found:
                found.append(symbol)
    return [decl for decl in found if not any(base in found for base in list(decl.mro())[1:])]


def _load_all(world: World) -> None:
    """Load all modules that the program imports, for their classes may be what is asked for."""
    pending = [module for module in world.modules.values() if not module.library]
    seen = set(pending)
    while pending:
        for symbol in list(pending.pop().symbols.values()):
            if isinstance(symbol, Import):
                with suppress(Refusal, OSError):
                    module = world.module(symbol.module)
                    if module is not None and module not in seen and not module.library:
                        seen.add(module)
                        pending.append(module)


def _conforms(decl: ClassDecl, protocol: ClassDecl) -> bool:
    if decl.missing_methods():
        return False
    for part in protocol.mro():
        for method in part.methods.values():
            own = decl.find_method(method.name)
            if own is None or (own.owner is not None and own.owner.protocol and method.name in part.abstract):
                if method.kind != "property" or not _has_field(decl, method.name):
                    return False
            elif not _is_called_alike(own, method):
                return False
        for node in part.field_nodes:
            assert isinstance(node.target, tree.Name)
            own = decl.find_method(node.target.id)
            if not _has_field(decl, node.target.id) and (own is None or own.kind != "property"):
                return False
    return True


def _has_field(decl: ClassDecl, name: str) -> bool:
    for part in decl.mro():
        if part.protocol:
            continue
        declared = {node.target.id for node in part.field_nodes if isinstance(node.target, tree.Name)}
        data = {field.name for field in part.data.fields} if part.data is not None else set()
        if name in declared or name in data or name in part.variables or name in assigned_fields(part):
            return True
    return False


def _is_called_alike(own: FunctionDecl, wanted: FunctionDecl) -> bool:
    """Return whether a method takes as many arguments as the protocol's."""
    if (own.kind == "property") != (wanted.kind == "property"):
        return False
    a, b = own.node.args, wanted.node.args
    taken, given = len(a.posonlyargs) + len(a.args), len(b.posonlyargs) + len(b.args)
    return a.vararg is not None or taken - len(a.defaults) <= given <= taken


__all__ = ["conforming", "protocol_type"]
