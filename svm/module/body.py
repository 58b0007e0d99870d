"""Validation of one body: WebAssembly core 2.0, appendix "Validation Algorithm", in one pass over its bytes.

In come a function and the index spaces around it.  Out comes nothing but that it is valid, or, where an engine is to
run it, a `ValidFunction`: the decoded instructions with what the pass learned and every later stage needs (which block
each branch means, how high the operand stack stands), so that nobody works it out, or checks it, again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NoReturn

from svm import limits
from svm.errors import InvalidError, MalformedError, ModuleError, Place
from svm.isa import BY_CODE, I32, Form, FuncType, Op, ValueType
from svm.module.checked import Context, ValidFunction
from svm.module.code import (
    OTHER,
    PAIR,
    SIGNED,
    UNSIGNED,
    Instruction,
    decode_body,
    decoder_of,
    expression_end,
    instruction_code,
)
from svm.module.leb import read_u32
from svm.module.model import Function
from svm.module.rules import BARRIER, RULES, Checker, check_tag
from svm.record import record

__all__ = ["check_body", "examine_body", "operand_types", "refuse_constant"]


# How the pass treats a row.  Most instructions of compiled code have few operands of fixed types, and are looked at in
# line; one that does not fit takes the long way, which says what is wrong.
_LOCAL_GET, _LOCAL_SET, _LOCAL_TEE, _CONSTANT, _BINARY, _LOAD, _STORE, _UNARY, _FIXED, _RULE = range(10)

_LOCALS = {"local.get": _LOCAL_GET, "local.set": _LOCAL_SET, "local.tee": _LOCAL_TEE}


@record
class _Fixed:
    """A row whose types are fixed: operands, results, and what it asks for besides, given its immediate."""

    takes: tuple[ValueType, ...]
    gives: tuple[ValueType, ...]
    rule: Callable[..., None] | None


def _need_memory(check: Checker, _: Any) -> None:
    check.need_memory()


_Entry = tuple[int, int, Op, Any, Any, tuple[Callable[[bytes, int], tuple[Any, int]], ...]]


def _entry(op: Op) -> _Entry:
    """How a row is read (its immediates), how it is treated, the row, two things that its way needs, its readers."""
    _, reading, readers = decoder_of(op)
    if op.name in _LOCALS:
        return reading, _LOCALS[op.name], op, None, None, readers
    if op.form is Form.NAMED or op.params is None or op.results is None:
        return reading, _RULE, op, RULES[op.name], None, readers
    natural = op.size.bit_length() - 1
    match op.form, op.params, op.results:
        case Form.PURE, (), (result,):
            return reading, _CONSTANT, op, result, None, readers
        case Form.PURE, (one,), (result,):
            return reading, _UNARY, op, one, result, readers
        case Form.PURE, (one, two), (result,) if one is two:
            return reading, _BINARY, op, one, result, readers
        case Form.LOAD, _, (result,):
            return reading, _LOAD, op, natural, result, readers
        case Form.STORE, (_, value), _:
            return reading, _STORE, op, natural, value, readers
    rules: dict[Form, Callable[..., None]] = {Form.CHECKED: check_tag, Form.BULK: _need_memory}
    return reading, _FIXED, op, _Fixed(op.params, op.results, rules.get(op.form)), None, readers


@cache
def _entries() -> tuple[list[_Entry | None], dict[int, _Entry]]:
    """The rows of one byte by their code, None where no such row is, and all rows by their code."""
    entries = {code: _entry(op) for code, op in BY_CODE.items()}
    return [entries.get(code) for code in range(256)], entries


class _Pass(Checker):
    """One pass over a body."""

    def run(self) -> tuple[list[Instruction], list[int], int]:
        """The instructions and the heights of the stack before them, if they are kept, and its greatest height."""
        code: list[Instruction] = []
        heights: list[int] = []
        body, keep, operands, controls, locals_ = (
            self.function.body, self.keep, self.operands, self.controls, self.locals
        )  # fmt: skip
        by_byte, push, local_count, memories = _entries()[0], operands.append, len(locals_), self.context.memories
        measure = keep or local_count + len(body) * self.context.widest > limits.MAX_FRAME_SLOTS
        at = start = most = arg = second = 0
        size = len(body)
        op: Op | None = None
        self.open("function", FuncType((), self.type.results))
        try:
            while at < size:
                start = at
                entry = by_byte[body[at]]
                at += 1
                if entry is None:
                    op = None
                    entry, at = self._entry_behind(start)
                reading, way, op, one, two, readers = entry
                args: tuple[Any, ...] = ()
                if reading == OTHER:
                    for read in readers:
                        arg, at = read(body, at)
                        args += (arg,)
                elif reading:
                    arg = body[at]
                    at += 1
                    if arg > 0x7F:
                        arg, at = readers[0](body, at - 1)
                    elif reading == SIGNED and arg > 0x3F:
                        arg -= 0x80
                    if reading == PAIR:
                        second = body[at]
                        at += 1
                        if second > 0x7F:
                            second, at = read_u32(body, at - 1)
                if measure:
                    height = len(operands) - len(controls)
                    if height > most:
                        most = height
                    if keep:
                        if start in self.watched:
                            self.watched[start] = tuple(kind for kind in operands if kind is not BARRIER)
                        heights.append(-1 if controls[-1].unreachable else height)
                        if reading and reading != OTHER:
                            args = (arg, second) if reading == PAIR else _ONE.get(arg) or (arg,)
                        code.append(_new(Instruction, (op, args, start)))
                if way == _LOCAL_GET:
                    push(locals_[arg] if arg < local_count else self.type_of_local(arg))
                elif way == _CONSTANT:
                    push(one)
                elif way == _BINARY:
                    if operands[-1] is one and operands[-2] is one:
                        operands.pop()
                        operands[-1] = two
                    else:
                        self.apply((one, one), (two,))
                elif way == _RULE:
                    if keep:
                        self.at = len(code) - 1
                    if reading == UNSIGNED:
                        one(self, arg)
                    elif reading == PAIR:
                        one(self, arg, second)
                    else:
                        one(self, *args)
                    if not controls:
                        break
                elif way <= _LOCAL_TEE:
                    kind = locals_[arg] if arg < local_count else self.type_of_local(arg)
                    if operands[-1] is kind:
                        if way == _LOCAL_SET:
                            operands.pop()
                    else:
                        self.apply((kind,), () if way == _LOCAL_SET else (kind,))
                elif way == _LOAD:
                    if operands[-1] is I32 and arg <= one and memories:
                        operands[-1] = two
                    else:
                        self.access(arg, one, (I32,), (two,))
                elif way == _STORE:
                    if operands[-1] is two and operands[-2] is I32 and arg <= one and memories:
                        del operands[-2:]
                    else:
                        self.access(arg, one, (I32, two), ())
                elif way == _UNARY:
                    if operands[-1] is one:
                        operands[-1] = two
                    else:
                        self.apply((one,), (two,))
                else:
                    if one.rule is not None:
                        one.rule(self, arg)
                    self.apply(one.takes, one.gives)
        except (IndexError, struct.error):
            raise MalformedError("unexpected end of an instruction", self.here(op, start)) from None
        except ModuleError as error:
            offset = start if error.place.offset is None else error.place.offset
            if isinstance(error, InvalidError):
                self.refuse_malformed()
            raise type(error)(error.message, self.here(op, offset)) from None
        if controls:
            raise MalformedError("unexpected end: the body ends before its last end", self.here(None, size))
        if at < size:
            raise MalformedError("the body goes on after its last end", self.here(None, at))
        if local_count + most > limits.MAX_FRAME_SLOTS:
            slots = local_count + most
            raise InvalidError(
                f"a frame of {slots} slots is larger than the limit of {limits.MAX_FRAME_SLOTS}", self.place
            )
        return code, heights, most

    def refuse_malformed(self) -> None:
        """Raise MalformedError if the body is no code at all, which comes before whatever rule it breaks."""
        try:
            expression_end(self.function.body, 0, self.context.extensions)
        except MalformedError as error:
            raise MalformedError(error.message, self.here(None, error.place.offset or 0)) from None

    def here(self, op: Op | None, offset: int) -> Place:
        """A place in the body."""
        return Place("code", self.index, self.place.name, op.name if op else None, offset)

    def _entry_behind(self, start: int) -> tuple[_Entry, int]:
        """How an instruction of more than one byte is treated, and where its immediates begin."""
        code, at = instruction_code(self.function.body, start, self.context.extensions)
        return _entries()[1][code], at

    def apply(self, takes: tuple[ValueType, ...], gives: tuple[ValueType, ...]) -> None:
        """Take operands, the last on top, and give results: the long way, which says what is wrong."""
        for kind in reversed(takes):
            self.pop(kind)
        self.operands.extend(gives)

    def access(self, alignment: int, natural: int, takes: tuple[ValueType, ...], gives: tuple[ValueType, ...]) -> None:
        """As `apply`, for an access to memory."""
        self.need_memory()
        if alignment > natural:
            # That proposal's flag, behind which the index of a memory stands, is bit 6.
            multiple = " (or this is multi-memory, which is not supported)" if alignment >> 6 == 1 else ""
            self.fail(f"alignment must not be larger than natural: 2**{alignment} for {1 << natural} bytes{multiple}")
        self.apply(takes, gives)


# Instructions of small immediates share them: most of a large body are such.
_ONE = {arg: (arg,) for arg in range(-64, 256)}
_new = tuple.__new__


def check_body(context: Context, index: int, name: str | None, function: Function) -> None:
    """Check the body of function `index`.

    Raises InvalidError or MalformedError, with function, instruction and offset.
    """
    _Pass(context, index, name, function, keep=False).run()


def examine_body(context: Context, index: int, name: str | None, function: Function) -> ValidFunction:
    """Check the body of function `index`, and keep what engines need of it.  Raises as `check_body`."""
    check = _Pass(context, index, name, function, keep=True)
    code, heights, most = check.run()
    return ValidFunction(
        index, check.type, check.locals, tuple(code), check.blocks, check.targets, tuple(heights), most
    )


def operand_types(
    context: Context, index: int, name: str | None, function: Function, offsets: Iterable[int]
) -> dict[int, tuple[ValueType, ...]]:
    """Types of the operands before the instructions at some byte offsets, to which control comes.  Raises as
    `check_body`.
    """
    check = _Pass(context, index, name, function, keep=True)
    check.watched = dict.fromkeys(offsets, ())
    check.run()
    return check.watched


_EXTENDED_CONSTANTS = frozenset(f"{kind}.{name}" for kind in ("i32", "i64") for name in ("add", "sub", "mul"))


def refuse_constant(context: Context, expression: bytes, expect: ValueType, place: Place) -> NoReturn:
    """Say what is wrong with an expression that is no constant one of type `expect` (`svm.module.constants`)."""
    try:
        code = decode_body(expression)
    except MalformedError as error:
        inner = Place(place.section, place.item, None, error.place.instruction, error.place.offset)
        raise MalformedError(error.message, inner) from None
    if not code or code[-1].op.name != "end":
        raise MalformedError("the constant expression has no end", place)
    types: list[ValueType] = []
    for op, args, offset in code[:-1]:
        if op.name == "ref.null":
            types.append(args[0])
        elif op.name == "global.get" and args[0] < len(context.globals):
            types.append(context.globals[args[0]].type)
        elif op.params == () and op.results and op.immediates:
            types.append(op.results[0])
        else:
            here = Place(place.section, place.item, None, op.name, offset)
            extended = f" ({op.name} in constants is not supported)" if op.name in _EXTENDED_CONSTANTS else ""
            raise InvalidError(f"constant expression required{extended}", here)
    found = " ".join(map(str, types)) or "nothing"
    raise InvalidError(f"type mismatch: the constant expression must give {expect}, it gives {found}", place)
