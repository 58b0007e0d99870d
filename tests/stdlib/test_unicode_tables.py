"""The tables of characters are those of CPython 3.12."""

from __future__ import annotations

import unicodedata

import pytest

from tests.stdlib.shim import STDLIB
from tests.stdlib.unicode_tables import UNICODE, source


@pytest.mark.skipif(unicodedata.unidata_version != UNICODE, reason=f"this Python does not know Unicode {UNICODE}")
def test_tables_are_fresh() -> None:
    assert (STDLIB / "krait" / "unicode_tables.kr").read_text(encoding="utf-8") == source()
