"""What is made from the code is as the code says: `make generate` writes it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from codegen import client_messages, configuration, monitoring, schemas, tables


class FreshTests(SynchronousTestCase):
    """The committed files."""

    def test_the_tables_and_diagrams(self) -> None:
        """Those of docs/protocol.md."""
        text = tables.PATH.read_text()
        self.assertEqual(tables.filled(text), text)

    def test_the_pictures_of_the_diagrams(self) -> None:
        """Each state diagram of docs/protocol.md has its picture beside the page, and no other file is there."""
        self.assertEqual({path: path.read_text("utf-8") for path in tables.PICTURES.iterdir()}, tables.pictures())

    def test_the_table_of_refusals(self) -> None:
        """That of docs/limits.md."""
        text = tables.LIMITS_PATH.read_text("utf-8")
        self.assertEqual(tables.filled_limits(text), text)

    def test_the_settings(self) -> None:
        """Those of docs/configuration.md."""
        text = configuration.PATH.read_text("utf-8")
        self.assertEqual(configuration.filled(text), text)

    def test_the_metrics_and_events(self) -> None:
        """Those of docs/monitoring.md."""
        text = monitoring.PATH.read_text("utf-8")
        self.assertEqual(monitoring.filled(text), text)

    def test_a_document_without_a_mark_is_refused(self) -> None:
        """A table that is nowhere would never be noticed."""
        self.assertRaises(LookupError, tables.filled, "")
        self.assertRaises(LookupError, tables.filled_limits, "")
        self.assertRaises(LookupError, configuration.filled, "")
        self.assertRaises(LookupError, monitoring.filled, "")

    def test_the_schemas(self) -> None:
        """JSON Schema and AsyncAPI."""
        self.assertEqual(schemas.SCHEMA.read_text(), schemas.text(schemas.schema()))
        self.assertEqual(schemas.ASYNCAPI.read_text(), schemas.text(schemas.asyncapi()))

    def test_the_client_messages(self) -> None:
        """The classes of the server, in the client's form."""
        self.assertEqual(client_messages.PATH.read_text(), client_messages.client_messages())
