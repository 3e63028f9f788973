"""Scripted exchanges that every client of the protocol has to answer alike (docs/behaviours.md)."""
