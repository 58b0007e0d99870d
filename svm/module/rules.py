"""What instructions ask of operands, blocks and index spaces: the rules of one body that the table cannot say.

In come a function and the index spaces around it, as a `Checker`; `RULES` takes it from one instruction to the next.
`svm.module.body` makes the pass, and does itself what rows of the table say by their types alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NoReturn

from svm import limits
from svm.errors import InvalidError, MalformedError, Place
from svm.isa import FUNCREF, I32, NUMBER_TYPES, FuncType, ValueType
from svm.module.checked import FUNCTION, Block, Context
from svm.module.model import Function, GlobalType

__all__ = ["BARRIER", "RULES", "Checker", "check_tag"]

BARRIER: Any = object()
"""Stands among the operands where a block begins: what lies beneath it is not the block's to take."""


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
    """A block that is open.

    base: where its operands begin.  height: operands beneath it, barriers not counted.  label: what a branch to it
    carries.
    """

    __slots__ = ("base", "catches", "height", "key", "kind", "label", "otherwise", "type", "unreachable")

    def __init__(self, kind: str, key: int, base: int, height: int, type_: FuncType) -> None:
        self.kind = kind
        self.key = key
        self.base = base
        self.height = height
        self.type = type_
        self.label = type_.params if kind == "loop" else type_.results
        self.unreachable = False
        self.otherwise: int | None = None
        self.catches: tuple[tuple[int | None, int], ...] = ()


_Operand = ValueType | None  # None: any type, in code that is never reached

_BLOCK_TYPES: dict[ValueType | None, FuncType] = {
    None: FuncType(),
    **{kind: FuncType((), (kind,)) for kind in ValueType},
}


class Checker:
    """The state of one pass.

    keep: whether what is learned is kept for engines.  operands: their types, with a `BARRIER` where each block begins.
    controls: the blocks that are open.  at: index of the instruction, if they are kept.  blocks, targets: as in
    `ValidFunction`.  watched: types of the operands before instructions that somebody asks about, by byte offset.
    """

    def __init__(self, context: Context, index: int, name: str | None, function: Function, keep: bool) -> None:
        self.context = context
        self.place = Place(section="code", item=index, name=name)
        self.index = index
        self.function = function
        self.keep = keep
        self.type = context.types[function.type]
        self.locals = self._expand_locals(function)
        self.operands: list[Any] = []
        self.controls: list[_Control] = []
        self.blocks: dict[int, Block] = {}
        self.targets: dict[int, tuple[int, ...]] = {}
        self.watched: dict[int, tuple[ValueType, ...]] = {}
        self.at = 0

    def fail(self, message: str) -> NoReturn:
        """Say that a rule does not hold; the pass knows the place."""
        raise InvalidError(message)

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
        actual: Any = self.operands[-1]
        if actual is BARRIER:
            if self.controls[-1].unreachable:
                return None
            self.fail(f"type mismatch: {expect or 'an operand'} expected, but the stack of the block is empty")
        self.operands.pop()
        if actual is not expect and actual is not None and expect is not None:
            self.fail(f"type mismatch: {expect} expected, {actual} found")
        found: _Operand = actual
        return found

    def pop_all(self, types: Sequence[_Operand]) -> None:
        """Take operands of these types, the last on top."""
        if not types:
            return
        # All at once where that shows no fault: a call is two bytes, and may take a thousand operands.
        control, operands, count = self.controls[-1], self.operands, len(types)
        there = min(len(operands) - control.base, count)
        first = len(operands) - there
        if (there == count or control.unreachable) and operands[first:] == list(types[count - there :]):
            del operands[first:]
            return
        for kind in reversed(types):
            self.pop(kind)

    def unreachable(self) -> None:
        """Control does not come to what follows."""
        control = self.controls[-1]
        del self.operands[control.base :]
        control.unreachable = True

    # Blocks

    def block_type(self, arg: ValueType | int | None) -> FuncType:
        """What a block takes and gives, by its immediate."""
        if arg is None or isinstance(arg, ValueType):
            return _BLOCK_TYPES[arg]
        if arg >= len(self.context.types):
            self.fail(f"unknown type {arg}")
        return self.context.types[arg]

    def open(self, kind: str, type_: FuncType) -> _Control:
        """Begin a block, whose parameters are taken and given to it."""
        if len(self.controls) >= limits.MAX_NESTING:
            self.fail(f"blocks are nested deeper than the limit of {limits.MAX_NESTING}")
        self.pop_all(type_.params)
        operands = self.operands
        key = self.at if kind != "function" else FUNCTION
        control = _Control(kind, key, len(operands) + 1, len(operands) - len(self.controls), type_)
        self.controls.append(control)
        operands.append(BARRIER)
        operands.extend(type_.params)
        return control

    def close(self) -> _Control:
        """Take the results of the innermost block, beneath which must lie nothing."""
        control = self.controls[-1]
        self.pop_all(control.type.results)
        extra = len(self.operands) - control.base
        if extra:
            self.fail(f"type mismatch: {extra} operand(s) more than the block's result")
        return control

    def label(self, depth: int) -> _Control:
        """The block that a branch goes to."""
        if depth >= len(self.controls):
            self.fail(f"unknown label {depth}: {len(self.controls)} blocks are open")
        return self.controls[-1 - depth]

    # Index spaces

    def type_of_function(self, index: int) -> FuncType:
        """Type of a function."""
        if index >= len(self.context.functions):
            self.fail(f"unknown function {index}")
        return self.context.functions[index]

    def type_of_tag(self, index: int) -> FuncType:
        """Type of an exception tag."""
        if index >= len(self.context.tags):
            self.fail(f"unknown tag {index}")
        return self.context.tags[index]

    def type_of_table(self, index: int) -> ValueType:
        """What a table holds."""
        if index >= len(self.context.tables):
            self.fail(f"unknown table {index}")
        return self.context.tables[index].element

    def type_of_local(self, index: int) -> ValueType:
        """Type of a local."""
        if index >= len(self.locals):
            self.fail(f"unknown local {index}")
        return self.locals[index]

    def need_memory(self) -> None:
        """There must be one."""
        if not self.context.memories:
            self.fail("unknown memory 0")


