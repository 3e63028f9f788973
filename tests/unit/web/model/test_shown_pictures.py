"""Tests of the message `view`, which says how large a picture is shown."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.layout import picture_id, picture_owner
from signald_page.client.model.peer_messaging import PeerMessaging
from signald_page.client.model.shown_pictures import (
    PIXELS,
    ShownPicture,
    ShownPictures,
    limit_heights,
    seen_heights,
)


class LimitTests(SynchronousTestCase):
    """`limit_heights` bounds the pixels that a page has to decode."""

    def test_what_is_shown(self) -> None:
        """Pictures that fit are wanted as large as they are shown; nobody is asked to send a smaller screen."""
        pictures = [ShownPicture("ann", 300), ShownPicture("bob", 200), ShownPicture("bob", 700, screen=True)]
        self.assertEqual(limit_heights(pictures), {"ann": 270, "bob": 180})

    def test_the_speaker(self) -> None:
        """The speaker is wanted as shown, and the others get smaller."""
        pictures = [ShownPicture("ann", 720), ShownPicture("bob", 720, speaking=True), ShownPicture("cat", 720)]
        self.assertEqual(limit_heights(pictures), {"bob": 720, "ann": 480, "cat": 480})
        pictures += [ShownPicture("dan", 720), ShownPicture("eve", 720)]
        self.assertEqual(limit_heights(pictures), {"bob": 720, "ann": 360, "cat": 360, "dan": 360, "eve": 360})

    def test_a_change_of_the_speaker(self) -> None:
        """Nobody becomes blurred when another one speaks, on a screen of high resolution or beside a shared one."""
        screen = [ShownPicture("zoe", 800, screen=True)]
        for height, shared, heights in ((1080, [], {720, 480}), (1440, [], {720, 480}), (1080, screen, {480, 270})):
            for speaker in range(4):
                cameras = [ShownPicture(str(number), height, speaking=number == speaker) for number in range(4)]
                self.assertEqual(set(limit_heights([*shared, *cameras]).values()), heights, (height, speaker))

    def test_a_speaker_with_little_room(self) -> None:
        """The speaker has what the others do not need."""
        pictures = [ShownPicture("zoe", 900, screen=True), ShownPicture("ann", 600, speaking=True)]
        self.assertEqual(limit_heights([*pictures, ShownPicture("bob", 200)]), {"ann": 480, "bob": 180})

    def test_a_large_screen(self) -> None:
        """A screen that takes all pixels leaves the smallest pictures."""
        pictures = [ShownPicture("ann", 2160, screen=True), ShownPicture("ann", 400), ShownPicture("bob", 400)]
        self.assertEqual(limit_heights(pictures), {"ann": 180, "bob": 180})

    def test_nothing(self) -> None:
        """An empty stage wants nothing."""
        self.assertEqual(limit_heights([]), {})

    def test_what_cannot_be_seen(self) -> None:
        """A picture that cannot be seen is wanted with the least lines, and takes nothing from the others."""
        pictures = [ShownPicture("ann", 720), ShownPicture("bob", 720), ShownPicture("cat", 0, speaking=True)]
        self.assertEqual(limit_heights(pictures), {"ann": 720, "bob": 720, "cat": 180})

    @given(st.lists(st.tuples(st.integers(1, 4320), st.booleans(), st.booleans()), max_size=12))
    def test_never_larger(self, figures: list[tuple[int, bool, bool]]) -> None:
        """No picture is wanted larger than the least height that suffices, and all others keep within the bound."""
        pictures = [ShownPicture(str(number), *figure) for number, figure in enumerate(figures)]
        wanted = limit_heights(pictures)
        self.assertEqual(wanted.keys(), {picture.user for picture in pictures if not picture.screen})
        larger = [height for height in wanted.values() if height > 180]
        # A picture may be a fourth higher than its part, by the steps between heights more.
        self.assertLessEqual(sum(height * height * 16 / 9 for height in larger), PIXELS * 2.4)


class SeenTests(SynchronousTestCase):
    """`seen_heights` tells what a person can see."""

    def test_seen(self) -> None:
        """Full screen covers the others, a hidden page shows nothing, and what floats is seen in its own window."""
        tiles = {"a": 200, "b": 300, "c": 400}
        for floating, filling, visible, seen in (
            ({}, {}, True, tiles),
            ({}, {}, False, {"a": 0, "b": 0, "c": 0}),
            ({}, {"a": 1080}, True, {"a": 1080, "b": 0, "c": 0}),
            ({}, {"a": 1080}, False, {"a": 0, "b": 0, "c": 0}),
            ({"b": 250}, {}, True, {"a": 200, "b": 250, "c": 400}),
            ({"b": 250}, {"a": 1080}, True, {"a": 1080, "b": 250, "c": 0}),
            ({"b": 250}, {}, False, {"a": 0, "b": 250, "c": 0}),
            ({"gone": 250}, {"gone": 1080}, True, {"a": 0, "b": 0, "c": 0}),
        ):
            self.assertEqual(seen_heights(tiles, floating, filling, visible), seen)


class Pair:
    """Two pages that exchange messages at once."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.messaging = PeerMessaging(json, self._send)
        self.shown = ShownPictures(self.messaging)

    def _send(self, user: str, text: str) -> bool:
        self.sent.append({"to": user, **json.loads(text)})
        return True

    def ready(self, user: str) -> None:
        """Let a page of this user open its channel."""
        self.messaging.channel_opened(user, 0.0)
        self.messaging.receive(user, '{"type":"hello","version":1}', 0.0)

    def views(self) -> list[tuple[str, int]]:
        """Return the messages `view` that were sent since the last call."""
        found = [(message["to"], message["height"]) for message in self.sent if message["type"] == "view"]
        self.sent.clear()
        return found


