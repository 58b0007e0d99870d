"""Types, and the declarations that types and expressions refer to.

In: nothing. Out: the kinds of types with the questions that can be asked of them without looking into a program
(`prune`, `substitute`, `display`), and one class per kind of declaration; these refer to one another.

Invariant: two equal types are equal by ``==`` once `resolve` has taken the inference variables out of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import TypeAlias

from krait.check.data import DataOptions
from krait.diagnostics import Span
from krait.syntax import tree

# --- types ---------------------------------------------------------------------------------------------------------

class Type:
    """Root of the types."""

    __slots__ = ()

    def __str__(self) -> str:
        return display(self)


@dataclass(frozen=True, slots=True, eq=False)
class Primitive(Type):
    """A type whose values are not objects of the heap.  size: bytes of a field or element of the type."""

    name: str
    size: int
    __str__ = Type.__str__


INT = Primitive("int", 8)
FLOAT = Primitive("float", 8)
BOOL = Primitive("bool", 1)
NONE = Primitive("None", 0)
"""The type of ``None`` alone: the result of a function without one. It has no value at run time."""
NEVER = Primitive("NoReturn", 0)
"""The type of an expression that does not return."""
U8 = Primitive("u8", 1)
U16 = Primitive("u16", 2)
U32 = Primitive("u32", 4)
U64 = Primitive("u64", 8)
I32 = Primitive("i32", 4)
F32 = Primitive("f32", 4)
OWNED = Primitive("owned", 4)
"""The type that a field is declared with if it holds the address of items, 0 if none: to all but the collector, u32."""

CLASSES = "krait.class_of"
"""The module of the library that declares ``type[C]``, the type of classes as values."""

FIXED = (U8, U16, U32, U64, I32)
"""The integer types of ``krait.unsafe``, whose arithmetic wraps."""


@dataclass(frozen=True, slots=True)
class ClassType(Type):
    """An instance of a class that lives on the heap; ``args`` are the values of the class's type parameters."""

    decl: ClassDecl
    args: tuple[Type, ...] = ()
    __str__ = Type.__str__


@dataclass(frozen=True, slots=True)
class Optional(Type):
    """``inner | None``; ``inner`` is never itself optional."""

    inner: Type
    __str__ = Type.__str__


@dataclass(slots=True, eq=False)
class Union(Type):
    """``A | B``: at least two types, of which none is None, optional or a union; make it by `union`.

    alias: the name of a type that contains itself. It is equal to itself alone, and has its members later.
    """

    members: tuple[Type, ...]
    alias: str = ""
    __str__ = Type.__str__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Union) or self.alias or other.alias:
            return self is other
        return frozenset(self.members) == frozenset(other.members)

    def __hash__(self) -> int:
        return id(self) if self.alias else hash(frozenset(self.members))


OBJECT = "object"
"""The alias of the union of all that becomes an ``object`` in a program; it is known when all else has been checked."""


@dataclass(frozen=True, slots=True)
class FunctionType(Type):
    """``Callable[[params], result]``: an object of the heap whose first field says which function to call."""

    params: tuple[Type, ...]
    result: Type
    __str__ = Type.__str__


@dataclass(frozen=True, slots=True, eq=False)
class TypeParam(Type):
    """A parameter of a generic class or function. Present in signatures only: bodies are checked per instance.

    usual: what it can stand for where a body must be checked before any call says what it stands for.
    pack: it stands for the parameters of a function: a `Pack`.
    """

    name: str
    usual: Type | None = None
    pack: bool = False
    __str__ = Type.__str__


@dataclass(frozen=True, slots=True)
class Pack(Type):
    """The parameters of a function: what a ``ParamSpec`` stands for, in the place of the types in a `FunctionType`."""

    types: tuple[Type, ...]
    __str__ = Type.__str__


@dataclass(slots=True, eq=False)
class Infer(Type):
    """A type not yet known, and what it turned out to be.  pack: it will be a `Pack`."""

    link: Type | None = None
    pack: bool = False
    __str__ = Type.__str__

    @classmethod
    def of(cls, param: TypeParam) -> Infer:
        """Return what a type parameter stands for, which is not yet known."""
        return cls(pack=param.pack)


def prune(t: Type) -> Type:
    """Return what ``t`` stands for, following inference variables at its root."""
    while isinstance(t, Infer) and t.link is not None:
        t = t.link
    return t


