"""The network edge: WebSockets, HTTP, admission control, and the switchboard that joins them to the core."""
