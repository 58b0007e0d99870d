"""Programs of several modules: what imports find, when a module's code runs, and what stays private."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import krait
from krait.sources import Source, Sources
from svm import Console, Module


def run(folder: Path, main: str, **modules: str) -> str:
    for name, source in {"main": main, **modules}.items():
        (folder / f"{name}.kr").write_text(source, encoding="utf-8")
    out = io.BytesIO()
    guest = Module(krait.compile_file(folder / "main.kr")).spawn(devices=[Console(io.BytesIO(), out, io.BytesIO())])
    assert guest.run() == 0
    return out.getvalue().decode()


def errors(source: str) -> list[str]:
    with pytest.raises(krait.CompileError) as raised:
        krait.compile_source(source)
    return [found.message for found in raised.value.diagnostics]


def test_module_code_runs_once_where_it_is_imported(tmp_path: Path) -> None:
    main = (
        "print('start')\nimport helper\nimport helper as again\nfrom helper import twice\n"
        "print(twice(helper.limit))\n"
    )
    helper = "print('helper', __name__)\nlimit = 21\n\n\ndef twice(n: int) -> int:\n    return 2 * n\n"
    assert run(tmp_path, main, helper=helper) == "start\nhelper helper\n42\n"


def test_modules_may_import_each_other(tmp_path: Path) -> None:
    main = "import even\nprint(even.check(10), even.check(7))\n"
    even = "import odd\n\n\ndef check(n: int) -> bool:\n    return n == 0 or odd.check(n - 1)\n"
    odd = "import even\n\n\ndef check(n: int) -> bool:\n    return n != 0 and even.check(n - 1)\n"
    assert run(tmp_path, main, even=even, odd=odd) == "True False\n"


def test_classes_and_generics_cross_modules(tmp_path: Path) -> None:
    main = "from shapes import Box, area\nimport shapes\nb = shapes.Box(3)\nprint(area(b), Box('x').item)\n"
    shapes = (
        "class Box[T]:\n    def __init__(self, item: T) -> None:\n        self.item = item\n\n\n"
        "def area(box: Box[int]) -> int:\n    return box.item * box.item\n"
    )
    assert run(tmp_path, main, shapes=shapes) == "9 x\n"


def test_library_is_not_shadowed_by_the_program(tmp_path: Path) -> None:
    (tmp_path / "krait").mkdir()
    (tmp_path / "krait" / "heap.kr").write_text("def allocate(size: int) -> int:\n    return 0\n", encoding="utf-8")
    assert run(tmp_path, "print([1, 2])\n") == "[1, 2]\n"


def test_errors_of_an_imported_module_name_its_file(tmp_path: Path) -> None:
    (tmp_path / "main.kr").write_text("import broken\n", encoding="utf-8")
    (tmp_path / "broken.kr").write_text("x: int = 'a'\n\n\ndef f() -> int:\n    return 'b'\n", encoding="utf-8")
    with pytest.raises(krait.CompileError) as raised:
        krait.compile_file(tmp_path / "main.kr")
    assert [Path(found.filename).name for found in raised.value.diagnostics] == ["broken.kr", "broken.kr"]


def places(folder: Path, main: str, **modules: str | bytes) -> list[str]:
    """What is wrong with a program, each error with its file and line."""
    for name, source in {"main": main, **modules}.items():
        (folder / f"{name}.kr").write_bytes(source.encode() if isinstance(source, str) else source)
    with pytest.raises(krait.CompileError) as raised:
        krait.compile_file(folder / "main.kr")
    return [f"{Path(each.filename).stem} {each.span.start_line}: {each.message}" for each in raised.value.diagnostics]


def test_a_module_that_does_not_parse_hides_no_errors_of_others(tmp_path: Path) -> None:
    main = (
        "import broken\nimport fine\nprint(1 + 'a')\nprint(broken.f(1))\n"
        "from broken import f\nprint(f(2) + fine.two)\n"
    )
    assert places(tmp_path, main, broken="def f(:\n", fine="two = 2\nthree: int = 'c'\n") == [
        "main 3: `+` does not take `int` and `str`",
        "broken 1: '(' was never closed",
        "fine 2: expected `int`, found `str`",
    ]  # fmt: skip


def test_a_module_that_is_no_text(tmp_path: Path) -> None:
    latin, marked = b"x = '\xff'\n", b"\xef\xbb\xbfx = 1 + 'a'\n"
    assert places(tmp_path, "import latin\nimport marked\n", latin=latin, marked=marked) == [
        "latin 1: the source is not UTF-8: byte 0xff",
        "marked 1: `+` does not take `int` and `str`",
    ]


def test_a_module_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(sources: Sources, name: str) -> Source | None:
        if name == "secret":
            raise PermissionError(13, "Permission denied", "secret.kr")
        return find_source(sources, name)

    find_source = Sources.find
    monkeypatch.setattr(Sources, "find", find)
    assert places(tmp_path, "import secret\nfrom secret import x\nprint(x)\ny: int = 'a'\n") == [
        "main 1: the module `secret` cannot be read: Permission denied",
        "main 2: the module `secret` cannot be read: Permission denied",
        "main 4: expected `int`, found `str`",
    ]


def test_places_in_sources_of_every_kind() -> None:
    """Byte order marks, tabs, form feeds and what ends lines elsewhere do not move what a span points at."""
    for source in ("x = 1\x0c\ny: int = 1.5\n", "s = '\u2028\x85'\r\nx: int = 1.5\r\n", "if True:\r\tx: int = 1.5\r"):
        with pytest.raises(krait.CompileError) as raised:
            krait.compile_source(source)
        (found,) = raised.value.diagnostics
        assert found.hints == ("write `int(…)` to cut off the fraction, `round(…)` to round",)
    with pytest.raises(krait.CompileError, match=r"1 \| x: int = 1\.5\n  \|          \^\^\^ this is"):
        krait.compile_source(b"\xef\xbb\xbfx: int = 1.5")


@pytest.mark.parametrize("source", [
    "from krait.heap import allocate\n",
    "import krait.heap as heap\n",
    "from krait.io import write\n",
])  # fmt: skip
def test_the_implementation_is_private(source: str) -> None:
    (message,) = errors(source)
    assert "private to the standard library" in message


def test_hidden_names_of_the_prelude_are_not_built_in() -> None:
    assert errors("print(sum_int([1]))\n") == ["the name `sum_int` is not defined"]


def test_fields_of_built_in_classes_are_hidden() -> None:
    assert errors("print([1].length)\n") == ["`list[int]` has no attribute `length`"]
    assert errors("print('x'._at(0))\n") == ["`str` has no attribute `_at`"]


def test_no_more_than_one_error_for_one_mistake() -> None:
    source = "xs = undefined\nfor x in xs:\n    print(x + 1)\ny = xs[0]\nprint(y.z)\n"
    assert errors(source) == ["the name `undefined` is not defined"]


PACKAGE = {
    "shop/__init__.kr": "print('shop')\nfrom .store import total\nfrom . import store\nVERSION = '1'\n",
    "shop/store.kr": "print(__name__)\nlimit = 10\n\n\ndef total(xs: list[int]) -> int:\n    return sum(xs)\n",
    "shop/parts/__init__.kr": "print('parts')\nfrom ..store import limit\n\n\n"
    "def count() -> int:\n    return limit + 1\n",
    "shop/parts/nut.kr": "print('nut')\nNAME = 'nut'\n\n\nclass Nut:\n    def __init__(self, width: int) -> None:\n"
    "        self.width = width\n",
    "shop/parts/bolt.kr": "from . import nut\nfrom .nut import Nut\nfrom .. import VERSION\n"
    "from ..store import total as sum_up\nprint('bolt', VERSION)\n\n\ndef size(x: int) -> int:\n"
    "    return Nut(x).width + len(nut.NAME) + sum_up([x])\n",
}


def test_packages_and_relative_imports(tmp_path: Path) -> None:
    for name, source in PACKAGE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source, encoding="utf-8")
    main = (
        "import shop.parts.bolt\nimport shop.parts as pp\nimport shop.store as st\nfrom shop import store, VERSION\n"
        "from shop.parts import bolt as b, nut\nfrom shop.parts.nut import Nut as N\n\n\n"
        "def late() -> int:\n    import shop.store\n    return shop.store.total([4])\n\n\n"
        "print(shop.parts.bolt.size(3), pp.count(), st.total([1, 2]), store.total([]), VERSION, b.size(1), nut.NAME)\n"
        "print(shop.VERSION, shop.store.limit, N(5).width, late(), __name__)\n"
    )
    assert run(tmp_path, main) == "shop\nshop.store\nparts\nnut\nbolt 1\n9 11 3 0 1 5 nut\n1 10 5 4 __main__\n"


def test_a_relative_import_stays_within_the_packages_of_the_program() -> None:
    assert errors("from . import x\n") == ["a relative import leads out of the packages of the program"]