def resolve(t: Type) -> Type:
    """Return ``t`` without inference variables. One that nothing has determined can hold no value: it becomes int."""
    t = prune(t)
    if isinstance(t, Infer):
        return Pack(()) if t.pack else INT
    if isinstance(t, Pack):
        return Pack(tuple(map(resolve, t.types)))
    if isinstance(t, ClassType):
        args = tuple(map(resolve, t.args))
        return t if _are(args, t.args) else ClassType(t.decl, args)
    if isinstance(t, Optional):
        inner = resolve(t.inner)
        return t if inner is t.inner else Optional(inner)
    if isinstance(t, FunctionType):
        parts = (*unpacked(map(resolve, t.params)), resolve(t.result))
        before = (*t.params, t.result)
        return t if len(parts) == len(before) and _are(parts, before) else FunctionType(parts[:-1], parts[-1])
    if isinstance(t, Union) and not t.alias:
        members = tuple(map(resolve, t.members))
        return t if _are(members, t.members) else union(members)
    return t


def unpacked(parts: Iterable[Type]) -> tuple[Type, ...]:
    """Return the parameters of a function, where a pack is known with its types in its place."""
    found: list[Type] = []
    for part in map(prune, parts):
        found += part.types if isinstance(part, Pack) else (part,)
    return tuple(found)


def open_pack(t: FunctionType) -> Infer | None:
    """Return the pack that a function's parameters are, if it is not yet known."""
    part = prune(t.params[0]) if len(t.params) == 1 else None
    return part if isinstance(part, Infer) and part.pack else None


def _are(found: tuple[Type, ...], before: tuple[Type, ...]) -> bool:
    """Whether they are the same objects: most types hold no variables, and to make them anew takes long."""
    return all(map(is_, found, before))


def is_known(t: Type) -> bool:
    """Return whether ``t`` holds no undetermined inference variable."""
    t = prune(t)
    return not isinstance(t, Infer) and all(map(is_known, parts_of(t)))


def parts_of(t: Type) -> tuple[Type, ...]:
    """Return the types that a type consists of; of a union with a name, none."""
    if isinstance(t, ClassType):
        return t.args
    if isinstance(t, FunctionType):
        return (*t.params, t.result)
    if isinstance(t, Union):
        return () if t.alias else t.members
    if isinstance(t, Pack):
        return t.types
    return (t.inner,) if isinstance(t, Optional) else ()


def substitute(t: Type, env: Mapping[TypeParam, Type]) -> Type:
    """Return ``t`` with type parameters replaced by their values in ``env``."""
    t = prune(t)
    if isinstance(t, TypeParam):
        return env.get(t, t)
    if isinstance(t, ClassType) and t.args:
        return ClassType(t.decl, tuple(substitute(arg, env) for arg in t.args))
    if isinstance(t, Optional):
        return optional(substitute(t.inner, env))
    if isinstance(t, FunctionType):
        return FunctionType(unpacked(substitute(part, env) for part in t.params), substitute(t.result, env))
    if isinstance(t, Pack):
        return Pack(tuple(substitute(part, env) for part in t.types))
    if isinstance(t, Union) and not t.alias:
        return union(substitute(part, env) for part in t.members)
    return t


def optional(t: Type) -> Type:
    """Return ``t | None``."""
    t = prune(t)
    return t if isinstance(t, Optional) or t is NONE else Optional(t)


def union(parts: Iterable[Type]) -> Type:
    """Return ``A | B | …`` in its simplest form: one type is itself, and None makes the whole optional."""
    members: list[Type] = []
    is_optional = False
    pending = [*parts][::-1]
    while pending:
        part = prune(pending.pop())
        if isinstance(part, Optional):
            is_optional = True
            pending.append(part.inner)
        elif part is NONE:
            is_optional = True
        elif isinstance(part, Union) and part.alias == OBJECT:
            return Optional(part)
        elif isinstance(part, Union):
            pending.extend(reversed(part.members))
        elif part is not NEVER and part not in members:
            members.append(part if not isinstance(part, FunctionType) else _joined_functions(members, part))
    if not members:
        return NONE if is_optional else NEVER
    made = members[0] if len(members) == 1 else Union(tuple(members))
    return Optional(made) if is_optional else made


def _joined_functions(members: list[Type], part: FunctionType) -> FunctionType:
    """Return a function, and the one of some types that takes the same, as one: none says beforehand what it gives."""
    for t in members:
        if isinstance(t, FunctionType) and tuple(map(prune, t.params)) == tuple(map(prune, part.params)):
            members.remove(t)
            return FunctionType(part.params, union((t.result, part.result)))
    return part


