"""Damaged and forged snapshots: `.svms`, changed blindly, by their sections, or as states that are written anew.

A mutant is made by its number alone.  Half of those that are changed as bytes get the digest that belongs to them, so
that what is damaged is reached; forged states always have it.
"""

from __future__ import annotations

import io
import struct
from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from hashlib import sha256
from random import Random
from typing import Any

from svm import Clock, Console, Entropy, Error, Limits, Module, Paused, Snapshot, Storage, Store, Suspend
from svm.devices import DeviceState
from svm.lower import Header
from svm.module import Module as Model
from svm.module import ValidModule, from_text
from svm.runtime.engine import Record
from svm.runtime.outcome import Standing
from svm.snapshot.file import DIGEST_BYTES, assembled, parts_of
from svm.snapshot.format import Info
from svm.snapshot.pages import PAGE_BYTES, Pages
from svm.snapshot.state import Fuel, Link, State
from tests.devices.calls import READ, WRITE, Ours, opened, path_call, write
from tests.engines.programs import PROGRAMS
from tests.fuzz.case import Case
from tests.fuzz.generator import generate
from tests.fuzz.mutants import Mutant, Seed, blind
from tests.fuzz.runs import NATIVE, Run, engine_of
from tests.snapshot.counter import COUNTER

__all__ = ["SUFFIX", "forged", "known", "restored", "seeds"]

SUFFIX = "svms"
_HEADER, _SECTION = 9, struct.Struct("<BQ")
_GENERATED = 150  # cases of which snapshots are taken
_PAUSES = 6  # of each program
_NUMBERS = (0, 1, 2, 3, 4, 7, 8, 31, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)


_EMBEDDED = 4  # of so many files one holds its modules; they have a fuzzer of their own, and take most of the time


@cache
def seeds() -> tuple[tuple[bytes, Snapshot], ...]:
    """Good files, with what is in them; most name their modules, which are then among `known`."""
    found = []
    for number, (snapshot, externs) in enumerate(_taken()):
        embed = number % _EMBEDDED == 0
        data = snapshot.to_bytes(externs=externs, embed=embed)
        modules = [Known(module) for module in snapshot.state.shape.modules]
        if not embed:
            _known.update((module.valid.fingerprint, module) for module in modules)
        found.append((data, Snapshot.load(data, modules=modules)))
    return tuple(found)


class Known:
    """A module that files may name."""

    def __init__(self, valid: ValidModule) -> None:
        self.valid = valid


_known: dict[str, Known] = {}


def known() -> list[Known]:
    """The modules that files of seeds name."""
    return list(_known.values())


def _taken() -> Iterator[tuple[Snapshot, Callable[[Any], bytes]]]:
    for text, name, args in (
        *((program.text, "f", program.args) for program in PROGRAMS.values()),
        (COUNTER, "f", (40,)), (COUNTER, "init", ()), (_EXTERN, "f", (None,)),
    ):  # fmt: skip
        module = Module(from_text(text))
        guest = module.spawn(engine=NATIVE, imports=imports_of(module.model), limits=Limits(memory="4 MiB"))
        yield guest.snapshot("idle", metadata={"a": [1, None]}), bytes
        task = guest.start(name, *args)
        for pause in range(_PAUSES):
            if not isinstance(task.run(fuel=10 + 40 * pause), Paused):
                break
            yield guest.snapshot(), bytes
        guest.close()
    for host in (lambda value: Suspend(), lambda value: None):
        guest = Module(from_text(COUNTER)).spawn(engine=NATIVE, host={"tell": host})
        guest.start("f", 3).run(fuel=5)
        yield guest.snapshot(), bytes
    yield from ((snapshot, bytes) for snapshot in _with_files())
    for number in range(_GENERATED):
        case = generate(number, modules=1 + number % 3, functions=1 + number % 3, size=4 + number % 9)
        yield from _paused(case)


def _with_files() -> Iterator[Snapshot]:
    """Guests with files, directories, and what is open, some of it without a name any more."""
    ours = Ours({"a": b"x" * 5000, "d/b": bytes(9000) + b"y", "d/e/c": b"", "gone": b"z" * 4096}, NATIVE)
    for path in ("a", "d/b", "gone", "d/e"):
        opened(ours, path, 0, READ | WRITE if path != "d/e" else READ)
    yield ours.guest.snapshot()
    write(ours, 4, b"1234")
    for path in ("gone", "d/e/c"):
        path_call(ours, "path_unlink_file", path)
    path_call(ours, "path_remove_directory", "d/e")
    yield ours.guest.snapshot()
    yield Ours({}, NATIVE).guest.snapshot()


