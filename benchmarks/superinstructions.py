"""Choose the interpreter's superinstructions: `python benchmarks/superinstructions.py [COUNT]`.

Runs the benchmark programs on the reference engine, counts how often each instruction runs, and takes the sequences
of slot operations that save the most dispatches.  Writes `svm/engines/native/superinstructions.json`, a list of
handler keys (see `svm.engines.native.keys`).  Greedy: each round takes the best sequences, then groups all code anew
with them.
"""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any, SupportsIndex

import svm
from svm.engines.native.encode import LONGEST, Encoder, group_lengths, key_of, leaves
from svm.engines.native.keys import base_keys
from svm.engines.native.stream import KeySet
from svm.engines.reference import steps
from svm.lower import SlotOp, charges_of, layout_of, slot_code
from svm.runtime import FunctionInstance

HERE = Path(__file__).parent
TARGET = HERE.parent / "svm" / "engines" / "native" / "superinstructions.json"
ROUNDS = 8


class Counting(tuple[Any, ...]):
    """Steps that count how often each is taken."""

    counts: Counter[int]

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        assert isinstance(at, int)
        self.counts[at] += 1
        return super().__getitem__(at)


def profile(path: Path) -> list[tuple[list[SlotOp], list[int]]]:
    """Straight runs of slot operations in the functions that a program runs, with how often each operation runs."""
    counted: list[tuple[FunctionInstance, Counting]] = []
    plain = steps.code_of

    def counting(function: FunctionInstance) -> steps.Code:
        new = function.code is None
        code = plain(function)
        if new:
            taken = Counting(code.steps)
            taken.counts = Counter()
            counted.append((function, taken))
            code = function.code = dataclasses.replace(code, steps=taken)
        return code

    from svm.engines.reference import engine

    engine.code_of = counting
    data = (HERE.parent / "examples" / "data" / "nile.txt").read_bytes()
    console = svm.Console(stdin=io.BytesIO(data), stdout=io.BytesIO(), args=[path.name])
    svm.load(path).spawn(engine="reference", devices=[console]).run()
    engine.code_of = plain
    out = []
    for function, taken in counted:
        assert function.instance is not None
        valid = function.instance.module
        checked = valid.function(function.index)
        at = {item.offset: number for number, item in enumerate(checked.code)}
        code = slot_code(valid.context, checked, layout_of(checked), charges_of(checked))
        namer = Encoder(KeySet([]), checked)
        out += runs([namer.named(op) for op in code.ops], [taken.counts[at[op.offset]] for op in code.ops])
    return out


def runs(ops: list[SlotOp], counts: list[int]) -> list[tuple[list[SlotOp], list[int]]]:
    """Code cut at labels and after what leaves."""
    out: list[tuple[list[SlotOp], list[int]]] = []
    run: tuple[list[SlotOp], list[int]] = ([], [])
    for op, count in zip(ops, counts, strict=True):
        if op.name != "label":
            run[0].append(op)
            run[1].append(count)
        if op.name == "label" or leaves(op):
            out.append(run)
            run = ([], [])
    return [each for each in [*out, run] if len(each[0]) > 1 and max(each[1])]


def choose(profiles: list[list[tuple[list[SlotOp], list[int]]]], count: int) -> list[str]:
    """The keys that save the most, each program weighing the same."""
    base = base_keys()
    chosen: list[str] = []
    for number in range(ROUNDS):
        keys = KeySet([*base, *chosen])
        gain: Counter[str] = Counter()
        for profile in profiles:
            total = sum(sum(counts) for _, counts in profile)
            for ops, counts in profile:
                weigh(keys, ops, counts, total, gain)
        wanted = count * (number + 1) // ROUNDS - len(chosen)
        chosen += [key for key, _ in gain.most_common(wanted)]
        print(f"round {number + 1}: {len(chosen)} superinstructions", flush=True)
    return chosen


def weigh(keys: KeySet, ops: list[SlotOp], counts: list[int], total: int, gain: Counter[str]) -> None:
    """Add what each sequence of a run would save beyond how the run is grouped now."""
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
                gain[key] += saved * min(counts[start : start + size]) / total


FIXED = frozenset(("call", "call_indirect", "state", "bulk", "throw", "zero", "return_many", "unreachable", "br_table"))


def main() -> None:
    """Profile, choose, write."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    programs = [*sorted((HERE / "programs").glob("*.kr")), HERE.parent / "examples" / "stats.kr"]
    profiles = []
    for path in programs:
        print(f"running {path.name}", flush=True)
        profiles.append(profile(path))
    TARGET.write_text(json.dumps(sorted(choose(profiles, count)), indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
