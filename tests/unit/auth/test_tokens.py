"""Tests of tokens: claims, attacks, key sets and key files."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jwt
from attrs import evolve
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_curve_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.auth.token_claims import TokenError
from signald.auth.token_keys import keys_end
from signald.auth.tokens import TokenVerifier
from signald.config.settings import Tokens
from signald.config.values import ConfigError
from signald.core.errors import ErrorCode, SignalError
from signald.core.messages import Role
from signald.core.token_need import TokenNeed
from tests.support.access import NOW, SECRET, minted
from tests.support.certificates import self_signed

ED25519 = Ed25519PrivateKey.generate()
RSA = generate_private_key(65537, 2048)
SMALL = generate_private_key(65537, 1024)  # noqa: S505 # too small on purpose


def public_pem(key: Any) -> bytes:
    """Return the public key in PEM format."""
    pem: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def part(value: object) -> str:
    """Encode a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed_with(header: object, payload: object, secret: bytes = SECRET) -> str:
    """Sign a token with any header; the signature is an HMAC, whatever algorithm the header names."""
    text = f"{part(header)}.{part(payload)}"
    signature = jwt.get_algorithm_by_name("HS256").sign(text.encode(), secret)
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


class VerifierCase(SynchronousTestCase):
    """A base class that writes keys to files."""

    def setUp(self) -> None:
        """Write a secret."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.settings = Tokens(secret_file=self.write("secret", SECRET + b"\n", 0o600))

    def write(self, name: str, content: bytes, mode: int = 0o644) -> Path:
        """Write a file, and return its path."""
        path = self.directory / name
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def jwks(self, *keys: dict[str, Any]) -> Tokens:
        """Return settings whose only keys are those of a JWKS."""
        return Tokens(jwks_file=self.write("jwks.json", json.dumps({"keys": keys}).encode()))

    def refusal(self, token: str, settings: Tokens | None = None, now: float = NOW) -> ErrorCode:
        """Assert that a token is refused, and return the code."""
        with self.assertRaises(SignalError) as caught:
            TokenVerifier(settings or self.settings).verify(token, now)
        code: ErrorCode = caught.exception.code
        return code


class ClaimTests(VerifierCase):
    """Claims are checked, and become the grant."""

    def verify(self, **claims: Any) -> Any:
        """Return the grant of a token with these claims."""
        return TokenVerifier(self.settings).verify(minted(**claims), NOW)

    def test_required_claims(self) -> None:
        """A token with `sub` and `exp` alone grants the role of a guest in any session."""
        grant = self.verify()
        self.assertEqual((grant.user, grant.expires), ("ann", NOW + 3610))
        self.assertEqual((grant.role, grant.session, grant.name), (Role.GUEST, None, None))
        self.assertEqual(json.loads(grant.claims), {"sub": "ann", "exp": NOW + 3600})

    def test_all_claims(self) -> None:
        """Session, role and name are read; all other claims are passed to the webhook."""
        grant = self.verify(signald={"session": "7q2-m9rt-6zc", "role": "host"}, name="Ann", team=["a", 1])
        self.assertEqual((grant.role, grant.session, grant.name), (Role.HOST, "7Q2M9RT6ZC", "Ann"))
        self.assertEqual(json.loads(grant.claims)["team"], ["a", 1])

    def test_invalid_claims(self) -> None:
        """A claim that is missing, misspelt or of the wrong type makes the whole token invalid."""
        wrong: tuple[dict[str, Any], ...] = (
            {"sub": None},
            {"sub": ""},
            {"sub": 5},
            {"sub": "a" * 257},
            {"exp": None},
            {"exp": "soon"},
            {"exp": True},
            {"exp": -1},
            {"exp": 2**60},
            {"exp": float("nan")},
            {"exp": float("inf")},
            {"nbf": "now"},
            {"name": 5},
            {"name": ""},
            {"name": "a" * 65},
            {"signald": "host"},
            {"signald": []},
            {"signald": {"rol": "host"}},
            {"signald": {"role": "admin"}},
            {"signald": {"role": None}},
            {"signald": {"role": ["host"]}},
            {"signald": {"session": "7Q2"}},
            {"signald": {"session": None}},
            {"signald": {"session": 5}},
            {"name": "\ud800"},
            {"other": 2**70},
        )
        for claims in wrong:
            with self.subTest(claims=claims):
                self.assertIs(
                    self.refusal(signed_with({"alg": "HS256"}, self.payload(claims))), ErrorCode.TOKEN_INVALID
                )

    def payload(self, claims: dict[str, Any]) -> dict[str, Any]:
        """Return Ann's claims with some values replaced; a claim whose value is None is left out."""
        return {name: value for name, value in {"sub": "ann", "exp": NOW + 9, **claims}.items() if value is not None}

    def test_times(self) -> None:
        """A token is valid from `nbf` less the leeway until `exp` plus the leeway; `iat` is ignored."""
        token = minted(exp=NOW, nbf=NOW - 100, iat=NOW + 5000)
        verifier = TokenVerifier(evolve(self.settings, leeway_seconds=5.0))
        verifier.verify(token, NOW + 4.9)
        verifier.verify(token, NOW - 105)
        self.assertIs(self.refusal(token, verifier.settings, NOW + 5), ErrorCode.TOKEN_EXPIRED)
        self.assertIs(self.refusal(token, verifier.settings, NOW - 105.1), ErrorCode.TOKEN_INVALID)

    def test_expired_and_forged(self) -> None:
        """An expired token that is invalid otherwise is reported as invalid, not as expired."""
        self.assertIs(self.refusal(minted(b"x" * 32, exp=NOW - 100)), ErrorCode.TOKEN_INVALID)
        self.assertIs(self.refusal(minted(exp=NOW - 100, signald={"role": "x"})), ErrorCode.TOKEN_INVALID)

    def test_issuer_and_audience(self) -> None:
        """Issuer and audience must match the settings; an unexpected audience is rejected (RFC 7519 §4.1.3)."""
        settings = evolve(self.settings, issuer="app", audience="signald")
        TokenVerifier(settings).verify(minted(iss="app", aud="signald"), NOW)
        TokenVerifier(settings).verify(minted(iss="app", aud=["other", "signald"]), NOW)
        bad: tuple[dict[str, Any], ...] = (
            {"iss": "app"},
            {"aud": "signald"},
            {"iss": "App", "aud": "signald"},
            {"iss": "app", "aud": "x"},
        )
        for claims in bad:
            self.assertIs(self.refusal(minted(**claims), settings), ErrorCode.TOKEN_INVALID)
        self.assertIs(self.refusal(minted(aud="signald")), ErrorCode.TOKEN_INVALID)


