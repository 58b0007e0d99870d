"""Units as machine code: what they may refer to, and that they are given back."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

import pytest

from svm import Module
from svm.engines.native.blob import supported
from svm.engines.native.elf import link
from svm.engines.native.executable import Executable
from svm.engines.native.llvm import compile_object
from svm.module import from_text

COPY = """
declare ptr @memcpy(ptr, ptr, i64)
define ptr @copy(ptr %to, ptr %from, i64 %n) {
  %done = call ptr @memcpy(ptr %to, ptr %from, i64 %n)
  ret ptr %done
}
"""


def target() -> str:
    found = supported()
    assert found is not None
    return found


def test_the_c_library_s_copying_is_reached_through_a_stub() -> None:
    code = Executable(*link(compile_object(COPY, target())))
    copy = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)(code.address("copy"))
    buffer = ctypes.create_string_buffer(8)
    copy(ctypes.addressof(buffer), b"abcdefg", 7)
    assert buffer.value == b"abcdefg"


def test_nothing_else_outside_is_reached() -> None:
    with pytest.raises(ValueError, match="outside itself"):
        link(compile_object(COPY.replace("memcpy", "getpid"), target()))


def test_code_of_guests_that_are_gone_is_unmapped() -> None:
    module = Module(from_text('module $m version 1\nfunc $f (result i32)\n  i32.const 5\nend\nexport "f" func $f'))

    def round_() -> int:
        for _ in range(60):
            with module.spawn(engine="jit") as guest:
                assert guest.call("f") == 5
        gc.collect()
        with open("/proc/self/maps", encoding="utf-8") as lines:
            return sum(1 for _ in lines)

    before = round_()
    assert round_() <= before + 5


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counted as Linux tells it")
def test_compiling_leaves_no_memory_behind() -> None:
    def pages() -> int:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1])

    compile_object(COPY, target(), level=2, optimise=True)
    before = pages()
    for _ in range(150):
        compile_object(COPY, target(), level=2, optimise=True)
    assert pages() - before < 500  # 2 MB


def test_small_pieces_of_code_begin_at_different_lines_of_the_cache() -> None:
    pieces = [Executable(b"\xc3" * size, {"f": 3}) for size in (10, 100, 1000, 4000, 4096, 5000) for _ in range(20)]
    for piece in pieces:
        assert piece.base <= piece.start <= piece.base + piece.size - 10
        assert piece.start % 64 == 0
        assert piece.address("f") == piece.start + 3
    assert len({piece.start % 4096 for piece in pieces[:40]}) > 30
