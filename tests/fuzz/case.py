"""A case: modules that are linked in one store, limits, and calls; as a value, and as a folder of files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from svm import Limits
from svm.isa import FuncType
from svm.module import ExternKind, Module, decode, encode, to_text
from tests.fuzz.values import Argument

__all__ = ["HOST", "STATE", "WIND", "Bounds", "Call", "Case", "load", "name_of", "save"]

HOST = "host"
"""Module name of imports that the host fills."""
STATE = "state"
"""An export that gives what a host may not see: all numbers by their bits, and which references are null."""
WIND = "wind"
"""An export of the first module, to call before each call: it gives the ticks that one may use."""


def name_of(instance: int) -> str:
    """Name under which later modules import from an instance."""
    return f"m{instance}"


@dataclass(frozen=True)
class Call:
    """A call of an instance's export."""

    instance: int
    name: str
    args: tuple[Argument, ...] = ()


@dataclass(frozen=True)
class Bounds:
    """Limits of the guest: bytes, table elements and fuel; and what is granted, one after the other, when that is used
    up.
    """

    fuel: int | None = None
    memory: int | None = None
    stack: int = 1 << 20
    table_elements: int = 100_000
    refills: tuple[int, ...] = ()

    def limits(self) -> Limits:
        """As the guest takes them."""
        return Limits(fuel=self.fuel, memory=self.memory, stack=self.stack, table_elements=self.table_elements)


@dataclass(frozen=True)
class Case:
    """Modules, linked in order: module `at` imports from earlier ones by `name_of` and from `HOST`.

    slices: for each engine that is compared, how much fuel each run gets, in turn; empty for all at once.  moves: of
    a third guest, which changes engines at each pause, the same; empty for none.
    """

    modules: tuple[Module, ...]
    calls: tuple[Call, ...]
    bounds: Bounds = Bounds()
    slices: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    moves: tuple[int, ...] = ()

    def type_of(self, call: Call) -> FuncType:
        """Type of the function that is called."""
        return exported(self.modules[call.instance], call.name)

    def steps(self) -> Iterator[Call]:
        """The calls, before each of them one of `WIND`, where there is that."""
        winds = any(item.name == WIND for item in self.modules[0].exports)
        for call in self.calls:
            if winds:
                yield Call(0, WIND)
            yield call

    def replace(self, **changes: Any) -> Case:
        """The case with something else in it."""
        return replace(self, **changes)


def exported(module: Module, name: str) -> FuncType:
    """Type of a function by its export's name."""
    types = [item.type for item in module.imported(ExternKind.FUNC)] + [item.type for item in module.functions]
    found = types[{item.name: item.index for item in module.exports}[name]]
    assert isinstance(found, int)
    return module.types[found]


def save(case: Case, folder: Path) -> None:
    """Write a case as files: each module as `.svmb` and `.svmt`, the rest as `case.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    for at, module in enumerate(case.modules):
        (folder / f"{name_of(at)}.svmb").write_bytes(encode(module))
        (folder / f"{name_of(at)}.svmt").write_text(to_text(module), "utf-8")
    rest = {key: value for key, value in asdict(case.replace(modules=())).items() if key != "modules"}
    (folder / "case.json").write_text(json.dumps(rest, indent=1), "utf-8")


def load(folder: Path) -> Case:
    """The case that `save` wrote."""
    rest = json.loads((folder / "case.json").read_text("utf-8"))
    count = len(list(folder.glob("m*.svmb")))
    bounds = rest["bounds"]
    return Case(
        modules=tuple(decode((folder / f"{name_of(at)}.svmb").read_bytes()) for at in range(count)),
        calls=tuple(Call(call["instance"], call["name"], tuple(call["args"])) for call in rest["calls"]),
        bounds=Bounds(**{**bounds, "refills": tuple(bounds["refills"])}),
        slices=_pair(rest["slices"]),
        moves=tuple(rest["moves"]),
    )


def _pair(slices: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    first, second = slices
    return tuple(first), tuple(second)
