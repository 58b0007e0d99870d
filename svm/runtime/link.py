"""Instantiation: a checked module and what its imports ask for, to an `Instance` (WebAssembly core 2.0, section 4.5.4).

Raises LinkError where an import is missing or does not fit, TrapError where a segment does not fit its table or
memory; as the specification has it, what was written before stays written.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from typing import Any

from svm.errors import LinkError, TrapError
from svm.isa import FuncType, TrapKind
from svm.module import (
    ExternKind,
    GlobalType,
    Import,
    MemoryType,
    Mode,
    NameKind,
    TableType,
    ValidModule,
    decode_body,
)
from svm.runtime.store import (
    Extern,
    FunctionInstance,
    GlobalInstance,
    HostFunction,
    Instance,
    MemoryInstance,
    Store,
    TableInstance,
    TagInstance,
)

__all__ = ["Imports", "instantiate"]

Imports = Mapping[str, "Mapping[str, Extern | HostFunction | Callable[..., Any]] | Instance"]
"""What fills imports: by module name, then by name; an instance gives its exports."""


def instantiate(store: Store, module: ValidModule, imports: Imports) -> Instance:
    """A new instance in the store, its segments in place; its start function has not run yet."""
    given = [_find(imports, item) for item in module.module.imports]
    instance = Instance(store, module)
    for item, value in zip(module.module.imports, given, strict=True):
        _add_import(instance, item, value)
    _add_own(instance)
    instance.elements = [
        array("Q", [evaluate(instance, expression) for expression in segment.items])
        for segment in module.module.elements
    ]
    instance.data = [segment.data for segment in module.module.data]
    _initialise(instance)
    return instance


def _find(imports: Imports, item: Import) -> Any:
    space: Any = imports.get(item.module, {})
    found = (space.exports if isinstance(space, Instance) else space).get(item.name)
    if found is None:
        raise LinkError(f"import {item.module!r} {item.name!r} ({item.kind}) is missing")
    return found


def _add_import(instance: Instance, item: Import, value: Any) -> None:
    store = instance.store
    expected: Any = item.type
    if item.kind in (ExternKind.FUNC, ExternKind.TAG):
        expected = instance.module.module.types[expected]
    if item.kind is ExternKind.FUNC:
        instance.functions.append(_function(store, item, expected, value))
        return
    kinds: dict[ExternKind, tuple[type[Any], list[Any]]] = {
        ExternKind.TABLE: (TableInstance, instance.tables),
        ExternKind.MEMORY: (MemoryInstance, instance.memories),
        ExternKind.GLOBAL: (GlobalInstance, instance.globals),
        ExternKind.TAG: (TagInstance, instance.tags),
    }
    kind, space = kinds[item.kind]
    if not isinstance(value, kind):
        raise _misfit(item, f"a {item.kind} is asked for, {type(value).__name__} given")
    if not _fits(expected, value):
        raise _misfit(item, f"{expected} is asked for, {value.type} given")
    if isinstance(value, GlobalInstance) and value.store is None:
        value.join(store, value.value)
    if not isinstance(value, TagInstance) and value.store is not store:
        raise _misfit(item, "it belongs to another guest")
    space.append(value)


def _misfit(item: Import, why: str) -> LinkError:
    return LinkError(f"incompatible import type: import {item.module!r} {item.name!r}: {why}")


def _function(store: Store, item: Import, expected: FuncType, value: Any) -> FunctionInstance:
    if isinstance(value, FunctionInstance):
        if store.functions[value.number : value.number + 1] != [value]:
            raise _misfit(item, "it belongs to another guest")
        if value.type != expected:
            raise _misfit(item, f"{expected} is asked for, {value.type} given")
        return value
    if not isinstance(value, HostFunction):
        if not callable(value):
            raise _misfit(item, f"a function is asked for, {type(value).__name__} given")
        value = HostFunction(value)
    if value.type not in (None, expected):
        raise _misfit(item, f"{expected} is asked for, {value.type} given")
    return store.add_function(expected, item.name, host=value)


def _fits(expected: Any, value: Any) -> bool:
    """Whether what is there may be imported as what is asked for (section 4.5.3: limits may be tighter)."""
    if isinstance(expected, GlobalType):
        return bool(value.type == expected)
    if isinstance(expected, FuncType):
        return bool(value.type == expected)
    if isinstance(expected, TableType):
        if value.type.element is not expected.element:
            return False
        size = len(value.elements)
    else:
        assert isinstance(expected, MemoryType)
        size = value.pages
    most = value.type.maximum
    return size >= expected.minimum and (expected.maximum is None or (most is not None and most <= expected.maximum))


def _add_own(instance: Instance) -> None:
    store, module = instance.store, instance.module
    model = module.module
    first = module.imported_functions
    for at in range(first, len(module.context.functions)):
        type_ = module.context.functions[at]
        instance.functions.append(store.add_function(type_, module.function_name(at), instance=instance, index=at))
    instance.tables += [TableInstance(store, item) for item in model.tables]
    instance.memories += [MemoryInstance(store, item) for item in model.memories]
    names = model.names.of(NameKind.TAG)
    names.update((item.index, item.name) for item in model.exports if item.kind is ExternKind.TAG)
    for tag in model.tags:
        number = len(instance.tags)
        instance.tags.append(TagInstance(model.types[tag.type], names.get(number, f"tag[{number}]")))
    for item in model.globals:
        instance.globals.append(GlobalInstance(item.type, evaluate(instance, item.init), store))


def evaluate(instance: Instance, expression: bytes) -> int:
    """Slot that a checked constant expression gives."""
    slot = 0
    for op, args, _ in decode_body(expression):
        if op.name == "global.get":
            slot = instance.globals[args[0]].value
        elif op.name == "ref.func":
            slot = instance.functions[args[0]].number
        elif op.python is not None:
            slot = op.python(*args)
    return slot


def _initialise(instance: Instance) -> None:
    """Put active segments in place, and give up those that no instruction may use any more."""
    model = instance.module.module
    for at, segment in enumerate(model.elements):
        if segment.mode is Mode.ACTIVE:
            start = evaluate(instance, segment.offset or b"")
            table, items = instance.tables[segment.table], instance.elements[at]
            if start + len(items) > len(table.elements):
                raise _misplaced(TrapKind.OUT_OF_BOUNDS_TABLE, f"element segment {at}")
            table.elements[start : start + len(items)] = items
        if segment.mode is not Mode.PASSIVE:
            instance.elements[at] = array("Q")
    for at, data in enumerate(model.data):
        if data.mode is Mode.ACTIVE:
            start = evaluate(instance, data.offset or b"")
            memory = instance.memories[data.memory]
            if start + len(data.data) > memory.size:
                raise _misplaced(TrapKind.OUT_OF_BOUNDS_MEMORY, f"data segment {at}")
            memory.data[start : start + len(data.data)] = data.data
            instance.data[at] = b""


def _misplaced(kind: TrapKind, what: str) -> TrapError:
    return TrapError(kind.name.lower(), f"{kind.message}: {what} does not fit")