def _paused(case: Case) -> Iterator[tuple[Snapshot, Callable[[Any], bytes]]]:
    """A case's calls, each snapshotted where it is first paused."""
    run = Run(case, [Module(model) for model in case.modules], NATIVE)
    if run.link() != ("linked",):
        return
    for call in case.steps():
        guest = run.guests[call.instance]
        args = [run.given(guest, kind, value) for kind, value in zip(case.type_of(call).params, call.args, strict=True)]
        task = guest.start(call.name, *args)
        try:
            paused = isinstance(task.run(fuel=7 * len(args) + 5), Paused)
        except Exception:  # the host of these cases refuses now and then
            continue
        if paused:
            yield guest.snapshot(), lambda value: str(value).encode()
            task.cancel()


_EXTERN = """
    global $g mut externref (ref.null externref)
    table 2 externref
    func $f (param externref) (result externref)
      local $n i32
      loop $next
        i32.const 1
        local.get 0
        table.set 0
        local.get $n
        i32.const 1
        i32.add
        local.tee $n
        i32.const 50
        i32.lt_u
        br_if $next
      end
      local.get 0
    end
    export "f" func $f
    """


def imports_of(model: Model) -> dict[str, dict[str, Any]]:
    """Functions that answer zeros, for all that a module asks of its host."""
    from tests.fuzz.survival import imports

    return dict(imports(model))


def forged(number: int) -> Mutant:
    """The mutant of a number."""
    random = Random(number)
    data, snapshot = random.choice(seeds())
    choice = random.random()
    if choice < 0.15:
        return Mutant(SUFFIX, _digested(blind(data, random, _blind_seeds()), random))
    if choice < 0.5:
        return Mutant(SUFFIX, _digested(_in_sections(data, random), random))
    state, info = snapshot.state, Info(snapshot.focus, snapshot.identity, None, None, {})
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        state = random.choice(_CHANGES)(state, random)
    externs = [random.choice((None, b"x", b"")) for _ in range(len(state.externs) - 1 + random.choice((0, 0, 0, 1)))]
    try:
        parts = parts_of(state, info, externs, embed=random.randrange(_EMBEDDED) == 0)
        made = b"".join(assembled(*parts, None))
    except (Error, IndexError, ValueError, OverflowError, struct.error):  # no number of the format's
        return Mutant(SUFFIX, _digested(_in_sections(data, random), random))
    return Mutant(SUFFIX, made)


@cache
def _blind_seeds() -> tuple[Seed, ...]:
    return tuple(Seed(SUFFIX, data, Model()) for data, _ in seeds()[:40])


# As bytes


def _digested(data: bytes, random: Random) -> bytes:
    """The file with its right digest, in half of all cases."""
    return data[:-DIGEST_BYTES] + sha256(data[:-DIGEST_BYTES]).digest() if random.random() < 0.5 else data


def bodies(data: bytes) -> list[tuple[int, bytes]]:
    """Numbers and contents of a good file's sections."""
    found, at = [], _HEADER
    while at < len(data) - DIGEST_BYTES:
        number, size = _SECTION.unpack_from(data, at)
        at += _SECTION.size
        found.append((number, data[at : at + size]))
        at += size
    return found


def _in_sections(data: bytes, random: Random) -> bytes:
    """Changes inside of sections, whose sizes stay right, or of their order, number and sizes."""
    found = bodies(data)
    at = random.randrange(len(found))
    lies = -1
    match random.randrange(12):
        case 0:
            del found[at]
        case 1:
            found.insert(random.randrange(len(found) + 1), found[at])
        case 2:
            other = bodies(random.choice(seeds())[0])
            found[at] = random.choice([section for section in other if section[0] == found[at][0]])
        case 3:
            lies = at
        case _:
            for _ in range(random.choice((1, 1, 2))):
                # Modules have a fuzzer of their own.
                at = random.choice([place for place, (number, _) in enumerate(found) if number != 1] + [0])
                number, content = found[at]
                found[at] = (number, blind(content, random, _blind_seeds()))
    out = bytearray(data[:_HEADER])
    for place, (number, content) in enumerate(found):
        size = random.choice(_NUMBERS) if place == lies else len(content)
        out += _SECTION.pack(number, size) + content
    return bytes(out) + sha256(out).digest()


# As states


def _number(random: Random, near: int) -> int:
    return random.choice((near + 1, max(near - 1, 0), random.choice(_NUMBERS), random.randrange(0, 2 * near + 2)))


def _slot(random: Random, near: int) -> int:
    return min(_number(random, near), 2**64 - 1)


def _in_slots(state: State, random: Random) -> State:
    slots = list(state.record.slots)
    for _ in range(random.choice((1, 1, 3))):
        if slots:
            at = random.randrange(len(slots))
            slots[at] = _slot(random, slots[at])
    return replace(state, record=replace(state.record, slots=tuple(slots)))


