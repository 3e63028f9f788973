"""Metrics, logs, readiness, and the detection of a stalled reactor."""
