"""The wheel: built from the sources, installed apart from them, it compiles and runs a Krait file from any folder, and
brings the interpreter's machine code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from svm.engines.native.blob import CARRIED, TARGETS, buildable

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]  # built once, by one worker

ROOT = Path(__file__).parents[1]
PROGRAM = """\
def double(x: int) -> int:
    return 2 * x


names: list[str] = ["wheel", "krait"]
for name in names:
    print(f"{name:>8}", double(len(name)))
"""
OUTPUT = "   wheel 10\n   krait 10\n"


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Run `command` without the paths of this test run; return what it wrote to standard output."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    environment |= variables
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the checkout, built from a copy, so that no earlier build's leavings get into it."""
    tree = tmp_path_factory.mktemp("sources")
    for folder in ("svm", "compiler", "stdlib"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for file in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tree)
    out = tmp_path_factory.mktemp("wheel")
    build = ("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", out, ".")
    run(sys.executable, *build, cwd=tree)
    (built,) = out.glob("svm-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts folder of a fresh environment with the wheel, and the dependencies of the tests' environment."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    python = scripts / "python"
    install = ("--python", python, "install", "--no-deps", "--no-index", "--disable-pip-version-check", wheel)
    run(sys.executable, "-m", "pip", *install, cwd=folder)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    # Paths in a .pth file come after the environment's own, and .pth files in them (an editable svm) are not read.
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(site, "dependencies.pth").write_text("\n".join(sorted(dependencies)) + "\n", encoding="utf-8")
    return scripts


def test_every_source_is_in_the_wheel(wheel: Path) -> None:
    expected = {"svm/py.typed", "krait/py.typed"}
    for package, folder in (("svm", "svm"), ("krait", "compiler/krait"), ("krait/stdlib", "stdlib")):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".pyi", ".kr", ".lark", ".json"):
                expected.add(f"{package}/{path.relative_to(ROOT / folder).as_posix()}")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    blobs = {name for name in packed if f"/{CARRIED}/" in name}
    assert packed - blobs == expected
    targets = {target for target in TARGETS for name in blobs if name.endswith(f"-{target}.blob")}
    assert targets == (set(TARGETS) if buildable() else set()) and len(blobs) == len(targets)
    assert wheel.name.endswith("-py3-none-any.whl") == (not blobs)


def test_an_installed_wheel_compiles_and_runs_krait(environment: Path, tmp_path: Path) -> None:
    probe = "import krait, svm; print(krait.__file__); print(svm.__file__)"
    where = run(environment / "python", "-c", probe, cwd=tmp_path)
    assert all(Path(line).is_relative_to(environment.parent) for line in where.splitlines())
    (tmp_path / "hello.kr").write_text(PROGRAM, encoding="utf-8")
    assert run(environment / "svm", "run", "hello.kr", cwd=tmp_path) == OUTPUT
    run(environment / "svm", "build", "hello.kr", "-o", "hello.svmb", cwd=tmp_path)
    (tmp_path / "hello.kr").unlink()
    assert run(environment / "svm", "run", "hello.svmb", cwd=tmp_path) == OUTPUT


@pytest.mark.skipif(not buildable(), reason="no machine code for this platform")
def test_an_installed_wheel_builds_nothing(environment: Path, tmp_path: Path) -> None:
    """The first run of all, with nothing in the cache."""
    (tmp_path / "hello.kr").write_text(PROGRAM, encoding="utf-8")
    run(environment / "svm", "build", "hello.kr", "-o", "hello.svmb", cwd=tmp_path)
    code = "import sys; sys.modules['llvmlite'] = None; sys.argv[0] = 'svm'; from svm.cli import main; main()"
    cache = {"SVM_CACHE": str(tmp_path / "cache")}
    assert run(environment / "python", "-c", code, "run", "hello.svmb", cwd=tmp_path, **cache) == OUTPUT
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["code", "digests"]
