"""The pure signaling client: no I/O, the same source on CPython and on MicroPython in the browser."""
