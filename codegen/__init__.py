"""Writes the files that are made from the code: `python -m codegen`. It is not part of what is installed."""
