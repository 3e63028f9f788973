"""The pure core: facts in, actions out. It imports no I/O, looks at no clock and draws no random numbers."""