def _headers(state: State) -> list[int]:
    slots, fp = state.record.slots, state.record.fp
    found = []
    while fp >= 0:
        found.append(fp)
        caller = slots[fp + Header.CALLER]
        fp = fp - caller if caller else -1
    return found


def _in_headers(state: State, random: Random) -> State:
    """A frame that stands elsewhere, or is another function's."""
    headers = _headers(state)
    if not headers:
        return state
    slots = list(state.record.slots)
    at = random.choice(headers)
    match random.randrange(4):
        case 0:
            slots[at + Header.FUNCTION] = _number(random, slots[at + Header.FUNCTION])
        case 1:
            other = random.choice(headers)
            slots[at : at + Header.CALLER] = slots[other : other + Header.CALLER]
        case 2:
            slots[at + Header.INSTANCE] = _number(random, slots[at + Header.INSTANCE])
        case _:
            slots[at + Header.OFFSET] = random.choice(
                (_number(random, slots[at + Header.OFFSET]), random.randrange(40))
            )
    return replace(state, record=replace(state.record, slots=tuple(slots)))


def _in_frames(state: State, random: Random) -> State:
    """Slots or whole frames dropped, or doubled."""
    slots, fp = list(state.record.slots), state.record.fp
    headers = _headers(state)
    match random.randrange(4):
        case 0:
            del slots[len(slots) - random.choice((1, 1, 2)) :]
        case 1:
            slots += [random.choice(_NUMBERS)] * random.choice((1, 1, 2))
        case 2 if len(headers) > 1:
            fp = headers[1]
            slots = slots[: headers[0] - random.randrange(3)]
        case _ if headers:
            copy = slots[headers[-1] :]
            slots += copy
            fp += len(copy)
            slots[-len(copy) + Header.CALLER] = len(copy)
    if len(slots) <= fp + Header.CALLER:
        return state
    return replace(state, record=Record(tuple(slots), fp, state.record.pending))


def _in_pending(state: State, random: Random) -> State:
    """Another function that is awaited, or none."""
    return replace(state, record=replace(state.record, pending=_number(random, state.record.pending)))


def _in_standing(state: State, random: Random) -> State:
    standing = state.standing or Standing(1, False, False, False, -1, "fuel")
    match random.randrange(6):
        case 0:
            return replace(state, standing=None)
        case 1:
            standing = replace(standing, function=_number(random, standing.function))
        case 2:
            standing = replace(standing, entered=not standing.entered)
        case 3:
            standing = replace(standing, caller=_number(random, 0) - 1)
        case 4:
            standing = replace(standing, slots=not standing.slots, arrays=random.random() < 0.5)
        case _:
            standing = replace(standing, reason=random.choice(("", "seconds", "x" * 50, "\0", "fuel or so")))
    return replace(state, standing=standing)


def _in_links(state: State, random: Random) -> State:
    links = list(state.shape.links)
    if not links:
        return state
    at = random.randrange(len(links))
    link = links[at]
    match random.randrange(5):
        case 0 if link.imports:
            imports = list(link.imports)
            place = random.randrange(len(imports))
            imports[place] = _number(random, imports[place])
            links[at] = Link(link.module, tuple(imports))
        case 1:
            links[at] = Link(_number(random, link.module), link.imports)
        case 2:
            links.insert(random.randrange(len(links) + 1), link)
        case 3:
            del links[at]
        case _:
            links *= random.choice((2, 3))
    return replace(state, shape=replace(state.shape, links=tuple(links)))


def _in_tables(state: State, random: Random) -> State:
    tables = [array("Q", table) for table in state.tables]
    if tables:
        table = random.choice(tables)
        match random.randrange(3):
            case 0 if table:
                table[random.randrange(len(table))] = random.choice(_NUMBERS)
            case 1:
                table.append(random.choice(_NUMBERS))
            case _:
                del table[random.randrange(len(table) + 1) :]
    return replace(state, tables=tuple(table.tobytes() for table in tables))


def _in_globals(state: State, random: Random) -> State:
    cells = array("Q", state.globals)
    match random.randrange(3):
        case 0:
            cells.append(0)
        case 1 if cells:
            del cells[-1]
        case _ if cells:
            cells[random.randrange(len(cells))] = random.choice(_NUMBERS)
    return replace(state, globals=cells.tobytes())


