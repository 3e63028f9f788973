"""The chat log of one call: sends, resends and acknowledges messages. The caller passes the time.

A message is addressed to the participants who are in the call when it is written. It goes over the data channel to each
page, and is sent again until that page acknowledges it. A message written while nobody is there waits for the first to
join.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import texts

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .page_state import PageState
    from .peer_messaging import PeerMessaging
    from .view_model import View

__all__ = ["ChatLog", "ChatMessage", "clean"]

MAX_SIZE = 200_000
"""The largest size of a call's log in characters. Beyond it, the author with the largest share loses their oldest
message, so that nobody can push out the messages of others. A browser lays out this much in a moment."""

OVERHEAD = 200
"""Characters that each message is charged for its row on the page, which limits the log to 1,000 messages."""

MAX_CHARACTERS = 4000
"""The largest number of characters of a message."""

MAX_ID = 64
"""The largest number of characters of a message's id."""

LATE_JOIN = 60.0
"""Seconds after the first participant joined in which later ones also get the messages that were written for nobody.
For as long, a participant who left before they got a message may come back for it."""

NO_CHAT_AFTER = 5.0
"""Seconds of connection without a message from the other page after which its program counts as one without chat."""

BATCH = 20
"""Messages that are sent to a participant at once. It is below `peer_messaging.BURST`, the rate limit of the receiver.
"""

# These are the delivery states of a message to one user.
WAITING = 0
SENT = 1
DELIVERED = 2
MISSED = 3

