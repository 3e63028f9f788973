"""Every error that signald tells to anyone: its code, its sentence, its HTTP status, its close code."""

from __future__ import annotations

from enum import Enum

__all__ = ["ErrorCode", "SignalError"]


class ErrorCode(Enum):
    """An error of the protocol's vocabulary, the same over WebSocket and HTTP.

    Attributes:
        value: the code on the wire.
        sentence: what is wrong, for people.
        http_status: the status where HTTP can still answer (RFC 9110 §15, RFC 9457); None where it cannot occur.
        close_code: the WebSocket close code (RFC 6455 §7.4) where the error ends the connection; else None.

    """

    sentence: str
    http_status: int | None
    close_code: int | None

    def __new__(cls, code: str, sentence: str, http_status: int | None, close_code: int | None) -> ErrorCode:
        """Make a member whose value is its code alone."""
        member = object.__new__(cls)
        member._value_ = code
        member.sentence = sentence
        member.http_status = http_status
        member.close_code = close_code
        return member

    # What was said
    BAD_MESSAGE = ("bad-message", "The message is not valid.", 400, None)
    UNSUPPORTED_DATA = ("unsupported-data", "Binary messages are not understood here.", None, 1003)
    MESSAGE_TOO_LARGE = ("message-too-large", "The message is too large.", None, 1009)
    TOO_MANY_FRAGMENTS = ("too-many-fragments", "The message comes in too many pieces.", None, 1008)
    SLOW_MESSAGE = ("slow-message", "The message took too long to arrive.", None, 1008)

    # Who is who
    HELLO_FIRST = ("hello-first", "Say hello first.", None, None)
    ALREADY_WELCOMED = ("already-welcomed", "Hello was said already.", None, None)
    UNSUPPORTED_VERSION = ("unsupported-version", "This server speaks version 1.", None, None)
    REPLACED = ("replaced", "This identity is in use on another connection.", None, 4001)
    SECRET_REUSED = ("secret-reused", "A secret was used twice; the identity is over.", None, 1008)
    BAD_ACKNOWLEDGEMENT = ("bad-acknowledgement", "So many messages were never sent.", None, None)
    HELLO_TIMEOUT = ("hello-timeout", "Nothing was heard in time.", None, 1008)

    # Who may
    TOKEN_REQUIRED = ("token-required", "A token is needed for this.", 401, None)
    TOKEN_INVALID = ("token-invalid", "The token is not valid.", 401, None)
    TOKEN_EXPIRED = ("token-expired", "The token has expired.", 401, None)
    NOT_PERMITTED = ("not-permitted", "You may not do this.", 403, None)
    DECISION_UNAVAILABLE = ("decision-unavailable", "Whether you may cannot be found out now. Try again.", 503, None)

    # Sessions
    UNKNOWN_SESSION = ("unknown-session", "There is no such session.", 404, None)
    SESSION_FULL = ("session-full", "The session is full.", 409, None)
    SESSION_LOCKED = ("session-locked", "The session is locked.", 409, None)
    PASSWORD_NEEDED = ("password-needed", "The session has a password.", 401, None)
    WRONG_PASSWORD = ("wrong-password", "The password is wrong.", 403, None)
    WRONG_HOST_KEY = ("wrong-host-key", "The host key is wrong.", 403, None)
    LOBBY_FULL = ("lobby-full", "Too many wait to be admitted.", 409, None)
    CANNOT_WAIT = ("cannot-wait", "The host has to admit you, and your program cannot wait for it.", None, None)
    ALREADY_MEMBER = ("already-member", "You are in this session already, or wait at it.", None, None)
    NOT_A_MEMBER = ("not-a-member", "You are not in this session.", 403, None)
    UNKNOWN_MEMBER = ("unknown-member", "There is no such member in this session.", None, None)
    WRONG_ROLE = ("wrong-role", "This is not for you to say in this session.", None, None)
    UNSUPPORTED_BY_PEER = ("unsupported-by-peer", "The other side's program cannot do this.", None, None)
    RELAY_NEEDED = (
        "relay-needed",
        "All media goes through a TURN server here, and your program does not say that it can do so.",
        None,
        None,
    )
    OUTBOX_FULL = ("outbox-full", "The other side does not take more just now.", None, None)
    BAD_CAPACITY = ("bad-capacity", "A session cannot have this many members.", None, None)

    # Too much
    TOO_MANY_SESSIONS = ("too-many-sessions", "You are in too many sessions.", None, None)
    TOO_MANY_NEW_SESSIONS = (
        "too-many-new-sessions",
        "Too many sessions were opened from your network in a short time. Try again later.",
        None,
        None,
    )
    TOO_MANY_GUESSES = ("too-many-guesses", "Too many bad guesses came from your network. Try again later.", 429, None)
    TOO_MANY_PASSWORDS = ("too-many-passwords", "Too many passwords wait to be checked. Try again.", None, None)
    TOO_MANY_CANDIDATES = ("too-many-candidates", "Too many candidates wait for the other side.", None, None)
    TOO_MANY_MESSAGES = ("too-many-messages", "Too many messages in too short a time.", None, 1008)
    TOO_MANY_BYTES = ("too-many-bytes", "Too many bytes in too short a time.", None, 1008)
    TOO_MANY_CONTROL_FRAMES = ("too-many-control-frames", "Too many control frames in too short a time.", None, 1008)
    TOO_MANY_WAITING = ("too-many-waiting", "Too many messages wait for an earlier one's answer.", None, 1008)
    TOO_MANY_CONNECTIONS = ("too-many-connections", "Too many connections. Try again later.", 429, None)
    TOO_MANY_NEW_CONNECTIONS = (
        "too-many-new-connections",
        "Too many new connections in a short time. Try again later.",
        429,
        None,
    )
    TOO_MANY_REQUESTS = ("too-many-requests", "Too many requests in a short time. Try again later.", 429, None)
    SERVER_FULL = ("server-full", "The server has no room for another connection.", 503, None)

    # HTTP
    BAD_HOST = ("bad-host", "The request must name one valid host.", 400, None)
    BAD_ORIGIN = ("bad-origin", "Pages from that origin may not connect here.", 403, None)
    BAD_REQUEST = ("bad-request", "The request is not valid.", 400, None)
    BODY_REFUSED = ("body-refused", "Requests here have no body.", 413, None)
    METHOD_NOT_ALLOWED = ("method-not-allowed", "Only GET and HEAD are answered here.", 405, None)
    NOT_FOUND = ("not-found", "There is nothing here.", 404, None)
    UPGRADE_REQUIRED = ("upgrade-required", "This address speaks WebSocket.", 426, None)
    UNSUPPORTED_SUBPROTOCOL = ("unsupported-subprotocol", "None of the offered subprotocols is spoken here.", 400, None)

    # The server's own
    GOING_AWAY = ("going-away", "The server is stopping.", 503, 1012)
    INTERNAL_ERROR = ("internal-error", "Something went wrong in the server.", 500, 1011)


class SignalError(Exception):
    """A refusal: what was asked for does not happen, and nothing has changed.

    Attributes:
        code: which error, for the one who asked.

    """

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.value)
        self.code = code
