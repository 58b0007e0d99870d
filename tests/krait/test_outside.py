"""What the library asks of the host: random bytes, clocks, waiting; and what happens where there is none."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

import krait
from svm import Clock, Console, Entropy, Module
from svm.errors import UncaughtError

_RANDOM = """
import random

random.seed(7)
print(random.randint(1, 6), random.random(), random.choice([1, 2, 3]), random.sample(range(10), 3))
xs = [1, 2, 3, 4]
random.shuffle(xs)
print(xs, random.choices("ab", k=3), random.uniform(0, 1), random.randrange(5), random.getrandbits(8))
"""


def _output(source: str) -> str:
    out = io.BytesIO()
    devices = [Console(io.BytesIO(), out, io.BytesIO()), Clock(), Entropy(seed=1)]
    with Module(krait.compile_source(source)).spawn(devices=devices) as guest:
        assert guest.run() == 0
    return out.getvalue().decode()


def test_functions_of_random_are_those_of_a_generator(oracle: Callable[..., object]) -> None:
    assert _output(_RANDOM) == getattr(oracle(_RANDOM), "stdout")  # noqa: B009


def test_without_a_seed_the_host_gives_random_bytes() -> None:
    source = "from random import Random, random\nprint(0 <= random() < 1, Random().random() != Random().random())\n"
    assert _output(source) == "True True\n"


def test_clocks_go_on() -> None:
    source = """
import time

start = time.perf_counter()
time.sleep(0.01)
print(time.perf_counter() - start >= 0.01, time.time() > 1.6e9, time.monotonic_ns() > 0)
"""
    assert _output(source) == "True True True\n"


def test_without_a_device_there_are_no_random_bytes() -> None:
    guest = Module(krait.compile_source("import random\nprint(random.random())\n")).spawn(devices=[])
    with pytest.raises(UncaughtError, match="OSError: the host gives no random bytes"):
        guest.run()
