"""Slot code to the code stream that the handlers run.

Operations are grouped, each group to run in one handler, so that as few handlers as possible run; a value that one
group makes and the next one alone reads is passed in an accumulator.  What a pause, a trap or a call needs to know of
the stream stays beside it (`FunctionCode`); the stream itself is operands only.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence

from svm.engines.native.context import header
from svm.engines.native.keys import BULK, CONTROL, FALLTHROUGH, layout, operand_types, result_type
from svm.engines.native.stream import FunctionCode, KeySet, Site
from svm.isa import F32, F64, ValueType
from svm.lower import SLOT_BYTES, Charges, FrameLayout, SlotCode, SlotOp, charges_of, layout_of, slot_code
from svm.module import Context, ValidFunction

__all__ = ["LONGEST", "Encoder", "code_of", "group_lengths", "key_of", "leaves"]

LONGEST = 4
_CLASS = {F64: 1, F32: 2}
_RETURNS = {F64: "return_f", F32: "return_s"}
_SITES = frozenset(("call", "call_indirect", "state", "bulk", "throw"))


class _Group:
    """Operations that one handler runs.  taken: slot that lies in the accumulator; given: index whose result goes
    there.
    """

    __slots__ = ("given", "ops", "taken")

    def __init__(self, ops: list[SlotOp]) -> None:
        self.ops = ops
        self.taken: int | None = None
        self.given: int | None = None


def key_of(ops: Sequence[SlotOp], taken: int | None = None, given: int | None = None) -> tuple[str, list[int]]:
    """The key of a group, and its fields in natural order (those of control are added by the encoder)."""
    used: set[int] = set()  # indices of operations whose results only later operations of the group read
    made: dict[int, int] = {}
    if len(ops) > 1:
        for at, op in enumerate(ops):
            for kind, value in op.sources:
                if kind == "s" and value in made and ops[made[value]].once:
                    used.add(made[value])
            if op.target is not None:
                made[op.target] = at
        made.clear()
    parts: list[str] = []
    fields: list[int] = []
    for at, op in enumerate(ops):
        sources = ""
        for kind, value in op.sources:
            if kind == "c":
                sources += "c"
                fields.append(value)
            elif value in made:
                sources += str(made[value])
            elif value == taken:
                sources += "r"
            else:
                sources += "s"
                fields.append(value)
        if op.name in CONTROL:
            parts.append(f"{op.name}:{sources}:")
            continue
        if op.args and op.name[-6:] != "_throw":
            fields.append(op.args[0])
        target = "-"
        if op.target is not None:
            target = "n" if at in used else "r" if given == at else "s"
            if target == "s":
                fields.append(op.target)
            made[op.target] = at
        parts.append(f"{op.name}:{sources}:{target}")
    return ";".join(parts), fields


def group_lengths(keys: KeySet, run: Sequence[SlotOp]) -> list[int]:
    """How many operations of a straight run to put in each group, for the fewest groups (dynamic programming)."""
    count = len(run)
    names = [op.name for op in run]
    cost, length = [0] * (count + 1), [1] * count
    for at in range(count - 1, -1, -1):
        cost[at] = cost[at + 1] + 1
        for size in range(2, min(LONGEST, count - at) + 1):
            if (
                cost[at + size] + 1 < cost[at]
                and tuple(names[at : at + size]) in keys.sequences
                and key_of(run[at : at + size])[0] in keys.numbers
            ):
                cost[at], length[at] = cost[at + size] + 1, size
    lengths: list[int] = []
    at = 0
    while at < count:
        lengths.append(length[at])
        at += length[at]
    return lengths


def code_of(keys: KeySet, context: Context, function: ValidFunction) -> FunctionCode:
    """The code of a checked function, lowered and encoded."""
    frame, charges = layout_of(function), charges_of(function)
    return Encoder(keys, function).encode(slot_code(context, function, frame, charges), frame, charges)


class Encoder:
    """Encodes one function at the end of a stream."""

    def __init__(self, keys: KeySet, function: ValidFunction) -> None:
        self.keys = keys
        self.function = function
        self.result = function.type.results[0] if len(function.type.results) == 1 else None
        self.out = bytearray()
        self.labels: dict[int, int] = {}
        self.scratch = self.params = 0
        self.jumps: list[tuple[int, int, int]] = []  # place of a distance, what it is relative to, label

    def encode(self, code: SlotCode, frame: FrameLayout, charges: Charges) -> FunctionCode:
        """The function's stream, and what is known of it."""
        done = FunctionCode(frame, charges)
        self.scratch, self.params = frame.slots, frame.params
        groups = self.grouped([self.named(op) for op in code.ops])
        self.hand_over(groups)
        done.resume[0] = 0
        for group in groups:
            if isinstance(group, SlotOp):
                self.labels[group.args[0]] = len(self.out)
                continue
            self.emit(group, done)
        for place, base, label in self.jumps:
            struct.pack_into("<i", self.out, place, self.labels[label] - base)
        self.safepoints(code, done)
        done.stream = bytes(self.out)
        return done

    def safepoints(self, code: SlotCode, done: FunctionCode) -> None:
        instructions, blocks = self.function.code, self.function.blocks
        for key, label in code.targets.items():
            if label in self.labels:
                done.targets[key] = self.labels[label]
                if blocks[key].kind == "loop":
                    done.resume[instructions[blocks[key].start + 1].offset] = done.targets[key]
        after = {item.offset: instructions[at + 1].offset for at, item in enumerate(instructions[:-1])}
        for position, site in done.sites.items():
            if site.name in ("call", "call_indirect"):
                done.returns[position + site.size] = after[site.offset]
            if site.name != "throw":
                done.resume[after[site.offset]] = position + site.size
            if site.name == "bulk":
                done.resume[site.offset] = position

    # Groups

    def named(self, op: SlotOp) -> SlotOp:
        """The operation under the name that its handler has."""
        if op.name.startswith("latch") and not op.args[2]:
            op.name = "spin" + op.name[5:]
        elif op.name == "return" and op.sources:
            assert self.result is not None
            op.name = _RETURNS.get(self.result, "return_i")
        return op

    def grouped(self, ops: list[SlotOp]) -> list[_Group | SlotOp]:
        """Operations in groups, the fewest that there are handlers for; labels stand between."""
        out: list[_Group | SlotOp] = []
        at, count = 0, len(ops)
        while at < count:
            if ops[at].name == "label":
                out.append(ops[at])
                at += 1
                continue
            end = at
            while end < count and ops[end].name != "label":
                end += 1
                if leaves(ops[end - 1]):
                    break
            out += self.best(ops[at:end])
            at = end
        return out

    def best(self, run: list[SlotOp]) -> list[_Group | SlotOp]:
        """A straight run of operations in the fewest groups."""
        groups: list[_Group | SlotOp] = []
        at = 0
        for length in group_lengths(self.keys, run):
            groups += self.single(run[at]) if length == 1 else [_Group(run[at : at + length])]
            at += length
        return groups

    def single(self, op: SlotOp) -> list[_Group | SlotOp]:
        """An operation alone; constants that no handler takes there go first into scratch slots above the frame."""
        if op.name in _SITES or key_of([op])[0] in self.keys.numbers:
            return [_Group([op])]
        out: list[_Group | SlotOp] = []
        sources = list(op.sources)
        for at, source in enumerate(sources):
            if source[0] == "c":
                slot = self.scratch + at
                out.append(_Group([SlotOp("copy", (source,), slot, (), op.offset)]))
                sources[at] = ("s", slot)
                op.sources = tuple(sources)
                if key_of([op])[0] in self.keys.numbers:
                    break
        return [*out, _Group([op])]

    def hand_over(self, groups: list[_Group | SlotOp]) -> None:
        """Let values pass in accumulators between neighbours."""
        handlers = self.keys.numbers
        for first, second in itertools.pairwise(groups):
            if not isinstance(first, _Group) or not isinstance(second, _Group):
                continue
            if leaves(first.ops[-1]) or second.ops[0].name in _SITES:
                continue
            made = {op.target: at for at, op in enumerate(first.ops) if op.target is not None}
            for slot, type_ in _wants(second.ops):
                at = made.get(slot)
                if at is None or not first.ops[at].once:
                    continue
                given = result_type(first.ops[at].name)
                if given is None or _CLASS.get(given, 0) != _CLASS.get(type_, 0):
                    continue
                if key_of(first.ops, first.taken, at)[0] in handlers and key_of(second.ops, slot)[0] in handlers:
                    first.given, second.taken = at, slot
                    break

    # The stream

    def emit(self, group: _Group, done: FunctionCode) -> None:
        last = group.ops[-1]
        at = len(self.out)
        done.places.append(at)
        done.offsets.append(tuple(op.offset for op in group.ops))
        fields: list[int] = []
        if last.name in _SITES and last.name != "call_indirect":
            key = _site_key(last)
        else:
            key, fields = key_of(group.ops, group.taken, group.given)
        where = layout(key)
        for number in where.globals:
            done.globals.append(at + where.offsets[number])
        if last.name in _SITES:
            args = (last.args[0].name, *last.args[1:]) if last.name in ("state", "bulk") else last.args
            done.sites[at] = Site(last.name, args, last.offset, where.size)
        if last.name in CONTROL:
            if last.name in ("call", "call_indirect"):
                first = len(fields)
                done.headers.append(at + where.offsets[first + (last.name == "call")])
                if last.name == "call_indirect":
                    done.types.append(at + where.offsets[first + 1])
            fields += self.control_fields(last, at, where.offsets, len(where.fields), at + where.size)
        values = [fields[index] for index in where.order]
        self.out += struct.pack(where.format, self.keys.numbers[key], *values)
        if last.name == "br_table":
            for number, label in enumerate(last.args[0]):
                self.jumps.append((len(self.out) + 4 * number, at, label))
            self.out += bytes(-(-len(last.args[0]) * 4 // 8) * 8)

    def control_fields(self, op: SlotOp, at: int, offsets: Sequence[int], count: int, following: int) -> list[int]:
        """Fields of a control operation; a distance is filled in when all labels are known."""
        name, args = op.name, op.args
        if name.startswith(("br_if", "br_unless", "latch", "spin")) or name == "br":
            plain = name.startswith("br")
            self.jumps.append((at + offsets[count - (1 if plain else 2)], at, args[0]))
            return [0] if plain else [0, args[1]]
        if name == "br_table":
            return [len(args[0]) - 1]
        if name == "call":
            return [0, header(following, args[1] * SLOT_BYTES), args[1], 0, 0, 0, args[0]]
        if name == "call_indirect":
            type_, table, first = args
            return [header(following, first * SLOT_BYTES), type_, table, first]
        if name.startswith("return"):
            return [self.params, *args]
        if name == "bulk":
            return [args[2]] if args[0].name in BULK else []
        if name in ("state", "throw", "unreachable"):
            return []
        return list(args)  # zero, move, charge


def _site_key(op: SlotOp) -> str:
    if op.name == "call_indirect":
        return f"call_indirect:{'c' if op.sources[0][0] == 'c' else 's'}:"
    if op.name == "bulk":
        return f"{op.args[0].name}::" if op.args[0].name in BULK else "state::"
    return {"call": "call_slow::", "state": "state::", "throw": "throw::"}[op.name]


def leaves(op: SlotOp) -> bool:
    """Whether control never goes from an operation to the next in its handler."""
    return op.name == "bulk" or (op.name in CONTROL and op.name not in FALLTHROUGH)


def _wants(ops: Sequence[SlotOp]) -> list[tuple[int, ValueType]]:
    """Slots that a group reads from outside, with the type it reads them as."""
    wanted: list[tuple[int, ValueType]] = []
    made: set[int | None] = set()
    for op in ops:
        for (kind, value), type_ in zip(op.sources, operand_types(op.name), strict=True):
            if kind == "s" and value not in made:
                wanted.append((value, type_))
        made.add(op.target)
    return wanted
