"""Fault injection: faults of the machine, the network and the operator's files, and how a daemon reacts to them."""
