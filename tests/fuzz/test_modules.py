"""Generated modules: of every instruction, always valid, the same for a seed; and a share of what `make fuzz` does."""

from __future__ import annotations

import gc
import mmap
from collections import Counter
from pathlib import Path

import pytest

from svm import Module
from svm.isa import OPS
from svm.module import ExternKind, encode, from_text, to_text, validate
from tests.fuzz.case import HOST, Case, load, save
from tests.fuzz.coverage import executed, generated
from tests.fuzz.generator import generate
from tests.fuzz.runs import Run, agree


def test_every_instruction_is_generated() -> None:
    found: Counter[str] = Counter()
    for seed in range(400):
        found += generated(generate(seed))
        if len(found) == len(OPS):
            break
    assert not set(OPS) - set(found)


def test_most_instructions_are_reached() -> None:
    found: Counter[str] = Counter()
    for seed in range(90):
        found += executed(generate(seed))
    assert len(set(OPS) - set(found)) < 20, set(OPS) - set(found)


@pytest.mark.parametrize("seed", range(0, 200, 7))
def test_a_seed_gives_the_same_case(seed: int, tmp_path: Path) -> None:
    case = generate(seed)
    assert case == generate(seed)
    save(case, tmp_path / "case")
    assert load(tmp_path / "case") == case
    for module in case.modules:
        validate(module)
        assert encode(from_text(to_text(module))) == encode(module)


def test_no_module_has_the_ticks_under_two_names() -> None:
    """A module that could set them by another name might not end where its case says."""
    shared = 0
    for seed in range(300):
        for module in generate(seed).modules[1:]:
            names = [(item.module, item.name) for item in module.imported(ExternKind.GLOBAL)]
            assert names.count(("m0", "v0")) == 1
            exported = [item.index for item in module.exports if item.kind is ExternKind.GLOBAL]
            assert names.index(("m0", "v0")) not in exported
            shared += 1
    assert shared > 50


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_the_engines_agree(first: int) -> None:
    ends: Counter[str] = Counter()
    for seed in range(first, first + 50):
        ends += agree(generate(seed))
    for word in ("linked", "finished", "TrapError", "UncaughtError", "ExhaustionError"):
        assert ends[word], ends


@pytest.mark.parametrize("first", [0, 300])
def test_the_compiler_agrees(first: int) -> None:
    for seed in range(first, first + 8):
        agree(generate(seed), "jit")


def test_the_engines_agree_where_branches_move_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch with many values moves them in another way than one with few; here all are many."""
    monkeypatch.setattr("svm.lower.slots._MOST_COPIES", 0)
    for seed in range(1001, 1050):
        agree(generate(seed))


@pytest.mark.parametrize("first", range(0, 80, 40))
def test_wasmtime_agrees(first: int) -> None:
    pytest.importorskip("wasmtime", reason="the oracle is not installed: pip install wasmtime")
    from tests.fuzz.oracle import agree_with_wasmtime

    ends: Counter[str] = Counter()
    for seed in range(first, first + 40):
        ends += agree_with_wasmtime(generate(seed))
    for word in ("linked", "finished", "TrapError", "UncaughtError"):
        assert ends[word], ends


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * mmap.PAGESIZE


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counted as Linux tells it")
def test_modules_that_are_dropped_leave_nothing(engine: str) -> None:
    count = 24 if engine in ("jit", "auto") else 300  # to compile takes time
    cases = [generate(seed) for seed in range(3000, 3000 + 2 * count)]
    before = 0
    for at, case in enumerate(cases):
        if at == count:
            gc.collect()
            before = resident()
        run_once(case, engine)
    gc.collect()
    assert resident() - before < 3 << 20


def test_cases_on_wasmtime_are_dropped_with_their_hosts() -> None:
    pytest.importorskip("wasmtime", reason="the oracle is not installed: pip install wasmtime")
    from tests.fuzz.oracle import Oracle, agree_with_wasmtime

    case = next(case for case in map(generate, range(100)) if HOST in {item.module for item in case.modules[0].imports})
    agree_with_wasmtime(case)
    gc.collect()
    assert not [item for item in gc.get_objects() if isinstance(item, Oracle)]


def run_once(case: Case, engine: str) -> None:
    """Run a case on one engine, and drop it."""
    run = Run(case, [Module(model) for model in case.modules], engine, case.slices[0])
    run.link()
    for call in case.steps():
        if call.instance < len(run.guests) and not run.spent:
            run.call(call)
