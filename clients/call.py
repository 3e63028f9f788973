"""One call as the command line of `signald-peer` describes it."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from signald_client.asking import RefusedError
from signald_client.command import FLOWED, NOT_FLOWED, complain
from signald_client.media import Echo, File, Media, MediaError, PatternAndTone, Recorded, Recording
from signald_client.peer import Peer
from signald_client.server import Address, Trust, UnreachableError
from signald_client.signaling.messages import Waiting
from signald_client.signaling.session_ids import find_session_id, find_token, group_session_id
from signald_client.signaling.wire import Value

__all__ = ["MediaMaker", "call"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class MediaMaker:
    """Makes the media of each connection.

    Attributes:
        recorded: those whose traffic is recorded, in their order; the second's file has `-2` in its name, and so on.

    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.recorded: list[Recorded] = []
        self._options = options

    def make(self) -> Media:
        """Return the media for one connection.

        Raises:
            MediaError: a file cannot be played or written.

        """
        options = self._options
        if options.play is not None:
            media: Media = File(options.play)
        elif options.echo:
            media = Echo()
        else:
            width, height = options.size
            media = PatternAndTone(width, height, options.rate)
        if options.record is None:
            return media
        self.recorded.append(Recorded(media, Recording(_numbered(options.record, len(self.recorded) + 1))))
        return self.recorded[-1]


async def call(options: argparse.Namespace, reactor: Any) -> int:
    """Make the call until its end, write the report to standard output, and return the exit status.

    It runs in the loop of `reactor`, and ends on SIGINT and SIGTERM.
    """
    maker = MediaMaker(options)
    try:
        session = None if options.command == "host" else find_session_id(options.session)
        address = Address.parse(options.server)
        token = _token(options)
        trust = Trust(None if options.ca is None else options.ca.read_bytes(), not options.insecure)
        trust.options(address.host)
        # Made before anybody is there, so that what is wrong with a file is told at once.
        ready = [maker.make()]
    except (ValueError, MediaError) as error:
        return complain(str(error))
    except OSError as error:
        return complain(f"The file {error.filename} cannot be read: {error.strerror}.")

    peer = Peer(
        address,
        lambda: ready.pop() if ready else maker.make(),
        name=options.name,
        trust=trust,
        token=token,
        stay=False,
        event=_tell,
        reactor=reactor,
    )
    conversation = asyncio.ensure_future(_converse(peer, options, address, session))
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, conversation.cancel)
    sentences = []
    try:
        peer.end(await conversation)
    except asyncio.CancelledError:
        peer.end("interrupted")
    except RefusedError as error:
        peer.end(error.code)
        sentences.append(error.sentence)
    except UnreachableError as error:
        return complain(str(error))
    finally:
        report = await peer.close()
        for media in ready:
            await media.stop()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
    sys.stdout.write(report.as_json() + "\n")
    sentences += [recorded.error for recorded in maker.recorded if recorded.error is not None]
    if report.members and not report.flowed:
        sentences.append("Media did not flow both ways.")
    for sentence in sentences[:1]:
        complain(sentence)
    return FLOWED if report.flowed and not sentences else NOT_FLOWED


def _token(options: argparse.Namespace) -> str | None:
    """Return the token that the options or the link give, if any.

    Raises:
        OSError: its file cannot be read.
        ValueError: its file holds no text.

    """
    if options.token_file is not None:
        text: str = options.token_file.read_text().strip()
        return text
    return options.token or find_token(getattr(options, "session", "")) or None


async def _converse(peer: Peer, options: argparse.Namespace, address: Address, session: str | None) -> str:
    """Connect, be in the session, and return why that came to its end."""
    await peer.connect()
    if session is None:
        session = await peer.open(options.capacity, password=options.password)
        sys.stderr.write(f"{group_session_id(session)}\n{address.link(session)}\n")
        sys.stderr.flush()
    else:
        await peer.join(session, options.password)
    try:
        async with asyncio.timeout(options.duration):
            return await peer.ended()
    except TimeoutError:
        return "duration"


def _tell(event: Value) -> None:
    """Say what a person would otherwise wait for in vain."""
    if isinstance(event, Waiting):
        sys.stderr.write("Waiting for the host.\n" if event.reason == "host" else "Waiting to be admitted.\n")
        sys.stderr.flush()


def _numbered(path: Path, number: int) -> Path:
    """Return the path of the n-th recording."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
