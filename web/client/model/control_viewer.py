"""The viewer's side of remote control: what each other member offers, and what became of it.

It does not touch the browser. docs/protocol.md, "Remote control", has the messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .peer_messaging import PeerMessaging

__all__ = ["ASKING", "CODE", "CONTROLLING", "OFFERED", "PAUSED", "ControlViewer", "Offer", "fitting_text"]

VERSION = 1

# These are the states of an offer.
OFFERED = "offered"
ASKING = "asking"
CONTROLLING = "controlling"
PAUSED = "paused"

GIVEN_UP = "given-up"
EMBEDDED = "embedded"
"""Reasons for which there is no control; the second one is this page's own."""

CODE = "code"
"""The mode in which control needs a code."""

MAX_CLIPBOARD = 8000
"""Most characters of a text for the clipboard."""

MAX_UNITS = 15_900
"""Most characters of such a text in JSON, where some take more than one; those of a message are 16,000."""


class Offer:
    """The control that a member offers.

    Attributes:
        mode: `ask`, or `code`.
        clipboard: whether the clipboard's text belongs to it.
        state: one of the states above.
        reason: why it was refused or ended last; empty before.
        awaits_clipboard: whether this person has asked for the text in the clipboard, which has not come yet.

    """

    def __init__(self, mode: str, clipboard: bool) -> None:
        self.mode = mode
        self.clipboard = clipboard
        self.state = OFFERED
        self.reason = ""
        self.awaits_clipboard = False

    @property
    def is_active(self) -> bool:
        """Whether this person has control, suspended or not."""
        return self.state in (CONTROLLING, PAUSED)


class ControlViewer:
    """Asks for control of other members' computers, one at a time."""

    def __init__(
        self,
        messaging: PeerMessaging,
        embedded: bool,
        changed: Callable[[], None],
        clipboard_read: Callable[[str], None],
    ) -> None:
        """Subscribe to the messages.

        Arguments:
            messaging: the messages between the pages.
            embedded: whether this page is shown in a frame of another page.
            changed: called when an offer has changed.
            clipboard_read: called with the text in the clipboard of the controlled computer.

        """
        self._messaging = messaging
        self._embedded = embedded
        self._changed = changed
        self._clipboard_read = clipboard_read
        self._offers: dict[str, Offer] = {}
        messaging.on_message("control-offer", self.offered)
        messaging.on_message("control-granted", self._granted)
        messaging.on_message("control-refused", self._refused)
        messaging.on_message("control-ended", self._ended)
        messaging.on_message("control-paused", self._paused)
        messaging.on_message("control-clipboard", self._clipboard)
        messaging.on_closed(self._closed)

    def offer(self, user: str) -> Offer | None:
        """Return what a member offers; None for nothing."""
        return self._offers.get(user)

    @property
    def controlled(self) -> str:
        """The user whose computer this person controls; empty for nobody."""
        for user, offer in self._offers.items():
            if offer.is_active:
                return user
        return ""

    def ask(self, user: str, code: str = "") -> None:
        """Ask for control of a member's computer, in place of another one's."""
        offer = self._offers.get(user)
        if offer is None or offer.state != OFFERED:
            return
        if self._embedded:
            # The page around this one could draw over it, and so choose what a click does on the other computer.
            offer.reason = EMBEDDED
            self._changed()
            return
        for other in list(self._offers):
            self.give_up(other)
        request: dict[str, Any] = {"type": "control-request", "version": VERSION, "embedded": False}
        if code:
            request["code"] = code
        offer.state = ASKING
        offer.reason = ""
        self._messaging.send(user, request)
        self._changed()

    def give_up(self, user: str) -> None:
        """Give the control of a member's computer up, or take the request back."""
        offer = self._offers.get(user)
        if offer is not None and offer.state != OFFERED:
            offer.state = OFFERED
            offer.reason = ""
            self._messaging.send(user, {"type": "control-give-up"})
            self._changed()

    def send(self, user: str, messages: list[dict[str, Any]]) -> None:
        """Send events, if this person controls the computer and nobody else uses it."""
        offer = self._offers.get(user)
        if offer is not None and offer.state == CONTROLLING:
            for message in messages:
                self._messaging.send(user, message)

    def read_clipboard(self, user: str) -> None:
        """Ask for the text in the clipboard of a computer that this person controls."""
        offer = self._offers.get(user)
        if offer is not None and offer.clipboard and offer.state == CONTROLLING:
            offer.awaits_clipboard = True
            self._messaging.send(user, {"type": "control-clipboard-read"})

    def write_clipboard(self, user: str, text: str) -> None:
        """Put a text, cut if it is too long, into the clipboard of a computer that this person controls."""
        offer = self._offers.get(user)
        if offer is not None and offer.clipboard:
            self.send(user, [{"type": "control-clipboard", "text": fitting_text(text)}])

    def offered(self, user: str, message: dict[str, Any]) -> None:
        """Store what a member offers; an offer of another version is none."""
        if message.get("version") == VERSION and message.get("mode") in ("ask", CODE):
            self._offers[user] = Offer(message["mode"], message.get("clipboard") is True)
            self._changed()

    def _granted(self, user: str, message: dict[str, Any]) -> None:
        offer = self._offers.get(user)
        if offer is not None and offer.state == ASKING:
            offer.state = CONTROLLING
            offer.clipboard = message.get("clipboard") is True
            offer.awaits_clipboard = False
            self._changed()
        elif offer is None or not offer.is_active:
            # The person has taken the request back meanwhile.
            self._messaging.send(user, {"type": "control-give-up"})

    def _refused(self, user: str, message: dict[str, Any]) -> None:
        offer = self._offers.get(user)
        # A request that was taken back is answered as well, possibly after the next request.
        if offer is not None and offer.state == ASKING and message.get("reason") != GIVEN_UP:
            self._over(offer, message)

    def _ended(self, user: str, message: dict[str, Any]) -> None:
        offer = self._offers.get(user)
        if offer is not None and offer.is_active:
            self._over(offer, message)

    def _over(self, offer: Offer, message: dict[str, Any]) -> None:
        reason = message.get("reason")
        offer.state = OFFERED
        offer.reason = reason if isinstance(reason, str) else ""
        self._changed()

    def _paused(self, user: str, message: dict[str, Any]) -> None:
        offer = self._offers.get(user)
        if offer is not None and offer.is_active:
            offer.state = PAUSED if message.get("paused") is True else CONTROLLING
            self._changed()

    def _clipboard(self, user: str, message: dict[str, Any]) -> None:
        offer, text = self._offers.get(user), message.get("text")
        # The clipboard of this person is theirs: nothing gets there that they have not just asked for.
        if offer is not None and offer.is_active and offer.awaits_clipboard and isinstance(text, str):
            offer.awaits_clipboard = False
            self._clipboard_read(text)

    def _closed(self, user: str) -> None:
        if self._offers.pop(user, None) is not None:
            self._changed()


def fitting_text(text: str) -> str:
    """Return the beginning of a text for the clipboard that fits into a message."""
    units = 0
    for index, letter in enumerate(text[:MAX_CLIPBOARD]):
        units += _units(letter)
        if units > MAX_UNITS:
            return text[:index]
    return text[:MAX_CLIPBOARD]


def _units(letter: str) -> int:
    """Return how many UTF-16 code units a character takes in JSON (RFC 8259 §7)."""
    if letter in '"\\\n\r\t\b\f':
        return 2
    number = ord(letter)
    # Control characters and single surrogates are written as \\u and four digits.
    if number < 0x20 or 0xD800 <= number < 0xE000:
        return 6
    return 1 if number < 0x10000 else 2
