"""Modules: the model, its binary and text formats, and validation.

In come bytes or text, out comes a `Module`; `validate` makes it a `ValidModule`, the only thing that later stages take.
The text format is imported when it is first asked for: running a `.svmb` has no use for it.
"""

from typing import TYPE_CHECKING, Any

from svm.module.binary import decode, encode
from svm.module.body import Block, Context, ValidFunction
from svm.module.code import CodeBuilder, Instruction, constant, decode_body, encode_body
from svm.module.model import (
    Capability,
    Custom,
    DataSegment,
    ElementSegment,
    Export,
    ExternKind,
    Function,
    FunctionLines,
    Global,
    GlobalType,
    Import,
    Lines,
    MemoryType,
    Mode,
    Module,
    NameKind,
    Names,
    Origin,
    TableType,
    Tag,
)
from svm.module.validate import ValidModule, validate

if TYPE_CHECKING:
    from svm.module.text import from_text, to_text

__all__ = [
    "Block",
    "Capability",
    "CodeBuilder",
    "Context",
    "Custom",
    "DataSegment",
    "ElementSegment",
    "Export",
    "ExternKind",
    "Function",
    "FunctionLines",
    "Global",
    "GlobalType",
    "Import",
    "Instruction",
    "Lines",
    "MemoryType",
    "Mode",
    "Module",
    "NameKind",
    "Names",
    "Origin",
    "TableType",
    "Tag",
    "ValidFunction",
    "ValidModule",
    "constant",
    "decode",
    "decode_body",
    "encode",
    "encode_body",
    "from_text",
    "to_text",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in ("from_text", "to_text"):
        raise AttributeError(f"module 'svm.module' has no attribute {name!r}")
    from svm.module import text

    return getattr(text, name)
