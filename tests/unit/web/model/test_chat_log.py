"""The messages of a call."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model import page_state as states
from signald_page.client.model import texts
from signald_page.client.model.chat_log import (
    AT_ONCE,
    BESIDE,
    DEAF_AFTER,
    LONGEST_ID,
    MOMENTS,
    MOST_CHARACTERS,
    MOST_SIZE,
    ChatLog,
    ChatMessage,
    clean,
)
from signald_page.client.model.peer_messaging import MOST_CHARACTERS as MOST_ON_THE_WIRE
from signald_page.client.model.peer_messaging import PeerMessaging
from signald_page.client.model.remote_peer import RemotePeer


class Side:
    """One person's page, as far as messages go.

    Attributes:
        state: what it knows.
        conversations: its channels.
        chat: its messages.
        now: its clock, in seconds.
        wire: what it sent: user and message.
        open: the users to whom a channel is open.
        shown: how often there was something new to show.

    """

    def __init__(self, *others: str) -> None:
        """Be in a call with these."""
        self.now = 0.0
        self.wire: list[tuple[str, dict[str, Any]]] = []
        self.open = set[str]()
        self.shown = 0
        self.ids = 0
        self.state = states.PageState()
        self.state.show_start("")
        self.state.start_call(states.HOST)
        self.state.session_joined("S", states.HOST, [RemotePeer(user, user.title()) for user in others])
        self.conversations = PeerMessaging(json, self.send)
        self.chat = ChatLog(
            self.state, self.conversations, lambda: self.now, lambda: "12:34", self.new_id, self.changed
        )
        self.chat.follow()

    def new_id(self) -> str:
        """Return an id."""
        self.ids += 1
        return f"own-{self.ids}"

    def changed(self) -> None:
        """There is something new to show."""
        self.shown += 1

    def send(self, user: str, text: str) -> bool:
        """Note what is sent, where there is a channel."""
        if user in self.open:
            self.wire.append((user, json.loads(text)))
        return user in self.open

    def arrive(self, user: str) -> RemotePeer:
        """Somebody joins the call."""
        other = RemotePeer(user, user.title())
        self.state.member_joined(other)
        self.chat.follow()
        return other

    def depart(self, user: str) -> None:
        """Somebody leaves the call."""
        self.close(user)
        self.state.member_left(user, "left")
        self.chat.follow()

    def reach(self, *users: str) -> None:
        """The channels to these open, and their pages say hello."""
        for user in users:
            self.open.add(user)
            self.conversations.opened(user, self.now)
            self.receive(user, type="hello", version=1)

    def close(self, user: str) -> None:
        """The channel to somebody closes."""
        self.open.discard(user)
        self.conversations.closed(user)

    def receive(self, user: str, **message: Any) -> None:
        """Receive a message."""
        self.conversations.received(user, json.dumps(message), self.now)

    def say(self, text: str) -> ChatMessage:
        """Write a message."""
        assert self.chat.say(text)
        return self.chat.messages[-1]

    def acknowledge(self, user: str, message: ChatMessage) -> None:
        """Somebody has received an own message."""
        self.receive(user, type="chat-received", id=message.ident)

    def sent(self, *kinds: str) -> list[tuple[str, Any]]:
        """Return what was sent of this type since the last time: user, and text or id."""
        wire, self.wire = self.wire, []
        return [(user, told.get("text", told["id"])) for user, told in wire if told["type"] in (kinds or ("chat",))]

    def pass_time(self, seconds: float) -> None:
        """Let time go by, as the page's clock tells it."""
        self.now += seconds
        self.chat.follow()

    def mark(self, message: ChatMessage) -> str:
        """Return how far a message has come, in words."""
        return message.mark(self.now)[1]

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Who wrote what."""
        return [(message.name, message.text) for message in self.chat.messages]


class SendingTests(SynchronousTestCase):
    """What the person here writes."""

    def test_sent_to_everybody(self) -> None:
        """A message goes to all who are there, is acknowledged by each, and says how far it has come."""
        side = Side("ann", "bob")
        side.reach("ann", "bob")
        message = side.say("hello")
        self.assertEqual(side.sent(), [("ann", "hello"), ("bob", "hello")])
        self.assertEqual(side.mark(message), "Sent")
        side.acknowledge("ann", message)
        self.assertEqual((side.mark(message), message.mark(0)[0]), ("Delivered to 1 of 2", "part"))
        side.acknowledge("bob", message)
        self.assertEqual((side.mark(message), message.mark(0)[0]), ("Delivered", "delivered"))
        self.assertEqual((message.text, message.time, message.name, message.user), ("hello", "12:34", "", ""))

    def test_wire(self) -> None:
        """A message has its type, its id and its text, nothing else."""
        side = Side("ann")
        side.reach("ann")
        side.wire.clear()
        side.say("hello")
        self.assertEqual(side.wire, [("ann", {"type": "chat", "id": "own-1", "text": "hello"})])

    def test_before_the_channel(self) -> None:
        """What is written while a channel is not open goes out when it opens, in order."""
        side = Side("ann", "bob")
        side.reach("ann")
        first, second = side.say("one"), side.say("two")
        self.assertEqual(side.sent(), [("ann", "one"), ("ann", "two")])
        self.assertEqual(side.mark(first), "Waiting to be sent")
        side.reach("bob")
        self.assertEqual(side.sent(), [("bob", "one"), ("bob", "two")])
        self.assertEqual(side.mark(second), "Sent")

    def test_only_once_a_page_understands(self) -> None:
        """An open channel alone is not enough: the other page has to say hello."""
        side = Side("ann")
        side.open.add("ann")
        side.conversations.opened("ann", 0.0)
        side.say("hello")
        self.assertEqual(side.sent(), [])
        side.receive("ann", type="hello", version=1)
        self.assertEqual(side.sent(), [("ann", "hello")])

    def test_written_for_nobody(self) -> None:
        """What is written alone goes to the first who comes, whenever, and to whoever comes within moments of them."""
        side = Side()
        message = side.say("welcome")
        side.pass_time(3600)
        self.assertEqual(side.mark(message), "Waiting to be sent")
        side.arrive("ann")
        side.reach("ann")
        self.assertEqual(side.sent(), [("ann", "welcome")])
        side.pass_time(MOMENTS - 1)
        side.arrive("bob")
        side.reach("bob")
        self.assertEqual(side.sent(), [("bob", "welcome")])
        side.pass_time(2)
        side.arrive("eve")
        side.reach("eve")
        self.assertEqual(side.sent(), [])
        side.acknowledge("ann", message)
        self.assertEqual(side.mark(message), "Delivered to 1 of 2")

    def test_strangers(self) -> None:
        """Whoever comes later does not get what was written to others, even if the page slept in between."""
        side = Side("ann")
        side.reach("ann")
        side.say("for ann")
        side.sent()
        side.arrive("bob")
        side.reach("bob")
        self.assertEqual(side.sent(), [])
        alone = Side()
        alone.say("hi")
        alone.arrive("ann")
        alone.now += 7200
        alone.arrive("bob")
        alone.reach("ann", "bob")
        self.assertEqual(alone.sent(), [("ann", "hi")])

    def test_somebody_left_before_it_came(self) -> None:
        """Whoever leaves without the message missed it; the others' part is unchanged."""
        side = Side("ann", "bob")
        side.reach("ann")
        message = side.say("hello")
        side.acknowledge("ann", message)
        side.depart("bob")
        self.assertEqual(side.mark(message), "Delivered to 1 of 2")
        side.depart("ann")
        self.assertEqual(side.mark(message), "Delivered to 1 of 2")

    def test_nobody_got_it(self) -> None:
        """If nobody got a message, it is for whoever comes within moments: mostly the same person as another user."""
        side = Side("ann")
        message = side.say("hello")
        side.depart("ann")
        self.assertEqual(side.mark(message), "Waiting to be sent")
        side.arrive("ann-again")
        side.reach("ann-again")
        self.assertEqual(side.sent(), [("ann-again", "hello")])
        side.acknowledge("ann-again", message)
        self.assertEqual(side.mark(message), "Delivered")

    def test_nobody_comes_back(self) -> None:
        """After these moments it is not delivered, and the page is told to show that."""
        side = Side("ann")
        message = side.say("hello")
        side.depart("ann")
        side.chat.news()
        side.pass_time(MOMENTS)
        self.assertEqual(side.chat.news(), [message])
        self.assertEqual((side.mark(message), message.mark(side.now)[0]), ("Not delivered", "missed"))
        side.arrive("bob")
        side.reach("bob")
        self.assertEqual(side.sent(), [])

    def test_the_first_did_not_get_it(self) -> None:
        """What was written alone waits on when the first who came left without it."""
        side = Side()
        message = side.say("welcome")
        side.arrive("ann")
        side.depart("ann")
        side.pass_time(3600)
        self.assertEqual(side.mark(message), "Waiting to be sent")
        side.arrive("bob")
        side.reach("bob")
        self.assertEqual(side.sent(), [("bob", "welcome")])

    def test_the_same_user_again(self) -> None:
        """Somebody who was given up and is there again gets what they missed."""
        side = Side("ann", "bob")
        side.reach("bob")
        message = side.say("hello")
        side.acknowledge("bob", message)
        side.depart("ann")
        side.arrive("ann")
        side.sent()
        side.reach("ann")
        self.assertEqual(side.sent(), [("ann", "hello")])

    def test_not_outside_a_call(self) -> None:
        """Without a call nothing is said."""
        side = Side()
        side.state.hung_up()
        self.assertFalse(side.chat.say("hello"))
        self.assertEqual(side.chat.messages, [])

    def test_empty_and_too_long(self) -> None:
        """A message has something in it, and not too much; the page says so before it is sent."""
        side = Side("ann")
        for text in ("", "  \n ", "\x00", "x" * (MOST_CHARACTERS + 1)):
            self.assertFalse(side.chat.say(text))
        self.assertEqual(side.chat.messages, [])
        self.assertEqual(side.chat.problem("x" * MOST_CHARACTERS + "  "), "")
        self.assertIn("4001", side.chat.problem("x" * (MOST_CHARACTERS + 1)))
        self.assertTrue(side.chat.say("x" * MOST_CHARACTERS))

    def test_fits_the_wire(self) -> None:
        """The longest message fits into one of the channel's, whatever is in it."""
        side = Side("ann")
        side.reach("ann")
        for text in ("\\" * MOST_CHARACTERS, '"' * MOST_CHARACTERS, "a" + "\n" * (MOST_CHARACTERS - 2) + "a"):
            side.say(text)
        for _, message in side.wire:
            self.assertLess(len(json.dumps(message, ensure_ascii=False)), MOST_ON_THE_WIRE)

    def test_many_at_once(self) -> None:
        """What waited goes out in portions that the other page takes."""
        side = Side("ann")
        for number in range(AT_ONCE + 5):
            side.say(str(number))
        side.reach("ann")
        self.assertEqual(len(side.sent()), AT_ONCE)
        side.pass_time(1)
        self.assertEqual([text for _, text in side.sent()], [str(AT_ONCE + number) for number in range(5)])

    def test_a_channel_that_does_not_keep_up(self) -> None:
        """What a channel does not take now is sent later."""
        side = Side("ann")
        side.reach("ann")
        side.open.clear()
        message = side.say("hello")
        self.assertEqual(side.mark(message), "Waiting to be sent")
        side.open.add("ann")
        side.pass_time(1)
        self.assertEqual(side.sent(), [("ann", "hello")])


