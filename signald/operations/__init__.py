"""The operator's listener, which serves metrics, the health and readiness probes, and the admin page."""
