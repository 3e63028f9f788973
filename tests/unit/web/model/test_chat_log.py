"""Tests of the chat log of a call."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model import page_state as states
from signald_page.client.model import texts
from signald_page.client.model.chat_log import (
    BATCH,
    LATE_JOIN,
    MAX_CHARACTERS,
    MAX_ID,
    MAX_SIZE,
    NO_CHAT_AFTER,
    OVERHEAD,
    ChatLog,
    ChatMessage,
    clean,
)
from signald_page.client.model.peer_messaging import MAX_CHARACTERS as MOST_ON_THE_WIRE
from signald_page.client.model.peer_messaging import PeerMessaging
from signald_page.client.model.remote_peer import RemotePeer


class ChatPage:
    """The chat of one person's page.

    Attributes:
        state: the page's state.
        conversations: the messages between the pages.
        chat: the chat log.
        now: the page's clock, in seconds.
        wire: the sent messages with their users.
        open: the users with an open data channel.
        shown: the number of calls of `changed`.

    """

    def __init__(self, *members: str) -> None:
        """Join a call with these participants."""
        self.now = 0.0
        self.wire: list[tuple[str, dict[str, Any]]] = []
        self.open = set[str]()
        self.shown = 0
        self.ids = 0
        self.state = states.PageState()
        self.state.show_start("")
        self.state.start_call(states.HOST)
        self.state.session_joined("S", states.HOST, [RemotePeer(user, user.title()) for user in members])
        self.messaging = PeerMessaging(json, self.send)
        self.chat = ChatLog(self.state, self.messaging, lambda: self.now, lambda: "12:34", self.new_id, self.changed)
        self.chat.update()

    def new_id(self) -> str:
        """Return a unique id."""
        self.ids += 1
        return f"own-{self.ids}"

    def changed(self) -> None:
        """Count a call of the chat log's callback for updates."""
        self.shown += 1

    def send(self, user: str, text: str) -> bool:
        """Record a sent message if the user's data channel is open."""
        if user in self.open:
            self.wire.append((user, json.loads(text)))
        return user in self.open

    def join(self, user: str) -> RemotePeer:
        """Let a participant join the call."""
        member = RemotePeer(user, user.title())
        self.state.member_joined(member)
        self.chat.update()
        return member

    def leave(self, user: str) -> None:
        """Let a participant leave the call."""
        self.close(user)
        self.state.member_left(user, "left")
        self.chat.update()

    def open_channels(self, *users: str) -> None:
        """Open the channels to these users, and receive their hello."""
        for user in users:
            self.open.add(user)
            self.messaging.channel_opened(user, self.now)
            self.receive(user, type="hello", version=1)

    def close(self, user: str) -> None:
        """Close the channel to a user."""
        self.open.discard(user)
        self.messaging.channel_closed(user)

    def receive(self, user: str, **message: Any) -> None:
        """Receive a message."""
        self.messaging.receive(user, json.dumps(message), self.now)

    def write(self, text: str) -> ChatMessage:
        """Send a chat message, and return it."""
        assert self.chat.send(text)
        return self.chat.messages[-1]

    def acknowledge(self, user: str, message: ChatMessage) -> None:
        """Receive a user's acknowledgement of a local message."""
        self.receive(user, type="chat-received", id=message.ident)

    def sent(self, *kinds: str) -> list[tuple[str, Any]]:
        """Return the messages of these types that were sent since the last call: user, and text or id."""
        wire, self.wire = self.wire, []
        return [(user, told.get("text", told["id"])) for user, told in wire if told["type"] in (kinds or ("chat",))]

    def pass_time(self, seconds: float) -> None:
        """Advance the page's clock and update the chat."""
        self.now += seconds
        self.chat.update()

    def delivery(self, message: ChatMessage) -> str:
        """Return the delivery state of a message in words."""
        return message.delivery(self.now)[1]

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Return the authors and texts of the log."""
        return [(message.name, message.text) for message in self.chat.messages]


class SendingTests(SynchronousTestCase):
    """The local person writes messages."""

    def test_sent_to_everybody(self) -> None:
        """A message goes to all participants, each acknowledges it, and the delivery state counts them."""
        side = ChatPage("ann", "bob")
        side.open_channels("ann", "bob")
        message = side.write("hello")
        self.assertEqual(side.sent(), [("ann", "hello"), ("bob", "hello")])
        self.assertEqual(side.delivery(message), "Sent")
        side.acknowledge("ann", message)
        self.assertEqual((side.delivery(message), message.delivery(0)[0]), ("Delivered to 1 of 2", "part"))
        side.acknowledge("bob", message)
        self.assertEqual((side.delivery(message), message.delivery(0)[0]), ("Delivered", "delivered"))
        self.assertEqual((message.text, message.time, message.name, message.user), ("hello", "12:34", "", ""))

    def test_wire(self) -> None:
        """A message has its type, its id and its text, and nothing else."""
        side = ChatPage("ann")
        side.open_channels("ann")
        side.wire.clear()
        side.write("hello")
        self.assertEqual(side.wire, [("ann", {"type": "chat", "id": "own-1", "text": "hello"})])

    def test_queued_until_the_channel_opens(self) -> None:
        """Messages that are written before a channel opens are sent when it opens, in order."""
        side = ChatPage("ann", "bob")
        side.open_channels("ann")
        first, second = side.write("one"), side.write("two")
        self.assertEqual(side.sent(), [("ann", "one"), ("ann", "two")])
        self.assertEqual(side.delivery(first), "Waiting to be sent")
        side.open_channels("bob")
        self.assertEqual(side.sent(), [("bob", "one"), ("bob", "two")])
        self.assertEqual(side.delivery(second), "Sent")

    def test_queued_until_hello(self) -> None:
        """Messages are sent only after the other page has sent its hello."""
        side = ChatPage("ann")
        side.open.add("ann")
        side.messaging.channel_opened("ann", 0.0)
        side.write("hello")
        self.assertEqual(side.sent(), [])
        side.receive("ann", type="hello", version=1)
        self.assertEqual(side.sent(), [("ann", "hello")])

    def test_written_alone(self) -> None:
        """A message that is written alone goes to the first participant, and to those who join within a minute."""
        side = ChatPage()
        message = side.write("welcome")
        side.pass_time(3600)
        self.assertEqual(side.delivery(message), "Waiting to be sent")
        side.join("ann")
        side.open_channels("ann")
        self.assertEqual(side.sent(), [("ann", "welcome")])
        side.pass_time(LATE_JOIN - 1)
        side.join("bob")
        side.open_channels("bob")
        self.assertEqual(side.sent(), [("bob", "welcome")])
        side.pass_time(2)
        side.join("eve")
        side.open_channels("eve")
        self.assertEqual(side.sent(), [])
        side.acknowledge("ann", message)
        self.assertEqual(side.delivery(message), "Delivered to 1 of 2")

    def test_late_participants(self) -> None:
        """Participants who join later do not get earlier messages, even if the page was suspended in between."""
        side = ChatPage("ann")
        side.open_channels("ann")
        side.write("for ann")
        side.sent()
        side.join("bob")
        side.open_channels("bob")
        self.assertEqual(side.sent(), [])
        alone = ChatPage()
        alone.write("hi")
        alone.join("ann")
        alone.now += 7200
        alone.join("bob")
        alone.open_channels("ann", "bob")
        self.assertEqual(alone.sent(), [("ann", "hi")])

    def test_recipient_left(self) -> None:
        """A participant who left before a message arrived missed it; the others are not affected."""
        side = ChatPage("ann", "bob")
        side.open_channels("ann")
        message = side.write("hello")
        side.acknowledge("ann", message)
        side.leave("bob")
        self.assertEqual(side.delivery(message), "Delivered to 1 of 2")
        side.leave("ann")
        self.assertEqual(side.delivery(message), "Delivered to 1 of 2")

    def test_all_recipients_left(self) -> None:
        """A message that no participant received goes to those who join within a minute.

        This is mostly the same person as another user.
        """
        side = ChatPage("ann")
        message = side.write("hello")
        side.leave("ann")
        self.assertEqual(side.delivery(message), "Waiting to be sent")
        side.join("ann-again")
        side.open_channels("ann-again")
        self.assertEqual(side.sent(), [("ann-again", "hello")])
        side.acknowledge("ann-again", message)
        self.assertEqual(side.delivery(message), "Delivered")

    def test_nobody_returned(self) -> None:
        """A message that no participant received within a minute counts as not delivered, and the page is updated."""
        side = ChatPage("ann")
        message = side.write("hello")
        side.leave("ann")
        side.chat.changes()
        side.pass_time(LATE_JOIN)
        self.assertEqual(side.chat.changes(), [message])
        self.assertEqual((side.delivery(message), message.delivery(side.now)[0]), ("Not delivered", "missed"))
        side.join("bob")
        side.open_channels("bob")
        self.assertEqual(side.sent(), [])

    def test_first_participant_left(self) -> None:
        """A message that was written alone remains pending if the first participant leaves without receiving it."""
        side = ChatPage()
        message = side.write("welcome")
        side.join("ann")
        side.leave("ann")
        side.pass_time(3600)
        self.assertEqual(side.delivery(message), "Waiting to be sent")
        side.join("bob")
        side.open_channels("bob")
        self.assertEqual(side.sent(), [("bob", "welcome")])

    def test_returned_user(self) -> None:
        """A user who was given up and returns gets the messages that they missed."""
        side = ChatPage("ann", "bob")
        side.open_channels("bob")
        message = side.write("hello")
        side.acknowledge("bob", message)
        side.leave("ann")
        side.join("ann")
        side.sent()
        side.open_channels("ann")
        self.assertEqual(side.sent(), [("ann", "hello")])

    def test_outside_of_a_call(self) -> None:
        """Outside of a call no message can be sent."""
        side = ChatPage()
        side.state.hung_up()
        self.assertFalse(side.chat.send("hello"))
        self.assertEqual(side.chat.messages, [])

    def test_empty_and_too_long(self) -> None:
        """Empty and too long messages are refused, and the reason is shown before the person sends the message."""
        side = ChatPage("ann")
        for text in ("", "  \n ", "\x00", "x" * (MAX_CHARACTERS + 1)):
            self.assertFalse(side.chat.send(text))
        self.assertEqual(side.chat.messages, [])
        self.assertEqual(side.chat.problem("x" * MAX_CHARACTERS + "  "), "")
        self.assertIn("4001", side.chat.problem("x" * (MAX_CHARACTERS + 1)))
        self.assertTrue(side.chat.send("x" * MAX_CHARACTERS))

    def test_longest_message_fits_the_channel(self) -> None:
        """The longest message fits into the channel's size limit, whatever its characters."""
        side = ChatPage("ann")
        side.open_channels("ann")
        for text in ("\\" * MAX_CHARACTERS, '"' * MAX_CHARACTERS, "a" + "\n" * (MAX_CHARACTERS - 2) + "a"):
            side.write(text)
        for _, message in side.wire:
            self.assertLess(len(json.dumps(message, ensure_ascii=False)), MOST_ON_THE_WIRE)

    def test_batches(self) -> None:
        """Queued messages are sent in batches within the receiver's rate limit."""
        side = ChatPage("ann")
        for number in range(BATCH + 5):
            side.write(str(number))
        side.open_channels("ann")
        self.assertEqual(len(side.sent()), BATCH)
        side.pass_time(1)
        self.assertEqual([text for _, text in side.sent()], [str(BATCH + number) for number in range(5)])

    def test_slow_channel(self) -> None:
        """Messages that a channel does not accept now are sent later."""
        side = ChatPage("ann")
        side.open_channels("ann")
        side.open.clear()
        message = side.write("hello")
        self.assertEqual(side.delivery(message), "Waiting to be sent")
        side.open.add("ann")
        side.pass_time(1)
        self.assertEqual(side.sent(), [("ann", "hello")])


