"""Tests of `signald token --check`, which says what is wrong with a token."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

from signald.cli.token import main
from tests.support.access import SECRET, minted
from tests.support.commands import CommandCase


class CheckTests(CommandCase):
    """The exit status is 0 for a valid token, 1 for a refused one, and 2 where nothing can be checked."""

    def setUp(self) -> None:
        """Write a configuration with a token secret."""
        super().setUp()
        self.write_private("secret", SECRET.decode() + "\n")
        self.config = self.write_private(
            "signald.toml", '[tokens]\nsecret_file = "secret"\n[limits]\ntoken_bytes = 1000\n'
        )

    def check(self, token: str, *options: object, config: Path | None = None) -> tuple[int, str, str]:
        """Check a token from a file."""
        path = self.directory / "token"
        path.write_text(token)
        variables = {"SIGNALD_CONFIG": str(config or self.config), "HOME": "/nowhere"}
        return self.run_command(main, "--check", path, *options, environment=variables)

    def test_valid_tokens(self) -> None:
        """A valid token is described on standard output; the line end of its file does not count."""
        expires = 4_102_444_800
        status, out, err = self.check(minted(exp=expires, signald={"role": "host", "session": "7q2-m9rt-6zc"}) + "\r\n")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out, 'valid: "ann" may be host of session 7Q2M9RT6ZC until 2100-01-01T00:00:00Z.\n')
        self.assertIn("guest of any session", self.check(minted(exp=expires))[1])

    def test_the_last_year(self) -> None:
        """A token may be good until the last second that a date can name, after which the leeway ends."""
        self.assertIn(" until 9999-12-31T23:59:59Z.", self.check(minted(exp=253_402_300_799))[1])

    def test_refused_tokens(self) -> None:
        """A refused token is explained on standard error, with the code that a client gets."""
        expires = time.time() + 60
        for token, said in (
            (minted(exp=expires, signald={"role": "x"}), 'token-invalid: signald.role: expected "host" or "guest"'),
            (minted(exp=expires * 1000), "which are milliseconds"),
            (minted(exp=time.time() - 60), "token-expired: exp: expected a time after "),
            ("\u00e9", "token-invalid: token: expected three parts"),
            (minted(b"x" * 32), "token-invalid: signature: expected that of the HS256 key, found another one."),
            ("x" * 1001, "token-too-large: expected up to 1000 bytes (limits.token_bytes), found 1001."),
        ):  # fmt: skip
            status, out, err = self.check(token)
            self.assertEqual((status, out, err.count("\n")), (1, "", 1))
            self.assertIn(said, err)
            self.assertNotIn(token, err)

    def test_what_cannot_be_checked(self) -> None:
        """A token or a configuration that cannot be read gives another status than a refused token."""
        keyless = self.write_private("keyless.toml", "port = 9000\n")
        for token, options, said in (
            (
                "x",
                ("-c", keyless),
                "tokens: found no key to check with; set tokens.secret_file, key_files or jwks_file",
            ),
            (" \n", (), "expected a token, found an empty file"),
            ("x", ("-c", self.directory / "none.toml"), "cannot be read"),
            ("x", ("--nonsense",), "--nonsense"),
            ("x", ("--user", "ann"), "--user: not allowed with argument --check"),
        ):
            status, out, err = self.check(token, *options)
            self.assertEqual((status, out, err.count("\n")), (2, "", 1))
            self.assertIn(said, err)
        variables = {"SIGNALD_CONFIG": str(self.config)}
        self.assertEqual(self.run_command(main, "--check=/nowhere/token", environment=variables)[0], 2)

    def test_abbreviations(self) -> None:
        """An option has to be written out, since the exit status depends on whether a token is to be checked."""
        status, out, err = self.run_command(main, "--chec", "/nowhere/token", "--user", "ann", "--rol", "host")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("unrecognized arguments: --chec /nowhere/token --rol host", err)

    def test_standard_input(self) -> None:
        """The name `-` stands for standard input, so that a token gets into no file."""
        for content, expected in (
            (minted(exp=4_102_444_800).encode() + b"\n", (0, "valid:", "")),
            (b"\xff", (1, "", "token-invalid: token: expected three parts")),
        ):
            self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
            variables = {"SIGNALD_CONFIG": str(self.config)}
            status, out, err = self.run_command(main, "--check", "-", environment=variables)
            self.assertEqual((status, out[:6], err[:42]), expected)
