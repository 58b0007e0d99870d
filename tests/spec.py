"""`make spec`: the WebAssembly specification's tests, on every engine; `ENGINES=jit` for one.

In: the archive of the tests among the corpora, and wabt's `wast2json`, which makes JSON and modules of them; where one
is missing, that is said and nothing is run. Out: what `svm wast` prints, for each engine; the exit status is 1 where a
test failed. Invariant: all scripts of `core/` run, and none has an exception made for it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from svm import ENGINES
from tests.corpora import ROOT, corpora

ARCHIVE = "wasm-spec/testsuite-3a04b2c.tar.xz"
"""The tests of core 2.0, by the commit of WebAssembly/testsuite."""

BUILD = ROOT / "build" / "spec"
CONVERTER = "wast2json"
SECONDS = 60
"""What one call may take, so that an engine that loops is a failure and not a hang."""


class AbsentError(Exception):
    """Something outside the project is not there; the message says what, and how to have it."""


def scripts(build: Path) -> list[Path]:
    """The JSON of all core scripts, made now or by a run before.  Raises AbsentError."""
    archive, converter = corpora() / ARCHIVE, shutil.which(CONVERTER)
    if not archive.exists():
        raise AbsentError(f"{archive} is absent; SVM_CORPORA may name the folder that has {ARCHIVE}")
    if converter is None:
        raise AbsentError(f"there is no {CONVERTER}; it comes with wabt (apt-get install wabt)")
    version = subprocess.run([converter, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    folder = build / f"{archive.name.partition('.')[0]}-wabt-{version}"
    if not folder.exists():
        build.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=build) as unfinished:
            convert(archive, converter, Path(unfinished, "tests"))
            with suppress(OSError):  # another process may have been quicker
                Path(unfinished, "tests").rename(folder)
    return sorted(folder.glob("*.json"))


def convert(archive: Path, converter: str, folder: Path) -> None:
    """Unpack the core scripts, and make JSON and modules of them."""
    (folder / "core").mkdir(parents=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            path, source = Path(member.name), tar.extractfile(member)
            if path.parent.name == "core" and path.suffix == ".wast" and source is not None:
                (folder / "core" / path.name).write_bytes(source.read())
    for path in sorted((folder / "core").iterdir()):
        subprocess.run([converter, f"core/{path.name}", "-o", f"{path.stem}.json"], cwd=folder, check=True)


def main() -> int:
    """Run all scripts on the engines that the command line names, all of them if it names none; the exit status."""
    engines = sys.argv[1:] or list(ENGINES)
    try:
        files = scripts(BUILD)
    except AbsentError as error:
        print(f"spec: not run: {error}")
        return 0
    print(f"==> {len(files)} scripts of {ARCHIVE}; not its simd/, for svm has no SIMD instructions", flush=True)
    failed = False
    for engine in engines:
        print(f"==> svm wast --engine {engine}", flush=True)
        begun = time.monotonic()
        command = [sys.executable, "-m", "svm", "wast", "--engine", engine, "--timeout", str(SECONDS), "--verbose"]
        failed |= subprocess.run([*command, *map(str, files)], check=False).returncode != 0
        print(f"{engine}: {time.monotonic() - begun:.0f} s", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
