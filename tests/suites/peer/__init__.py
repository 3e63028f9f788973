"""Tests of the aiortc peer, which run in a separate process because they need Twisted's asyncio reactor."""
