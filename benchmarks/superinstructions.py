"""Choose the interpreter's superinstructions: `python -m benchmarks.superinstructions [COUNT]`.

Runs the benchmark programs and the C kernels on the reference engine, counts how often each instruction runs, and takes
the sequences of slot operations that save the most dispatches; the programs together weigh as much as the kernels
together.  Greedy: each round takes the best sequences, then groups all code anew with them.  Before these come pairs of
common operations (`common_pairs`), whether or not these programs have them: chosen from half of the kernels, sequences
left 0.74 of the other half's dispatches, and with the pairs 0.67.

Writes `svm/engines/native/superinstructions.json`, a list of handler keys (see `svm.engines.native.keys`).
"""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, SupportsIndex

import svm
from benchmarks.c_kernels import KERNEL_SIZES
from benchmarks.measure import say
from benchmarks.peers import build
from svm.engines.native.encode import LONGEST, Encoder, group_lengths, key_of, leaves
from svm.engines.native.keys import base_keys
from svm.engines.native.stream import KeySet
from svm.engines.reference import engine, steps
from svm.isa import OPS, Form
from svm.lower import SlotOp, charges_of, layout_of, slot_code
from svm.module import ValidModule
from svm.runtime import FunctionInstance

HERE = Path(__file__).parent
TARGET = HERE.parent / "svm" / "engines" / "native" / "superinstructions.json"
ROUNDS = 8
KERNEL_FUEL = 4_000_000


class Counting(tuple[Any, ...]):
    """Steps that count how often each is taken."""

    counts: Counter[int]

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        assert isinstance(at, int)
        self.counts[at] += 1
        return super().__getitem__(at)


Counts = list[tuple[ValidModule, int, Counter[int]]]
"""How often each instruction of some functions runs: module, index of the function, counts by index."""

Profile = list[tuple[list[SlotOp], list[int]]]
"""Straight runs of slot operations, with how often each operation runs."""


def count_program(path: Path) -> Counts:
    """What a Krait program runs, at its own size."""
    data = (HERE.parent / "examples" / "data" / "nile.txt").read_bytes()
    console = svm.Console(stdin=io.BytesIO(data), stdout=io.BytesIO(), args=[path.name])
    guest = svm.load(path).spawn(engine="reference", devices=[console])
    return counts_of(guest.run)


def count_kernel(name: str) -> Counts:
    """What a C kernel runs first, at its size for the interpreter."""
    guest = svm.load(build(name).wasm).spawn(engine="reference")
    task = guest.start("run", KERNEL_SIZES[name])
    return counts_of(lambda: task.run(fuel=KERNEL_FUEL))


def counts_of(run: Callable[[], object]) -> Counts:
    """What the functions run that are called for the first time now."""
    out: Counts = []
    plain = steps.code_of

    def counting(function: FunctionInstance) -> steps.Code:
        new = function.code is None
        code = plain(function)
        if new and function.instance is not None:
            taken = Counting(code.steps)
            taken.counts = Counter()
            out.append((function.instance.module, function.index, taken.counts))
            code = function.code = replace(code, steps=taken)
        return code

    engine.code_of = counting
    run()
    engine.code_of = plain
    return out


def profile(counts: Counts) -> Profile:
    """The slot code of the functions, with its counts."""
    out: Profile = []
    for valid, index, taken in counts:
        checked = valid.function(index)
        at = {item.offset: number for number, item in enumerate(checked.code)}
        code = slot_code(valid.context, checked, layout_of(checked), charges_of(checked))
        namer = Encoder(KeySet([]), checked)
        out += runs([namer.named(op) for op in code.ops], [taken[at[op.offset]] for op in code.ops])
    return out


def runs(ops: list[SlotOp], counts: list[int]) -> Profile:
    """Code cut at labels and after what leaves."""
    out: Profile = []
    run: tuple[list[SlotOp], list[int]] = ([], [])
    for op, count in zip(ops, counts, strict=True):
        if op.name != "label":
            run[0].append(op)
            run[1].append(count)
        if op.name == "label" or leaves(op):
            out.append(run)
            run = ([], [])
    return [each for each in [*out, run] if len(each[0]) > 1 and max(each[1])]


