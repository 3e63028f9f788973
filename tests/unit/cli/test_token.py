"""Tests of `signald token`, which creates tokens."""

from __future__ import annotations

from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key

from signald.cli.commands import find_command
from signald.cli.token import main
from tests.support.access import SECRET
from tests.support.commands import CommandCase


class CommandTests(CommandCase):
    """Tests of the tokens and the errors that the command prints."""

    def setUp(self) -> None:
        """Write a configuration with a token secret."""
        super().setUp()
        self.write_private("secret", SECRET.decode() + "\n")
        self.config = self.write_private("signald.toml", 'data_dir = "data"\n[tokens]\nsecret_file = "secret"\n')

    def run_token(self, *arguments: object, config: Path | None = None) -> tuple[int, str, str]:
        """Run the command, and return its exit status, its standard output and its standard error."""
        variables = {"SIGNALD_CONFIG": str(config or self.config), "HOME": "/nowhere"}
        return self.run_command(main, *arguments, environment=variables)

    def test_listed_among_the_commands(self) -> None:
        """The table of commands has the command."""
        self.assertIs(find_command("token"), main)

    def test_a_token_alone(self) -> None:
        """The command prints one line, a token with all claims that the options set."""
        status, out, err = self.run_token(
            "--user", "ann", "--session", "7q2-m9rt-6zc", "--role", "host", "--expires", "15m", "--name", "Ann"
        )
        self.assertEqual((status, err, out.count("\n")), (0, "", 1))
        claims = jwt.decode(out.strip(), SECRET, algorithms=["HS256"])
        self.assertEqual(claims.pop("exp") - claims.pop("iat"), 900)
        self.assertEqual(claims, {"sub": "ann", "name": "Ann", "signald": {"role": "host", "session": "7Q2M9RT6ZC"}})

    def test_the_least(self) -> None:
        """By default, a token is for a guest in any session and expires after an hour."""
        _, out, _ = self.run_token("--user", "ann")
        claims = jwt.decode(out.strip(), SECRET, algorithms=["HS256"])
        self.assertEqual((claims["exp"] - claims["iat"], claims["signald"]), (3600, {"role": "guest"}))

    def test_times(self) -> None:
        """`--expires` accepts seconds, minutes, hours and days, and refuses every other format."""
        for text, seconds in (("1s", 1), ("90s", 90), ("2m", 120), ("3h", 10800), ("7d", 604800)):
            _, out, _ = self.run_token("--user", "ann", "--expires", text)
            claims = jwt.decode(out.strip(), SECRET, algorithms=["HS256"])
            self.assertEqual(claims["exp"] - claims["iat"], seconds)
        for text in ("", "0s", "1", "h", "1.5h", "1y", "1H", "9999d", "٣h", "1h\n"):
            status, out, err = self.run_token("--user", "ann", "--expires", text)
            self.assertEqual((status, out), (1, ""))
            self.assertIn("is not a time like", err)

    def test_issuer_and_audience(self) -> None:
        """The token has the issuer and the audience of the configuration, so that the server accepts it."""
        config = self.write_private(
            "other.toml", '[tokens]\nsecret_file = "secret"\nissuer = "app"\naudience = "calls"\n'
        )
        _, out, _ = self.run_token("--user", "ann", config=config)
        claims = jwt.decode(out.strip(), SECRET, algorithms=["HS256"], audience="calls", issuer="app")
        self.assertEqual(claims["sub"], "ann")

    def test_a_private_key(self) -> None:
        """A private key signs the token; it is refused if none of the configured public keys matches."""
        key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        for name, one in (("key", key), ("other", other)):
            private = one.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            self.write_private(name, private.decode())
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.write_private("public", public.decode())
        config = self.write_private("keys.toml", '[tokens]\nkey_files = ["public"]\n')
        status, out, _ = self.run_token("--user", "ann", "--key", self.directory / "key", config=config)
        self.assertEqual(status, 0)
        self.assertEqual(jwt.get_unverified_header(out.strip())["alg"], "EdDSA")
        jwt.decode(out.strip(), key.public_key(), algorithms=["EdDSA"])
        status, out, err = self.run_token("--user", "ann", "--key", self.directory / "other", config=config)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("would not take this token: signature: expected that of the EdDSA key", err)
        bare = self.write_private("bare.toml", "")
        rsa = generate_rsa_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.write_private("rsa", rsa.decode())
        _, out, _ = self.run_token("--user", "ann", "--key", self.directory / "rsa", config=bare)
        self.assertEqual(jwt.get_unverified_header(out.strip())["alg"], "RS256")
        self.assertEqual(self.run_token("--user", "ann", "--key", self.directory / "other", config=bare)[0], 0)

    def test_a_named_key(self) -> None:
        """The ID of the key is put into the header of the token."""
        _, out, _ = self.run_token("--user", "ann", "--kid", "k1")
        self.assertEqual(jwt.get_unverified_header(out.strip())["kid"], "k1")

    def test_errors(self) -> None:
        """Every error results in one line on standard error, an empty standard output and the exit status 1."""
        bare = self.write_private("bare.toml", "")
        curve = generate_private_key(SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.write_private("curve", curve.decode())
        cases: tuple[tuple[tuple[object, ...], Path, str], ...] = (
            ((), self.config, "--user"),
            (("--user", "ann", "--role", "admin"), self.config, "admin"),
            (("--user", "ann", "--nonsense"), self.config, "--nonsense"),
            (("--user", "ann", "--session", "ABC"), self.config, "ten letters and digits"),
            (("--user", "ann"), bare, "nothing to sign with"),
            (("--user", ""), self.config, "sub: expected a text of 1 to 256 characters, found a text of 0"),
            (("--user", "a" * 300), self.config, "found a text of 300 characters"),
            (("--user", "ann", "--key", "/nowhere"), self.config, "cannot be read"),
            (("--user", "ann", "--key", self.directory / "curve"), self.config, "of another type"),
            (("--user", "ann"), self.directory / "none.toml", "cannot be read"),
            (("--user", "ann", "-c", self.directory / "none.toml"), self.config, "cannot be read"),
        )
        for arguments, config, said in cases:
            with self.subTest(arguments=arguments):
                status, out, err = self.run_token(*arguments, config=config)
                self.assertEqual((status, out, err.count("\n")), (1, "", 1))
                self.assertIn(said, err)

    def test_a_secret_that_others_can_read(self) -> None:
        """A secret that other users can read is refused."""
        (self.directory / "secret").chmod(0o644)
        status, out, err = self.run_token("--user", "ann")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("open to others", err)

    def test_the_check_of_a_configuration_looks_at_the_keys(self) -> None:
        """`check-config` reports token secrets and webhook URLs with which the daemon would not start."""
        check = find_command("check-config")
        assert check is not None
        hook = self.write_private(
            "hook.toml", 'data_dir = "data"\n[webhook]\nurl = "http://app.example/"\nsecret_file = "secret"\n'
        )
        for config, mode, said in (
            (self.config, 0o600, ""),
            (self.config, 0o644, "open to others"),
            (hook, 0o600, "https"),
        ):
            (self.directory / "secret").chmod(mode)
            status, _, err = self.run_command(check, "--config", config, environment={"HOME": "/nowhere"})
            self.assertEqual(status, 1 if said else 0)
            self.assertIn(said, err)
