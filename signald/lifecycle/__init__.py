"""Start, reload, drain, hand-over and supervision of the daemon."""