def common_pairs() -> list[str]:
    """Keys of two operations, of which the second uses the first's result, for arithmetic and addresses."""
    keys: list[str] = []
    for kind, operations, narrow in (
        ("i32", ("add", "sub", "mul", "and", "xor", "shl", "shr_u"), "8"),
        ("i64", ("add", "mul", "xor"), ""),
        ("f32", ("add", "sub", "mul", "div"), ""),
        ("f64", ("add", "sub", "mul", "div"), ""),
    ):
        names = [f"{kind}.{name}" for name in operations]
        loads = [f"{kind}.load", *([f"{kind}.load{narrow}_u"] if narrow else [])]
        stores = dict.fromkeys((f"{kind}.store", f"{kind}.store{narrow}"))
        firsts = [f"{name}:{form}:n" for name in names for form in ("ss", "sc")] + [f"{name}:s:n" for name in loads]
        seconds = [f"{name}:0s:s" for name in names] + [f"{name}:s0:-" for name in stores]
        seconds += [f"{kind}.{name}:s0:s" for name in operations if name in ("sub", "div", "shl", "shr_u")]
        if kind in ("i32", "i64"):
            seconds += [f"{name}:0c:s" for name in names]
        keys += [f"{first};{second}" for first in firsts for second in seconds]
    addresses = ("i32.add:ss:n", "i32.add:sc:n", "i32.shl:sc:n", "i32.and:sc:n", "i32.load:s:n")
    loads = [name for name, op in OPS.items() if op.form is Form.LOAD and not name.startswith("i64.load")]
    stores = dict.fromkeys(name for name, op in OPS.items() if op.form is Form.STORE)
    keys += [f"{first};{name}:0:s" for first in addresses for name in (*loads, "i64.load")]
    return keys + [f"{first};{name}:0s:-" for first in addresses[:-1] for name in stores]


def choose(families: list[list[Profile]], count: int) -> list[str]:
    """The keys that save the most: each family weighs the same, and so does each profile of it."""
    base = base_keys()
    pairs = common_pairs()
    chosen = list(pairs)
    for number in range(ROUNDS):
        keys = KeySet([*base, *chosen])
        gain: Counter[str] = Counter()
        for family in families:
            for profile in family:
                whole = len(family) * sum(sum(counts) for _, counts in profile)
                for ops, counts in profile:
                    weigh(keys, ops, counts, whole, gain)
        wanted = len(pairs) + count * (number + 1) // ROUNDS - len(chosen)
        chosen += [key for key, _ in gain.most_common(wanted)]
        say(f"round {number + 1}: {len(chosen)} superinstructions")
    return chosen


def weigh(keys: KeySet, ops: list[SlotOp], counts: list[int], whole: int, gain: Counter[str]) -> None:
    """Add what each sequence of a run would save beyond how the run is grouped now, as a share of the whole."""
    groups = group_lengths(keys, ops)
    starts = {sum(groups[:at]) for at in range(len(groups))}
    for start in sorted(starts):
        for size in range(2, min(LONGEST, len(ops) - start) + 1):
            part = ops[start : start + size]
            if start + size not in starts | {len(ops)} or any(op.name in FIXED for op in part):
                continue
            key = key_of(part)[0]
            saved = len([at for at in starts if start < at < start + size])
            if saved and key not in keys.numbers:
                gain[key] += saved * min(counts[start : start + size]) / whole


FIXED = frozenset(("call", "call_indirect", "state", "bulk", "throw", "zero", "return_many", "unreachable"))


def main() -> None:
    """Profile, choose, write."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    programs: list[Profile] = []
    for path in [*sorted((HERE / "programs").glob("*.kr")), HERE.parent / "examples" / "stats.kr"]:
        say(f"running {path.name}")
        programs.append(profile(count_program(path)))
    kernels: list[Profile] = []
    for name in KERNEL_SIZES:
        say(f"running {name}.c")
        kernels.append(profile(count_kernel(name)))
    TARGET.write_text(json.dumps(sorted(choose([programs, kernels], count)), indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