class ReasonTests(VerifierCase):
    """The operator is told what is wrong with a token, without anything that its sender has chosen."""

    def mismatch(self, token: str, settings: Tokens | None = None) -> tuple[str, bool]:
        """Return what is wrong with a token, and whether it may be a guess."""
        with self.assertRaises(TokenError) as caught:
            TokenVerifier(settings or self.settings).verify(token, NOW)
        return caught.exception.mismatch.sentence, caught.exception.is_guess

    def test_reasons(self) -> None:
        """Whatever is refused before the check of a signature is described by its kind, and is no guess."""
        payload = {"sub": "ann", "exp": NOW + 9}
        parts = "token: expected three parts in base64url with dots between (RFC 7515), found another text."
        header = "header: expected a text as kid, and no crit (RFC 7515 §4.1), found something else."
        for token, sentence in (
            ("canary", parts),
            ("a.b.c", parts),
            (minted(SECRET * 2, "HS512"), "alg: expected HS256, found HS512."),
            (signed_with({"alg": "canary"}, payload), "alg: expected HS256, found another one."),
            (signed_with({"alg": ["canary"]}, payload), "alg: expected HS256, found another one."),
            (signed_with({"alg": "HS256", "kid": 5}, payload), header),
            (signed_with({"alg": "HS256", "crit": ["canary"]}, payload), header),
            (
                signed_with({"alg": "HS256", "b64": True}, payload),
                "b64: expected none, since no extension is known, found one.",
            ),
            (
                signed_with({"alg": "HS256"}, ["canary"]),
                "payload: expected a JSON object (RFC 7519 §7.2), found something else.",
            ),
            (minted(aud="app"), 'aud: expected none, since tokens.audience is not set, found "app".'),
        ):  # fmt: skip
            self.assertEqual(self.mismatch(token), (sentence, False))

    def test_a_wrong_signature(self) -> None:
        """Only a signature that was checked may be a guess."""
        self.assertEqual(
            self.mismatch(minted(b"x" * 32)), ("signature: expected that of the HS256 key, found another one.", True)
        )
        keys = [self.write(f"ed{number}", public_pem(Ed25519PrivateKey.generate())) for number in range(2)]
        self.assertEqual(
            self.mismatch(minted(ED25519, "EdDSA"), Tokens(key_files=tuple(keys))),
            ("signature: expected that of one of 2 keys, found another one.", True),
        )

    def test_keys(self) -> None:
        """A token without a key for it is described by the keys that there are."""
        self.assertEqual(
            self.mismatch(minted(), Tokens()),
            ("signature: expected no token, since the section tokens names no key, found one.", False),
        )
        jwk = jwt.get_algorithm_by_name("RS256").to_jwk(RSA.public_key(), as_dict=True)
        settings = self.jwks({**jwk, "kid": "a"}, {**jwk, "kid": "b"})
        for headers, found in ((None, "none"), ({"kid": "canary"}, "another one")):
            self.assertEqual(
                self.mismatch(minted(RSA, "RS256", headers), settings),
                (f'kid: expected "a", "b", found {found}.', False),
            )
        self.assertEqual(self.mismatch(minted(), settings), ("alg: expected RS256, found HS256.", False))


