"""A case on wasmtime, by way of `.wasm` files: results, kinds of traps, memory and what `STATE` tells agree."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import wasmtime

from svm import Module
from svm.isa import F32, F64, FUNCREF, FuncType, ValueType
from svm.module import ExternKind
from svm.module import Module as Model
from svm.runtime import MemoryInstance
from svm.wasm import write
from tests.fuzz.case import HOST, STATE, WIND, Call, Case, name_of
from tests.fuzz.generator import MEMORY, roomy
from tests.fuzz.runs import NATIVE, Difference, End, Host, Refusal, Run, clip
from tests.fuzz.values import Argument, bits, number_of, python_float

__all__ = ["agree_with_wasmtime"]

# wasmtime's words for traps; it tells some apart less finely.
_KINDS = {
    "unreachable": "UNREACHABLE",
    "out of bounds memory access": "MEMORY_OUT_OF_BOUNDS",
    "integer divide by zero": "INTEGER_DIVISION_BY_ZERO",
    "integer overflow": "INTEGER_OVERFLOW",
    "invalid conversion to integer": "BAD_CONVERSION_TO_INTEGER",
    "out of bounds table access": "TABLE_OUT_OF_BOUNDS",
    "undefined element": "TABLE_OUT_OF_BOUNDS",
    "uninitialized element": "INDIRECT_CALL_TO_NULL",
    "indirect call type mismatch": "BAD_SIGNATURE",
}


@cache
def _engine() -> Any:
    config = wasmtime.Config()
    config.wasm_exceptions = True
    config.cranelift_nan_canonicalization = True
    config.cranelift_opt_level = "none"
    config.parallel_compilation = False
    config.memory_reservation = 1 << 16  # else 4 GiB of addresses for each memory, which takes time to map
    config.memory_guard_size = 1 << 16
    config.memory_reservation_for_growth = 1 << 16
    return wasmtime.Engine(config)


class Oracle:
    """A case on wasmtime."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.host = Host(self.call_back)
        self.store = wasmtime.Store(_engine())
        self.guests: list[Any] = []

    def link(self) -> End:
        """See `Run.link`."""
        for model in self.case.modules:
            try:
                module = wasmtime.Module(_engine(), write(model))
                instance = wasmtime.Instance(self.store, module, self.imports(model))
            except (wasmtime.Trap, wasmtime.WasmtimeError, Refusal) as error:
                return failure(error)
            self.guests.append(instance.exports(self.store))
        return ("linked",)

    def imports(self, model: Model) -> list[Any]:
        """What fills the imports of a module, in order."""
        found: list[Any] = []
        places = {name_of(at): guest for at, guest in enumerate(self.guests)}
        for item in model.imports:
            if item.module != HOST:
                found.append(places[item.module][item.name])
                continue
            assert item.kind is ExternKind.FUNC and isinstance(item.type, int)
            type_ = model.types[item.type]
            kinds = ([value_type(kind) for kind in types] for types in (type_.params, type_.results))
            found.append(wasmtime.Func(self.store, wasmtime.FuncType(*kinds), self.host.answer(item.name, type_)))
        return found

    def call(self, call: Call) -> End:
        """See `Run.call`."""
        self.host.inner = call if call.name not in (WIND, STATE) else self.host.inner
        exports = self.guests[call.instance]
        type_ = self.case.type_of(call)
        args = [self.given(exports, kind, value) for kind, value in zip(type_.params, call.args, strict=True)]
        try:
            result = exports[call.name](self.store, *args)
        except (wasmtime.Trap, wasmtime.WasmtimeError, Refusal) as error:
            return failure(error)
        values = result if len(type_.results) > 1 else [result] if type_.results else []
        return "finished", coarse(type_, values)

    def call_back(self, call: Call) -> End:
        """See `Run.call_back`."""
        end = self.call(call)
        if end[0] == "refused":
            raise Refusal
        return end

    @staticmethod
    def given(exports: Any, kind: ValueType, value: Argument) -> Any:
        """An argument as wasmtime takes it."""
        if kind is FUNCREF:
            return None if value is None else exports[str(value)]
        return python_float(kind, number_of(value)) if kind in (F32, F64) else value

    def memories(self) -> list[bytes]:
        """The bytes of each instance's memory."""
        found = [exports.get(MEMORY) for exports in self.guests]
        return [bytes(memory.read(self.store)) for memory in found if memory is not None]


def value_type(kind: ValueType) -> Any:
    """wasmtime's word for a type."""
    return getattr(wasmtime.ValType, str(kind))()


def coarse(type_: FuncType, values: Any) -> tuple[Any, ...]:
    """Results as both can tell them: of a function no more than whether it is null."""
    return tuple(
        bits(kind, value) if kind in (F32, F64) else value is None if kind is FUNCREF else value
        for kind, value in zip(type_.results, values, strict=True)
    )


def failure(error: Exception) -> End:
    """How a call ends that fails, in svm's words."""
    if isinstance(error, Refusal):
        return ("refused",)
    code = error.trap_code if isinstance(error, wasmtime.Trap) else None
    if code is None and "thrown Wasm exception" in str(error):
        return ("UncaughtError",)
    if code is None:
        raise Difference(f"wasmtime refuses: {error}") from error
    return "TrapError", code.name


def plain(end: End) -> End:
    """An end of ours as wasmtime would tell it."""
    if end[0] == "TrapError":
        message = end[1].partition(":")[0]
        return "TrapError", _KINDS[message]
    if end[0] == "finished":
        return "finished", end[1]
    return end[:1]


def agree_with_wasmtime(case: Case, engine: str = NATIVE) -> Counter[str]:
    """Run a case, without its limits, on an engine and on wasmtime; how many calls ended in which way.

    Raises Difference where they do not agree.
    """
    case = roomy(case)
    oracle = Oracle(case)
    run = Run(case, [Module(model) for model in case.modules], engine)
    with oracle.store:  # its functions hold the host, which holds the store: left alone, nothing would end that
        return in_step(case, run, oracle)


def in_step(case: Case, run: Run, oracle: Oracle) -> Counter[str]:
    """See `agree_with_wasmtime`."""
    ends = Counter([same("linking", plain(run.link()), oracle.link())])
    for call in case.steps():
        if call.instance >= len(run.guests):
            continue
        ends[both(case, call, run, oracle)] += call.name != WIND
        if call.name == WIND:
            continue
        for at in range(len(run.guests)):
            both(case, Call(at, STATE), run, oracle)
        memories = [
            bytes(memory.data[: memory.size])
            for guest in run.guests
            if isinstance(memory := guest.exports.get(MEMORY), MemoryInstance)
        ]
        same(f"memory after {call}", ("", memories), ("", oracle.memories()))
        same(f"host calls of {call}", ("", run.host.heard), ("", oracle.host.heard))
    return ends


def both(case: Case, call: Call, run: Run, oracle: Oracle) -> str:
    """How a call ends on both, where the case exports what is called."""
    if all(item.name != call.name for item in case.modules[call.instance].exports):
        return ""
    mine = run.call(call)
    if mine[0] == "finished":
        pairs = zip(case.type_of(call).results, mine[1], strict=True)
        mine = "finished", tuple(value is None if kind is FUNCREF else value for kind, value in pairs)
    return same(call, plain(mine), oracle.call(call))


def same(what: Any, mine: End, its: End) -> str:
    """The word for an end that is the same for both."""
    if mine != its:
        raise Difference(f"{what}: {clip(mine)} on svm, {clip(its)} on wasmtime")
    word: str = mine[0]
    return word
