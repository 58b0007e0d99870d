"""Instantiation: a checked module and what its imports ask for, to an `Instance` (WebAssembly core 2.0, section 4.5.4).

Raises LinkError where an import is missing or does not fit, LimitError where a limit has no room for the module; then
nothing has changed.  Raises TrapError where a segment does not fit its table or memory; as the specification has it,
what was written before stays written, and functions of the instance that stand in tables can be called.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Mapping, Sequence

from svm.errors import LinkError, TrapError
from svm.hints import Any
from svm.isa import FuncType, TrapKind
from svm.isa.constants import GLOBAL_GET, REF_FUNC, REF_NULL
from svm.module import (
    ExternKind,
    GlobalType,
    Import,
    Mode,
    TableType,
    ValidModule,
)
from svm.module.constants import read_constant
from svm.runtime.arenas import (
    Arenas,
    Extern,
    FunctionInstance,
    GlobalInstance,
    HostFunction,
    Instance,
    MemoryInstance,
    TableInstance,
    TagInstance,
)

__all__ = ["Imports", "fits", "instantiate", "put_segments", "rebuilt"]

Imports = Mapping[str, Mapping[str, "Extern | HostFunction | Callable[..., Any]"]]
"""What fills imports: by module name, then by name."""

_KINDS: dict[ExternKind, type[Any]] = {
    ExternKind.TABLE: TableInstance,
    ExternKind.MEMORY: MemoryInstance,
    ExternKind.GLOBAL: GlobalInstance,
    ExternKind.TAG: TagInstance,
}


def instantiate(arenas: Arenas, module: ValidModule, imports: Imports) -> Instance:
    """A new instance, its segments in place; its start function has not run yet."""
    model = module.module
    given = [_fitting(arenas, module, item, imports) for item in model.imports]
    arenas.require(*module.least_room)
    memories = [MemoryInstance(arenas, item) for item in model.memories]
    instance = _linked(arenas, module, given, memories)
    if model.elements or model.data:
        put_segments(instance, range(len(model.elements)), range(len(model.data)))
        _initialise(instance)
    return instance


def rebuilt(arenas: Arenas, module: ValidModule, given: list[Any], imports: Imports, sizes: Sequence[int]) -> Instance:
    """An instance as `instantiate` makes it, of which nothing is initialised: what it holds comes from a snapshot.

    given: what fills each import, None where that is a host function of `imports`.  sizes: of its own memories, in
    bytes.  Raises LinkError, with some of it made.
    """
    model = module.module
    given = [
        _fitting(arenas, module, item, imports) if value is None else value
        for item, value in zip(model.imports, given, strict=True)
    ]
    memories = [MemoryInstance(arenas, item, size) for item, size in zip(model.memories, sizes, strict=True)]
    instance = _linked(arenas, module, given, memories)
    instance.elements, instance.data = [array("Q")] * len(model.elements), [b""] * len(model.data)
    return instance


def put_segments(instance: Instance, elements: Collection[int], data: Collection[int]) -> None:
    """Let an instance have these of its module's segments, by index, and no others."""
    model = instance.module.module
    instance.elements = [
        array("Q", [evaluate(instance, expression) for expression in segment.items] if at in elements else ())
        for at, segment in enumerate(model.elements)
    ]
    instance.data = [segment.data if at in data else b"" for at, segment in enumerate(model.data)]


def _linked(arenas: Arenas, module: ValidModule, given: list[Any], memories: list[MemoryInstance]) -> Instance:
    """An instance without its segments."""
    instance = Instance(arenas, module)
    for item, value in zip(module.module.imports, given, strict=True):
        _add_import(instance, item, value)
    instance.memories += memories
    _add_own(instance)
    return instance


