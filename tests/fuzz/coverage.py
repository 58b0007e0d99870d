"""Which instructions a case has in its bodies, and which of them a run reaches."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from svm import Module
from svm.engines.reference.steps import Code, code_of
from svm.module import decode_body
from tests.fuzz.case import Case
from tests.fuzz.generator import roomy
from tests.fuzz.runs import REFERENCE, Run

__all__ = ["executed", "generated"]

_SILENT = frozenset(("nop", "block", "try_table"))


def generated(case: Case) -> Counter[str]:
    """Names of instructions in the bodies of a case."""
    bodies = (function.body for module in case.modules for function in module.functions)
    return Counter(item.op.name for body in bodies for item in decode_body(body))


class _Watched(tuple[Any, ...]):
    """Steps of the reference engine that remember which of them were taken."""

    taken: set[int]

    def __getitem__(self, at: Any) -> Any:
        self.taken.add(at)
        return super().__getitem__(at)


def executed(case: Case) -> Counter[str]:
    """Names of instructions that the calls of a case reach, by the reference engine."""
    case = roomy(case)
    run = Run(case, [Module(model) for model in case.modules], REFERENCE)
    run.link()
    watched = []
    functions = run.store.arenas.functions
    for function in map(functions.__getitem__, range(functions.count)):
        if function is None or function.instance is None:
            continue
        code = code_of(function)
        assert isinstance(code, Code)
        steps = _Watched(code.steps)
        steps.taken = set()
        function.code = replace(code, steps=steps)
        checked = function.instance.module.function(function.index)
        watched.append(([item.op.name for item in checked.code], steps))
    for call in case.steps():
        if call.instance < len(run.guests):
            run.call(call)
    found: Counter[str] = Counter()
    for names, steps in watched:
        for at in steps.taken:
            found[names[at]] += 1
            while names[at] in _SILENT:  # the engine goes over all that do nothing in one step
                at += 1
                found[names[at]] += names[at] in _SILENT
    return found
