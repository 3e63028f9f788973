"""Tests chat messages between the pages of a call."""

from __future__ import annotations

import time

from tests.suites.e2e.browsers import browser, chromium, chromium_without_camera
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.chromium import ChromiumTab
from tests.suites.e2e.layout import PHONE, WIDE
from tests.suites.e2e.proxy import Proxy
from tests.suites.e2e.report import add_picture
from tests.suites.e2e.waiting import until

#: JavaScript: the author, the text and the delivery mark of each message.
MESSAGES = """[...document.querySelectorAll('#chat-log .message')].map(row => [
    row.querySelector('bdi').textContent,
    row.querySelector('.said').textContent,
    row.querySelector('.mark span').textContent,
])"""

#: JavaScript: the properties of each link in the messages.
LINKS = """[...document.querySelectorAll('#chat-log a')].map(link => [
    link.textContent, link.href, link.target, link.rel,
])"""

DELIVERED = "Delivered"

#: JavaScript that lets a test send texts through a page's data channel that the page itself would not send.
LEAK = """{
    const make = RTCPeerConnection.prototype.createDataChannel;
    RTCPeerConnection.prototype.createDataChannel = function (...given) {
        return (globalThis.leaked = make.apply(this, given));
    };
}"""

#: JavaScript that sends invalid texts, and then more messages than a page accepts.
ATTACK = """{
    const chat = (id, text) => leaked.send(JSON.stringify({type: 'chat', id, text}));
    for (const text of ['{', '[]', '{"type":"chat"}', '{"type":"chat","id":[],"text":{}}']) leaked.send(text);
    leaked.send('['.repeat(7000) + ']'.repeat(7000));
    leaked.send('{"type":'.repeat(1000) + '1' + '}'.repeat(1000));
    leaked.send(new Uint8Array(100));
    chat('1', '<img src=x onerror=leaked.close()>');
    chat('2', 'javascript:alert(1) \u202egpj.exe\u0000\ud83d\ude00\ud800');
    chat('3', 'https://a.example@evil.example/');
    chat('3', 'twice');
    leaked.send(JSON.stringify({type: 'chat-received', id: 'unknown'}));
    for (let number = 0; number < 150; number++) chat('f' + number, 'https://a.example/ '.repeat(200));
}"""

#: The seconds after which a duplicate of a message would have arrived.
WATCHED = 2.0


def name(page: CallPage, name: str) -> None:
    """Type the person's name on the start screen."""
    page.tab.evaluate("document.getElementById('name').value = ''")
    page.tab.type("#name", name)


def open_chat(*pages: CallPage) -> None:
    """Open the chat panel."""
    for page in pages:
        page.tab.click("#chat-button")
        until(lambda page: page.shown("chat-panel"), PATIENCE, "the panel", page)


def write(page: CallPage, text: str) -> None:
    """Type a message and send it."""
    page.tab.type("#chat-text", text)
    page.tab.click("#chat-form button")


def messages(page: CallPage) -> list[list[str]]:
    """Return the author, the text and the delivery mark of each message."""
    found: list[list[str]] = page.tab.evaluate(MESSAGES)
    return found


def wait_for_messages(page: CallPage, *wanted: list[str]) -> None:
    """Wait until a page shows exactly these messages."""
    seen: list[list[str]] = []

    def look() -> bool:
        seen[:] = messages(page)
        return seen == list(wanted)

    try:
        until(look, PATIENCE, f"messages {wanted}")
    except AssertionError as error:
        raise AssertionError(f"{error}: {seen}, console: {page.tab.messages}") from None


