"""The check of one function instance: its state, and the registry of rules for each kind of syntax node.

In: syntax nodes. Out: typed trees, through the rules that the modules of this package register with `expression` and
`statement`. The rules call one another through `Context.expr` and `Context.block`, so that their modules need not
import each other.

Invariant: the walk goes in program order, so `Context.flow` is what is known just before the node at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from krait.check import hir
from krait.check.flow import Flow, Variable
from krait.check.names import Names, scan
from krait.check.types import (
    NEVER,
    NONE,
    ClassDecl,
    ClassType,
    FunctionType,
    GlobalVar,
    Import,
    Instance,
    Local,
    ModuleDecl,
    Symbol,
    Type,
    is_known,
    optional,
    prune,
    resolve,
    union,
)
from krait.check.vocabulary import OPERANDS
from krait.check.world import Refusal, World
from krait.diagnostics import Note, Span, source_lines
from krait.syntax import tree

ExpressionRule = Callable[["Context", Any, Type | None], hir.Expr]
StatementRule = Callable[["Context", Any], None]

_EXPRESSIONS: dict[type[tree.AST], ExpressionRule] = {}
_STATEMENTS: dict[type[tree.AST], StatementRule] = {}

_E = TypeVar("_E", bound=ExpressionRule)
_S = TypeVar("_S", bound=StatementRule)


def expression(*nodes: type[tree.AST]) -> Callable[[_E], _E]:
    """Register the rule for a kind of expression."""

    def register(rule: _E) -> _E:
        _EXPRESSIONS.update(dict.fromkeys(nodes, rule))
        return rule

    return register


def statement(*nodes: type[tree.AST]) -> Callable[[_S], _S]:
    """Register the rule for a kind of statement."""

    def register(rule: _S) -> _S:
        _STATEMENTS.update(dict.fromkeys(nodes, rule))
        return rule

    return register


@dataclass(slots=True)
class Loop:
    """An enclosing loop: where ``break`` and ``continue`` go, and the flows that arrive there."""

    label: hir.LoopLabel
    breaks: list[Flow] = field(default_factory=list)
    continues: list[Flow] = field(default_factory=list)


@dataclass(slots=True)
class Finally:
    """An enclosing ``finally`` clause, seen from within its ``try``.

    label: leaving this loop of one round leads to the clause.  action: where to go when it has run; ``used`` gives the
    codes.  loops: how many loops enclose it.  value: what a ``return`` that passes through it returns.
    """

    label: hir.LoopLabel
    action: Local
    loops: int
    used: dict[str, int] = field(default_factory=dict)
    value: Local | None = None


class Context:
    """The state of the check of one function instance."""

    def __init__(self, world: World, instance: Instance, function: hir.Function, names: Names) -> None:
        self.world = world
        self.instance = instance
        self.module: ModuleDecl = instance.decl.module
        self.function = function
        self.names = names
        self.params: dict[str, Type] = {param.name: value for param, value in instance.env.items()}
        self.scope: dict[str, Local] = {}
        self.flow = Flow()
        self.loops: list[Loop] = []
        self.finals: list[Finally] = []
        self.closings = 0
        self.caught: list[Local] = []
        self.out: list[hir.Stmt] = []
        self.line = function.line
        self.self_local: Local | None = None
        self.own_fields: dict[str, Local] | None = None
        self.attribute_base: tree.expr | None = None
        self.not_ring: set[int] = set()
        self.unknown_met = False
        self.seeds: dict[Local, Type] = {}
        self.widened: dict[str, Type] = {}
        self.open_types: set[str] = set()
        self.imports: dict[str, Import] = {}
        self.parent: Context | None = None
        self.yields: Type | None = None
        self.at_once: tree.expr | None = None
        self.generator: Local | None = None
        self.lambda_name = ""
        self.results: list[Type] | None = None
        self.returned: list[Type] = []
        self.lambdas: dict[str, FunctionType] = {}
        self.known_lambdas: dict[str, Type] = {}
        self.classes: dict[str, ClassType] = {}
        self.class_body: ClassDecl | None = None
        self.any_order: set[Span] = set()

    @property
    def is_module_code(self) -> bool:
        """Whether this is the code at the top level of a module."""
        return self.function.name == "<module>"

    @property
    def class_of_method(self) -> ClassType | None:
        """The class that the method being checked belongs to, with the values of its type parameters."""
        owner = self.instance.decl.owner
        return ClassType(owner, self.instance.args[: len(owner.type_params)]) if owner is not None else None

    @property
    def mixes_items(self) -> bool:
        """Whether what holds floats holds ints as well, here."""
        return bool(self.world.mixes) and not self.module.library

    @property
    def is_idle(self) -> bool:
        """Whether what follows is for values of other types than those that the function is checked for here."""
        decl = self.instance.decl
        is_generic = bool(decl.open_params) or (decl.module.library and decl.owner is None and bool(decl.type_params))
        return not self.flow.reachable and is_generic

    @property
    def is_made(self) -> bool:
        """Whether this is a method that no program wrote, but a decorator or base made."""
        owner = self.instance.decl.owner
        made = owner is not None and (owner.data is not None or bool(owner.enum))
        return made and owner is not None and self.instance.decl.node not in owner.node.body

    # --- errors ----------------------------------------------------------------------------------------------------

    def refuse(self, span: Span, message: str, *hints: str, label: str = "", notes: Iterable[Note] = ()) -> Refusal:
        """Report an error and return the exception to raise."""
        return self.world.refuse(
            self.module, span, message, label=label, hints=hints, notes=notes, instance=self.instance
        )

    def later(self, span: Span, what: str, instead: str = "") -> Refusal:
        """Report something of Python that Krait does not have yet."""
        return self.refuse(span, f"not yet part of Krait: {what}", *([instead] if instead else []))

    def mismatch(
        self, span: Span, expected: Type | str, found: Type, *hints: str, notes: Iterable[Note] = ()
    ) -> Refusal:
        """Report a value of the wrong type."""
        want = expected if isinstance(expected, str) else f"`{expected}`"
        return self.refuse(span, f"expected {want}, found `{found}`", *hints, label=f"this is `{found}`", notes=notes)

    def unknown(self, span: Span, what: str) -> Refusal:
        """Report that something is asked of a value whose type nothing has determined so far."""
        self.unknown_met = True
        return self.refuse(
            span,
            f"the type of {what} is not known here",
            "say it where the variable gets its first value: `xs: list[int] = []`",
        )

    @staticmethod
    def span_of_line(line: int) -> Span:
        """Return the span that stands for a whole line."""
        return Span(line, 0, line, 0)

    def text_at(self, span: Span) -> str:
        """Return the source at a span, up to the end of its first line."""
        lines = source_lines(self.module.source)
        line = lines[span.start_line - 1] if 0 < span.start_line <= len(lines) else ""
        return line[span.start_col : span.end_col] if span.start_line == span.end_line else line[span.start_col :]

    # --- walking ---------------------------------------------------------------------------------------------------

    def expr(self, node: tree.expr, expected: Type | None = None) -> hir.Expr:
        """Check an expression. ``expected`` is what the context would like, for literals; it need not be met."""
        return _EXPRESSIONS[type(node)](self, node, expected)

    def attempt(self, nodes: Iterable[tuple[tree.expr, Type | None]]) -> list[hir.Expr]:
        """Check several expressions, all of them even if one is wrong, so that every error is reported."""
        done: list[hir.Expr] = []
        failed: Refusal | None = None
        for node, expected in nodes:
            try:
                done.append(self.expr(node, expected))
            except Refusal as refusal:
                failed = failed or refusal
        if failed is not None:
            raise failed
        return done

    def block(self, statements: Iterable[tree.stmt]) -> hir.Block:
        """Check statements and return what they became."""
        with self.collect() as block:
            for node in statements:
                if self.is_idle:
                    break
                self.statement(node)
        return block

    def statement(self, node: tree.stmt) -> None:
        """Check a statement; an error in it is reported, and the check goes on behind it."""
        self.line = node.span.start_line
        self.at_once = node.value if isinstance(node, tree.Assign | tree.AnnAssign | tree.Return) else None
        try:
            _STATEMENTS[type(node)](self, node)
        except Refusal:
            self.spoil(node)
            if isinstance(node, tree.Return | tree.Raise):
                self.flow = self.flow.stop()

    def spoil(self, node: tree.AST) -> None:
        """Let no variable or field that a refused statement would have set cause a second error."""
        names = scan([node])
        for name in names.fields & (self.own_fields or {}).keys():
            assert self.own_fields is not None
            self.flow = self.flow.bind(self.own_fields[name])
        for name in names.assigned:
            variable = self.variable(name)
            if variable is not None:
                if variable.type is None:
                    variable.broken = True
                self.flow = self.flow.bind(variable)

    # --- building --------------------------------------------------------------------------------------------------

    def emit(self, node: hir.Stmt) -> None:
        """Append a statement to the block being built."""
        self.out.append(node)

    @contextmanager
    def collect(self) -> Iterator[hir.Block]:
        """Collect the statements emitted within into a block of their own."""
        outer, self.out = self.out, []
        try:
            yield self.out
        finally:
            self.out = outer

    def temp(self, t: Type, name: str = "$") -> Local:
        """Return a new local of the compiler's own."""
        local = Local(name, t)
        self.function.locals.append(local)
        return local

    @contextmanager
    def naming(self, *variables: Local) -> Iterator[None]:
        """Let names mean these variables within, which have values; outside they mean what they did before."""
        hidden = {local.name: self.scope.get(local.name) for local in variables}
        for local in variables:
            self.scope[local.name] = local
            self.flow = self.flow.bind(local)
        try:
            yield
        finally:
            for name, old in hidden.items():
                if old is None:
                    del self.scope[name]
                else:
                    self.scope[name] = old

    def let(self, values: Mapping[str, hir.Expr], check: Callable[[], hir.Expr]) -> hir.Expr:
        """Return what ``check`` makes while values, evaluated before and in order, have names of their own."""
        kept = [Local(name, value.type, stable=True) for name, value in values.items()]
        self.function.locals.extend(kept)
        with self.naming(*kept), self.collect() as within:
            made = check()
        given: hir.Block = [hir.Assign(self.line, local, values[local.name]) for local in kept]
        return hir.Let(made.type, [*given, *within], made)

    def hold(self, value: hir.Expr) -> tuple[hir.Block, hir.Expr]:
        """Return statements that evaluate ``value`` once, and an expression that can be repeated for its result."""
        if isinstance(value, hir.Const | hir.Text | hir.Octets) or (
            isinstance(value, hir.LocalGet) and value.local.name.startswith("$")
        ):
            return [], value
        local = self.temp(value.type)
        return [hir.Assign(self.line, local, value)], hir.LocalGet(value.type, local)

    def call(
        self, callee: Instance, args: list[hir.Expr], result: Type, span: Span, *, virtual: bool = False
    ) -> hir.Expr:
        """Return a call, and note that the instance is needed."""
        self.need(callee, span)
        if not callee.decl.module.library:
            self.note_program_call()
        if prune(result) is NEVER:
            self.flow = self.flow.stop()
        return hir.Call(result, callee, args, span.start_line, virtual)

    def need(self, callee: Instance, span: Span) -> None:
        """Note that the function being checked refers to ``callee``."""
        self.function.callees.append((callee, span))
        if callee.decl.open_params and callee.decl.owner is not None and callee.decl.name not in OPERANDS:
            self.world.note_called(callee)

    def note_program_call(self) -> None:
        """Some function of the program runs here: what is bound now is bound whenever one runs."""
        if self.is_module_code:
            bound = frozenset(v for v in self.flow.bound if isinstance(v, GlobalVar))
            self.module.bound = bound if self.module.bound is None else self.module.bound & bound

    def library(self, module: str, name: str, args: list[hir.Expr], result: Type, span: Span, *types: Type) -> hir.Expr:
        """Return a call of a function of the library."""
        return self.call(self.world.library_function(module, name, *types), args, result, span)

    def exception(self, name: str, message: hir.Expr | str | None, span: Span) -> hir.Expr:
        """Return a new object of a built-in exception class with one argument, or without."""
        cls = self.world.library_class(name)
        given = optional(self.world.str_type)
        if message is None:
            argument: hir.Expr = hir.Const(given, None)
        else:
            argument = hir.Cast(given, hir.Text(self.world.str_type, message) if isinstance(message, str) else message)
        local = self.temp(cls)
        init = cls.decl.find_method("__init__")
        assert init is not None
        made = hir.New(cls, None, span.start_line)
        call = self.call(Instance(init), [hir.LocalGet(cls, local), argument, hir.Const(given, None)], NONE, span)
        body: hir.Block = [hir.Assign(self.line, local, made), hir.Evaluate(self.line, call)]
        return hir.Let(cls, body, hir.LocalGet(cls, local))

    def raising(self, name: str, message: hir.Expr | str | None, span: Span) -> hir.Block:
        """Return statements that raise a built-in exception."""
        return [hir.Raise(span.start_line, self.exception(name, message, span))]

    # --- variables -------------------------------------------------------------------------------------------------

    def variable(self, name: str) -> Variable | None:
        """Return the variable that an assignment to ``name`` sets here, None if the name means something else."""
        if name in self.scope:
            return self.scope[name]
        if self.is_module_code or name in self.names.global_names:
            symbol = self.module.symbols.get(name)
            return symbol if isinstance(symbol, GlobalVar) else None
        return None

    def owns(self, variable: Variable) -> bool:
        """Return whether nothing but the function being checked can assign to a variable."""
        if isinstance(variable, Local):
            return variable.cell is None or variable.stable
        return self.is_module_code and variable.module is self.module and variable.name not in self.module.shared

    def widen(self, variable: Variable, given: Type) -> None:
        """Note that a variable is given a value of another type than its first one: it may have both."""
        ctx = self._owner(variable)
        if ctx is None or variable.type is None or prune(given) is NEVER:
            return
        if is_known(variable.type) and is_known(given):
            known = ctx.widened.get(variable.name, variable.type)
            ctx.widened[variable.name] = resolve(union((known, given)))

    def widen_to(self, variable: Variable, whole: Type) -> None:
        """Note that a variable has a wider type than its first value, when its function is checked anew."""
        ctx = self._owner(variable)
        if ctx is not None and is_known(whole):
            ctx.widened[variable.name] = resolve(whole)

    def _owner(self, variable: Variable) -> Context | None:
        """Return the check of the function whose own variable this is, None if it is none of those around this one."""
        if variable.name.startswith("$"):
            return None  # it is not there when the function is checked anew
        if isinstance(variable, GlobalVar):
            return self if self.is_module_code and variable.module is self.module else None
        ctx = self
        while ctx.parent is not None and ctx.scope[variable.name].captured:
            ctx = ctx.parent
        return ctx if ctx.scope.get(variable.name) is not None else None

    def widen_parameter(self, annotation: tree.expr | None, known: Type, given: Type) -> None:
        """Note that a function within this one is given another type than before for a parameter without annotation."""
        name = annotation.id if isinstance(annotation, tree.Name) else ""
        ctx: Context | None = self
        while ctx is not None and name not in ctx.open_types:
            ctx = ctx.parent
        if ctx is not None and is_known(known) and is_known(given) and prune(given) is not NEVER:
            ctx.widened[name] = resolve(union((ctx.widened.get(name, known), given)))

    @property
    def runs_with_module(self) -> bool:
        """Whether this is a function within the code of a module, checked while that is not yet checked to its end."""
        return self.parent is not None and (self.parent.is_module_code or self.parent.runs_with_module)

    def lookup(self, name: str) -> Symbol | None:
        """Return what a name that is no local variable means here."""
        link = self.imports.get(name)
        return self.world.lookup(self.module, name) if link is None else self.world.follow(self.module, link)

    def require_own_fields(self) -> None:
        """At an end of ``__init__``: fields without values are noted."""
        if self.own_fields is not None and self.flow.reachable:
            self.note_late()

    def note_late(self) -> None:
        """Note that the fields of the object that are without values now can be without."""
        owner = self.instance.decl.owner
        assert owner is not None and self.own_fields is not None
        for name, marker in self.own_fields.items():
            if not self.flow.is_bound(marker):
                self.world.found_late.add((owner, name))
