"""Files by way of a C library, compared with what wasmtime makes of the same program, and moved while it runs."""

from __future__ import annotations

import io
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import svm

wasmtime = pytest.importorskip("wasmtime", reason="the oracle is not installed: pip install wasmtime")

SOURCE = Path(__file__).with_name("files.c")
OPTIONS = (
    "cc", "--target=wasm32-wasi", "-O1",
    "-mcpu=mvp+bulk_memory+sign_ext+nontrapping_fptoint+mutable_globals+multivalue+reference_types",
)  # fmt: skip
TEXT = b"a line\nanother line\nlast"
DIFFERENT = b"link"
"""What wasmtime has and svm has not."""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("ziglang") is None:
        pytest.skip("a compiler of C for WebAssembly is not installed: pip install ziglang")
    target = tmp_path_factory.mktemp("c") / "files.wasm"
    subprocess.run([sys.executable, "-m", "ziglang", *OPTIONS, str(SOURCE), "-o", str(target)], check=True)
    return target


def theirs(program: Path, folder: Path, args: tuple[str, ...]) -> tuple[int, bytes, dict[str, bytes]]:
    """Status, output and files under wasmtime."""
    (folder / "root").mkdir()
    (folder / "root" / "in.txt").write_bytes(TEXT)
    config = wasmtime.WasiConfig()
    config.argv = ("files", *args)
    config.stdout_file = str(folder / "stdout")
    config.preopen_dir(str(folder / "root"), "/", "read-only" not in args)
    engine = wasmtime.Engine()
    store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
    store.set_wasi(config)
    linker.define_wasi()
    instance = linker.instantiate(store, wasmtime.Module.from_file(engine, str(program)))
    status = 0
    try:
        instance.exports(store)["_start"](store)
    except wasmtime.ExitTrap as ended:
        status = ended.code
    found = [path for path in (folder / "root").rglob("*") if path.is_file()]
    files = {str(path.relative_to(folder / "root")): path.read_bytes() for path in found}
    return status, (folder / "stdout").read_bytes(), files


def lines(output: bytes) -> list[bytes]:
    return [line for line in output.splitlines() if DIFFERENT not in line]


def devices(storage: svm.Storage, out: io.BytesIO, args: tuple[str, ...]) -> list[svm.devices.Device]:
    return [svm.Console(io.BytesIO(), out, io.BytesIO(), args=["files", *args]), storage, svm.Clock()]


@pytest.mark.parametrize("args", [(), ("redirect",), ("read-only",)])
def test_a_program_s_files_are_what_they_are_elsewhere(
    compiled: Path, engine: str, tmp_path: Path, args: tuple[str, ...]
) -> None:
    expected = theirs(compiled, tmp_path, args)
    expected[2].pop("linked", None)
    storage, out = svm.Storage({"in.txt": TEXT}, read_only="read-only" in args), io.BytesIO()
    guest = svm.load(compiled).spawn(engine=engine, devices=devices(storage, out, args))
    assert guest.run() == expected[0] == {(): 7, ("redirect",): 0, ("read-only",): 3}[args]
    assert lines(out.getvalue()) == lines(expected[1])
    assert dict(storage) == expected[2]
    assert storage.used == sum(512 + len(path.rpartition("/")[2]) + len(data) for path, data in storage.items()) + (
        512 + len("work") if args == ("redirect",) else 0
    )


@pytest.mark.parametrize(("first", "second"), [("interpreter", "reference"), ("reference", "interpreter")])
def test_a_program_goes_on_with_its_files_on_another_engine(compiled: Path, first: str, second: str) -> None:
    """Through the bytes of a file, again and again, under a limit that is raised when it is met."""
    whole, out = svm.Storage({"in.txt": TEXT}), io.BytesIO()
    module = svm.load(compiled)
    module.spawn(devices=devices(whole, out, ("redirect",))).run()
    got = io.BytesIO()
    guest = module.spawn(
        engine=first,
        devices=devices(svm.Storage({"in.txt": TEXT}), got, ("redirect",)),
        limits=svm.Limits(storage=2000),
    )
    task, met, storage = guest.start("_start"), 0, svm.Storage()
    for turn in range(1000):
        outcome = task.run(fuel=1_500_000)
        if not isinstance(outcome, svm.Paused):
            break
        limit = guest.limits.storage
        assert isinstance(limit, int)
        if outcome.reason == "storage":
            met, limit = met + 1, limit + 20_000
        storage = svm.Storage()
        guest = svm.Snapshot.load(guest.snapshot().to_bytes(embed=False), modules=[module]).restore(
            engine=(second, first)[turn % 2],
            devices=devices(storage, got, ("redirect",)),
            limits=svm.Limits(storage=limit),
        )
        assert guest.task is not None
        task = guest.task
    assert turn > 10 and met > 3
    assert dict(storage) == dict(whole) and got.getvalue() == out.getvalue()
