"""The page under a path of an origin, behind nginx, beside another application and another signald."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.net.keyfiles import certificates_pem, key_pem
from tests.suites.e2e.browser import Tab
from tests.suites.e2e.browsers import browser
from tests.suites.e2e.call_page import PATIENCE, CallPage, watch
from tests.suites.e2e.clinic import BEHIND_PROXY, LOCALHOST
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.program import SCRIPTS, run
from tests.suites.e2e.reverse_proxy import DEPLOY, Nginx
from tests.suites.e2e.waiting import until
from tests.support.public_authority import PublicAuthority

#: JavaScript that returns the path of the service worker that controls the page, or null.
CONTROLLER = "navigator.serviceWorker.controller && new URL(navigator.serviceWorker.controller.scriptURL).pathname"

#: JavaScript that returns whether the worker of the page is active; without one, the registration is the shop's.
ACTIVE = """(async () => {
    const registration = await navigator.serviceWorker.getRegistration();
    return registration?.active?.scriptURL === new URL("service-worker.js", location).href;
})()"""

#: JavaScript that chooses Arabic on the page.
CHOOSE_ARABIC = """void (() => {
    const list = document.getElementById("language");
    list.value = "ar";
    list.dispatchEvent(new Event("change", { bubbles: true }));
})()"""

#: The files of the other application, which is at the root of the origin and has a worker and a cache of its own.
#: nginx sends them itself, so they contain no single quote and no dollar sign.
SHOP = {
    "/": ("text/html", "<!doctype html><title>Shop</title><script src=shop.js></script>"),
    "/shop.js": (
        "text/javascript",
        'navigator.serviceWorker.register("/worker.js"); localStorage.setItem("basket", "apple");',
    ),
    "/worker.js": (
        "text/javascript",
        """
        const kept = () => caches.open("shop 1");
        addEventListener("install", (event) =>
            event.waitUntil(kept().then((cache) => cache.addAll(["/", "/shop.js"])).then(() => skipWaiting())));
        addEventListener("activate", (event) => event.waitUntil(clients.claim()));
        addEventListener("fetch", (event) => {
            if (new URL(event.request.url).pathname === "/")
                event.respondWith(kept().then((cache) => cache.match("/")));
        });
        """,
    ),
}


def location(path: str, target: str) -> str:
    """Return the block of `deploy/nginx.conf` for signald, for another path and with another target."""
    text = (DEPLOY / "nginx.conf").read_text()
    start = text.index("        location / {")
    block = text[start : text.index("        }\n", start)] + "        }\n"
    block = block.replace("location / {", f"location {path} {{")
    return block.replace("proxy_pass http://signald;", f"proxy_pass {target};")


class PathCase(SynchronousTestCase):
    """A test with signald behind nginx, whose host serves another application too.

    nginx speaks plain HTTP: on localhost that is a secure context (Secure Contexts §3.1), and Chromium takes no worker
    from a server whose certificate it does not trust.
    """

    def setUp(self) -> None:
        """Create a directory for the programs."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()

    def daemon(self, name: str, *options: str) -> Daemon:
        """Start a signald."""
        daemon = Daemon(self.directory / name, *BEHIND_PROXY, *options)
        self.addCleanup(daemon.stop)
        return daemon

    def serve(self, *, strips: bool) -> str:
        """Start nginx with the shop at the root, one signald at `/calls/` and one at `/team/`; return its origin."""
        daemon = self.daemon("calls", *([] if strips else ["--path", "/calls"]))
        team = self.daemon("team", "--path", "/team")
        pair = PublicAuthority.create().issue(LOCALHOST)
        blocks = "".join(
            f"        location = {path} {{ default_type {kind}; return 200 '{text}'; }}\n"
            for path, (kind, text) in SHOP.items()
        )
        blocks += location("/calls/", "http://signald/" if strips else "http://signald")
        blocks += location("/team/", f"http://127.0.0.1:{team.port}")
        changes = {location("/", "http://signald"): blocks, " ssl;": ";"}
        chain, key = certificates_pem(pair.chain), key_pem(pair.key)
        self.proxy = Nginx(self.directory / "nginx", daemon.port, chain, key, changes)
        self.addCleanup(self.proxy.stop)
        return f"http://localhost:{self.proxy.port}"

    def tab(self, name: str = "Chromium") -> Tab:
        """Open a tab."""
        tab = browser(name).tab()
        self.addCleanup(tab.close)
        return tab

    def installed(self, page: CallPage, url: str) -> None:
        """Open a page of signald, and wait until its worker is active."""
        page.open(url)
        until(lambda: page.tab.evaluate(ACTIVE), PATIENCE, "the service worker")


