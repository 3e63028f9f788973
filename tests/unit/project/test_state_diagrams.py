"""Tests of the SVG pictures of state diagrams."""

from __future__ import annotations

from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from codegen.state_diagrams import svg

SVG = "{http://www.w3.org/2000/svg}"
DOOR = {
    ("open", "pushed"): "closed",
    ("closed", "pulled"): "open",
    ("closed", "key < turned"): "locked",
    ("closed", "bolt"): "locked",
    ("open", "painted"): "open",
}


class PictureTests(SynchronousTestCase):
    """A small table of transitions is drawn."""

    def setUp(self) -> None:
        """Draw the table, and parse the picture as XML."""
        self.root = ElementTree.fromstring(svg("A door", DOOR))  # noqa: S314 # our own output
        self.texts = [element.text for element in self.root.iter(f"{SVG}text")]

    def test_states(self) -> None:
        """Each state is written once, in a box, in the order of the table."""
        self.assertEqual(
            [text for text in self.texts if text in ("open", "closed", "locked")], ["open", "closed", "locked"]
        )
        self.assertEqual(len(list(self.root.iter(f"{SVG}rect"))), 1 + 3)

    def test_transitions(self) -> None:
        """Events between the same two states share one line, whose label names all of them."""
        self.assertEqual(
            set(self.texts) - {"open", "closed", "locked"}, {"pushed", "pulled", "key < turned, bolt", "painted"}
        )
        lines = [path for path in self.root.iter(f"{SVG}path") if path.get("class") == "line"]
        self.assertEqual(len(lines), 1 + 4)

    def test_within_the_picture(self) -> None:
        """Every line stays within the picture, and no two lines share a lane."""
        width, height = (float(self.root.get(name, "")) for name in ("width", "height"))
        lanes = []
        for path in self.root.iter(f"{SVG}path"):
            if path.get("class") == "line" and "H" in path.get("d", ""):
                start, lane, end, _ = path.get("d", "").removeprefix("M").replace("V", "H").split("H")
                x, y = start.split()
                lanes.append(lane)
                for value, most in ((x, width), (lane, width), (y, height), (end, height)):
                    self.assertTrue(0 <= float(value) <= most, path.get("d"))
        self.assertEqual(len(set(lanes)), len(lanes))

    def test_description(self) -> None:
        """A reader that shows no pictures gets every transition as text."""
        description = self.root.findtext(f"{SVG}desc") or ""
        self.assertEqual(len(description.split("; ")), len(DOOR))
        self.assertIn("closed, key < turned: locked", description)