class ExchangeTests(SynchronousTestCase):
    """`ShownPictures` asks for what is shown, and knows what was asked for."""

    def test_changes(self) -> None:
        """A participant is told a height once, and again when it changes."""
        pair = Pair()
        pair.ready("ann")
        for height in (300, 310, 300):
            pair.shown.update([ShownPicture("ann", height)])
        self.assertEqual(pair.views(), [("ann", 270)])
        pair.shown.update([ShownPicture("ann", 0)])
        self.assertEqual(pair.views(), [("ann", 180)])

    def test_a_late_channel(self) -> None:
        """A participant whose channel opens later is told then, and after a reconnect again."""
        pair = Pair()
        pair.shown.update([ShownPicture("ann", 300)])
        self.assertEqual(pair.views(), [])
        pair.ready("ann")
        self.assertEqual(pair.views(), [("ann", 270)])
        pair.ready("bob")
        self.assertEqual(pair.views(), [])
        pair.messaging.channel_closed("ann")
        pair.ready("ann")
        self.assertEqual(pair.views(), [("ann", 270)])

    def test_what_is_asked(self) -> None:
        """A valid height counts until the channel closes; before and afterwards the picture is sent whole."""
        pair = Pair()
        self.assertEqual(pair.shown.height_for("ann"), 720)
        pair.ready("ann")
        pair.messaging.receive("ann", '{"type":"view","height":200}', 0.0)
        self.assertEqual(pair.shown.height_for("ann"), 200)
        for odd in ("null", "true", "0", "-1", "1.5", '"300"', "[]"):
            pair.messaging.receive("ann", '{"type":"view","height":' + odd + "}", 0.0)
        pair.messaging.receive("ann", '{"type":"view"}', 0.0)
        self.assertEqual(pair.shown.height_for("ann"), 200)
        pair.messaging.channel_closed("ann")
        self.assertEqual(pair.shown.height_for("ann"), 720)

    def test_owners(self) -> None:
        """The id of a picture tells whose it is."""
        for screen in (False, True):
            self.assertEqual(picture_owner(picture_id("ann", screen)), ("ann", screen))
