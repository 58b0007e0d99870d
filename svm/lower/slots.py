"""Stack code to slot code: operands in places that are known before the program runs.

In comes a `ValidFunction`, out goes a list of `SlotOp`s that read and write slots of the frame (`svm.lower.frame`). A
local or a constant is used where it is: an operand that was pushed by `local.get` or a constant exists as a note
until something needs it in its own slot, or a block begins, in which it might be put there on one way and not on
another.  The invariant that makes pausing simple: **at every safepoint each live operand lies in its own slot**, so
the frame is the frame of record, whatever an engine fused in between.

Safepoints are a function's entry, the start of a loop, the instruction after a call, and bulk and growing instructions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from svm.isa import I32, I64, Form, FuncType, Op, ValueType
from svm.lower.frame import HEADER_SLOTS, Charges, FrameLayout
from svm.lower.stops import CHUNKED
from svm.module import FUNCTION, Block, Context, Instruction, ValidFunction
from svm.record import field, record

__all__ = ["SlotCode", "SlotOp", "Source", "operand_counts", "slot_code"]

Source = tuple[str, int]
"""Where an operand is: ("s", slot from the frame's first parameter) or ("c", bits of a constant)."""


@record(frozen=False)
class SlotOp:
    """One operation.  name: that of a row of the table, or one of `PSEUDO`.

    sources, target: its operands and its result.  args: immediates and, for control, labels and charges.  offset:
    byte offset of the instruction, for traps.  once: the target is read once at most, by an operation before the next
    label or safepoint, so an engine need not write it if it hands it over otherwise.  type: the result's.
    """

    name: str
    sources: tuple[Source, ...] = ()
    target: int | None = None
    args: tuple[Any, ...] = ()
    offset: int = 0
    once: bool = False
    type: ValueType | None = None


PSEUDO = {
    "copy": "target = source",
    "zero": "args (first, count): clear slots",
    "move": "args (first target, first source, count): copy slots, the first first",
    "label": "args (label)",
    "br": "args (label)",
    "br_if": "branch if the source is not 0; args (label)",
    "br_unless": "branch if the source is 0; args (label)",
    "latch": "branch back to a loop; args (label, cost, test)",
    "latch_if": "the same if the source is not 0",
    "latch_unless": "the same if the source is 0",
    "charge": "args (cost): take fuel without a test",
    "br_table": "args (labels): branch to the label that the source chooses",
    "call": "args (function, first argument's slot)",
    "call_indirect": "args (type index, table, first argument's slot); the source is the index in the table",
    "return": "the source, if there is one, is the result",
    "return_many": "args (first result's slot, count)",
    "throw": "args (tag, first value's slot)",
    "state": "args (row, immediates, first operand's slot): an instruction that the runtime runs",
    "bulk": "args (row, immediates, first operand's slot)",
}
"""Operations that are no row of the table, or take other arguments than the row."""


@record(frozen=False)
class SlotCode:
    """A function as slot code.

    targets: label of a block by its key, for exceptions that go there.  labels: how many there are.
    """

    ops: list[SlotOp]
    targets: dict[int, int] = field(default_factory=dict)
    labels: int = 0


@record(frozen=False)
class _Control:
    block: Block
    label: int
    otherwise: int | None


_MOST_NOTES = 64
_MOST_COPIES = 16  # a branch with more values moves them by one operation: there may be many such branches

_COMMUTATIVE = frozenset(
    [f"{kind}.{name}" for kind in ("i32", "i64") for name in ("add", "mul", "and", "or", "xor", "eq", "ne")]
    + [f"{kind}.{name}" for kind in ("f32", "f64") for name in ("add", "mul", "eq", "ne")]  # a NaN is canonical
)
_MIRRORED = {
    f"{kind}.{a}{sign}": f"{kind}.{b}{sign}"
    for kind, signs in (("i32", ("_s", "_u")), ("i64", ("_s", "_u")), ("f32", ("",)), ("f64", ("",)))
    for sign in signs
    for a, b in (("lt", "gt"), ("gt", "lt"), ("le", "ge"), ("ge", "le"))
}
_INVERTED = {
    f"{kind}.{a}": f"{kind}.{b}"
    for kind in ("i32", "i64")
    for pair in (("eq", "ne"), ("lt_s", "ge_s"), ("lt_u", "ge_u"), ("gt_s", "le_s"), ("gt_u", "le_u"))
    for a, b in (pair, pair[::-1])
}


def slot_code(context: Context, function: ValidFunction, layout: FrameLayout, charges: Charges) -> SlotCode:
    """The slot code of a checked function of a module."""
    return _Lowering(context, function, layout, charges).run()


class _Lowering:
    def __init__(self, context: Context, function: ValidFunction, layout: FrameLayout, charges: Charges) -> None:
        self.context = context
        self.function = function
        self.layout = layout
        self.charges = charges
        self.ops: list[SlotOp] = []
        self.out = SlotCode(self.ops)
        self.stack: list[Source] = []
        self.controls: list[_Control] = []
        self.first_operand = layout.params + HEADER_SLOTS + layout.locals
        self.own: list[Source] = []  # each operand's own slot, by height
        self.clean = 0  # so many operands, from the bottom, are known to lie in their own slots
        self.kept = 0  # so many operations have been looked at by `keep`
        self.barrier = 0  # index in ops before which nothing may be changed: the place of the last label
        self.offset = 0

    # Pieces

    def place(self, height: int) -> int:
        """Slot of the operand at a height."""
        return self.first_operand + height

    def local(self, index: int) -> int:
        """Slot of a local."""
        return index if index < self.layout.params else index + HEADER_SLOTS

    def open(self, key: int, otherwise: int | None = None) -> int:
        """Begin a block; its label."""
        label = self.new_label()
        self.controls.append(_Control(self.function.blocks[key], label, otherwise))
        self.out.targets[key] = label
        return label

    def new_label(self) -> int:
        self.out.labels += 1
        return self.out.labels - 1

    def emit(self, name: str, sources: tuple[Source, ...] = (), target: int | None = None, *args: Any) -> SlotOp:
        op = SlotOp(name, sources, target, args, self.offset)
        self.ops.append(op)
        return op

    def put_label(self, label: int) -> None:
        self.emit("label", (), None, label)
        self.barrier = len(self.ops)

    def push_result(self, name: str, sources: tuple[Source, ...], type_: ValueType, *args: Any) -> None:
        """Emit an operation whose result is the next operand, in its own slot."""
        target = self.place(len(self.stack))
        op = self.emit(name, sources, target, *args)
        op.once, op.type = True, type_
        self.stack.append(("s", target))

    def push_own(self, count: int) -> None:
        """So many operands lie in their own slots."""
        height = len(self.stack)
        self.own += [("s", self.place(at)) for at in range(len(self.own), height + count)]
        self.stack += self.own[height : height + count]
        if self.clean == height:
            self.clean += count

    def pop(self, count: int) -> tuple[Source, ...]:
        first = len(self.stack) - count
        taken = tuple(self.stack[first:])
        self.drop_to(first)
        return taken

    # Notes and slots

    def flush(self, height: int) -> None:
        """Put the operand at a height into its own slot."""
        place = self.place(height)
        source = self.stack[height]
        if source != ("s", place):
            self.emit("copy", (source,), place)
            self.stack[height] = ("s", place)

    def drop_to(self, height: int) -> None:
        """Forget the operands from a height on."""
        del self.stack[height:]
        self.clean = min(self.clean, height)

    def flush_from(self, height: int) -> None:
        for at in range(max(height, self.clean), len(self.stack)):
            self.flush(at)
        if height <= self.clean:
            self.clean = len(self.stack)

    def flush_all(self) -> None:
        """Before a safepoint."""
        self.flush_from(0)
        self.keep()

    def keep(self) -> None:
        """Operands may be read more than once, or by whoever looks at the frame: what makes them must write them.

        An operation is looked at once: if its result is no operand now, it never will be again.
        """
        for op in self.ops[min(self.kept, len(self.ops)) :]:
            if op.once and op.target is not None:
                height = op.target - self.first_operand
                if 0 <= height < len(self.stack) and self.stack[height] == ("s", op.target):
                    op.once = False
        self.kept = len(self.ops)

    def producer(self, source: Source) -> SlotOp | None:
        """The last operation, if it has just made this operand and nothing else reads it."""
        last = self.ops[-1] if len(self.ops) > self.barrier else None
        return last if last is not None and last.once and source == ("s", last.target) else None

    def set_local(self, index: int, source: Source) -> None:
        slot = self.local(index)
        many = len(self.stack) - self.clean > _MOST_NOTES  # so that looking for notes stays cheap in hostile code
        noted = many or ("s", slot) in self.stack[self.clean :]
        made = self.producer(source)
        if made is not None and noted:
            self.ops.pop()  # what still needs the old value is copied before the new one is made
        if noted:
            self.flush_from(0)
        if made is not None:
            if noted:
                self.ops.append(made)
            made.target, made.once = slot, False
        elif source != ("s", slot):
            self.emit("copy", (source,), slot)

    # Branches

    def moves(self, target: Block) -> list[tuple[int, Source]]:
        """Copies that put a branch's values where the target wants them."""
        count = len(target.branch_types)
        first = len(self.stack) - count
        wanted = [(self.place(target.height + at), self.stack[first + at]) for at in range(count)]
        return [(place, source) for place, source in wanted if source != ("s", place)]

    def stays(self, target: Block) -> bool:
        """Whether a branch's values lie where the target wants them."""
        first = len(self.stack) - len(target.branch_types)
        if self.clean == len(self.stack):
            return first == target.height or not target.branch_types
        return not self.moves(target)

    def settle(self, count: int) -> None:
        """Before a branch with so many values that may not be taken, or has several targets."""
        if count > _MOST_COPIES:
            self.flush_from(0)
        if count:
            self.keep()  # the values are read here and there

    def carry(self, target: Block) -> None:
        """Put a branch's values where the target wants them; nothing here goes on but there."""
        count = len(target.branch_types)
        if count > _MOST_COPIES:
            self.flush_from(0)
            first = len(self.stack) - count
            if first != target.height:
                self.emit("move", (), None, self.place(target.height), self.place(first), count)
            return
        for place, source in self.moves(target):
            self.emit("copy", (source,), place)

    def go(self, key: int) -> None:
        """Branch unconditionally."""
        block = self.function.blocks[key]
        if key == FUNCTION:
            self.leave()
            return
        self.carry(block)
        label = self.label_of(key)
        if block.kind == "loop":
            charge = self.charges.loops[key]
            self.emit("latch", (), None, label, charge.cost, charge.test)
        else:
            self.emit("br", (), None, label)

    def leave(self) -> None:
        """Return from the function, with the operands on top as results."""
        count = len(self.function.type.results)
        first = len(self.stack) - count
        if count <= 1:
            self.emit("return", tuple(self.stack[first:]))
            return
        before, clean = self.stack[first:], self.clean  # where control does not return, nothing was flushed
        self.flush_from(first)
        self.keep()
        self.emit("return_many", (), None, self.place(first), count)
        self.stack[first:], self.clean = before, min(clean, first)

    def go_if(self, key: int, condition: Source, inverted: bool) -> None:
        """Branch if the condition holds (or, inverted, does not)."""
        block = self.function.blocks[key]
        self.settle(len(block.branch_types))
        if key != FUNCTION and self.stays(block):
            name = "unless" if inverted else "if"
            if block.kind == "loop":
                charge = self.charges.loops[key]
                self.emit(f"latch_{name}", (condition,), None, self.label_of(key), charge.cost, charge.test)
            else:
                self.emit(f"br_{name}", (condition,), None, self.label_of(key))
            self.barrier = len(self.ops)
            return
        past = self.new_label()
        self.emit("br_if" if inverted else "br_unless", (condition,), None, past)
        self.barrier = len(self.ops)
        self.go(key)
        self.put_label(past)

    def label_of(self, key: int) -> int:
        return self.out.targets[key]

    def pop_condition(self, inverted: bool = False) -> tuple[Source, bool]:
        """Take a condition, without the negations around it."""
        (condition,) = self.pop(1)
        while (made := self.producer(condition)) is not None and made.name == "i32.eqz":
            self.ops.pop()
            condition, inverted = made.sources[0], not inverted
        made = self.producer(condition)
        if inverted and made is not None and made.name in _INVERTED:
            made.name, inverted = _INVERTED[made.name], False
        return condition, inverted

    # The pass

    def run(self) -> SlotCode:
        function = self.function
        label = self.open(FUNCTION)
        if self.layout.locals:
            self.emit("zero", (), None, self.layout.params + HEADER_SLOTS, self.layout.locals)
        at, last = 0, len(function.code) - 1
        while at < last:
            item = function.code[at]
            self.offset = item.offset
            at = self.instruction(at, item)
        self.offset = function.code[last].offset
        if function.heights[last] >= 0:
            self.leave()
        if any(key == FUNCTION for block in function.blocks.values() for _, key in block.catches):
            self.put_label(label)
            self.drop_to(0)
            self.push_own(len(function.type.results))
            self.leave()
        return self.out

    def instruction(self, at: int, item: Instruction) -> int:
        """Lower one instruction; the index of the next."""
        op, args, _ = item
        name = op.name
        rule = _RULES.get(name)
        if rule is not None:
            return rule(self, at, *args) or at + 1
        if op.form is Form.NAMED or op.form is Form.BULK:
            return self.state(op, args, at)
        if op.form is Form.LOAD:
            assert op.results is not None
            self.push_result(name, self.pop(1), op.results[0], args[1])
        elif op.form is Form.STORE:
            self.emit(name, self.pop(2), None, args[1])
        else:
            self.pure(op, args)
        return at + 1

    def pure(self, op: Op, args: tuple[Any, ...]) -> None:
        """An instruction with operands and a result, by its row."""
        assert op.params is not None and op.results is not None and op.python is not None
        name = op.name
        if not op.params and op.immediates:
            self.stack.append(("c", op.python(*args)))
            return
        sources = self.pop(len(op.params))
        if len(sources) == 2 and self.turns(*sources):
            if name in _COMMUTATIVE:
                sources = sources[::-1]
            elif name in _MIRRORED:
                name, sources = _MIRRORED[name], sources[::-1]
        if len(op.results) == 1:
            self.push_result(name, sources, op.results[0], *args)
        elif op.results:  # two results: the operation writes the slot after its target too
            height = len(self.stack)
            self.emit(name, sources, self.place(height), *args)
            self.push_own(2)

    def turns(self, first: Source, second: Source) -> bool:
        """Whether operands are better the other way round: what was just made first, a constant last.  Then fewer
        handlers serve more code.
        """
        return second[0] != "c" and (first[0] == "c" or self.producer(second) is not None)

    def state(self, op: Op, args: tuple[Any, ...], at: int) -> int:
        """An instruction that the runtime runs on operands in their slots: a safepoint."""
        self.flush_all()
        operands, results = operand_counts(op)
        height = len(self.stack) - operands
        kind = "bulk" if op.form is Form.BULK or op.name in CHUNKED else "state"
        self.emit(kind, (), None, op, args, self.place(height))
        self.barrier = len(self.ops)
        self.drop_to(height)
        self.push_own(results)
        return at + 1


_POLYMORPHIC = {"table.get": (1, 1), "table.set": (2, 0), "table.grow": (2, 1), "table.fill": (3, 0)}


def operand_counts(op: Op) -> tuple[int, int]:
    """How many operands an instruction that the runtime runs takes, and how many results it gives."""
    if op.params is not None and op.results is not None:
        return len(op.params), len(op.results)
    return _POLYMORPHIC[op.name]


def _block(low: _Lowering, at: int, *args: Any) -> int:
    low.flush_from(0)
    low.open(at)
    return at + 1


def _loop(low: _Lowering, at: int, arg: Any) -> int:
    low.flush_all()
    low.emit("charge", (), None, low.charges.loops[at].cost)
    label = low.open(at)
    low.offset = low.function.code[at + 1].offset  # a paused frame says that the loop's first instruction is next
    low.put_label(label)
    return at + 1


def _if(low: _Lowering, at: int, arg: Any) -> int:
    made = low.producer(low.stack[-1])
    if made is not None:
        low.ops.pop()  # what is flushed comes before the condition, so that condition and branch stay together
    (condition,) = low.pop(1)
    low.flush_from(0)
    if made is not None:
        low.ops.append(made)
    low.stack.append(condition)
    condition, inverted = low.pop_condition(inverted=True)
    otherwise = low.new_label()
    low.emit("br_unless" if inverted else "br_if", (condition,), None, otherwise)
    low.barrier = len(low.ops)
    low.open(at, otherwise)
    return at + 1


def _else(low: _Lowering, at: int) -> int:
    """Reached by falling through; a branch before it goes on at `_resume`."""
    control = low.controls[-1]
    low.carry(_as_end(control.block))
    low.emit("br", (), None, control.label)
    return _begin_else(low, at)


def _begin_else(low: _Lowering, at: int) -> int:
    control = low.controls[-1]
    assert control.otherwise is not None
    low.put_label(control.otherwise)
    control.otherwise = None
    low.drop_to(control.block.height)
    low.push_own(len(control.block.type.params))
    return at + 1


def _as_end(block: Block) -> Block:
    """The block as the target of falling through its end, which even a loop's results take."""
    return Block("block", block.start, None, block.end, block.height, block.type, block.parent)


def _end(low: _Lowering, at: int) -> int:
    control = low.controls[-1]
    low.carry(_as_end(control.block))
    return _finish(low, at)


def _finish(low: _Lowering, at: int) -> int:
    """After a block's last instruction, whether or not control comes there by falling through."""
    control = low.controls.pop()
    block = control.block
    if control.otherwise is not None:
        low.put_label(control.otherwise)
    if block.kind == "loop":
        low.barrier = len(low.ops)
    else:
        low.put_label(control.label)
    low.drop_to(block.height)
    low.push_own(len(block.type.results))
    return at + 1


def _resume(low: _Lowering, at: int) -> int:
    """After an instruction that never falls through: go on at the `else` or after the `end` of the block."""
    control = low.controls[-1]
    block = control.block
    if block.start == FUNCTION:
        return block.end
    if block.otherwise is not None and at < block.otherwise:
        return _begin_else(low, block.otherwise)
    low.offset = low.function.code[block.end].offset
    return _finish(low, block.end)


def _br(low: _Lowering, at: int, depth: int) -> int:
    low.go(low.function.targets[at][0])
    return _resume(low, at)


def _br_if(low: _Lowering, at: int, depth: int) -> None:
    condition, inverted = low.pop_condition()
    low.go_if(low.function.targets[at][0], condition, inverted)


def _br_table(low: _Lowering, at: int, labels: Any, default: Any) -> int:
    (index,) = low.pop(1)
    low.settle(len(low.function.blocks[low.function.targets[at][-1]].branch_types))
    stubs: dict[int, int] = {}
    targets: list[int] = []
    for key in low.function.targets[at]:
        block = low.function.blocks[key]
        if key == FUNCTION or block.kind == "loop" or not low.stays(block):
            if key not in stubs:
                stubs[key] = low.new_label()
            targets.append(stubs[key])
        else:
            targets.append(low.label_of(key))
    low.emit("br_table", (index,), None, tuple(targets))
    for key, label in stubs.items():
        low.put_label(label)
        low.go(key)
    low.barrier = len(low.ops)
    return _resume(low, at)


def _return(low: _Lowering, at: int) -> int:
    low.go(FUNCTION)
    return _resume(low, at)


def _unreachable(low: _Lowering, at: int) -> int:
    low.emit("unreachable")
    return _resume(low, at)


def _call(low: _Lowering, at: int, index: int) -> None:
    _calls(low, "call", (), low.context.functions[index], index)


def _call_indirect(low: _Lowering, at: int, type_: int, table: int) -> None:
    index = low.pop(1)
    low.keep()
    _calls(low, "call_indirect", index, low.context.types[type_], type_, table)


def _calls(low: _Lowering, name: str, sources: tuple[Source, ...], type_: FuncType, *args: Any) -> None:
    low.flush_all()
    height = len(low.stack) - len(type_.params)
    op = low.emit(name, sources, None, *args, low.place(height))
    low.barrier = len(low.ops)
    low.drop_to(height)
    low.push_own(len(type_.results))
    if len(type_.results) == 1:
        op.type = type_.results[0]


def _throw(low: _Lowering, at: int, tag: int) -> int:
    low.flush_all()
    low.emit("throw", (), None, tag, low.place(len(low.stack) - len(low.context.tags[tag].params)))
    return _resume(low, at)


def _local_get(low: _Lowering, at: int, index: int) -> None:
    low.stack.append(("s", low.local(index)))


def _local_set(low: _Lowering, at: int, index: int) -> None:
    low.set_local(index, *low.pop(1))


def _local_tee(low: _Lowering, at: int, index: int) -> None:
    low.set_local(index, *low.pop(1))
    low.stack.append(("s", low.local(index)))


def _global_get(low: _Lowering, at: int, index: int) -> None:
    low.push_result("global.get", (), low.context.globals[index].type, index)


def _global_set(low: _Lowering, at: int, index: int) -> None:
    low.emit("global.set", low.pop(1), None, index)


def _select(low: _Lowering, at: int, *types: Any) -> None:
    low.push_result("select", low.pop(3), I64)


def _ref_null(low: _Lowering, at: int, kind: ValueType) -> None:
    low.stack.append(("c", 0))


def _ref_is_null(low: _Lowering, at: int) -> None:
    low.push_result("ref.is_null", low.pop(1), I32)


def _memory_size(low: _Lowering, at: int, memory: int) -> None:
    low.push_result("memory.size", (), I32)


def _drop(low: _Lowering, at: int) -> None:
    low.pop(1)


_RULES: dict[str, Callable[..., int | None]] = {
    "nop": lambda low, at: None,
    "drop": _drop,
    "unreachable": _unreachable,
    "block": _block,
    "loop": _loop,
    "if": _if,
    "else": _else,
    "end": _end,
    "try_table": _block,
    "throw": _throw,
    "br": _br,
    "br_if": _br_if,
    "br_table": _br_table,
    "return": _return,
    "call": _call,
    "call_indirect": _call_indirect,
    "select": _select,
    "select_typed": _select,
    "local.get": _local_get,
    "local.set": _local_set,
    "local.tee": _local_tee,
    "global.get": _global_get,
    "global.set": _global_set,
    "ref.null": _ref_null,
    "ref.is_null": _ref_is_null,
    "memory.size": _memory_size,
}
