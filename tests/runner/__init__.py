"""The test runner: which suites there are, how they are divided over the cores, and what they sum up to."""
