"""Function bodies: typed tree to instructions.

In: a `hir.Function`. Out: the bytes of its body, its locals, its line entries. Operands are pushed in the order of the
tree, so evaluation order is the tree's.

Invariant: each statement leaves the operand stack as it found it, also inside an expression (`hir.Let`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from krait.check import hir
from krait.check.types import NEVER, ClassType, GlobalVar, Local, Type, resolve
from krait.emit.layout import DESCRIPTOR, load_instruction, size_of, store_instruction, value_type
from krait.emit.shared import EXCEPTION_TAG, OVERFLOW_TAG, Shared
from svm import isa
from svm.module import CodeBuilder

_NAME_IN_DESCRIPTOR = 8


@dataclass(slots=True)
class Body:
    """What a function consists of: local types in order without the parameters, the body's bytes, its line entries."""

    locals: list[isa.ValueType]
    names: list[str]
    code: bytes
    lines: tuple[tuple[int, int, int], ...]


def emit_body(shared: Shared, function: hir.Function) -> Body:
    """Return the body of a function."""
    return _BodyEmitter(shared, function).run()


class _BodyEmitter:
    def __init__(self, shared: Shared, function: hir.Function) -> None:
        self.shared = shared
        self.function = function
        self.code = CodeBuilder()
        self.file = shared.file_index(function.module.filename)
        self.line_now = 0
        self.indices: dict[Local, int] = {}
        self.flags: dict[Local, int] = {}
        self.types: list[isa.ValueType] = []
        self.names: list[str] = []
        self.param_count = 0
        self.depth = 0
        self.labels: dict[hir.LoopLabel, tuple[int, int]] = {}
        self.scratch: int | None = None

    def run(self) -> Body:
        for param in self.function.params:
            if value_type(_type_of(param)) is not None:
                self.indices[param] = self.param_count
                self.param_count += 1
        if self.function.line:
            self.mark(self.function.line)
        self.block(self.function.body)
        if value_type(self.function.result) is not None:
            self.code("unreachable")
        code, lines = self.code.finish()
        return Body(self.types, self.names, code, lines)

    # --- locals, lines, labels -------------------------------------------------------------------------------------

    def new_local(self, t: isa.ValueType, name: str) -> int:
        self.types.append(t)
        self.names.append(name)
        return self.param_count + len(self.types) - 1

    def local(self, local: Local) -> int:
        index = self.indices.get(local)
        if index is None:
            t = value_type(_type_of(local))
            assert t is not None, f"{local.name} has no values"
            index = self.indices[local] = self.new_local(t, local.name)
        return index

    def flag(self, local: Local) -> int:
        index = self.flags.get(local)
        if index is None:
            index = self.flags[local] = self.new_local(isa.I32, f"{local.name} is bound")
        return index

    def mark(self, line: int) -> None:
        """What follows belongs to this source line."""
        if line and line != self.line_now:
            self.line_now = line
            self.code.line(self.file, line)

    def open(self, name: str, kind: isa.ValueType | None = None) -> int:
        """Begin a block and return its depth, for branches to it."""
        self.code(name, kind)
        self.depth += 1
        return self.depth

    def close(self) -> None:
        self.code("end")
        self.depth -= 1

    def branch(self, name: str, depth: int) -> None:
        self.code(name, self.depth - depth)

    # --- statements ------------------------------------------------------------------------------------------------

    def block(self, statements: Sequence[hir.Stmt]) -> None:
        for statement in statements:
            self.mark(statement.line)
            _STATEMENTS[type(statement)](self, statement)

    def assign(self, node: hir.Assign) -> None:
        self.expr(node.value)
        if value_type(_type_of(node.local)) is not None:
            self.code("local.set", self.local(node.local))
        if node.local.needs_flag:
            self.code("i32.const", 1)
            self.code("local.set", self.flag(node.local))

    def global_set(self, node: hir.GlobalSet) -> None:
        self.expr(node.value)
        self.code("global.set", self.shared.global_index(node.var))
        self.bind_global(node.var)

    def bind(self, node: hir.Bind) -> None:
        self.bind_global(node.var)

    def bind_global(self, var: GlobalVar) -> None:
        if var.needs_flag:
            self.code("i32.const", 1)
            self.code("global.set", self.shared.flag_index(var))

    def field_set(self, node: hir.FieldSet) -> None:
        offset, t = self.field(node.object, node.name)
        self.expr(node.object)
        self.expr(node.value)
        name, align = store_instruction(t)
        self.code(name, align, offset)

    def store(self, node: hir.Store) -> None:
        self.expr(node.address)
        self.expr(node.value)
        name, align = store_instruction(node.of)
        self.code(name, align, node.offset)

    def evaluate(self, node: hir.Evaluate) -> None:
        self.expr(node.value)
        if value_type(node.value.type) is not None:
            self.code("drop")

    def if_(self, node: hir.If) -> None:
        self.expr(node.test)
        then, orelse = node.then, node.orelse
        if not then:
            self.code("i32.eqz")
            then, orelse = orelse, []
        self.open("if")
        self.block(then)
        if orelse:
            self.code("else")
            self.block(orelse)
        self.close()

    def while_(self, node: hir.While) -> None:
        leave = self.open("block")
        exhausted = self.open("block") if node.orelse else leave
        again = self.open("loop")
        self.labels[node.label] = (leave, again)
        if node.test is not None:
            self.expr(node.test)
            self.code("i32.eqz")
            self.branch("br_if", exhausted)
        self.block(node.body)
        self.branch("br", again)
        self.close()
        if node.orelse:
            self.close()
            self.block(node.orelse)
        self.close()

    def for_range(self, node: hir.ForRange) -> None:
        """The target is the counter: a body never assigns to it."""
        counter = self.local(node.target)
        step = node.step.value if isinstance(node.step, hir.Const) else None
        self.expr(node.start)
        self.code("local.set", counter)
        stop = self.kept(node.stop)
        if step in (1, -1):
            self.counted(node, counter, stop, int(step))
        else:
            self.strided(node, counter, stop, self.kept(node.step))

    def kept(self, value: hir.Expr) -> tuple[str, int]:
        """Evaluate an int now and return the instruction that gives it again."""
        if isinstance(value, hir.Const):
            assert isinstance(value.value, int)
            return "i64.const", value.value
        self.expr(value)
        index = self.new_local(isa.I64, "$")
        self.code("local.set", index)
        return "local.get", index

    def counted(self, node: hir.ForRange, counter: int, stop: tuple[str, int], step: int) -> None:
        """Steps of one: the counter meets the bound exactly, so it cannot overflow."""

        def test(exhausted: int) -> None:
            self.code("local.get", counter)
            self.code(*stop)
            self.code("i64.ge_s" if step > 0 else "i64.le_s")
            self.branch("br_if", exhausted)

        self.loop(node, test, lambda: self.add(counter, ("i64.const", step)))

    def strided(self, node: hir.ForRange, counter: int, stop: tuple[str, int], step: tuple[str, int]) -> None:
        """Other steps: how many rounds there are is computed first, for the counter may pass the bound and overflow."""
        left = self.new_local(isa.I64, "$")
        self.code(*step)
        self.code("i64.const", 0)
        self.code("i64.gt_s")
        self.open("if", isa.I64)
        self.range_length(("local.get", counter), stop, lambda: self.code(*step))
        self.code("else")
        self.range_length(stop, ("local.get", counter), lambda: self.negated(step))
        self.close()
        self.code("local.set", left)

        def test(exhausted: int) -> None:
            self.code("local.get", left)
            self.code("i64.eqz")
            self.branch("br_if", exhausted)

        def advance() -> None:
            self.add(left, ("i64.const", -1))
            self.add(counter, step)

        self.loop(node, test, advance)

    def negated(self, value: tuple[str, int]) -> None:
        self.code("i64.const", 0)
        self.code(*value)
        self.code("i64.sub")

    def range_length(self, low: tuple[str, int], high: tuple[str, int], step: Callable[[], None]) -> None:
        """Push (high - low - 1) / step + 1, unsigned, or 0 if low is not below high."""
        self.code(*low)
        self.code(*high)
        self.code("i64.lt_s")
        self.open("if", isa.I64)
        self.code(*high)
        self.code(*low)
        self.code("i64.sub")
        self.code("i64.const", 1)
        self.code("i64.sub")
        step()
        self.code("i64.div_u")
        self.code("i64.const", 1)
        self.code("i64.add")
        self.code("else")
        self.code("i64.const", 0)
        self.close()

    def add(self, local: int, amount: tuple[str, int]) -> None:
        self.code("local.get", local)
        self.code(*amount)
        self.code("i64.add")
        self.code("local.set", local)

    def loop(self, node: hir.ForRange, test: Callable[[int], None], advance: Callable[[], None]) -> None:
        leave = self.open("block")
        exhausted = self.open("block") if node.orelse else leave
        again = self.open("loop")
        test(exhausted)
        proceed = self.open("block")
        self.labels[node.label] = (leave, proceed)
        self.block(node.body)
        self.close()
        advance()
        self.branch("br", again)
        self.close()
        if node.orelse:
            self.close()
            self.block(node.orelse)
        self.close()

    def break_(self, node: hir.Break) -> None:
        self.branch("br", self.labels[node.label][0])

    def continue_(self, node: hir.Continue) -> None:
        self.branch("br", self.labels[node.label][1])

    def return_(self, node: hir.Return) -> None:
        if node.value is not None:
            self.expr(node.value)
        self.code("return")

    def raise_(self, node: hir.Raise) -> None:
        self.expr(node.value)
        self.mark(node.line)
        self.code("throw", EXCEPTION_TAG)

    def handle(self, node: hir.Handle) -> None:
        """The overflow of checked arithmetic arrives without an object; it gets one here."""
        done = self.open("block")
        caught = self.open("block", isa.I32)
        overflow = self.open("block")
        self.code("try_table", None, (("catch", EXCEPTION_TAG, self.depth - caught),
                                      ("catch", OVERFLOW_TAG, self.depth - overflow)))  # fmt: skip
        self.depth += 1
        self.block(node.body)
        self.close()
        self.branch("br", done)
        self.close()
        self.code("call", self.shared.function_index(self.shared.program.support.integer_overflow))
        self.close()
        self.code("local.set", self.local(node.caught))
        self.block(node.handler)
        self.close()

    def trap(self, node: hir.Trap) -> None:
        self.code("unreachable")

    # --- expressions -----------------------------------------------------------------------------------------------

    def expr(self, node: hir.Expr) -> None:
        _EXPRESSIONS[type(node)](self, node)

    def const(self, node: hir.Const) -> None:
        t = value_type(node.type)
        if t is isa.I64:
            self.code("i64.const", node.value or 0)
        elif t is isa.F64 or t is isa.F32:
            self.code(f"{t}.const", float(node.value) if node.value is not None else 0.0)
        elif t is isa.I32:
            self.code("i32.const", int(node.value or 0))

    def text(self, node: hir.Text) -> None:
        self.code("i32.const", self.shared.statics.text(node.value))

    def data(self, node: hir.Data) -> None:
        self.code("i32.const", self.shared.statics.data(node.value))

    def local_get(self, node: hir.LocalGet) -> None:
        if node.checked:
            self.code("local.get", self.flag(node.local))
            self.unless("UnboundLocalError", node.line,
                        f"cannot access local variable '{node.local.name}' where it is not associated with a value")
        if value_type(_type_of(node.local)) is not None:
            self.code("local.get", self.local(node.local))

    def global_get(self, node: hir.GlobalGet) -> None:
        if node.checked:
            self.code("global.get", self.shared.flag_index(node.var))
            self.unless("NameError", node.line, f"name '{node.var.name}' is not defined")
        if value_type(node.type) is not None:
            self.code("global.get", self.shared.global_index(node.var))

    def unless(self, exception: str, line: int, message: str) -> None:
        """Raise an exception if the bool on the stack is false."""
        self.code("i32.eqz")
        self.open("if")
        self.code("i32.const", self.shared.statics.text(message))
        self.mark(line)
        self.code("call", self.shared.raiser_index(exception))
        self.code("unreachable")
        self.close()

    def op(self, node: hir.Op) -> None:
        for arg in node.args:
            self.expr(arg)
        if node.op.endswith("_throw"):
            self.code(node.op, OVERFLOW_TAG)
        else:
            self.code(node.op)

    def call(self, node: hir.Call) -> None:
        for arg in node.args:
            self.expr(arg)
        line = self.line_now
        self.mark(node.line)
        callee = node.callee.resolved()
        self.code("call", self.shared.virtual_index(callee) if node.virtual else self.shared.function_index(callee))
        if resolve(node.type) is NEVER:
            self.code("unreachable")
        self.mark(line)

    def field(self, owner: hir.Expr, name: str) -> tuple[int, Type]:
        """Return the offset and type of a field of what ``owner`` gives."""
        cls = resolve(owner.type)
        assert isinstance(cls, ClassType)
        layout = self.shared.layout(cls)
        return layout.offsets[name], layout.types[name]

    def field_get(self, node: hir.FieldGet) -> None:
        offset, t = self.field(node.object, node.name)
        self.expr(node.object)
        name, align = load_instruction(t)
        self.code(name, align, offset)

    def new(self, node: hir.New) -> None:
        cls = resolve(node.type)
        assert isinstance(cls, ClassType)
        self.code("i32.const", self.shared.layout(cls).size)
        if node.extra is not None:
            self.expr(node.extra)
            self.code("i32.add")
        line = self.line_now
        self.mark(node.line)
        self.code("call", self.shared.function_index(self.shared.program.support.allocate))
        self.mark(line)
        if self.scratch is None:
            self.scratch = self.new_local(isa.I32, "$")
        self.code("local.tee", self.scratch)
        self.code("i32.const", self.shared.ids.of(cls))
        self.code("i32.store", 2, 0)
        self.code("local.get", self.scratch)

    def conditional(self, node: hir.Conditional) -> None:
        self.expr(node.test)
        self.open("if", value_type(node.type))
        self.expr(node.then)
        if value_type(node.type) is not None or not isinstance(node.orelse, hir.Const):
            self.code("else")
            self.expr(node.orelse)
        self.close()

    def let(self, node: hir.Let) -> None:
        self.block(node.body)
        self.expr(node.value)

    def load(self, node: hir.Load) -> None:
        self.expr(node.address)
        name, align = load_instruction(node.type)
        self.code(name, align, node.offset)

    def size_of(self, node: hir.SizeOf) -> None:
        self.code("i32.const", size_of(node.of))

    def runs_as_program(self, node: hir.RunsAsProgram) -> None:
        self.code("global.get", self.shared.program_index)

    def heap_base(self, node: hir.HeapBase) -> None:
        self.code("global.get", self.shared.heap_base_index)

    def cast(self, node: hir.Cast) -> None:
        self.expr(node.value)
        if resolve(node.value.type) is NEVER:
            self.code("unreachable")

    def is_instance(self, node: hir.IsInstance) -> None:
        self.expr(node.object)
        self.code("i32.load", 2, 0)
        cls = resolve(node.cls)
        assert isinstance(cls, ClassType)
        first, count = self.shared.ids.range_of(cls)
        self.code("i32.const", first)
        if count == 1:
            self.code("i32.eq")
            return
        self.code("i32.sub")
        self.code("i32.const", count)
        self.code("i32.lt_u")

    def type_name(self, node: hir.TypeName) -> None:
        self.expr(node.object)
        self.code("i32.load", 2, 0)
        self.code("i32.const", DESCRIPTOR)
        self.code("i32.mul")
        self.code("i32.load", 2, self.shared.statics.descriptors + _NAME_IN_DESCRIPTOR)


