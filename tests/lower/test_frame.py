"""Where a function's values lie in its frame."""

from __future__ import annotations

from svm.lower import HEADER_SLOTS, Header, layout_of
from svm.module import from_text, validate


def test_layout_of_a_function() -> None:
    module = validate(from_text("""
        func (param i32 i64) (result i32)
          local f64 * 3
          local.get 0
          i32.const 1
          block (param i32 i32) (result i32)
            i32.const 2
            i32.add
            i32.add
          end
        end
        """))
    layout = layout_of(module.function(0))
    assert (layout.params, layout.locals, layout.operands) == (2, 3, 3)
    assert layout.slots == 2 + HEADER_SLOTS + 3 + 3
    assert [layout.local(at) for at in range(5)] == [-2, -1, HEADER_SLOTS, HEADER_SLOTS + 1, HEADER_SLOTS + 2]
    assert layout.first_operand == HEADER_SLOTS + 3


def test_header() -> None:
    assert [field.name for field in Header] == ["INSTANCE", "FUNCTION", "OFFSET", "CALLER"]
    assert list(Header) == list(range(HEADER_SLOTS))


def test_results_of_a_call_count_as_operands_of_the_caller() -> None:
    module = validate(from_text("""
        func $three (result i64 i64 i64)
          i64.const 1
          i64.const 2
          i64.const 3
        end
        func
          call $three
          drop
          drop
          drop
        end
        """))
    assert layout_of(module.function(1)).operands == 3
