"""The check of one function instance from its declaration to its typed tree.

In: an `Instance`. Out: its `hir.Function`, kept in the world.

A function whose locals get their types only from later statements (``best = None``, filled in a loop) is checked
twice: the first time finds the types, the second time begins with them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from krait.check import hir
from krait.check.context import Context
from krait.check.declare import import_links
from krait.check.exports import check_stub, is_stub
from krait.check.flow import Flow
from krait.check.generators import begin, finish, iterator_type
from krait.check.globals import init_function, prepare_global
from krait.check.names import Names, scan
from krait.check.nested import prepare_scope
from krait.check.overriding import check_override
from krait.check.packs import wrappers_written_out
from krait.check.protocols import protocol_type
from krait.check.relations import is_larger
from krait.check.roots import is_mark
from krait.check.signatures import assigned_fields, declared_fields, self_type, signature
from krait.check.types import (
    BOOL,
    INT,
    NEVER,
    NONE,
    ClassDecl,
    ClassType,
    FunctionDecl,
    GlobalVar,
    Infer,
    Instance,
    Local,
    ModuleDecl,
    Optional,
    Type,
    is_known,
    optional,
    prune,
    resolve,
    substitute,
)
from krait.check.unions import joined
from krait.check.world import MARK, MAX_INSTANCES, MAX_TYPE, Refusal, World
from krait.diagnostics import DiagnosticSink, Span
from krait.syntax import tree

MAX_ROUNDS = 8
MAX_CHECKS_AGAIN = 2_000
"""How often a body is checked again with variables of more types than before: some would get ever more of them. And how
often that is done in one compilation: a function within another is checked with each round of that, and the depth of
nesting would be an exponent.
"""

Entry: TypeAlias = Callable[[Context, Local], None]


def check_function(world: World, instance: Instance) -> hir.Function:
    """Check an instance, once; its errors are in the world's sink."""
    instance = instance.resolved()
    found = world.functions.get(instance)
    if found is not None:
        return found
    decl = instance.decl
    if decl.closure is not None:  # it is checked with the function around it, which was refused
        raise Refusal(decl.name)
    world.generic_instances += bool(instance.args)
    if instance.args and (
        world.generic_instances > MAX_INSTANCES or any(is_larger(arg, MAX_TYPE) for arg in instance.args)
    ):
        raise world.refuse(
            decl.module,
            _heading(decl),
            f"`{decl.name}` is needed for more and more types: a generic function that calls itself with ever larger "
            "types has no end",
            instance=None,
        )
    function = hir.Function(instance, decl.qualified_name, decl.module, [], NONE, decl.node.span.start_line)
    world.functions[instance] = function
    world.in_progress.add(instance)
    quiet, world.quiet = world.quiet, 0
    outer, world.sink = world.sink, world.root_sink
    try:
        if decl.host is not None:
            _Check(world, instance, function, {}).heading()
        elif is_stub(decl):
            check = _Check(world, instance, function, {})
            check.heading()
            check_stub(check.ctx)
        else:
            _check_body(world, instance, function)
            _register(world, function)
    except Refusal:
        pass
    finally:
        world.quiet, world.sink = quiet, outer
        world.in_progress.discard(instance)
    return function


def check_nested(parent: Context, decl: FunctionDecl, enter: Entry) -> hir.Function:
    """Check a function within the one that ``parent`` checks.

    enter: declares what the function's object, a local that it is given, brings along.
    """
    world = parent.world
    instance = Instance(decl)
    function = hir.Function(instance, decl.name, decl.module, [], NONE, decl.node.span.start_line)
    if parent.instance in world.requests:
        world.requests[instance] = world.requests[parent.instance]
    _check_body(world, instance, function, parent, enter)
    parent.function.nested.append(function)
    return function


def infer_result(world: World, decl: FunctionDecl) -> Type:
    """Return the type of what a function without an annotation for it returns, or yields.

    Its body is checked for that alone: what a call within it of the function itself gives is not known then, and does
    not count. The check proper asks whether all results have the type.
    """
    instance = Instance(decl, tuple(_usual_type(world, decl, name) for name in decl.open_params))
    function = hir.Function(instance, decl.qualified_name, decl.module, [], NONE, decl.node.span.start_line)
    with world.silence():
        results = _check_body(world, instance, function, infers=True).ctx.results
    assert results is not None
    found = joined([t for t in results if not isinstance(prune(t), Infer)] or results)
    if not scan(decl.node.body).has_yield:
        return found
    return iterator_type(world, found if found is not NONE else optional(INT))


