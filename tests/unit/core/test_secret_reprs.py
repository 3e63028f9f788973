"""Tests that no repr, which may get into a traceback, contains a secret."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from attrs import Attribute, fields, has
from twisted.trial.unittest import SynchronousTestCase

from signald.core import (
    decisions,
    grant,
    ice_server,
    pending_decisions,
    registry,
    session_settings,
    snapshot,
    turn,
    webhook_messages,
)
from signald.core.decisions import Identify
from signald.core.messages import Instance, events, requests

MODULES = (
    decisions,
    events,
    grant,
    ice_server,
    pending_decisions,
    registry,
    requests,
    session_settings,
    snapshot,
    turn,
    webhook_messages,
)

SECRETS = {
    "claims",
    "credential",
    "current",
    "host_key",
    "host_secret",
    "password",
    "previous",
    "proof",
    "secret",
    "spent",
    "token",
}
"""The names of fields that hold a secret or its hash; the claims of a token are about a person."""


def attributes(module: ModuleType) -> Iterator[tuple[str, Attribute[object]]]:
    """Yield each field of the attrs classes of a module, with the name of its class."""
    for name, value in vars(module).items():
        if isinstance(value, type) and has(value) and value.__module__ == module.__name__:
            for attribute in fields(value):
                yield name, attribute


class ReprTests(SynchronousTestCase):
    """Tests of the reprs of operations, messages, records and settings."""

    def test_fields(self) -> None:
        """Every field that holds a secret is left out of the repr of its class."""
        found = [(name, one) for module in MODULES for name, one in attributes(module) if one.name in SECRETS]
        self.assertEqual({one.name for _, one in found}, SECRETS)
        self.assertEqual([f"{name}.{one.name}" for name, one in found if one.repr], [])

    def test_repr(self) -> None:
        """An operation with a token shows its other fields only."""
        text = repr(Identify(Instance("one"), token="canary"))
        self.assertNotIn("canary", text)
        self.assertIn("one", text)
