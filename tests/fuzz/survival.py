"""What is done with a damaged file: read it, check it, run what is valid, within small limits.

Whatever its bytes are, that ends soon, in an outcome or in an error of svm's own tree; anything else escapes.
"""

from __future__ import annotations

from random import Random
from typing import Any

from svm import Error, Guest, LimitError, Limits, LinkError, Module, ModuleError, Store
from svm.files import parse_model
from svm.isa import EXTERNREF, F32, F64, FUNCREF, FuncType, ValueType
from svm.module import ExternKind, decode, encode, from_text, to_text
from svm.module import Module as Model
from svm.runtime import FunctionInstance, HostFunction
from svm.wasm import read, write
from tests.fuzz.mutants import Mutant
from tests.fuzz.runs import NATIVE, REFERENCE, Difference, End, clip, failure, shown
from tests.fuzz.values import number, python_float

__all__ = ["readable", "survive"]

LIMITS = Limits(fuel=5_000, memory="2 MiB", stack="16 KiB", table_elements=1_000)
_CALLS = 3  # exports that are called
_BOTH = 4  # one in so many valid files runs on the reference engine too, and they must agree
_TEXT = 10_000  # bytes of a file that is written as text, too
_AGAIN = 8  # one in so many files that can be read is written and read again


def survive(mutant: Mutant, number_: int, engine: str = NATIVE) -> str:
    """How far a file gets.  Raises what no file may cause."""
    try:
        model = parse_model(mutant.data, f"mutant.{mutant.suffix}", text=False)
    except ModuleError as error:
        return readable("malformed", error)
    if number_ % _AGAIN == 0:
        assert decode(encode(model)) == model, "what can be read can be written and read again"
        if len(mutant.data) < _TEXT:
            text = to_text(model)
            assert to_text(from_text(text)) == text, "and so can its text"
    try:
        module = Module(model)
    except ModuleError as error:
        return readable("invalid", error)
    if number_ % _AGAIN == 0:
        back(model)
    for at in range(module.valid.imported_functions, min(len(module.valid.context.functions), 3)):
        module.valid.line(at, 0)  # debug information is read when somebody asks
    word, ends = live(module, engine, number_)
    if number_ % _BOTH == 0:
        others = live(module, REFERENCE, number_)
        if others != (word, ends):
            raise Difference(f"{clip((word, ends))} on {engine}, {clip(others)} on the reference engine")
    return word


def readable(word: str, error: Error) -> str:
    """The word for an error, whose text must be short, for it may be shown to a person."""
    assert len(str(error)) < 1000, "an error of readable size"
    return word


def back(model: Model) -> None:
    """A valid module can be written as `.wasm`, and what is written is valid; unless it outgrows a limit."""
    try:
        data = write(model)
    except ModuleError:
        return
    Module(read(data))


def live(module: Module, engine: str, number_: int) -> tuple[str, list[Any]]:
    """Spawn a module with a host that gives it zeros, and call what it exports; how that went, in all detail."""
    random = Random(number_)
    store = Store(engine=engine, limits=LIMITS, canonical_nans=True)
    ends: list[Any] = []
    try:
        guest = store.spawn(module, imports=imports(module.model))
    except LinkError:
        return "unlinkable", []
    except LimitError as error:
        return "limited", [str(error), store.fuel_used]
    except Error as error:
        return "failed at start", [failure(error), store.fuel_used]
    names = [name for name, item in guest.exports.items() if isinstance(item, FunctionInstance)]
    for name in random.sample(names, min(len(names), _CALLS)):
        ends.append((called(guest, name, random), store.fuel_used))
        if store.task is not None:
            ends.append(store.stack.record())
            store.task.cancel()
    arenas = store.arenas
    ends.append([bytes(item.data[: item.size]) for item in guest.instance.memories])
    ends.append([arenas.globals.tolist(), [item.elements.tolist() for item in guest.instance.tables]])
    assert store.stack.height == 0, "no frame is left"
    return "ran", ends


def called(guest: Guest, name: str, random: Random) -> End:
    """How a call ends."""
    function = guest.exports[name]
    assert isinstance(function, FunctionInstance)
    type_ = function.type
    try:
        value = guest.call(name, *(argument(random, kind) for kind in type_.params))
    except ModuleError as error:  # an interface is read when a function that it describes is called
        return "bad interface", readable("", error), str(error)
    except Error as error:
        return failure(error)
    values = value if len(type_.results) > 1 else (value,) if type_.results else ()
    return "finished", shown(type_.results, values)


def argument(random: Random, kind: ValueType) -> Any:
    """An argument, by its type."""
    if kind in (EXTERNREF, FUNCREF):
        return None
    value = number(random, kind)
    return python_float(kind, value) if kind in (F32, F64) else value


def imports(model: Model) -> dict[str, dict[str, HostFunction]]:
    """Functions for all that asks for functions; what asks for more cannot be linked."""
    found: dict[str, dict[str, HostFunction]] = {}
    for item in model.imports:
        if item.kind is ExternKind.FUNC and isinstance(item.type, int):
            found.setdefault(item.module, {})[item.name] = HostFunction(zeros(model.types[item.type]))
    return found


def zeros(type_: FuncType) -> Any:
    """A function that answers zeros and nulls."""
    values = tuple(None if kind in (EXTERNREF, FUNCREF) else 0 for kind in type_.results)
    answer = values[0] if len(values) == 1 else values or None
    return lambda *_: answer
