"""Our own instructions, written as `.wasm`, on wasmtime: the same results, traps and exceptions."""

from __future__ import annotations

import pytest

from svm.isa import Op
from tests.wasm.peer import Peer
from tests.wasm.test_expand import ARITHMETIC, NAME, SEARCHES, arithmetic, check_arithmetic, check_search, searching


@pytest.mark.parametrize("op", ARITHMETIC, ids=NAME)
def test_arithmetic(op: Op) -> None:
    check_arithmetic(op, Peer(arithmetic(op)).call)


@pytest.mark.parametrize("op", SEARCHES, ids=NAME)
def test_search(op: Op) -> None:
    check_search(op, Peer(searching(op)).call)
