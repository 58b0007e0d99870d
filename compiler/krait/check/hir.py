"""The typed tree: what the checker makes of a program, and what the emitter turns into bytecode.

In: nothing (the checker builds these nodes). Out: expressions and statements with all sugar resolved: operators have
become instructions and calls, names have become variables, generic functions have become instances, evaluation order
is the order of the children. A middle end may transform it; so what it needs to know (types, counted loops, checked
arithmetic, which reads must ask whether a variable is bound) is said explicitly.

Invariant: every expression is evaluated exactly once, its children from left to right; types may still contain
inference variables, which are all determined when the function's check has ended (read them through `resolve`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeAlias

from krait.check.types import ClassType, GlobalVar, Instance, Local, ModuleDecl, Type
from krait.diagnostics import Span
from svm.module.interface import Interface

# --- expressions ---------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Expr:
    """Root of the expressions."""

    type: Type


@dataclass(slots=True, eq=False)
class Const(Expr):
    """A number or bool; None stands for the null reference of an optional type, or for no value if the type is None."""

    value: int | float | bool | None


@dataclass(slots=True, eq=False)
class Text(Expr):
    """A string literal: static data."""

    value: str


@dataclass(slots=True, eq=False)
class Octets(Expr):
    """A literal of ``bytes``: static data."""

    value: bytes


@dataclass(slots=True, eq=False)
class Data(Expr):
    """The address of static bytes, its own for each occurrence."""

    value: bytes


@dataclass(slots=True, eq=False)
class LocalGet(Expr):
    """The value of a local; ``checked`` raises UnboundLocalError if it has none."""

    local: Local
    checked: bool = False
    line: int = 0


@dataclass(slots=True, eq=False)
class GlobalGet(Expr):
    """The value of a module's variable; ``checked`` raises NameError if it has none."""

    var: GlobalVar
    checked: bool = False
    line: int = 0


@dataclass(slots=True, eq=False)
class Op(Expr):
    """One instruction of the bytecode, by name, on its operands.

    Checked arithmetic is ``i64.add_throw`` and its kin.
    """

    op: str
    args: list[Expr]


@dataclass(slots=True, eq=False)
class Call(Expr):
    """A call of a function instance, or of a host function.

    virtual: the callee is a method, and the class of the first argument may have a method that overrides it.
    """

    callee: Instance
    args: list[Expr]
    line: int = 0
    virtual: bool = False


@dataclass(slots=True, eq=False)
class FunctionIndex(Expr):
    """The index of a function in the table of those that are called through values, a u32."""

    callee: Instance


@dataclass(slots=True, eq=False)
class CallIndirect(Expr):
    """A call of the function with the index ``code``; the types of the arguments are exactly its parameters'."""

    code: Expr
    args: list[Expr]
    line: int = 0


@dataclass(slots=True, eq=False)
class FieldGet(Expr):
    """A field of an object that is not None."""

    object: Expr
    name: str


@dataclass(slots=True, eq=False)
class New(Expr):
    """A new object of the class ``type``, its fields zero.

    ``extra``: how many bytes more than the fields need (u32).
    """

    extra: Expr | None = None
    line: int = 0


@dataclass(slots=True, eq=False)
class Conditional(Expr):
    """``then if test else orelse``; test is a bool."""

    test: Expr
    then: Expr
    orelse: Expr


@dataclass(slots=True, eq=False)
class Let(Expr):
    """Statements, then a value."""

    body: list[Stmt]
    value: Expr


@dataclass(slots=True, eq=False)
class Load(Expr):
    """A value in memory at ``address + offset``; the type says how wide."""

    address: Expr
    offset: int = 0


@dataclass(slots=True, eq=False)
class NewItems(Expr):
    """The address, a u32, of ``count`` zeroed items in an object of their own; ``of``: what each consists of."""

    of: tuple[Type, ...]
    count: Expr
    line: int = 0


@dataclass(slots=True, eq=False)
class SizeOf(Expr):
    """Bytes of an item that consists of values of the types ``of``, a u32; or where in it the last of them lies."""

    of: tuple[Type, ...]
    offset: bool = False


@dataclass(slots=True, eq=False)
class RunsAsProgram(Expr):
    """Whether the module runs as a program, a bool; else a host calls its functions, as an importer would."""


@dataclass(slots=True, eq=False)
class Place(Expr):
    """An address that the emitter knows, a u32.

    name: ``heap_base``, behind static data; ``type_table``, the descriptors; ``size_classes``, the heap's table;
    ``stack_start`` and ``stack_end`` of what is on the shadow stack.
    """

    name: str


@dataclass(slots=True, eq=False)
class MarkGlobals(Expr):
    """Mark what the modules' variables refer to; no value."""


@dataclass(slots=True, eq=False)
class Cast(Expr):
    """The same bits as another type with the same representation."""

    value: Expr


@dataclass(slots=True, eq=False)
class IsInstance(Expr):
    """Whether an object, not None, is an instance of a class or of one that derives from it."""

    object: Expr
    cls: ClassType