class ReconnectTests(SynchronousTestCase):
    """Channels that close and open again."""

    def test_sent_again(self) -> None:
        """A new connection brings what was not acknowledged, in order, and nothing else."""
        side = Side("ann")
        side.reach("ann")
        first, second = side.say("one"), side.say("two")
        side.acknowledge("ann", first)
        side.close("ann")
        self.assertEqual((side.mark(first), side.mark(second)), ("Delivered", "Waiting to be sent"))
        side.say("three")
        side.sent()
        side.reach("ann")
        self.assertEqual(side.sent(), [("ann", "two"), ("ann", "three")])

    def test_came_twice(self) -> None:
        """What comes a second time is acknowledged, and not shown again."""
        side = Side("ann")
        side.reach("ann")
        side.receive("ann", type="chat", id="1", text="hello")
        side.close("ann")
        side.reach("ann")
        side.receive("ann", type="chat", id="1", text="hello")
        self.assertEqual(side.texts, [("Ann", "hello")])
        self.assertEqual(side.chat.unread, 1)
        self.assertEqual(side.sent("chat-received"), [("ann", "1"), ("ann", "1")])

    def test_the_person_joins_anew(self) -> None:
        """While the person here is out of the session, nobody is taken to have left; then all goes on."""
        side = Side("ann", "bob")
        message = side.say("hello")
        side.state.membership_lost()
        side.chat.follow()
        self.assertEqual(side.mark(message), "Waiting to be sent")
        side.state.session_joined("S", states.GUEST, [RemotePeer("ann"), RemotePeer("bob")])
        side.chat.follow()
        side.reach("ann", "bob")
        self.assertEqual(side.sent(), [("ann", "hello"), ("bob", "hello")])

    def test_both_pages(self) -> None:
        """Through cuts in any place everything arrives, once and in order."""
        here, there = Side("there"), Side("here")

        def carry(most: int) -> None:
            """Let the first messages of each side come through, and lose the others."""
            for source, sink, user in ((here, there, "here"), (there, here, "there")):
                wire, source.wire = source.wire, []
                for _, message in wire[:most]:
                    sink.receive(user, **message)

        for cut in range(8):
            here.reach("there")
            there.reach("here")
            here.say(f"here {cut}")
            there.say(f"there {cut}")
            carry(cut)
            here.close("there")
            there.close("here")
        here.reach("there")
        there.reach("here")
        carry(1000)
        carry(1000)
        for side, other in ((here, "There"), (there, "Here")):
            own = [f"{other.lower()} {cut}" for cut in range(8)]
            self.assertEqual([text for name, text in side.texts if name == other], own)
            marks = {side.mark(message) for message in side.chat.messages if not message.user}
            self.assertEqual(marks, {"Delivered"})


