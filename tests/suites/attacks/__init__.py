"""Attacks on a server in a separate process; they measure the server's cost and the delay for other clients."""
