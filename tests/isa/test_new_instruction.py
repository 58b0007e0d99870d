"""An arithmetic instruction is one row: that of docs/new-instruction.md, put into a copy of svm, works everywhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = "svm/isa/rows/integer.py"

USES = r'''
import random

import svm
from svm.isa import BY_CODE, OPS, document
from svm.isa.numeric import M32
from svm.module import decode, decode_body, encode, from_text, to_text, validate
from tests.isa.llvm_harness import Compiled, cases

text = """
func $average (param i32 i32) (result i32)
  local.get 0
  local.get 1
  i32.avgr_u
end
export "average" func $average
"""
op = OPS["i32.avgr_u"]
assert BY_CODE[op.code] is op

module = from_text(text)
assert b"\xe0\x7f" in module.functions[0].body
assert decode_body(module.functions[0].body)[2].op is op
assert decode(encode(module)) == module
assert "\n  i32.avgr_u\n" in to_text(module)
assert from_text(to_text(module)) == module
assert validate(module).function(0).code[2].op is op

try:
    validate(from_text(text.replace("(param i32 i32)", "(param i32 i64)")))
except svm.InvalidError as error:
    assert "i32.avgr_u" in str(error) and "i32 expected, i64 found" in str(error)
else:
    raise AssertionError("the validator does not know the signature")

pairs = [(0, 0), (0, 1), (M32, M32), (M32, 0), (1 << 31, 1 << 31)]
pairs += [(random.getrandbits(32), random.getrandbits(32)) for _ in range(1000)]
(case,) = cases([op])
assert Compiled([case]).run(case, pairs) == [(op.python(*pair),) for pair in pairs]

for engine in svm.ENGINES:
    guest = svm.Module(module).spawn(engine=engine)
    assert guest.call("average", 6, 9) == 8, engine
    assert guest.call("average", -1, -1) in (-1, M32), engine

assert "| `E0 7F` | `i32.avgr_u` | i32 i32 → i32 | Average of unsigned integers, rounded up." in document.render()
'''


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of svm whose table has the row, and nothing else that differs."""
    recipe = (ROOT / "docs" / "new-instruction.md").read_text("utf-8")
    found = re.search(r"^```python\n(    row\(\n.*?^    \),\n)```", recipe, re.MULTILINE | re.DOTALL)
    assert found is not None, "the recipe has lost its row"
    shutil.copytree(ROOT / "svm", tmp_path / "svm", ignore=shutil.ignore_patterns("__pycache__"))
    rows = tmp_path / ROWS
    source = rows.read_text("utf-8")
    assert source.endswith("    ),\n)\n")
    rows.write_text(source.removesuffix(")\n") + found[1] + ")\n", encoding="utf-8")
    return tmp_path


def test_one_row_is_all(copy: Path) -> None:
    # The copy comes before the checkout, from where only the tests' own modules are taken.
    path = os.pathsep.join(map(str, (copy, ROOT, ROOT / "compiler")))
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path.split(os.pathsep)!r}\n{USES}"],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
