"""What `@dataclass` and `NamedTuple` say of a class: options, and fields in order.

In: nothing. Out: records that `declare` fills in, and that the methods of the class are made from.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from krait.diagnostics import Span
from krait.syntax import tree


@dataclass(frozen=True, slots=True)
class DataField:
    """A field of a dataclass: what its line in the class's body says."""

    name: str
    annotation: tree.expr
    span: Span
    default: tree.expr | None = None
    factory: tree.expr | None = None
    init: bool = True
    repr: bool = True
    compare: bool = True
    hash: bool | None = None
    keyword_only: bool = False

    @property
    def has_default(self) -> bool:
        """Whether the field has a value without an argument."""
        return self.default is not None or self.factory is not None

    @property
    def hashed(self) -> bool:
        """Whether the field counts in the hash."""
        return self.compare if self.hash is None else self.hash


@dataclass(slots=True)
class DataOptions:
    """What ``@dataclass(…)`` says. ``fields``: the class's own ones, then with those of its bases in front.

    named: the class is a ``NamedTuple``, so its fields are the items of a tuple.
    """

    init: bool = True
    repr: bool = True
    eq: bool = True
    order: bool = False
    unsafe_hash: bool = False
    frozen: bool = False
    kw_only: bool = False
    named: bool = False
    fields: list[DataField] = field(default_factory=list)
