"""Runs the recipes of the documentation with programs that the other test suites do not require."""
