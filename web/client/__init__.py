"""The Python of the call page, which runs in MicroPython on WebAssembly."""
