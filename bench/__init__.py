"""Benchmarks: kernels by pytest-benchmark, the gateway under load by the scripts in load/."""
