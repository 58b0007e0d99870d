"""Exceptions that compiled code throws, and catches itself where it can.

A `throw` inside a `try_table` that takes it is a branch.  Any other leaves, its operands written to the frame, with the
status THROWN and, in the context, the number of its tag and where its values lie; a caller that was called inside a
`try_table` which takes the tag goes on there, and others pass it on.  Where it comes to the interpreter it becomes an
exception like those that the interpreter throws, which the driver unwinds.
"""

from __future__ import annotations

from svm.engines.native.context import Exit, Field, status_of
from svm.engines.native.jit.writer import FunctionWriter, Operand

__all__ = ["catch", "throw"]


def throw(t: FunctionWriter, tag: int) -> None:
    """The instruction."""
    number = t.around.tags[tag]
    for caught, key in _catches(t):
        if caught in (number, None):
            if caught is None:
                t.drop_to(len(t.stack) - len(t.around.context.tags[tag].params))
            t.branch(key)
            return
    _set(t, Field.TAG, str(number))
    values = t.slot(t.operand_slot(len(t.stack) - len(t.around.context.tags[tag].params)))
    _set(t, Field.VALUES, t.let(f"ptrtoint ptr {values} to i64"))
    t.leave(Exit.THROWN, t.sites[t.offset], 0, t.stack)
    t.reachable = False


def catch(t: FunctionWriter, status: str) -> None:
    """After a call that gave a status: on at what catches it, if it was thrown and something here does."""
    catches = _catches(t)
    if not catches:
        return
    name = t.name()
    thrown = t.let(f"icmp eq i64 {status}, {status_of(Exit.THROWN)}")
    t.do(f"br i1 {thrown}, label %thrown{name}, label %pass{name}")
    t.label(f"thrown{name}")
    tag = t.context(Field.TAG, "i64")
    for at, (number, key) in enumerate(catches):
        if number is None:
            t.do(f"br label %catch{name}.{at}")
        else:
            same = t.let(f"icmp eq i64 {tag}, {number}")
            t.do(f"br i1 {same}, label %catch{name}.{at}, label %other{name}.{at}")
        t.label(f"catch{name}.{at}")
        _go_on(t, key)
        t.label(f"other{name}.{at}")
    t.do(f"br label %pass{name}")
    t.label(f"pass{name}")


def _go_on(t: FunctionWriter, key: int) -> None:
    """With the values of what was thrown, at the label of a handler."""
    t.write("%fuel", "i64", t.context(Field.FUEL, "i64"))
    t.load_size()
    values, below = t.context(Field.VALUES), list(t.stack)
    for at, kind in enumerate(t.function.blocks[key].branch_types):
        t.stack.append(Operand(t.load_slot(at, kind, values), kind))
    t.branch(key)
    t.stack[:] = below
    t.reachable = True


def _catches(t: FunctionWriter) -> list[tuple[int | None, int]]:
    """Number of the tag, None for any, and label of what catches an exception of the running instruction; those that
    are asked first come first.
    """
    found: dict[int | None, int] = {}
    for control in reversed(t.controls):
        for tag, key in control.block.catches if control.block.kind == "try_table" else ():
            found.setdefault(None if tag is None else t.around.tags[tag], key)
            if tag is None:
                return list(found.items())
    return list(found.items())


def _set(t: FunctionWriter, field: int, value: str) -> None:
    place = t.let(f"getelementptr i8, ptr %ctx, i64 {int(field)}")
    t.do(f"store i64 {value}, ptr {place}, align 8, !tbaa !3")
