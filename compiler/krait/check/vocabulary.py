"""The names that the compiler itself knows: built-in functions, intrinsics, and what it refuses by name.

In: nothing. Out: tables. A name of the built-in scope that is not here is declared by the library (`krait.builtins`).
"""

from __future__ import annotations

from krait.check.types import F32, I32, OWNED, U8, U16, U32, U64, Type

LIBRARY = "$library "
"""What names begin with that the compiler writes itself: of functions of the library, or of the built-in scope."""

ANY_PARAMETERS, ANY_RESULT = "...", "... result"
"""The type parameters for what ``Callable[..., Any]`` and ``Callable`` in a function's heading leave open, by name."""

BUILTIN_FUNCTIONS = frozenset(
    {
        "abs",
        "all",
        "any",
        "ascii",
        "divmod",
        "enumerate",
        "isinstance",
        "issubclass",
        "type",
        "len",
        "max",
        "min",
        "pow",
        "print",
        "range",
        "repr",
        "reversed",
        "round",
        "sorted",
        "sum",
        "zip",
        "iter",
        "next",
        "map",
        "filter",
        "super",
        "tuple",
        "hash",
        "format",
        "getattr",
        "hasattr",
        "callable",
        "id",
        "ord",
    }
)
"""Functions of the built-in scope that are mapped to calls and loops where they are used."""

OTHER_NAMES = {"exit": "sys.exit", "quit": "sys.exit"}
"""Names of the built-in scope for what a module has under another one."""

HIDDEN_BUILTINS = frozenset({"sum_int", "sum_float", "reversed_list"})
"""Functions of the prelude that the compiler calls, and that are no names of the built-in scope."""

OPERANDS = frozenset(
    f"__{name}__"
    for name in (
        *("eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "truediv", "floordiv", "mod", "and", "or", "xor"),
        *("radd", "rsub", "rmul", "rtruediv", "rfloordiv", "rmod", "matmul", "pow"),
    )
)
"""Methods that are given the other operand, which may be anything: its type need not be said."""

MEMORY_TYPES = {"u8": U8, "u16": U16, "u32": U32, "u64": U64, "i32": I32, "f32": F32}
"""The types that only unsafe code can name."""

_UNSAFE: dict[str, Type | str] = {
    **MEMORY_TYPES,
    "owned": OWNED,
    **{
        name: f"unsafe.{name}"
        for name in (
            "load_u8",
            "load_u16",
            "load_u32",
            "load_u64",
            "load_i64",
            "load_f64",
            "store_u8",
            "store_u16",
            "store_u32",
            "store_u64",
            "store_i64",
            "store_f64",
            "load",
            "store",
            "size_of",
            "offset_of",
            "address_of",
            "object_at",
            "new_items",
            "new_object",
            "memory_size",
            "memory_grow",
            "memory_copy",
            "memory_fill",
            "memory_compare",
            "memory_find",
            "float_bits",
            "float_from_bits",
            "sqrt",
            "floor",
            "ceil",
            "trunc",
            "nearest",
            "fabs",
            "copysign",
            "clz",
            "ctz",
            "popcnt",
            "data",
            "heap_base",
            "mark_globals",
            "size_classes",
            "stack_end",
            "stack_start",
            "type_table",
            "trap",
            "truncate",
            "float_divide",
            "int_quotient",
            "int_remainder",
            "wrapping_add",
            "wrapping_sub",
            "wrapping_mul",
            "type_name",
            "resume",
            "key_bits",
            "same_key",
            "known_order",
            "keeps_arguments",
            "plain_order",
            "is_int",
            "is_text",
            "encode",
            "encode_fields",
            "decode",
            "decode_fields",
            "host",
        )
    },
}

_TYPING: dict[str, Type | str] = {
    name: f"typing.{name}"
    for name in (
        "List",
        "Optional",
        "Tuple",
        "Final",
        "NoReturn",
        "Never",
        "Any",
        "Dict",
        "Set",
        "FrozenSet",
        "Union",
        "Callable",
        "Iterable",
        "Iterator",
        "Generator",
        "Sequence",
        "Hashable",
        "Sized",
        "Reversible",
        "Container",
        "SupportsInt",
        "SupportsFloat",
        "SupportsAbs",
        "Text",
        "Type",
        "ParamSpec",
        "NewType",
        "LiteralString",
        "TypeGuard",
        "runtime_checkable",
        "no_type_check",
        "AbstractSet",
        "MutableSet",
        "TypeVar",
        "Generic",
        "Protocol",
        "ClassVar",
        "Self",
        "override",
        "final",
        "TypeAlias",
        "TYPE_CHECKING",
        "Literal",
        "Mapping",
        "MutableMapping",
        "MutableSequence",
        "Collection",
        "Annotated",
        "cast",
        "overload",
        "NamedTuple",
        "TextIO",
    )
}
_TYPING |= {
    "Deque": "typing.collections.deque",
    "DefaultDict": "typing.collections.defaultdict",
    "Counter": "typing.collections.Counter",
    "OrderedDict": "typing.collections.OrderedDict",
}

PROVIDED = {
    **{
        ("functools", name): f"functools.{name}"
        for name in ("cache", "lru_cache", "wraps", "total_ordering", "reduce", "partial", "cached_property")
    },
    **{
        ("itertools", name): f"itertools.{name}"
        for name in (
            *("islice", "accumulate", "filterfalse", "starmap", "product", "combinations"),
            *("combinations_with_replacement", "permutations", "zip_longest", "groupby", "tee"),
        )
    },
    **{
        ("bisect", name): f"bisect.{name}"
        for name in ("bisect", "bisect_left", "bisect_right", "insort", "insort_left", "insort_right")
    },
    **{("heapq", name): f"heapq.{name}" for name in ("nsmallest", "nlargest", "merge")},
    **{("math", name): f"math.{name}" for name in ("log", "hypot", "prod", "fsum", "dist", "gcd", "lcm")},
    **{("contextlib", name): f"contextlib.{name}" for name in ("contextmanager", "suppress")},
    **{("copy", name): f"copy.{name}" for name in ("copy", "deepcopy")},
    ("sys", "exit"): "sys.exit",
    ("collections", "namedtuple"): "collections.namedtuple",
    **{("dataclasses", name): f"dataclasses.{name}" for name in ("dataclass", "field", "replace", "asdict", "astuple")},
}
"""Members of library modules that the compiler itself maps to calls, by module and name."""

OF_TWO = frozenset(
    (
        *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor", "lshift", "rshift"),
        *("concat", "eq", "ne", "lt", "le", "gt", "ge", "is_", "is_not", "contains", "getitem"),
    )
)
"""Functions of ``operator`` that take two values."""

COMPILER_MODULES: dict[str, dict[str, Type | str]] = {
    "krait": {"export": "krait.export"},
    "krait.unsafe": _UNSAFE,
    "krait.copying": {"deep": "copying.deep", "deep_fields": "copying.deep_fields"},
    "typing": _TYPING,
    "enum": {name: f"enum.{name}" for name in ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "auto", "unique")},
    "operator": {name: f"operator.{name}" for name in (*OF_TWO, "neg", "pos", "not_", "invert", "truth", "abs",
                                                       "itemgetter", "attrgetter", "methodcaller")},
    "types": {"TracebackType": "typing.TracebackType"},
    "abc": {name: f"abc.{name}" for name in ("ABC", "ABCMeta", "abstractmethod")},
    "collections.abc": {
        name: f"typing.{name}"
        for name in (
            *("Callable", "Generator", "Iterable", "Iterator", "Sequence", "Collection", "Hashable", "Sized"),
            *("Reversible", "Container", "Mapping", "MutableMapping", "MutableSequence", "MutableSet"),
        )
    },
}
"""Modules without a file: what each of their names means, a type or the name of an intrinsic."""

