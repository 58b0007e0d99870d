"""`validate`: a module to a `ValidModule`, the only thing that later stages take.

Each rule stands here (for what is outside of bodies), in `svm.module.body` or in `svm.module.rules`: in one place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable
from functools import cached_property
from operator import lt

from svm import limits
from svm.digest import digest
from svm.errors import InvalidError, Place
from svm.hints import TYPE_CHECKING, Any
from svm.isa import I32, FuncType, ValueType
from svm.isa.constants import REF_FUNC
from svm.module.binary import encode
from svm.module.checked import Context, ValidFunction
from svm.module.constants import check_constant, read_constant
from svm.module.model import (
    INTERFACE_SECTION,
    ExternKind,
    Function,
    FunctionLines,
    GlobalType,
    Lines,
    MemoryType,
    Mode,
    Module,
    NameKind,
    TableType,
)

if TYPE_CHECKING:
    from svm.module.interface import Interface

__all__ = ["ValidModule", "validate"]


class ValidModule:
    """A module whose rules hold, with its index spaces (imports first) in `context`.

    A body is checked at the latest when `function` gives it out, so that a large module can start before all of it
    was read.  kept: what engines made of it, for all its guests.
    """

    def __init__(self, module: Module, context: Context) -> None:
        self.module = module
        self.context = context
        self.border: Any = None
        """What `svm.runtime.rich` makes of the interface, once for all guests."""
        self.kept: dict[Hashable, Any] = {}
        self._bodies: dict[int, ValidFunction] = {}

    def __repr__(self) -> str:
        return f"<ValidModule {self.module.names.module or '?'}: {len(self.context.functions)} functions>"

    @cached_property
    def imported_functions(self) -> int:
        """How many functions are imported: the index of the first of the module's own."""
        return len(self.module.imported(ExternKind.FUNC))

    @cached_property
    def interface(self) -> Interface:
        """What its functions take and give in terms of Python's types.  Raises MalformedError where it is damaged."""
        from svm.module.interface_text import interface_of

        return interface_of(self.module)

    def may_describe(self, function: int) -> bool:
        """Whether it may say that of a function.  It says nothing of a program's start: one that takes and gives
        nothing, by a name that the interface's text does not have.  To read it takes longer than a small program runs.
        """
        text = next((item.data for item in self.module.customs if item.name == INTERFACE_SECTION), None)
        if text is None or self.context.functions[function] != FuncType():
            return text is not None
        return any(
            item.kind is ExternKind.FUNC and item.index == function and item.name.encode() in text
            for item in self.module.exports
        )

    @cached_property
    def has_hosts(self) -> bool:
        """Whether it says so of functions that the host gives: then linking needs the interface."""
        return any(item.name == INTERFACE_SECTION and b"@host(" in item.data for item in self.module.customs)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the module's content."""
        return self.module.digest or digest(encode(self.module)).hex()

    @cached_property
    def function_names(self) -> dict[int, str]:
        """Names of functions, from the name section, else from exports and imports."""
        names = {index: item.name for index, item in enumerate(self.module.imported(ExternKind.FUNC))}
        names.update((item.index, item.name) for item in self.module.exports if item.kind is ExternKind.FUNC)
        names.update(self.module.names.of(NameKind.FUNCTION))
        return names

    @cached_property
    def least_room(self) -> tuple[int, int]:
        """Bytes of memory and elements of tables that a new instance has."""
        model = self.module
        memory = sum(item.minimum for item in model.memories) * limits.PAGE
        return memory, sum(item.minimum for item in model.tables)

    @cached_property
    def imports_numbers(self) -> bool:
        """Whether what numbers its globals and tags have in a store depends on what it is given."""
        return bool(self.module.imported(ExternKind.GLOBAL) or self.module.imported(ExternKind.TAG))

    @cached_property
    def exported(self) -> dict[str, tuple[ExternKind, int]]:
        """Kind and index of what is exported, by name."""
        return {item.name: (item.kind, item.index) for item in self.module.exports}

    @cached_property
    def tag_names(self) -> dict[int, str]:
        """Names of tags, from the name section, else from exports."""
        names = self.module.names.of(NameKind.TAG)
        names.update((item.index, item.name) for item in self.module.exports if item.kind is ExternKind.TAG)
        return names

    def function_name(self, index: int) -> str:
        """Name of a function, made up from its index where it has none."""
        return self.function_names.get(index, f"function[{index}]")

    @cached_property
    def _line_table(self) -> Lines:
        """The module's own, else that of its debug information."""
        module = self.module
        if module.lines.functions or module.origin is None or module.origin.lines is None:
            return module.lines
        return module.origin.lines()

    @cached_property
    def encoded(self) -> bytes:
        """The module as a `.svmb`, the lines of its debug information among it."""
        from dataclasses import replace  # here, for it takes milliseconds

        return encode(replace(self.module, lines=self._line_table))

    @cached_property
    def _lines(self) -> dict[int, tuple[tuple[int, int, int], ...]]:
        return {item.function: item.entries for item in self._line_table.functions}

    def line(self, function: int, offset: int) -> tuple[str, int] | None:
        """Source file and line of a byte offset in a body, where the line table knows it."""
        entries = self._lines.get(function, ())
        at = bisect_right(entries, offset, key=lambda entry: entry[0])
        if not at:
            return None
        _, file, line = entries[at - 1]
        return self._line_table.files[file], line

    def function(self, index: int) -> ValidFunction:
        """What engines need of one of the module's own functions, by its index in the function space: checked.

        Raises InvalidError or MalformedError the first time, if it is bad.
        """
        found = self._bodies.get(index)
        if found is None:
            from svm.module.body import examine_body  # here, for a run whose code is kept asks for none

            found = examine_body(self.context, index, self.function_names.get(index), self._function(index))
            self._bodies[index] = found
        return found

    def operand_types(self, index: int, offsets: Iterable[int]) -> dict[int, tuple[ValueType, ...]]:
        """Types of a function's operands before the instructions at some byte offsets, to which control comes."""
        from svm.module.body import operand_types

        return operand_types(self.context, index, self.function_names.get(index), self._function(index), offsets)

    def release(self, index: int) -> None:
        """Forget what was made for a function's engine, which has no more use for it."""
        self._bodies.pop(index, None)

    def _function(self, index: int) -> Function:
        return self.module.functions[index - self.imported_functions]

    def check_bodies(self) -> None:
        """Check all bodies.  What engines need is made for those that are called."""
        from svm.module.body import check_body

        for index in range(self.imported_functions, len(self.context.functions)):
            check_body(self.context, index, self.function_names.get(index), self._function(index))


