"""A few of the specification's scripts, for `make test`; `make spec` runs all of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from svm.wast import read_script, run_script
from svm.wast.script import ExpectRefused, ExpectReturn, ExpectTrap
from tests.spec import BUILD, AbsentError, scripts

SHARE = ("binary", "bulk", "elem", "fac", "imports", "linking", "names", "ref_func", "select", "start", "traps")


@cache
def all_scripts() -> dict[str, Path]:
    try:
        return {path.stem: path for path in scripts(BUILD)}
    except AbsentError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", SHARE)
def test_share(engine: str, name: str) -> None:
    report = run_script(read_script(all_scripts()[name]), engine=engine, seconds=60)
    assert not report.failures
    assert report.passed


def test_nothing_is_missing() -> None:
    """As many assertions as the corpora's README counts, those that are about the text format alone among them."""
    read = [read_script(path) for path in all_scripts().values()]
    commands = [command for script in read for _, command in script.commands]
    assertions = [each for each in commands if isinstance(each, ExpectReturn | ExpectTrap | ExpectRefused)]
    assert len(read) == 90
    assert len(assertions) == 26_625
    assert sum(isinstance(each, ExpectRefused) and not each.binary for each in assertions) == 567
