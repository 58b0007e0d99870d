"""The name section: names for people, which mean nothing to the program.

In comes the content of the section, out come `Names`.  Source: WebAssembly core 2.0, appendix "Custom Sections", and
the extended name section for what it does not name yet.
"""

from __future__ import annotations

from collections.abc import Callable

from svm import limits
from svm.module import NameKind, Names
from svm.module.reader import Reader
from svm.wasm.layout import LOCAL_NAMES, MODULE_NAME, NAME_KINDS

__all__ = ["read_names"]

_KINDS = {number: kind for kind, number in NAME_KINDS.items()}


def read_names(reader: Reader) -> Names:
    """The names in a section.  Subsections that svm does not know are passed over.

    Raises MalformedError for what is no name section; a module is none the worse for it.
    """
    module = ""
    items: list[tuple[NameKind, int, str]] = []
    inner: list[tuple[int, int, str]] = []
    while reader.at < reader.end:
        number, size = reader.byte(), reader.u32()
        part = Reader(reader.data, reader.at, reader.at + size, reader.section)
        reader.take(size)
        if number == MODULE_NAME:
            module = part.text()
        elif number in _KINDS:
            kind = _KINDS[number]
            items.extend((kind, index, name) for index, name in _name_map(part))
        elif number == LOCAL_NAMES:
            for function, names in _indirect_name_map(part):
                inner.extend((function, local, name) for local, name in names)
        else:
            continue
        part.finish()
    items.sort(key=lambda item: item[0].value)  # tags are named last in the section, and earlier in the model
    return Names(module, tuple(items), tuple(inner))


def _name_map(reader: Reader) -> tuple[tuple[int, str], ...]:
    read: Callable[[], tuple[int, str]] = lambda: (reader.u32(), reader.text())  # noqa: E731
    return reader.vector(read, limits.MAX_FUNCTIONS)


def _indirect_name_map(reader: Reader) -> tuple[tuple[int, tuple[tuple[int, str], ...]], ...]:
    return reader.vector(lambda: (reader.u32(), _name_map(reader)), limits.MAX_FUNCTIONS)