def _register(world: World, function: hir.Function) -> None:
    """Make the functions within a function known, now that its check has ended."""
    for nested in function.nested:
        world.functions[nested.instance] = nested
        _register(world, nested)


def _check_body(
    world: World,
    instance: Instance,
    function: hir.Function,
    parent: Context | None = None,
    enter: Entry | None = None,
    *,
    infers: bool = False,
) -> _Check:
    """Check the body, a second time if the first has found types that it would have needed earlier.

    A variable that is given values of several types has all of them, if the body is right then; else the errors are
    those of a body in which it has the type of its first value.  infers: only what it returns is wanted.
    """
    seeds: dict[str, Type] = {}
    wide: dict[str, Type] = {}
    first: dict[str, Type] = {}
    rounds = 0
    outer = world.sink
    while True:
        world.sink = DiagnosticSink(function.module.filename, function.module.source)
        check = _Check(world, instance, function, {**seeds, **wide}, parent, enter)
        check.ctx.results = [] if infers else None
        with suppress(Refusal):
            check.run()
        learned = check.learned() if check.ctx.unknown_met else {}
        if learned.keys() - seeds.keys() - wide.keys():
            seeds = {**seeds, **learned}
        elif rounds < MAX_ROUNDS and world.checks_again < MAX_CHECKS_AGAIN and check.ctx.widened:
            world.checks_again += 1
            seeds, wide, rounds = {}, {**wide, **check.ctx.widened}, rounds + 1
            first = _set_globals(world, check, wide) | first
        elif wide and world.sink.diagnostics:
            seeds, wide, rounds = {}, {}, MAX_ROUNDS
            _set_globals(world, check, first)
        else:
            break
    if parent is not None and check.ctx.unknown_met:
        parent.unknown_met = True
    found, world.sink = world.sink.diagnostics, outer
    for diagnostic in found:
        outer.add(diagnostic)
    return check


def _set_globals(world: World, check: _Check, types: dict[str, Type]) -> dict[str, Type]:
    """Give variables of a module whose code is checked other types; return the ones that they had."""
    module = check.decl.module
    if not check.ctx.is_module_code:
        return {}
    found: dict[str, Type] = {}
    for name, t in types.items():
        symbol = module.symbols[name]
        assert isinstance(symbol, GlobalVar) and symbol.type is not None
        found[name], symbol.type = symbol.type, t
    for instance in [*world.functions]:
        if not instance.decl.module.library and instance not in world.in_progress:
            del world.functions[instance]
    return found