def _type_of(local: Local) -> Type:
    assert local.type is not None, f"{local.name} has no type"
    return local.type


_STATEMENTS: dict[type[hir.Stmt], Callable[[_BodyEmitter, Any], None]] = {
    hir.Assign: _BodyEmitter.assign,
    hir.GlobalSet: _BodyEmitter.global_set,
    hir.Bind: _BodyEmitter.bind,
    hir.FieldSet: _BodyEmitter.field_set,
    hir.Store: _BodyEmitter.store,
    hir.Evaluate: _BodyEmitter.evaluate,
    hir.If: _BodyEmitter.if_,
    hir.While: _BodyEmitter.while_,
    hir.ForRange: _BodyEmitter.for_range,
    hir.Break: _BodyEmitter.break_,
    hir.Continue: _BodyEmitter.continue_,
    hir.Return: _BodyEmitter.return_,
    hir.Raise: _BodyEmitter.raise_,
    hir.Handle: _BodyEmitter.handle,
    hir.Trap: _BodyEmitter.trap,
}
_EXPRESSIONS: dict[type[hir.Expr], Callable[[_BodyEmitter, Any], None]] = {
    hir.Const: _BodyEmitter.const,
    hir.Text: _BodyEmitter.text,
    hir.Data: _BodyEmitter.data,
    hir.LocalGet: _BodyEmitter.local_get,
    hir.GlobalGet: _BodyEmitter.global_get,
    hir.Op: _BodyEmitter.op,
    hir.Call: _BodyEmitter.call,
    hir.FieldGet: _BodyEmitter.field_get,
    hir.New: _BodyEmitter.new,
    hir.Conditional: _BodyEmitter.conditional,
    hir.Let: _BodyEmitter.let,
    hir.Load: _BodyEmitter.load,
    hir.SizeOf: _BodyEmitter.size_of,
    hir.HeapBase: _BodyEmitter.heap_base,
    hir.RunsAsProgram: _BodyEmitter.runs_as_program,
    hir.Cast: _BodyEmitter.cast,
    hir.IsInstance: _BodyEmitter.is_instance,
    hir.TypeName: _BodyEmitter.type_name,
}
