"""What a link asks of the page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling.names import MAX_CHARACTERS, clean_name
from signald_client.signaling.session_ids import find_session_id, find_token
from signald_page.client.model.call_urls import find_inviter
from signald_page.client.model.page_parameters import MAX_PARAMETERS, read_parameters


class PageParametersTests(SynchronousTestCase):
    """The parameters of a fragment."""

    def values(self, fragment: str) -> tuple[object, ...]:
        """Return the parameters of a fragment as a tuple."""
        found = read_parameters(fragment)
        return found.name, found.language, found.microphone, found.camera, found.preview

    def test_defaults(self) -> None:
        """A link without parameters, as an invitation is, asks for nothing."""
        for fragment in ("", "#", "#7Q2M9RT6ZC", "#7Q2M9RT6ZC&from=Ann", "#test", "#7Q2M9RT6ZC&token=a.b.c"):
            self.assertEqual(self.values(fragment), ("", "", True, True, True))

    def test_all(self) -> None:
        """Each parameter is read, in any order, with a session or without; the session, inviter and token are too."""
        text = "&camera=off&name=Ann%20%26%20Bob&from=Eve&microphone=off&language=ar&preview=off&token=a.b.c"
        for session in ("", "7Q2M9RT6ZC"):
            fragment = f"#{session}{text}"
            self.assertEqual(self.values(fragment), ("Ann & Bob", "ar", False, False, False))
            self.assertEqual((find_inviter(fragment), find_token(fragment)), ("Eve", "a.b.c"))
        self.assertEqual(find_session_id(f"#7Q2M9RT6ZC{text}"), "7Q2M9RT6ZC")

    def test_off_alone(self) -> None:
        """Nothing but `off` changes a device: no link switches one on."""
        for value in ("", "on", "OFF", "0", "false", "off "):
            self.assertEqual(
                self.values(f"#&microphone={value}&camera={value}&preview={value}")[2:], (True, True, True)
            )

    def test_odd_values(self) -> None:
        """What is malformed, too long or one too many counts as missing."""
        self.assertEqual(self.values("#&name=%zz&language&=x&&name")[:2], ("", ""))
        self.assertEqual(read_parameters("#&name=" + "%41" * 10_000).name, "")
        self.assertEqual(read_parameters("#&language=" + "a" * 10_000).language, "")
        self.assertEqual(read_parameters("#" + "&x" * MAX_PARAMETERS + "&camera=off").camera, True)

    @given(st.text(max_size=300))
    def test_any_text(self, text: str) -> None:
        """A name is always one that the page could have got from its field."""
        for fragment in (text, f"#&name={text}"):
            name = read_parameters(fragment).name
            self.assertEqual(clean_name(name), name)
            self.assertLessEqual(len(name), MAX_CHARACTERS)
