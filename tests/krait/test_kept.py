"""Programs that are kept: what has not changed is not compiled again, and whatever has changed is."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import krait
from krait import compiler, kept
from krait.check.types import ClassDecl
from krait.sources import Sources
from svm.cache import cache_dir
from svm.module import Module, encode

MAIN = "from helper import twice\nprint(twice(21))\n"
HELPER = "def twice(n: int) -> int:\n    return 2 * n\n"


class Compiled:
    """How often something was compiled."""

    def __init__(self) -> None:
        self.count = 0


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of the test's own, without programs, but with the parser's tables and the library's trees."""
    krait.compile_source("")
    before = cache_dir()
    monkeypatch.setenv("SVM_CACHE", str(tmp_path / "cache"))
    for name in ("tables", "trees"):
        shutil.copytree(before / name, cache_dir(name), dirs_exist_ok=True)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, own_cache: None) -> Compiled:
    """Counts compilations, in a cache of its own."""
    found, compile_anew = Compiled(), compiler._compile

    def counted(source: str | bytes, filename: str, sources: Sources) -> bytes:
        found.count += 1
        return compile_anew(source, filename, sources)

    monkeypatch.setattr(compiler, "_compile", counted)
    return found


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "main.kr").write_text(MAIN, encoding="utf-8")
    (tmp_path / "helper.kr").write_text(HELPER, encoding="utf-8")
    return tmp_path / "main.kr"


def entries(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "programs").iterdir())


def test_an_unchanged_program_is_not_compiled_again(program: Path, compiled: Compiled) -> None:
    first = krait.compile_file(program)
    assert krait.compile_file(program) == first
    assert compiled.count == 1


def test_a_source_in_memory_is_kept_too(compiled: Compiled) -> None:
    assert krait.compile_source("print(1)\n") == krait.compile_source("print(1)\n")
    assert compiled.count == 1
    krait.compile_source(b"print(1)\n")  # bytes may declare their encoding, a text may not
    krait.compile_source("print(1)\n", "other.kr")  # line tables have the name
    krait.compile_source("print(1)\n", search_path=["elsewhere"])
    assert compiled.count == 4


@pytest.mark.parametrize("name", ["main.kr", "helper.kr"])
def test_a_changed_source_is_compiled(program: Path, compiled: Compiled, name: str) -> None:
    first = krait.compile_file(program)
    path, before = program.parent / name, (program.parent / name).read_text("utf-8")
    times = path.stat()
    path.write_text(before.replace("2", "3"), encoding="utf-8")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # times say nothing
    assert krait.compile_file(program) != first
    path.write_text(before, encoding="utf-8")
    assert krait.compile_file(program) == first
    assert compiled.count == (2 if name == "main.kr" else 3)


def test_a_module_that_goes_away_is_missed(program: Path, compiled: Compiled) -> None:
    krait.compile_file(program)
    (program.parent / "helper.kr").unlink()
    with pytest.raises(krait.CompileError, match="there is no module `helper`"):
        krait.compile_file(program)
    (program.parent / "helper.kr").mkdir()
    with pytest.raises(krait.CompileError, match="there is no module `helper`"):
        krait.compile_file(program)


def test_a_module_that_takes_the_place_of_another_is_found(program: Path, compiled: Compiled) -> None:
    nearer = program.parent / "nearer"
    folders = [nearer, program.parent]
    first = krait.compile_source(MAIN, "main.kr", folders)
    assert krait.compile_source(MAIN, "main.kr", folders) == first
    nearer.mkdir()
    (nearer / "helper.kr").write_text(HELPER.replace("2", "3"), encoding="utf-8")
    assert krait.compile_source(MAIN, "main.kr", folders) != first
    assert compiled.count == 2


