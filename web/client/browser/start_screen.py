"""The start screen: what a person can do before there is a call.

The modules of a call are loaded when the first button is pressed, if not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling.session_ids import find_session_id, find_token, group_session_id

from ..model import page_state as states
from ..model import texts
from ..model.page_state import GUEST, HOST, LOADING, START, PageState
from ..model.translation import ENGLISH, choose
from ..model.view_model import view
from . import storage
from .bridge import BrowserError, call, get, listen, load_extras, put, spawn, window
from .page import Page

if TYPE_CHECKING:
    from ..extras.check_screen import CheckScreen
    from .call_page import CallPage

__all__ = ["StartScreen"]

TEST = "#test"
"""The address's fragment that stands for the connectivity test."""


class StartScreen:
    """What the page is before and between calls."""

    def __init__(self) -> None:
        self._state = PageState()
        self._page = Page(view(self._state))
        self._call_page: CallPage | None = None
        self._check_screen: CheckScreen | None = None
        self._before_test = ""
        self._language = ENGLISH
        self._page.on("dismiss", "click", lambda event: self._dismiss())
        self._page.on("language", "change", lambda event: spawn(self._switch()))
        self._page.on("test-back", "click", lambda event: put(get(window, "location"), "hash", self._before_test))
        put(self._page.element("name"), "value", storage.name())
        listen(window, "hashchange", lambda event: self._read_address())
        self._look()

    async def greet(self) -> None:
        """Speak the person's language, as far as it can be had; English is spoken already."""
        language = choose(storage.language(), list(get(window, "navigator", "languages")))
        if language != ENGLISH:
            await self._speak(language)

    def prepare(self) -> None:
        """Load what a call needs; in the middle of one, go on with it."""
        if self._state.phase in (LOADING, START):
            calls = self._calls()
            kept = storage.kept_call()
            if kept is not None:
                calls.go_on(*kept)
            else:
                spawn(calls.preview_if_granted())

    def start(self) -> None:
        """The person starts a call."""
        password = get(self._page.element("new-password"), "value")
        lobby = get(self._page.element("new-lobby"), "checked")
        self._state.session.relay_only = get(self._page.element("new-relayed"), "checked")
        self._calls().begin(HOST, "", self._name(), password, "", lobby)

    def preview(self) -> None:
        """The person wants to see themselves."""
        self._calls().preview()

    def join(self) -> None:
        """The person joins the call whose id or link they typed, or came with."""
        text = get(self._page.element("session-input"), "value")
        try:
            session = find_session_id(text) if text.strip() else ""
        except ValueError:
            self._complain(texts.BAD_ID)
            return
        if session:
            storage.keep_token(session, find_token(text))
            self._fill(session)
            role = HOST if storage.host_key(session) else GUEST
            password, lobby, self._state.session.relay_only = storage.settings(session)
            if self._state.session.password_required:
                password = get(self._page.element("password"), "value")
            self._calls().begin(role, session, self._name(), password, "", lobby)
        else:
            self._complain(texts.NO_ID)

    async def _switch(self) -> None:
        language = get(self._page.element("language"), "value")
        if await self._speak(language):
            storage.keep_language(language)
        else:
            self._complain(texts.SERVER_UNREACHABLE)

    async def _speak(self, language: str) -> bool:
        """Speak a language; False when it cannot be had."""
        previous, self._language = self._language, language
        sections = None
        try:
            if await load_extras():
                from ..extras.translation_loader import fetch, speak

                sections = await fetch(language)
        except BrowserError:
            sections = None
        if sections is None:
            language = self._language = previous
        # The last of several choices counts, whichever comes first.
        if language == self._language:
            put(self._page.element("language"), "value", language)
            if sections is not None:
                speak(language, sections)
                if self._state.phase in (LOADING, START):
                    # What was said before is said anew, or not at all.
                    self._state.dismiss()
                self._look()
                if self._call_page is not None:
                    self._call_page.say_anew()
        return sections is not None

    def _calls(self) -> CallPage:
        if self._call_page is None:
            from .call_page import CallPage

            self._call_page = CallPage(self._state, self._page, self._read_address)
        return self._call_page

    def _name(self) -> str:
        name: str = get(self._page.element("name"), "value").strip()
        storage.keep_name(name)
        return name

    def _show(self) -> None:
        self._page.show(view(self._state))

    def _look(self) -> None:
        """See whether this browser can make calls, and to which one the address invites."""
        if get(window, "RTCPeerConnection") is None or get(window, "WebSocket") is None:
            self._state.browser_unsupported(texts.NO_WEBRTC)
        self._read_address()

    def _read_address(self) -> None:
        """Take the id that the page's address names, or show the test."""
        fragment = get(window, "location", "hash")
        if fragment == TEST:
            if self._state.show_test():
                if self._call_page is not None:
                    self._call_page.release()
                spawn(self._open_test())
        elif self._state.phase in (LOADING, START, states.TEST):
            if self._check_screen is not None:
                self._check_screen.leave()
            token = find_token(fragment)
            if token:
                # Out of sight, and out of the history.
                fragment = fragment[: fragment.find("&")]
                call(get(window, "history"), "replaceState", None, "", fragment)
            tested = self._state.phase == states.TEST
            self._before_test = fragment
            invited = problem = ""
            if len(fragment) > 1:
                try:
                    invited = find_session_id(fragment)
                except ValueError:
                    problem = texts.BAD_ID
            storage.keep_token(invited, token)
            if invited:
                self._fill(invited)
            if bool(invited) != bool(self._state.session.invited_id):
                self._put_first(bool(invited))
            self._state.show_start(invited, problem, bool(invited and storage.host_key(invited)))
            if tested:
                self.prepare()
        self._show()

    async def _open_test(self) -> None:
        """Fetch the connectivity test, unless it is there."""
        if not await load_extras():
            # Back, so that the link can be tried again.
            call(get(window, "history"), "replaceState", None, "", self._before_test or "#")
            self._read_address()
            self._state.notices.problem = texts.NO_EXTRAS
            self._show()
            return
        if self._check_screen is None:
            from ..extras.check_screen import CheckScreen

            self._check_screen = CheckScreen(self._page)

    def _put_first(self, joining: bool) -> None:
        """Who comes with a link mostly wants to join: for the eye and for the keyboard that is first then."""
        form = self._page.element("join-form")
        call(get(form, "parentNode"), "prepend" if joining else "append", form)

    def _fill(self, session: str) -> None:
        put(self._page.element("session-input"), "value", group_session_id(session))

    def _complain(self, problem: str) -> None:
        self._state.notices.problem = problem
        call(self._page.element("session-input"), "focus")
        self._show()

    def _dismiss(self) -> None:
        self._state.dismiss()
        self._show()
