"""Tests index.html, which the page shows before its Python code runs."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.test_languages import PAGE


class IndexTests(SynchronousTestCase):
    """What index.html shows."""

    def test_pickers(self) -> None:
        """Controls of the device pickers, whose module is loaded when they are opened, are disabled until then."""
        source = PAGE.joinpath("index.html").read_text()
        pickers = source[source.index('<div id="pickers">') : source.index("</details>", source.index('id="pickers"'))]
        controls = re.findall(r"<(?:select|input|button)[^>]*>", pickers)
        self.assertGreater(len(controls), 5)
        self.assertEqual([control for control in controls if " disabled" not in control], [])
