"""Package discovery; everything else about the distribution is in pyproject.toml.

The standard library of Krait is data of the package `krait`, but its folder is not below that of `krait`.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(".", include=["svm", "svm.*"]),
        *find_packages("compiler", include=["krait", "krait.*"]),
        "krait.stdlib",
    ]
)
