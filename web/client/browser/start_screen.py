"""The start screen: starting and joining calls, the language, and the connectivity test.

The modules of a call are loaded at the first click, if not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling.names import clean_name
from signald_client.signaling.session_ids import find_session_id, find_token, group_session_id

from ..model import texts
from ..model.call_urls import find_inviter
from ..model.page_parameters import PageParameters, read_parameters
from ..model.page_state import GUEST, HOST, LOADING, START, TEST, PageState
from ..model.translation import ENGLISH, choose
from ..model.view_model import view
from . import storage
from .bridge import BrowserError, call, get, is_embedded, listen, load_extras, put, spawn, window
from .crash_copy import crashed_call
from .page import Page

if TYPE_CHECKING:
    from ..extras.check_screen import CheckScreen
    from .call_page import CallPage

__all__ = ["StartScreen"]

TEST_FRAGMENT = "#test"
"""The fragment of the page's URL that opens the connectivity test."""


class StartScreen:
    """The page before and between calls."""

    def __init__(self) -> None:
        self._state = PageState()
        self._page = Page(view(self._state))
        self._call_page: CallPage | None = None
        self._check_screen: CheckScreen | None = None
        self._fragment_before_test = ""
        self._language = ENGLISH
        self._parameters = PageParameters()
        self._page.on_click("dismiss", self._dismiss)
        self._page.on("language", "change", lambda event: spawn(self._language_chosen()))
        self._page.on_click("test-back", lambda: put(get(window, "location"), "hash", self._fragment_before_test))
        brand = call(get(window, "document"), "querySelector", "meta[name=application-name]")
        if brand is not None:
            self._state.brand = get(brand, "content")
        put(self._page.element("name"), "value", storage.name())
        listen(window, "hashchange", lambda event: self._address_changed())
        self._address_changed()

    async def load_language(self) -> None:
        """Switch to the person's language, if its file can be loaded; the page starts in English."""
        language = choose([self._parameters.language, storage.language()], list(get(window, "navigator", "languages")))
        if language != ENGLISH:
            await self._switch_language(language)

    def load_call_page(self) -> None:
        """Load the modules of a call; resume the call that was active when the page was reloaded."""
        if self._state.phase in (LOADING, START):
            call_page = self._calls()
            saved = storage.saved_call()
            invited = self._state.session.invited_id
            if saved is not None and is_embedded() and invited != saved[1]:
                # The frames of a tab share its storage: the call is that of another frame, or of one that was removed.
                # A frame that is loaded again has the call's session in its address.
                saved = None
            if saved is not None:
                call_page.resume_call(self._typed_name(), *saved)
            else:
                spawn(self._resume_crashed(call_page))

    async def _resume_crashed(self, call_page: CallPage) -> None:
        """Resume the call of a tab that crashed, if the page's URL names its session; else start the self-view."""
        crashed = await crashed_call(self._state.session.invited_id)
        if crashed is not None:
            call_page.resume_call(self._typed_name(), *crashed)
        elif self._parameters.preview:
            await call_page.preview_if_granted()

    def start(self) -> None:
        """Start a call."""
        password = get(self._page.element("new-password"), "value")
        self._open(password, get(self._page.element("new-lobby"), "checked"))

    def _open(self, password: str, lobby: bool) -> None:
        """Open a session; what the session of an earlier call required of its connections does not count."""
        self._state.session.relay_only = get(self._page.element("new-relayed"), "checked")
        self._calls().start_call(HOST, name=self._save_name(), password=password, lobby=lobby)

    def preview(self) -> None:
        """Start the self-view."""
        self._calls().preview()

    def join(self) -> None:
        """Join the call whose id or link is in the input field."""
        text = get(self._page.element("session-input"), "value")
        try:
            session = find_session_id(text) if text.strip() else ""
        except ValueError:
            self._show_problem(texts.BAD_ID)
            return
        if session:
            storage.save_token(session, find_token(text))
            self._fill_input(session)
            required = self._state.session.password_required
            self._join(session, get(self._page.element("password"), "value") if required else "")
        else:
            self._show_problem(texts.NO_ID)

    def _join(self, session: str, password: str) -> None:
        """Join a session; without a password, with the one that this person gave it as its host."""
        role = HOST if storage.host_key(session) else GUEST
        stored, lobby, self._state.session.relay_only = storage.session_settings(session)
        self._calls().start_call(role, session, name=self._save_name(), password=password or stored, lobby=lobby)

    def _enter(self, session: str, name: str, password: str) -> None:
        """Enter a call for the page around this one: this session, that of the page's URL, or a new one."""
        if name:
            self._parameters.name = name
            put(self._page.element("name"), "value", name)
        session = session or self._addressed()
        if session:
            self._join(session, password)
        else:
            self._open(password, False)

    async def _language_chosen(self) -> None:
        language = get(self._page.element("language"), "value")
        if await self._switch_language(language):
            storage.save_language(language)
        else:
            self._show_problem(texts.SERVER_UNREACHABLE)

    async def _switch_language(self, language: str) -> bool:
        """Switch to a language; return False if its file could not be loaded."""
        previous, self._language = self._language, language
        sections = None
        try:
            if await load_extras():
                from ..extras.translation_loader import apply, fetch

                sections = await fetch(language)
        except BrowserError:
            sections = None
        if sections is None:
            language = self._language = previous
        # The language that was chosen last takes effect, in whatever order the files arrive.
        if language == self._language:
            put(self._page.element("language"), "value", language)
            if sections is not None:
                apply(language, sections)
                if self._state.phase in (LOADING, START):
                    # A shown problem is a sentence in the earlier language.
                    self._state.dismiss()
                self._read_address()
                if self._call_page is not None:
                    self._call_page.refresh()
        return sections is not None

    def _calls(self) -> CallPage:
        if self._call_page is None:
            from .call_page import CallPage

            self._call_page = CallPage(self._state, self._page, self._read_address, self._enter)
        return self._call_page

    def _typed_name(self) -> str:
        return clean_name(get(self._page.element("name"), "value"))

    def _save_name(self) -> str:
        name = self._typed_name()
        # What somebody else suggested is not what the person calls themselves.
        if name != self._parameters.name:
            storage.save_name(name)
        return name

    def _show(self) -> None:
        self._page.show(view(self._state))

    def _address_changed(self) -> None:
        """Take over what the page's URL asks for, and show what it names."""
        parameters = self._parameters = read_parameters(get(window, "location", "hash"))
        if parameters.name:
            put(self._page.element("name"), "value", parameters.name)
        self._state.leave_off(not parameters.microphone, not parameters.camera)
        self._read_address()

    def _addressed(self) -> str:
        """Return the session that the page's URL names now, after a call that of the call; store a token beside it."""
        fragment = get(window, "location", "hash")
        try:
            session = find_session_id(fragment)
        except ValueError:
            session = ""
        storage.save_token(session, find_token(fragment))
        return session

    def _read_address(self) -> None:
        """Show the start screen for the session that the page's URL names, or the connectivity test."""
        fragment = get(window, "location", "hash")
        if fragment == TEST_FRAGMENT:
            if self._state.show_test():
                if self._call_page is not None:
                    self._call_page.stop_preview()
                spawn(self._open_test())
        elif self._state.phase in (LOADING, START, TEST):
            self._show_start(fragment)
        self._show()

    def _show_start(self, fragment: str) -> None:
        """Show the start screen for the session that a fragment names; an empty fragment names no session."""
        state = self._state
        if self._check_screen is not None:
            self._check_screen.reset()
        token = find_token(fragment)
        if token:
            # The token is removed from the address bar and from the history.
            fragment = fragment[: fragment.find("&")]
            call(get(window, "history"), "replaceState", None, "", fragment)
        tested = state.phase == TEST
        self._fragment_before_test = fragment
        invited_id = problem = ""
        if len(fragment.partition("&")[0]) > 1:
            try:
                invited_id = find_session_id(fragment)
            except ValueError:
                problem = texts.BAD_ID
        storage.save_token(invited_id, token)
        if invited_id:
            self._fill_input(invited_id)
        if bool(invited_id) != bool(state.session.invited_id):
            self._order_forms(bool(invited_id))
        has_host_key = bool(invited_id and storage.host_key(invited_id))
        state.show_start(invited_id, problem, has_host_key, find_inviter(fragment) if invited_id else "")
        if tested:
            self.load_call_page()

    async def _open_test(self) -> None:
        """Load the connectivity test, unless it is already loaded."""
        if not await load_extras():
            # The fragment is removed, so that the link can be clicked again.
            call(get(window, "history"), "replaceState", None, "", self._fragment_before_test or "#")
            self._read_address()
            self._state.notices.problem = texts.NO_EXTRAS
            self._show()
            return
        if self._check_screen is None:
            from ..extras.check_screen import CheckScreen

            self._check_screen = CheckScreen(self._page)

    def _order_forms(self, joining: bool) -> None:
        """Place the join form first for a person who opened an invitation link.

        This applies to the position on the screen and to the focus order.
        """
        form = self._page.element("join-form")
        place = "prepend" if joining else "append"
        call(get(form, "parentNode"), place, form)
        # Between the name and the button, where the field for the id is hidden.
        call(form, place, self._page.element("password-row"))

    def _fill_input(self, session: str) -> None:
        put(self._page.element("session-input"), "value", group_session_id(session))

    def _show_problem(self, problem: str) -> None:
        self._state.notices.problem = problem
        call(self._page.element("session-input"), "focus")
        self._show()

    def _dismiss(self) -> None:
        self._state.dismiss()
        self._show()
