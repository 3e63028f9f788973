"""Tests of `signald.config.toml_errors`: an operator learns which setting is wrong, and what to write instead."""

from __future__ import annotations

import tomllib

from twisted.trial.unittest import SynchronousTestCase

from signald.config.toml_errors import explain_syntax_error

QUOTES = 'expected a number, true, false, or a text in quotation marks ("), got a text without them.'
SWITCH = "expected true or false in lower case, or a text in quotation marks"
TWICE = "this setting is set twice"
DELETE = "delete one of the two."
AFTER = "delete what follows the value; only a comment (#) may."


class SyntaxErrorTests(SynchronousTestCase):
    """Tests of the sentence about a file that is not TOML."""

    def explain(self, text: str) -> str:
        """Return the sentence about a document."""
        error = self.assertRaises(tomllib.TOMLDecodeError, tomllib.loads, text)
        return explain_syntax_error("c.toml", text, str(error))

    def test_settings(self) -> None:
        """The sentence names the line and the setting, what was expected, and of what was found only its kind."""
        for text, sentence in (
            ("tls = False\n", f"line 1, tls: {SWITCH}, got False."),
            ("[ice]\n\n[tokens]\n# x\nneed = None\n", f"line 5, tokens.need: {SWITCH}, got None."),
            (
                "data_dir = \u201cs3cret\u201d\n",
                'line 1, data_dir: expected straight quotation marks ("), got curved ones.',
            ),
            ("data_dir = /s3cret\n", f"line 1, data_dir: {QUOTES}"),
            ("[log]\nlevel = info\n", f"line 2, log.level: {QUOTES}"),
            (
                "port =\n",
                "line 1, port: expected a value, got none; to leave a setting at its default, delete the line.",
            ),
            ("port = 1\nport = 2\n", f"line 2, port: {TWICE}, first in line 1; {DELETE}"),
            ("[log]\nlevel = 1\n[ice]\nlevel = 2\ntls = true\ntls = no\n", f"line 6, ice.tls: {SWITCH}, got no."),
            ("port = 1\n[ice]\nport = true\nport = false\n", f"line 4, ice.port: {TWICE}, first in line 3; {DELETE}"),
            ('text = """\nport = 1\n"""\nport = 1\nport = 2\n', f"line 5, port: {TWICE}; {DELETE}"),
            ("port = 9000;\n", f"line 1, port: {AFTER}"),
            ("tls = true;\n", f"line 1, tls: {AFTER}"),
        ):
            self.assertEqual(self.explain(text), f"c.toml, {sentence}")

    def test_other_lines(self) -> None:
        """A line that is no setting is named by its number, and an error without a position by the parser's words."""
        self.assertEqual(
            self.explain("port\n"),
            "c.toml, line 1, column 5: expected NAME = VALUE, got no equals sign.",
        )
        self.assertEqual(
            self.explain("[log\n"), "c.toml, line 1, column 5: expected ] at the end of a section's name, as in [log]."
        )
        self.assertEqual(
            self.explain("[]\n"),
            "c.toml, line 1, column 2: this is not valid TOML: Invalid initial character for a key part.",
        )
        self.assertEqual(
            self.explain('a = "\\x"\n'), "c.toml, line 1, a: this is not valid TOML: Unescaped '\\' in a string."
        )
        self.assertEqual(
            self.explain('a = "x\n'), "c.toml, line 1, a: expected a closing quotation mark on the same line."
        )
        self.assertEqual(self.explain("a = [1,\n"), "c.toml is not valid TOML: Invalid value (at end of document).")
