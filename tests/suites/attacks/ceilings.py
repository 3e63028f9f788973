"""Attacks that a bystander notices more than it should, each with the most that it may notice."""

from __future__ import annotations

from collections.abc import Mapping

CEILINGS: Mapping[tuple[str, str], float] = {}
"""Milliseconds of the daemon's processor time in the median of the bystander's waits, by attack and transport.

The table of `make attack` shows these rows as not met. A ceiling may only be lowered, and is removed when the row is
met: an attack without one has to be harmless.
"""

MIB_CEILINGS: Mapping[str, float] = {"flood-keys": 28.0, "flood-outboxes-4": 32.0, "flood-outboxes-16": 64.0}
"""MiB above the idle server, by attack; the table shows these rows as not met likewise.

Outboxes: over wss the 1,280 connections of 16 addresses take 41 MiB while they are idle, 33 KiB each, and the bound is
32 MiB for all. Over ws the whole attack took 17.7 MiB. The 320 connections of 4 addresses took 28.1 MiB over wss, of
which 10.3 MiB are idle connections.
Keys: 200 connections over wss take 6.5 MiB while they are idle, and each buffers a part of a message of 60 kB,
which is 11.4 MiB; with the parsing of one, 24.6 MiB were measured.
"""