def members_of_union(t: Type) -> tuple[Type, ...]:
    """Return the types of a union, None left out; of any other type, itself."""
    t = prune(t)
    if isinstance(t, Optional):
        t = prune(t.inner)
    return t.members if isinstance(t, Union) and t.alias != OBJECT else (t,)


def is_object(t: Type) -> bool:
    """Return whether a type is ``object``, of which nothing or only that it is not None is known."""
    t = prune(t)
    if isinstance(t, Optional):
        t = prune(t.inner)
    return isinstance(t, Union) and t.alias == OBJECT


def base_of(cls: ClassType) -> ClassType | None:
    """Return the class that a class derives from, with values for its type parameters; of ``type[C]``, that of C's."""
    decl = cls.decl
    if decl.base is None:
        return None
    if decl.module.name == CLASSES:
        inner = prune(cls.args[0])
        up = base_of(inner) if isinstance(inner, ClassType) else None
        return ClassType(decl.base) if up is None else ClassType(decl, (up,))
    env = dict(zip(decl.type_params, cls.args, strict=True))
    return ClassType(decl.base, tuple(substitute(arg, env) for arg in decl.base_args))


def ancestor(cls: ClassType, decl: ClassDecl) -> ClassType | None:
    """Return the class ``decl`` as ``cls`` or one of its bases, None if it is none of them."""
    found: ClassType | None = cls
    while found is not None and found.decl is not decl:
        found = base_of(found)
    return found


def display(t: Type) -> str:
    """Return the text of a type as a program would write it; ``?`` where it is not yet known."""
    t = prune(t)
    if isinstance(t, Primitive | TypeParam):
        return t.name
    if isinstance(t, ClassType):
        more = ", ..." if t.decl.module.name == "krait.tuple" else ""
        return f"{t.decl.name}[{', '.join(map(display, t.args))}{more}]" if t.args else t.decl.name
    if isinstance(t, Optional):
        return OBJECT if is_object(t) else f"{display(t.inner)} | None"
    if isinstance(t, Pack):
        return f"[{', '.join(map(display, t.types))}]"
    if isinstance(t, FunctionType) and open_pack(t) is not None:
        return f"Callable[..., {display(t.result)}]"
    if isinstance(t, FunctionType):
        return f"Callable[[{', '.join(map(display, t.params))}], {display(t.result)}]"
    if isinstance(t, Union):
        return t.alias or " | ".join(map(display, t.members))
    return "?"


# --- declarations --------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class GlobalVar:
    """A variable of a module. ``type`` is None until an annotation or an assignment gives it one.

    constant: its value, where it is assigned once and to a number that is known at compile time.
    needs_flag: some read of it must ask at run time whether it is bound.
    initial: its value before any code runs (bytes: the address of static bytes); only in the library's own modules.
    """

    name: str
    module: ModuleDecl
    type: Type | None = None
    constant: int | float | None = None
    initial: int | float | bytes | str | None = None
    needs_flag: bool = False
    broken: bool = False
    annotated: bool = False
    span: Span | None = None
    typed_at: Span | None = None


@dataclass(slots=True, eq=False)
class Local:
    """A local variable or parameter of one function instance, or a temporary of the compiler (``$…``).

    needs_flag: some read of it must ask at run time whether it is bound.  captured: it belongs to the function around.
    cell: where the value is kept if functions within this one use the variable and its value can change under them.
    stable: such functions may keep a copy of the value.  function: what a ``def`` within the function names by it.
    """

    name: str
    type: Type | None = None
    needs_flag: bool = False
    broken: bool = False
    annotated: bool = False
    span: Span | None = None
    typed_at: Span | None = None
    cell: Local | None = None
    stable: bool = False
    function: FunctionDecl | None = None
    captured: bool = False


@dataclass(slots=True)
class Parameter:
    """A parameter of a function.

    variadic: it takes all further arguments by position, each of the type ``item``; its own: a tuple of them.
    keywords: it takes all further ones by name, in a dict.  of: the type of the items, if anything iterable will do.
    A default that is not a constant is computed when ``def`` runs and kept: in ``default_var``, or for a function
    within another one in the field ``default_field`` of the function's object. ``factory`` computes it at each call.
    """

    name: str
    type: Type
    default: tree.expr | None
    keyword_only: bool
    positional_only: bool
    span: Span
    variadic: bool = False
    keywords: bool = False
    of: Type | None = None
    item: Type | None = None
    default_var: GlobalVar | None = None
    default_field: str | None = None
    factory: FunctionDecl | None = None
    annotation: tree.expr | None = None


