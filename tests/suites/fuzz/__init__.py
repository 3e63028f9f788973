"""Coverage-guided fuzzing of the parsers of untrusted input; inputs that caused a crash become regression tests."""
