"""Keys of handlers: which operations one runs, and where each operand is.

    op:sources:target;op:sources:target;…

A source is `s` (a slot, by a 16-bit index), `c` (a constant), `r` (the accumulator) or a digit (the result of that
operation of the same handler); a target is `s`, `r`, `n` (nowhere: only the handler itself uses it) or `-` (there is
none).
"""

from __future__ import annotations

from functools import cache

from svm.engines.native.stream import CALL_FIELDS, Layout, laid_out, split
from svm.isa import F32, F64, I32, I64, OPS, Form, Op, ValueType
from svm.record import record

__all__ = [
    "BULK",
    "CONTROL",
    "FALLTHROUGH",
    "all_keys",
    "base_keys",
    "layout",
    "operand_types",
    "operation",
    "result_type",
]

_CONSTANT_FIELD = {I32: "i32", F32: "i32", I64: "i64", F64: "i64"}


@record
class Control:
    """An operation that is not a row: types of its sources, its fields in the stream, whether it never goes to the
    next.
    """

    sources: tuple[ValueType, ...]
    fields: tuple[str, ...]
    leaves: bool = True


CONTROL: dict[str, Control] = {
    "br": Control((), ("i32",)),
    "br_if": Control((I32,), ("i32",)),
    "br_unless": Control((I32,), ("i32",)),
    "latch": Control((), ("i32", "i32")),
    "latch_if": Control((I32,), ("i32", "i32")),
    "latch_unless": Control((I32,), ("i32", "i32")),
    "spin": Control((), ("i32", "i32")),  # a latch that does not test
    "spin_if": Control((I32,), ("i32", "i32")),
    "spin_unless": Control((I32,), ("i32", "i32")),
    "br_table": Control((I32,), ("i32",)),  # count; a table of 32-bit distances follows
    "call": Control((), CALL_FIELDS),
    "call_leaf": Control((), CALL_FIELDS),
    "call_host": Control((), CALL_FIELDS),  # the host function's number in the place of the distance
    "call_slow": Control((), CALL_FIELDS),  # becomes one of the others
    "call_indirect": Control((I32,), ("i64", "i32", "i32", "u16")),  # header, type, table, slots to the frame
    "return": Control((), ("u16",)),  # place of the header
    "return_i": Control((I64,), ("u16",)),
    "return_f": Control((F64,), ("u16",)),
    "return_s": Control((F32,), ("u16",)),
    "return_many": Control((), ("u16", "u16", "u16")),  # place of the header, first result, count
    "unreachable": Control((), ()),
    "state": Control((), ()),
    "throw": Control((), ()),
    "halt": Control((), ()),
    "far_return": Control((), ()),
    "bulk": Control((), ("u16",)),  # not itself: stands for the rows in `BULK`, whose operands begin at a slot
    "zero": Control((), ("u16", "u16"), leaves=False),
    "move": Control((), ("u16", "u16", "u16"), leaves=False),
    "charge": Control((), ("i32",), leaves=False),
}
BULK = tuple(name for name, op in OPS.items() if op.form is Form.BULK)
CONTROL |= dict.fromkeys(BULK, CONTROL["bulk"])
FALLTHROUGH = frozenset(name for name, control in CONTROL.items() if not control.leaves)


def _row(
    name: str, params: tuple[ValueType, ...], results: tuple[ValueType, ...], llvm: str, form: Form = Form.PURE
) -> Op:
    return Op(0, name, form, (), params, results, None, llvm, "")


# Operations over raw slots, whose rows are polymorphic or need the engine's own ways.
_RAW: dict[str, Op] = {
    "copy": _row("copy", (I64,), (I64,), "%r = add i64 %a, 0"),
    "select": _row("select", (I64, I64, I32), (I64,), OPS["select"].llvm),
    "ref.is_null": _row("ref.is_null", (I64,), (I32,), OPS["ref.is_null"].llvm),
    "memory.size": _row("memory.size", (), (I32,), "%n = lshr i64 %z, 16\n%r = trunc i64 %n to i32"),
    "global.get": _row("global.get", (), (I64,), "%r = load i64, ptr %g, align 8"),
    "global.set": _row("global.set", (I64,), (), "store i64 %a, ptr %g, align 8"),
}


def operation(name: str) -> Op:
    """The row of an operation that is not control, or what stands for it over raw slots."""
    return _RAW.get(name) or OPS[name]


