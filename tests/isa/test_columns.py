"""The two columns of the table say the same: the LLVM one, compiled, against the Python one, the oracle."""

from __future__ import annotations

from random import Random

import pytest

from svm.isa import F32, F64, Forbidden, Form, Immediate, TrapKind, ValueType
from svm.isa.numeric import CANONICAL_F32, CANONICAL_F64
from tests.isa.llvm_harness import Case, Compiled, cases
from tests.isa.operands import EDGES, operand_tuples, random_operand

RANDOM = 300
# They move bits and leave a NaN as it is, in both columns.
MOVES = ("abs", "neg", "copysign", "reinterpret", "const", "select", "load", "store")


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return Compiled(list(cases()))


def of_form(*forms: Form) -> list[object]:
    return [pytest.param(case, id=str(case)) for case in cases() if case.op.form in forms]


def by_python(case: Case, operands: tuple[int, ...]) -> TrapKind | tuple[int, ...]:
    """What the Python column gives."""
    assert case.op.python is not None
    immediates = () if case.immediate is None else (case.immediate,)
    if Immediate.TYPES in case.op.immediates or Immediate.REFTYPE in case.op.immediates:
        immediates = (case.results,)
    try:
        result = case.op.python(*operands, *immediates)
    except Forbidden as forbidden:
        return forbidden.kind
    if result is None:
        return ()
    return result if isinstance(result, tuple) else (result,)


def is_nan(kind: ValueType, bits: int) -> bool:
    return (kind is F32 and bits & 0x7FFF_FFFF > 0x7F80_0000) or (kind is F64 and bits & ~(1 << 63) > 0x7FF0 << 48)


def agree(case: Case, python: TrapKind | tuple[int, ...], native: TrapKind | tuple[int, ...]) -> bool:
    """Whether results are the same; a NaN that arithmetic made may differ in its bits, but must be one."""
    if isinstance(python, TrapKind) or isinstance(native, TrapKind):
        return python is native
    exact = any(word in case.op.name for word in MOVES)
    return len(python) == len(native) and all(
        a == b or (not exact and is_nan(kind, a) and is_nan(kind, b))
        for kind, a, b in zip(case.outputs, python, native, strict=True)
    )


def hexadecimal(bits: TrapKind | tuple[int, ...]) -> str:
    return bits.name if isinstance(bits, TrapKind) else " ".join(f"{each:#x}" for each in bits)


@pytest.mark.parametrize("case", of_form(Form.PURE, Form.CHECKED))
def test_arithmetic(case: Case, compiled: Compiled) -> None:
    operands = operand_tuples(case.params, case, RANDOM)
    native = compiled.run(case, operands)
    python = [by_python(case, each) for each in operands]
    wrong = [
        f"{hexadecimal(operand)}: Python {hexadecimal(a)}, LLVM {hexadecimal(b)}"
        for operand, a, b in zip(operands, python, native, strict=True)
        if not agree(case, a, b)
    ]
    assert not wrong, f"{case}: {len(wrong)} of {len(operands)} differ\n" + "\n".join(wrong[:10])


@pytest.mark.parametrize("case", of_form(Form.PURE))
def test_the_oracle_gives_canonical_nans_and_fits_its_types(case: Case) -> None:
    exact = any(word in case.op.name for word in MOVES)
    for operands in operand_tuples(case.params, case, 0)[:400]:
        result = by_python(case, operands)
        if isinstance(result, TrapKind):
            continue
        assert len(result) == len(case.results)
        for kind, bits in zip(case.results, result, strict=True):
            assert 0 <= bits < 1 << (32 if str(kind).endswith("32") else 64)
            assert exact or not is_nan(kind, bits) or bits in (CANONICAL_F32, CANONICAL_F64)


@pytest.mark.parametrize("case", of_form(Form.LOAD))
def test_loads(case: Case, compiled: Compiled) -> None:
    random = Random(str(case))
    size = case.op.size
    memory = bytearray(random.randbytes(512))
    for index, edge in enumerate(EDGES[case.results[0]][:64]):
        memory[8 * index : 8 * index + 8] = edge.to_bytes(8, "little")
    addresses = [(at,) for at in range(len(memory) - size + 1)]
    assert case.op.python is not None
    for (at,), native in zip(addresses, compiled.run(case, addresses, memory), strict=True):
        assert native == (case.op.python(bytes(memory[at : at + size])),)


@pytest.mark.parametrize("case", of_form(Form.STORE))
def test_stores(case: Case, compiled: Compiled) -> None:
    random = Random(str(case))
    values = EDGES[case.params[1]] + [random_operand(random, case.params[1]) for _ in range(100)]
    assert case.op.python is not None
    for value in values:
        before = random.randbytes(32)
        at = random.randrange(32 - case.op.size + 1)
        memory = bytearray(before)
        assert compiled.run(case, [(at, value)], memory) == [()]
        expected = bytearray(before)
        expected[at : at + case.op.size] = case.op.python(value)
        assert memory == expected


@pytest.mark.parametrize("case", of_form(Form.BULK))
def test_ranges_of_memory(case: Case, compiled: Compiled) -> None:
    """Copies that overlap, equal ranges, absent bytes, empty ranges at the very end."""
    random = Random(str(case))
    assert case.op.python is not None
    for _ in range(2000):
        memory = bytearray(random.choices(b"\0\x01\x7f\x80\xff", k=64))
        length = random.choice((0, 1, 2, 7, 8, 9, 16, 33, 64))
        first, second = (random.randrange(64 - length + 1) for _ in range(2))
        if case.op.name in ("memory.fill", "memory.find"):
            second = random.choice((0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x17F, 0xFFFF_FF80, 0xFFFF_FFFF))
        ours, theirs = bytearray(memory), bytearray(memory)
        expected = case.op.python(ours, first, second, length)
        native = compiled.run(case, [(first, second, length)], theirs)
        assert native == [() if expected is None else (expected,)], (first, second, length)
        assert ours == theirs


@pytest.mark.parametrize("case", of_form(*Form))
def test_an_immediate_that_the_llvm_column_speaks_of_is_put_in(case: Case) -> None:
    if "%i " in case.op.llvm.replace(",", " ") and "%i =" not in case.op.llvm:
        assert case.immediate is not None