def test_another_compiler_compiles_anew(program: Path, compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    krait.compile_file(program)
    monkeypatch.setattr(kept, "_compiler", lambda: b"another")
    krait.compile_file(program)
    assert compiled.count == 2


def test_the_name_of_the_compiler_covers_its_sources_and_the_library() -> None:
    root = Path(__file__).parents[2]
    found = {Path(path).relative_to(root).as_posix() for folder in kept._folders() for path in kept._files(folder)}
    expected = [*(root / "compiler").rglob("*"), *(root / "stdlib").rglob("*"), *(root / "svm" / "isa").rglob("*")]
    expected += (root / "svm" / "module").rglob("*")
    assert found == {path.relative_to(root).as_posix() for path in expected if path.suffix in (".py", ".kr", ".lark")}


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "swapped"])
def test_a_damaged_entry_is_as_good_as_none(program: Path, compiled: Compiled, tmp_path: Path, damage: str) -> None:
    first = krait.compile_file(program)
    (entry,) = entries(tmp_path)
    data = entry.read_bytes()
    match damage:
        case "cut":
            entry.write_bytes(data[:-1])
        case "empty":
            entry.write_bytes(b"")
        case "flipped":
            entry.write_bytes(data[:-100] + bytes([data[-100] ^ 1]) + data[-99:])
        case "swapped":
            krait.compile_source("print(7)\n")
            (other,) = set(entries(tmp_path)) - {entry}
            entry.write_bytes(other.read_bytes())
    before = compiled.count
    assert krait.compile_file(program) == first
    assert compiled.count == before + 1
    assert krait.compile_file(program) == first
    assert compiled.count == before + 1


def test_a_program_with_errors_is_not_kept(compiled: Compiled, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(krait.CompileError):
            krait.compile_source("print(x)\n")
    assert compiled.count == 2
    assert not (tmp_path / "cache" / "programs").exists() or entries(tmp_path) == []


def test_the_oldest_make_room(compiled: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "_compile", lambda source, filename, sources: encode(Module()))
    monkeypatch.setattr(kept, "MOST_FILES", 8)
    for number in range(20):
        krait.compile_source(f"print({number})\n")
    assert 0 < len(entries(tmp_path)) <= 8
    monkeypatch.setattr(kept, "MOST_BYTES", 10)
    before = entries(tmp_path)
    krait.compile_source("print('large')\n")
    assert entries(tmp_path) == before


def test_processes_that_compile_the_same_at_once(program: Path, tmp_path: Path, own_cache: None) -> None:
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), str(root / "compiler")])
    environment = {**os.environ, "PYTHONPATH": paths}
    outputs = [tmp_path / f"{number}.svmb" for number in range(4)]
    command = [sys.executable, "-m", "svm", "build", str(program), "-o"]
    running = [subprocess.Popen([*command, str(output)], env=environment) for output in outputs]
    assert [process.wait(timeout=60) for process in running] == [0] * 4
    assert {output.read_bytes() for output in outputs} == {encode(krait.compile_file(program))}
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_tree_is_parsed_anew(program: Path, compiled: Compiled, tmp_path: Path, damage: str) -> None:
    """Also where the damage would give another tree: one with another name, or another number."""
    before = set(cache_dir("trees").iterdir())
    first = krait.compile_file(program)
    (entry,) = set(cache_dir("trees").iterdir()) - before  # of the helper
    data = entry.read_bytes()
    entry.write_bytes(data[:-5] if damage == "cut" else data.replace(b"K\x02", b"K\x03"))  # 2 * n becomes 3 * n
    assert entry.read_bytes() != data
    program.write_text(MAIN + "# once more\n", encoding="utf-8")
    assert krait.compile_file(program).functions == first.functions
    assert entry.read_bytes() == data


def test_the_process_keeps_nothing_of_a_program(compiled: Compiled) -> None:
    """A host that compiles one plugin after the other does not grow."""
    krait.compile_source("class Odd:\n    pass\n\nxs: list[Odd] = [Odd()]\nprint(len(xs))")
    gc.collect()
    assert compiled.count == 1
    assert not [item for item in gc.get_objects() if isinstance(item, ClassDecl) and item.name == "Odd"]
