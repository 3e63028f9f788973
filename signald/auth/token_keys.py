"""Reads the keys that verify tokens; the type of a key determines its only algorithm (RFC 8725 §3.1)."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from signald.auth.token_claims import LAST_TIME
from signald.config.secret_files import read_file, read_secret
from signald.config.settings import Tokens
from signald.config.values import ConfigError
from signald.net.file_modes import OWNER_AND_GROUP
from signald.net.keyfiles import CertificateError, read_private_key

__all__ = [
    "ALGORITHMS",
    "LEAST_RSA_BITS",
    "LEAST_SECRET_BYTES",
    "Material",
    "SigningKey",
    "TokenKey",
    "keys_end",
    "load_keys",
    "read_signing_key",
    "read_token_secret",
]

LEAST_SECRET_BYTES = 32
"""The minimum size of an HS256 secret, that of the hash (RFC 7518 §3.2)."""

ALGORITHMS = ("EdDSA", "HS256", "RS256")
"""The algorithms of keys (RFC 7518 §3.1, RFC 8037 §3.1)."""

LEAST_RSA_BITS = 2048
"""The minimum size of an RS256 key (RFC 7518 §3.3)."""

_MOST_KEYS = 64
"""The maximum number of keys; a token without a `kid` may be verified with each of them."""

_PRIVATE_MEMBERS = ("d", "k", "p", "q", "dp", "dq", "qi", "oth")
"""Members of a JWK that only secret and private keys have (RFC 7518 §6)."""

Material = bytes | Ed25519PublicKey | RSAPublicKey
"""A secret or a public key, which verifies tokens."""

SigningKey = Ed25519PrivateKey | RSAPrivateKey
"""A private key, which signs tokens; a secret does both."""


@frozen
class TokenKey:
    """A key that verifies tokens.

    Attributes:
        algorithm: the only algorithm that it is used with (RFC 7518 §3.1, RFC 8037 §3.1).
        material: the secret or the public key itself.
        id: the `kid` of the tokens that it verifies (RFC 7515 §4.1.4); None for any token.
        expires: when the key ends by what its JWKS says, in seconds since the epoch; None where it does not say. Tokens
            are verified with it nevertheless: RFC 7517 defines no end, and a provider goes on to another key by then.

    """

    algorithm: str
    material: Material = field(repr=False)
    id: str | None = None
    expires: float | None = None


def load_keys(settings: Tokens) -> tuple[TokenKey, ...]:
    """Read all keys that the settings name.

    Raises:
        ConfigError: a file cannot be read, a secret is open to others, or a key is unsuitable.

    """
    keys: list[TokenKey] = []
    if settings.secret_file is not None:
        keys.append(TokenKey("HS256", read_token_secret(settings.secret_file)))
    keys += [_read_public_key(path) for path in settings.key_files]
    if settings.jwks_file is not None:
        keys += _read_jwks(settings.jwks_file)
    if len(keys) > _MOST_KEYS:
        raise ConfigError(f"tokens: expected at most {_MOST_KEYS} keys, found {len(keys)}.")
    return tuple(keys)


def keys_end(keys: Sequence[TokenKey]) -> float | None:
    """Return when the last of the keys ends, in seconds since the epoch; None where not each of them says."""
    ends = [key.expires for key in keys if key.expires is not None]
    return max(ends) if ends and len(ends) == len(keys) else None


def read_token_secret(path: Path) -> bytes:
    """Read an HS256 secret.

    Raises:
        ConfigError: it cannot be read, it is open to others, or it is too short.

    """
    secret = read_secret(path)
    if len(secret) < LEAST_SECRET_BYTES:
        raise ConfigError(
            f"{path}: expected a secret of at least {LEAST_SECRET_BYTES} bytes for HS256, found {len(secret)} bytes; "
            "`openssl rand -base64 48` generates one."
        )

    import jwt

    try:
        jwt.get_algorithm_by_name("HS256").prepare_key(secret)
    except jwt.InvalidKeyError:
        raise ConfigError(f"{path}: expected a secret for HS256, found a public key or a certificate.") from None
    return secret


def read_signing_key(path: Path) -> tuple[str, SigningKey]:
    """Read a private key that signs tokens, with its algorithm.

    Raises:
        ConfigError: it cannot be read, it is open to others, or it is of another type than Ed25519 or RSA.

    """
    try:
        key = read_private_key(path, OWNER_AND_GROUP)
    except CertificateError as error:
        raise ConfigError(str(error)) from None
    match key:
        case Ed25519PrivateKey():
            return "EdDSA", key
        case RSAPrivateKey():
            _check_size(path, key.key_size)
            return "RS256", key
        case _:
            raise ConfigError(f"{path}: expected an Ed25519 or RSA key, found a key of another type.")


def _read_public_key(path: Path) -> TokenKey:
    content = read_file(path)
    if b"PRIVATE KEY-----" in content:
        raise ConfigError(f"{path}: expected a public key, found a private key; signald only verifies tokens.")
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{path}: expected a public key in PEM format, found something else.") from None
    match key:
        case Ed25519PublicKey():
            return TokenKey("EdDSA", key)
        case RSAPublicKey():
            _check_size(path, key.key_size)
            return TokenKey("RS256", key)
        case _:
            raise ConfigError(f"{path}: expected an Ed25519 or RSA key, found a key of another type.")


def _read_jwks(path: Path) -> list[TokenKey]:
    """Read the keys of a JWKS; keys of other types and for other uses are ignored (RFC 7517 §5)."""
    try:
        document = orjson.loads(read_file(path))
    except orjson.JSONDecodeError:
        raise ConfigError(f"{path}: expected a JWKS, found invalid JSON.") from None
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise ConfigError(f"{path}: expected a JWKS, an object with a list `keys`; found other JSON.")
    if any(name in member for member in members for name in _PRIVATE_MEMBERS):
        raise ConfigError(f"{path}: expected public keys, found a secret or a private key.")
    keys = [key for member in members if (key := _read_jwk(path, member, alone=len(members) == 1)) is not None]
    if not keys:
        raise ConfigError(f"{path}: expected at least one key for EdDSA (Ed25519) or RS256, found none.")
    return keys


def _read_jwk(path: Path, member: Mapping[str, Any], alone: bool) -> TokenKey | None:
    match member:
        case {"kty": "OKP", "crv": "Ed25519"}:
            algorithm = "EdDSA"
        case {"kty": "RSA"}:
            algorithm = "RS256"
        case _:
            return None
    operations = member.get("key_ops", ["verify"])
    is_other = member.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations
    if is_other or member.get("alg", algorithm) != algorithm:
        return None
    id = member.get("kid")
    if id is not None and not isinstance(id, str):
        raise ConfigError(f"{path}: expected a string as the `kid` of each key, found another type.")
    if id is None and not alone:
        raise ConfigError(f"{path}: expected a `kid` in each key, since there are several; found a key without one.")

    import jwt

    try:
        material: Ed25519PublicKey | RSAPublicKey = jwt.PyJWK(dict(member), algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise ConfigError(f"{path}: expected a valid JWK, found a key that cannot be decoded.") from None
    if isinstance(material, RSAPublicKey):
        _check_size(path, material.key_size)
    return TokenKey(algorithm, material, id, min(_ends(member), default=None))


def _ends(member: Mapping[str, Any]) -> Iterator[float]:
    """Yield the times at which a JWK ends: by `exp`, a NumericDate, and by its certificate (RFC 7517 §4.7).

    `exp` is no member of RFC 7517; providers write it in the sense of OpenID Federation's list of historical keys.
    Whatever is malformed says nothing.
    """
    end = member.get("exp")
    if isinstance(end, int | float) and not isinstance(end, bool) and 0 <= end <= LAST_TIME:
        yield float(end)
    certificates = member.get("x5c")
    if isinstance(certificates, list) and certificates:
        try:
            leaf = x509.load_der_x509_certificate(base64.b64decode(certificates[0], validate=True))
        except (ValueError, TypeError):
            return
        yield leaf.not_valid_after_utc.timestamp()


def _check_size(path: Path, bits: int) -> None:
    if bits < LEAST_RSA_BITS:
        raise ConfigError(f"{path}: expected an RSA key of at least {LEAST_RSA_BITS} bits, found {bits} bits.")
