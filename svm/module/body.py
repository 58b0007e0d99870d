"""Validation of one body: WebAssembly core 2.0, appendix "Validation Algorithm", in one pass over the instructions.

In come a function and the index spaces around it, out comes a `ValidFunction`: the decoded instructions with what the
pass learned and every later stage needs (which block each branch means, how high the operand stack stands), so that
nobody works it out, or checks it, again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NoReturn

from svm import limits
from svm.errors import InvalidError, MalformedError, Place
from svm.isa import FUNCREF, I32, NUMBER_TYPES, OPS, Form, FuncType, Op, ValueType
from svm.module.checked import FUNCTION, Block, Context, ValidFunction
from svm.module.code import Instruction, decode_body
from svm.module.model import Function, GlobalType

__all__ = ["check_body", "refuse_constant"]

class _Runs(Sequence[ValueType]):
    """Types of locals as runs: a few bytes of a module can declare 50,000 of them, in each of a million functions."""

    def __init__(self, runs: Sequence[tuple[int, ValueType]]) -> None:
        self._kinds = [kind for _, kind in runs]
        self._ends = list(accumulate(count for count, _ in runs))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._kinds[bisect_right(self._ends, index)]


_FEW_LOCALS = 200  # up to here a plain list is as small


class _Control:
    """A block that is open."""

    __slots__ = ("catches", "height", "key", "kind", "otherwise", "type", "unreachable")

    def __init__(self, kind: str, key: int, height: int, type_: FuncType) -> None:
        self.kind = kind
        self.key = key
        self.height = height
        self.type = type_
        self.unreachable = False
        self.otherwise: int | None = None
        self.catches: tuple[tuple[int | None, int], ...] = ()

    @property
    def label(self) -> tuple[ValueType, ...]:
        return self.type.params if self.kind == "loop" else self.type.results


_Operand = ValueType | None  # None: any type, in code that is never reached


class _Checker:
    def __init__(self, context: Context, index: int, name: str | None, function: Function) -> None:
        self.context = context
        self.place = Place(section="code", item=index, name=name)
        self.index = index
        self.function = function
        self.type = context.types[function.type]
        self.locals = self._expand_locals(function)
        self.operands: list[_Operand] = []
        self.controls: list[_Control] = []
        self.blocks: dict[int, Block] = {}
        self.targets: dict[int, tuple[int, ...]] = {}
        self.at = 0
        self.current: Instruction | None = None

    def fail(self, message: str) -> NoReturn:
        name, offset = (self.current.op.name, self.current.offset) if self.current else (None, None)
        raise InvalidError(message, Place("code", self.index, self.place.name, name, offset))

    def _expand_locals(self, function: Function) -> Sequence[ValueType]:
        total = len(self.type.params) + sum(count for count, _ in function.locals)
        if total > limits.MAX_LOCALS:
            raise InvalidError(f"too many locals: {total} are more than the limit of {limits.MAX_LOCALS}", self.place)
        runs = [*((1, kind) for kind in self.type.params), *function.locals]
        if total > _FEW_LOCALS:
            return _Runs(runs)
        return [kind for count, kind in runs for _ in range(count)]

    # The operand stack

    def pop(self, expect: _Operand = None) -> _Operand:
        """Take an operand, which must be as expected; its type, None if that is not known."""
        control = self.controls[-1]
        if len(self.operands) == control.height:
            if control.unreachable:
                return None
            self.fail(f"type mismatch: {expect or 'an operand'} expected, but the stack of the block is empty")
        actual = self.operands.pop()
        if actual is not expect and actual is not None and expect is not None:
            self.fail(f"type mismatch: {expect} expected, {actual} found")
        return actual

    def pop_all(self, types: Sequence[_Operand]) -> None:
        if not types:
            return
        # All at once where that shows no fault: a call is two bytes, and may take a thousand operands.
        control, operands, count = self.controls[-1], self.operands, len(types)
        there = min(len(operands) - control.height, count)
        first = len(operands) - there
        if (there == count or control.unreachable) and operands[first:] == list(types[count - there :]):
            del operands[first:]
            return
        for kind in reversed(types):
            self.pop(kind)

    def unreachable(self) -> None:
        control = self.controls[-1]
        del self.operands[control.height :]
        control.unreachable = True

    # Blocks

    def block_type(self, arg: ValueType | int | None) -> FuncType:
        if arg is None:
            return FuncType()
        if isinstance(arg, ValueType):
            return FuncType((), (arg,))
        if arg >= len(self.context.types):
            self.fail(f"unknown type {arg}")
        return self.context.types[arg]

    def open(self, kind: str, type_: FuncType) -> _Control:
        if len(self.controls) >= limits.MAX_NESTING:
            self.fail(f"blocks are nested deeper than the limit of {limits.MAX_NESTING}")
        self.pop_all(type_.params)
        control = _Control(kind, self.at if kind != "function" else FUNCTION, len(self.operands), type_)
        self.controls.append(control)
        self.operands.extend(type_.params)
        return control

    def close(self) -> _Control:
        control = self.controls[-1]
        self.pop_all(control.type.results)
        if len(self.operands) != control.height:
            extra = len(self.operands) - control.height
            self.fail(f"type mismatch: {extra} operand(s) more than the block's result")
        return control

    def label(self, depth: int) -> _Control:
        if depth >= len(self.controls):
            self.fail(f"unknown label {depth}: {len(self.controls)} blocks are open")
        return self.controls[-1 - depth]

    # Index spaces

    def type_of_function(self, index: int) -> FuncType:
        if index >= len(self.context.functions):
            self.fail(f"unknown function {index}")
        return self.context.functions[index]

    def type_of_tag(self, index: int) -> FuncType:
        if index >= len(self.context.tags):
            self.fail(f"unknown tag {index}")
        return self.context.tags[index]

    def type_of_table(self, index: int) -> ValueType:
        if index >= len(self.context.tables):
            self.fail(f"unknown table {index}")
        return self.context.tables[index].element

    def type_of_local(self, index: int) -> ValueType:
        if index >= len(self.locals):
            self.fail(f"unknown local {index}")
        return self.locals[index]

    def need_memory(self) -> None:
        if not self.context.memories:
            self.fail("unknown memory 0")

    # The pass

    def run(self) -> ValidFunction:
        try:
            code = decode_body(self.function.body)
        except MalformedError as error:
            place = error.place
            raise MalformedError(
                error.message, Place("code", self.index, self.place.name, place.instruction, place.offset)
            ) from None
        heights: list[int] = []
        self.open("function", FuncType((), self.type.results))
        most = 0
        for self.at, self.current in enumerate(code):
            if not self.controls:
                self.fail("the body goes on after its last end")
            height = len(self.operands)
            heights.append(-1 if self.controls[-1].unreachable else height)
            most = max(most, height)
            self.instruction(self.current)
        if self.controls:
            self.fail("the body ends before its last end")
        self.current = None
        if len(self.locals) + most > limits.MAX_FRAME_SLOTS:
            self.fail(
                f"a frame of {len(self.locals) + most} slots is larger than the limit of {limits.MAX_FRAME_SLOTS}"
            )
        return ValidFunction(
            self.index,
            self.type,
            self.locals,
            tuple(code),
            self.blocks,
            self.targets,
            tuple(heights),
            most,
        )

    def instruction(self, item: Instruction) -> None:
        op = item.op
        fixed = _FIXED.get(op.name)
        if fixed is None:
            _RULES[op.name](self, *item.args)
            return
        pops, pushes, is_plain = fixed
        if not is_plain:
            self.check_form(op, item.args)
        operands, height = self.operands, self.controls[-1].height
        for kind in pops:
            if len(operands) > height and operands[-1] is kind:
                operands.pop()
            else:
                self.pop(kind)
        operands.extend(pushes)

    def check_form(self, op: Op, args: tuple[Any, ...]) -> None:
        """What a row's form asks for besides the types of its operands."""
        if op.form is Form.CHECKED:
            if self.type_of_tag(args[0]).params:
                self.fail(f"type mismatch: tag {args[0]} has parameters, and the instruction throws none")
            return
        self.need_memory()
        if op.form is not Form.BULK and 1 << min(args[0], 32) > op.size:
            self.fail(f"alignment must not be larger than natural: 2**{args[0]} for {op.size} bytes")


