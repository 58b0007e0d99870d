"""Variables that functions share, kept in cells.

In: locals that `captures` has found to need one. Out: the objects that hold them, and reads and writes that go there.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.coerce import negate
from krait.check.context import Context
from krait.check.types import BOOL, ClassDecl, ClassType, GlobalVar, Infer, Local, Type
from krait.check.unification import unify
from krait.check.world import World


def cell_type(world: World, item: Type) -> ClassType:
    """Return the type of cells that hold values of the type ``item``."""
    decl = world.library_symbol("krait.function", "Cell")
    assert isinstance(decl, ClassDecl)
    return ClassType(decl, (item,))


def make_cell(ctx: Context, local: Local) -> None:
    """Emit the making of the cell of a variable; it has no value yet."""
    t = cell_type(ctx.world, Infer())
    local.cell = ctx.temp(t)
    ctx.emit(hir.Assign(0, local.cell, hir.New(t, None, ctx.line)))


def read_local(ctx: Context, local: Local, line: int) -> hir.Expr:
    """Return the value of a variable that has a type; where it may have none, that is asked at run time."""
    assert local.type is not None
    checked = not ctx.flow.is_bound(local)
    if local.cell is None:
        local.needs_flag = local.needs_flag or checked
        return hir.LocalGet(local.type, local, checked, line)
    cell = _cell_of(local, local.type)
    value = hir.FieldGet(local.type, cell, "value")
    if not checked:
        return value
    span = ctx.span_of_line(line)
    if local.captured:
        missing = "where it is not associated with a value in enclosing scope"
        message = f"cannot access free variable '{local.name}' {missing}"
        failed = ctx.raising("NameError", message, span)
    else:
        failed = [hir.RaiseUnbound(line, local.name)]
    return hir.Let(local.type, [hir.If(line, negate(hir.FieldGet(BOOL, cell, "bound")), failed, [])], value)


def write_local(ctx: Context, local: Local, value: hir.Expr) -> None:
    """Emit the assignment of a value of the variable's type."""
    if local.cell is None:
        ctx.emit(hir.Assign(ctx.line, local, value))
        return
    assert local.type is not None
    cell = _cell_of(local, local.type)
    ctx.emit(hir.FieldSet(ctx.line, cell, "value", value))
    ctx.emit(hir.FieldSet(ctx.line, cell, "bound", hir.Const(BOOL, True)))


def unbind(ctx: Context, variable: Local | GlobalVar) -> None:
    """Emit that a variable has no value any more."""
    if isinstance(variable, Local) and variable.cell is not None and variable.type is not None:
        ctx.emit(hir.FieldSet(ctx.line, _cell_of(variable, variable.type), "bound", hir.Const(BOOL, False)))
    else:
        ctx.emit(hir.Unbind(ctx.line, variable))
    ctx.flow = ctx.flow.unbind(variable)


def _cell_of(local: Local, item: Type) -> hir.Expr:
    assert local.cell is not None and isinstance(local.cell.type, ClassType)
    unify(local.cell.type.args[0], item)
    return hir.LocalGet(local.cell.type, local.cell)