class ReceivingTests(SynchronousTestCase):
    """What others write."""

    def setUp(self) -> None:
        """Be in a call with ann and bob."""
        self.side = Side("ann", "bob")
        self.side.reach("ann", "bob")
        self.side.wire.clear()

    def test_received(self) -> None:
        """A message is shown with its writer's name and the time, and acknowledged to them alone."""
        self.side.receive("ann", type="chat", id="1", text="hello")
        (message,) = self.side.chat.messages
        self.assertEqual((message.name, message.text, message.time, message.user), ("Ann", "hello", "12:34", "ann"))
        self.assertEqual(self.side.sent("chat-received"), [("ann", "1")])
        self.assertEqual(self.side.chat.news(), [message])
        self.assertEqual(self.side.chat.news(), [])

    def test_no_name(self) -> None:
        """Who has no name is somebody."""
        self.side.state.participants.others[0].name = ""
        self.side.receive("ann", type="chat", id="1", text="hello")
        self.assertEqual(self.side.texts, [(texts.SOMEBODY, "hello")])

    def test_ids_of_others(self) -> None:
        """Whoever takes somebody else's id, or one of the person's own, neither hides nor changes a message."""
        own = self.side.say("mine")
        self.side.receive("ann", type="chat", id="1", text="ann's")
        self.side.receive("bob", type="chat", id="1", text="bob's")
        self.side.receive("bob", type="chat", id=own.ident, text="not yours")
        self.assertEqual(self.side.texts, [("", "mine"), ("Ann", "ann's"), ("Bob", "bob's"), ("Bob", "not yours")])
        self.assertEqual(own.text, "mine")

    def test_acknowledged_by_others(self) -> None:
        """Only whom a message was sent to can acknowledge it, once, and only an own one."""
        message = self.side.say("hello")
        self.side.arrive("eve")
        self.side.reach("eve")
        self.side.acknowledge("eve", message)
        self.assertEqual(self.side.mark(message), "Sent")
        self.side.acknowledge("ann", message)
        self.side.acknowledge("ann", message)
        self.assertEqual(self.side.mark(message), "Delivered to 1 of 2")
        self.side.receive("ann", type="chat", id="1", text="hello")
        self.side.receive("bob", type="chat-received", id="1")
        for nonsense in (None, 1, "", "unknown", ["own-1"], {"own-1": 1}):
            self.side.receive("bob", type="chat-received", id=nonsense)
        self.assertEqual(self.side.mark(message), "Delivered to 1 of 2")

    def test_acknowledged_before_it_was_sent(self) -> None:
        """What has not been sent cannot have been received."""
        side = Side("ann", "bob")
        side.reach("ann")
        message = side.say("hello")
        side.open.add("bob")
        side.conversations.opened("bob", 0.0)
        side.acknowledge("bob", message)
        self.assertEqual(message.to["bob"], 0)

    def test_nonsense(self) -> None:
        """Messages without an id or a text, or with ones of another kind, are left alone and not acknowledged."""
        for wrong in (
            {},
            {"id": "1"},
            {"text": "hello"},
            {"id": 1, "text": "hello"},
            {"id": "", "text": "hello"},
            {"id": "x" * (LONGEST_ID + 1), "text": "hello"},
            {"id": ["1"], "text": "hello"},
            {"id": "1", "text": 5},
            {"id": "1", "text": None},
            {"id": "1", "text": ["hello"]},
        ):
            self.side.receive("ann", type="chat", **wrong)
        self.assertEqual((self.side.chat.messages, self.side.wire, self.side.chat.unread), ([], [], 0))

    def test_nothing_in_it(self) -> None:
        """A message of nothing that is seen is acknowledged, and not shown."""
        self.side.receive("ann", type="chat", id="1", text=" \n\x00\u202e")
        self.assertEqual((self.side.chat.messages, self.side.chat.unread), ([], 0))
        self.assertEqual(self.side.sent("chat-received"), [("ann", "1")])

    def test_huge(self) -> None:
        """What is too long is cut, which is seen."""
        self.side.receive("ann", type="chat", id="1", text="x" * 15_000)
        self.assertEqual(self.side.chat.messages[0].text, "x" * MOST_CHARACTERS + "…")

    def test_what_is_not_seen(self) -> None:
        """Control characters and those that turn the direction of writing are taken out; line breaks and tabs stay."""
        self.side.receive("ann", type="chat", id="1", text="a\x07\x1b[31mb\x9bc\u202egpj.\u2066d\te\r\nf\rg\nh")
        self.assertEqual(self.side.chat.messages[0].text, "a[31mbcgpj.d\te\nf\ng\nh")

    def test_right_to_left(self) -> None:
        """Arabic with its own marks of direction is left as it is."""
        text = "مرحبا\u200f (hello)\u200e"
        self.assertEqual(clean(text), text)

    def test_flood(self) -> None:
        """The log is bounded, and a flood pushes out what its own writer wrote, not what others did."""
        own = self.side.say("mine")
        self.side.receive("bob", type="chat", id="1", text="bob's")
        for number in range(1500):
            self.side.now += 1
            self.side.receive("ann", type="chat", id=str(number), text=str(number))
            self.side.wire.clear()
        messages = self.side.chat.messages
        size = sum(len(message.text) + BESIDE for message in messages)
        self.assertTrue(MOST_SIZE - BESIDE - 4 < size <= MOST_SIZE, size)
        self.assertEqual([messages[0], messages[1].name], [own, "Bob"])
        self.assertEqual(messages[-1].text, "1499")
        self.assertEqual(len(self.side.chat._by_id), len(messages))
        news = self.side.chat.news()
        self.assertEqual(len(news), 1502)
        self.assertEqual(len([message for message in news if not message.dropped]), len(messages))
        self.assertEqual(self.side.chat.view()["chat-badge", "text"], "99+")

    def test_flood_of_long_ones(self) -> None:
        """Long messages count by their length."""
        own = self.side.say("mine")
        for number in range(100):
            self.side.now += 1
            self.side.receive("ann", type="chat", id=str(number), text="x" * MOST_CHARACTERS)
        messages = self.side.chat.messages
        self.assertEqual((messages[0], len(messages)), (own, 1 + MOST_SIZE // (MOST_CHARACTERS + BESIDE)))

    def test_gone_in_between(self) -> None:
        """What comes of somebody who is not in the call is neither shown nor acknowledged."""
        self.side.state.participants.others.pop(0)
        self.side.receive("ann", type="chat", id="1", text="ghost")
        self.assertEqual((self.side.chat.messages, self.side.wire), ([], []))


class ViewTests(SynchronousTestCase):
    """What the page shows beside the messages."""

    def test_unread(self) -> None:
        """What comes while nobody looks is counted until the person reads it; own messages are not."""
        side = Side("ann")
        side.reach("ann")
        side.say("mine")
        self.assertTrue(side.chat.view()["chat-badge", "hidden"])
        for ident in "ab":
            side.receive("ann", type="chat", id=ident, text="hello")
        view = side.chat.view()
        self.assertEqual((view["chat-badge", "text"], view["chat-badge", "hidden"]), ("2", False))
        self.assertEqual(view["chat-button", "title"], texts.CHAT_UNREAD.format(2))
        side.chat.read()
        side.chat.watched = True
        side.receive("ann", type="chat", id="c", text="hello")
        self.assertEqual(side.chat.unread, 0)

    def note(self, side: Side) -> str:
        """Return the note that is shown; empty for none."""
        view = side.chat.view()
        self.assertEqual(view["chat-note", "hidden"], not view["chat-note", "text"])
        return str(view["chat-note", "text"])

    def test_alone(self) -> None:
        """Who writes alone is told who will read it."""
        side = Side()
        self.assertEqual(self.note(side), texts.CHAT_ALONE)
        side.arrive("ann")
        self.assertEqual(self.note(side), "")

    def connected(self, side: Side, *users: str) -> None:
        """The peer connections with these come about."""
        for user in users:
            side.state.connection_changed(user, "connected")
        side.chat.follow()

    def test_deaf(self) -> None:
        """Who is connected and never says a word cannot read messages, which is told; nothing waits for them."""
        side = Side("ann", "bob")
        self.connected(side, "ann", "bob")
        side.reach("bob")
        message = side.say("hello")
        side.acknowledge("bob", message)
        side.pass_time(DEAF_AFTER - 1)
        self.assertEqual(self.note(side), "")
        side.pass_time(1)
        self.assertEqual(self.note(side), texts.CHAT_DEAF.format("Ann"))
        self.assertEqual(side.mark(message), "Delivered to 1 of 2")
        self.assertEqual(list(side.say("next").to), ["bob"])
        side.depart("ann")
        self.assertEqual(self.note(side), "")

    def test_all_deaf(self) -> None:
        """Among programs without chat a message waits for the first person who can read it."""
        side = Side("ann")
        self.connected(side, "ann")
        side.pass_time(DEAF_AFTER)
        message = side.say("hello")
        self.assertEqual(side.mark(message), "Waiting to be sent")
        side.arrive("bob")
        side.reach("bob")
        self.assertEqual(side.sent(), [("bob", "hello")])

    def test_slow_rather_than_deaf(self) -> None:
        """A page that says hello late gets what it missed."""
        side = Side("ann")
        self.connected(side, "ann")
        message = side.say("hello")
        side.pass_time(DEAF_AFTER)
        side.pass_time(DEAF_AFTER)
        side.reach("ann")
        self.assertEqual((self.note(side), side.sent()), ("", [("ann", "hello")]))
        side.acknowledge("ann", message)
        self.assertEqual(side.mark(message), "Delivered")

    def test_not_deaf_while_there_is_no_path(self) -> None:
        """An interruption, or a search for a path, says nothing about the program."""
        side = Side("ann")
        side.pass_time(100)
        self.connected(side, "ann")
        side.state.connection_changed("ann", "disconnected")
        side.pass_time(100)
        self.assertEqual(self.note(side), "")

    def test_another_call(self) -> None:
        """Each call begins without messages."""
        side = Side("ann")
        side.reach("ann")
        side.say("hello")
        side.receive("ann", type="chat", id="1", text="hello")
        side.chat.begin()
        self.assertEqual((side.chat.messages, side.chat.unread, side.chat.news()), ([], 0, []))
        side.chat.follow()
        side.sent()
        side.reach("ann")
        self.assertEqual(side.sent(), [])
