"""The page as something that is installed: its manifest, its icons, and that it opens without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.suites.e2e.browsers import chromium, firefox
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.chromium import ChromiumTab, driver, executable
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.waiting import until

#: Seconds that the page has for itself first.
AFTER = 3.0

#: JavaScript: whether a service worker has kept the page.
KEPT = "(async () => Boolean((await navigator.serviceWorker.getRegistration())?.active))()"


class InstallTests(SynchronousTestCase):
    """A page over plain HTTP on this machine, which browsers trust as they do HTTPS (Secure Contexts §3.1)."""

    def setUp(self) -> None:
        """Start the daemon."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.daemon = Daemon(self.directory, "--no-tls")
        self.addCleanup(lambda: self.daemon.stop())
        self.url = f"http://localhost:{self.daemon.port}/"

    def again(self) -> None:
        """Start the daemon again, on the same port."""
        self.daemon = Daemon(self.directory, "--no-tls", "--port", str(self.daemon.port))

    def opened(self, page: CallPage, fragment: str = "") -> None:
        """Open the page, and wait until it is kept."""
        page.open(self.url + fragment)
        until(lambda: page.tab.evaluate(KEPT), PATIENCE, "the service worker")

    def works_offline(self, page: CallPage) -> None:
        """Assert that the page opens without the server, says so, and works again when the server is back."""
        self.opened(page, "#ABC-DEFG-HJK")
        page.tab.reload()
        page.wait_for("start")
        self.assertFalse(page.shown("offline"))
        self.daemon.stop()
        page.tab.reload()
        page.wait_for("start")
        self.assertTrue(page.shown("offline"))
        self.assertIn("offline", page.text("offline"))
        self.assertEqual(page.tab.evaluate("document.getElementById('session-input').value"), "ABC-DEFG-HJK")
        self.again()
        page.tab.click("#reload")
        until(lambda: page.state == "start" and not page.shown("offline"), PATIENCE, "the page from the server")
        self.assertEqual(page.tab.evaluate("location.hash"), "#ABC-DEFG-HJK")
        page.host()

    def test_offline(self) -> None:
        """With the daemon stopped the page opens, and says that it is offline."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        self.works_offline(CallPage(tab))

    def test_offline_firefox(self) -> None:
        """The page opens offline in Firefox too."""
        tab = firefox().tab()
        self.addCleanup(tab.close)
        self.works_offline(CallPage(tab))

    def test_language_offline(self) -> None:
        """A page in another language keeps it without a network."""
        tab = chromium().tab(locale="ar")
        self.addCleanup(tab.close)
        page = CallPage(tab)
        self.opened(page)
        tab.reload()
        until(lambda: tab.evaluate("document.dir") == "rtl", PATIENCE, "Arabic")
        self.daemon.stop()
        tab.reload()
        until(lambda: tab.evaluate("document.dir") == "rtl", PATIENCE, "Arabic without a network")
        self.assertIn("الشبكة", page.text("offline"))
        self.again()

    def test_first_load(self) -> None:
        """The worker is fetched when the page has long been usable; what an older one kept is forgotten then."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(self.url)
        tab.evaluate("caches.open('old').then(() => {})")
        asked = "(async () => [(await navigator.serviceWorker.getRegistrations()).length, performance.now()])()"
        found, now = tab.evaluate(asked)
        if now < tab.evaluate("signald.marks.usable") + AFTER * 1000:
            self.assertEqual(found, 0)
        until(lambda: tab.evaluate(KEPT), PATIENCE, "the service worker")
        until(lambda: len(tab.evaluate("caches.keys()")) == 1, PATIENCE, "one cache alone")
        self.assertNotEqual(tab.evaluate("caches.keys()"), ["old"])

    def test_manifest(self) -> None:
        """Chromium reads it without an error, fetches its icons, and has nothing against installing it."""
        if executable() is None:
            raise SkipTest("Chromium is not installed")
        context = driver().chromium.launch_persistent_context(
            self.directory / "profile", executable_path=executable(), chromium_sandbox=False
        )
        self.addCleanup(context.close)
        tab = ChromiumTab(context)
        self.opened(CallPage(tab))
        session = context.new_cdp_session(tab.page)
        read = session.send("Page.getAppManifest")
        self.assertEqual(read["errors"], [])
        self.assertEqual(session.send("Page.getInstallabilityErrors")["installabilityErrors"], [])
        manifest = json.loads(read["data"])
        self.assertEqual((manifest["start_url"], manifest["scope"], manifest["display"]), ("/", "/", "standalone"))
        self.assertEqual({icon["sizes"] for icon in manifest["icons"]}, {"any", "192x192", "512x512"})
        self.assertEqual({icon.get("purpose", "any") for icon in manifest["icons"]}, {"any", "maskable"})
        for icon in manifest["icons"]:
            self.assertEqual(self.sides(tab, urljoin(self.url, icon["src"]), icon["sizes"]), icon["sizes"])

    def sides(self, tab: ChromiumTab, url: str, sizes: str) -> Any:
        """The sizes of an icon, which has to load; `any` of a drawing."""
        width, height = tab.evaluate(
            f"(async () => {{ const icon = new Image(); icon.src = '{url}'; await icon.decode();"
            " return [icon.naturalWidth, icon.naturalHeight]; })()"
        )
        self.assertEqual(width, height)
        return sizes if sizes == "any" else f"{width}x{height}"