class ChatTests(CallTestCase):
    """Tests of pages that send messages to each other."""

    def call(self, *guests: str) -> list[CallPage]:
        """Return a call of Ann, who is the host in Chromium, and guests in these browsers, with the chat panel open."""
        host = self.page()
        name(host, "Ann")
        session = host.host()
        pages = [host]
        for number, guest in enumerate(guests):
            page = self.page(guest)
            name(page, ("Bob", "Cleo")[number])
            page.join(session)
            page.wait_for("connected")
            pages.append(page)
        host.wait_for("connected")
        open_chat(*pages)
        return pages

    def test_three_browsers(self) -> None:
        """A message reaches all other members, in Chromium and in Firefox, and its mark shows its delivery."""
        ann, bob, cleo = self.call("Chromium", "Firefox")
        write(ann, "hello")
        wait_for_messages(ann, ["You", "hello", DELIVERED])
        for page in (bob, cleo):
            wait_for_messages(page, ["Ann", "hello", ""])
        write(cleo, "hi, https://example.org/(a). And <b>that</b>")
        said = "hi, https://example.org/(a). And <b>that</b>"
        wait_for_messages(cleo, ["Ann", "hello", ""], ["You", said, DELIVERED])
        wait_for_messages(ann, ["You", "hello", DELIVERED], ["Cleo", said, ""])
        wait_for_messages(bob, ["Ann", "hello", ""], ["Cleo", said, ""])
        link = ["https://example.org/(a)", "https://example.org/(a)", "_blank", "noopener noreferrer"]
        for page in (ann, bob, cleo):
            self.assertEqual(page.tab.evaluate(LINKS), [link])
            self.assertEqual(page.tab.evaluate("document.querySelectorAll('#chat-log b').length"), 0)
            self.assertFalse(page.shown("broken"))

    def test_link_is_followed(self) -> None:
        """A link in a message opens a new tab, which has no access to the tab of the call."""
        ann, bob = self.call("Chromium")
        write(ann, f"{self.daemon.url}icon.svg")
        until(lambda: bob.tab.evaluate(LINKS), PATIENCE, "the link")
        tab = bob.tab
        assert isinstance(tab, ChromiumTab)
        with tab.context.expect_page() as opened:
            tab.click("#chat-log a")
        self.assertIsNone(opened.value.evaluate("opener"))
        self.assertEqual(bob.state, "connected")

    def test_keys(self) -> None:
        """Enter sends, Shift+Enter inserts a line break; a message that is too long shows an error and stays."""
        ann, bob = self.call("Chromium")
        tab = ann.tab
        assert isinstance(tab, ChromiumTab)
        tab.type("#chat-text", "one")
        height = tab.evaluate("document.getElementById('chat-text').offsetHeight")
        tab.page.keyboard.press("Shift+Enter")
        tab.page.keyboard.type("two")
        self.assertGreater(tab.evaluate("document.getElementById('chat-text').offsetHeight"), height)
        tab.page.keyboard.press("Enter")
        wait_for_messages(bob, ["Ann", "one\ntwo", ""])
        self.assertEqual(tab.evaluate("document.getElementById('chat-text').value"), "")
        tab.page.keyboard.press("Enter")
        tab.page.fill("#chat-text", "x" * 4001)
        ann.wait_for_text("chat-problem", "4001")
        tab.page.keyboard.press("Enter")
        self.assertEqual(tab.evaluate("document.getElementById('chat-text').value.length"), 4001)
        tab.page.keyboard.press("Backspace")
        self.assertFalse(ann.shown("chat-problem"))
        tab.page.keyboard.press("Enter")
        wait_for_messages(bob, ["Ann", "one\ntwo", ""], ["Ann", "x" * 4000, ""])

    def test_unread(self) -> None:
        """While the panel is closed, button and title count new messages, and a preview shows the newest message."""
        ann, bob = self.call("Chromium")
        bob.tab.click("#chat-button")
        for text in ("one", "two"):
            write(ann, text)
        bob.wait_for_text("chat-badge", "2")
        bob.wait_for_text("chat-toast", "two")
        self.assertEqual(bob.text("chat-toast"), "Anntwo")
        until(lambda: bob.tab.evaluate("document.title").startswith("(2) "), PATIENCE, "the title")
        self.assertIn("2", bob.tab.evaluate("document.getElementById('chat-button').title"))
        add_picture(bob.tab, "chat-toast")
        bob.tab.click("#chat-toast")
        until(lambda: not bob.shown("chat-badge") and not bob.shown("chat-toast"), PATIENCE, "nothing unread")
        self.assertFalse(bob.tab.evaluate("document.title").startswith("("))
        wait_for_messages(bob, ["Ann", "one", ""], ["Ann", "two", ""])

    def test_reading_further_up(self) -> None:
        """A new message does not scroll a list that was scrolled up, and a button announces it."""
        ann, bob = self.call("Chromium")
        for number in range(12):
            write(ann, f"message {number}")
        bob.wait_for_text("chat-log", "message 11")
        log = "document.getElementById('chat-log')"
        place = f"{log}.scrollHeight - {log}.clientHeight - {log}.scrollTop"
        until(lambda: bob.tab.evaluate(f"{log}.scrollHeight > {log}.clientHeight"), PATIENCE, "many messages")
        until(lambda: bob.tab.evaluate(place) < 2, PATIENCE, "the end of the list")
        # Until the page has processed the scrolling, the next message would scroll to the end again.
        bob.tab.evaluate(
            f"new Promise(done => {{ {log}.onscroll = () => setTimeout(done, 50); {log}.scrollTop = 0; }})"
        )
        write(ann, "news")
        until(lambda: bob.shown("chat-new"), PATIENCE, "the button")
        self.assertEqual(bob.tab.evaluate(f"{log}.scrollTop"), 0)
        bob.tab.click("#chat-new")
        until(lambda: not bob.shown("chat-new") and bob.tab.evaluate(place) < 2, PATIENCE, "the end of the list")

    def test_before_anybody_comes(self) -> None:
        """A message that the host writes while waiting reaches the first guest, and no later guest."""
        ann = self.page()
        session = ann.host()
        open_chat(ann)
        ann.wait_for_text("chat-note", "Nobody else")
        write(ann, "welcome")
        wait_for_messages(ann, ["You", "welcome", "Waiting to be sent"])
        bob = self.page("Firefox")
        bob.join(session)
        bob.wait_for("connected")
        open_chat(bob)
        wait_for_messages(bob, ["Somebody", "welcome", ""])
        wait_for_messages(ann, ["You", "welcome", DELIVERED])
        self.assertFalse(ann.shown("chat-note"))

    def test_without_devices(self) -> None:
        """People without camera and microphone can send messages."""
        pages: list[CallPage] = []
        for _ in range(2):
            tab = chromium_without_camera().tab()
            self.addCleanup(tab.close)
            pages.append(CallPage(tab))
            pages[-1].open(self.daemon.url)
        ann, bob = pages
        bob.join(ann.host())
        for page in (ann, bob):
            page.wait_for("connected")
        open_chat(ann, bob)
        write(ann, "can you hear me?")
        wait_for_messages(bob, ["Somebody", "can you hear me?", ""])
        write(bob, "I can read you")
        wait_for_messages(ann, ["You", "can you hear me?", DELIVERED], ["Somebody", "I can read you", ""])

    def test_another_program(self) -> None:
        """The page names a member whose program cannot receive messages."""
        ann = self.page()
        self.peer("join", ann.host(), "--name", "Robot")
        ann.wait_for("connected")
        open_chat(ann)
        ann.wait_for_text("chat-note", "Robot cannot read messages")

    def test_hostile(self) -> None:
        """The page shows hostile input on the data channel as plain text, and continues to work."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        tab.page.add_init_script(LEAK)
        eve, bob = CallPage(tab), self.page()
        eve.open(self.daemon.url)
        bob.join(eve.host())
        for page in (eve, bob):
            page.wait_for("connected")
        open_chat(eve, bob)
        write(eve, "hello")
        wait_for_messages(bob, ["Somebody", "hello", ""])
        tab.page.evaluate(ATTACK)
        until(lambda: len(messages(bob)) > 40, PATIENCE, "the flood")
        for _, said, _ in messages(bob)[4:]:
            self.assertEqual(len(said), 3799)
        self.assertEqual(bob.tab.evaluate("document.querySelectorAll('#chat-log img').length"), 0)
        hosts = bob.tab.evaluate("[...new Set([...document.querySelectorAll('#chat-log a')].map(link => link.href))]")
        self.assertEqual(hosts, ["https://a.example/"])
        write(bob, "I am still here")
        until(lambda: messages(bob)[-1][1:] == ["I am still here", DELIVERED], PATIENCE, "an answer")
        self.assertEqual(bob.tab.evaluate("globalThis.signald.log"), [])
        self.assertFalse(bob.shown("broken"))

    def test_after_the_call(self) -> None:
        """Each call begins without the messages of earlier calls."""
        ann, bob = self.call("Chromium")
        write(ann, "secret")
        wait_for_messages(bob, ["Ann", "secret", ""])
        for page, alone in ((bob, "connected"), (ann, "waiting")):
            page.wait_for(alone)
            page.tab.click("#side-close")
            page.tab.click("#hang-up")
        ann.wait_for("ended")
        for page in (ann, bob):
            wait_for_messages(page)

    def test_screens(self) -> None:
        """The chat panel fits the window in desktop and phone size, light and dark."""
        ann = self.page()
        name(ann, "Ann")
        session = ann.host()
        for number, (size, scheme) in enumerate(
            ((WIDE, "light"), (WIDE, "dark"), (PHONE, "light"), (PHONE, "dark")),
        ):
            tab = chromium().tab(viewport=size, color_scheme=scheme)
            self.addCleanup(tab.close)
            page = CallPage(tab)
            page.open(self.daemon.url)
            name(page, "Bob")
            page.join(session)
            page.wait_for("connected")
            ann.wait_for("connected")
            if not number:
                open_chat(ann)
            open_chat(page)
            write(ann, "Here is the plan: https://example.org/plans/2027/summer?version=3.")
            write(page, "Thank you! I read it tonight.")
            write(ann, "مرحبا، كيف حالك اليوم؟")
            until(lambda page: len(messages(page)) == 3, PATIENCE, "the messages", page)
            until(lambda page: messages(page)[1][2] == DELIVERED, PATIENCE, "the mark", page)
            right = tab.evaluate("document.getElementById('chat-form').getBoundingClientRect().right")
            self.assertLessEqual(right, size["width"])
            add_picture(tab, f"chat-{'wide' if size is WIDE else 'phone'}-{scheme}")
            tab.click("#side-close")
            tab.click("#hang-up")
            page.wait_for("ended")
            ann.wait_for("waiting")


class CutTests(CallTestCase):
    """Tests of a guest behind a proxy that drops TCP connections."""

    #: `localhost` is a secure context even without TLS.
    options = ("--no-tls",)

    def setUp(self) -> None:
        """Start the proxy."""
        super().setUp()
        self.proxy = Proxy(self.daemon.port)
        self.addCleanup(self.proxy.close)

    def open(self, port: int, session: str = "") -> CallPage:
        """Open the page at a port of this machine."""
        tab = browser("Chromium").tab()
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(f"http://localhost:{port}/" + (f"#{session}" if session else ""))
        return page

    def test_nothing_is_lost_or_shown_twice(self) -> None:
        """Each message arrives exactly once, although the signaling connection is lost and the page is reloaded."""
        ann = self.open(self.daemon.port)
        bob = self.open(self.proxy.port, ann.host())
        bob.join()
        for page in (ann, bob):
            page.wait_for("connected")
        open_chat(ann, bob)
        write(ann, "one")
        self.proxy.cut()
        write(ann, "two")
        write(bob, "three")
        wait_for_messages(bob, ["Somebody", "one", ""], ["Somebody", "two", ""], ["You", "three", DELIVERED])
        bob.tab.reload()
        write(ann, "four")
        bob.wait_for("connected")
        open_chat(bob)
        wait_for_messages(bob, ["Somebody", "four", ""])
        write(bob, "five")
        time.sleep(WATCHED)
        wait_for_messages(bob, ["Somebody", "four", ""], ["You", "five", DELIVERED])
        wait_for_messages(
            ann,
            ["You", "one", DELIVERED],
            ["You", "two", DELIVERED],
            ["Somebody", "three", ""],
            ["You", "four", DELIVERED],
            ["Somebody", "five", ""],
        )
