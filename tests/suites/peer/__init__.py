"""Tests of the aiortc peer: they need Twisted's asyncio reactor, and a process of their own."""
