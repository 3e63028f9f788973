"""Tests of `signald.tls.browser_rules`: certificates that no browser takes are told apart."""

from __future__ import annotations

from base64 import b64decode
from ipaddress import ip_address
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import crypto
from twisted.trial.unittest import SynchronousTestCase

from signald.tls.authority import Authority, wall_time
from signald.tls.browser_rules import browser_problems
from tests.support.machines import DAY, NOW, machine

PSS_CERTIFICATE = (
    "MIICRTCCAXqgAwIBAgIUA7sePufp6gfQ307eoXK0tHvayU8wQQYJKoZIhvcNAQEKMDSgDzANBglghkgBZQMEAgEFAKEcMBoG"
    "CSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIDAgFeMAwxCjAIBgNVBAMMAWEwIBcNMjYxMTMwMTUyODQ2WhgPMjEyNjExMDYx"
    "NTI4NDZaMAwxCjAIBgNVBAMMAWEwgZ0wCwYJKoZIhvcNAQEKA4GNADCBiQKBgQDCNFGHOkC7wp5ACkSX3lmhUfArrHCdJsji"
    "abXjx68hxY2KGfBNaHmJM2AE3sN5wrWYinfFmRnKOpxL20OXZANED0q177fy9rAajTdHvGtj+Wb/1Y5WZZNBiW6vLkeZOqpp"
    "v8OBAJ0M8YYxFlLzrrDTC5qyH/299N0Ht0HX+o02UwIDAQABozwwOjAfBgNVHSMEGDAWgBQRm2NbTjApnTXOfutwXBtaLzvO"
    "NTAMBgNVHREEBTADggFhMAkGA1UdEwQCMAAwQQYJKoZIhvcNAQEKMDSgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEB"
    "CDANBglghkgBZQMEAgEFAKIDAgFeA4GBAJY57H6Dns/I6PnoZ6RZL8jpO7XOYnpk6JgDgQjhRq4eN2aivIkn+HbrjYhPXAiG"
    "oqgYIlcYUhfux2WO0k9gAd3bAU+s08yby5sLiOym9vSZfZZYFT+3rAZ4O06bFC5q3frcJ1IODv+jCkHhofmnrCgW7ffIUU+P"
    "XqKwm/97+bEF"
)
"""A certificate in DER with an RSA key for RSASSA-PSS alone, which `cryptography` cannot make: by `openssl req -x509
-newkey rsa-pss -pkeyopt rsa_keygen_bits:1024`."""

NAMES = x509.SubjectAlternativeName([x509.DNSName("calls.example.org")])


class BrowserRuleTests(SynchronousTestCase):
    """Tests of the reasons for which browsers refuse a certificate."""

    def certificate(
        self,
        key: Any = None,
        algorithm: hashes.HashAlgorithm | None = hashes.SHA256(),  # noqa: B008 # immutable
        issuer: str = "authority",
        extensions: tuple[x509.ExtensionType, ...] = (NAMES,),
    ) -> x509.Certificate:
        """Create a certificate, signed by its own key."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "calls.example.org")]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(wall_time(NOW))
            .not_valid_after(wall_time(NOW + 90 * DAY))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(key, cast(Any, algorithm))

    def signed_with(self, hash_name: str, issuer: str) -> x509.Certificate:
        """Create a certificate with a signature that `cryptography` refuses to make."""
        key = rsa.generate_private_key(65537, 2048)
        signed = crypto.X509.from_cryptography(self.certificate(key, issuer=issuer))
        signed.sign(crypto.PKey.from_cryptography_key(key), hash_name)
        return signed.to_cryptography()

    def test_keys(self) -> None:
        """Keys of P-256, P-384 and RSA of 2048 bits are accepted; all others are named, with what to use."""
        for good in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
            self.assertEqual(browser_problems([self.certificate(good)]), [])
        for key, algorithm, name in (
            (ec.generate_private_key(ec.SECP521R1()), hashes.SHA512(), "secp521r1"),
            (ec.generate_private_key(ec.SECP256K1()), hashes.SHA256(), "secp256k1"),
            (ed25519.Ed25519PrivateKey.generate(), None, "EdDSA"),
            (ed448.Ed448PrivateKey.generate(), None, "EdDSA"),
            (rsa.generate_private_key(65537, 1024), hashes.SHA256(), "1024 bits"),  # noqa: S505 # that is what is tested
        ):
            [problem] = browser_problems([self.certificate(key, algorithm)])
            self.assertIn(name, problem.text)
            self.assertTrue(problem.remedy.startswith("Use a certificate with an ECDSA P-256 key"))
            self.assertEqual(str(problem), f"{problem.text} {problem.remedy}")

    def test_key_for_one_signature_alone(self) -> None:
        """An RSA key that is for RSASSA-PSS alone is named, besides its size."""
        pss, size = browser_problems([x509.load_der_x509_certificate(b64decode(PSS_CERTIFICATE))])
        self.assertIn("RSASSA-PSS", pss.text)
        self.assertIn("1024 bits", size.text)

    def test_unknown_signature(self) -> None:
        """A signature whose algorithm is not known here is named by its object identifier."""
        [problem] = browser_problems([self.signed_with("sha512-256", "authority")])
        self.assertIn("it is signed with 1.2.840.113549.1.1.16", problem.text)

    def test_signatures(self) -> None:
        """A signature with SHA-1 is refused on the certificate and on an intermediate one, and not on a root."""
        good, weak = self.certificate(), self.signed_with("sha1", "authority")
        [problem] = browser_problems([weak])
        self.assertIn("it is signed with SHA1", problem.text)
        [problem] = browser_problems([good, weak])
        self.assertIn("an intermediate certificate is signed with SHA1", problem.text)
        root = self.signed_with("sha1", "calls.example.org")
        self.assertEqual(browser_problems([good, root]), [])

    def test_names_and_purposes(self) -> None:
        """A certificate has names as subjectAltName, and is for servers if it names purposes."""
        mail = x509.SubjectAlternativeName([x509.RFC822Name("ann@example.org")])
        for extensions in ((), (mail,)):
            [problem] = browser_problems([self.certificate(extensions=extensions)])
            self.assertIn("no host name or address as subjectAltName", problem.text)
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("192.0.2.1"))])
        self.assertEqual(browser_problems([self.certificate(extensions=(address,))]), [])
        client = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        [problem] = browser_problems([self.certificate(extensions=(NAMES, client))])
        self.assertIn("serverAuth", problem.text)
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        self.assertEqual(browser_problems([self.certificate(extensions=(NAMES, server))]), [])

    def test_local(self) -> None:
        """The certificate of the local authority has no problem."""
        names = machine("attic", ["192.168.1.20"])
        self.assertEqual(browser_problems(Authority.create(names, NOW).issue(names, NOW).chain), [])
