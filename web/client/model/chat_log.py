"""The messages that the people in a call write to each other: the log of one call. Pure, and told the time.

A message goes to those who are in the call when it is written, each over the channel between the two browsers, and is
sent again until they acknowledge it. What is written while nobody is there waits for the first who comes.
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

MOST_SIZE = 200_000
"""Characters kept of a call. Beyond, whoever wrote most loses their oldest, so that nobody pushes out what others
wrote. It is also what a browser lays out in a moment."""

BESIDE = 200
"""Characters that each message counts beside its own, for its row in the page: there are at most 1,000 of them."""

MOST_CHARACTERS = 4000
"""Of a message."""

LONGEST_ID = 64
"""Characters of a message's id."""

MOMENTS = 60.0
"""Seconds behind the first who comes in which whoever comes, too, gets what was written for nobody; also those in
which somebody who left without a message may come back for it."""

DEAF_AFTER = 5.0
"""Seconds of connection without a word from the other page after which it is taken to have no chat."""

AT_ONCE = 20
"""Messages that are sent to somebody in one go: fewer than `peer_messaging.BURST`, which is what they take."""

# How far a message has come to somebody.
WAITING = 0
SENT = 1
DELIVERED = 2
MISSED = 3

UNWANTED = (
    "".join([chr(code) for code in range(32) if code not in (9, 10)])
    + "".join([chr(code) for code in range(127, 160)])
    + "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""Control characters, and those that turn the direction of writing (UAX 9 §2), which can make an address look like
another. Each message has the direction of its first letter anyway."""


def clean(text: str) -> str:
    """Return a text as it is shown: without what is not seen, line breaks in one form, nothing at its ends."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for character in UNWANTED:
        text = text.replace(character, "")
    return text.strip()


class ChatMessage:
    """One message.

    Attributes:
        ident: what it is known by, together with who wrote it.
        user: who wrote it; empty for the person here.
        name: what they called themselves then.
        text: what they wrote.
        time: the time of day at which it was written or came, as people read it.
        to: for each user whom it is for, how far it has come.
        alone: whether it was written while nobody was there.
        until: the time (seconds) until which it is for whoever comes, too; None for the first who comes, whenever.
        dropped: whether it is in the log no more.
        news: whether it is among the log's news already.

    """

    def __init__(self, ident: str, user: str, name: str, text: str, time: str) -> None:
        self.ident = ident
        self.user = user
        self.name = name
        self.text = text
        self.time = time
        self.to: dict[str, int] = {}
        self.alone = False
        self.until: float | None = 0.0
        self.dropped = False
        self.news = False

    def mark(self, now: float) -> tuple[str, str]:
        """Return how far an own message has come: one of the keys of `texts.CHAT_MARKS`, and in words."""
        states = list(self.to.values())
        count = states.count(DELIVERED)
        if count:
            mark = "delivered" if count == len(states) else "part"
        elif WAITING in states or (not states and (self.until is None or now < self.until)):
            mark = "waiting"
        else:
            mark = "sent" if SENT in states else "missed"
        return mark, texts.CHAT_MARKS[mark].format(count, len(states))


class ChatLog:
    """The messages of one call after the other.

    Attributes:
        messages: those of this call, in the order in which they were written or came.
        unread: how many came while nobody looked.
        watched: whether the person sees what comes; the edge sets it.
        deaf: the users who are in the call with a program that has no chat.

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
        """Begin without messages.

        Args:
            state: who is in the call.
            messaging: carries the messages.
            clock: returns a time in seconds that never goes back.
            time_of_day: returns it as people read it.
            new_id: returns a text that nobody else has.
            changed: called when there is something new to show.

        """
        self._state = state
        self._messaging = messaging
        self._clock = clock
        self._time_of_day = time_of_day
        self._new_id = new_id
        self._changed = changed
        self.watched = False
        self.begin()
        messaging.hear("chat", self._came)
        messaging.hear("chat-received", self._acknowledged)
        messaging.begun(self._reached)
        messaging.over(self._lost)

    def begin(self) -> None:
        """Begin a new log, for another call."""
        self.messages: list[ChatMessage] = []
        self.unread = 0
        self.deaf: list[str] = []
        self._by_id: dict[tuple[str, str], ChatMessage] = {}
        self._sizes: dict[str, int] = {}
        self._present: list[str] = []
        self._silent: dict[str, float] = {}
        self._due: dict[str, list[ChatMessage]] = {}
        self._open: list[ChatMessage] = []
        self._news: list[ChatMessage] = []

    # What the person does

    def problem(self, text: str) -> str:
        """Return what is wrong with a text, in a sentence; empty when it can be sent."""
        length = len(clean(text))
        return texts.CHAT_TOO_LONG.format(length, MOST_CHARACTERS) if length > MOST_CHARACTERS else ""

    def say(self, text: str) -> bool:
        """Send a message to everybody; False when there is nothing in it, or too much."""
        text = clean(text)
        if not text or len(text) > MOST_CHARACTERS or not self._state.in_session:
            return False
        self.follow()
        message = ChatMessage(self._new_id(), "", "", text, self._time_of_day())
        self._keep(message)
        for user in self._present:
            if user not in self.deaf:
                self._address(message, user)
        if not message.to:
            message.alone = True
            message.until = None
            self._open.append(message)
        self._flush_all()
        self._changed()
        return True

    def read(self) -> None:
        """The person has seen everything."""
        self.unread = 0

    # What follows from who is there

    def follow(self) -> None:
        """Look who is in the call: call it whenever that may have changed, and about once a second."""
        if not self._state.in_session:
            return
        now = self._clock()
        for message in self._open[:]:
            if message.until is not None and now >= message.until:
                self._open.remove(message)
                self._tell(message)
        present = [other.user for other in self._state.participants.others]
        for user in self._present:
            if user not in present:
                self._missed(user, now)
        for user in present:
            if user not in self._present:
                self._arrived(user, now)
        self._present = present
        self._find_deaf(now)
        self._flush_all()

    def news(self) -> list[ChatMessage]:
        """Return the messages that are new, changed or dropped since the last call."""
        news, self._news = self._news, []
        for message in news:
            message.news = False
        return news

    def view(self) -> View:
        """Return what the page shows beside the messages themselves."""
        names = [other.name or texts.SOMEBODY for other in self._state.participants.others if other.user in self.deaf]
        note = " ".join([texts.CHAT_DEAF.format(name) for name in names])
        if not self._state.participants.others:
            note = texts.CHAT_ALONE
        return {
            ("chat-badge", "text"): str(self.unread) if self.unread < 100 else "99+",
            ("chat-badge", "hidden"): not self.unread,
            ("chat-button", "title"): texts.CHAT_UNREAD.format(self.unread) if self.unread else "",
            ("chat-note", "text"): note,
            ("chat-note", "hidden"): not note,
        }

    def _find_deaf(self, now: float) -> None:
        for other in self._state.participants.others:
            user = other.user
            if self._messaging.speaks(user) or other.connection != "connected":
                self._silent.pop(user, None)
            elif now - self._silent.setdefault(user, now) >= DEAF_AFTER and user not in self.deaf:
                self.deaf.append(user)
                self._missed(user, now)
        self.deaf = [user for user in self.deaf if user in self._present]

    def _address(self, message: ChatMessage, user: str) -> None:
        message.to[user] = WAITING
        self._due.setdefault(user, []).append(message)
        self._tell(message)

    def _arrived(self, user: str, now: float) -> None:
        """Somebody came, or came back: they get what is meant for whoever comes, and what they missed."""
        for message in self.messages:
            if message.to.get(user) == MISSED:
                self._address(message, user)
        for message in self._open:
            if message.until is None:
                message.until = now + MOMENTS
            self._address(message, user)

    def _missed(self, user: str, now: float) -> None:
        """Somebody gets nothing any more. What nobody got waits a while: they may be back as another user."""
        self._due.pop(user, None)
        self._silent.pop(user, None)
        for message in self.messages:
            if message.to.get(user) not in (WAITING, SENT):
                continue
            message.to[user] = MISSED
            if all(state == MISSED for state in message.to.values()):
                message.to = {}
                message.until = None if message.alone else now + MOMENTS
                if message not in self._open:
                    self._open.append(message)
            self._tell(message)

    # What the other pages say

    def _reached(self, user: str) -> None:
        """The page of this user understands messages, from now on or again."""
        if user in self.deaf:
            self.deaf.remove(user)
            self._arrived(user, self._clock())
        self._flush(user)
        self._changed()

    def _lost(self, user: str) -> None:
        """The channel is closed: what was not acknowledged has to be sent again."""
        if user not in self._due:
            return
        self._due[user] = []
        for message in self.messages:
            if message.to.get(user) in (WAITING, SENT):
                self._address(message, user)

    def _came(self, user: str, message: dict[str, Any]) -> None:
        ident, text = message.get("id"), message.get("text")
        if not isinstance(ident, str) or not 0 < len(ident) <= LONGEST_ID or not isinstance(text, str):
            return
        other = self._state.participants.find(user)
        if other is None:
            return
        if (user, ident) not in self._by_id:
            shown = clean(text[:MOST_CHARACTERS]) + ("…" if len(text) > MOST_CHARACTERS else "")
            if shown:
                self._keep(ChatMessage(ident, user, other.name or texts.SOMEBODY, shown, self._time_of_day()))
                if not self.watched:
                    self.unread += 1
                self._changed()
        self._messaging.tell(user, {"type": "chat-received", "id": ident})

    def _acknowledged(self, user: str, message: dict[str, Any]) -> None:
        ident = message.get("id")
        own = self._by_id.get(("", ident)) if isinstance(ident, str) else None
        if own is not None and own.to.get(user) == SENT:
            own.to[user] = DELIVERED
            self._tell(own)
            self._changed()

    # What the log does

    def _keep(self, message: ChatMessage) -> None:
        user = message.user
        self.messages.append(message)
        self._by_id[user, message.ident] = message
        self._sizes[user] = self._sizes.get(user, 0) + len(message.text) + BESIDE
        self._tell(message)
        while sum(self._sizes.values()) > MOST_SIZE:
            self._drop_one()

    def _drop_one(self) -> None:
        most = max(self._sizes.values())
        for message in self.messages:
            if self._sizes[message.user] == most:
                self.messages.remove(message)
                del self._by_id[message.user, message.ident]
                self._sizes[message.user] -= len(message.text) + BESIDE
                message.dropped = True
                self._tell(message)
                return

    def _tell(self, message: ChatMessage) -> None:
        if not message.news:
            message.news = True
            self._news.append(message)

    def _flush_all(self) -> None:
        for user in self._messaging.speakers:
            self._flush(user)

    def _flush(self, user: str) -> None:
        """Send what is due to somebody, as far as their channel takes it."""
        due = self._due.get(user, [])
        for message in due[:AT_ONCE]:
            told = {"type": "chat", "id": message.ident, "text": message.text}
            if not self._messaging.tell(user, told):
                return
            due.remove(message)
            message.to[user] = SENT
            self._tell(message)
