"""A whole program to a module.

In: a `hir.Program`. Out: a `svm.module.Module` with its exports, static data, names and line table.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.types import ClassType, Instance, resolve
from krait.emit.body import Body, emit_body
from krait.emit.characters import unpack_characters
from krait.emit.effects import Effects
from krait.emit.growing import let_texts_grow
from krait.emit.layout import ItemLayout, item_layout, value_type
from krait.emit.ranges import use_ranges
from krait.emit.shared import EXCEPTION_TAG, MARKER, OVERFLOW_TAG, Shared
from krait.emit.statics import BASE
from krait.emit.tuples import take_tuples_apart
from svm import isa
from svm.isa import FUNCREF
from svm.module import (
    Capability,
    CodeBuilder,
    Custom,
    DataSegment,
    ElementSegment,
    Export,
    ExternKind,
    Function,
    FunctionLines,
    Import,
    Lines,
    MemoryType,
    Mode,
    Module,
    NameKind,
    Names,
    TableType,
    Tag,
    constant,
)
from svm.module.interface import INTERFACE_SECTION

_PAGE = 65536
_HEAP_PAGES = 1
"""Pages behind static data that a module asks for at once."""


def emit_module(program: hir.Program) -> Module:
    """Return the module of a program."""
    unpack_characters(program)
    let_texts_grow(program, Effects(program.functions, program.callees, program.makers))
    take_tuples_apart(program)
    use_ranges(program)
    return _ModuleEmitter(program).run()


class _ModuleEmitter:
    def __init__(self, program: hir.Program) -> None:
        self.program = program
        self.shared = Shared(program, *_objects(program))
        self.functions: list[Function] = []
        self.function_names: list[str] = []
        self.function_lines: list[FunctionLines] = []
        self.local_names: list[tuple[int, int, str]] = []

    def run(self) -> Module:
        shared, program = self.shared, self.program
        for instance in shared.own:
            self.add_function(program.functions[instance])
        for extra, index in shared.extras.items():
            if isinstance(extra, Instance):
                self.add_dispatcher(extra, index)
            elif extra == MARKER:
                self.add_marker(index)
            else:
                self.add_raiser(extra, index)
        start = self.add_start()
        exports = {item.name: self.add_export(item) for item in program.exports}
        describe = self.add_describe()
        shared.describe_types()
        data, heap_base = shared.statics.finish()
        shared.set_heap_base(heap_base)
        tags = (Tag(shared.type_index((isa.I32,), ())), Tag(shared.type_index((), ())))
        imports = tuple(self.host_import(instance) for instance in shared.hosts)
        return Module(
            types=tuple(shared.types),
            imports=imports,
            functions=tuple(self.functions),
            tables=self.tables(),
            elements=self.elements(),
            memories=(MemoryType(-(-heap_base // _PAGE) + _HEAP_PAGES),),
            tags=tags,
            globals=tuple(shared.globals),
            exports=self.exports(start, describe, exports),
            data=(DataSegment(data, Mode.ACTIVE, 0, constant("i32.const", BASE)),),
            capabilities=_capabilities(imports),
            names=self.names(),
            customs=_customs(program),
            lines=Lines(tuple(shared.files), tuple(self.function_lines)),
        )

    # --- functions -------------------------------------------------------------------------------------------------

    def signature(self, function: hir.Function) -> int:
        params = [value_type(param.type) for param in function.params if param.type is not None]
        result = value_type(function.result)
        return self.shared.type_index([t for t in params if t is not None], [] if result is None else [result])

    def add_function(self, function: hir.Function) -> None:
        body = emit_body(self.shared, function)
        shown = function.name.partition(" (")[0]  # without what the compiler calls a function that has a decorator
        index = self.append(self.signature(function), body, shown)
        names = [*(param.name for param in function.params), *body.names]
        self.local_names += [(index, at, name) for at, name in enumerate(names) if not name.startswith("$")]

    def append(self, type_index: int, body: Body, name: str) -> int:
        index = len(self.shared.hosts) + len(self.functions)
        self.functions.append(Function(type_index, _runs(body.locals), body.code))
        self.function_names.append(name)
        if body.lines:
            self.function_lines.append(FunctionLines(index, body.lines))
        return index

    def synthetic(self, params: Sequence[isa.ValueType], results: Sequence[isa.ValueType], code: CodeBuilder, name: str,
                  locals: Sequence[isa.ValueType] = ()) -> int:
        """Add a function that the emitter itself has written."""
        return self.append(self.shared.type_index(params, results), Body(list(locals), [], code.finish()[0], ()), name)

    def add_start(self) -> int:
        """Make the entry of the program: the code of its modules, then what is left of its output."""
        code = CodeBuilder()
        code("i32.const", 1)
        code("global.set", self.shared.program_index)
        self.begin(code)
        code("call", self.shared.function_index(self.program.support.flush))
        return self.synthetic((), (), code, "_start")

    def begin(self, code: CodeBuilder) -> None:
        """Write the run of the modules' code."""
        code("i32.const", 1)
        code("global.set", self.shared.begun_index)
        for function in self.program.initialisers:
            code("call", self.shared.function_index(function.instance))

    def add_export(self, item: hir.Export) -> int:
        """Make the function by which a host calls one of the program's: the modules' code runs before the first.

        It notes where the shadow stack ends, for `add_describe`.
        """
        function = self.program.functions[item.function]
        kind = tuple(self.shared.types)[self.signature(function)]
        code = CodeBuilder()
        code("global.get", self.shared.begun_index)
        code("i32.eqz")
        code("if")
        self.begin(code)
        code("end")
        outer = len(kind.params)
        code("global.get", self.shared.entry_index)
        code("local.set", outer)
        code("global.get", self.shared.stack_index)
        code("global.set", self.shared.entry_index)
        self.pass_on(code, len(kind.params), item.function)
        code("call", self.shared.function_index(self.program.support.flush))
        code("local.get", outer)
        code("global.set", self.shared.entry_index)
        return self.synthetic(kind.params, kind.results, code, f"{item.name} (export)", [isa.I32])

    def add_describe(self) -> int:
        """Make the function that gives the host an exception's text as an address and a length in bytes.

        The host calls it for what nobody caught, so nobody has restored the shadow stack.
        """
        code = CodeBuilder()
        code("global.get", self.shared.entry_index)
        code("global.set", self.shared.stack_index)
        code("local.get", 0)
        code("call", self.shared.function_index(self.program.support.describe_utf8))
        code("local.tee", 0)
        code("i32.const", 4)
        code("i32.add")
        code("local.get", 0)
        code("i32.load", 2, 0)
        return self.synthetic((isa.I32,), (isa.I32, isa.I32), code, "krait:describe_utf8")

    def add_raiser(self, exception: str, index: int) -> None:
        """Make the function that throws a new exception with the text it is given."""
        support = self.program.support
        cls, init = {"UnboundLocalError": support.unbound_local, "NameError": support.name_error}[exception]
        code = CodeBuilder()
        code("i32.const", self.shared.layout(cls).size)
        code("call", self.shared.function_index(support.allocate))
        code("local.tee", 1)
        code("i32.const", self.shared.ids.of(cls))
        code("i32.store", 2, 0)
        code("global.get", self.shared.stack_index)
        code("local.get", 1)
        code("i32.store", 2, 0)
        self.move_stack(code, 4)
        code("local.get", 1)
        code("local.get", 0)
        code("i32.const", 0)
        code("call", self.shared.function_index(init))
        self.move_stack(code, -4)
        code("local.get", 1)
        code("throw", EXCEPTION_TAG)
        made = self.synthetic((isa.I32,), (), code, f"raise {exception}", [isa.I32])
        assert made == index

    def move_stack(self, code: CodeBuilder, by: int) -> None:
        """Write what moves the end of the shadow stack."""
        code("global.get", self.shared.stack_index)
        code("i32.const", by)
        code("i32.add")
        code("global.set", self.shared.stack_index)

    def add_marker(self, index: int) -> None:
        """Make the function that marks what the modules' variables refer to."""
        code = CodeBuilder()
        for place in self.shared.reference_globals():
            code("global.get", place)
            code("call", self.shared.function_index(self.program.support.shade))
        made = self.synthetic((), (), code, MARKER)
        assert made == index

    def add_dispatcher(self, instance: Instance, index: int) -> None:
        """Make the function that calls the method of its first argument's own class."""
        function = self.program.functions[instance]
        kinds = [value_type(param.type) for param in function.params if param.type is not None]
        params = [kind for kind in kinds if kind is not None]
        result = value_type(function.result)
        code = CodeBuilder()
        for other, cls in self.shared.alternatives(instance):
            first, count = self.shared.ids.range_of(cls)
            code("local.get", 0)
            code("i32.load", 2, 0)
            code("i32.const", first)
            code("i32.sub")
            code("i32.const", count)
            code("i32.lt_u")
            code("if")
            self.pass_on(code, len(params), other)
            code("return")
            code("end")
        self.pass_on(code, len(params), instance)
        made = self.synthetic(params, [] if result is None else [result], code, f"{function.name} (virtual)")
        assert made == index

    def pass_on(self, code: CodeBuilder, count: int, callee: Instance) -> None:
        """Write the call of ``callee`` with the arguments at hand."""
        for number in range(count):
            code("local.get", number)
        code("call", self.shared.function_index(callee))

    # --- the rest of the module ------------------------------------------------------------------------------------

    def tables(self) -> tuple[TableType, ...]:
        """Return the table of functions that are called through values: a call needs one, though none is ever there."""
        size = len(self.shared.table) + 1
        return (TableType(FUNCREF, size, size),) if self.shared.calls_through_table or size > 1 else ()

    def elements(self) -> tuple[ElementSegment, ...]:
        """Return what fills the table of functions that are called through values."""
        items = tuple(constant("ref.func", index) for index in self.shared.table)
        return (ElementSegment(items, FUNCREF, Mode.ACTIVE, 0, constant("i32.const", 1)),) if items else ()

    def host_import(self, instance: Instance) -> Import:
        assert instance.decl.host is not None
        module, name = instance.decl.host
        return Import(module, name, ExternKind.FUNC, self.signature(self.program.functions[instance]))

    def exports(self, start: int, describe_utf8: int, functions: dict[str, int]) -> tuple[Export, ...]:
        describe = self.shared.function_index(self.program.support.describe)
        return (
            Export("_start", ExternKind.FUNC, start),
            Export("memory", ExternKind.MEMORY, 0),
            Export("krait:exception", ExternKind.TAG, EXCEPTION_TAG),
            Export("krait:overflow", ExternKind.TAG, OVERFLOW_TAG),
            Export("krait:gc_stress", ExternKind.GLOBAL, self.shared.global_index(self.program.support.stress)),
            Export("krait:describe", ExternKind.FUNC, describe),
            Export("krait:flush", ExternKind.FUNC, self.shared.function_index(self.program.support.flush)),
            Export("krait:describe_utf8", ExternKind.FUNC, describe_utf8),
            *self.buffer(),
            *(Export(name, ExternKind.FUNC, index) for name, index in functions.items()),
        )

    def buffer(self) -> tuple[Export, ...]:
        """Return what gives the host a buffer, where it needs one."""
        buffer, shared = self.program.buffer, self.shared
        if buffer is None:
            return ()
        return (
            Export("krait:room", ExternKind.FUNC, shared.function_index(buffer.room)),
            Export("krait:buffer", ExternKind.GLOBAL, shared.global_index(buffer.address)),
            Export("krait:buffer_size", ExternKind.GLOBAL, shared.global_index(buffer.size)),
        )

    def names(self) -> Names:
        hosts = [instance.decl.name for instance in self.shared.hosts]
        items = [(NameKind.FUNCTION, index, name) for index, name in enumerate([*hosts, *self.function_names])]
        items += [(NameKind.GLOBAL, index, name) for index, name in enumerate(self.shared.global_names)]
        items += [(NameKind.TAG, EXCEPTION_TAG, "exception"), (NameKind.TAG, OVERFLOW_TAG, "overflow")]
        return Names(self.program.main.name, tuple(items), tuple(self.local_names))


