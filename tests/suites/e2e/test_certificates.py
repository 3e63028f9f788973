"""Tests the certificate of the local authority with programs that trust only this authority."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.suites.e2e import chromium
from tests.suites.e2e.chromium import Chromium
from tests.suites.e2e.daemon import Daemon


class CertificateTests(SynchronousTestCase):
    """Tests of clients that trust the authority, and of clients that do not."""

    def setUp(self) -> None:
        """Start a daemon with a new authority."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.daemon = Daemon(self.directory)
        self.addCleanup(self.daemon.stop)

    def page(self, address: str, host: str, context: ssl.SSLContext) -> bytes:
        """Return the beginning of the response to a request for the page.

        Raises:
            ssl.SSLCertVerificationError: the certificate is not valid for that host.

        """
        authority = f"[{host}]" if ":" in host else host
        request = f"GET / HTTP/1.1\r\nHost: {authority}:{self.daemon.port}\r\nConnection: close\r\n\r\n"
        with (
            socket.create_connection((address, self.daemon.port), 10) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            connection.sendall(request.encode())
            return connection.recv(1024)

    def test_names(self) -> None:
        """The certificate is valid for localhost, for the loopback addresses and for every address on the terminal."""
        context = ssl.create_default_context(cafile=self.daemon.authority)
        hosts = {"localhost", "127.0.0.1"}
        shown = {urlsplit(url).hostname or "" for url in self.daemon.urls}
        hosts |= {host for host in shown if not host.endswith(".local")}
        for host in hosts:
            self.assertTrue(self.page(host, host, context).startswith(b"HTTP/1.1 200 "), host)
        for name in shown - hosts:
            self.assertTrue(self.page("127.0.0.1", name, context).startswith(b"HTTP/1.1 200 "), name)

    def test_strangers(self) -> None:
        """The certificate is valid for no other name, and for no client that does not trust the authority."""
        context = ssl.create_default_context(cafile=self.daemon.authority)
        self.assertRaises(ssl.SSLCertVerificationError, self.page, "127.0.0.1", "example.org", context)
        unaware = ssl.create_default_context()
        self.assertRaises(ssl.SSLCertVerificationError, self.page, "127.0.0.1", "localhost", unaware)

    def test_restart(self) -> None:
        """A client that trusts the authority still trusts the certificate after a restart."""
        context = ssl.create_default_context(cafile=self.daemon.authority)
        self.daemon.stop()
        self.daemon = Daemon(self.directory)
        self.addCleanup(self.daemon.stop)
        self.assertTrue(self.page("127.0.0.1", "localhost", context).startswith(b"HTTP/1.1 200 "))

    def test_browser(self) -> None:
        """Chromium opens the page without a warning if it trusts the authority, and shows a warning otherwise."""
        for program in ("chromium", "certutil"):
            if shutil.which(program) is None:
                raise SkipTest(f"{program} is not installed")
        home = self.directory / "home"
        store = home / ".pki" / "nssdb"
        store.mkdir(parents=True)
        database = ["certutil", "-d", f"sql:{store}"]
        subprocess.run([*database, "-N", "--empty-password"], check=True)
        subprocess.run([*database, "-A", "-t", "C,,", "-n", "test", "-i", self.daemon.authority], check=True)
        for trusted in (True, False):
            home_of = home if trusted else self.directory / "other-home"
            browser = Chromium(environment={**os.environ, "HOME": str(home_of)})
            try:
                tab = browser.tab(ignore_https_errors=False)
                if trusted:
                    tab.open(self.daemon.url)
                    self.assertTrue(tab.evaluate("isSecureContext"))
                else:
                    self.assertRaises(chromium.Error, tab.open, self.daemon.url)
            finally:
                browser.close()
