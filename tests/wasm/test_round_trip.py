"""What is written as `.wasm` is read as the same module."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import krait
from svm import Module as Checked
from svm.isa import EXTERNREF, FUNCREF
from svm.module import (
    Capability,
    Custom,
    ElementSegment,
    ExternKind,
    Mode,
    Module,
    NameKind,
    Names,
    constant,
    from_text,
)
from svm.wasm import read, write
from svm.wasm.alone import stand_alone
from svm.wasm.expand import expand
from tests.fuzz.generator import generate, roomy
from tests.fuzz.runs import Run
from tests.module.corpus import EVERYTHING, corpus

PROGRAMS = Path(__file__).parents[1] / "krait" / "programs"


def check(module: Module) -> Module:
    """What is read is what was written, and writes the same again."""
    data = write(module)
    found = read(data)
    plain = expand(stand_alone(module))
    items = sorted(plain.names.items, key=lambda item: (item[0].value, item[1]))  # the order in which they are read
    names = Names(plain.names.module, tuple(items), tuple(sorted(plain.names.locals)))
    assert found == replace(plain, names=names)
    assert write(found) == data
    return found


@pytest.mark.parametrize("at", range(len(corpus())))
def test_corpus(at: int) -> None:
    check(corpus()[at])


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.kr")), ids=lambda path: path.name)
def test_krait_programs(path: Path) -> None:
    Checked(check(krait.compile_file(path)))


def test_random_modules() -> None:
    for seed in range(60):
        for module in generate(seed).modules:
            check(module)


@pytest.mark.parametrize("seed", range(10))
def test_what_is_read_runs_alike(engine: str, seed: int) -> None:
    """Calls end alike and leave the same; but what was expanded uses other fuel, and stands elsewhere."""
    case = roomy(generate(seed, modules=1))
    found = case.replace(modules=tuple(read(write(module)) for module in case.modules))
    mine, its = (Run(each, [Checked(module) for module in each.modules], engine) for each in (case, found))
    assert mine.link()[:2] == its.link()[:2]
    for call in case.steps() if mine.guests else ():
        assert mine.call(call)[:2] == its.call(call)[:2]
        assert mine.contents()[1:] == its.contents()[1:]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("table", [0, 1])
@pytest.mark.parametrize(
    ("kind", "items"),
    [
        (FUNCREF, ()),
        (FUNCREF, (constant("ref.func", 0), constant("ref.func", 1))),
        (FUNCREF, (constant("ref.func", 0), constant("ref.null", FUNCREF))),
        (FUNCREF, (b"\xd2\x80\x00\x0b",)),  # an index that is longer than it need be
        (EXTERNREF, ()),
        (EXTERNREF, (constant("ref.null", EXTERNREF),)),
    ],
)
def test_each_form_of_an_element_segment(mode: Mode, table: int, kind: object, items: tuple[bytes, ...]) -> None:
    module = from_text("table 5 funcref\ntable 5 funcref\nfunc $a\nend\nfunc $b\nend\n")
    if kind is EXTERNREF:
        module = replace(module, tables=tuple(replace(item, element=EXTERNREF) for item in module.tables))
    place = (table, constant("i32.const", 1)) if mode is Mode.ACTIVE else (0, None)
    segment = ElementSegment(items, FUNCREF if kind is FUNCREF else EXTERNREF, mode, *place)
    Checked(check(replace(module, elements=(segment,))))


def test_segments_of_functions_are_lists_of_indices() -> None:
    """The form of WebAssembly 1.0, for runtimes that know no other."""
    text = "table 5 funcref\nfunc $f\nend\nelem active table 0 at (i32.const 1) funcref (ref.func $f)"
    assert b"\x09\x07\x01\x00\x41\x01\x0b\x01\x00" in write(from_text(text))


def test_data_is_counted_only_where_code_names_it() -> None:
    text = 'memory 1\ndata passive "x"\nfunc $f\n  {}\nend\n'
    counted = bytes((12, 1, 1))
    assert counted in write(from_text(text.format("data.drop 0")))
    assert counted not in write(from_text(text.format("nop")))


def test_names_are_written_in_order_and_once() -> None:
    module = from_text("func $a (param $x i32) (param $y i32)\nend\nfunc $b\nend\ntag $t\nglobal $g i32 (i32.const 0)")
    items = module.names.items
    odd = replace(
        module,
        names=Names(
            "odd",
            ((NameKind.FUNCTION, 1, "first"), *reversed(items)),
            (*reversed(module.names.locals), (0, 1, "again")),
        ),
    )
    found = read(write(odd)).names
    assert found.module == "odd"
    assert found.items == items
    assert found.locals == ((0, 0, "x"), (0, 1, "again"))


def test_what_is_svms_own_is_kept() -> None:
    module = from_text(EVERYTHING)
    found = read(write(module))
    assert found.capabilities == module.capabilities != ()
    assert found.customs == module.customs != ()
    assert found.lines.files == module.lines.files != ()
    assert [item.function for item in found.lines.functions] == [item.function for item in module.lines.functions]


def test_customs_that_look_like_ours_do_not_replace_them() -> None:
    module = from_text('capability "console" "why"\ncustom "svm.capability" "\\00"\ncustom "other" "\\01"')
    found = read(write(module))
    assert found.capabilities == (Capability("console", "why"),)
    assert found.customs == (Custom("other", b"\1"),)


def test_an_imported_tag_has_its_attribute() -> None:
    module = from_text('import "env" "stop" tag $stop (param i32)')
    assert b"\x04stop\x04\x00\x00" in write(module)
    assert check(module).imports[0].kind is ExternKind.TAG
