"""`stand_alone`: a program does for itself what svm's host does at its end.

In comes a module, out comes one whose `_start`, where an exception leaves it, writes the exception's text to standard
error and exits with status 1, in the way of Krait's exports: `krait:describe_utf8` takes the exception and gives the
text, what was printed before being written out; or it ends the program, for an exception that says so (SystemExit).
Under svm a host sees the exception and the stack that it left; another runtime knows no more of it than that it was
thrown.

Invariant: a module without those exports, or without the two WASI calls, comes out as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from svm.isa import I32, FuncType
from svm.module import CodeBuilder, Export, ExternKind, Function, Module, NameKind

__all__ = ["stand_alone"]

_START = "_start"
_DESCRIBE = "krait:describe_utf8"
_EXCEPTION = "krait:exception"
_OVERFLOW = "krait:overflow"
_WASI = "wasi_snapshot_preview1"
_STDERR = 2
_FAILED = 1
# Where the wrapper puts what it asks fd_write for: Krait's data begins at 1024, and the program has come to its end.
_TEXT, _NEWLINE, _WRITTEN, _BYTE = 0, 8, 16, 20


def stand_alone(module: Module) -> Module:
    """The module with a `_start` that says of an uncaught exception what a host of svm would say."""
    exports = {item.name: item for item in module.exports}
    kinds = ((_START, ExternKind.FUNC), (_DESCRIBE, ExternKind.FUNC), (_EXCEPTION, ExternKind.TAG))
    if not all(name in exports and exports[name].kind is kind for name, kind in kinds):
        return module
    functions, tags = _types(module, ExternKind.FUNC), _types(module, ExternKind.TAG)
    start, describe, exception = (exports[name].index for name, _ in kinds)
    write = _imported(module, "fd_write", FuncType((I32, I32, I32, I32), (I32,)))
    exit_ = _imported(module, "proc_exit", FuncType((I32,), ()))
    expected = (FuncType(), FuncType((I32,), (I32, I32)), FuncType((I32,), ()))
    if write is None or exit_ is None or (functions[start], functions[describe], tags[exception]) != expected:
        return module
    found = exports.get(_OVERFLOW)
    overflow = found.index if found and found.kind is ExternKind.TAG and tags[found.index] == FuncType() else None
    types = module.types if FuncType() in module.types else (*module.types, FuncType())
    body = _body(start, describe, exception, overflow, write, exit_)
    names = module.names
    if names.of(NameKind.FUNCTION):
        names = replace(names, items=(*names.items, (NameKind.FUNCTION, len(functions), "_start (alone)")))
    return replace(
        module,
        types=types,
        functions=(*module.functions, Function(types.index(FuncType()), ((2, I32),), body)),
        exports=tuple(
            Export(item.name, item.kind, len(functions)) if item is exports[_START] else item for item in module.exports
        ),
        names=names,
        digest=None,
    )


def _types(module: Module, kind: ExternKind) -> list[FuncType]:
    """Types of the functions or tags, imports first."""
    own: Sequence[int] = [item.type for item in (module.functions if kind is ExternKind.FUNC else module.tags)]
    return [module.types[index] for index in (*(item.type for item in module.imported(kind)), *own)
            if isinstance(index, int)]  # fmt: skip


def _imported(module: Module, name: str, type_: FuncType) -> int | None:
    """The index of a WASI call, if the module imports it."""
    types = _types(module, ExternKind.FUNC)
    for index, item in enumerate(module.imported(ExternKind.FUNC)):
        if (item.module, item.name, types[index]) == (_WASI, name, type_):
            return index
    return None


def _body(start: int, describe: int, exception: int, overflow: int | None, write: int, exit_: int) -> bytes:
    """The body of the wrapper, with locals for the address and the length of the text."""
    address, length = 0, 1
    code = CodeBuilder()
    code("block", I32)
    code("block")
    # Labels of catches count from outside of the try_table: 0 is the inner block, 1 the outer one.
    catches = [("catch", exception, 1), *([("catch", overflow, 0)] if overflow is not None else [])]
    code("try_table", None, tuple(catches))
    code("call", start)
    code("end")
    code("return")
    code("end")
    code("i32.const", 0)  # an overflow has no object
    code("end")
    code("call", describe)
    code("local.set", length)
    code("local.set", address)
    for place, local in ((_TEXT, address), (_TEXT + 4, length)):
        code("i32.const", place)
        code("local.get", local)
        code("i32.store")
    for place, value in ((_NEWLINE, _BYTE), (_NEWLINE + 4, 1), (_BYTE, ord("\n"))):
        code("i32.const", place)
        code("i32.const", value)
        code("i32.store")
    for value in (_STDERR, _TEXT, 2, _WRITTEN):
        code("i32.const", value)
    code("call", write)
    code("drop")
    code("i32.const", _FAILED)
    code("call", exit_)
    return code.finish()[0]
