"""The methods of CPython's built-in types are there, but for those that the language's page refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[2] / "stdlib" / "krait"

BY_ARGUMENTS = {"str": {"format", "format_map", "maketrans", "translate"}, "dict": {"fromkeys"}}
"""Methods that the compiler makes of their arguments."""
REFUSED = {"float": {"fromhex"}}
"""Methods that are not there; docs/language.md names them."""


def methods_of(name: str) -> set[str]:
    """The methods that a class of the library has."""
    source = (LIBRARY / f"{name}.kr").read_text(encoding="utf-8")
    found = re.search(rf"^class {name}\b.*?(?=^class |^def |\Z)", source, re.MULTILINE | re.DOTALL)
    assert found is not None
    return set(re.findall(r"^    def (\w+)", found[0], re.MULTILINE))


TYPES = [str, bytes, bytearray, int, float, list, dict, set, tuple, range]


@pytest.mark.parametrize("t", TYPES, ids=lambda t: t.__name__)
def test_methods_are_cpythons(t: type) -> None:
    wanted = {name for name in dir(t) if not name.startswith("_")}
    missing = wanted - methods_of(t.__name__) - BY_ARGUMENTS.get(t.__name__, set())
    assert missing == REFUSED.get(t.__name__, set())


def test_refused_methods_are_in_the_documentation() -> None:
    page = (LIBRARY.parents[1] / "docs" / "language.md").read_text(encoding="utf-8")
    for name, methods in REFUSED.items():
        for method in methods:
            assert f"{name}.{method}" in page