class AttackTests(VerifierCase):
    """Forged tokens are invalid (RFC 8725 §2)."""

    def setUp(self) -> None:
        """Configure a key of each type."""
        super().setUp()
        self.pems = {"ed": public_pem(ED25519), "rsa": public_pem(RSA)}
        files = tuple(self.write(name, pem) for name, pem in self.pems.items())
        self.settings = evolve(self.settings, key_files=files)

    def test_valid_tokens(self) -> None:
        """Each key verifies tokens of its algorithm."""
        verifier = TokenVerifier(self.settings)
        for key, algorithm in ((SECRET, "HS256"), (ED25519, "EdDSA"), (RSA, "RS256")):
            self.assertEqual(verifier.verify(minted(key, algorithm), NOW).user, "ann")

    def test_no_algorithm(self) -> None:
        """The algorithm `none` is rejected in every spelling, with and without a signature."""
        payload = {"sub": "ann", "exp": NOW + 9}
        names: tuple[object, ...] = ("none", "None", "NONE", "nOnE", "", None, 5, [], {"alg": "HS256"})
        for name in names:
            for token in (
                signed_with({"alg": name}, payload),
                signed_with({"alg": name}, payload).rpartition(".")[0] + ".",
            ):
                self.assertIs(self.refusal(token), ErrorCode.TOKEN_INVALID)
        self.assertIs(self.refusal(signed_with({}, payload)), ErrorCode.TOKEN_INVALID)

    def test_a_public_key_as_a_secret(self) -> None:
        """A public key is not accepted as an HMAC secret (key confusion), even if no secret is configured."""
        without_secret = evolve(self.settings, secret_file=None)
        payload = {"sub": "mallory", "exp": NOW + 9, "signald": {"role": "host"}}
        raw = ED25519.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        for secret in (*self.pems.values(), *(pem.strip() for pem in self.pems.values()), raw, b""):
            for algorithm in ("HS256", "RS256", "EdDSA", "HS512"):
                token = signed_with({"alg": algorithm, "typ": "JWT"}, payload, secret)
                for settings in (self.settings, without_secret):
                    self.assertIs(self.refusal(token, settings), ErrorCode.TOKEN_INVALID)

    def test_other_algorithms_of_the_same_key(self) -> None:
        """A key verifies no other algorithm of its family."""
        for key, algorithm in ((SECRET * 2, "HS384"), (SECRET * 2, "HS512"), (RSA, "RS512"), (RSA, "PS256")):
            self.assertIs(self.refusal(minted(key, algorithm)), ErrorCode.TOKEN_INVALID)

    def test_keys_in_the_header(self) -> None:
        """Keys that the header contains or refers to are ignored (RFC 7515 §4.1)."""
        own = Ed25519PrivateKey.generate()
        jwk = json.loads(jwt.get_algorithm_by_name("EdDSA").to_jwk(own.public_key()))
        for headers in ({"jwk": jwk}, {"jku": "https://evil.example/keys"}, {"x5u": "x"}, {"kid": "../../dev/null"}):
            self.assertIs(self.refusal(minted(own, "EdDSA", headers)), ErrorCode.TOKEN_INVALID)

    def test_extensions(self) -> None:
        """Critical extensions make a token invalid (RFC 7515 §4.1.11)."""
        payload = {"sub": "ann", "exp": NOW + 9}
        extras: tuple[dict[str, Any], ...] = (
            {"crit": ["exp"]},
            {"crit": []},
            {"b64": False, "crit": ["b64"]},
            {"b64": True},
        )
        for extra in extras:
            self.assertIs(self.refusal(signed_with({"alg": "HS256", **extra}, payload)), ErrorCode.TOKEN_INVALID)

    def test_changed_tokens(self) -> None:
        """A token with a part replaced, added or cut is invalid."""
        token, other = minted(signald={"role": "guest"}), minted(signald={"role": "host"})
        for at in range(3):
            parts = token.split(".")
            if parts[at] != other.split(".")[at]:
                parts[at] = other.split(".")[at]
                self.assertIs(self.refusal(".".join(parts)), ErrorCode.TOKEN_INVALID)
        for changed in (
            token[:-1],
            token + "A" * 4,
            token + ".",
            "." + token,
            f"{token}.{token}",
            token.replace(".", ".."),
        ):
            self.assertIs(self.refusal(changed), ErrorCode.TOKEN_INVALID)

    def test_deep_nesting(self) -> None:
        """Deeply nested JSON is invalid and raises no RecursionError."""
        deep = part("x") + "[" * 1000
        for text in ("[" * 2900, '{"alg":"HS256","kid":' + "[" * 2900, '{"a":' * 580):
            header = base64.urlsafe_b64encode(text.encode()).decode()
            self.assertIs(self.refusal(f"{header}..{part('x')}"), ErrorCode.TOKEN_INVALID)
        for depth in (900, 1200):
            payload = '{"sub":"ann","exp":1900000000,"x":' + "[" * depth + "]" * depth + "}"
            text = f"{part({'alg': 'HS256'})}.{base64.urlsafe_b64encode(payload.encode()).rstrip(b'=').decode()}"
            signature = jwt.get_algorithm_by_name("HS256").sign(text.encode(), SECRET)
            signed = f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
            self.assertIs(self.refusal(signed), ErrorCode.TOKEN_INVALID)
        for text in ("[" * 4000, "e30." + "W1tb" * 1000 + ".", f"{deep}.{deep}."):
            self.assertIs(self.refusal(text), ErrorCode.TOKEN_INVALID)

    @given(st.text(max_size=200))
    def test_any_text(self, text: str) -> None:
        """Any text is refused as an invalid token."""
        self.assertIs(self.refusal(text), ErrorCode.TOKEN_INVALID)

    @given(st.lists(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=9), st.lists), max_size=3))
    def test_any_json(self, parts: list[Any]) -> None:
        """Any JSON in the form of a token is refused as an invalid token."""
        self.assertIs(self.refusal(".".join(map(part, parts))), ErrorCode.TOKEN_INVALID)

    @given(
        st.dictionaries(
            st.sampled_from(["sub", "exp", "nbf", "name", "signald", "iss", "aud", "x"]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
                lambda inner: (
                    st.lists(inner, max_size=2)
                    | st.dictionaries(st.sampled_from(["session", "role", "y"]), inner, max_size=2)
                ),
                max_leaves=4,
            ),
        )
    )
    def test_any_signed_claims(self, claims: dict[str, Any]) -> None:
        """Signed claims become a grant with their values, or are refused."""
        try:
            grant = TokenVerifier(Tokens(secret_file=self.settings.secret_file)).verify(
                signed_with({"alg": "HS256"}, claims), NOW
            )
        except SignalError as error:
            self.assertIn(error.code, (ErrorCode.TOKEN_INVALID, ErrorCode.TOKEN_EXPIRED))
        else:
            self.assertEqual(grant.user, claims["sub"])
            self.assertGreater(grant.expires, NOW)
            self.assertEqual(grant.role.value, claims.get("signald", {}).get("role", "guest"))

    @given(st.integers(0, 10_000), st.integers(1, 255))
    def test_changed_byte(self, at: int, bits: int) -> None:
        """A token with a changed byte is refused, unless it decodes to the same bytes."""
        token = minted()
        changed = list(token.encode())
        changed[at % len(changed)] ^= bits
        text = bytes(changed).decode("latin-1")
        try:
            grant = TokenVerifier(Tokens(secret_file=self.settings.secret_file)).verify(text, NOW)
        except SignalError as error:
            self.assertIs(error.code, ErrorCode.TOKEN_INVALID)
        else:
            self.assertEqual(text.rpartition(".")[0], token.rpartition(".")[0])
            self.assertEqual(grant.user, "ann")