def validate(module: Module, *, bodies: bool = True) -> ValidModule:
    """Check a module.  With `bodies=False` each body is checked when it is first asked for.

    Raises InvalidError, with section, entry, instruction and offset, for the first rule that does not hold.
    """
    _check_types(module)
    context = _context(module)
    _check_bounds(module)
    _check_constants(module, context)
    _check_exports(module, context)
    _check_start(module, context)
    _check_lines(module, len(context.functions))
    valid = ValidModule(module, context)
    if bodies:
        valid.check_bodies()
    return valid


def _fail(section: str, item: int | None, message: str) -> InvalidError:
    return InvalidError(message, Place(section=section, item=item))


def _check_types(module: Module) -> None:
    def known(index: object, section: str, item: int) -> FuncType:
        if not isinstance(index, int) or index >= len(module.types):
            raise _fail(section, item, f"unknown type {index}")
        return module.types[index]

    for at, kind in enumerate(module.types):
        if len(kind.params) > limits.MAX_CALL_PARAMS or len(kind.results) > limits.MAX_CALL_RESULTS:
            raise _fail(
                "type", at, f"more than {limits.MAX_CALL_PARAMS} parameters or {limits.MAX_CALL_RESULTS} results"
            )
    for at, entry in enumerate(module.imports):
        if entry.kind in (ExternKind.FUNC, ExternKind.TAG):
            found = known(entry.type, "import", at)
            if entry.kind is ExternKind.TAG and found.results:
                raise _fail("import", at, "non-empty tag result type")
    for at, function in enumerate(module.functions):
        known(function.type, "function", at)
    for at, tag in enumerate(module.tags):
        if known(tag.type, "tag", at).results:
            raise _fail("tag", at, "non-empty tag result type")


def _context(module: Module) -> Context:
    types: dict[ExternKind, list[object]] = {kind: [] for kind in ExternKind}
    for entry in module.imports:
        signature = entry.kind in (ExternKind.FUNC, ExternKind.TAG)
        types[entry.kind].append(module.types[entry.type] if signature and isinstance(entry.type, int) else entry.type)
    constants = len(types[ExternKind.GLOBAL])
    types[ExternKind.FUNC] += [module.types[function.type] for function in module.functions]
    types[ExternKind.TAG] += [module.types[tag.type] for tag in module.tags]
    types[ExternKind.TABLE] += module.tables
    types[ExternKind.MEMORY] += module.memories
    types[ExternKind.GLOBAL] += [item.type for item in module.globals]
    return Context(
        types=module.types,
        functions=tuple(kind for kind in types[ExternKind.FUNC] if isinstance(kind, FuncType)),
        tables=tuple(kind for kind in types[ExternKind.TABLE] if isinstance(kind, TableType)),
        memories=tuple(kind for kind in types[ExternKind.MEMORY] if isinstance(kind, MemoryType)),
        globals=tuple(kind for kind in types[ExternKind.GLOBAL] if isinstance(kind, GlobalType)),
        tags=tuple(kind for kind in types[ExternKind.TAG] if isinstance(kind, FuncType)),
        elements=tuple(segment.type for segment in module.elements),
        data=len(module.data),
        declared=_declared(module),
        constants=constants,
        widest=max((len(side) for item in module.types for side in (item.params, item.results)), default=0) or 1,
        extensions=module.origin is None,
        data_count=module.origin is None or module.origin.data_count,
    )


