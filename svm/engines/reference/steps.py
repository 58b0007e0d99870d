"""A checked body to steps that the reference engine runs: one for each instruction, so that a step's index is its
instruction's.

A step is (kind, a, b).  Nothing is optimised but that names are looked up here, once, and that runs of instructions
that do nothing are jumped over.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from svm.isa import Form
from svm.lower import Charges, FrameLayout, Handlers, charges_of, layout_of, tries_of
from svm.module import FUNCTION, Instruction, ValidFunction
from svm.record import record
from svm.runtime.arenas import FunctionInstance

__all__ = [
    "BINARY",
    "BR",
    "BR_IF",
    "BR_TABLE",
    "BULK",
    "CALL",
    "CALL_INDIRECT",
    "CHECKED",
    "CONST",
    "DROP",
    "GLOBAL_GET",
    "GLOBAL_SET",
    "IF",
    "JUMP",
    "LOAD",
    "LOCAL_GET",
    "LOCAL_SET",
    "LOCAL_TEE",
    "LOOP",
    "NOP",
    "PURE",
    "RETURN",
    "STATE",
    "STORE",
    "THROW",
    "UNARY",
    "UNREACHABLE",
    "Branch",
    "Code",
    "Step",
    "code_of",
]

Step = tuple[int, Any, Any]


# Kinds of steps, and what their a and b are.  Plain integers: the loop compares them at every step.
LOCAL_GET: Final = 0  # place from fp
CONST: Final = 1  # slot
BINARY: Final = 2  # Python meaning
LOCAL_SET: Final = 3  # place from fp
LOCAL_TEE: Final = 4  # place from fp
BR_IF: Final = 5  # Branch
LOAD: Final = 6  # Op, byte offset
STORE: Final = 7  # Op, byte offset
UNARY: Final = 8  # Python meaning
NOP: Final = 9  # none is left when the translation is done
BR: Final = 10  # Branch
IF: Final = 11  # index to go to where the operand is 0
JUMP: Final = 12  # index to go to
LOOP: Final = 13  # charge
CALL: Final = 14  # index in the module's function space
RETURN: Final = 15
CHECKED: Final = 16  # Python meaning, tag index
GLOBAL_GET: Final = 17  # index
GLOBAL_SET: Final = 18  # index
DROP: Final = 19
PURE: Final = 20  # (Python meaning, number of operands), immediates
BR_TABLE: Final = 21  # Branches, the default one last
CALL_INDIRECT: Final = 22  # FuncType, table index
THROW: Final = 23  # tag index
UNREACHABLE: Final = 24
BULK: Final = 25  # Op, immediates
STATE: Final = 26  # Op, immediates


class Branch(NamedTuple):
    """Where a branch goes: a step's index; how many operands it takes along; their place from fp there; what a latch
    charges.
    """

    target: int
    arity: int
    place: int
    cost: int = 0
    test: bool = False


@record
class Code:
    """A function as steps.  offsets: of each step in the body; at: index of a step by its offset; handlers: what
    catches exceptions; catches: the branch that an exception takes, by its target's key.
    """

    function: FunctionInstance
    steps: tuple[Step, ...]
    offsets: tuple[int, ...]
    at: dict[int, int]
    layout: FrameLayout
    charges: Charges
    handlers: Handlers
    catches: dict[int, Branch]


def code_of(function: FunctionInstance) -> Code:
    """The function's steps, made at its first call."""
    code = function.code
    if code is None:
        assert function.instance is not None
        checked = function.instance.module.function(function.index)
        code = function.code = _Translator(function, checked).run()
        function.instance.module.release(function.index)
    assert isinstance(code, Code)
    return code


