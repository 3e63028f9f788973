"""The browsers that the tests share: each starts at its first use, and ends with the test process."""

from __future__ import annotations

import atexit
import functools
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.suites.e2e.browser import Browser
from tests.suites.e2e.chromium import Chromium, windowed_executable
from tests.suites.e2e.chromium import executable as chromium_executable
from tests.suites.e2e.firefox import Firefox
from tests.suites.e2e.firefox import executable as firefox_executable
from tests.suites.e2e.webkit import WebKit
from tests.suites.e2e.webkit import executable as webkit_executable


@functools.cache
def chromium() -> Chromium:
    """Return the shared Chromium.

    Raises:
        SkipTest: there is no Chromium on this machine.

    """
    return _start_chromium()


@functools.cache
def chromium_without_camera() -> Chromium:
    """Return the shared Chromium that refuses camera and microphone to every page.

    It is the whole browser: the headless build has nobody to ask, and says that there are no devices.

    Raises:
        SkipTest: there is no Chromium on this machine.

    """
    return _start_chromium(camera=False, program=windowed_executable())


@functools.cache
def chromium_with_two_cameras() -> Chromium:
    """Return the shared Chromium that has two cameras, which is the whole browser.

    Raises:
        SkipTest: there is no Chromium on this machine.

    """
    return _start_chromium(cameras=2, program=windowed_executable())


def _start_chromium(**options: Any) -> Chromium:
    if chromium_executable() is None:
        raise SkipTest("Chromium is not installed")
    browser = Chromium(sparing=True, **options)
    atexit.register(browser.close)
    return browser


@functools.cache
def firefox() -> Firefox:
    """Return the shared Firefox.

    Raises:
        SkipTest: there is no Firefox on this machine.

    """
    if firefox_executable() is None:
        raise SkipTest("Firefox ESR is not installed")
    browser = Firefox()
    atexit.register(browser.close)
    return browser


@functools.cache
def webkit() -> WebKit:
    """Return the shared WebDriver of WebKitGTK.

    Raises:
        SkipTest: there is no WebKitWebDriver on this machine.

    """
    if webkit_executable() is None:
        raise SkipTest("WebKitGTK's WebDriver is not installed")
    browser = WebKit()
    atexit.register(browser.close)
    return browser


def browser(name: str) -> Browser:
    """Return the shared browser of that name.

    Raises:
        SkipTest: the browser is not installed on this machine.

    """
    return chromium() if name == Chromium.name else firefox()
