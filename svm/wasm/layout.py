"""What the reader and the writer of `.wasm` agree on: sections, kinds of names, and the sections of svm's own.

Nothing comes in.  WebAssembly core 2.0, chapter 5 and appendix "Custom Sections"; tags and their names as in the
exception-handling proposal, names of types and the like as in the extended name section.
"""

from __future__ import annotations

from svm.module import NameKind

__all__ = [
    "CAPABILITY_SECTION",
    "DEBUG_SECTIONS",
    "HEADER",
    "LINE_SECTION",
    "LOCAL_NAMES",
    "MODULE_NAME",
    "NAME_KINDS",
    "NAME_SECTION",
    "NUMBERED",
    "SECTIONS",
    "TAG_ATTRIBUTE",
]

HEADER = b"\0asm\x01\0\0\0"

SECTIONS = {
    "type": 1,
    "import": 2,
    "function": 3,
    "table": 4,
    "memory": 5,
    "tag": 13,
    "global": 6,
    "export": 7,
    "start": 8,
    "element": 9,
    "data count": 12,
    "code": 10,
    "data": 11,
}
"""Numbers of the sections, in their order in a file; 0 is a custom section, which may stand anywhere."""

NUMBERED = {0: "custom", **{number: name for name, number in SECTIONS.items()}}
"""Names of the sections by their number."""

TAG_ATTRIBUTE = 0
"""The byte before the type of a tag: an exception's."""

NAME_SECTION = "name"
MODULE_NAME = 0
LOCAL_NAMES = 2
"""Subsections of the name section besides those of `NAME_KINDS`."""

NAME_KINDS = {
    NameKind.FUNCTION: 1,
    NameKind.TYPE: 4,
    NameKind.TABLE: 5,
    NameKind.MEMORY: 6,
    NameKind.GLOBAL: 7,
    NameKind.ELEMENT: 8,
    NameKind.DATA: 9,
    NameKind.TAG: 11,
}
"""Subsections of the name section by what they name."""

CAPABILITY_SECTION = "svm.capability"
LINE_SECTION = "svm.line"
"""Custom sections with the content of the `.svmb` sections of that name (docs/svmb.md)."""

DEBUG_SECTIONS = (".debug_line", ".debug_str", ".debug_line_str")
"""Custom sections of DWARF debug information that line tables are made of; nothing is without the first."""
