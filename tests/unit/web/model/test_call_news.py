"""Tests of what the page signals of others in a call."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.call_news import CHAT, JOINED, KNOCK, LEFT, CallNews
from signald_page.client.model.page_state import HOST, PageState
from signald_page.client.model.remote_peer import RemotePeer
from signald_page.client.model.view_model import PAGE, view


class CallNewsTests(SynchronousTestCase):
    """`CallNews` compares two looks at the page's state."""

    def setUp(self) -> None:
        """Enter a session in which Ann is already."""
        self.state = PageState()
        self.news = CallNews()
        self.state.show_start("")
        self.state.start_call(HOST)
        self.assertEqual(self.look(), [])
        self.state.session_joined("7Q2M9RT6ZC", HOST, [RemotePeer("ann", "Ann")])
        self.assertEqual(self.look(), [])

    def look(self, visible: bool = True) -> list[str]:
        """Return what happened since the last look."""
        return self.news.update(self.state, visible)

    def test_joined_and_left(self) -> None:
        """Who joins or leaves is signalled once."""
        self.state.member_joined(RemotePeer("bob", "Bob"))
        self.assertEqual((self.look(), self.look()), ([JOINED], []))
        self.state.member_left("ann", "left")
        self.assertEqual((self.look(), self.look()), ([LEFT], []))

    def test_knock_and_chat(self) -> None:
        """Each knock and each unread message is signalled; to have read them is not."""
        self.state.participants.knocked("cat", "Cat")
        self.state.layout.unread = 1
        self.assertEqual(self.look(), [KNOCK, CHAT])
        self.state.participants.knocked("dan", "")
        self.state.layout.unread = 2
        self.assertEqual(self.look(), [KNOCK, CHAT])
        self.state.participants.knock_over("cat")
        self.state.layout.unread = 0
        self.assertEqual(self.look(), [])

    def test_a_membership_that_was_lost(self) -> None:
        """A person who had to join again hears nothing of those who are still there."""
        self.state.membership_lost()
        self.assertEqual(self.look(), [])
        self.state.session_joined("7Q2M9RT6ZC", HOST, [RemotePeer("ann", "Ann"), RemotePeer("bob")])
        self.assertEqual(self.look(), [])

    def test_the_title_of_a_hidden_tab(self) -> None:
        """A hidden tab's title says what happened last, until the person looks or the call is over."""
        self.state.member_joined(RemotePeer("bob", "Bob"))
        self.look(visible=False)
        self.assertEqual(view(self.state)[PAGE, "title"], "Bob joined · signald")
        self.state.participants.knocked("cat", "")
        self.look(visible=False)
        self.assertEqual(view(self.state)[PAGE, "title"], "Somebody wants to join. · signald")
        self.state.member_left("ann", "left")
        self.state.layout.unread = 3
        self.look(visible=False)
        self.assertEqual(view(self.state)[PAGE, "title"], "(3) Ann left · signald")
        self.look()
        self.assertEqual(view(self.state)[PAGE, "title"], "(3) Connecting · signald")
        self.state.member_left("bob", "left")
        self.look(visible=False)
        self.state.hung_up()
        self.assertEqual(view(self.state)[PAGE, "title"], "(3) Call ended · signald")
