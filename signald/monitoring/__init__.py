"""Metrics, logs, readiness, and the watch over the reactor."""
