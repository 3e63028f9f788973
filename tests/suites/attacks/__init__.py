"""Attacks on a server in a process of its own, over real sockets: what they cost it, and what its neighbours notice."""
