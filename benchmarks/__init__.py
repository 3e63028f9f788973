"""Benchmarks: programs that print measurements, each beside a reference value of the same run."""
