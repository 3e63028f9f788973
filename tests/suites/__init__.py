"""The test suites that start separate processes; each folder is one suite."""
