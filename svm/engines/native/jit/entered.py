"""A function as it is entered at the start of a loop.

LLVM does little for a loop with a second way in, so each loop around the entered one is there twice: first what is
left of its body behind the loop inside, then, round its latch, the whole loop, entered at its start like any other.
With loops A around B around C, and C entered, there are three sections: C and the rest of B's body; B and the rest of
A's; A and the rest of the function.  They are written in this order.  What goes round a loop of another section goes to
its latch there, and what goes past its end to what follows the loop there.

Where that would be much code, loops farther out are not there again, only what follows them: what goes round such a
loop leaves to the interpreter, at its start.

Invariant: operands below a loop are in variables, of the same names in all sections.
"""

from __future__ import annotations

from collections.abc import Callable

from svm.engines.native.expand import LLVM_TYPES
from svm.engines.native.jit.compiled import CompilerError
from svm.engines.native.jit.control import INWARDS, finish, go_out, go_round, leave_loop, start_loop
from svm.engines.native.jit.frames import zero_of
from svm.engines.native.jit.versions import write_copy
from svm.engines.native.jit.writer import Control, FunctionWriter, Operand
from svm.module import ValidFunction
from svm.module.checked import FUNCTION

__all__ = ["entered_size", "write_entered"]

MOST_AGAIN = 3_000
"""Instructions of the loops around the entered one that are there again."""


def _loops_around(function: ValidFunction, loop: int) -> list[int]:
    """Keys of the loops from the outermost to one of them, which is the last."""
    keys: list[int] = []
    key = loop
    while key != FUNCTION:
        if function.blocks[key].kind == "loop":
            keys.append(key)
        key = function.blocks[key].parent
    return keys[::-1]


def entered_size(function: ValidFunction, loop: int) -> int:
    """Instructions of all sections."""
    loops = _loops_around(function, loop)
    first = loops[_first_whole(function, loops)]
    ends = [len(function.code), *(function.blocks[key].end for key in loops[:-1])]
    sizes = [end - (key if key >= first else function.blocks[key].end) for key, end in zip(loops, ends, strict=True)]
    return sum(sizes)


def _first_whole(function: ValidFunction, loops: list[int]) -> int:
    """Index of the outermost loop that is there again, in the list of them from the outermost to the entered one."""
    size, at = 0, len(loops) - 1
    while at and (size := size + function.blocks[loops[at - 1]].end - loops[at - 1]) <= MOST_AGAIN:
        at -= 1
    return at


def write_entered(writer: FunctionWriter, loop: int, write: Callable[[FunctionWriter, int, int], None]) -> None:
    """Write a function's text from the start of a loop on.  write: writes the instructions from an index to another."""
    loops = _loops_around(writer.function, loop)
    first_whole = _first_whole(writer.function, loops)
    controls, stacks = _before(writer, loops, write)
    around = {control.key: control for control in controls if control.key in stacks}
    section = 0
    for control in controls:
        control.section, control.otherwise = f".{section}", False
        if control.key in around:
            control.section = INWARDS
            section += 1
    for number in reversed(range(len(loops))):
        inner, outer = around[loops[number]], around[loops[number - 1]] if number else None
        writer.section = f".{number}"
        writer.controls = controls[: controls.index(inner)]
        writer.stack[:] = stacks[inner.key]
        writer.kept = len(writer.stack)
        if inner.key == loop:
            _load(writer, loop)
        elif inner.reached:
            (go_round if number >= first_whole else go_out)(writer, inner.key)
        again = inner.key == loop or (inner.reached and number >= first_whole)
        _begin(writer, inner, again=again)
        if again:
            write_copy(writer, inner.key, write)
        until = len(writer.function.code) if outer is None else outer.block.end
        write(writer, (inner.key if again else inner.block.end) + 1, until)
        if outer is not None and writer.reachable:
            leave_loop(writer, outer)


def _before(
    writer: FunctionWriter, loops: list[int], write: Callable[[FunctionWriter, int, int], None]
) -> tuple[list[Control], dict[int, list[Operand]]]:
    """The open blocks at the start of the entered loop, and the operands at the start of each around it.

    The way there is written, for only so is known where the operands are, and forgotten again.
    """
    out, cold = writer.out, writer.cold
    writer.out, writer.cold = [], []
    stacks: dict[int, list[Operand]] = {}
    at = 0
    for key in loops:
        write(writer, at, key + 1)
        stacks[key] = list(writer.stack)
        at = key + 1
    if not writer.reachable:
        raise CompilerError("control never comes to it")
    controls = list(writer.controls)
    for control in controls:
        control.reached = control.left = False
    writer.out, writer.cold = out, cold
    return controls, stacks


def _begin(writer: FunctionWriter, control: Control, *, again: bool) -> None:
    """Begin a section: at its loop's start, or behind its end."""
    writer.reachable = again
    if again:
        start_loop(writer, control.key)
        writer.controls[-1].left = control.left
    else:
        writer.controls.append(control)
        finish(writer)


def _load(writer: FunctionWriter, loop: int) -> None:
    """The frame's contents to variables."""
    live = writer.live[loop + 1]
    for index, type_ in enumerate(writer.function.locals):
        variable, kind = writer.local(index)
        alive = live >> index & 1
        value = writer.load_slot(writer.local_slot(index), type_) if alive else zero_of(type_)
        writer.write(variable, kind, value)
    for height, operand in enumerate(writer.stack):
        value = writer.load_slot(writer.operand_slot(height), operand.type)
        writer.write(operand.text, LLVM_TYPES[operand.type], value)
    writer.do(f"br label %{writer.entrance(loop)}")
