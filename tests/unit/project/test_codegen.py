"""Tests that all generated files are up to date; `make generate` writes them."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from codegen import client_messages, configuration, javascript_client, mistakes, monitoring, schemas, tables


class FreshTests(SynchronousTestCase):
    """Each committed file equals the generated one."""

    def test_protocol_document(self) -> None:
        """The tables and diagrams of docs/protocol.md are up to date."""
        text = tables.PATH.read_text()
        self.assertEqual(tables.filled(text), text)

    def test_pictures(self) -> None:
        """Each state diagram of docs/protocol.md has its picture beside the page, and no other file is there."""
        self.assertEqual({path: path.read_text("utf-8") for path in tables.PICTURES.iterdir()}, tables.pictures())

    def test_limits_document(self) -> None:
        """The table of refusals in docs/limits.md is up to date."""
        text = tables.LIMITS_PATH.read_text("utf-8")
        self.assertEqual(tables.filled_limits(text), text)

    def test_configuration_document(self) -> None:
        """The settings in docs/configuration.md are up to date."""
        text = configuration.PATH.read_text("utf-8")
        self.assertEqual(configuration.filled(text), text)

    def test_monitoring_document(self) -> None:
        """The metrics and events in docs/monitoring.md are up to date."""
        text = monitoring.PATH.read_text("utf-8")
        self.assertEqual(monitoring.filled(text), text)

    def test_mistakes_document(self) -> None:
        """Each mistake of docs/mistakes.md gets the message that stands beside it, and no message repeats a secret."""
        text = mistakes.PATH.read_text("utf-8")
        self.assertEqual(mistakes.filled(text), text)
        self.assertGreaterEqual(len(mistakes.MISTAKES), 60)
        for number, mistake in enumerate(mistakes.MISTAKES):
            folder = Path(self.mktemp()).resolve()
            folder.mkdir()
            said = mistakes.message(mistake, folder)
            self.assertRegex(said, r"\A[^\0]+[.?]\Z", number)
            self.assertNotIn(mistakes.SECRET, said)

    def test_missing_mark(self) -> None:
        """A document without the mark of a table is an error, since the table would be missing unnoticed."""
        self.assertRaises(LookupError, tables.filled, "")
        self.assertRaises(LookupError, tables.filled_limits, "")
        self.assertRaises(LookupError, configuration.filled, "")
        self.assertRaises(LookupError, monitoring.filled, "")
        self.assertRaises(LookupError, mistakes.filled, "")

    def test_schemas(self) -> None:
        """The JSON Schema and the AsyncAPI document are up to date."""
        self.assertEqual(schemas.SCHEMA.read_text(), schemas.text(schemas.schema()))
        self.assertEqual(schemas.ASYNCAPI.read_text(), schemas.text(schemas.asyncapi()))

    def test_client_messages(self) -> None:
        """The client's message classes, derived from the server's, are up to date."""
        self.assertEqual(client_messages.PATH.read_text(), client_messages.client_messages())

    def test_javascript_client(self) -> None:
        """The JavaScript client, the shapes and types of its messages and the version of its package are up to date."""
        self.assertEqual(javascript_client.SHAPES.read_text(), javascript_client.shapes())
        self.assertEqual(javascript_client.TYPES.read_text(), javascript_client.types())
        self.assertEqual(javascript_client.PACKAGE.read_text(), javascript_client.package())
        self.assertEqual(javascript_client.LICENCE.read_text(), javascript_client.licence())
        self.assertEqual(javascript_client.MODULE.read_text(), javascript_client.bundle())
        self.assertEqual(javascript_client.EMBED.read_text(), javascript_client.bundle("embed.mjs"))

    def test_shortened_names(self) -> None:
        """No name that is shortened in the JavaScript client is written as a text, or known to applications."""
        declared = (javascript_client.FOLDER / "client.d.mts").read_text()
        sources = "".join(path.read_text() for path in javascript_client.SOURCES.glob("*.mjs"))
        for name in javascript_client.INTERNAL:
            self.assertTrue(re.search(rf"\b{name}\b", sources), name)
            self.assertFalse(re.search(rf"[\"'.]{name}[\"']", sources), name)
            self.assertFalse(re.search(rf"\b{name}\b[?]?[:(]", declared + javascript_client.types()), name)
