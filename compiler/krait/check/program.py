"""The check of a whole program: all its own functions, then the instances that they need, to the last.

In: the tree of the main module. Out: a `hir.Program` of everything that can run. Errors raise CompileError.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

# Each of these registers the rules for its kinds of nodes.
from krait.check import (  # noqa: F401
    assignment,
    attributes,
    calls,
    closures,
    comparisons,
    conditions,
    copying,
    exceptions,
    expressions,
    formats,
    hir,
    iterators,
    managers,
    matching,
    octets,
    operators,
    printing,
    reflection,
    rounding,
    statements,
    written,
)
from krait.check.annotations import Annotations
from krait.check.border import Interfaces
from krait.check.exports import find_exports, host_buffer, needed_interface, watched
from krait.check.function_values import function_of
from krait.check.given import Kept, given_types, renewed
from krait.check.globals import init_function, prepare_global
from krait.check.instances import check_function, check_module, infer_result, learn_from
from krait.check.protocols import protocol_type
from krait.check.signatures import declared_fields
from krait.check.throwing import kept_fields, refuse_standing
from krait.check.types import ClassDecl, ClassType, FunctionDecl, GlobalVar, Instance, ModuleDecl, Type, resolve
from krait.check.world import Mixes, Refusal, Request, World
from krait.diagnostics import CompileError, DiagnosticSink, Span
from krait.sources import Sources
from krait.syntax import tree

MAX_ROUNDS = 4
"""How often parameters without a type are given those of what calls give them, which may change with that."""


@dataclass
class _Known:
    """What the checks of a program have found so far, for the next one.

    late: fields that can be without a value: see `late`.  own: variables that classes are given: see `class_variables`.
    mixed: floats that are given ints: see `promoted`.  mixes: where all of them are: see `mixing`.  given: what
    parameters without a type are given: see `given`.  named: functions as values are asked for their names.  keeps:
    exceptions are asked for arguments that are no texts.  throws: exceptions are thrown into generators.  infers: what
    is `Any` gets its type from its values.  rounds: how often `given` has changed.
    """

    late: frozenset[tuple[str, str, str]] = frozenset()
    own: frozenset[tuple[str, str, str]] = frozenset()
    mixed: frozenset[tuple[str, str, int | str]] = frozenset()
    given: dict[tuple[str, str, str], Kept] = field(default_factory=dict)
    named: bool = False
    keeps: bool = False
    throws: bool = False
    infers: bool = False
    mixes: Mixes = Mixes.NONE
    rounds: int = 0

    @property
    def facts(self) -> tuple[object, ...]:
        """What is known for sure; the rest is tried where a check fails without it."""
        return self.late, self.own, self.named, self.keeps, self.throws

    def world(self, sink: DiagnosticSink, sources: Sources) -> World:
        """Return where a check begins that knows this."""
        world, known = World(sink, sources), self.given
        world.late, world.own_variables, world.mixed = self.late, self.own, self.mixed
        world.named_functions, world.throws, world.infers_any = self.named, self.throws, self.infers
        world.mixes, world.keeps_arguments = self.mixes, self.keeps
        world.given = lambda world, key: renewed(world, known[key]) if key in known else None
        return world

    def learn(self, world: World, *, failed: bool) -> bool:
        """Take over what a check has found, and return whether that asks for another one."""
        before = replace(self)
        self.late |= _late_fields(world)
        self.own |= world.found_own
        self.named |= world.asks_names
        self.keeps |= world.asks_arguments and world.gives_arguments
        self.throws |= world.found_throws
        if failed:
            self.mixed |= world.found_mixed
            given = {**self.given, **given_types(world.found_given)}
            if given != self.given and self.rounds < MAX_ROUNDS:
                self.given, self.rounds = given, self.rounds + 1
            elif self.mixed == before.mixed and world.meets_any > self.infers:
                self.infers = True
            elif self.mixed == before.mixed and world.meets_ints and self.mixes < Mixes.ALL:
                self.mixes = Mixes(self.mixes + 1)
        return self != before


def check_program(
    parsed: tree.Module, source: str, filename: str, sink: DiagnosticSink, sources: Sources
) -> hir.Program:
    """Return the typed tree of the program whose main module is ``parsed``.

    A check that finds what it should have known at its beginning begins anew. Raises CompileError with all that is
    wrong, as the check says it that finds least.
    """
    known = _Known()
    best: DiagnosticSink | None = None
    while True:
        attempt = DiagnosticSink(sink.filename)
        attempt.sources = sink.sources
        world = known.world(attempt, sources)
        program = None
        with suppress(CompileError):
            program = _check(world, attempt, parsed, source, filename)
        facts = known.facts
        again = known.learn(world, failed=program is None)
        if known.facts != facts:
            best = None  # what was said did not know them
        elif program is None and (best is None or len(attempt.diagnostics) < len(best.diagnostics)):
            best = attempt
        if not again:
            break
    for diagnostic in (best if program is None and best is not None else attempt).diagnostics:
        sink.add(diagnostic)
    sink.raise_if_errors()
    assert program is not None
    return program


def _late_fields(world: World) -> frozenset[tuple[str, str, str]]:
    """Return the fields that can be without a value, by the module and name of the class that declares each."""
    found = set()
    for decl, name in world.found_late:
        owners = [part for part in decl.mro() if name in declared_fields(world, ClassType(part, part.type_params))]
        owner = owners[-1] if owners else decl
        found.add((owner.module.name, owner.name, name))
    return frozenset(found)


def _check(world: World, sink: DiagnosticSink, parsed: tree.Module, source: str, filename: str) -> hir.Program:
    world.check_function = lambda instance: check_function(world, instance)
    world.infer_result, world.learn_from = infer_result, learn_from
    world.protocol_type = protocol_type
    world.function_of = function_of
    world.annotate = lambda module, params, node: Annotations(world, module, params).type(node)
    main = ModuleDecl("__main__", filename, source, parsed, library=False, is_main=True)
    world.add_module(main)
    support = _support(world)
    _check_own_modules(world)
    start = Instance(init_function(main))
    interfaces = Interfaces(world)
    exports = find_exports(world, main, interfaces)
    roots = [start, *_support_instances(support), *(item.function for item in exports)]
    buffer = host_buffer(world)
    _check_needed(world, [*(instance for instance in world.functions), *roots, buffer.room])
    sink.raise_if_errors()
    if world.found_closings:
        refuse_standing(world, world.functions[start])
        exports = [watched(world, item) for item in exports]
        roots += [item.function for item in exports]
    functions = _reachable(world, roots)
    world.found_throws = any(map(_throws, functions))
    interface = needed_interface(world, functions, interfaces)
    needed = None if all(item.plain for item in interface.functions) else buffer
    if needed is not None:
        functions = _reachable(world, [*roots, needed.room])

    def fields(cls: ClassType) -> list[tuple[str, Type]]:
        kept = kept_fields(world, cls, declared_fields(world, cls))
        return [(name, resolve(t)) for name, t in kept.items()]
    code = [functions[start]]
    return hir.Program(main, functions, world.overriders, code, exports, interface, needed, support, fields)


def _check_own_modules(world: World) -> None:
    """Check the program's own modules; what they import joins them as it is met."""
    checked: set[str] = set()
    while True:
        pending = [module for module in world.modules.values() if not module.library and module.name not in checked]
        if not pending:
            return
        for module in pending:
            checked.add(module.name)
            check_module(world, module)


