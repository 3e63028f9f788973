"""Tests of the arrangement of pictures."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.layout import (
    CORNERS,
    GRID,
    OWN_SCREEN,
    SPOTLIGHT,
    arrange,
    nearest_corner,
    next_corner,
    picture_id,
    picture_owner,
)
from signald_page.client.model.remote_peer import RemotePeer


def participants(*users: str, screens: tuple[str, ...] = ()) -> list[RemotePeer]:
    """Return remote participants, some of whom share their screen."""
    members = [RemotePeer(user) for user in users]
    for member in members:
        member.screen = member.user in screens
    return members


class ArrangeTests(SynchronousTestCase):
    """`arrange` orders the pictures and picks the large one."""

    def test_equal_pictures(self) -> None:
        """By default all pictures are equal, in the order in which the participants joined."""
        self.assertEqual(arrange(participants("ann", "bob"), "", "", "bob"), (["ann", "bob"], ""))

    def test_single_picture(self) -> None:
        """A single picture is never the large one of several."""
        self.assertEqual(arrange(participants("ann"), "ann", SPOTLIGHT, "ann"), (["ann"], ""))
        self.assertEqual(arrange([], "", SPOTLIGHT, ""), ([], ""))

    def test_shared_screen(self) -> None:
        """A shared screen is large; if several are shared, the last one is large."""
        self.assertEqual(
            arrange(participants("ann", screens=("ann",)), "", "", ""), (["ann", "ann/screen"], "ann/screen")
        )
        both = participants("ann", "bob", screens=("ann", "bob"))
        self.assertEqual(arrange(both, "", SPOTLIGHT, "ann")[1], "bob/screen")

    def test_own_screen(self) -> None:
        """The own screen is the last picture; it is large only when it is pinned."""
        members = participants("ann", screens=("ann",))
        pictures = ["ann", "ann/screen", OWN_SCREEN]
        self.assertEqual(arrange(members, "", "", "", True), (pictures, "ann/screen"))
        self.assertEqual(arrange(members, OWN_SCREEN, "", "", True), (pictures, OWN_SCREEN))
        self.assertEqual(arrange(participants("ann"), "", "", "", True), (["ann", OWN_SCREEN], ""))
        self.assertEqual(arrange([], "", "", "", True), ([OWN_SCREEN], ""))
        self.assertEqual(picture_owner(OWN_SCREEN), ("/own", True))

    def test_pinned_picture(self) -> None:
        """A pinned picture is large while it exists."""
        members = participants("ann", "bob", screens=("ann",))
        self.assertEqual(arrange(members, "bob", GRID, "ann")[1], "bob")
        self.assertEqual(arrange(members, "bob/screen", "", "")[1], "ann/screen")

    def test_grid_mode(self) -> None:
        """In grid mode a shared screen is one picture among equals."""
        self.assertEqual(arrange(participants("ann", screens=("ann",)), "", GRID, "")[1], "")

    def test_spotlight_follows_the_speaker(self) -> None:
        """In spotlight mode the active speaker is large; before anyone has spoken, the first participant is."""
        members = participants("ann", "bob")
        self.assertEqual(arrange(members, "", SPOTLIGHT, "")[1], "ann")
        self.assertEqual(arrange(members, "", SPOTLIGHT, "bob")[1], "bob")
        self.assertEqual(arrange(members, "", SPOTLIGHT, "gone")[1], "ann")

    def test_picture_ids(self) -> None:
        """The pictures of a user's camera and screen have different ids."""
        self.assertNotEqual(picture_id("ann"), picture_id("ann", True))


class CornerTests(SynchronousTestCase):
    """The self-view is placed in a corner."""

    def test_nearest(self) -> None:
        """The self-view moves to the corner of the quadrant in which it is dropped."""
        self.assertEqual(nearest_corner(10, 10, 800, 600), "top-left")
        self.assertEqual(nearest_corner(700, 10, 800, 600), "top-right")
        self.assertEqual(nearest_corner(10, 500, 800, 600), "bottom-left")
        self.assertEqual(nearest_corner(700, 500, 800, 600), "bottom-right")

    def test_arrow_keys(self) -> None:
        """Each arrow key moves the self-view in its direction as far as the edge; other keys have no effect."""
        corner = CORNERS[0]
        self.assertEqual(next_corner(corner, "ArrowLeft"), "bottom-left")
        self.assertEqual(next_corner(corner, "ArrowUp"), "top-right")
        self.assertEqual(next_corner(corner, "ArrowRight"), corner)
        self.assertEqual(next_corner(corner, "ArrowDown"), corner)
        self.assertEqual(next_corner(corner, "Enter"), corner)
        for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"):
            corner = next_corner(corner, key)
            self.assertIn(corner, CORNERS)
