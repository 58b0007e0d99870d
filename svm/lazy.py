"""Packages whose modules are imported when something of theirs is first asked for.

In: the names that a package gives out, by the module that has them.  Out: the package's `__getattr__` (PEP 562).
Invariant: `from package import name` means the same as if the package had imported all of its modules, but a command
pays for what it uses.  Type checkers read the imports that stand beside it under TYPE_CHECKING.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from sys import modules

from svm.hints import Any

__all__ = ["lazily"]


def lazily(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The `__getattr__` of a package.  homes: names by the module that has them."""
    home_of = {name: home for home, names in homes.items() for name in names}

    def __getattr__(name: str) -> Any:
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(__import__(home, fromlist=(name,)), name)  # importlib would have to be imported itself
        setattr(modules[package], name, value)
        return value

    return __getattr__
