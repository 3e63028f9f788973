"""Which pictures a call shows, and which is the large one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.layout import CORNERS, GRID, SPOTLIGHT, arrange, nearest_corner, next_corner, picture_id
from signald_page.client.model.remote_peer import RemotePeer


def people(*users: str, screens: tuple[str, ...] = ()) -> list[RemotePeer]:
    """Others, some of whom show their screen."""
    members = [RemotePeer(user) for user in users]
    for member in members:
        member.screen = member.user in screens
    return members


class ArrangeTests(SynchronousTestCase):
    """`arrange`."""

    def test_alike(self) -> None:
        """Without a wish all are alike, in the order in which they came."""
        self.assertEqual(arrange(people("ann", "bob"), "", "", "bob"), (["ann", "bob"], ""))

    def test_one_alone_is_not_large(self) -> None:
        """There is nothing beside it to be larger than."""
        self.assertEqual(arrange(people("ann"), "ann", SPOTLIGHT, "ann"), (["ann"], ""))
        self.assertEqual(arrange([], "", SPOTLIGHT, ""), ([], ""))

    def test_a_screen_is_large(self) -> None:
        """Whoever shows something wants it to be seen; of several screens, the last."""
        self.assertEqual(arrange(people("ann", screens=("ann",)), "", "", ""), (["ann", "ann/screen"], "ann/screen"))
        both = people("ann", "bob", screens=("ann", "bob"))
        self.assertEqual(arrange(both, "", SPOTLIGHT, "ann")[1], "bob/screen")

    def test_a_pin_goes_first(self) -> None:
        """What the person wants large is large, while it is there."""
        members = people("ann", "bob", screens=("ann",))
        self.assertEqual(arrange(members, "bob", GRID, "ann")[1], "bob")
        self.assertEqual(arrange(members, "bob/screen", "", "")[1], "ann/screen")

    def test_a_wish_for_a_grid(self) -> None:
        """Then a screen is one of all."""
        self.assertEqual(arrange(people("ann", screens=("ann",)), "", GRID, "")[1], "")

    def test_spotlight_follows_the_speaker(self) -> None:
        """As long as nobody spoke, the first is large."""
        members = people("ann", "bob")
        self.assertEqual(arrange(members, "", SPOTLIGHT, "")[1], "ann")
        self.assertEqual(arrange(members, "", SPOTLIGHT, "bob")[1], "bob")
        self.assertEqual(arrange(members, "", SPOTLIGHT, "gone")[1], "ann")

    def test_names(self) -> None:
        """A camera and a screen of one user are told apart."""
        self.assertNotEqual(picture_id("ann"), picture_id("ann", True))


class CornerTests(SynchronousTestCase):
    """Where the own picture is."""

    def test_nearest(self) -> None:
        """The corner of the quarter in which it was let go."""
        self.assertEqual(nearest_corner(10, 10, 800, 600), "top-left")
        self.assertEqual(nearest_corner(700, 10, 800, 600), "top-right")
        self.assertEqual(nearest_corner(10, 500, 800, 600), "bottom-left")
        self.assertEqual(nearest_corner(700, 500, 800, 600), "bottom-right")

    def test_arrow_keys(self) -> None:
        """Each arrow goes its way, and stays at the edge; other keys change nothing."""
        corner = CORNERS[0]
        self.assertEqual(next_corner(corner, "ArrowLeft"), "bottom-left")
        self.assertEqual(next_corner(corner, "ArrowUp"), "top-right")
        self.assertEqual(next_corner(corner, "ArrowRight"), corner)
        self.assertEqual(next_corner(corner, "ArrowDown"), corner)
        self.assertEqual(next_corner(corner, "Enter"), corner)
        for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"):
            corner = next_corner(corner, key)
            self.assertIn(corner, CORNERS)
