"""Benchmarks: programs that print figures, each beside a figure of the same run to compare it with."""
