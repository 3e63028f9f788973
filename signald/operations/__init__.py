"""The operator's listener: metrics, health, readiness, and the admin page."""