class KeySetTests(VerifierCase):
    """A JWKS holds several keys, and the header's `kid` selects one."""

    def jwk(self, key: Any, algorithm: str, **extra: Any) -> dict[str, Any]:
        """Return a public key as a JWK."""
        found: dict[str, Any] = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key()))
        found.pop("key_ops", None)
        return {**found, **extra}

    def test_kid(self) -> None:
        """The `kid` selects one key of several; a token without it, or with another, is invalid."""
        other = Ed25519PrivateKey.generate()
        settings = self.jwks(self.jwk(ED25519, "EdDSA", kid="a"), self.jwk(other, "EdDSA", kid="b"))
        verifier = TokenVerifier(settings)
        verifier.verify(minted(ED25519, "EdDSA", {"kid": "a"}), NOW)
        verifier.verify(minted(other, "EdDSA", {"kid": "b"}), NOW)
        for headers in (None, {"kid": "b"}, {"kid": "c"}):
            self.assertIs(self.refusal(minted(ED25519, "EdDSA", headers), settings), ErrorCode.TOKEN_INVALID)

    def test_single_key(self) -> None:
        """A single key verifies tokens without a `kid`, but not with another one."""
        settings = self.jwks(self.jwk(RSA, "RS256", kid="a", use="sig", alg="RS256"))
        TokenVerifier(settings).verify(minted(RSA, "RS256"), NOW)
        self.assertIs(self.refusal(minted(RSA, "RS256", {"kid": "b"}), settings), ErrorCode.TOKEN_INVALID)

    def test_other_uses(self) -> None:
        """Keys for other uses and of unknown types are ignored (RFC 7517 §5)."""
        good = self.jwk(ED25519, "EdDSA", kid="a", key_ops=["verify"])
        settings = self.jwks(
            good,
            self.jwk(RSA, "RS256", kid="b", use="enc"),
            self.jwk(RSA, "RS256", kid="c", alg="RSA-OAEP"),
            self.jwk(RSA, "RS256", kid="d", key_ops=["encrypt"]),
            {"kty": "EC", "crv": "P-256", "kid": "e", "x": "AA", "y": "AA"},
            {"kty": ["RSA"], "kid": "f"},
        )
        TokenVerifier(settings).verify(minted(ED25519, "EdDSA", {"kid": "a"}), NOW)
        for kid in "bcd":
            self.assertIs(self.refusal(minted(RSA, "RS256", {"kid": kid}), settings), ErrorCode.TOKEN_INVALID)

    def test_ends(self) -> None:
        """A key ends by its `exp` or its certificate, whichever is first; what is malformed says nothing."""
        leaf = self_signed(generate_curve_key(SECP256R1())).leaf
        certificate = base64.b64encode(leaf.public_bytes(serialization.Encoding.DER)).decode()
        end = leaf.not_valid_after_utc.timestamp()
        ends: tuple[object, ...] = ("5", True, None, [], -1, 1e300)
        certificates: tuple[object, ...] = ("x", [], [5], ["%"], ["aaaa"], {})
        wrong: list[dict[str, Any]] = [{"exp": value} for value in ends]
        wrong += [{"x5c": value} for value in certificates]
        cases: tuple[tuple[dict[str, Any], float | None], ...] = (
            ({}, None),
            ({"exp": 5}, 5.0),
            ({"x5c": [certificate]}, end),
            ({"exp": 5.5, "x5c": [certificate]}, 5.5),
            ({"exp": end + 1, "x5c": [certificate]}, end),
            *((one, None) for one in wrong),
        )
        for members, expected in cases:
            keys = TokenVerifier(self.jwks(self.jwk(ED25519, "EdDSA", **members))).keys
            self.assertEqual([key.expires for key in keys], [expected], members)

    def test_end_of_all_keys(self) -> None:
        """The keys end with the last of them, if each says when it ends; such a key is used nevertheless."""
        one, other = self.jwk(ED25519, "EdDSA", kid="a"), self.jwk(RSA, "RS256", kid="b")
        self.assertEqual(keys_end(TokenVerifier(self.jwks({**one, "exp": 5}, {**other, "exp": 7})).keys), 7.0)
        self.assertIsNone(keys_end(TokenVerifier(self.jwks({**one, "exp": 5}, other)).keys))
        self.assertIsNone(keys_end(()))
        verifier = TokenVerifier(self.jwks({**one, "exp": 5}))
        verifier.verify(minted(ED25519, "EdDSA", headers={"kid": "a"}), NOW)

    def test_invalid_sets(self) -> None:
        """An invalid JWKS is an error that names the file."""
        good = self.jwk(ED25519, "EdDSA", kid="a")
        private = json.loads(jwt.get_algorithm_by_name("EdDSA").to_jwk(ED25519))
        for keys in (
            [],
            [{"kty": "EC"}],
            [{**private, "kid": "a"}],
            [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}],
            [good, self.jwk(RSA, "RS256")],
            [{**good, "kid": 5}],
            [{**good, "x": "!"}],
            [{**good, "x": 5}],
            [{"kty": "RSA", "n": "AQAB"}],
            [self.jwk(SMALL, "RS256")],
            [{**good, "kid": str(count)} for count in range(65)],
        ):
            with self.subTest(keys=keys), self.assertRaisesRegex(ConfigError, r"jwks\.json|at most 64 keys, found 65"):
                TokenVerifier(self.jwks(*keys))
        for content in (b"", b"[]", b'{"keys": {}}', b'{"keys": ["a"]}', b"\xff"):
            with self.assertRaisesRegex(ConfigError, "jwks"):
                TokenVerifier(Tokens(jwks_file=self.write("jwks", content)))


