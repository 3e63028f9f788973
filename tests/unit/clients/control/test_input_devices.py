"""Tests which X servers the watch over the computer's own devices refuses."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_client.control.input_devices import InputDevices


class ServerWithout:
    """An X server that has XInput, or says that it is not there."""

    def __init__(self, extension: Any) -> None:
        self._extension = extension

    def query_extension(self, name: str) -> Any:
        """Return the answer to QueryExtension; None when there is none."""
        return self._extension


class InputDevicesTests(SynchronousTestCase):
    """`InputDevices`; what it does is tested on a real X server, in the peer suite."""

    def test_no_extension(self) -> None:
        """An X server without XInput is refused, since local input cannot be told from injected input there."""
        absent = type("Absent", (), {"present": False})()
        for extension in (None, absent):
            error = self.assertRaises(OSError, InputDevices, ServerWithout(extension))
            self.assertIn("XInput", str(error))