def _runs(locals: Sequence[isa.ValueType]) -> tuple[tuple[int, isa.ValueType], ...]:
    """Return local types as runs of equal ones."""
    runs: list[tuple[int, isa.ValueType]] = []
    for t in locals:
        if runs and runs[-1][1] is t:
            runs[-1] = (runs[-1][0] + 1, t)
        else:
            runs.append((1, t))
    return tuple(runs)


def _customs(program: hir.Program) -> tuple[Custom, ...]:
    """Return the section that holds the interface."""
    interface = program.interface
    return (Custom(INTERFACE_SECTION, str(interface).encode()),) if interface.functions else ()


def _capabilities(imports: Sequence[Import]) -> tuple[Capability, ...]:
    """Return what the imports ask of the host."""
    wasi = any(item.module == "wasi_snapshot_preview1" for item in imports)
    return (Capability("console", "standard streams and arguments"),) if wasi else ()


def _objects(program: hir.Program) -> tuple[list[ClassType], list[ItemLayout]]:
    """Return the classes that a program makes objects of, or tests for, and the kinds of items that objects own."""
    found: dict[ClassType, None] = {program.support.unbound_local[0]: None, program.support.name_error[0]: None}
    items: list[ItemLayout] = []
    for function in program.functions.values():
        for node in hir.walk(function.body):
            if isinstance(node, hir.New | hir.Octets | hir.IsInstance | hir.ClassId):
                cls = resolve(node.type if isinstance(node, hir.New | hir.Octets) else node.cls)
                assert isinstance(cls, ClassType)
                found[cls] = None
            elif isinstance(node, hir.ClassObject):
                parts = (resolve(t) for t in (node.type, node.instances) if t is not None)
                found.update((part, None) for part in parts if isinstance(part, ClassType))
            elif isinstance(node, hir.NewItems):
                items.append(item_layout(node.of))
    return list(found), items