class _Check:
    def __init__(
        self,
        world: World,
        instance: Instance,
        function: hir.Function,
        seeds: dict[str, Type],
        parent: Context | None = None,
        enter: Entry | None = None,
    ) -> None:
        self.world = world
        self.decl = instance.decl
        self.function = function
        for part in (function.params, function.locals, function.body, function.callees, function.nested):
            part.clear()
        self.names = scan(self.decl.node.body) if self.decl.host is None else Names()
        self.ctx = Context(world, instance, function, self.names)
        self.seeds = seeds
        self.ctx.known_lambdas = seeds
        self.enter = enter
        if parent is not None:
            self.ctx.parent = parent
            self.ctx.params = parent.params
            self.ctx.imports = dict(parent.imports)
            bound = frozenset(v for v in parent.flow.bound if isinstance(v, GlobalVar))
            self.ctx.flow = Flow(bound=bound)
        if self.ctx.is_module_code:
            self.decl.module.bound = None
            for symbol in self.decl.module.symbols.values():
                if isinstance(symbol, GlobalVar):
                    symbol.broken = False
        self.env = instance.env

    def learned(self) -> dict[str, Type]:
        """The types of locals that the check has found, and those of the parameters of lambdas."""
        lambdas: dict[str, Type] = {
            name: t for name, t in self.ctx.lambdas.items() if all(map(is_known, t.params))
        }
        lambdas |= {
            name: t for name in self.ctx.open_types if not isinstance(t := prune(self.ctx.params[name]), Infer)
        }
        if self.ctx.is_module_code:
            return lambdas | {
                name: resolve(symbol.type)
                for name, symbol in self.decl.module.symbols.items()
                if isinstance(symbol, GlobalVar) and symbol.type is not None and is_known(symbol.type)
            }
        return lambdas | {
            name: resolve(local.type)
            for name, local in self.ctx.scope.items()
            if local.type is not None and is_known(local.type)
        }

    # --- the heading -----------------------------------------------------------------------------------------------

    def heading(self) -> None:
        """Make locals of the parameters, and find the type of the result."""
        decl, ctx = self.decl, self.ctx
        sig = signature(self.world, decl)
        self.function.result = substitute(sig.result, self.env)
        arguments = [*decl.node.args.posonlyargs, *decl.node.args.args]
        if decl.kind == "class":
            cls = prune(self.env[decl.type_params[-1]])
            assert isinstance(cls, ClassType)
            ctx.classes[decl.type_params[-1].name] = cls
        if decl.kind in ("method", "property", "setter"):
            assert decl.owner is not None
            own = Local(
                arguments[0].arg, substitute(self_type(decl.owner), self.env), annotated=True, span=arguments[0].span
            )
            ctx.self_local = own
            self.parameter(own)
        if decl.closure is not None:
            self.function.params.append(Local("$function", ClassType(decl.closure)))
        for param in sig.params:
            local = Local(
                param.name, substitute(param.type, self.env), annotated=True, span=param.span, typed_at=param.span
            )
            self.parameter(local)

    def parameter(self, local: Local) -> None:
        self.function.params.append(local)
        self.ctx.scope[local.name] = local
        self.ctx.flow = self.ctx.flow.bind(local)

    # --- the body --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        ctx, body = self.ctx, self.decl.node.body
        self.heading()
        generates = self.names.has_yield and not ctx.is_module_code
        if generates:
            begin(ctx, _heading(self.decl))
        if ctx.is_module_code:
            self.guard_module()
        else:
            self.declare_imports()
            self.declare_locals()
            self.declare_fields()
            with ctx.collect() as before:
                if self.enter is not None:
                    self.enter(ctx, self.function.params[0])
                body = wrappers_written_out(ctx, body)
                prepare_scope(ctx, body)
            self.function.body += before
        self.function.body += ctx.block(body)
        if not ctx.is_module_code:
            self.end()
            if generates and ctx.results is None:
                finish(ctx)
        else:
            self.decl.module.finally_bound = frozenset(v for v in ctx.flow.bound if isinstance(v, GlobalVar))

    def declare_imports(self) -> None:
        """What the body imports is known in it alone; imports that may not run are refused where they stand."""
        for node in self.decl.node.body:
            if isinstance(node, tree.Import | tree.ImportFrom):
                for name, link in import_links(node, self.decl.module, self.world.root_sink):
                    self.ctx.imports[name] = link
                    self.names.assigned.pop(name, None)

    def declare_locals(self) -> None:
        for name, spans in self.names.assigned.items():
            if name in self.names.global_names:
                self.declare_global(name)
            elif name not in self.ctx.scope and name not in self.names.nonlocal_names:
                local = Local(name, span=spans[0])
                self.ctx.scope[name] = local
                self.function.locals.append(local)
                if name in self.seeds:
                    self.ctx.seeds[local] = self.seeds[name]
        for name in self.names.global_names:
            self.declare_global(name)

    def declare_global(self, name: str) -> None:
        symbol = self.decl.module.symbols.get(name)
        if isinstance(symbol, GlobalVar):
            prepare_global(self.world, symbol)

    def declare_fields(self) -> None:
        """In ``__init__`` of a program's class, fields are variables that must get values."""
        decl = self.decl
        if decl.name == "__init__" and decl.owner is not None and not decl.module.library and not decl.module.unsafe:
            assert self.ctx.self_local is not None and self.ctx.self_local.type is not None
            own = prune(self.ctx.self_local.type)
            assert isinstance(own, ClassType)
            self.ctx.own_fields = {
                name: Local(f"self.{name}")
                for name in declared_fields(self.world, own)
                if not name.endswith(MARK) and self.world.mark_of(own.decl, name) is None
            }
            post = own.decl.find_method("__post_init__") if own.decl.data is not None else None
            later = assigned_fields(post.owner, post.name) if post is not None and post.owner is not None else {}
            # Objects of exceptions have their arguments before `__init__` runs.
            inherited = {name for base in own.decl.mro() if self.world.is_exception(base) and base.module.library
                         for name in declared_fields(self.world, ClassType(base))}  # fmt: skip
            for name, marker in self.ctx.own_fields.items():
                if own.decl.is_defaulted(name) or name in later or name in inherited:
                    self.ctx.flow = self.ctx.flow.bind(marker)

    def guard_module(self) -> None:
        """The code of an imported module runs once."""
        module = self.decl.module
        if module.is_main:
            return
        done = GlobalVar(f"{module.name} is initialised", module, BOOL)
        self.function.body += [
            hir.If(0, hir.GlobalGet(BOOL, done), [hir.Return(0, None)], []),
            hir.GlobalSet(0, done, hir.Const(BOOL, True)),
        ]

    def end(self) -> None:
        """What happens when control reaches the end of the body."""
        ctx, result = self.ctx, prune(self.function.result)
        if not ctx.flow.reachable or (ctx.yields is not None and (result is NONE or isinstance(result, Optional))):
            return
        if ctx.results is not None:
            ctx.results.append(NONE)
            return
        heading = _heading(self.decl)
        ctx.require_own_fields()
        if isinstance(result, Optional):
            self.function.body.append(hir.Return(0, hir.Const(result, None)))
        elif result is NEVER:
            raise ctx.refuse(heading, f"`{self.decl.name}` can return, though its result is `NoReturn`")
        elif result is not NONE:
            if self.decl.module.library:
                self.function.body.append(hir.Trap(0))
                return
            if self.decl.owner is not None and self.decl.name in self.decl.owner.abstract:
                message = f"the abstract method '{self.decl.name}' has no result"
                self.function.body += ctx.raising("NotImplementedError", message, heading)
                return
            raise ctx.refuse(
                heading,
                f"`{self.decl.name}` can end without returning a `{result}`",
                "end it with `return …` or `raise …`",
                label="None would be returned here",
            )


