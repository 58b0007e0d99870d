"""A case on an engine and on the reference engine in step: results, traps, memory, globals, tables and fuel agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import cycle
from typing import Any

from svm import (
    ENGINES,
    Error,
    Finished,
    Guest,
    GuestError,
    LimitError,
    Module,
    Paused,
    Store,
    Task,
    Trapped,
    UncaughtError,
)
from svm.isa import EXTERNREF, F32, F64, FUNCREF, FuncType, ValueType
from svm.module import ExternKind
from svm.module import Module as Model
from svm.runtime import Engine, HostFunction
from tests.fuzz.case import HOST, STATE, WIND, Call, Case, name_of
from tests.fuzz.values import Argument, bits, number_of, python_float

__all__ = ["NATIVE", "REFERENCE", "Difference", "End", "Host", "Refusal", "Run", "agree", "clip", "engine_of"]

NATIVE, REFERENCE = "interpreter", "reference"
"""The engine that is compared if no other is asked for, and the one that it is compared with."""
End = tuple[Any, ...]
"""How a call ends, in values that can be compared: a word for the way, and what belongs to it."""
_PATIENCE = 100_000  # runs of one call
_MOVES = 40  # of a guest in all, for each takes milliseconds
_REFUSED = 25  # calls of the host that it answers before it refuses one
_AGAIN = 4  # calls of the host after which it calls back


class Difference(Exception):
    """Two engines do not agree."""


class Refusal(Exception):
    """What the host raises where a guest calls it too often."""


class Host:
    """The host's functions: they remember what they were called with, and answer by the count of calls.

    again: calls into the guests, which a function does now and then, and says how that ended.
    """

    def __init__(self, again: Callable[[Call], End]) -> None:
        self.heard: list[Any] = []
        self.again = again
        self.inner: Call | None = None
        self.is_inside = False

    def functions(self, module: Model) -> dict[str, HostFunction]:
        """What fills a module's imports from the host."""
        return {
            item.name: HostFunction(self.answer(item.name, module.types[item.type]))
            for item in module.imports
            if item.module == HOST and item.kind is ExternKind.FUNC and isinstance(item.type, int)
        }

    def answer(self, name: str, type_: FuncType) -> Callable[..., Any]:
        """The function behind an import."""

        def call(*args: Any) -> Any:
            self.heard.append((name, shown(type_.params, args)))
            count = len(self.heard)
            if count % _REFUSED == 0:
                raise Refusal(name)
            if count % _AGAIN == 0 and self.inner is not None and not self.is_inside:
                self.is_inside = True
                try:
                    self.heard.append(self.again(self.inner)[0])
                finally:
                    self.is_inside = False
            results = tuple(self.result(kind, count) for kind in type_.results)
            return results[0] if len(results) == 1 else results or None

        return call

    @staticmethod
    def result(kind: ValueType, count: int) -> Any:
        """What the host answers at its count-th call."""
        if kind is EXTERNREF:
            return (None, "blue")[count % 2]
        return count * 0.75 if kind in (F32, F64) else count * 0x9E3779B1 % 0x7FFFFFFF - count


def shown(types: Sequence[ValueType], values: Sequence[Any]) -> tuple[Any, ...]:
    """Values that can be compared: floats by their bits, functions by their place in the store."""
    found = []
    for kind, value in zip(types, values, strict=True):
        if kind in (F32, F64):
            value = bits(kind, value)
        elif kind is FUNCREF and value is not None:
            value = value.number
        found.append(value)
    return tuple(found)


@cache
def engine_of(name: str) -> Engine:
    """An engine, made once."""
    return ENGINES[name]()


