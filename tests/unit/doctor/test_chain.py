"""Tests of `signald.doctor.chain`, which judges certificate chains."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.trial.unittest import SynchronousTestCase

from signald.doctor.chain import judge_chain, trusted_store
from signald.doctor.findings import Finding, Mark
from signald.net.keyfiles import Pair
from tests.support.certificates import self_signed
from tests.support.machines import DAY
from tests.support.public_authority import PublicAuthority

NAME = x509.DNSName("calls.example.org")


class ChainTests(SynchronousTestCase):
    """Tests of the findings about the validity period, the trust and the name of a certificate."""

    authority = PublicAuthority.create()

    def judge(
        self,
        pair: Pair,
        *,
        sent: int = 2,
        host: str | None = "calls.example.org",
        trusted: bool = True,
        days: float = 0,
    ) -> list[Finding]:
        """Return the findings about the first `sent` certificates of a chain, as seen `days` after the issue."""
        store = trusted_store([self.authority.root] if trusted else [])
        now = self.authority.now.timestamp() + days * DAY
        return judge_chain("certificate", "it", pair.chain[:sent], host, store, now)

    def bad(self, findings: list[Finding]) -> list[str]:
        """Return the texts of the findings that are not OK, and assert that each of them has a remedy."""
        bad = [finding for finding in findings if finding.mark is not Mark.OK]
        self.assertTrue(all(finding.remedy for finding in bad))
        return [finding.text for finding in bad]

    def test_good(self) -> None:
        """A valid chain has three OK findings, and only two if no host is known, since the name is not compared."""
        pair = self.authority.issue(NAME)
        self.assertEqual([finding.mark for finding in self.judge(pair)], [Mark.OK] * 3)
        self.assertEqual(len(self.judge(pair, host=None)), 2)

    def test_life(self) -> None:
        """An expired, expiring or not yet valid leaf changes one finding only; the chain's trust stays OK."""
        pair = self.authority.issue(NAME)
        for days, said, mark in (
            (-2, "is not valid before", Mark.FAILURE),
            (74, "(15 days)", Mark.OK),
            (76, "(13 days)", Mark.WARNING),
            (90, "ended on", Mark.FAILURE),
            (9000, "ended on", Mark.FAILURE),
        ):
            findings = self.judge(pair, days=days)
            self.assertIn(said, findings[0].text)
            self.assertEqual([finding.mark for finding in findings], [mark, Mark.OK, Mark.OK], days)

    def test_short_life(self) -> None:
        """A certificate with a lifetime of six days only causes a warning in the last fifth of its lifetime."""
        pair = self.authority.issue(NAME, start=timedelta(0), end=timedelta(days=6))
        marks = [self.judge(pair, days=days)[0].mark for days in (0, 4, 5.5)]
        self.assertEqual(marks, [Mark.OK, Mark.OK, Mark.WARNING])

    def test_name(self) -> None:
        """Names match by the rules of browsers: wildcards and IP addresses count, and the common name does not."""
        wild = self.authority.issue(x509.DNSName("*.example.org"), x509.IPAddress(ip_address("192.0.2.1")))
        self.assertEqual(self.bad(self.judge(wild)), [])
        self.assertEqual(self.bad(self.judge(wild, host="192.0.2.1")), [])
        for host in ("example.org", "a.b.example.org", "192.0.2.2", "2001:db8::1"):
            (text,) = self.bad(self.judge(wild, host=host))
            self.assertIn(f"is not for {host}; it names *.example.org, 192.0.2.1", text)
        many = self.authority.issue(*(x509.DNSName(f"{n}.example.net") for n in range(9)))
        self.assertIn("4.example.net, and 4 more.", self.bad(self.judge(many))[0])
        self.assertIn("it names nothing", self.bad(self.judge(self.authority.issue()))[0])

    def test_incomplete(self) -> None:
        """If the server does not send the intermediate certificate, the finding names the missing certificate."""
        (text,) = self.bad(self.judge(self.authority.issue(NAME), sent=1))
        self.assertIn("“Test Intermediate”, which issued “a server”, is neither sent nor trusted here", text)

    def test_unknown_authority(self) -> None:
        """An untrusted root, whether the server sends it or not, and a self-signed certificate fail the check."""
        pair = self.authority.issue(NAME)
        (text,) = self.bad(self.judge(pair, trusted=False))
        self.assertIn("“Test Root”, which issued “Test Intermediate”, is neither sent nor trusted", text)
        whole = Pair((*pair.chain, self.authority.root), pair.key)
        (text,) = self.bad(self.judge(whole, sent=3, trusted=False))
        self.assertIn("is of “Test Root”, which is no authority that this machine trusts", text)
        own = self_signed(
            ec.generate_private_key(ec.SECP256R1()),
            self.authority.now.timestamp(),
            self.authority.now.timestamp() + 90 * DAY,
            x509.SubjectAlternativeName([NAME]),
        )
        (text,) = self.bad(self.judge(own))
        self.assertIn("signs itself", text)

    def test_an_intermediate_of_another_authority(self) -> None:
        """An intermediate certificate of the right name that did not sign the leaf does not complete the chain."""
        pair, other = self.authority.issue(NAME), PublicAuthority.create(self.authority.now)
        (text,) = self.bad(self.judge(Pair((pair.chain[0], other.intermediate.leaf), pair.key)))
        self.assertIn("“Test Intermediate”, which issued “a server”, is neither sent", text)

    def test_other_faults(self) -> None:
        """Any other fault is reported with OpenSSL's message, here that the intermediate certificate has expired."""
        pair = self.authority.issue(NAME, end=timedelta(days=3000))
        (text,) = self.bad(self.judge(pair, days=2000))
        self.assertIn("cannot be verified: certificate has expired", text)