@dataclass(slots=True, eq=False)
class TypeId(Expr):
    """The number of an object's class, a u32: equal for objects of the very same class."""

    object: Expr


@dataclass(slots=True, eq=False)
class ClassId(Expr):
    """The number of a class, a u32."""

    cls: ClassType


@dataclass(slots=True, eq=False)
class ClassObject(Expr):
    """The object that stands for a class as a value; its type is the class ``type[C]``.

    name: its `__qualname__`.  shown: its `repr`.  instances: the class of the objects of C, if they are objects.
    base: the object of the class that it derives from.
    """

    name: str
    module: str
    shown: str
    instances: ClassType | None
    base: ClassObject | None


@dataclass(slots=True, eq=False)
class TypeName(Expr):
    """The name of an object's class, a str."""

    object: Expr


# --- statements ----------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Stmt:
    """Root of the statements; ``line`` is the source line, 0 for that of the statement before."""

    line: int


@dataclass(slots=True, eq=False)
class Assign(Stmt):
    """Set a local."""

    local: Local
    value: Expr


@dataclass(slots=True, eq=False)
class GlobalSet(Stmt):
    """Set a module's variable."""

    var: GlobalVar
    value: Expr


@dataclass(slots=True, eq=False)
class Bind(Stmt):
    """Mark a module's variable that has no value at run time (a function's or class's name) as bound."""

    var: GlobalVar


@dataclass(slots=True, eq=False)
class Unbind(Stmt):
    """Mark a variable as without a value."""

    variable: Local | GlobalVar


@dataclass(slots=True, eq=False)
class FieldSet(Stmt):
    """Set a field of an object that is not None."""

    object: Expr
    name: str
    value: Expr


@dataclass(slots=True, eq=False)
class Store(Stmt):
    """Write a value to memory at ``address + offset``; the type ``of`` says how wide."""

    of: Type
    address: Expr
    value: Expr
    offset: int = 0


@dataclass(slots=True, eq=False)
class Evaluate(Stmt):
    """Evaluate an expression and drop its value."""

    value: Expr


@dataclass(slots=True, eq=False)
class If(Stmt):
    """``if`` of a bool."""

    test: Expr
    then: list[Stmt]
    orelse: list[Stmt]


class LoopLabel:
    """What ``break`` and ``continue`` name."""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class While(Stmt):
    """A loop; ``orelse`` runs when ``test`` (a bool; None means true) is false, not after ``break``."""

    label: LoopLabel
    test: Expr | None
    body: list[Stmt]
    orelse: list[Stmt]


@dataclass(slots=True, eq=False)
class ForRange(Stmt):
    """A counted loop: ``target`` takes ``start``, ``start + step``, … before ``stop``, like ``range``.

    The three are ints, evaluated once, in this order; ``step`` is not zero. The count is the loop's own: what the body
    assigns to ``target`` does not change it, and no addition in it overflows.
    """

    label: LoopLabel
    target: Local
    start: Expr
    stop: Expr
    step: Expr
    body: list[Stmt]
    orelse: list[Stmt]


@dataclass(slots=True, eq=False)
class Break(Stmt):
    """Leave a loop."""

    label: LoopLabel


@dataclass(slots=True, eq=False)
class Continue(Stmt):
    """Go on with a loop's next round."""

    label: LoopLabel


@dataclass(slots=True, eq=False)
class Return(Stmt):
    """Leave the function."""

    value: Expr | None


@dataclass(slots=True, eq=False)
class Raise(Stmt):
    """Throw an exception object."""

    value: Expr


@dataclass(slots=True, eq=False)
class RaiseUnbound(Stmt):
    """Raise UnboundLocalError for the variable ``name``."""

    name: str


@dataclass(slots=True, eq=False)
class Yield(Stmt):
    """Hand an item to who goes through the generator. `machine` turns it into leaving the function and coming back.

    delegates: what is thrown into the generator meanwhile is not raised here: it is for the one that gave the item.
    before, behind: what is done when the generator is left, and when it goes on.
    """

    value: Expr
    delegates: bool
    before: list[Stmt]
    behind: list[Stmt]


@dataclass(slots=True, eq=False)
class Handle(Stmt):
    """Run ``body``; if an exception arises in it, put its object into ``caught`` and run ``handler``."""

    body: list[Stmt]
    caught: Local
    handler: list[Stmt]


@dataclass(slots=True, eq=False)
class Trap(Stmt):
    """Stop the guest: this point cannot be reached."""


Block: TypeAlias = list[Stmt]


# --- the program ---------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Function:
    """A checked function instance.

    ``locals`` does not include ``params``; ``callees`` is what its body refers to, and where; ``nested`` are the
    functions within it.
    """

    instance: Instance
    name: str
    module: ModuleDecl
    params: list[Local]
    result: Type
    line: int
    body: list[Stmt] = field(default_factory=list)
    locals: list[Local] = field(default_factory=list)
    callees: list[tuple[Instance, Span]] = field(default_factory=list)
    nested: list[Function] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Export:
    """A function that a host can call by a name: one of the program's, or what calls it with values from memory."""

    name: str
    function: Instance