class ReconnectTests(SynchronousTestCase):
    """Channels close and open again."""

    def test_sent_again(self) -> None:
        """After a reconnect the unacknowledged messages are sent again, in order, and no others."""
        side = ChatPage("ann")
        side.open_channels("ann")
        first, second = side.write("one"), side.write("two")
        side.acknowledge("ann", first)
        side.close("ann")
        self.assertEqual((side.delivery(first), side.delivery(second)), ("Delivered", "Waiting to be sent"))
        side.write("three")
        side.sent()
        side.open_channels("ann")
        self.assertEqual(side.sent(), [("ann", "two"), ("ann", "three")])

    def test_repeated_message(self) -> None:
        """A repeated message is acknowledged, and shown only once."""
        side = ChatPage("ann")
        side.open_channels("ann")
        side.receive("ann", type="chat", id="1", text="hello")
        side.close("ann")
        side.open_channels("ann")
        side.receive("ann", type="chat", id="1", text="hello")
        self.assertEqual(side.texts, [("Ann", "hello")])
        self.assertEqual(side.chat.unread, 1)
        self.assertEqual(side.sent("chat-received"), [("ann", "1"), ("ann", "1")])

    def test_own_rejoin(self) -> None:
        """While the local person rejoins, nobody counts as having left."""
        side = ChatPage("ann", "bob")
        message = side.write("hello")
        side.state.membership_lost()
        side.chat.update()
        self.assertEqual(side.delivery(message), "Waiting to be sent")
        side.state.session_joined("S", states.GUEST, [RemotePeer("ann"), RemotePeer("bob")])
        side.chat.update()
        side.open_channels("ann", "bob")
        self.assertEqual(side.sent(), [("ann", "hello"), ("bob", "hello")])

    def test_cuts_in_both_directions(self) -> None:
        """All messages arrive once and in order, wherever the connection is cut."""
        here, there = ChatPage("there"), ChatPage("here")

        def carry(most: int) -> None:
            """Deliver the first messages of each side, and lose the others."""
            for source, sink, user in ((here, there, "here"), (there, here, "there")):
                wire, source.wire = source.wire, []
                for _, message in wire[:most]:
                    sink.receive(user, **message)

        for cut in range(8):
            here.open_channels("there")
            there.open_channels("here")
            here.write(f"here {cut}")
            there.write(f"there {cut}")
            carry(cut)
            here.close("there")
            there.close("here")
        here.open_channels("there")
        there.open_channels("here")
        carry(1000)
        carry(1000)
        for side, member in ((here, "There"), (there, "Here")):
            own = [f"{member.lower()} {cut}" for cut in range(8)]
            self.assertEqual([text for name, text in side.texts if name == member], own)
            marks = {side.delivery(message) for message in side.chat.messages if not message.user}
            self.assertEqual(marks, {"Delivered"})