TYPES_LATER = {
    "complex": "keep the two parts in two floats",
}
"""Types of Python that Krait does not have yet, each with what to write instead."""

REFUSED_METHODS = {
    "__getattr__": "give the class the attributes, or a property",
    "__getattribute__": "give the class the attributes, or a property",
    "__setattr__": "write a property with a setter",
    "__delattr__": "write a property with a deleter",
    "__get__": "write a property",
    "__set__": "write a property with a setter",
    "__delete__": "write a property with a deleter",
    "__set_name__": "give the name to `__init__`",
    "__class_getitem__": "write a class method",
    "__instancecheck__": "write a method that tells",
    "__subclasscheck__": "write a method that tells",
    "_generate_next_value_": "write the values out",
    "__del__": "CPython calls it when the last reference goes, which a collector cannot promise: write `with`",
}
"""Methods that CPython calls where Krait would not, each with what to write instead."""

METHODS_OF_TUPLES = frozenset(
    ("__init__", "__iter__", "__getitem__", "__contains__", "index", "count", "_asdict", "_replace", "_make")
)
"""Methods that a named tuple has as it is a tuple, which is taken apart without asking it."""

REFUSED_BUILTINS = {
    "eval": "Krait compiles ahead of time",
    "exec": "Krait compiles ahead of time",
    "compile": "Krait compiles ahead of time",
    "setattr": "write the attribute's name: `x.name = value`",
    "delattr": "set the field to None",
    "globals": "name the variable",
    "locals": "name the variable",
    "vars": "name the variable",
    "dir": "types say which attributes there are",
    "__import__": "write an `import` statement",
    "breakpoint": "use print",
    "open": "read standard input: `sys.stdin`",
    "complex": TYPES_LATER["complex"],
    "memoryview": "use a `bytearray`, or slices of `bytes`",
}
"""Built-in functions that Krait does not have, or not yet, each with what to write instead."""
