"""Tests of `signald_client.dtls`: peers with RSA certificates are accepted, and a failed handshake is told."""

from __future__ import annotations

import asyncio
import datetime
import io
import sys
from typing import Any

from aiortc import RTCCertificate, RTCPeerConnection
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import TestCase

from signald_client.call import _print_report
from signald_client.dtls import dtls_state
from signald_client.exit_status import EXIT_NOT_FLOWED
from signald_client.peer_connection import _make_connection
from signald_client.report import MemberReport, Report
from tests.suites.peer.case import asynchronous

SUITES = b"ECDHE-RSA-AES128-GCM-SHA256"


class RsaCertificate(RTCCertificate):
    """The certificate of a program whose key is an RSA key, as GStreamer's webrtcbin has it."""

    def _create_ssl_context(self, srtp_profiles: Any) -> Any:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(SUITES)
        return context


def rsa_certificate() -> RsaCertificate:
    """Create a certificate with an RSA key."""
    key: Any = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webrtcbin")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return RsaCertificate(key=key, cert=certificate)


class DtlsTests(TestCase):
    """Tests of connections between a program with an RSA certificate, which offers, and this side."""

    async def connect(self, *, accepts_rsa: bool) -> tuple[str, str]:
        """Return the state of the connection of this side, and of its DTLS, when it has one."""
        other = RTCPeerConnection()
        own = _make_connection((), relay_only=False) if accepts_rsa else RTCPeerConnection()
        other._RTCPeerConnection__certificates = [rsa_certificate()]  # type: ignore[attr-defined] # no public way
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def state_changed() -> None:
            if own.connectionState in ("connected", "failed") and not ended.done():
                ended.set_result(own.connectionState)

        own.on("connectionstatechange", state_changed)
        try:
            self.assertEqual(dtls_state(own), "new")
            other.createDataChannel("channel")
            await other.setLocalDescription(await other.createOffer())
            await own.setRemoteDescription(other.localDescription)
            await own.setLocalDescription(await own.createAnswer())
            await other.setRemoteDescription(own.localDescription)
            return await ended, dtls_state(own)
        finally:
            await other.close()
            await own.close()

    def test_a_sentence(self) -> None:
        """The command says that DTLS failed, and not only that media did not flow."""
        out, err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        report = Report(members=[MemberReport("ann", dtls_state="failed")])
        self.assertEqual(_print_report(report, []), EXIT_NOT_FLOWED)
        self.assertIn("signald-peer: The DTLS handshake with a member failed", err.getvalue())
        self.assertIn('"dtls-state": "failed"', out.getvalue())

    @asynchronous
    async def test_accepted(self) -> None:
        """A peer with an RSA certificate that offers is connected."""
        self.assertEqual(await self.connect(accepts_rsa=True), ("connected", "connected"))

    @asynchronous
    async def test_no_suite_in_common(self) -> None:
        """Where the two sides have no cipher suite in common, it is DTLS that is told to have failed."""
        self.assertEqual(await self.connect(accepts_rsa=False), ("failed", "failed"))