@dataclass(frozen=True, slots=True)
class Buffer:
    """What the host writes values into: what makes it, and the variables that say where it is and how large."""

    room: Instance
    address: GlobalVar
    size: GlobalVar


@dataclass(slots=True)
class Support:
    """What the emitter itself refers to.

    Library functions, exceptions with their ``__init__``, and the class of texts.
    """

    allocate: Instance
    allocate_items: Instance
    refill: Instance
    shade: Instance
    flush: Instance
    describe: Instance
    describe_utf8: Instance
    integer_overflow: Instance
    unbound_local: tuple[ClassType, Instance]
    name_error: tuple[ClassType, Instance]
    stress: GlobalVar
    text: ClassType


@dataclass(slots=True)
class Program:
    """A whole program: ``functions`` are those that ``_start`` and ``support`` reach, ``initialisers`` run in order.

    exports: what a host can call, which counts as reached.
    interface: what passes between the program and its host.  buffer: for the host, if it needs one.
    overriders: the methods of derived classes that take the place of a method, with their classes, the most derived
    first.
    fields: the fields of a class instance, bases' first, with their types.
    """

    main: ModuleDecl
    functions: dict[Instance, Function]
    overriders: Callable[[Instance], list[tuple[Instance, ClassType]]]
    initialisers: list[Function]
    exports: list[Export]
    interface: Interface
    buffer: Buffer | None
    support: Support
    fields: Callable[[ClassType], list[tuple[str, Type]]]

    def callees(self, call: Call) -> list[Instance]:
        """Return the functions that a call may mean, also those of classes that there are no objects of."""
        callee = call.callee.resolved()
        return [callee, *(other for other, _ in self.overriders(callee))] if call.virtual else [callee]

    @property
    def makers(self) -> list[Instance]:
        """The functions that the emitter calls where it makes objects itself, or marks them."""
        found = self.support
        exceptions = [found.integer_overflow, found.unbound_local[1], found.name_error[1]]
        return [found.allocate, found.allocate_items, found.refill, found.shade, *exceptions]


def walk(nodes: Iterable[Expr | Stmt]) -> Iterator[Expr | Stmt]:
    """All expressions and statements of a tree, parents before their children."""
    pending = list(nodes)
    while pending:
        node = pending.pop()
        yield node
        pending.extend(children(node))


def rewrite(
    statements: list[Stmt], expression: Callable[[Expr], Expr], block: Callable[[list[Stmt]], list[Stmt]]
) -> None:
    """Replace the expressions and blocks of a tree, children before their parents."""
    for node in statements:
        _rewrite_fields(node, expression, block)
    statements[:] = block(statements)


def _rewrite_fields(
    node: Expr | Stmt, expression: Callable[[Expr], Expr], block: Callable[[list[Stmt]], list[Stmt]]
) -> None:
    for part in _child_fields(type(node)):
        name = part.name
        value = getattr(node, name)
        if isinstance(value, list):
            if value and isinstance(value[0], Stmt):
                rewrite(value, expression, block)
            else:
                for item in value:
                    _rewrite_fields(item, expression, block)
                value[:] = map(expression, value)
        elif value is not None:
            _rewrite_fields(value, expression, block)
            setattr(node, name, expression(value))


def children(node: Expr | Stmt) -> list[Expr | Stmt]:
    """The expressions and statements directly below a node, in order."""
    return (_LISTERS.get(type(node)) or _lister(type(node)))(node)


def _lister(kind: type[Expr | Stmt]) -> Callable[[Any], list[Expr | Stmt]]:
    """Make, once for a class, the function that lists the children of its nodes: all passes spend their time there."""
    forms = {"Expr": "node.{0},", "Expr | None": "*(() if node.{0} is None else (node.{0},)),"}
    parts = [forms.get(str(part.type), "*node.{0},").format(part.name) for part in _child_fields(kind)]
    made: Callable[[Any], list[Expr | Stmt]] = eval(f"lambda node: [{' '.join(parts)}]")
    return _LISTERS.setdefault(kind, made)


def _child_fields(kind: type[Expr | Stmt]) -> tuple[Field[Any], ...]:
    """The fields that hold expressions, statements or lists of them."""
    known = _CHILDREN.get(kind)
    if known is None:
        known = _CHILDREN[kind] = tuple(part for part in fields(kind) if part.type in _NODE_TYPES)
    return known


_NODE_TYPES = frozenset({"Expr", "Expr | None", "list[Expr]", "list[Stmt]"})
_CHILDREN: dict[type[Expr | Stmt], tuple[Field[Any], ...]] = {}
_LISTERS: dict[type[Expr | Stmt], Callable[[Any], list[Expr | Stmt]]] = {}
