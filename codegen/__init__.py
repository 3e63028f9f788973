"""Generates files from the code: `python -m codegen`. This package is not installed."""