class CallTests(PathCase):
    """Calls of two."""

    def call(self, guest: str, *, strips: bool) -> None:
        """A host invites by the link that the page makes, and sound and picture flow both ways."""
        origin = self.serve(strips=strips)
        host, other = CallPage(self.tab()), CallPage(self.tab(guest))
        host.open(f"{origin}/calls")
        self.assertEqual(host.tab.evaluate("location.pathname"), "/calls/")
        session = host.host()
        link = host.tab.evaluate("document.getElementById('link').value")
        self.assertEqual(link, f"{origin}/calls/#{session}")
        other.open(link)
        other.join()
        watch(host, other)
        self.assertEqual(host.tab.messages, [])

    def test_stripped_path(self) -> None:
        """The proxy strips the path."""
        self.call("Firefox", strips=True)

    def test_passed_path(self) -> None:
        """The proxy passes the path on."""
        self.call("Chromium", strips=False)


class DirectTests(PathCase):
    """signald with a path, without a proxy."""

    def test_address(self) -> None:
        """The terminal shows the path, and a link without its last slash leads to the page with its invitation."""
        daemon = self.daemon("signald", "--path", "/calls")
        self.assertIn(f"http://localhost:{daemon.port}/calls/ ", daemon.program.stdout)
        page = CallPage(self.tab())
        page.open(f"http://localhost:{daemon.port}/calls?a=b#7Q2M9RT6ZC")
        address = page.tab.evaluate("location.pathname + location.search + location.hash")
        self.assertEqual(address, "/calls/?a=b#7Q2M9RT6ZC")
        self.assertEqual(page.tab.evaluate("document.getElementById('session-input').value"), "7Q2-M9RT-6ZC")

    def test_invalid_path(self) -> None:
        """A path that cannot be used ends the start with one sentence that names the setting."""
        file = self.directory / "signald.toml"
        file.write_text('path = "/calls/../x"\n')
        command: list[str | Path] = [SCRIPTS / "signald", "--data-dir", self.directory / "data"]
        for options, status, place in (
            (["--config", str(file)], 78, "signald.toml, line 1, path"),
            (["--path", "/calls/../x"], 1, "--path"),
        ):
            program = run([*command, *options])
            self.assertEqual(program.process.returncode, status)
            self.assertIn(f"{place}: expected a path such as / or /calls/", program.stderr)
            self.assertEqual(program.stderr.count("\n"), 1)


class OfflineTests(PathCase):
    """The page without a server."""

    def opens_offline(self, *, strips: bool) -> None:
        """The page opens offline, in the person's language, and says that it is offline."""
        url = f"{self.serve(strips=strips)}/calls/#7Q2M9RT6ZC"
        page = CallPage(self.tab())
        self.installed(page, url)
        page.tab.reload()
        page.wait_for("start")
        self.assertEqual(page.tab.evaluate(CONTROLLER), "/calls/service-worker.js")
        self.proxy.stop()
        page.tab.reload()
        page.wait_for("start")
        self.assertTrue(page.shown("offline"))
        self.assertEqual(page.tab.evaluate("document.getElementById('session-input').value"), "7Q2-M9RT-6ZC")

    def test_stripped_path(self) -> None:
        """The proxy strips the path."""
        self.opens_offline(strips=True)

    def test_passed_path(self) -> None:
        """The proxy passes the path on."""
        self.opens_offline(strips=False)


class NeighbourTests(PathCase):
    """Other programs of the same origin."""

    def test_caches_and_workers(self) -> None:
        """Each program has its own worker, and signald's deletes no cache but older ones of the same page."""
        origin = self.serve(strips=True)
        tab = self.tab()
        tab.open(f"{origin}/")
        until(lambda: tab.evaluate(CONTROLLER) == "/worker.js", PATIENCE, "the worker of the shop")
        tab.evaluate("caches.open('signald /calls/ old').then(() => {})")
        tab.evaluate("caches.open('0123456789abcdef').then(() => {})")
        for path in ("/team/", "/calls/"):
            self.installed(CallPage(tab), f"{origin}{path}")
        until(lambda: "signald /calls/ old" not in tab.evaluate("caches.keys()"), PATIENCE, "the old cache to go")
        kept = [name.rpartition(" ")[0] or name for name in sorted(tab.evaluate("caches.keys()"))]
        self.assertEqual(kept, ["0123456789abcdef", "shop", "signald /calls/", "signald /team/"])
        for path, worker in (
            ("/", "/worker.js"),
            *((path, f"{path}service-worker.js") for path in ("/calls/", "/team/")),
        ):
            tab.open(f"{origin}{path}")
            self.assertEqual(tab.evaluate(CONTROLLER), worker)

    def test_settings(self) -> None:
        """What a person chooses on one page is not what another page of the origin stores and shows."""
        origin = self.serve(strips=False)
        tab = self.tab()
        page = CallPage(tab)
        tab.open(f"{origin}/")
        page.open(f"{origin}/calls/")
        tab.evaluate(CHOOSE_ARABIC)
        until(lambda: tab.evaluate("document.dir") == "rtl", PATIENCE, "Arabic")
        page.open(f"{origin}/team/")
        self.assertNotEqual(tab.evaluate("document.dir"), "rtl")
        self.assertEqual(tab.evaluate("Object.keys(localStorage).sort()"), ["basket", "signald/calls.language"])
        page.open(f"{origin}/calls/")
        until(lambda: tab.evaluate("document.dir") == "rtl", PATIENCE, "Arabic")
