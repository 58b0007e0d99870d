"""Statements that neither branch nor loop: assignments, stores, the ends of functions, exceptions.

In: statements of the typed tree. Out: code that leaves the operand stack as it found it.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.types import GlobalVar
from krait.emit.emitter import BodyEmitter, emits, type_of
from krait.emit.layout import store_instruction, value_type
from krait.emit.objects import call_function
from krait.emit.shared import EXCEPTION_TAG, OVERFLOW_TAG
from krait.emit.values import field, operands, raise_error, unbound_message
from svm import isa


@emits(hir.Assign)
def assign(out: BodyEmitter, node: hir.Assign) -> None:
    """Set a local."""
    out.expr(node.value)
    if value_type(type_of(node.local)) is not None:
        out.code("local.set", out.local(node.local))
    if node.local.needs_flag:
        out.code("i32.const", 1)
        out.code("local.set", out.flag(node.local))


@emits(hir.GlobalSet)
def global_set(out: BodyEmitter, node: hir.GlobalSet) -> None:
    """Set a module's variable."""
    out.expr(node.value)
    out.code("global.set", out.shared.global_index(node.var))
    _bind(out, node.var)


@emits(hir.Bind)
def bind(out: BodyEmitter, node: hir.Bind) -> None:
    """Mark a module's variable as bound."""
    _bind(out, node.var)


@emits(hir.Unbind)
def unbind(out: BodyEmitter, node: hir.Unbind) -> None:
    """Mark a variable as unbound, if anything asks."""
    if node.variable.needs_flag:
        out.code("i32.const", 0)
        if isinstance(node.variable, GlobalVar):
            out.code("global.set", out.shared.flag_index(node.variable))
        else:
            out.code("local.set", out.flag(node.variable))


def _bind(out: BodyEmitter, var: GlobalVar) -> None:
    if var.needs_flag:
        out.code("i32.const", 1)
        out.code("global.set", out.shared.flag_index(var))


@emits(hir.FieldSet)
def field_set(out: BodyEmitter, node: hir.FieldSet) -> None:
    """Set a field."""
    offset, t = field(out, node.object, node.name)
    operands(out, [node.object, node.value])
    name, align = store_instruction(t)
    out.code(name, align, offset)


@emits(hir.Store)
def store(out: BodyEmitter, node: hir.Store) -> None:
    """Write to memory."""
    operands(out, [node.address, node.value])
    name, align = store_instruction(node.of)
    out.code(name, align, node.offset)


@emits(hir.Evaluate)
def evaluate(out: BodyEmitter, node: hir.Evaluate) -> None:
    """Evaluate an expression and drop its value."""
    out.expr(node.value)
    if value_type(node.value.type) is not None:
        out.code("drop")


@emits(hir.Return)
def return_(out: BodyEmitter, node: hir.Return) -> None:
    """Leave the function, or the code that stands in its place."""
    if node.value is not None:
        out.expr(node.value)
    if not out.inlined:
        out.code("return")
    elif node is not out.inlined[-1].tail:
        out.branch("br", out.inlined[-1].exit)


@emits(hir.Raise)
def raise_(out: BodyEmitter, node: hir.Raise) -> None:
    """Throw an exception object."""
    out.expr(node.value)
    out.mark(node.line)
    out.code("throw", EXCEPTION_TAG)


@emits(hir.RaiseUnbound)
def raise_unbound(out: BodyEmitter, node: hir.RaiseUnbound) -> None:
    """Raise UnboundLocalError."""
    raise_error(out, "UnboundLocalError", node, unbound_message(node.name))


@emits(hir.Handle)
def handle(out: BodyEmitter, node: hir.Handle) -> None:
    """The overflow of checked arithmetic arrives without an object; it gets one here."""
    height = _stack_height(out)
    done = out.open("block")
    caught = out.open("block", isa.I32)
    overflow = out.open("block")
    out.code("try_table", None, (("catch", EXCEPTION_TAG, out.depth - caught),
                                 ("catch", OVERFLOW_TAG, out.depth - overflow)))  # fmt: skip
    out.depth += 1
    out.block(node.body)
    out.close()
    out.branch("br", done)
    out.close()
    _restore(out, height)
    call_function(out, out.shared.function_index(out.shared.program.support.integer_overflow), out.roots(node))
    out.close()
    out.code("local.set", out.local(node.caught))
    _restore(out, height)
    out.block(node.handler)
    out.close()


def _restore(out: BodyEmitter, height: int) -> None:
    out.code("local.get", height)
    out.code("global.set", out.shared.stack_index)


def _stack_height(out: BodyEmitter) -> int:
    """Return a new local with the height of the shadow stack: what is thrown comes from deeper calls."""
    height = out.new_local(isa.I32, "$")
    out.code("global.get", out.shared.stack_index)
    out.code("local.set", height)
    return height


@emits(hir.Trap)
def trap(out: BodyEmitter, node: hir.Trap) -> None:
    """Stop the guest."""
    out.code("unreachable")
