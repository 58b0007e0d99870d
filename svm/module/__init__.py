"""Modules: the model, its binary and text formats, and validation.

In come bytes or text, out comes a `Module`; `validate` makes it a `ValidModule`, the only thing that later stages take.
What reads and writes bodies and text is imported when it is first asked for: running a `.svmb` whose code is kept has
no use for either.
"""

from svm.hints import TYPE_CHECKING
from svm.lazy import lazily
from svm.module.binary import decode, encode
from svm.module.checked import FUNCTION, Block, Context, ValidFunction
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
    from svm.module.code import CodeBuilder, Instruction, constant, decode_body, encode_body
    from svm.module.text import from_text, to_text
else:
    __getattr__ = lazily(__name__, {
        "svm.module.code": ("CodeBuilder", "Instruction", "constant", "decode_body", "encode_body"),
        "svm.module.text": ("from_text", "to_text"),
    })  # fmt: skip

__all__ = [
    "FUNCTION",
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