def _heading(decl: FunctionDecl) -> Span:
    """The span of ``def name``."""
    start = decl.node.span
    return Span(start.start_line, start.start_col, start.start_line, start.start_col + len("def ") + len(decl.name))


def check_module(world: World, module: ModuleDecl) -> None:
    """Check a module's code, and all its functions that are not generic, whether anything calls them or not."""
    check_function(world, Instance(init_function(module)))
    for symbol in module.symbols.values():
        if isinstance(symbol, FunctionDecl):
            with suppress(Refusal):
                _check_declared(world, symbol)
        elif isinstance(symbol, ClassDecl):
            for method in (*symbol.methods.values(), *symbol.setters.values()):
                with suppress(Refusal):
                    _check_declared(world, method)
                check_override(world, symbol, method)


def _check_declared(world: World, decl: FunctionDecl) -> None:
    if decl.module.library or decl.implied:
        return
    if decl.kind == "class" and decl.owner is not None and len(decl.all_type_params) == 1:
        check_function(world, Instance(decl, (ClassType(decl.owner),)))
        return
    if not decl.all_type_params:
        check_function(world, Instance(decl))
        return
    if decl.owner is not None and len(decl.all_type_params) == len(decl.open_params):
        check_function(world, Instance(decl, tuple(_usual_type(world, decl, name) for name in decl.open_params)))
        return
    try:
        signature(world, decl)
    except Refusal:
        return


def _usual_type(world: World, decl: FunctionDecl, name: str) -> Type:
    """What an open parameter of a method is checked with: what a protocol describes, else an object of the class."""
    assert decl.owner is not None
    arguments = decl.node.args
    for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if arg.arg == name and arg.annotation is not None:
            symbol = world.symbol_named(decl.module, arg.annotation)
            found = protocol_type(world, symbol) if isinstance(symbol, ClassDecl) else None
            return found or _mark_of(world, decl, name) or ClassType(decl.owner)
    return ClassType(decl.owner)


def _mark_of(world: World, decl: FunctionDecl, name: str) -> Type | None:
    """Return the type of a parameter's default, if that is a mark: of other values the class says nothing."""
    for param in signature(world, decl).params:
        if param.name == name and param.default_var is not None:
            prepare_global(world, param.default_var)
            return param.default_var.type if param.default_var.type and is_mark(param.default_var.type) else None
    return None
