"""Measurements: `python -m benchmarks`, which `make bench` runs."""
