"""The recipes of the documentation, carried out: programs that need more than the suites of tests may ask for."""
