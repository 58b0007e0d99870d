"""Large sources: they are checked in time that grows with them, and no limit is met that is not theirs."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

import krait
from krait.check import instances

GROWS = "def grow[T](x: T, n: int) -> int:\n    return 0 if n == 0 else grow([x], n - 1)\n\n\nprint(grow(1, 3))\n"


def test_only_generic_functions_count_as_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "MAX_INSTANCES", 200)
    functions = "".join(f"def f{i}(x: int) -> int:\n    return x + {i}\n\n\n" for i in range(300))
    krait.compile_source(functions + "print(f0(1), f299(2))\n")


def test_a_generic_function_without_end_is_refused() -> None:
    with pytest.raises(krait.CompileError, match="calls itself with ever larger types has no end"):
        krait.compile_source(GROWS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "lines",
    [
        ["def f{i}(x: int) -> int:", "    y = x + {i}", "    if y > 3:", "        y -= 1", "    return y"],
        ["x{i} = {i}"],
        ["x{i} = undefined{i}"],
        ["class C{i}:", "    def __init__(self) -> None:", "        self.field{i} = {i}"],
        ["x = {i}.5"],
    ],
)
def test_time_grows_with_the_source(lines: list[str]) -> None:
    """Four times the source takes no more than eight times as long."""
    taken = []
    for count in (2_000, 8_000):
        source = "\n".join(line.format(i=i) for i in range(count // len(lines)) for line in lines) + "\n"
        before = time.process_time()
        with suppress(krait.CompileError):
            krait.compile_source(source)
        taken.append(time.process_time() - before)
    assert taken[1] < 8 * taken[0], taken
