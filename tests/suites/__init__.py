"""The suites that start processes of their own: one folder a suite."""
