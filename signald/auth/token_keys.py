"""The keys that tokens are checked with, each bound to one algorithm by its kind (RFC 8725 §3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
import orjson
from attrs import field, frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from signald.config.secret_files import read_file, read_secret
from signald.config.tree import Tokens
from signald.config.values import ConfigError
from signald.net.keyfiles import OWNER_AND_GROUP, CertificateError, read_private_key

__all__ = [
    "LEAST_RSA_BITS",
    "LEAST_SECRET_BYTES",
    "Material",
    "SigningKey",
    "TokenKey",
    "load_keys",
    "read_signing_key",
    "read_token_secret",
]

LEAST_SECRET_BYTES = 32
"""Of an HS256 secret: as many as the hash has (RFC 7518 §3.2)."""

LEAST_RSA_BITS = 2048
"""Of an RS256 key (RFC 7518 §3.3)."""

_MOST_KEYS = 64

_PRIVATE_MEMBERS = ("d", "k", "p", "q", "dp", "dq", "qi", "oth")
"""What a JWK of a public key does not have (RFC 7518 §6)."""

Material = bytes | Ed25519PublicKey | RSAPublicKey
"""What tokens are checked with."""

SigningKey = Ed25519PrivateKey | RSAPrivateKey
"""What tokens are signed with, besides secrets."""


@frozen
class TokenKey:
    """A key that checks tokens.

    Attributes:
        algorithm: the only one that it is for (RFC 7518 §3.1, RFC 8037 §3.1).
        material: the secret or the public key itself.
        id: which tokens it is for, by their `kid` (RFC 7515 §4.1.4); None for any.

    """

    algorithm: str
    material: Material = field(repr=False)
    id: str | None = None


def load_keys(settings: Tokens) -> tuple[TokenKey, ...]:
    """Read all keys that the settings name.

    Raises:
        ConfigError: a file cannot be read, is open to others where it holds a secret, or holds no key that is good
            enough.

    """
    keys: list[TokenKey] = []
    if settings.secret_file is not None:
        keys.append(TokenKey("HS256", read_token_secret(settings.secret_file)))
    keys += [_read_public_key(path) for path in settings.key_files]
    if settings.jwks_file is not None:
        keys += _read_jwks(settings.jwks_file)
    if len(keys) > _MOST_KEYS:
        raise ConfigError(f"There are more than {_MOST_KEYS} keys for tokens.")
    return tuple(keys)


def read_token_secret(path: Path) -> bytes:
    """Read an HS256 secret.

    Raises:
        ConfigError: it cannot be read, is open to others, or is too short.

    """
    secret = read_secret(path)
    if len(secret) < LEAST_SECRET_BYTES:
        raise ConfigError(
            f"The secret in {path} has {len(secret)} bytes; HS256 needs {LEAST_SECRET_BYTES} at least "
            "(openssl rand -base64 48 makes one)."
        )
    try:
        jwt.get_algorithm_by_name("HS256").prepare_key(secret)
    except jwt.InvalidKeyError:
        raise ConfigError(f"{path} holds a key of another kind, which is no secret.") from None
    return secret


def read_signing_key(path: Path) -> tuple[str, SigningKey]:
    """Read a private key that signs tokens, with its algorithm.

    Raises:
        ConfigError: it cannot be read, is open to others, or is none that tokens are signed with.

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
            raise ConfigError(f"The key in {path} is neither Ed25519 nor RSA, which tokens are signed with.")


def _read_public_key(path: Path) -> TokenKey:
    content = read_file(path)
    if b"PRIVATE KEY-----" in content:
        raise ConfigError(f"{path} holds a private key; to check tokens, the public one is enough.")
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{path} does not hold a readable public key in PEM form.") from None
    match key:
        case Ed25519PublicKey():
            return TokenKey("EdDSA", key)
        case RSAPublicKey():
            _check_size(path, key.key_size)
            return TokenKey("RS256", key)
        case _:
            raise ConfigError(f"The key in {path} is neither Ed25519 nor RSA, which tokens are checked with.")


def _read_jwks(path: Path) -> list[TokenKey]:
    """Read the keys of a set (RFC 7517 §5); those of other kinds or for other uses are passed over, as it asks."""
    try:
        document = orjson.loads(read_file(path))
    except orjson.JSONDecodeError:
        raise ConfigError(f"{path} is no JSON.") from None
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise ConfigError(f"{path} is no JWKS: an object with a list of keys.")
    if any(name in member for member in members for name in _PRIVATE_MEMBERS):
        raise ConfigError(f"{path} holds a secret or a private key; to check tokens, public ones are enough.")
    keys = [key for member in members if (key := _read_jwk(path, member, alone=len(members) == 1)) is not None]
    if not keys:
        raise ConfigError(f"{path} holds no key for EdDSA (Ed25519) or RS256.")
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
        raise ConfigError(f"A key in {path} has a kid that is no string.")
    if id is None and not alone:
        raise ConfigError(f"A key in {path} has no kid, though there are several.")
    try:
        material: Ed25519PublicKey | RSAPublicKey = jwt.PyJWK(dict(member), algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise ConfigError(f"A key in {path} cannot be read.") from None
    if isinstance(material, RSAPublicKey):
        _check_size(path, material.key_size)
    return TokenKey(algorithm, material, id)


def _check_size(path: Path, bits: int) -> None:
    if bits < LEAST_RSA_BITS:
        raise ConfigError(f"The RSA key in {path} has {bits} bits; RS256 needs {LEAST_RSA_BITS} at least.")