# Rows whose types are fixed: what to pop, the top first, what to push, and whether that is all.
_FIXED: dict[str, tuple[tuple[ValueType, ...], tuple[ValueType, ...], bool]] = {
    op.name: (op.params[::-1], op.results, op.form is Form.PURE)
    for op in OPS.values()
    if op.form is not Form.NAMED and op.params is not None and op.results is not None
}


# Rules of the instructions whose types depend on more than their row


def _block(check: _Checker, arg: Any) -> None:
    assert check.current is not None
    check.open(check.current.op.name, check.block_type(arg))


def _if(check: _Checker, arg: Any) -> None:
    check.pop(I32)
    check.open("if", check.block_type(arg))


def _else(check: _Checker) -> None:
    control = check.controls[-1]
    if control.kind != "if" or control.otherwise is not None:
        check.fail("else without an if")
    check.close()
    control.otherwise = check.at
    control.unreachable = False
    check.operands.extend(control.type.params)


def _end(check: _Checker) -> None:
    control = check.close()
    if control.kind == "if" and control.otherwise is None and control.type.params != control.type.results:
        check.fail("type mismatch: an if without else must give what it takes")
    check.controls.pop()
    parent = check.controls[-1].key if check.controls else FUNCTION
    check.blocks[control.key] = Block(
        control.kind, control.key, control.otherwise, check.at, control.height, control.type, parent, control.catches
    )
    check.operands.extend(control.type.results)