class Run:
    """A case on one engine.

    modules: the case's, checked.  portions: fuel of each run of a call, in turn; without any, calls are run in one go.
    moving: whether the guests go on on another engine whenever they are paused.
    """

    def __init__(
        self,
        case: Case,
        modules: Sequence[Module],
        engine: str,
        portions: tuple[int, ...] = (),
        *,
        moving: bool = False,
    ) -> None:
        self.case = case
        self.modules = modules
        self.host = Host(self.call_back)
        self.store = Store(engine=engine, limits=case.bounds.limits(), canonical_nans=True)
        self.guests: list[Guest] = []
        self.portions: Iterator[int | None] = cycle(portions or (None,))
        self.moves = _MOVES if moving else 0
        others = [REFERENCE] if engine == NATIVE else [NATIVE, REFERENCE]
        self.route = cycle(name for other in others for name in (other, engine))
        self.refills = iter(case.bounds.refills)
        self.spent = False  # no fuel is left, and no more is given

    def link(self) -> End:
        """Spawn the modules, in order, as far as they will; how the first that will not ends."""
        for at, module in enumerate(self.modules):
            imports: dict[str, Any] = {name_of(before): guest for before, guest in enumerate(self.guests)}
            try:
                host = self.host.functions(module.model)
                self.guests.append(self.store.spawn(module, host=host, imports=imports))
            except LimitError as error:
                if error.guest is None:
                    return "no room", str(error), at
                end = self.go_on(error.guest.task, FuncType())
                if end[0] != "finished":
                    return (*end, at)
                self.guests.append(error.guest)
            except GuestError as error:
                return (*failure(error), at)
            except Refusal as error:
                return "refused", str(error), at
        return ("linked",)

    def call(self, call: Call) -> End:
        """How a call ends."""
        type_ = self.case.type_of(call)
        guest = self.guests[call.instance]
        self.host.inner = call if call.name not in (WIND, STATE) else self.host.inner
        args = [self.given(guest, kind, value) for kind, value in zip(type_.params, call.args, strict=True)]
        return self.go_on(guest.start(call.name, *args), type_)

    def call_back(self, call: Call) -> End:
        """How a call from inside a host function ends: it cannot be paused."""
        guest, type_ = self.guests[call.instance], self.case.type_of(call)
        args = [self.given(guest, kind, value) for kind, value in zip(type_.params, call.args, strict=True)]
        match guest.start(call.name, *args).run():
            case Finished():
                return ("finished",)
            case Trapped(error):
                return failure(error)
        return ("out of fuel",)

    @staticmethod
    def given(guest: Guest, kind: ValueType, value: Argument) -> Any:
        """An argument as a guest takes it."""
        if kind is FUNCREF and value is not None:
            return guest.exports[str(value)]
        return python_float(kind, number_of(value)) if kind in (F32, F64) else value

    def go_on(self, task: Task | None, type_: FuncType) -> End:
        """Run a call to its end, through all pauses."""
        assert task is not None
        stops: list[Any] = []
        for _ in range(_PATIENCE):
            try:
                outcome = task.run(fuel=next(self.portions))
            except Refusal as error:
                return "refused", str(error), *stops
            if not isinstance(outcome, Paused):
                break
            if self.store.meter.left < 0:
                stops.append((outcome.traceback, self.store.stack.record()))
                more = next(self.refills, None)
                if more is None:
                    self.spent = True
                    task.cancel()
                    return "out of fuel", *stops
                self.store.add_fuel(more)
            if self.moves:
                self.moves -= 1
                self.store.engine = engine_of(next(self.route))
        else:
            raise Difference("a call does not end")
        if isinstance(outcome, Finished):
            values = outcome.value if len(type_.results) > 1 else (outcome.value,) if type_.results else ()
            return "finished", shown(type_.results, values), *stops
        assert isinstance(outcome, Trapped), "no guest here asks to exit"
        return *failure(outcome.error), *stops

    def contents(self) -> End:
        """All that outlives a call."""
        arenas = self.store.arenas
        return (
            self.store.fuel_used,
            tuple(bytes(item.data[: item.size]) for instance in arenas.instances for item in instance.memories),
            tuple(arenas.globals),
            tuple(tuple(table.elements) for instance in arenas.instances for table in instance.tables),
            tuple(self.host.heard),
        )


def failure(error: Error) -> End:
    """What can be compared of a call's error."""
    assert isinstance(error, GuestError)
    values: tuple[Any, ...] = error.values if isinstance(error, UncaughtError) else ()
    seen = tuple("nan" if value != value else getattr(value, "number", value) for value in values)
    return type(error).__name__, str(error), seen, error.traceback


def runs_of(case: Case, engine: str) -> tuple[Run, Run]:
    """The runs that must agree."""
    modules = [Module(model) for model in case.modules]
    mine = Run(case, modules, engine, case.moves or case.slices[0], moving=bool(case.moves))
    return mine, Run(case, modules, REFERENCE, case.slices[1])


def agree(case: Case, engine: str = NATIVE) -> Counter[str]:
    """Run a case on an engine and on the reference engine; how many calls ended in which way.

    Raises Difference where they do not agree.
    """
    runs = runs_of(case, engine)
    ends = Counter([step(runs, "linking", Run.link)])
    for call in case.steps():
        if call.instance < len(runs[0].guests):
            ends[step(runs, call, partial(Run.call, call=call))] += call.name != WIND
        if runs[0].spent:
            break
    return ends


def step(runs: Sequence[Run], what: Any, do: Callable[[Run], End]) -> str:
    """Do the same in both runs; how it ended in both."""
    ends = [do(run) for run in runs]
    if ends[0] != ends[1]:
        raise Difference(f"{what}: {clip(ends[0])} here, {clip(ends[1])} on the reference engine")
    mine, its = (run.contents() for run in runs)
    for name, one, other in zip(("fuel", "memory", "globals", "tables", "host calls"), mine, its, strict=True):
        if one != other:
            raise Difference(f"{what}: {name}{apart(one, other)} (the reference engine last)")
    word: str = ends[0][0]
    return word


def apart(one: Any, other: Any) -> str:
    """Where two values differ first, and how."""
    if isinstance(one, tuple | bytes) and isinstance(other, tuple | bytes) and len(one) == len(other):
        for at, (mine, its) in enumerate(zip(one, other, strict=True)):
            if mine != its:
                return f"[{at}]{apart(mine, its)}"
    return f": {clip(one)}, {clip(other)}"


def clip(value: Any) -> str:
    """A value for a message."""
    text = repr(value)
    return text if len(text) < 400 else f"{text[:400]}…"
