"""A failing case made small: what is left out or replaced leaves it valid, and failing in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from svm.errors import Error
from svm.isa import OPS, ValueType
from svm.module import Function, Instruction, ValidFunction, encode_body, validate
from tests.fuzz.case import Bounds, Case
from tests.fuzz.values import KINDS

__all__ = ["shrink"]

_END = Instruction(OPS["end"])
_DROP = Instruction(OPS["drop"])


class _Shrinker:
    def __init__(self, case: Case, fails: Callable[[Case], bool], seconds: float) -> None:
        self.case = case
        self.fails = fails
        self.end = time.monotonic() + seconds

    @property
    def late(self) -> bool:
        return time.monotonic() > self.end

    def take(self, **changes: Any) -> bool:
        """Whether the case with some changes is valid and still fails; then it is the case from now on."""
        smaller = self.case.replace(**changes)
        if self.late or smaller == self.case:
            return False
        if not _is_sound(smaller) or not self.fails(smaller):
            return False
        self.case = smaller
        return True

    def run(self) -> Case:
        while not self.late:
            before = self.case
            self.calls()
            self.surroundings()
            for at in range(len(self.case.modules)):
                self.functions(at)
                self.lists(at)
            if self.case == before:
                break
        return self.case

    def calls(self) -> None:
        """Fewer calls, the last ones first."""
        for size in _halves(len(self.case.calls)):
            at = len(self.case.calls) - size
            while at >= 0:
                calls = self.case.calls
                self.take(calls=calls[:at] + calls[at + size :])
                at -= size

    def surroundings(self) -> None:
        """No limits, no pauses, no modules that nobody calls."""
        self.take(bounds=Bounds())
        self.take(slices=((), ()))
        self.take(moves=())
        while len(self.case.modules) > 1:
            last = len(self.case.modules) - 1
            calls = tuple(call for call in self.case.calls if call.instance < last)
            if not self.take(modules=self.case.modules[:last], calls=calls):
                break

    def with_module(self, at: int, **changes: Any) -> bool:
        modules = list(self.case.modules)
        modules[at] = replace(modules[at], **changes)
        return self.take(modules=tuple(modules))

    def functions(self, at: int) -> None:
        """Bodies that trap, else smaller ones."""
        for index in range(len(self.case.modules[at].functions)):
            trap = encode_body([Instruction(OPS["unreachable"]), _END])
            function = self.case.modules[at].functions[index]
            if function.body == trap or self.with_function(at, index, replace(function, locals=(), body=trap)):
                continue
            self.body(at, index)

    def with_function(self, at: int, index: int, function: Function) -> bool:
        functions = list(self.case.modules[at].functions)
        functions[index] = function
        return self.with_module(at, functions=tuple(functions))

    def body(self, at: int, index: int) -> None:
        """Fewer instructions: ranges left out, expressions replaced by constants, instructions by drops."""
        place = 0
        while place < len(self.code(at, index).code) - 1 and not self.late:
            function = self.case.modules[at].functions[index]
            for code in _without(self.code(at, index), place):
                if self.with_function(at, index, replace(function, body=encode_body(code))):
                    break
            else:
                place += 1

    def code(self, at: int, index: int) -> ValidFunction:
        valid = validate(self.case.modules[at], bodies=False)
        return valid.function(valid.imported_functions + index)

    def lists(self, at: int) -> None:
        """Shorter segments; no exports, globals and segments that nobody needs, the last first."""
        for name in ("exports", "elements", "data", "globals", "tables", "tags", "memories"):
            place = len(getattr(self.case.modules[at], name)) - 1
            while place >= 0 and not self.late:
                items = getattr(self.case.modules[at], name)
                if not self.with_module(at, **{name: items[:place] + items[place + 1 :]}) and name == "data":
                    shorter = replace(items[place], data=b"")
                    self.with_module(at, data=(*items[:place], shorter, *items[place + 1 :]))
                place -= 1
        if self.case.modules[at].start is not None:
            self.with_module(at, start=None)


def _is_sound(case: Case) -> bool:
    """Whether the modules are valid, and what is called is exported."""
    exports = [{item.name for item in module.exports} for module in case.modules]
    if not all(call.name in exports[call.instance] for call in case.calls):
        return False
    with suppress(Error):
        for module in case.modules:
            validate(module)
        return True
    return False


def _halves(count: int) -> Iterator[int]:
    while count:
        yield count
        count //= 2


def _without(checked: ValidFunction, first: int) -> Iterator[list[Instruction]]:
    """Bodies without some instructions from one on, the most first, with what makes up for them on the stack."""
    code, heights = list(checked.code), checked.heights
    level = heights[first]
    last = first + 1
    level_ends, value_ends = [], []
    while last < len(code) and (heights[last] >= level or heights[last] < 0):
        if heights[last] == level:
            level_ends.append(last)
        elif heights[last] == level + 1:
            value_ends.append(last)
        last += 1
    for end in _spread(level_ends):
        yield code[:first] + code[end:]
    is_zero = (code[first].op.name.endswith(".const") and code[first].args == (0,)) or code[first].op.name == "ref.null"
    for end in _spread(value_ends) if not is_zero else ():
        for kind in dict.fromkeys(KINDS):
            yield [*code[:first], _zero(kind), *code[end:]]
    fall = level - heights[first + 1]
    if heights[first + 1] >= 0 and 0 < fall < 4 and code[first] != _DROP:
        yield [*code[:first], *[_DROP] * fall, *code[first + 1 :]]


def _spread(ends: list[int]) -> Iterator[int]:
    """A few of many places: the last, then ever nearer ones."""
    at = len(ends)
    while at:
        yield ends[at - 1]
        at //= 2


def _zero(kind: ValueType) -> Instruction:
    if kind.is_reference:
        return Instruction(OPS["ref.null"], (kind,))
    return Instruction(OPS[f"{kind}.const"], (0,))


def shrink(case: Case, fails: Callable[[Case], bool], seconds: float) -> Case:
    """The smallest case found within so many seconds for which `fails` still holds, as it does for `case`."""
    return _Shrinker(case, fails, seconds).run()
