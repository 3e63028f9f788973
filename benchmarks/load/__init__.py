"""The load generator: clients of signald and of its peers, on picows and uvloop, in a process of their own."""