# Rules of the instructions whose types depend on more than their row


def _block(check: Checker, arg: Any) -> None:
    check.open("block", check.block_type(arg))


def _loop(check: Checker, arg: Any) -> None:
    check.open("loop", check.block_type(arg))


def _if(check: Checker, arg: Any) -> None:
    check.pop(I32)
    check.open("if", check.block_type(arg))


def _else(check: Checker) -> None:
    control = check.controls[-1]
    if control.kind != "if" or control.otherwise is not None:
        raise MalformedError("else without an if")
    check.close()
    control.otherwise = check.at
    control.unreachable = False
    check.operands.extend(control.type.params)


def _end(check: Checker) -> None:
    control = check.close()
    if control.kind == "if" and control.otherwise is None and control.type.params != control.type.results:
        check.fail("type mismatch: an if without else must give what it takes")
    check.controls.pop()
    check.operands.pop()
    check.operands.extend(control.type.results)
    if check.keep:
        parent = check.controls[-1].key if check.controls else FUNCTION
        check.blocks[control.key] = Block(
            control.kind,
            control.key,
            control.otherwise,
            check.at,
            control.height,
            control.type,
            parent,
            control.catches,
        )


def _try_table(check: Checker, arg: Any, catches: tuple[tuple[Any, ...], ...]) -> None:
    found: list[tuple[int | None, int]] = []
    for kind, *indices in catches:
        carried = check.type_of_tag(indices[0]).params if kind == "catch" else ()
        target = check.label(indices[-1])
        if tuple(target.label) != tuple(carried):
            check.fail(f"type mismatch: the label takes ({' '.join(map(str, target.label))}), the catch gives "
                       f"({' '.join(map(str, carried))})")  # fmt: skip
        found.append((indices[0] if kind == "catch" else None, target.key))
    check.open("try_table", check.block_type(arg)).catches = tuple(found)


def _br(check: Checker, depth: int) -> None:
    target = check.label(depth)
    check.targets[check.at] = (target.key,)
    check.pop_all(target.label)
    check.unreachable()


def _br_if(check: Checker, depth: int) -> None:
    target = check.label(depth)
    check.targets[check.at] = (target.key,)
    check.pop(I32)
    check.pop_all(target.label)
    check.operands.extend(target.label)


def _br_table(check: Checker, depths: tuple[int, ...], default: int) -> None:
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


def _return(check: Checker) -> None:
    check.targets[check.at] = (FUNCTION,)
    check.pop_all(check.type.results)
    check.unreachable()


def _apply(check: Checker, type_: FuncType) -> None:
    check.pop_all(type_.params)
    check.operands.extend(type_.results)


