"""Tests a crash of the server in a call of six, which takes most of a machine with two cores.

Nothing else runs beside it, and neither pages nor peers send more than they have to. The sound of a peer would cost
more than its picture: five times fifty packets a second each way, which Python encrypts.
"""

from __future__ import annotations

from pathlib import Path

import av

from tests.suites.e2e.crash import PeersCase

#: The length of the film that the peers play, in seconds: longer than the test takes.
FILM_SECONDS = 300


def write_silent_film(path: Path, seconds: int) -> None:
    """Write a film of small black pictures without sound, at the rate of a peer's own pictures."""
    rate = 5
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(rate * seconds):
            container.mux(stream.encode(av.VideoFrame(160, 120, "yuv420p")))
        container.mux(stream.encode())


class SixTests(PeersCase):
    """A call of two pages and four peers."""

    def test_six(self) -> None:
        """Two pages and four peers keep all fifteen connections, from one address, in either order."""
        host = self.page()
        session = host.host()
        guest = self.page(session)
        guest.join()
        film = self.directory / "film.mp4"
        write_silent_film(film, FILM_SECONDS)
        for _ in range(4):
            self.peer("join", session, "--play", str(film))
        self.crash_with(host, guest, others=5)
