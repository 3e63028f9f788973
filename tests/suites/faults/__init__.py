"""Faults of the machine, the network and the operator's files, brought about on purpose: what a daemon does then."""
