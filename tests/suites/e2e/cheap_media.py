"""Media with which two cores bear a call of six or eight: small pictures, few of them, and no sound.

The sound of a peer would cost more than its picture: in a call of six, five times fifty packets a second each way,
which Python encrypts. With the usual pictures and sound such a call takes all of two idle cores, and any other work
delays it.
"""

from __future__ import annotations

from pathlib import Path

import av

from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import CallPage

#: The size of a picture, and the pictures of a second.
WIDTH, HEIGHT, RATE = 160, 120, 5

#: The options of a peer that gives it such pictures.
PICTURE = ("--size", f"{WIDTH}x{HEIGHT}", "--rate", str(RATE))

#: The length of the film that peers play, in seconds: longer than a test takes.
FILM_SECONDS = 300

#: JavaScript that gives a page a small camera and no microphone.
SMALL_CAMERA = f"""(({{ getUserMedia, enumerateDevices }}) => {{
  MediaDevices.prototype.enumerateDevices = async function () {{
    return (await enumerateDevices.call(this)).filter(({{ kind }}) => kind !== "audioinput");
  }};
  MediaDevices.prototype.getUserMedia = function () {{
    return getUserMedia.call(this, {{ video: {{ width: {WIDTH}, height: {HEIGHT}, frameRate: {RATE} }} }});
  }};
}})(MediaDevices.prototype)"""


def write_silent_film(path: Path) -> None:
    """Write a film of small black pictures without sound, which a peer plays as it is."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for _ in range(RATE * FILM_SECONDS):
            container.mux(stream.encode(av.VideoFrame(WIDTH, HEIGHT, "yuv420p")))
        container.mux(stream.encode())


def open_small_page(url: str) -> CallPage:
    """Open the call page in a new tab of Chromium that has a small camera and no microphone."""
    tab = chromium().tab()
    tab.page.add_init_script(SMALL_CAMERA)
    page = CallPage(tab)
    page.open(url)
    return page
