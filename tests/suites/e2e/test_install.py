"""Tests the page as an installed app: its manifest, its icons, and opening it offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.suites.e2e.browsers import chromium, firefox
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.chromium import ChromiumTab, driver, windowed_executable
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.waiting import until

#: The seconds after the load of the page before it fetches the service worker.
AFTER = 3.0

#: JavaScript that returns whether a service worker has cached the page.
KEPT = "(async () => Boolean((await navigator.serviceWorker.getRegistration())?.active))()"


class InstallTests(SynchronousTestCase):
    """Tests of a page over plain HTTP on localhost, which is a secure context as HTTPS is (Secure Contexts §3.1)."""

    def setUp(self) -> None:
        """Start the daemon."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.daemon = Daemon(self.directory, "--no-tls")
        self.addCleanup(lambda: self.daemon.stop())
        self.url = f"http://localhost:{self.daemon.port}/"

    def again(self) -> None:
        """Start the daemon again on the same port."""
        self.daemon = Daemon(self.directory, "--no-tls", "--port", str(self.daemon.port))

    def opened(self, page: CallPage, fragment: str = "") -> None:
        """Open the page, and wait until the service worker has cached it."""
        page.open(self.url + fragment)
        until(lambda: page.tab.evaluate(KEPT), PATIENCE, "the service worker")

    def works_offline(self, page: CallPage) -> None:
        """Assert that the page opens without the server, shows that it is offline, and works again with the server."""
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
        page.tab.click("header a")
        page.host()

    def test_offline(self) -> None:
        """When the daemon is stopped the page opens, and shows that it is offline."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        self.works_offline(CallPage(tab))

    def test_offline_firefox(self) -> None:
        """The page opens offline in Firefox too."""
        tab = firefox().tab()
        self.addCleanup(tab.close)
        self.works_offline(CallPage(tab))

    def test_language_offline(self) -> None:
        """A page in another language keeps its language when it is offline."""
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
        """The page fetches the worker only some time after its load; its older caches are deleted, and no others."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(self.url)
        for name in ("of another program", "signald / old"):
            tab.evaluate(f"caches.open('{name}').then(() => {{}})")
        asked = "(async () => [(await navigator.serviceWorker.getRegistrations()).length, performance.now()])()"
        found, now = tab.evaluate(asked)
        if now < tab.evaluate("signald.marks.usable") + AFTER * 1000:
            self.assertEqual(found, 0)
        until(lambda: tab.evaluate(KEPT), PATIENCE, "the service worker")
        until(lambda: len(tab.evaluate("caches.keys()")) == 2, PATIENCE, "one cache alone")
        kept, own = sorted(tab.evaluate("caches.keys()"))
        self.assertEqual(kept, "of another program")
        self.assertRegex(own, r"^signald / [0-9a-f]{16}$")

    def test_manifest(self) -> None:
        """Chromium reads the manifest without an error, fetches the icons, and could install the page."""
        if windowed_executable() is None:
            raise SkipTest("Chromium is not installed")
        context = driver().chromium.launch_persistent_context(
            self.directory / "profile", executable_path=windowed_executable(), chromium_sandbox=False
        )
        self.addCleanup(context.close)
        tab = ChromiumTab(context)
        self.opened(CallPage(tab))
        session = context.new_cdp_session(tab.page)
        read = session.send("Page.getAppManifest")
        self.assertEqual(read["errors"], [])
        self.assertEqual(session.send("Page.getInstallabilityErrors")["installabilityErrors"], [])
        manifest = json.loads(read["data"])
        self.assertEqual((manifest["start_url"], manifest["scope"], manifest["display"]), ("./", "./", "standalone"))
        self.assertEqual({icon["sizes"] for icon in manifest["icons"]}, {"any", "192x192", "512x512"})
        self.assertEqual({icon.get("purpose", "any") for icon in manifest["icons"]}, {"any", "maskable"})
        for icon in manifest["icons"]:
            self.assertEqual(self.sides(tab, urljoin(self.url, icon["src"]), icon["sizes"]), icon["sizes"])

    def sides(self, tab: ChromiumTab, url: str, sizes: str) -> Any:
        """Load an icon, and return its size; `any` for a vector image."""
        width, height = tab.evaluate(
            f"(async () => {{ const icon = new Image(); icon.src = '{url}'; await icon.decode();"
            " return [icon.naturalWidth, icon.naturalHeight]; })()"
        )
        self.assertEqual(width, height)
        return sizes if sizes == "any" else f"{width}x{height}"