@dataclass(slots=True)
class Signature:
    """What a call must give and gets, in terms of the type parameters. ``receiver`` is the type of ``self``."""

    params: tuple[Parameter, ...]
    result: Type


@dataclass(slots=True, eq=False)
class FunctionDecl:
    """A function or method as it is declared. ``host`` names the import that a ``@host`` function stands for.

    kind: ``function``, ``method`` (takes self), ``static``, ``property``, ``setter``, ``class`` (its last type
    parameter is the class that it is called on), ``nested`` (takes the function's own object).
    scope: for a function within another one, what type parameters' names mean there.  closure: the class of its object.
    factories: what makes the defaults of parameters anew for each call.
    open_params: parameters declared as ``object`` or as a protocol, each with the type parameter that stands for it.
    exported: where ``@export`` stands.  implied: a class has it without saying so; it is checked where it is needed.
    variants: the same for calls that give ints for the floats of some parameters, None where that will not do.
    last: the same for the second of two operands that are asked in turn; is_last: this is such a one.
    overloads: what ``@overload`` says of it: parameters and results.
    """

    name: str
    module: ModuleDecl
    node: tree.FunctionDef
    owner: ClassDecl | None = None
    kind: str = "function"
    host: tuple[str, str] | None = None
    type_params: tuple[TypeParam, ...] = ()
    signature: Signature | None = None
    broken: bool = False
    bound_var: GlobalVar | None = None
    scope: Mapping[str, Type] = field(default_factory=dict)
    closure: ClassDecl | None = None
    factories: dict[str, FunctionDecl] = field(default_factory=dict)
    open_params: dict[str, TypeParam] = field(default_factory=dict)
    exported: Span | None = None
    implied: bool = False
    variants: dict[frozenset[tuple[str, Type]], FunctionDecl | None] = field(default_factory=dict)
    last: FunctionDecl | None = None
    is_last: bool = False
    overloads: tuple[FunctionDecl, ...] = ()

    @property
    def qualified_name(self) -> str:
        """The name with its class's, as tracebacks show it."""
        return f"{self.owner.name}.{self.name}" if self.owner is not None else self.name

    @property
    def all_type_params(self) -> tuple[TypeParam, ...]:
        """The class's type parameters, then the function's own: what an instance gives values to."""
        return (self.owner.type_params if self.owner is not None else ()) + self.type_params


@dataclass(slots=True, eq=False)
class ClassVariable:
    """A variable of a class. is_default: instances have a field of that name, which begins so.  mark: whether it has a
    value, where it may have none of its own (`class_variables`).
    """

    name: str
    owner: ClassDecl
    node: tree.Assign | tree.AnnAssign
    var: GlobalVar
    is_default: bool
    mark: GlobalVar | None = None


@dataclass(slots=True, eq=False)
class ClassDecl:
    """A class as it is declared. ``primitive`` is set for the built-in classes whose values are not heap objects.

    base_args: what the base's type parameters are, in terms of the class's own.  setters: of properties, by name.
    variables: of the class itself.  abstract: names of the methods that its own body declares abstract.
    data: for a dataclass, what its decorator says.  enum: for an enum, what its members are: enum, int or str.
    nested: classes within it, by name.  protocol: it derives from ``Protocol``, so that others need not derive from it.
    members: of an enum, by name.  enum_calls: the calls that make them.  enum_init: what its own ``__init__`` does.
    place: what stands before the name in the ``__qualname__``.
    """

    name: str
    module: ModuleDecl
    node: tree.ClassDef
    type_params: tuple[TypeParam, ...] = ()
    base: ClassDecl | None = None
    base_args: tuple[Type, ...] = ()
    methods: dict[str, FunctionDecl] = field(default_factory=dict)
    setters: dict[str, FunctionDecl] = field(default_factory=dict)
    variables: dict[str, ClassVariable] = field(default_factory=dict)
    abstract: set[str] = field(default_factory=set)
    data: DataOptions | None = None
    data_made: bool = False
    enum: str = ""
    members: tuple[str, ...] = ()
    enum_calls: set[tree.Call] = field(default_factory=set)
    enum_init: tuple[tree.stmt, ...] = ()
    nested: dict[str, ClassDecl] = field(default_factory=dict)
    protocol: bool = False
    field_nodes: list[tree.AnnAssign] = field(default_factory=list)
    primitive: Primitive | None = None
    bound_var: GlobalVar | None = None
    declared: bool = False
    place: str = ""

    @property
    def qualified_name(self) -> str:
        """The ``__qualname__``."""
        return self.place + self.name

    def mro(self) -> Iterable[ClassDecl]:
        """This class, then its base, and so on."""
        decl: ClassDecl | None = self
        while decl is not None:
            yield decl
            decl = decl.base

    def find_method(self, name: str) -> FunctionDecl | None:
        """Return the method ``name`` of the class or the nearest base that has it."""
        for decl in self.mro():
            if name in decl.methods:
                return decl.methods[name]
        return None

    def find_setter(self, name: str) -> FunctionDecl | None:
        """Return the setter of the property ``name`` of the class or the nearest base that has it."""
        owner = next((decl for decl in self.mro() if name in decl.setters or name in decl.methods), None)
        return owner.setters.get(name) if owner is not None else None

    def find_variable(self, name: str) -> ClassVariable | None:
        """Return the variable ``name`` of the class or the nearest base that has it."""
        owner = next((decl for decl in self.mro() if name in decl.variables or name in decl.methods), None)
        return owner.variables.get(name) if owner is not None else None

    def is_defaulted(self, name: str) -> bool:
        """Return whether the body of the class or of a base gives the field ``name`` its first value."""
        found = self.find_variable(name)
        return found is not None and found.is_default

    def missing_methods(self) -> list[str]:
        """Return the abstract methods that neither the class nor a base defines: it has no objects if there are any."""
        wanted = {name for decl in self.mro() for name in decl.abstract}
        owners = {name: next(decl for decl in self.mro() if name in decl.methods) for name in wanted}
        return sorted(name for name, decl in owners.items() if name in decl.abstract)

    def is_subclass(self, other: ClassDecl) -> bool:
        """Return whether this class is ``other`` or derives from it."""
        return any(decl is other for decl in self.mro())


