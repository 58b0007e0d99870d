"""The text format: every module can be written and read again, and bad text is refused with its line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svm.isa import OPS, FuncType, Op
from svm.module import Function, Module, decode, encode, encode_body, from_text, to_text
from svm.module.text.syntax import float_bits, float_text
from tests.strategies import f32_bits, f64_bits, instruction, modules, nested, shortened


def in_shortest_form(module: Module) -> Module:
    """The module with bodies and constant expressions in their shortest encoding; its line table may be off."""
    return replace(
        module,
        functions=tuple(replace(each, body=shortened(each.body)) for each in module.functions),
        globals=tuple(replace(each, init=shortened(each.init)) for each in module.globals),
        elements=tuple(
            replace(
                each,
                items=tuple(map(shortened, each.items)),
                offset=None if each.offset is None else shortened(each.offset),
            )
            for each in module.elements
        ),
        data=tuple(
            replace(each, offset=None if each.offset is None else shortened(each.offset)) for each in module.data
        ),
    )


@settings(max_examples=200, deadline=None)
@given(modules())
def test_every_module_comes_back(module: Module) -> None:
    short = in_shortest_form(module)
    assert from_text(to_text(short)) == short


@settings(max_examples=200, deadline=None)
@given(modules())
def test_text_is_a_fixpoint(module: Module) -> None:
    """Also where bodies have integers that are longer than they need be: then the text is the shortest body's."""
    text = to_text(module)
    again = from_text(text)
    assert to_text(again) == text
    assert decode(encode(again)) == again


@pytest.mark.parametrize("op", list(OPS.values()), ids=list(OPS))
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_every_instruction_comes_back(op: Op, data: st.DataObject) -> None:
    found = nested([data.draw(instruction(op))])
    module = Module(types=(FuncType(), FuncType()), functions=(Function(0, (), encode_body(found)),))
    assert decode(encode(module)) == module
    text = to_text(module)
    assert from_text(text) == module
    assert op.name in text.split()


@settings(deadline=None)
@given(f32_bits)
def test_f32_comes_back_to_the_bit(bits: int) -> None:
    assert float_bits(float_text(bits, 32), 32) == bits


@settings(deadline=None)
@given(f64_bits)
def test_f64_comes_back_to_the_bit(bits: int) -> None:
    assert float_bits(float_text(bits, 64), 64) == bits