def _call_indirect(check: Checker, type_: int, table: int) -> None:
    if check.type_of_table(table) is not FUNCREF:
        check.fail(f"type mismatch: table {table} does not hold functions")
    if type_ >= len(check.context.types):
        check.fail(f"unknown type {type_}")
    check.pop(I32)
    _apply(check, check.context.types[type_])


def _throw(check: Checker, tag: int) -> None:
    check.pop_all(check.type_of_tag(tag).params)
    check.unreachable()


def _select(check: Checker) -> None:
    check.pop(I32)
    first = check.pop()
    second = check.pop(first)
    kind = first if first is not None else second
    if kind is not None and kind not in NUMBER_TYPES:
        check.fail(f"type mismatch: select without a type takes numbers, not {kind}")
    check.operands.append(kind)


def _select_typed(check: Checker, types: tuple[ValueType, ...]) -> None:
    if len(types) != 1:
        check.fail("invalid result arity: select has one type")
    check.pop_all((types[0], types[0], I32))
    check.operands.append(types[0])


def _local_get(check: Checker, index: int) -> None:
    check.operands.append(check.type_of_local(index))


def _local_set(check: Checker, index: int) -> None:
    check.pop(check.type_of_local(index))


def _local_tee(check: Checker, index: int) -> None:
    kind = check.type_of_local(index)
    check.pop(kind)
    check.operands.append(kind)


def _global(check: Checker, index: int) -> GlobalType:
    if index >= len(check.context.globals):
        check.fail(f"unknown global {index}")
    return check.context.globals[index]


def _global_get(check: Checker, index: int) -> None:
    check.operands.append(_global(check, index).type)


def _global_set(check: Checker, index: int) -> None:
    kind = _global(check, index)
    if not kind.mutable:
        check.fail(f"global {index} is immutable")
    check.pop(kind.type)


def _table(*operands: str, result: str | None = None) -> Callable[[Checker, int], None]:
    """A rule for an instruction over one table; `element` stands for the type of its elements."""

    def rule(check: Checker, table: int) -> None:
        element = check.type_of_table(table)
        check.pop_all([element if kind == "element" else I32 for kind in operands])
        if result is not None:
            check.operands.append(element if result == "element" else I32)

    return rule


def _table_copy(check: Checker, target: int, source: int) -> None:
    if check.type_of_table(target) is not check.type_of_table(source):
        check.fail("type mismatch: the tables hold different types")
    check.pop_all((I32, I32, I32))


def _element(check: Checker, index: int) -> ValueType:
    if index >= len(check.context.elements):
        check.fail(f"unknown elem segment {index}")
    return check.context.elements[index]


def _table_init(check: Checker, element: int, table: int) -> None:
    if check.type_of_table(table) is not _element(check, element):
        check.fail("type mismatch: the segment and the table hold different types")
    check.pop_all((I32, I32, I32))


def _elem_drop(check: Checker, index: int) -> None:
    _element(check, index)


def _data_drop(check: Checker, index: int) -> None:
    if index >= check.context.data:
        check.fail(f"unknown data segment {index}")
    if not check.context.data_count:
        raise MalformedError("data count section required")


def _memory_init(check: Checker, data: int, memory: int) -> None:
    check.need_memory()
    _data_drop(check, data)
    check.pop_all((I32, I32, I32))


def _memory_size(check: Checker, memory: int) -> None:
    check.need_memory()
    check.operands.append(I32)


def _memory_grow(check: Checker, memory: int) -> None:
    check.need_memory()
    check.pop(I32)
    check.operands.append(I32)


def _ref_is_null(check: Checker) -> None:
    kind = check.pop()
    if kind is not None and not kind.is_reference:
        check.fail(f"type mismatch: a reference expected, {kind} found")
    check.operands.append(I32)


def _ref_func(check: Checker, index: int) -> None:
    check.type_of_function(index)
    if index not in check.context.declared:
        check.fail(f"undeclared function reference: function {index} stands in no export, global or element segment")
    check.operands.append(FUNCREF)


RULES: dict[str, Callable[..., None]] = {
    "unreachable": Checker.unreachable,
    "block": _block,
    "loop": _loop,
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


def check_tag(check: Checker, tag: int) -> None:
    """What instructions that throw where they overflow ask for besides their types."""
    if check.type_of_tag(tag).params:
        check.fail(f"type mismatch: tag {tag} has parameters, and the instruction throws none")