@dataclass(slots=True, eq=False)
class Intrinsic:
    """A name of ``krait.unsafe`` or a built-in function that the compiler itself knows."""

    name: str


@dataclass(slots=True, eq=False)
class NamedType:
    """A name for a type that no class declares, such as ``u32`` of ``krait.unsafe``."""

    name: str
    type: Type


@dataclass(slots=True, eq=False)
class Alias:
    """Another name for a type: ``type Row = list[int]``, or the same by an assignment.

    is_new: it comes from ``NewType``, and can be called.  params: the names of its type parameters.
    type: what it stands for, once that is known.  open: the same within itself, while it is being worked out.
    """

    name: str
    module: ModuleDecl
    node: tree.expr
    type: Type | None = None
    open: Union | None = None
    is_recursive: bool = False
    is_new: bool = False
    params: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Import:
    """A name that an import binds: a module, or with ``member`` something in it. Looked up when it is first used."""

    module: str
    member: str | None
    span: Span


Assignment: TypeAlias = tree.Assign | tree.AnnAssign


@dataclass(slots=True, eq=False)
class ModuleDecl:
    """A module. ``unsafe``: it imports ``krait.unsafe``. ``library``: it belongs to the standard library.

    stub: a `.pyi`, whose functions the host gives.
    reassigned: names that are assigned to more than once, or by functions.  shared: names that functions assign to.
    bound: the variables that have a value whenever a function of the module can run.
    finally_bound: those that have one when the module's code has run to its end.
    init: the function that runs the module's code.  assignments: the statements at the top level that give variables
    their first values, once somebody has asked for one.
    """

    name: str
    filename: str
    source: str
    tree: tree.Module
    library: bool
    symbols: dict[str, Symbol] = field(default_factory=dict)
    reassigned: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    bound: frozenset[GlobalVar] | None = None
    finally_bound: frozenset[GlobalVar] | None = None
    init: FunctionDecl | None = None
    assignments: dict[str, Assignment] | None = None
    unsafe: bool = False
    is_main: bool = False
    is_package: bool = False
    stub: bool = False


Symbol: TypeAlias = Alias | GlobalVar | FunctionDecl | ClassDecl | ModuleDecl | Intrinsic | NamedType | Import
"""What a name at module level can mean."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A function with values for all its type parameters: what is checked, compiled and called."""

    decl: FunctionDecl
    args: tuple[Type, ...] = ()

    def resolved(self) -> Instance:
        """Return the same without inference variables."""
        args = tuple(map(resolve, self.args))
        return self if all(map(is_, args, self.args)) else Instance(self.decl, args)

    @property
    def env(self) -> dict[TypeParam, Type]:
        """The values of the type parameters."""
        return dict(zip(self.decl.all_type_params, self.args, strict=True))
