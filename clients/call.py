"""Runs the call that the command line of `signald-peer` describes."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from signald_client.errors import MediaError, RefusedError, UnreachableError
from signald_client.exit_status import EXIT_FLOWED, EXIT_NOT_FLOWED, print_error
from signald_client.media import EchoMedia, FileMedia, Media
from signald_client.pattern import PatternAndTone
from signald_client.peer import Peer
from signald_client.recording import RecordedMedia, Recording
from signald_client.server import Address, Trust
from signald_client.signaling.messages import Waiting
from signald_client.signaling.session_ids import find_session_id, find_token, group_session_id
from signald_client.signaling.wire import Value

__all__ = ["MediaFactory", "run_call"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class MediaFactory:
    """Creates the media of each connection from the options.

    Attributes:
        recorded: the media that are recorded, in their order; the second one's file has `-2` in its name, and so on.

    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.recorded: list[RecordedMedia] = []
        self._options = options

    def make_media(self) -> Media:
        """Return the media for one connection.

        Raises:
            MediaError: a file cannot be played or written.

        """
        options = self._options
        if options.play is not None:
            media: Media = FileMedia(options.play)
        elif options.echo:
            media = EchoMedia()
        else:
            width, height = options.size
            media = PatternAndTone(width, height, options.rate)
        if options.record is None:
            return media
        self.recorded.append(RecordedMedia(media, Recording(_numbered(options.record, len(self.recorded) + 1))))
        return self.recorded[-1]


async def run_call(options: argparse.Namespace, reactor: Any) -> int:
    """Run the call to its end, write the report to standard output, and return the exit status.

    The call runs in the event loop of `reactor`, and ends on SIGINT and SIGTERM.
    """
    factory = MediaFactory(options)
    try:
        session = None if options.command == "host" else find_session_id(options.session)
        address = Address.parse(options.server)
        token = _read_token(options)
        trust = Trust(None if options.ca is None else options.ca.read_bytes(), not options.insecure)
        trust.tls_options(address.host)
        # Created before there is another member, so that an error in a file is reported at once.
        ready = [factory.make_media()]
    except (ValueError, MediaError) as error:
        return print_error(str(error))
    except OSError as error:
        return print_error(f"The file {error.filename} cannot be read: {error.strerror}.")

    peer = Peer(
        address,
        lambda: ready.pop() if ready else factory.make_media(),
        name=options.name,
        trust=trust,
        token=token,
        stay_alone=False,
        on_event=_print_waiting,
        reactor=reactor,
    )
    conversation = asyncio.ensure_future(_take_part(peer, options, address, session))
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, conversation.cancel)
    sentences = []
    try:
        peer.stop(await conversation)
    except asyncio.CancelledError:
        peer.stop("interrupted")
    except RefusedError as error:
        peer.stop(error.code)
        sentences.append(error.sentence)
    except UnreachableError as error:
        return print_error(str(error))
    finally:
        report = await peer.close()
        for media in ready:
            await media.stop()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
    sys.stdout.write(report.as_json() + "\n")
    sentences += [recorded.error for recorded in factory.recorded if recorded.error is not None]
    if report.members and not report.flowed:
        sentences.append("Media did not flow both ways.")
    for sentence in sentences[:1]:
        print_error(sentence)
    return EXIT_FLOWED if report.flowed and not sentences else EXIT_NOT_FLOWED


def _read_token(options: argparse.Namespace) -> str | None:
    """Return the token that the options or the link give, if any.

    Raises:
        OSError: the token file cannot be read.
        ValueError: the token file is not text.

    """
    if options.token_file is not None:
        text: str = options.token_file.read_text().strip()
        return text
    return options.token or find_token(getattr(options, "session", "")) or None


async def _take_part(peer: Peer, options: argparse.Namespace, address: Address, session: str | None) -> str:
    """Connect, take part in the session, and return why that ended."""
    await peer.connect()
    if session is None:
        session = await peer.open_session(options.capacity, password=options.password)
        sys.stderr.write(f"{group_session_id(session)}\n{address.link(session)}\n")
        sys.stderr.flush()
    else:
        await peer.join_session(session, options.password)
    try:
        async with asyncio.timeout(options.duration):
            return await peer.wait_until_ended()
    except TimeoutError:
        return "duration"


def _print_waiting(event: Value) -> None:
    """Tell the user that the peer waits for the host."""
    if isinstance(event, Waiting):
        sys.stderr.write("Waiting for the host.\n" if event.reason == "host" else "Waiting to be admitted.\n")
        sys.stderr.flush()


def _numbered(path: Path, number: int) -> Path:
    """Return the path of the recording with this number, from 1."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