def _try_table(check: _Checker, arg: Any, catches: tuple[tuple[Any, ...], ...]) -> None:
    found: list[tuple[int | None, int]] = []
    for kind, *indices in catches:
        carried = check.type_of_tag(indices[0]).params if kind == "catch" else ()
        target = check.label(indices[-1])
        if tuple(target.label) != tuple(carried):
            check.fail(f"type mismatch: the label takes ({' '.join(map(str, target.label))}), the catch gives "
                       f"({' '.join(map(str, carried))})")  # fmt: skip
        found.append((indices[0] if kind == "catch" else None, target.key))
    check.open("try_table", check.block_type(arg)).catches = tuple(found)


def _br(check: _Checker, depth: int) -> None:
    target = check.label(depth)
    check.targets[check.at] = (target.key,)
    check.pop_all(target.label)
    check.unreachable()


def _br_if(check: _Checker, depth: int) -> None:
    target = check.label(depth)
    check.targets[check.at] = (target.key,)
    check.pop(I32)
    check.pop_all(target.label)
    check.operands.extend(target.label)


def _br_table(check: _Checker, depths: tuple[int, ...], default: int) -> None:
    check.pop(I32)
    last = check.label(default)
    arity = len(last.label)
    seen: set[int] = set()  # types that were checked: a table may name many labels of many operands
    for depth in dict.fromkeys(depths):
        label = check.label(depth).label
        if id(label) in seen:
            continue
        seen.add(id(label))
        if len(label) != arity:
            check.fail(f"type mismatch: label {depth} takes {len(label)} operands, the default label {arity}")
        popped = [check.pop(kind) for kind in reversed(label)]
        check.operands.extend(reversed(popped))
    check.targets[check.at] = (*(check.label(depth).key for depth in depths), last.key)
    check.pop_all(last.label)
    check.unreachable()


def _return(check: _Checker) -> None:
    check.targets[check.at] = (FUNCTION,)
    check.pop_all(check.type.results)
    check.unreachable()


def _apply(check: _Checker, type_: FuncType) -> None:
    check.pop_all(type_.params)
    check.operands.extend(type_.results)


def _call_indirect(check: _Checker, type_: int, table: int) -> None:
    if check.type_of_table(table) is not FUNCREF:
        check.fail(f"type mismatch: table {table} does not hold functions")
    if type_ >= len(check.context.types):
        check.fail(f"unknown type {type_}")
    check.pop(I32)
    _apply(check, check.context.types[type_])


def _throw(check: _Checker, tag: int) -> None:
    check.pop_all(check.type_of_tag(tag).params)
    check.unreachable()


def _select(check: _Checker) -> None:
    check.pop(I32)
    first = check.pop()
    second = check.pop(first)
    kind = first if first is not None else second
    if kind is not None and kind not in NUMBER_TYPES:
        check.fail(f"type mismatch: select without a type takes numbers, not {kind}")
    check.operands.append(kind)


def _select_typed(check: _Checker, types: tuple[ValueType, ...]) -> None:
    if len(types) != 1:
        check.fail("invalid result arity: select has one type")
    check.pop_all((types[0], types[0], I32))
    check.operands.append(types[0])


def _local_get(check: _Checker, index: int) -> None:
    check.operands.append(check.type_of_local(index))


def _local_set(check: _Checker, index: int) -> None:
    check.pop(check.type_of_local(index))


def _local_tee(check: _Checker, index: int) -> None:
    kind = check.type_of_local(index)
    check.pop(kind)
    check.operands.append(kind)