_BY_NAME = {
    "nop": NOP,
    "block": NOP,
    "try_table": NOP,
    "end": NOP,
    "drop": DROP,
    "unreachable": UNREACHABLE,
    "return": RETURN,
    "call": CALL,
    "throw": THROW,
    "global.get": GLOBAL_GET,
    "global.set": GLOBAL_SET,
}
_LOCALS = {"local.get": LOCAL_GET, "local.set": LOCAL_SET, "local.tee": LOCAL_TEE}
_OPERANDS = {"select": 3, "select_typed": 3, "ref.is_null": 1}
_BULK = frozenset(("memory.init", "table.init", "table.copy", "table.fill"))


class _Translator:
    def __init__(self, function: FunctionInstance, checked: ValidFunction) -> None:
        self.function = function
        self.checked = checked
        self.layout = layout_of(checked)
        self.charges = charges_of(checked)
        blocks = checked.blocks.values()
        self.else_ends = {block.otherwise: block.end + 1 for block in blocks if block.otherwise is not None}

    def run(self) -> Code:
        code = self.checked.code
        steps = [self.step(at, item) for at, item in enumerate(code)]
        steps[-1] = (RETURN, None, None)
        for at in range(len(steps) - 2, -1, -1):
            if steps[at][0] == NOP:  # what costs no fuel must take no time: a body may have a million of them
                steps[at] = steps[at + 1] if steps[at + 1][0] == JUMP else (JUMP, at + 1, None)
        offsets = tuple(item.offset for item in code)
        tries = tries_of(self.checked)
        catches = {key: self.branch(key) for item in tries for _, key in item.catches}
        assert self.function.instance is not None
        return Code(
            self.function,
            tuple(steps),
            offsets,
            {offset: at for at, offset in enumerate(offsets)},
            self.layout,
            self.charges,
            Handlers(tries, self.function.instance.tags),
            catches,
        )

    def branch(self, key: int) -> Branch:
        block = self.checked.blocks[key]
        arity = len(block.branch_types)
        place = self.layout.first_operand + block.height
        if block.kind == "loop":
            charge = self.charges.loops[key]
            return Branch(block.start + 1, arity, place, charge.cost, charge.test)
        return Branch(block.end if key == FUNCTION else block.end + 1, arity, place)

    def step(self, at: int, item: Instruction) -> Step:
        op, args, _ = item
        name = op.name
        if name in _LOCALS:
            return _LOCALS[name], self.layout.local(args[0]), None
        if name in _BY_NAME:
            return _BY_NAME[name], *((*args, None, None))[:2]
        if name in ("br", "br_if"):
            return (BR if name == "br" else BR_IF), self.branch(self.checked.targets[at][0]), None
        if name == "br_table":
            return BR_TABLE, tuple(map(self.branch, self.checked.targets[at])), None
        if name == "loop":
            cost = self.charges.loops[at].cost
            return (LOOP, cost, None) if cost else (NOP, None, None)
        if name == "if":
            block = self.checked.blocks[at]
            return IF, (block.end if block.otherwise is None else block.otherwise) + 1, None
        if name == "else":
            return JUMP, self.else_ends[at], None
        if name == "call_indirect":
            assert self.function.instance is not None
            return CALL_INDIRECT, self.function.instance.module.context.types[args[0]], args[1]
        if op.form in (Form.LOAD, Form.STORE):
            return (LOAD if op.form is Form.LOAD else STORE), op, args[1]
        if op.form is Form.BULK or name in _BULK:
            return BULK, op, args
        if op.form is Form.CHECKED:
            return CHECKED, op.python, args[0]
        if op.form is Form.NAMED:
            return STATE, op, args
        return self.pure(item)

    def pure(self, item: Instruction) -> Step:
        op, args, _ = item
        assert op.python is not None
        if op.name == "ref.null" or op.params == ():
            return CONST, op.python(*args), None
        if op.params is not None and op.results is not None and not args and len(op.results) == 1:
            if len(op.params) == 1:
                return UNARY, op.python, None
            if len(op.params) == 2:
                return BINARY, op.python, None
        count = len(op.params) if op.params is not None else _OPERANDS[op.name]
        return PURE, (op.python, count), args
