"""New objects, and what is kept on the shadow stack while the collector may run.

In: nodes that make objects, and calls that may. Out: code that takes a cell from its size class in line, and calls the
library where there is none; around such calls the references that are read later are on the shadow stack, and nowhere
else does anything happen to it. An object does not move, so nothing is read back.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.types import ClassType, Instance, resolve
from krait.emit.emitter import BodyEmitter, emits
from krait.emit.layout import HEADER, item_layout
from krait.emit.statics import STACK_END
from svm import isa

_CLASS_ENTRY = 16
_LARGEST_INLINE = 128
"""Up to here there is a size class for every multiple of 8."""
_LEAST = 16


def call_function(out: BodyEmitter, index: int, roots: list[int]) -> None:
    """Call a function whose arguments are on the operand stack, with some locals on the shadow stack."""
    base = push_roots(out, roots)
    out.code("call", index)
    pop_roots(out, base)


def push_roots(out: BodyEmitter, roots: list[int]) -> int | None:
    """Put locals on the shadow stack; return the local that has its height before, for `pop_roots`."""
    if not roots:
        return None
    base = out.take(isa.I32)
    out.code("global.get", out.shared.stack_index)
    out.code("local.tee", base)
    out.code("i32.const", STACK_END - 4 * len(roots))
    out.code("i32.gt_u")
    out.open("if")
    out.code("unreachable")
    out.close()
    for at, index in enumerate(roots):
        out.code("local.get", base)
        out.code("local.get", index)
        out.code("i32.store", 2, 4 * at)
    out.code("local.get", base)
    out.code("i32.const", 4 * len(roots))
    out.code("i32.add")
    out.code("global.set", out.shared.stack_index)
    return base


def pop_roots(out: BodyEmitter, base: int | None) -> None:
    """Take the locals off the shadow stack again."""
    if base is not None:
        out.code("local.get", base)
        out.code("global.set", out.shared.stack_index)
        out.leave([base])


@emits(hir.New)
def new(out: BodyEmitter, node: hir.New) -> None:
    """Push a new object."""
    cls = resolve(node.type)
    assert isinstance(cls, ClassType)
    size = max(out.shared.layout(cls).size + 7 & ~7, _LEAST)
    made = out.take(isa.I32)
    if node.extra is None and size <= _LARGEST_INLINE:
        _take_cell(out, node, size, made)
    else:
        room = out.take(isa.I32)
        out.code("i32.const", out.shared.layout(cls).size)
        if node.extra is not None:
            out.expr(node.extra)
            out.code("i32.add")
        out.code("local.set", room)
        _take_room(out, room, (room, _LARGEST_INLINE), made)
        out.code("local.get", room)
        _call(out, node, out.shared.program.support.allocate)
        out.code("local.set", made)
        out.close()
        out.leave([room])
    out.code("local.get", made)
    out.code("i32.const", out.shared.ids.of(cls))
    out.code("i32.store", 2, 0)
    out.code("local.get", made)
    out.leave([made])


def _take_room(out: BodyEmitter, size: int, bound: tuple[int, int], made: int) -> None:
    """Set a local to a cell with room for as many bytes as another one says, where a third is not above its bound.

    What follows, up to the end of the block, is for the other cases. Of the sizes below `_LEAST` there are no cells.
    """
    classes = out.shared.statics.size_classes
    entry, following = out.take(isa.I32), out.take(isa.I32)
    done = out.open("block")
    other = out.open("block")
    out.code("local.get", bound[0])
    out.code("i32.const", bound[1])
    out.code("i32.gt_u")
    out.branch("br_if", other)
    out.code("local.get", size)
    out.code("i32.const", 7)
    out.code("i32.add")
    out.code("i32.const", -8)
    out.code("i32.and")
    out.code("local.tee", following)
    out.code("i32.const", 1)
    out.code("i32.shl")
    out.code("local.tee", entry)
    out.code("i32.load", 2, classes)
    out.code("local.tee", made)
    out.code("local.get", following)
    out.code("i32.add")
    out.code("local.tee", following)
    out.code("local.get", entry)
    out.code("i32.load", 2, classes + 4)
    out.code("i32.gt_u")
    out.branch("br_if", other)
    out.code("local.get", entry)
    out.code("local.get", following)
    out.code("i32.store", 2, classes)
    out.branch("br", done)
    out.close()
    out.leave([entry, following])


def _take_cell(out: BodyEmitter, node: hir.New, size: int, made: int) -> None:
    """Set a local to the next cell of a size class."""
    entry = out.shared.statics.size_classes + size // 8 * _CLASS_ENTRY
    following = out.take(isa.I32)
    out.code("i32.const", 0)
    out.code("i32.load", 2, entry)
    out.code("local.tee", made)
    out.code("i32.const", size)
    out.code("i32.add")
    out.code("local.tee", following)
    out.code("i32.const", 0)
    out.code("i32.load", 2, entry + 4)
    out.code("i32.gt_u")
    out.open("if")
    out.code("i32.const", size)
    _call(out, node, out.shared.program.support.refill)
    out.code("local.set", made)
    out.code("else")
    out.code("i32.const", 0)
    out.code("local.get", following)
    out.code("i32.store", 2, entry)
    out.close()
    out.leave([following])


@emits(hir.NewItems)
def new_items(out: BodyEmitter, node: hir.NewItems) -> None:
    """Push the address of new items."""
    layout = item_layout(node.of)
    type_id = out.shared.ids.of_items(layout)
    count, size, made = out.take(isa.I32), out.take(isa.I32), out.take(isa.I32)
    out.expr(node.count)
    out.code("local.tee", count)
    out.code("i32.const", layout.size)
    out.code("i32.mul")
    out.code("i32.const", HEADER)
    out.code("i32.add")
    out.code("local.set", size)
    finished = out.open("block")
    _take_room(out, size, (count, (_LARGEST_INLINE - HEADER) // layout.size), made)
    out.code("i32.const", type_id)
    out.code("i32.const", layout.size)
    out.code("local.get", count)
    _call(out, node, out.shared.program.support.allocate_items)
    out.code("local.set", made)
    out.branch("br", finished)
    out.close()
    out.code("local.get", made)
    out.code("i32.const", type_id)
    out.code("i32.store", 2, 0)
    out.code("local.get", made)
    out.code("i32.const", HEADER)
    out.code("i32.add")
    out.code("local.set", made)
    out.close()
    out.code("local.get", made)
    out.leave([count, size, made])


def _call(out: BodyEmitter, node: hir.New | hir.NewItems, callee: Instance) -> None:
    line = out.line_now
    out.mark(node.line)
    call_function(out, out.shared.function_index(callee), out.roots(node))
    out.mark(line)


@emits(hir.MarkGlobals)
def mark_globals(out: BodyEmitter, node: hir.MarkGlobals) -> None:
    """Call the function that marks what the modules' variables refer to."""
    out.code("call", out.shared.marker_index())