def _in_memories(state: State, random: Random) -> State:
    memories = list(state.memories)
    if memories:
        at = random.randrange(len(memories))
        size = memories[at].size
        pages = dict(memories[at])
        match random.randrange(3):
            case 0:
                size = random.choice((0, 65536, size + 65536, 65536 * 65536, 65536 * 65537, 65536 * 1000))
            case 1:
                pages[random.choice((0, 1, size // PAGE_BYTES, size // PAGE_BYTES - 1))] = random.randbytes(PAGE_BYTES)
            case _:
                pages = {number: random.randbytes(PAGE_BYTES) for number in range(min(size // PAGE_BYTES, 150))}
        memories[at] = Pages(size, None, dict(sorted(pages.items())))
    elif random.random() < 0.3:
        memories.append(Pages(65536, None, {}))
    return replace(state, memories=tuple(memories))


def _in_segments(state: State, random: Random) -> State:
    segments = list(state.segments)
    if segments:
        at = random.randrange(len(segments))
        kept = tuple(random.choice((0, 0, 1, 2, 5)) for _ in range(random.randrange(3)))
        segments[at] = random.choice(((kept, ()), ((), kept), (kept, kept)))
    return replace(state, segments=tuple(segments))


def _in_fuel(state: State, random: Random) -> State:
    near = state.fuel.left
    left = random.choice((-1, 0, near - 1, near, 2**62, 2**62 + 1, -(2**40), -(2**40) - 1, 2**63 - 1))
    granted = random.choice((state.fuel.granted, 0, left & (2**64 - 1), *_NUMBERS))
    output = random.choice((0, 0, 10, 2**62 - 1, 2**64 - 1))
    return replace(state, fuel=Fuel(granted, left, random.random() < 0.5), output_used=output)


def _in_limits(state: State, random: Random) -> State:
    limits = random.choice((
        Limits(memory=random.choice((None, 0, 65536, 2**40))), Limits(stack=random.choice((1, 64, 300, 1 << 30))),
        Limits(fuel=random.choice((None, 0, 1, 2**62 - 1))), Limits(seconds=random.choice((None, 1e-9, 1e300))),
        Limits(table_elements=random.choice((0, 1, 10_000_000))), Limits(storage=random.choice((None, 0, 2**63 - 1))),
    ))  # fmt: skip
    return replace(state, limits=limits)


def _in_devices(state: State, random: Random) -> State:
    kinds = ("console", "clock", "entropy", "storage", "unknown", "")
    items = tuple(
        (random.choice(kinds), DeviceState(random.randbytes(random.choice((0, 8, 10, 40))))) for _ in range(2)
    )
    return replace(state, devices=(items,) * (len(state.shape.links) + random.choice((0, 0, 0, 1))))


class _Forged(DeviceState):
    """A device's state with pages of any numbers."""

    def __init__(self, data: bytes, pages: dict[int, bytes]) -> None:
        super().__init__(data)
        self._pages = pages

    def pages(self) -> list[tuple[int, bytes]]:
        return sorted(self._pages.items())


def _in_storage(state: State, random: Random) -> State:
    """Bytes of a state of files changed, or their pages."""
    if not any(items for items in state.devices):
        return _in_devices(state, random)

    def forged(kind: str, item: DeviceState) -> tuple[str, DeviceState]:
        data, pages = bytearray(item.data()), dict(item.pages())
        for _ in range(random.choice((0, 1, 1, 2, 3))):
            if data:
                data[random.randrange(len(data))] = random.choice((0, 1, 2, 3, 4, 5, 8, 47, 255, random.randrange(256)))
        if random.random() < 0.3:
            number = min(_number(random, len(pages)), 2**31)
            pages[number] = random.choice((b"x" * PAGE_BYTES, b"x".ljust(PAGE_BYTES, b"\0"), bytes(PAGE_BYTES)))
        return kind, _Forged(bytes(data), pages)

    return replace(state, devices=tuple(tuple(forged(*item) for item in items) for items in state.devices))


_CHANGES: list[Callable[[State, Random], State]] = [
    *[_in_slots] * 4, *[_in_headers] * 6, *[_in_frames] * 4, *[_in_standing] * 2, _in_pending, *[_in_links] * 3,
    *[_in_tables] * 2,
    *[_in_globals] * 2, *[_in_memories] * 2, _in_segments, _in_fuel, _in_limits, _in_devices, _in_storage,
]  # fmt: skip


def restored(snapshot: Snapshot, engine: str, limits: Limits) -> Store:
    """A store of what a snapshot says, with a host that gives all that its modules ask for.  Raises Error."""
    imports: dict[str, dict[str, Any]] = {}
    for module in snapshot.state.shape.modules:
        for space, functions in imports_of(module.module).items():
            imports.setdefault(space, {}).update(functions)
    devices = [Console(io.BytesIO(), io.BytesIO(), io.BytesIO()), Clock(), Entropy(seed=1), Storage({"old": b"1"})]
    guest = snapshot.restore(
        engine=engine_of(engine), limits=limits, imports=imports, devices=devices, externs=bytes, replica=True
    )
    return guest.store
