"""Tests of the places of pictures on the stage."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.layout import CORNERS
from signald_page.client.model.stage_geometry import CROP_LIMIT, OWN, Picture, Place, Room, cut_off, place

WIDE = 16 / 9

RATIOS = st.one_of(st.just(0.0), st.sampled_from((WIDE, 4 / 3, 3 / 4, 9 / 16)), st.floats(0.2, 5.0))

PICTURES = st.builds(Picture, st.just(""), RATIOS, st.booleans())

ROOMS = st.builds(
    Room,
    st.integers(240, 2560),
    st.integers(240, 1600),
    st.integers(0, 56),
    st.integers(0, 96),
    st.integers(8, 20),
    st.booleans(),
)


NO_ROOMS = st.builds(
    Room,
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(0, 56),
    st.integers(0, 96),
    st.integers(8, 20),
    st.booleans(),
)
"""Windows that are hidden or collapsed."""


@st.composite
def stages(
    draw: st.DrawFn, rooms: st.SearchStrategy[Room] = ROOMS
) -> tuple[list[Picture], Picture, str, Room, str, bool]:
    """Draw the arguments of `place`: one to eight other pictures in any room."""
    others = draw(st.lists(PICTURES, min_size=1, max_size=8))
    for number, picture in enumerate(others):
        picture.name = f"user{number}"
    large = draw(st.sampled_from(["", *(picture.name for picture in others)])) if len(others) > 1 else ""
    own = Picture(OWN, draw(RATIOS))
    return others, own, large, draw(rooms), draw(st.sampled_from(CORNERS)), draw(st.booleans())


def overlap(one: Place, other: Place) -> bool:
    """Return whether two rectangles have a common area."""
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


class PropertyTests(SynchronousTestCase):
    """What holds of every arrangement."""

    @given(stages(NO_ROOMS))
    def test_no_room(self, stage: tuple[list[Picture], Picture, str, Room, str, bool]) -> None:
        """In a window without any room each picture has a place all the same, of at least one pixel."""
        places = place(*stage)
        self.assertEqual(set(places), {OWN, *(picture.name for picture in stage[0])})
        self.assertTrue(all(found.width >= 1 and found.height >= 1 for found in places.values()))

    @given(stages())
    def test_everybody_is_visible(self, stage: tuple[list[Picture], Picture, str, Room, str, bool]) -> None:
        """Each picture has a place within the room, below the status, that is large enough to recognize a person."""
        others, _, _, room, _, _ = stage
        places = place(*stage)
        self.assertEqual(set(places), {OWN, *(picture.name for picture in others)})
        for found in places.values():
            self.assertGreaterEqual(found.x, 0)
            self.assertLessEqual(found.x + found.width, room.width)
            self.assertGreaterEqual(found.y, room.top)
            self.assertLessEqual(found.y + found.height, room.height)
            self.assertGreaterEqual(min(found.width, found.height), 8)

    @given(stages())
    def test_nothing_overlaps(self, stage: tuple[list[Picture], Picture, str, Room, str, bool]) -> None:
        """No two pictures overlap, and the controls cover none, but in a call of two, whose picture is below all."""
        others, _, large, room, _, own_large = stage
        places = place(*stage)
        if len(others) == 1 and not large:
            del places[OWN if own_large else others[0].name]
        for one, other in itertools.combinations(places.values(), 2):
            self.assertFalse(overlap(one, other))
        for found in places.values():
            self.assertLessEqual(found.y + found.height, room.height - room.bottom)

    @given(stages())
    def test_nobody_is_cropped_beyond_the_bound(
        self, stage: tuple[list[Picture], Picture, str, Room, str, bool]
    ) -> None:
        """A picture that fills its place loses no more than the bound, and one that could fill it does."""
        others, own, *_ = stage
        places = place(*stage)
        for picture in (*others, own):
            found = places[picture.name]
            lost = cut_off(picture.ratio, found.width / found.height)
            self.assertEqual(found.filled, lost <= CROP_LIMIT and not picture.screen)

    @given(stages())
    def test_the_large_picture_is_the_largest(self, stage: tuple[list[Picture], Picture, str, Room, str, bool]) -> None:
        """The large picture takes more of the stage than any other."""
        _, _, large, *_ = stage
        places = place(*stage)
        if large:
            main = places.pop(large)
            for found in places.values():
                self.assertGreater(main.width * main.height, found.width * found.height)


class PlaceTests(SynchronousTestCase):
    """Particular arrangements."""

    def pictures(self, count: int, ratio: float = WIDE) -> list[Picture]:
        """Return the pictures of others."""
        return [Picture(f"user{number}", ratio) for number in range(count)]

    def test_two_on_a_wide_screen(self) -> None:
        """In a call of two the other picture fills the stage, and the own one lies in the corner above the controls."""
        places = place(self.pictures(1), Picture(OWN, WIDE), "", Room(1280, 800, 48, 88), "bottom-right", False)
        main, own = places["user0"], places[OWN]
        self.assertEqual((main.x, main.y, main.width, main.height), (8, 48, 1264, 744))
        self.assertEqual((own.x + own.width, own.y + own.height), (1264, 712))
        self.assertApproximates(own.width / own.height, WIDE, 0.02)

    def test_corners(self) -> None:
        """The own picture lies in the corner that the person chose, whichever way lines run."""
        for mirrored in (False, True):
            room = Room(1280, 800, 48, 88, mirrored=mirrored)
            found = {
                corner: place(self.pictures(1), Picture(OWN, WIDE), "", room, corner, False)[OWN] for corner in CORNERS
            }
            self.assertLess(found["top-left"].x, found["top-right"].x)
            self.assertLess(found["top-left"].y, found["bottom-left"].y)
            self.assertEqual((found["top-left"].x, found["bottom-right"].y), (16, found["bottom-left"].y))

    def test_swapped(self) -> None:
        """The own picture and the other one change places."""
        room = Room(1280, 800, 48, 88)
        usual = place(self.pictures(1), Picture(OWN, WIDE), "", room, "bottom-right", False)
        swapped = place(self.pictures(1), Picture(OWN, WIDE), "", room, "bottom-right", True)
        self.assertEqual(vars(swapped[OWN]), vars(usual["user0"]))
        self.assertEqual(vars(swapped["user0"]), vars(usual[OWN]))

    def test_equal_tiles(self) -> None:
        """From three people on, all have tiles of 16:9 on a wide screen, the own picture last."""
        for count in range(2, 8):
            places = place(self.pictures(count), Picture(OWN, WIDE), "", Room(1280, 800, 48, 88), "", False)
            self.assertEqual(len({(found.width, found.height) for found in places.values()}), 1)
            self.assertApproximates(places[OWN].width / places[OWN].height, WIDE, 0.03)
            self.assertEqual(list(places)[-1], OWN)

    def test_the_last_row_is_centred(self) -> None:
        """Three people on a wide screen are two above one, in the middle."""
        places = place(self.pictures(2), Picture(OWN, WIDE), "", Room(1280, 800, 48, 88), "", False)
        left, right, own = places["user0"], places["user1"], places[OWN]
        self.assertEqual(left.y, right.y)
        self.assertGreater(own.y, left.y)
        self.assertApproximates(own.x - left.x, (right.x - left.x) / 2, 1)

    def test_a_phone_shows_larger_tiles(self) -> None:
        """On a phone the tiles of many people are higher than 16:9, within the bound of cropping."""
        places = place(self.pictures(5), Picture(OWN, WIDE), "", Room(390, 844, 48, 88), "", False)
        self.assertLess(places[OWN].width / places[OWN].height, WIDE)
        self.assertTrue(all(found.filled for found in places.values()))

    def test_a_phone_of_phones(self) -> None:
        """Among people who hold their phones upright, the tiles are upright too; one of them alone does not decide."""
        room = Room(390, 844, 48, 88)
        upright = place(self.pictures(5, 9 / 16), Picture(OWN, TALL), "", room, "", False)
        self.assertLess(upright[OWN].width, upright[OWN].height)
        others = [*self.pictures(4), Picture("upright", 9 / 16)]
        mixed = place(others, Picture(OWN, WIDE), "", room, "", False)
        self.assertGreater(mixed[OWN].width, mixed[OWN].height)

    def test_initials_alone(self) -> None:
        """Without any picture the tiles are as large as can be."""
        places = place(self.pictures(3, 0.0), Picture(OWN), "", Room(1280, 800, 48, 88), "", False)
        self.assertGreater(places[OWN].width, 500)

    def test_the_strip(self) -> None:
        """The small pictures are beside the large one where the lines end, or below it on a phone."""
        others = [*self.pictures(1), Picture("screen", WIDE, True)]
        wide = place(others, Picture(OWN, WIDE), "screen", Room(1280, 800, 48, 88), "", False)
        self.assertGreater(wide[OWN].x, wide["screen"].x + wide["screen"].width)
        mirrored = place(others, Picture(OWN, WIDE), "screen", Room(1280, 800, 48, 88, mirrored=True), "", False)
        self.assertLess(mirrored[OWN].x + mirrored[OWN].width, mirrored["screen"].x)
        phone = place(others, Picture(OWN, WIDE), "screen", Room(390, 844, 48, 88), "", False)
        self.assertGreater(phone[OWN].y, phone["screen"].y + phone["screen"].height)
        self.assertFalse(wide["screen"].filled)

    def test_a_large_picture_that_is_not_there(self) -> None:
        """Without the large picture all are equal."""
        room = Room(1280, 800, 48, 88)
        found = [place(self.pictures(2), Picture(OWN, WIDE), large, room, "", False) for large in ("", "gone")]
        self.assertEqual(*[{name: vars(one) for name, one in places.items()} for places in found])

    def test_a_small_window(self) -> None:
        """The own picture takes a part of a low window only."""
        places = place(self.pictures(1), Picture(OWN, TALL), "", Room(844, 390, 48, 88), "bottom-right", False)
        self.assertLessEqual(places[OWN].height, 0.35 * 390)

    def test_cut_off(self) -> None:
        """The part that is cut off is counted of the picture; without a picture nothing is."""
        self.assertAlmostEqual(cut_off(WIDE, 4 / 3), 0.25)
        self.assertAlmostEqual(cut_off(4 / 3, WIDE), 0.25)
        self.assertEqual(cut_off(0.0, WIDE), 0.0)


TALL = 9 / 16