def _declared(module: Module) -> frozenset[int]:
    """Functions that stand outside of bodies: in exports, and by `ref.func` in globals and element segments."""
    declared = {item.index for item in module.exports if item.kind is ExternKind.FUNC}
    expressions = {item.init for item in module.globals}
    for segment in module.elements:
        expressions.update(segment.items)
    for expression in expressions:
        found = read_constant(expression)
        if found is not None and found[0] == REF_FUNC:
            declared.add(found[1])
    return frozenset(declared)


def _check_bounds(module: Module) -> None:
    def table(kind: TableType, section: str, at: int) -> None:
        if not kind.element.is_reference:
            raise _fail(section, at, f"a table holds references, not {kind.element}")
        if kind.minimum > limits.MAX_TABLE_INITIAL:
            raise _fail(section, at, f"{kind.minimum} elements are more than the limit of {limits.MAX_TABLE_INITIAL}")
        if kind.maximum is not None and kind.minimum > kind.maximum:
            raise _fail(section, at, "size minimum must not be greater than maximum")

    def memory(kind: MemoryType, section: str, at: int) -> None:
        if max(kind.minimum, kind.maximum or 0) > limits.MAX_PAGES:
            raise _fail(section, at, f"memory size must be at most {limits.MAX_PAGES} pages (4 GiB)")
        if kind.maximum is not None and kind.minimum > kind.maximum:
            raise _fail(section, at, "size minimum must not be greater than maximum")

    for at, entry in enumerate(module.imports):
        if isinstance(entry.type, TableType):
            table(entry.type, "import", at)
        elif isinstance(entry.type, MemoryType):
            memory(entry.type, "import", at)
    for at, kind in enumerate(module.tables):
        table(kind, "table", at)
    for at, size in enumerate(module.memories):
        memory(size, "memory", at)
    memories = len(module.memories) + len(module.imported(ExternKind.MEMORY))
    if memories > limits.MAX_MEMORIES:
        raise _fail("memory", None, f"multiple memories: {memories} are more than the limit of {limits.MAX_MEMORIES}")


def _check_constants(module: Module, context: Context) -> None:
    for at, item in enumerate(module.globals):
        check_constant(context, item.init, item.type.type, Place("global", at))
    for at, segment in enumerate(module.elements):
        place = Place("element", at)
        if not segment.type.is_reference:
            raise InvalidError(f"a segment of elements holds references, not {segment.type}", place)
        if segment.mode is Mode.ACTIVE:
            if segment.table >= len(context.tables):
                raise InvalidError(f"unknown table {segment.table}", place)
            if context.tables[segment.table].element is not segment.type:
                raise InvalidError("type mismatch: the table holds another type", place)
            check_constant(context, segment.offset or b"", I32, place)
        for expression in dict.fromkeys(segment.items):
            check_constant(context, expression, segment.type, place)
    for at, data in enumerate(module.data):
        if data.mode is Mode.DECLARATIVE:
            raise _fail("data", at, "a data segment is active or passive")
        if data.mode is Mode.ACTIVE:
            if data.memory >= len(context.memories):
                raise _fail("data", at, f"unknown memory {data.memory}")
            check_constant(context, data.offset or b"", I32, Place("data", at))


def _check_exports(module: Module, context: Context) -> None:
    spaces = {
        ExternKind.FUNC: len(context.functions),
        ExternKind.TABLE: len(context.tables),
        ExternKind.MEMORY: len(context.memories),
        ExternKind.GLOBAL: len(context.globals),
        ExternKind.TAG: len(context.tags),
    }
    seen: set[str] = set()
    for at, item in enumerate(module.exports):
        if item.index >= spaces[item.kind]:
            raise _fail("export", at, f"unknown {item.kind} {item.index}")
        if item.name in seen:
            raise _fail("export", at, f"duplicate export name {item.name!r}")
        seen.add(item.name)


def _check_start(module: Module, context: Context) -> None:
    if module.start is None:
        return
    if module.start >= len(context.functions):
        raise _fail("start", None, f"unknown function {module.start}")
    if context.functions[module.start] != FuncType():
        raise _fail("start", None, "start function must take and give nothing")


def _check_lines(module: Module, functions: int) -> None:
    last = -1
    for at, item in enumerate(module.lines.functions):
        if not last < item.function < functions:
            raise _fail("line", at, f"function {item.function} is unknown or out of order")
        last = item.function
        if not item.entries:
            continue
        offsets, files, lines = zip(*item.entries, strict=True)  # there are thousands, so they are looked at in bulk
        rising = all(map(lt, (-1, *offsets), offsets))
        if not rising or max(files) >= len(module.lines.files) or min(lines) < 1:
            raise _fail("line", at, _bad_entry(item, len(module.lines.files)))


def _bad_entry(item: FunctionLines, files: int) -> str:
    """What is wrong in a function's lines."""
    offset = -1
    for where, file, line in item.entries:
        if where <= offset or file >= files or line < 1:
            return f"bad entry: offset {where}, file {file}, line {line}"
        offset = where
    raise AssertionError("nothing is")
