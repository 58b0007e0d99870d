"""Handlers: every key's IR is sound, and every operation does on native code what the reference engine does, whatever
its operands are: locals, constants, or results that are handed over.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

import svm.engines.native.blob as blobs
from svm import ENGINES, Module, TrapError, UncaughtError
from svm.engines.native import NativeEngine
from svm.engines.native.elf import link
from svm.engines.native.expand import LLVM_TYPES, declarations, expand
from svm.engines.native.keys import CONTROL, all_keys, base_keys, layout, operand_types, operation
from svm.engines.native.stream import KeySet, split
from svm.isa import F32, F64, I32, I64, OPS, Form, Op, TrapKind, ValueType
from svm.limits import Limits
from svm.module import from_text
from svm.runtime import Guest, Store

pytestmark = pytest.mark.skipif(blobs.supported() is None, reason="the native engine does not run here")

ROWS = [op for op in OPS.values() if op.form in (Form.PURE, Form.CHECKED) and op.params and op.llvm]
NUMERIC = [op for op in ROWS if set(op.params or ()) | set(op.results or ()) <= {I32, I64, F32, F64}]


def test_keys_name_operations_with_as_many_sources_as_they_have() -> None:
    keys = all_keys()
    assert len(keys) == len(set(keys))
    assert keys[: len(base_keys())] == base_keys()
    for key in keys:
        for at, (name, sources, target) in enumerate(split(key)):
            assert len(sources) == len(operand_types(name)), key
            assert all(source in "scr" or int(source) < at for source in sources), key
            assert target in (("",) if name in CONTROL else ("s", "r", "n", "-")), key
        assert ";".join(":".join(part) for part in split(key)) == key


def test_a_layout_packs_every_field_where_handlers_read_it() -> None:
    for key in all_keys():
        where = layout(key)
        values = list(range(1, len(where.fields) + 1))
        data = struct.pack(where.format, 99, *(values[index] for index in where.order))
        assert len(data) == where.size and where.size % 8 == 0
        assert struct.unpack_from("<Q", data)[0] == 99
        for value, kind, offset in zip(values, where.fields, where.offsets, strict=True):
            size = {"u16": 2, "i32": 4, "i64": 8}[kind]
            assert offset % size == 0
            assert int.from_bytes(data[offset : offset + size], "little") == value, key


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.llvm], ids=lambda op: op.name)
def test_a_row_expands_to_ir_with_names_of_its_own(op: Op) -> None:
    traps: list[TrapKind] = []

    def trap(condition: str, kind: TrapKind, on: str) -> list[str]:
        traps.append(kind)
        return [f"br i1 {condition}, label %leave, label %{on}", f"{on}:"]

    operands = dict.fromkeys("abdipmg", "%given") | {"z": "%size"}
    lines, results = expand(op, operands, "mine_", trap)
    text = "\n".join(lines)
    assert "trap_if" not in text
    assert set(results) == set(op.yields)
    names = {word.strip(",()[]") for word in text.split() if word.startswith("%")}
    assert all(name.startswith("%mine_") or name in ("%given", "%size", "%leave") for name in names), names
    assert len(traps) == op.llvm.count("trap_if")
    again, _ = expand(op, operands, "other_", trap)
    assert "\n".join(again).replace("other_", "mine_") == text


def test_declarations_are_those_of_the_intrinsics_that_are_called() -> None:
    ir = "%a = call i32 @llvm.ctlz.i32(i32 %x, i1 false)\n"
    ir += "%b = call { i32, i1 } @llvm.sadd.with.overflow.i32(i32 %a, i32 5)"
    assert declarations(ir + "\n" + ir) == [
        "declare i32 @llvm.ctlz.i32(i32, i1)",
        "declare { i32, i1 } @llvm.sadd.with.overflow.i32(i32, i32)",
    ]


def test_code_that_refers_to_something_outside_itself_is_refused() -> None:
    from svm.engines.native.llvm import compile_object

    inside = "define i64 @f() noinline { ret i64 7 }\ndefine i64 @g() { %a = call i64 @f()\nret i64 %a }"
    outside = "declare i64 @f()\ndefine i64 @g() { %a = call i64 @f()\nret i64 %a }"
    target = blobs.supported()
    assert target is not None
    code, symbols = link(compile_object(inside, target))
    assert set(symbols) == {"f", "g"} and max(symbols.values()) < len(code)
    with pytest.raises(ValueError, match="outside itself"):
        link(compile_object(outside, target))
    with pytest.raises(ValueError, match="no ELF object"):
        link(b"MZ" + bytes(100))


# What they do

VALUES: dict[ValueType, tuple[Any, ...]] = {
    I32: (0, 1, -1, 33, 1 << 31, 0x1234_5678),
    I64: (0, 1, -1, 65, 1 << 63, 0x1234_5678_9ABC_DEF0),
    F32: (0.0, -0.0, 1.5, -2.5, math.nan, math.inf, 3e9),
    F64: (0.0, -0.0, 1.5, -2.5, math.nan, -math.inf, 1e19),
}
CONSTANT = {I32: "i32.const 7", I64: "i64.const 7", F32: "f32.const 2.5", F64: "f64.const 2.5"}
MADE = {
    I32: "local.get {}\ni32.const 0\ni32.or",
    I64: "local.get {}\ni64.const 0\ni64.or",
    F32: "local.get {}\nf32.neg\nf32.neg",
    F64: "local.get {}\nf64.neg\nf64.neg",
}
"""A result that is handed over."""
USES = {
    "": "",
    "set": "local.set {local}\nlocal.get {local}",
    "kept": "i32.const 3\nlocal.set {other}",
}
"""What is done with the result: it is returned at once, put into a local, or waits."""
BRANCHES = {
    "if": "if (result i32)\ni32.const 10\nelse\ni32.const 20\nend",
    "unless": "i32.eqz\nif (result i32)\ni32.const 10\nelse\ni32.const 20\nend",
}


def functions(op: Op) -> Iterator[str]:
    """Functions that run a row with each kind of operand, and use its result in each way."""
    params, results = op.params or (), op.results or ()
    immediate = " 0" if op.form is Form.CHECKED and op.name.endswith("_throw") else ""
    takes, gives = " ".join(map(str, params)), " ".join(map(str, results))
    local, other = len(params), len(params) + 1
    head = f"func (param {takes}) (result {{}})\nlocal {results[0]}\nlocal i32\n"
    for kinds in product("scr", repeat=len(params)):
        push = "\n".join(
            {"s": f"local.get {at}", "c": CONSTANT[type_], "r": MADE[type_].format(at)}[kind]
            for at, (kind, type_) in enumerate(zip(kinds, params, strict=True))
        )
        run = f"{push}\n{op.name}{immediate}\n"
        for use in USES.values() if len(results) == 1 else [""]:
            yield head.format(gives) + run + use.format(local=local, other=other) + "\nend"
        if results == (I32,):
            for branch in BRANCHES.values():
                yield head.format("i32") + run + branch + "\nend"
        if results == (I32,):
            count = f"local.get {other}\ni32.const 1\ni32.add\nlocal.tee {other}\n"
            end = f"i32.const 9\ni32.gt_u\nif\nlocal.get {other}\nreturn\nend\n"
            yield head.format("i32") + f"loop\n{count}{end}{run}br_if 0\nend\nlocal.get {other}\nend"


def calls(guest: Guest, count: int, args: list[tuple[Any, ...]]) -> list[str]:
    """How calls of each function end, NaNs written alike."""
    found = []
    for at in range(count):
        for each in args:
            try:
                found.append(repr(guest.call(f"f{at}", *each)))
            except (TrapError, UncaughtError) as error:
                found.append(f"{error} {error.traceback.frames[-1].offset}")
    return [*found, str(guest.fuel_used)]


@pytest.mark.parametrize("base", [True, False], ids=["each by itself", "fused"])
@pytest.mark.parametrize("op", NUMERIC, ids=lambda op: op.name)
def test_an_operation_with_every_kind_of_operand(op: Op, base: bool) -> None:
    bodies = list(functions(op))
    exports = [f'export "f{at}" func {at}' for at in range(len(bodies))]
    module = Module(from_text("\n".join(["tag $overflow", *bodies, *exports])))
    args = [*product(*(VALUES[type_][:: 1 if len(op.params or ()) == 1 else 2] for type_ in op.params or ()))]
    engine = ENGINES["interpreter"]()
    assert isinstance(engine, NativeEngine)
    if base:
        engine.keys = KeySet(base_keys())
    guest = Guest(Store(engine, Limits()), module.valid, {})
    assert calls(guest, len(bodies), args) == calls(module.spawn(engine="reference"), len(bodies), args)


def test_every_llvm_type_is_known() -> None:
    assert set(LLVM_TYPES) == set(ValueType)
    assert all(operation(op.name).llvm for op in ROWS)


def test_guests_code_is_made_for_a_closer_processor_where_that_is_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    (closer,) = blobs._CLOSER
    for missing, expected in ((set(), closer), ({"avx512bw"}, "x86-64-v3"), ({"sse4a"}, "x86-64-v3")):
        features = blobs._CLOSER[closer] - missing
        monkeypatch.setattr(blobs, "_flags", lambda features=features: features)
        blobs.processor.cache_clear()
        assert blobs.processor("x86-64-v3") == expected
    blobs.processor.cache_clear()