class ReceivingTests(SynchronousTestCase):
    """Remote participants write messages."""

    def setUp(self) -> None:
        """Join a call with ann and bob."""
        self.side = ChatPage("ann", "bob")
        self.side.open_channels("ann", "bob")
        self.side.wire.clear()

    def test_received(self) -> None:
        """A message is shown with its author's name and the time, and acknowledged to the author only."""
        self.side.receive("ann", type="chat", id="1", text="hello")
        (message,) = self.side.chat.messages
        self.assertEqual((message.name, message.text, message.time, message.user), ("Ann", "hello", "12:34", "ann"))
        self.assertEqual(self.side.sent("chat-received"), [("ann", "1")])
        self.assertEqual(self.side.chat.changes(), [message])
        self.assertEqual(self.side.chat.changes(), [])

    def test_no_name(self) -> None:
        """An author without a name is shown as somebody."""
        self.side.state.participants.members[0].name = ""
        self.side.receive("ann", type="chat", id="1", text="hello")
        self.assertEqual(self.side.texts, [(texts.SOMEBODY, "hello")])

    def test_reused_ids(self) -> None:
        """A message with the id of another author's message neither hides nor changes the other message."""
        own = self.side.write("mine")
        self.side.receive("ann", type="chat", id="1", text="ann's")
        self.side.receive("bob", type="chat", id="1", text="bob's")
        self.side.receive("bob", type="chat", id=own.ident, text="not yours")
        self.assertEqual(self.side.texts, [("", "mine"), ("Ann", "ann's"), ("Bob", "bob's"), ("Bob", "not yours")])
        self.assertEqual(own.text, "mine")

    def test_acknowledged_by_recipients_only(self) -> None:
        """Only a recipient can acknowledge a local message, and only once."""
        message = self.side.write("hello")
        self.side.join("eve")
        self.side.open_channels("eve")
        self.side.acknowledge("eve", message)
        self.assertEqual(self.side.delivery(message), "Sent")
        self.side.acknowledge("ann", message)
        self.side.acknowledge("ann", message)
        self.assertEqual(self.side.delivery(message), "Delivered to 1 of 2")
        self.side.receive("ann", type="chat", id="1", text="hello")
        self.side.receive("bob", type="chat-received", id="1")
        for nonsense in (None, 1, "", "unknown", ["own-1"], {"own-1": 1}):
            self.side.receive("bob", type="chat-received", id=nonsense)
        self.assertEqual(self.side.delivery(message), "Delivered to 1 of 2")

    def test_acknowledged_before_it_was_sent(self) -> None:
        """An acknowledgement of a message that was not sent is ignored."""
        side = ChatPage("ann", "bob")
        side.open_channels("ann")
        message = side.write("hello")
        side.open.add("bob")
        side.messaging.channel_opened("bob", 0.0)
        side.acknowledge("bob", message)
        self.assertEqual(message.recipients["bob"], 0)

    def test_malformed_messages(self) -> None:
        """Messages without a valid id and text are ignored and not acknowledged."""
        for wrong in (
            {},
            {"id": "1"},
            {"text": "hello"},
            {"id": 1, "text": "hello"},
            {"id": "", "text": "hello"},
            {"id": "x" * (MAX_ID + 1), "text": "hello"},
            {"id": ["1"], "text": "hello"},
            {"id": "1", "text": 5},
            {"id": "1", "text": None},
            {"id": "1", "text": ["hello"]},
        ):
            self.side.receive("ann", type="chat", **wrong)
        self.assertEqual((self.side.chat.messages, self.side.wire, self.side.chat.unread), ([], [], 0))

    def test_invisible_text(self) -> None:
        """A message without visible characters is acknowledged and not shown."""
        self.side.receive("ann", type="chat", id="1", text=" \n\x00\u202e")
        self.assertEqual((self.side.chat.messages, self.side.chat.unread), ([], 0))
        self.assertEqual(self.side.sent("chat-received"), [("ann", "1")])

    def test_too_long_text(self) -> None:
        """A message that is too long is cut, which is visible."""
        self.side.receive("ann", type="chat", id="1", text="x" * 15_000)
        self.assertEqual(self.side.chat.messages[0].text, "x" * MAX_CHARACTERS + "…")

    def test_control_characters(self) -> None:
        """Control characters and direction overrides are removed; line breaks and tabs stay."""
        self.side.receive("ann", type="chat", id="1", text="a\x07\x1b[31mb\x9bc\u202egpj.\u2066d\te\r\nf\rg\nh")
        self.assertEqual(self.side.chat.messages[0].text, "a[31mbcgpj.d\te\nf\ng\nh")

    def test_right_to_left(self) -> None:
        """Arabic text with direction marks stays as it is."""
        text = "مرحبا\u200f (hello)\u200e"
        self.assertEqual(clean(text), text)

    def test_flood(self) -> None:
        """The log is bounded, and a flood evicts only messages of its own author."""
        own = self.side.write("mine")
        self.side.receive("bob", type="chat", id="1", text="bob's")
        for number in range(1500):
            self.side.now += 1
            self.side.receive("ann", type="chat", id=str(number), text=str(number))
            self.side.wire.clear()
        messages = self.side.chat.messages
        size = sum(len(message.text) + OVERHEAD for message in messages)
        self.assertTrue(MAX_SIZE - OVERHEAD - 4 < size <= MAX_SIZE, size)
        self.assertEqual([messages[0], messages[1].name], [own, "Bob"])
        self.assertEqual(messages[-1].text, "1499")
        self.assertEqual(len(self.side.chat._by_id), len(messages))
        news = self.side.chat.changes()
        self.assertEqual(len(news), 1502)
        self.assertEqual(len([message for message in news if not message.evicted]), len(messages))
        self.assertEqual(self.side.chat.view()["chat-badge", "text"], "99+")

    def test_flood_of_long_messages(self) -> None:
        """Long messages are charged by their length."""
        own = self.side.write("mine")
        for number in range(100):
            self.side.now += 1
            self.side.receive("ann", type="chat", id=str(number), text="x" * MAX_CHARACTERS)
        messages = self.side.chat.messages
        self.assertEqual((messages[0], len(messages)), (own, 1 + MAX_SIZE // (MAX_CHARACTERS + OVERHEAD)))

    def test_message_of_an_unknown_user(self) -> None:
        """Messages of users who are not in the call are neither shown nor acknowledged."""
        self.side.state.participants.members.pop(0)
        self.side.receive("ann", type="chat", id="1", text="ghost")
        self.assertEqual((self.side.chat.messages, self.side.wire), ([], []))


class ViewTests(SynchronousTestCase):
    """The page shows a badge for unread messages and a note beside the messages."""

    def test_unread(self) -> None:
        """Messages count as unread until the person reads them; local messages never do."""
        side = ChatPage("ann")
        side.open_channels("ann")
        side.write("mine")
        self.assertTrue(side.chat.view()["chat-badge", "hidden"])
        for ident in "ab":
            side.receive("ann", type="chat", id=ident, text="hello")
        view = side.chat.view()
        self.assertEqual((view["chat-badge", "text"], view["chat-badge", "hidden"]), ("2", False))
        self.assertEqual(view["chat-button", "title"], texts.CHAT_UNREAD.format(2))
        side.chat.mark_read()
        side.chat.visible = True
        side.receive("ann", type="chat", id="c", text="hello")
        self.assertEqual(side.chat.unread, 0)

    def note(self, side: ChatPage) -> str:
        """Return the shown note; empty if no note is shown."""
        view = side.chat.view()
        self.assertEqual(view["chat-note", "hidden"], not view["chat-note", "text"])
        return str(view["chat-note", "text"])

    def test_note_while_alone(self) -> None:
        """A person who writes while alone sees a note about who will receive the message."""
        side = ChatPage()
        self.assertEqual(self.note(side), texts.CHAT_ALONE)
        side.join("ann")
        self.assertEqual(self.note(side), "")

    def connected(self, side: ChatPage, *users: str) -> None:
        """Establish the peer connections with these users."""
        for user in users:
            side.state.connection_changed(user, "connected")
        side.chat.update()

    def test_participant_without_chat(self) -> None:
        """A connected participant whose page sends no hello cannot chat.

        The note says so, and no messages are queued for them.
        """
        side = ChatPage("ann", "bob")
        self.connected(side, "ann", "bob")
        side.open_channels("bob")
        message = side.write("hello")
        side.acknowledge("bob", message)
        side.pass_time(NO_CHAT_AFTER - 1)
        self.assertEqual(self.note(side), "")
        side.pass_time(1)
        self.assertEqual(self.note(side), texts.CHAT_DEAF.format("Ann"))
        self.assertEqual(side.delivery(message), "Delivered to 1 of 2")
        self.assertEqual(list(side.write("next").recipients), ["bob"])
        side.leave("ann")
        self.assertEqual(self.note(side), "")

    def test_all_without_chat(self) -> None:
        """If no participant's program supports chat, a message waits for the first participant whose program does."""
        side = ChatPage("ann")
        self.connected(side, "ann")
        side.pass_time(NO_CHAT_AFTER)
        message = side.write("hello")
        self.assertEqual(side.delivery(message), "Waiting to be sent")
        side.join("bob")
        side.open_channels("bob")
        self.assertEqual(side.sent(), [("bob", "hello")])

    def test_late_hello(self) -> None:
        """A page that sends its hello late gets the messages that it missed."""
        side = ChatPage("ann")
        self.connected(side, "ann")
        message = side.write("hello")
        side.pass_time(NO_CHAT_AFTER)
        side.pass_time(NO_CHAT_AFTER)
        side.open_channels("ann")
        self.assertEqual((self.note(side), side.sent()), ("", [("ann", "hello")]))
        side.acknowledge("ann", message)
        self.assertEqual(side.delivery(message), "Delivered")

    def test_no_connection_is_not_without_chat(self) -> None:
        """During an interruption or the search for a path a missing hello does not count as missing chat support."""
        side = ChatPage("ann")
        side.pass_time(100)
        self.connected(side, "ann")
        side.state.connection_changed("ann", "disconnected")
        side.pass_time(100)
        self.assertEqual(self.note(side), "")

    def test_next_call(self) -> None:
        """Each call starts with an empty log."""
        side = ChatPage("ann")
        side.open_channels("ann")
        side.write("hello")
        side.receive("ann", type="chat", id="1", text="hello")
        side.chat.reset()
        self.assertEqual((side.chat.messages, side.chat.unread, side.chat.changes()), ([], 0, []))
        side.chat.update()
        side.sent()
        side.open_channels("ann")
        self.assertEqual(side.sent(), [])
