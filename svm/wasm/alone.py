"""`stand_alone`: a program does for itself what svm's host does at its end.

In comes a module, out comes one whose `_start`, where an exception leaves it, writes the exception's text to standard
error and exits with status 1, in the way of Krait's exports: `krait:describe_utf8` takes the exception and gives the
text, what was printed before being written out; or it ends the program, for an exception that says so (SystemExit).
Under svm a host sees the exception and the stack that it left; another runtime knows no more of it than that it was
thrown.

Invariant: a module without those exports, without the two WASI calls, or that stands alone already, comes out as it
was.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from svm.errors import MalformedError
from svm.isa import I32, FuncType
from svm.module import CodeBuilder, ExternKind, Function, Module, NameKind, decode_body
from svm.record import record

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


@record
class _Program:
    """Indices of what a wrapper calls and catches; an overflow's tag may be missing."""

    start: int
    describe: int
    exception: int
    overflow: int | None
    write: int
    exit: int


def stand_alone(module: Module) -> Module:
    """The module with a `_start` that says of an uncaught exception what a host of svm would say."""
    program = _program(module)
    if program is None or _is_wrapped(module, program):
        return module
    types = module.types if FuncType() in module.types else (*module.types, FuncType())
    wrapper = Function(types.index(FuncType()), ((2, I32),), _body(program, program.start))
    index = len(module.imported(ExternKind.FUNC)) + len(module.functions)
    names = module.names
    if names.of(NameKind.FUNCTION):
        names = replace(names, items=(*names.items, (NameKind.FUNCTION, index, "_start (alone)")))
    return replace(
        module,
        types=types,
        functions=(*module.functions, wrapper),
        exports=tuple(replace(item, index=index) if item.name == _START else item for item in module.exports),
        names=names,
        digest=None,
    )


def _program(module: Module) -> _Program | None:
    """What the module has of a program in Krait's way, if it has all of it."""
    exports = {(item.name, item.kind): item.index for item in module.exports}
    start, describe = exports.get((_START, ExternKind.FUNC)), exports.get((_DESCRIBE, ExternKind.FUNC))
    exception, overflow = exports.get((_EXCEPTION, ExternKind.TAG)), exports.get((_OVERFLOW, ExternKind.TAG))
    write = _imported(module, "fd_write", FuncType((I32, I32, I32, I32), (I32,)))
    exit_ = _imported(module, "proc_exit", FuncType((I32,), ()))
    if start is None or describe is None or exception is None or write is None or exit_ is None:
        return None
    if not (module.memories or module.imported(ExternKind.MEMORY)):
        return None
    functions, tags = _types(module, ExternKind.FUNC), _types(module, ExternKind.TAG)
    expected = (FuncType(), FuncType((I32,), (I32, I32)), FuncType((I32,), ()))
    if (functions[start], functions[describe], tags[exception]) != expected:
        return None
    if overflow is not None and tags[overflow] != FuncType():
        overflow = None
    return _Program(start, describe, exception, overflow, write, exit_)


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


def _is_wrapped(module: Module, program: _Program) -> bool:
    """Whether `_start` is such a wrapper already, around the function that it calls first."""
    at = program.start - len(module.imported(ExternKind.FUNC))
    if at < 0:
        return False
    body = module.functions[at].body
    with suppress(MalformedError):
        inner = next((item.args[0] for item in decode_body(body) if item.op.name == "call"), None)
        return inner is not None and body == _body(program, inner)
    return False


def _body(program: _Program, start: int) -> bytes:
    """The body of the wrapper around a function, with locals for the address and the length of the text."""
    address, length = 0, 1
    code = CodeBuilder()
    code("block", I32)
    code("block")
    # Labels of catches count from outside of the try_table: 0 is the inner block, 1 the outer one.
    catches: list[tuple[str, int, int]] = [("catch", program.exception, 1)]
    if program.overflow is not None:
        catches.append(("catch", program.overflow, 0))
    code("try_table", None, tuple(catches))
    code("call", start)
    code("end")
    code("return")
    code("end")
    code("i32.const", 0)  # an overflow has no object
    code("end")
    code("call", program.describe)
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
    code("call", program.write)
    code("drop")
    code("i32.const", _FAILED)
    code("call", program.exit)
    return code.finish()[0]