def _global(check: _Checker, index: int) -> GlobalType:
    if index >= len(check.context.globals):
        check.fail(f"unknown global {index}")
    return check.context.globals[index]


def _global_get(check: _Checker, index: int) -> None:
    check.operands.append(_global(check, index).type)


def _global_set(check: _Checker, index: int) -> None:
    kind = _global(check, index)
    if not kind.mutable:
        check.fail(f"global {index} is immutable")
    check.pop(kind.type)


def _table(*operands: str, result: str | None = None) -> Callable[[_Checker, int], None]:
    """A rule for an instruction over one table; `element` stands for the type of its elements."""

    def rule(check: _Checker, table: int) -> None:
        element = check.type_of_table(table)
        check.pop_all([element if kind == "element" else I32 for kind in operands])
        if result is not None:
            check.operands.append(element if result == "element" else I32)

    return rule


def _table_copy(check: _Checker, target: int, source: int) -> None:
    if check.type_of_table(target) is not check.type_of_table(source):
        check.fail("type mismatch: the tables hold different types")
    check.pop_all((I32, I32, I32))


def _element(check: _Checker, index: int) -> ValueType:
    if index >= len(check.context.elements):
        check.fail(f"unknown elem segment {index}")
    return check.context.elements[index]


def _table_init(check: _Checker, element: int, table: int) -> None:
    if check.type_of_table(table) is not _element(check, element):
        check.fail("type mismatch: the segment and the table hold different types")
    check.pop_all((I32, I32, I32))


def _elem_drop(check: _Checker, index: int) -> None:
    _element(check, index)


def _data_drop(check: _Checker, index: int) -> None:
    if index >= check.context.data:
        check.fail(f"unknown data segment {index}")


def _memory_init(check: _Checker, data: int, memory: int) -> None:
    check.need_memory()
    _data_drop(check, data)
    check.pop_all((I32, I32, I32))


def _memory_size(check: _Checker, memory: int) -> None:
    check.need_memory()
    check.operands.append(I32)


def _memory_grow(check: _Checker, memory: int) -> None:
    check.need_memory()
    check.pop(I32)
    check.operands.append(I32)


def _ref_is_null(check: _Checker) -> None:
    kind = check.pop()
    if kind is not None and not kind.is_reference:
        check.fail(f"type mismatch: a reference expected, {kind} found")
    check.operands.append(I32)


def _ref_func(check: _Checker, index: int) -> None:
    check.type_of_function(index)
    if index not in check.context.declared:
        check.fail(f"undeclared function reference: function {index} stands in no export, global or element segment")
    check.operands.append(FUNCREF)


_RULES: dict[str, Callable[..., None]] = {
    "unreachable": _Checker.unreachable,
    "block": _block,
    "loop": _block,
    "if": _if,
    "else": _else,
    "end": _end,
    "try_table": _try_table,
    "throw": _throw,
    "br": _br,
    "br_if": _br_if,
    "br_table": _br_table,
    "return": _return,
    "call": lambda check, index: _apply(check, check.type_of_function(index)),
    "call_indirect": _call_indirect,
    "drop": lambda check: check.pop(),
    "select": _select,
    "select_typed": _select_typed,
    "local.get": _local_get,
    "local.set": _local_set,
    "local.tee": _local_tee,
    "global.get": _global_get,
    "global.set": _global_set,
    "table.get": _table("i32", result="element"),
    "table.set": _table("i32", "element"),
    "table.size": _table(result="i32"),
    "table.grow": _table("element", "i32", result="i32"),
    "table.fill": _table("i32", "element", "i32"),
    "table.copy": _table_copy,
    "table.init": _table_init,
    "elem.drop": _elem_drop,
    "memory.size": _memory_size,
    "memory.grow": _memory_grow,
    "memory.init": _memory_init,
    "data.drop": _data_drop,
    "ref.null": lambda check, kind: check.operands.append(kind),
    "ref.is_null": _ref_is_null,
    "ref.func": _ref_func,
}


def check_body(context: Context, index: int, name: str | None, function: Function) -> ValidFunction:
    """The checked body of function `index`.  Raises InvalidError or MalformedError with function, instruction and
    offset.
    """
    return _Checker(context, index, name, function).run()


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
            raise InvalidError("constant expression required", here)
    found = " ".join(map(str, types)) or "nothing"
    raise InvalidError(f"type mismatch: the constant expression must give {expect}, it gives {found}", place)