class KeyFileTests(VerifierCase):
    """Key files that cannot be used are errors at start and on a reload."""

    def test_secrets(self) -> None:
        """A secret is rejected if it is open to others, missing, empty, or shorter than its hash (RFC 7518 §3.2)."""
        for content, mode, said in (
            (SECRET, 0o644, "open to others"),
            (SECRET, 0o604, "open to others"),
            (SECRET, 0o660, "open to others"),
            (b"", 0o600, "empty"),
            (b"\n", 0o600, "empty"),
            (SECRET[:31] + b"\n", 0o600, "found 31 bytes"),
            (public_pem(RSA), 0o600, "found a public key"),
            (b"x" * (1 << 20) + b"x", 0o600, "too large"),
        ):
            with self.assertRaisesRegex(ConfigError, said):
                TokenVerifier(Tokens(secret_file=self.write("bad", content, mode)))
        with self.assertRaisesRegex(ConfigError, "cannot be read: No such file"):
            TokenVerifier(Tokens(secret_file=self.directory / "none"))
        TokenVerifier(Tokens(secret_file=self.write("good", SECRET[:32] + b"\r\n", 0o640)))

    def test_keys(self) -> None:
        """Private keys, keys of other types, small keys and other contents are rejected."""
        private = ED25519.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        for content, said in (
            (private, "found a private key"),
            (public_pem(generate_curve_key(SECP256R1())), "of another type"),
            (public_pem(SMALL), "found 1024 bits"),
            (b"key", "expected a public key"),
        ):
            with self.assertRaisesRegex(ConfigError, said):
                TokenVerifier(Tokens(key_files=(self.write("bad", content),)))

    def test_no_key(self) -> None:
        """Requiring tokens needs a key; without a key every token is invalid."""
        for need in (TokenNeed.HOSTS, TokenNeed.EVERYONE):
            with self.assertRaisesRegex(ConfigError, "found no key"):
                TokenVerifier(Tokens(need=need))
        self.assertIs(self.refusal(minted(), Tokens()), ErrorCode.TOKEN_INVALID)

    def test_reload(self) -> None:
        """New settings replace the old settings; settings that cannot be used change nothing."""
        verifier = TokenVerifier(self.settings)
        with self.assertRaises(ConfigError):
            verifier.prepare(Tokens(secret_file=self.directory / "none", need=TokenNeed.EVERYONE))
        self.assertIs(verifier.need, TokenNeed.NOBODY)
        verifier.verify(minted(), NOW)
        new = b"another secret of the tests, as long"
        apply = verifier.prepare(Tokens(secret_file=self.write("new", new, 0o600), need=TokenNeed.HOSTS))
        verifier.verify(minted(), NOW)
        apply()
        self.assertIs(verifier.need, TokenNeed.HOSTS)
        verifier.verify(minted(new), NOW)
        with self.assertRaises(SignalError):
            verifier.verify(minted(), NOW)

    def test_reload_of_a_changed_file(self) -> None:
        """A changed key file is read again on a reload."""
        verifier = TokenVerifier(self.settings)
        new = b"another secret of the tests, as long"
        self.write("secret", new, 0o600)
        verifier.verify(minted(), NOW)
        verifier.prepare(self.settings)()
        verifier.verify(minted(new), NOW)

    def test_repr_hides_secrets(self) -> None:
        """The secret is not in the repr."""
        self.assertNotIn(SECRET.decode(), repr(TokenVerifier(self.settings)))
