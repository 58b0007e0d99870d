"""What the bodies of one module share: indices of functions and globals, static data, layouts, source files.

In: the program. Out: indices, given when something is first asked for. Invariant: imported functions have the first
indices, then the program's, then those that the emitter itself makes.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.types import ClassType, GlobalVar, Instance, Primitive, resolve
from krait.emit.effects import Effects
from krait.emit.facts import Facts
from krait.emit.inline import Inliner
from krait.emit.layout import ItemLayout, ObjectLayout, TypeIds, is_reference, object_layout, value_type
from krait.emit.roots import Roots
from krait.emit.statics import STACK_START, Statics
from svm import isa
from svm.isa import FuncType
from svm.module import CodeBuilder, Global, GlobalType, constant

MARKER = "mark globals"
EXCEPTION_TAG = 0
"""The tag of exceptions: one i32, the address of the exception object."""
OVERFLOW_TAG = 1
"""The tag that checked arithmetic throws; it carries nothing."""


class Shared:
    """The state of the emission of one module."""

    def __init__(self, program: hir.Program, classes: list[ClassType], items: list[ItemLayout]) -> None:
        self.program = program
        self.ids = TypeIds([*classes, program.support.text], items)
        self._layouts: dict[ClassType, ObjectLayout] = {}
        self.statics = Statics(self.ids, program.support.text, self.layout(program.support.text))
        self.hosts = [instance for instance in program.functions if instance.decl.host is not None]
        self.own = [instance for instance in program.functions if instance.decl.host is None]
        self.functions = {instance: index for index, instance in enumerate([*self.hosts, *self.own])}
        self.extras: dict[str | Instance, int] = {}
        self.table: dict[int, int] = {}
        self.calls_through_table = False
        self.types: dict[FuncType, int] = {}
        self._alternatives: dict[Instance, list[tuple[Instance, ClassType]]] = {}
        self.inliner = Inliner(program.functions, self.is_open)
        self.roots = Roots(program.functions, self.callees)
        self.facts = Facts(self.inliner, self.roots)
        self.effects = Effects(program.functions, self.callees, program.makers)
        self.globals: list[Global] = []
        self.global_names: list[str] = []
        self._global_indices: dict[GlobalVar, int] = {}
        self._flag_indices: dict[GlobalVar, int] = {}
        self.files: dict[str, int] = {}
        self.heap_base_index = self._add_global(isa.I32, constant("i32.const", 0), "heap_base", mutable=False)

        self.program_index = self._add_global(isa.I32, constant("i32.const", 0), "runs as program")
        self.stack_index = self._add_global(isa.I32, constant("i32.const", STACK_START), "shadow stack")
        self.entry_index = self._add_global(isa.I32, constant("i32.const", STACK_START), "shadow stack at entry")
        self.begun_index = self._add_global(isa.I32, constant("i32.const", 0), "has begun")

    def layout(self, cls: ClassType) -> ObjectLayout:
        """Return the layout of the objects of a class."""
        found = self._layouts.get(cls)
        if found is None:
            found = self._layouts[cls] = object_layout(self.program.fields(cls))
        return found

    def function_index(self, instance: Instance) -> int:
        """Return the index of a function of the program."""
        return self.functions[instance]

    def table_index(self, instance: Instance) -> int:
        """Return the place of a function in the table of those that are called through values; 0 is nobody's."""
        return self.table.setdefault(self.function_index(instance), len(self.table) + 1)

    def type_index(self, params: Sequence[isa.ValueType], results: Sequence[isa.ValueType]) -> int:
        """Return the index of a type of functions."""
        return self.types.setdefault(FuncType(tuple(params), tuple(results)), len(self.types))

    def raiser_index(self, exception: str) -> int:
        """Return the index of the function that makes and throws an exception with the text it is given."""
        return self.extras.setdefault(exception, len(self.functions) + len(self.extras))

    def virtual_index(self, instance: Instance) -> int:
        """Return the index of the function that finds out which method a call of ``instance`` means, and calls it."""
        if not self.alternatives(instance):
            return self.function_index(instance)
        return self.extras.setdefault(instance, len(self.functions) + len(self.extras))

    def is_open(self, call: hir.Call) -> bool:
        """Return whether a call may mean one of several methods."""
        return call.virtual and bool(self.alternatives(call.callee.resolved()))

    def alternatives(self, instance: Instance) -> list[tuple[Instance, ClassType]]:
        """Return the methods that take the place of ``instance`` in classes that there are objects of."""
        found = self._alternatives.get(instance)
        if found is None:
            found = [(other, cls) for other, cls in self.program.overriders(instance) if self.ids.has(cls)]
            self._alternatives[instance] = found
        return found

    def callees(self, call: hir.Call) -> list[Instance]:
        """Return the functions that a call may mean."""
        callee = call.callee.resolved()
        return [callee, *(other for other, _ in self.alternatives(callee))] if call.virtual else [callee]

    def marker_index(self) -> int:
        """Return the index of the function that marks what the modules' variables refer to."""
        return self.extras.setdefault(MARKER, len(self.functions) + len(self.extras))

    def reference_globals(self) -> list[int]:
        """Return the indices of the globals that hold references."""
        return [index for var, index in self._global_indices.items() if var.type and is_reference(var.type)]

    def file_index(self, filename: str) -> int:
        """Return the index of a source file in the line table."""
        name = filename.encode("utf-8", "replace").decode()  # a file's name may be no text
        return self.files.setdefault(name, len(self.files))

    # --- globals ---------------------------------------------------------------------------------------------------

    def global_index(self, var: GlobalVar) -> int:
        """Return the index of the global that holds a variable of a module."""
        index = self._global_indices.get(var)
        if index is None:
            assert var.type is not None, var.name
            t = value_type(var.type)
            assert t is not None, var.name
            name = f"{var.module.name}.{var.name}"
            index = self._global_indices[var] = self._add_global(t, self._initial(var, t), name)
        return index

    def flag_index(self, var: GlobalVar) -> int:
        """Return the index of the global that says whether a variable of a module is bound."""
        index = self._flag_indices.get(var)
        if index is None:
            name = f"{var.module.name}.{var.name} is bound"
            index = self._flag_indices[var] = self._add_global(isa.I32, constant("i32.const", 0), name)
        return index

    def _initial(self, var: GlobalVar, t: isa.ValueType) -> bytes:
        value = var.initial
        if isinstance(value, bytes):
            return constant("i32.const", self.statics.data(value))
        if isinstance(value, str):
            return constant("i32.const", self.statics.text(value))
        assert isinstance(resolve(var.type or Primitive("", 0)), Primitive) or not value, var.name
        if t in (isa.F64, isa.F32):
            return _float_constant(t, 0.0 if value is None else float(value))
        if t is isa.I64:
            return constant("i64.const", _signed(int(value or 0), 64))
        return constant("i32.const", _signed(int(value or 0), 32))

    def _add_global(self, t: isa.ValueType, init: bytes, name: str, *, mutable: bool = True) -> int:
        self.globals.append(Global(GlobalType(t, mutable), init))
        self.global_names.append(name)
        return len(self.globals) - 1

    def set_heap_base(self, address: int) -> None:
        """Say where static data ends."""
        self.globals[self.heap_base_index] = Global(GlobalType(isa.I32, False), constant("i32.const", address))

    def describe_types(self) -> None:
        """Lay out all classes and write their descriptors."""
        self.statics.describe({cls: self.layout(cls) for cls in self.ids.order})


def _signed(value: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return (value + half) % (1 << bits) - half


def _float_constant(t: isa.ValueType, value: float) -> bytes:
    """A constant expression; CodeBuilder knows how floats become bits."""
    code = CodeBuilder()
    code(f"{t}.const", value)
    return code.finish()[0]
