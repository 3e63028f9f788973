"""The Python clients of signald: the pure signaling client and the aiortc peer."""
