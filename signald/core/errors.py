"""All errors that signald sends: code, sentence, HTTP status and WebSocket close code."""

from __future__ import annotations

from enum import Enum

__all__ = ["ErrorCode", "SignalError"]


class ErrorCode(Enum):
    """An error of the protocol, the same over WebSocket and HTTP.

    Attributes:
        value: the code on the wire.
        sentence: what is wrong and what to do, for people.
        http_status: the status where HTTP can still answer (RFC 9110 §15, RFC 9457); None where it cannot occur.
        close_code: the WebSocket close code (RFC 6455 §7.4) where the error ends the connection; else None.

    """

    sentence: str
    http_status: int | None
    close_code: int | None

    def __new__(cls, code: str, sentence: str, http_status: int | None, close_code: int | None) -> ErrorCode:
        """Create a member whose value is the code alone."""
        member = object.__new__(cls)
        member._value_ = code
        member.sentence = sentence
        member.http_status = http_status
        member.close_code = close_code
        return member

    # Messages
    BAD_MESSAGE = ("bad-message", "The message is not valid.", 400, None)
    UNSUPPORTED_DATA = ("unsupported-data", "Binary messages are not supported. Send text messages.", None, 1003)
    MESSAGE_TOO_LARGE = ("message-too-large", "The message is too large.", None, 1009)
    TOO_MANY_FRAGMENTS = ("too-many-fragments", "The message is split into too many fragments.", None, 1008)
    SLOW_MESSAGE = ("slow-message", "The message took too long to arrive.", None, 1008)

    # Identities
    HELLO_FIRST = ("hello-first", "The first request must be a hello or a resume.", None, None)
    ALREADY_WELCOMED = ("already-welcomed", "This connection is welcomed already.", None, None)
    UNSUPPORTED_VERSION = ("unsupported-version", "This server supports version 1 of the protocol only.", None, None)
    REPLACED = ("replaced", "This identity is in use on another connection.", None, 4001)
    SECRET_REUSED = ("secret-reused", "A resume secret was used twice. The identity has ended.", None, 1008)
    BAD_ACKNOWLEDGEMENT = (
        "bad-acknowledgement",
        "The acknowledgement exceeds the number of messages sent.",
        None,
        None,
    )
    HELLO_TIMEOUT = ("hello-timeout", "No hello arrived in time.", None, 1008)

    ID_TAKEN = ("id-taken", "Another client has this id.", None, 4002)
    ROOM_FULL = ("room-full", "The room is full.", None, 4004)
    HEARTBEAT_TIMEOUT = ("heartbeat-timeout", "No heartbeat arrived in time.", None, 4003)

    # Permissions
    TOKEN_REQUIRED = ("token-required", "This request needs a token.", 401, None)
    TOKEN_INVALID = ("token-invalid", "The token is not valid.", 401, None)
    TOKEN_TOO_LARGE = ("token-too-large", "The token is too large.", None, None)
    TOKEN_EXPIRED = ("token-expired", "The token has expired.", 401, None)
    NOT_PERMITTED = ("not-permitted", "You are not allowed to do this.", 403, None)
    DECISION_UNAVAILABLE = (
        "decision-unavailable",
        "Your permission cannot be checked at the moment. Try again later.",
        503,
        None,
    )

    # Sessions
    UNKNOWN_SESSION = ("unknown-session", "This session does not exist.", 404, None)
    SESSION_FULL = ("session-full", "The session is full.", 409, None)
    SESSION_LOCKED = ("session-locked", "The session is locked.", 409, None)
    PASSWORD_NEEDED = ("password-needed", "The session needs a password.", 401, None)
    WRONG_PASSWORD = ("wrong-password", "The password is wrong.", 403, None)
    WRONG_HOST_KEY = ("wrong-host-key", "The host key is wrong.", 403, None)
    LOBBY_FULL = ("lobby-full", "Too many people wait to be admitted. Try again later.", 409, None)
    CANNOT_WAIT = (
        "cannot-wait",
        "The host has to admit you, and your program cannot wait for admission.",
        None,
        None,
    )
    ALREADY_MEMBER = ("already-member", "You are in this session already, or wait for admission.", None, None)
    NOT_A_MEMBER = ("not-a-member", "You are not in this session.", 403, None)
    UNKNOWN_MEMBER = ("unknown-member", "This person is not in the session.", None, None)
    WRONG_ROLE = ("wrong-role", "Your role does not allow this request.", None, None)
    UNSUPPORTED_BY_PEER = ("unsupported-by-peer", "The other person's program does not support this.", None, None)
    RELAY_NEEDED = (
        "relay-needed",
        "All media of this session goes through TURN servers, and your program does not support that.",
        None,
        None,
    )
    OUTBOX_FULL = ("outbox-full", "The other person's program is too slow to receive more at the moment.", None, None)
    BAD_CAPACITY = ("bad-capacity", "This capacity is not allowed.", None, None)

    # Limits
    TOO_MANY_SESSIONS = ("too-many-sessions", "You are in too many sessions.", None, None)
    TOO_MANY_NEW_SESSIONS = (
        "too-many-new-sessions",
        "Too many sessions were opened from your network in a short time. Try again later.",
        None,
        None,
    )
    TOO_MANY_GUESSES = (
        "too-many-guesses",
        "Too many wrong attempts came from your network. Try again later.",
        429,
        None,
    )
    TOO_MANY_PASSWORDS = ("too-many-passwords", "Too many passwords wait to be checked. Try again later.", None, None)
    TOO_MANY_CANDIDATES = ("too-many-candidates", "Too many candidates wait for the other person to join.", None, None)
    TOO_MANY_MESSAGES = ("too-many-messages", "Too many messages arrived in a short time.", None, 1008)
    TOO_MANY_BYTES = ("too-many-bytes", "Too many bytes arrived in a short time.", None, 1008)
    TOO_MANY_CONTROL_FRAMES = (
        "too-many-control-frames",
        "Too many control frames arrived in a short time.",
        None,
        1008,
    )
    TOO_MANY_WAITING = ("too-many-waiting", "Too many requests wait for the reply to an earlier one.", None, 1008)
    TOO_MANY_CONNECTIONS = (
        "too-many-connections",
        "Too many connections are open from your network. Try again later.",
        429,
        None,
    )
    TOO_MANY_NEW_CONNECTIONS = (
        "too-many-new-connections",
        "Too many connections came from your network in a short time. Try again later.",
        429,
        None,
    )
    TOO_MANY_REQUESTS = (
        "too-many-requests",
        "Too many requests came from your network in a short time. Try again later.",
        429,
        None,
    )
    SERVER_FULL = ("server-full", "The server has no room for another connection. Try again later.", 503, None)

    # HTTP
    BAD_HOST = ("bad-host", "The request must name one valid host.", 400, None)
    BAD_ORIGIN = ("bad-origin", "Pages from this origin are not allowed to connect.", 403, None)
    BAD_REQUEST = ("bad-request", "The request is not valid.", 400, None)
    HEADERS_TOO_LARGE = (
        "headers-too-large",
        "The headers exceed 16384 bytes or 100 lines. Send fewer or shorter ones, for instance of cookies.",
        431,
        None,
    )
    BODY_REFUSED = ("body-refused", "Requests must not have a body.", 413, None)
    METHOD_NOT_ALLOWED = ("method-not-allowed", "Only the methods GET, HEAD and OPTIONS are allowed.", 405, None)
    NOT_FOUND = ("not-found", "This address does not exist.", 404, None)
    UPGRADE_REQUIRED = ("upgrade-required", "This address accepts WebSocket connections only.", 426, None)
    TLS_REQUIRED = ("tls-required", "This port speaks TLS only. Connect with https or wss.", 426, None)
    UNSUPPORTED_SUBPROTOCOL = (
        "unsupported-subprotocol",
        "The server supports none of the offered subprotocols.",
        400,
        None,
    )

    # The server
    GOING_AWAY = ("going-away", "The server is stopping.", 503, 1012)
    INTERNAL_ERROR = ("internal-error", "Something went wrong in the server.", 500, 1011)


class SignalError(Exception):
    """An operation is refused and has changed nothing.

    Attributes:
        code: the error for the client that asked.

    """

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.value)
        self.code = code
