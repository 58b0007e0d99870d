"""Package discovery, and the machine code that a wheel carries; all else of the distribution is in pyproject.toml.

The standard library of Krait is data of the package `krait`, but its folder is not below that of `krait`.

A wheel brings the interpreter's machine code for its platform (`svm.engines.native.blob`), so that no run has to build
it.  It refers to nothing of the system, not even the C library, and asks the Python that loads it for the addresses of
what it calls there.  Any may load it, so the wheel's tag names the platform alone.  Without llvmlite, or where there is
no native engine, the wheel is a pure one.
"""

import os
import sys
from importlib.util import find_spec

from setuptools import Distribution, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # an isolated build does not see the sources by itself
sys.dont_write_bytecode = True  # nor are they for it to write to
from svm.engines.native import blob  # noqa: E402  # found by the line before

CARRIES = blob.buildable() and find_spec("llvmlite") is not None
# Code without a C library runs beside any; 2.17 and 1.1 are the oldest that pip's tags have for most systems.
TAGS = {"linux_x86_64": "manylinux_2_17_x86_64.musllinux_1_1_x86_64"}


class Packages(Distribution):
    """These packages."""

    def has_ext_modules(self) -> bool:
        """Whether they go where a platform's own belong."""
        return CARRIES


class BuildPy(build_py):
    """Copies the sources, and puts the machine code beside them."""

    def run(self) -> None:
        super().run()
        if CARRIES and not self.editable_mode:  # a checkout changes: its code is built when it is first run
            folder = os.path.join(self.build_lib, "svm", "engines", "native", blob.CARRIED)
            self.mkpath(folder)
            blob.write_blobs(folder)


class BdistWheel(bdist_wheel):
    """A wheel for a platform if it carries code, and for any Python."""

    def get_tag(self) -> tuple[str, str, str]:
        if not CARRIES:
            return super().get_tag()
        platform = super().get_tag()[2]
        return "py3", "none", TAGS.get(platform, platform)


setup(
    packages=[
        *find_packages(".", include=["svm", "svm.*"]),
        *find_packages("compiler", include=["krait", "krait.*"]),
        "krait.stdlib",
    ],
    distclass=Packages,
    cmdclass={"build_py": BuildPy, "bdist_wheel": BdistWheel},
)