def _fitting(arenas: Arenas, module: ValidModule, item: Import, imports: Imports) -> Any:
    """What is given for an import, if it may be.  Raises LinkError."""
    value: Any = imports.get(item.module, {}).get(item.name)
    if value is None:
        raise LinkError(f"unknown import: import {item.module!r} {item.name!r} ({item.kind}) is missing")
    expected: Any = item.type
    if item.kind in (ExternKind.FUNC, ExternKind.TAG):
        expected = module.module.types[expected]
    if item.kind is ExternKind.FUNC:
        given = _fitting_function(arenas, item, expected, value)
        if not module.has_hosts:
            return given
        from svm.runtime.rich import border_of  # here, for few modules have such an interface

        return border_of(module).with_types(item.module, item.name, given)
    if not isinstance(value, _KINDS[item.kind]):
        raise _misfit(item, f"a {item.kind} is asked for, {type(value).__name__} given")
    if not fits(expected, value.type, _size(value)):
        raise _misfit(item, f"{expected} is asked for, {value.type} given")
    if value.arenas not in (None, arenas):
        raise _misfit(item, "it belongs to another store")
    return value


def _fitting_function(arenas: Arenas, item: Import, expected: FuncType, value: Any) -> FunctionInstance | HostFunction:
    if isinstance(value, FunctionInstance):
        if not arenas.owns(value):
            raise _misfit(item, "it belongs to another store")
    elif not isinstance(value, HostFunction):
        if not callable(value):
            raise _misfit(item, f"a function is asked for, {type(value).__name__} given")
        value = HostFunction(value)
    given: FunctionInstance | HostFunction = value
    if given.type not in (None, expected):
        raise _misfit(item, f"{expected} is asked for, {given.type} given")
    return given


def _misfit(item: Import, why: str) -> LinkError:
    return LinkError(f"incompatible import type: import {item.module!r} {item.name!r}: {why}")


def fits(expected: Any, given: Any, size: int) -> bool:
    """Whether something of a type, and of a size where it has one (elements, or pages), may be imported as what is
    asked for (section 4.5.3: limits may be tighter).
    """
    if type(given) is not type(expected):
        return False
    if isinstance(expected, GlobalType | FuncType):
        return bool(given == expected)
    if isinstance(expected, TableType) and given.element is not expected.element:
        return False
    most = given.maximum
    return size >= expected.minimum and (expected.maximum is None or (most is not None and most <= expected.maximum))


def _size(thing: Any) -> int:
    if isinstance(thing, TableInstance):
        return len(thing.elements)
    return thing.pages if isinstance(thing, MemoryInstance) else 0


def _add_import(instance: Instance, item: Import, value: Any) -> None:
    arenas = instance.arenas
    if isinstance(value, HostFunction):
        type_ = instance.module.module.types[item.type]  # type: ignore[index]  # a function's is an index
        call = value.call
        value = arenas.add_function(type_, item.name, value)
        if call is not None:
            from svm.runtime.rich import HostSignature

            value.signature = HostSignature(instance, call)
    if isinstance(value, GlobalInstance) and value.arenas is None:
        value.join(arenas, value.value)
    if item.kind is ExternKind.FUNC:
        instance.imported.append(value.number)
    else:
        instance.space(item.kind).append(value)


def _add_own(instance: Instance) -> None:
    arenas, module = instance.arenas, instance.module
    model = module.module
    arenas.add_functions(instance)
    instance.tables += [TableInstance(arenas, item) for item in model.tables]
    for tag in model.tags:
        number = len(instance.tags)
        name = module.tag_names.get(number, f"tag[{number}]")
        instance.tags.append(TagInstance(model.types[tag.type], name, instance))
    for item in model.globals:
        instance.globals.append(GlobalInstance(item.type, evaluate(instance, item.init), arenas))


def evaluate(instance: Instance, expression: bytes) -> int:
    """Slot that a checked constant expression gives."""
    found = read_constant(expression)
    assert found is not None
    code, value = found
    if code == GLOBAL_GET:
        return instance.globals[value].value
    if code == REF_FUNC:
        return instance.number_of(value)
    return 0 if code == REF_NULL else value


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
            memory.mapping[start : start + len(data.data)] = data.data
            instance.data[at] = b""


def _misplaced(kind: TrapKind, what: str) -> TrapError:
    return TrapError(kind.name.lower(), f"{kind.message}: {what} does not fit")
