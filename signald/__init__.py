"""signald: a WebRTC signaling daemon."""

__version__ = "0.1.0"