def _check_needed(world: World, roots: Iterable[Instance]) -> None:
    """Check all instances that the ``roots`` need, directly or not."""
    pending = [instance.resolved() for instance in roots]
    seen = set(pending)
    last: dict[Instance, int] = {}
    while pending or _put_off(world, last, pending):
        instance = pending.pop()
        if instance.decl.module.name == "krait.anything" and instance not in last:
            last[instance] = -1
            continue
        try:
            function = check_function(world, instance)
        except Refusal:
            return
        for callee, span in _with_overriders(world, function):
            needed = callee.resolved()
            if needed not in seen:
                seen.add(needed)
                world.requests.setdefault(needed, Request(function.module, span, instance))
                pending.append(needed)


def _put_off(world: World, last: dict[Instance, int], pending: list[Instance]) -> bool:
    """Have the functions that ask something of objects checked for all types that become objects; False if all are."""
    count = len(world.anything.members)
    for instance, known in last.items():
        if known != count:
            world.functions.pop(instance, None)
            last[instance] = count
            pending.append(instance)
    return bool(pending)


def _with_overriders(world: World, function: hir.Function) -> list[tuple[Instance, Span]]:
    """Return what a function refers to, methods with those that may take their place."""
    out: list[tuple[Instance, Span]] = []
    for callee, span in function.callees:
        out.append((callee, span))
        out += [(method, span) for method, _ in world.overriders(callee.resolved())]
    return out


def _reachable(world: World, roots: Iterable[Instance]) -> dict[Instance, hir.Function]:
    """Return the functions that can run, those that are called first coming first."""
    found: dict[Instance, hir.Function] = {}
    pending = list(roots)[::-1]
    while pending:
        instance = pending.pop().resolved()
        if instance in found:
            continue
        function = check_function(world, instance)
        found[instance] = function
        pending.extend(callee for callee, _ in reversed(_with_overriders(world, function)))
    return found


def _throws(instance: Instance) -> bool:
    """Return whether a function is there for `throw` and `close` of generators alone."""
    decl = instance.decl
    return decl.name == "_stands" and decl.module.name == "krait.iterator"


def _support(world: World) -> hir.Support:
    def function(module: str, name: str) -> Instance:
        return world.library_function(module, name)

    def variable(module: str, name: str) -> GlobalVar:
        symbol = world.library_symbol(module, name)
        assert isinstance(symbol, GlobalVar)
        prepare_global(world, symbol)
        return symbol

    def exception(name: str) -> tuple[ClassType, Instance]:
        cls = world.library_class(name)
        init = cls.decl.find_method("__init__")
        assert isinstance(cls.decl, ClassDecl) and isinstance(init, FunctionDecl)
        declared_fields(world, cls)
        return cls, Instance(init)

    return hir.Support(
        allocate=function("krait.heap", "allocate"),
        allocate_items=function("krait.heap", "allocate_items"),
        refill=function("krait.heap", "refill"),
        shade=function("krait.heap", "shade"),
        flush=function("krait.io", "flush"),
        describe=function("krait.exceptions", "describe"),
        describe_utf8=function("krait.exceptions", "describe_utf8"),
        integer_overflow=function("krait.exceptions", "integer_overflow"),
        unbound_local=exception("UnboundLocalError"),
        name_error=exception("NameError"),
        stress=variable("krait.heap", "_stress"),
        text=world.str_type,
    )


def _support_instances(support: hir.Support) -> list[Instance]:
    return [
        support.allocate,
        support.allocate_items,
        support.refill,
        support.shade,
        support.flush,
        support.describe,
        support.describe_utf8,
        support.integer_overflow,
        support.unbound_local[1],
        support.name_error[1],
    ]
