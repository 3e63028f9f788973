"""DTLS of aiortc with other programs: certificates whose connections also accept peers with RSA keys."""

from __future__ import annotations

from typing import Any

from aiortc import RTCCertificate, RTCPeerConnection

__all__ = ["accept_rsa_peers", "dtls_state"]

_SUITES = ":".join(f"ECDHE-{key}-{cipher}" for cipher in (
    "AES128-GCM-SHA256", "CHACHA20-POLY1305", "AES128-SHA", "AES256-SHA"
) for key in ("ECDSA", "RSA"))  # fmt: skip
"""aiortc's suites, and the same ones for peers with RSA keys: RFC 8827 §6.5 requires the former alone, but some
programs (GStreamer's webrtcbin) have RSA certificates. The certificate of this side has an ECDSA key as before."""


class _Certificate(RTCCertificate):
    """A certificate whose connections offer both kinds of suites."""

    def _create_ssl_context(self, srtp_profiles: Any) -> Any:
        """Create the context of a connection; aiortc has no public way to choose its suites."""
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(_SUITES.encode("ascii"))
        return context


def accept_rsa_peers(connection: RTCPeerConnection) -> None:
    """Have a new connection accept peers with RSA keys; aiortc's configuration takes no certificates."""
    name = f"_{RTCPeerConnection.__name__}__certificates"
    setattr(connection, name, [_Certificate.generateCertificate() for _ in getattr(connection, name)])


def dtls_state(connection: RTCPeerConnection) -> str:
    """Return the state of a connection's DTLS transports: `failed` if one has failed, else that of the first one."""
    transports = [transceiver.sender.transport for transceiver in connection.getTransceivers()]
    if connection.sctp is not None:
        transports.append(connection.sctp.transport)
    states = [transport.state for transport in transports]
    return "failed" if "failed" in states else next(iter(states), "new")