STRIPPED = (
    "".join([chr(code) for code in range(32) if code not in (9, 10)])
    + "".join([chr(code) for code in range(127, 160)])
    + "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""Control characters, and those that change the direction of writing (UAX 9 §2), which can disguise an address. The
direction of a message follows from its first letter anyway."""


def clean(text: str) -> str:
    """Return a text without invisible characters, with uniform line breaks, and without white space at its ends."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for character in STRIPPED:
        text = text.replace(character, "")
    return text.strip()


class ChatMessage:
    """One chat message.

    Attributes:
        ident: the message id, which is unique together with the author.
        user: the author; empty for the local person.
        name: the author's name at that time.
        text: the text.
        time: the time of day at which it was written or received, as people read it.
        recipients: the delivery state by user.
        alone: whether it was written while nobody was there.
        open_until: the time (seconds) until which participants who join get it as well; None until the first one joins.
        evicted: whether it was removed from the log.
        changed: whether it is in the log's list of changes.

    """

    def __init__(self, ident: str, user: str, name: str, text: str, time: str) -> None:
        self.ident = ident
        self.user = user
        self.name = name
        self.text = text
        self.time = time
        self.recipients: dict[str, int] = {}
        self.alone = False
        self.open_until: float | None = 0.0
        self.evicted = False
        self.changed = False

    def delivery(self, now: float) -> tuple[str, str]:
        """Return how far a sent message was delivered: a key of `texts.CHAT_MARKS`, and a sentence."""
        states = list(self.recipients.values())
        count = states.count(DELIVERED)
        if count:
            mark = "delivered" if count == len(states) else "part"
        elif WAITING in states or (not states and (self.open_until is None or now < self.open_until)):
            mark = "waiting"
        else:
            mark = "sent" if SENT in states else "missed"
        return mark, texts.CHAT_MARKS[mark].format(count, len(states))


class ChatLog:
    """The chat log of the present call, and the queues of unsent messages.

    Attributes:
        messages: the messages of this call, in the order in which they were written or received.
        unread: the number of messages that were received while the log was not visible.
        visible: whether the person sees new messages; the caller sets it.
        without_chat: the users whose programs have no chat.

    """

    def __init__(
        self,
        state: PageState,
        messaging: PeerMessaging,
        clock: Callable[[], float],
        time_of_day: Callable[[], str],
        new_id: Callable[[], str],
        changed: Callable[[], None],
    ) -> None:
        """Start with an empty log.

        Arguments:
            state: the page's state, which says who is in the call.
            messaging: the messages between the pages.
            clock: returns a time in seconds that never goes back.
            time_of_day: returns the time of day as people read it.
            new_id: returns a unique text.
            changed: called when there is something new to show.

        """
        self._state = state
        self._messaging = messaging
        self._clock = clock
        self._time_of_day = time_of_day
        self._new_id = new_id
        self._changed = changed
        self.visible = False
        self.reset()
        messaging.on_message("chat", self._receive)
        messaging.on_message("chat-received", self._acknowledged)
        messaging.on_ready(self._ready)
        messaging.on_closed(self._closed)

    def reset(self) -> None:
        """Clear the log, for another call."""
        self.messages: list[ChatMessage] = []
        self.unread = 0
        self.chatless: list[str] = []
        self._by_id: dict[tuple[str, str], ChatMessage] = {}
        self._sizes: dict[str, int] = {}
        self._present: list[str] = []
        self._silent: dict[str, float] = {}
        self._queues: dict[str, list[ChatMessage]] = {}
        self._open: list[ChatMessage] = []
        self._changes: list[ChatMessage] = []

    # Actions of the person

    def problem(self, text: str) -> str:
        """Return a sentence that says what is wrong with a text; empty when it can be sent."""
        length = len(clean(text))
        return texts.CHAT_TOO_LONG.format(length, MAX_CHARACTERS) if length > MAX_CHARACTERS else ""

    def send(self, text: str) -> bool:
        """Send a message to everybody; return False when it is empty or too long."""
        text = clean(text)
        if not text or len(text) > MAX_CHARACTERS or not self._state.in_session:
            return False
        self.update()
        message = ChatMessage(self._new_id(), "", "", text, self._time_of_day())
        self._append(message)
        for user in self._present:
            if user not in self.chatless:
                self._enqueue(message, user)
        if not message.recipients:
            message.alone = True
            message.open_until = None
            self._open.append(message)
        self._flush_all()
        self._changed()
        return True

    def mark_read(self) -> None:
        """Reset the number of unread messages."""
        self.unread = 0

    # Changes of the participants

    def update(self) -> None:
        """Handle changes of the participants; call it whenever there may be some, and about once a second."""
        if not self._state.in_session:
            return
        now = self._clock()
        for message in self._open[:]:
            if message.open_until is not None and now >= message.open_until:
                self._open.remove(message)
                self._note(message)
        present = [member.user for member in self._state.participants.members]
        for user in self._present:
            if user not in present:
                self._left(user, now)
        for user in present:
            if user not in self._present:
                self._joined(user, now)
        self._present = present
        self._find_chatless(now)
        self._flush_all()

    def changes(self) -> list[ChatMessage]:
        """Return the messages that were added, changed or evicted since the last call."""
        changes, self._changes = self._changes, []
        for message in changes:
            message.changed = False
        return changes

    def view(self) -> View:
        """Return what the page shows beside the messages themselves."""
        names = [
            member.name or texts.SOMEBODY for member in self._state.participants.members if member.user in self.chatless
        ]
        note = " ".join([texts.CHAT_DEAF.format(name) for name in names])
        if not self._state.participants.members:
            note = texts.CHAT_ALONE
        return {
            ("chat-badge", "text"): str(self.unread) if self.unread < 100 else "99+",
            ("chat-badge", "hidden"): not self.unread,
            ("chat-button", "title"): texts.CHAT_UNREAD.format(self.unread) if self.unread else "",
            ("chat-note", "text"): note,
            ("chat-note", "hidden"): not note,
        }

    def _find_chatless(self, now: float) -> None:
        for member in self._state.participants.members:
            user = member.user
            if self._messaging.is_ready(user) or member.connection != "connected":
                self._silent.pop(user, None)
            elif now - self._silent.setdefault(user, now) >= NO_CHAT_AFTER and user not in self.chatless:
                self.chatless.append(user)
                self._left(user, now)
        self.chatless = [user for user in self.chatless if user in self._present]

    def _enqueue(self, message: ChatMessage, user: str) -> None:
        message.recipients[user] = WAITING
        self._queues.setdefault(user, []).append(message)
        self._note(message)

    def _joined(self, user: str, now: float) -> None:
        """Queue the open messages, and those that they missed, for a participant who joined or came back."""
        for message in self.messages:
            if message.recipients.get(user) == MISSED:
                self._enqueue(message, user)
        for message in self._open:
            if message.open_until is None:
                message.open_until = now + LATE_JOIN
            self._enqueue(message, user)

    def _left(self, user: str, now: float) -> None:
        """Stop sending to a participant.

        An undelivered message stays open for a while, because they may come back as another user.
        """
        self._queues.pop(user, None)
        self._silent.pop(user, None)
        for message in self.messages:
            if message.recipients.get(user) not in (WAITING, SENT):
                continue
            message.recipients[user] = MISSED
            if all(state == MISSED for state in message.recipients.values()):
                message.recipients = {}
                message.open_until = None if message.alone else now + LATE_JOIN
                if message not in self._open:
                    self._open.append(message)
            self._note(message)

    # Events of the other pages

    def _ready(self, user: str) -> None:
        """Send what is queued to a page that understands messages, possibly after a reconnect."""
        if user in self.chatless:
            self.chatless.remove(user)
            self._joined(user, self._clock())
        self._flush(user)
        self._changed()

    def _closed(self, user: str) -> None:
        """Queue the messages again that were not acknowledged before the channel closed."""
        if user not in self._queues:
            return
        self._queues[user] = []
        for message in self.messages:
            if message.recipients.get(user) in (WAITING, SENT):
                self._enqueue(message, user)

    def _receive(self, user: str, message: dict[str, Any]) -> None:
        ident, text = message.get("id"), message.get("text")
        if not isinstance(ident, str) or not 0 < len(ident) <= MAX_ID or not isinstance(text, str):
            return
        member = self._state.participants.find(user)
        if member is None:
            return
        if (user, ident) not in self._by_id:
            shown = clean(text[:MAX_CHARACTERS]) + ("…" if len(text) > MAX_CHARACTERS else "")
            if shown:
                self._append(ChatMessage(ident, user, member.name or texts.SOMEBODY, shown, self._time_of_day()))
                if not self.visible:
                    self.unread += 1
                self._changed()
        self._messaging.send(user, {"type": "chat-received", "id": ident})

    def _acknowledged(self, user: str, message: dict[str, Any]) -> None:
        ident = message.get("id")
        sent = self._by_id.get(("", ident)) if isinstance(ident, str) else None
        if sent is not None and sent.recipients.get(user) == SENT:
            sent.recipients[user] = DELIVERED
            self._note(sent)
            self._changed()

    # The log and the queues

    def _append(self, message: ChatMessage) -> None:
        user = message.user
        self.messages.append(message)
        self._by_id[user, message.ident] = message
        self._sizes[user] = self._sizes.get(user, 0) + len(message.text) + OVERHEAD
        self._note(message)
        while sum(self._sizes.values()) > MAX_SIZE:
            self._evict()

    def _evict(self) -> None:
        largest = max(self._sizes.values())
        for message in self.messages:
            if self._sizes[message.user] == largest:
                self.messages.remove(message)
                del self._by_id[message.user, message.ident]
                self._sizes[message.user] -= len(message.text) + OVERHEAD
                message.evicted = True
                self._note(message)
                return

    def _note(self, message: ChatMessage) -> None:
        if not message.changed:
            message.changed = True
            self._changes.append(message)

    def _flush_all(self) -> None:
        for user in self._messaging.users:
            self._flush(user)

    def _flush(self, user: str) -> None:
        """Send queued messages to a participant until their channel accepts no more."""
        queue = self._queues.get(user, [])
        for message in queue[:BATCH]:
            frame = {"type": "chat", "id": message.ident, "text": message.text}
            if not self._messaging.send(user, frame):
                return
            queue.remove(message)
            message.recipients[user] = SENT
            self._note(message)