def operand_types(name: str) -> tuple[ValueType, ...]:
    """Types of an operation's sources."""
    if name in CONTROL:
        return CONTROL[name].sources
    params = operation(name).params
    assert params is not None
    return params


def result_type(name: str) -> ValueType | None:
    """Type of an operation's (first) result."""
    if name in CONTROL:
        return None
    results = operation(name).results
    return results[0] if results else None


def _immediate_fields(name: str) -> tuple[str, ...]:
    op = operation(name)
    if op.form in (Form.LOAD, Form.STORE) or name.startswith("global."):
        return ("i32",)
    return ()


@cache
def layout(key: str) -> Layout:
    """The layout of a key's instruction."""
    fields: list[str] = []
    cells: list[int] = []
    for name, sources, target in split(key):
        for source, type_ in zip(sources, operand_types(name), strict=True):
            if source == "s":
                fields.append("u16")
            elif source == "c":
                fields.append(_CONSTANT_FIELD.get(type_, "i64"))
        if name.startswith("global."):
            cells.append(len(fields))
        fields += CONTROL[name].fields if name in CONTROL else _immediate_fields(name)
        if target == "s":
            fields.append("u16")
    return laid_out(fields, cells)


_COMPARISONS = tuple(
    name
    for name, op in OPS.items()
    if op.form is Form.PURE and op.params and op.yields == ("c",) and op.results == (I32,) and name != "ref.is_null"
)
_BRANCHES = tuple(f"{kind}_{sense}" for kind in ("br", "latch", "spin") for sense in ("if", "unless"))


def _source_forms(op: Op, name: str) -> list[str]:
    count = len(op.params or ())
    if op.form is Form.STORE:
        return ["ss", "sr", "rs", "sc", "rc", "cs", "cr", "cc"]
    if op.form is Form.LOAD:
        return ["s", "r", "c"]
    if count == 2:
        return ["ss", "sc", "sr", "rs", "rc", "cs", "cr"]
    if count == 1:
        return ["s", "r", "c"] if name in ("copy", "global.set") else ["s", "r"]
    return [""]


def base_keys() -> list[str]:
    """Keys enough for any program: each operation alone, with every kind of source that slot code has for it."""
    keys: list[str] = []
    rows = [
        (name, op)
        for name, op in OPS.items()
        if op.form in _TABLED and op.params is not None and op.results is not None
    ]
    for name, op in [*rows, *_RAW.items()]:
        if name == "copy":
            keys += ["copy:s:s", "copy:c:s", "copy:r:s"]
        elif name == "select":
            keys += [f"select:{a}{b}{d}:{t}" for a in "sc" for b in "sc" for d in "sr" for t in "sr"]
        elif op.form is Form.PURE and not op.params and name != "memory.size" and name != "global.get":
            continue  # constants are operands
        elif len(op.results or ()) == 2:
            keys += [f"{name}:{form}:s" for form in ("ss", "sc", "cs")]
        else:
            targets = "sr" if op.results else "-"
            keys += [f"{name}:{form}:{target}" for form in _source_forms(op, name) for target in targets]
    for branch in _BRANCHES:
        keys += [f"{branch}:s:", f"{branch}:r:"]
        for name in _COMPARISONS:
            forms = ["ss", "sc", "rs", "sr", "rc"] if len(OPS[name].params or ()) == 2 else ["s", "r"]
            keys += [f"{name}:{form}:n;{branch}:0:" for form in forms]
    plain = (
        "br latch spin call call_leaf call_slow call_host return return_many unreachable state throw halt far_return "
        "zero move charge"
    )
    keys += [f"{name}::" for name in (*plain.split(), *BULK)]
    keys += [f"{name}:{source}:" for name in ("br_table", "call_indirect") for source in "src"]
    keys += [f"return_{kind}:{source}:" for kind in "ifs" for source in "src"]
    return keys


_TABLED = (Form.PURE, Form.CHECKED, Form.LOAD, Form.STORE)


def all_keys() -> list[str]:
    """The keys of the interpreter: the base, and the superinstructions that `superinstructions.json` names."""
    import json  # here, for a run with a warm cache needs none of it
    from pathlib import Path

    path = Path(__file__).parent / "superinstructions.json"
    chosen: list[str] = json.loads(path.read_text("utf-8")) if path.exists() else []
    return list(dict.fromkeys([*base_keys(), *chosen]))
