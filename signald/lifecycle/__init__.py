"""The lifecycle of the daemon: its start, reload, drain, hand-over to the next process, and supervision."""
