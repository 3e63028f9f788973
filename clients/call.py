"""Runs the call that the command line of `signald-peer` describes."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from signald_client.errors import ControlError, MediaError, RefusedError, UnreachableError
from signald_client.exit_status import EXIT_FLOWED, EXIT_NOT_FLOWED, print_error
from signald_client.media import EchoMedia, FileMedia, Media
from signald_client.pattern import PatternAndTone
from signald_client.peer import Peer
from signald_client.recording import RecordedMedia, Recording
from signald_client.report import Report
from signald_client.server import Address, Trust
from signald_client.signaling.messages import Waiting
from signald_client.signaling.session_ids import find_session_id, find_token, group_session_id
from signald_client.signaling.wire import Value

if TYPE_CHECKING:
    from signald_client.control.screen_share import ScreenShare

__all__ = ["MediaFactory", "run_call"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class MediaFactory:
    """Creates the media of each connection from the options.

    Attributes:
        recorded: the media that are recorded, in their order; the second one's file has `-2` in its name, and so on.

    """

    def __init__(self, options: argparse.Namespace, screen: ScreenShare | None = None) -> None:
        self.recorded: list[RecordedMedia] = []
        self._options = options
        self._screen = screen

    def make_media(self) -> Media:
        """Return the media for one connection.

        Raises:
            MediaError: a file cannot be played or written.

        """
        options = self._options
        if self._screen is not None:
            return self._screen.make_media()
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


@dataclass
class _Preparation:
    """What the command line names, checked before the call.

    Attributes:
        session: the session to join; None to open one.
        address: the server's address.
        token: the token that the options or the link give; None without one.
        trust: the trust in the server's certificate.
        first_media: the media of the first connection. They are created before there is another member, so that an
            error in a file is reported at once.

    """

    session: str | None
    address: Address
    token: str | None
    trust: Trust
    first_media: list[Media]


async def run_call(options: argparse.Namespace, reactor: Any) -> int:
    """Run the call to its end, write the report to standard output, and return the exit status.

    The call runs in the event loop of `reactor`, and ends on SIGINT and SIGTERM.
    """
    screen = None
    try:
        try:
            if options.command == "screen":
                screen = await _share_screen(options)
            factory = MediaFactory(options, screen)
            prepared = _prepare(options, factory)
        except (ControlError, MediaError, ValueError) as error:
            return print_error(str(error))
        except OSError as error:
            return print_error(f"The file {error.filename} cannot be read: {error.strerror}.")
        return await _make_call(options, prepared, factory, screen, reactor)
    finally:
        if screen is not None:
            await screen.close()


async def _share_screen(options: argparse.Namespace) -> ScreenShare:
    # Xlib, which this needs, is in an extra of its own.
    from signald_client.control.screen_share import ScreenShare

    return await ScreenShare.start(options)


async def _make_call(
    options: argparse.Namespace,
    prepared: _Preparation,
    factory: MediaFactory,
    screen: ScreenShare | None,
    reactor: Any,
) -> int:
    """Make the call, print the report, and return the exit status.

    Arguments:
        options: the options of the command line.
        prepared: what the options name.
        factory: creates the media of each connection.
        screen: the screen to share; None for another call.
        reactor: the reactor in whose event loop the call runs.

    """
    first_media = prepared.first_media
    peer = Peer(
        prepared.address,
        lambda: first_media.pop() if first_media else factory.make_media(),
        name=options.name,
        trust=prepared.trust,
        token=prepared.token,
        # A screen stays shared until its user ends that.
        stay_alone=screen is not None,
        on_event=_print_waiting if screen is None else _event_handler(screen),
        channels=None if screen is None else screen.control,
        reactor=reactor,
    )
    conversation = asyncio.ensure_future(_take_part(peer, options, prepared))
    sentences = []
    with _cancelled_by_signals(conversation):
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
            for media in first_media:
                await media.stop()
    sentences += [recorded.error for recorded in factory.recorded if recorded.error is not None]
    if screen is None:
        return _print_report(report, sentences)
    report.control = screen.control.as_plain()
    return _print_report(report, sentences, sends_only=True)


def _event_handler(screen: ScreenShare) -> Callable[[Value], None]:
    """Return a function that passes each event on to whoever has to know."""

    def handle(event: Value) -> None:
        _print_waiting(event)
        screen.control.session_event(event)

    return handle


def _prepare(options: argparse.Namespace, factory: MediaFactory) -> _Preparation:
    """Check the options as far as possible without a server.

    Raises:
        OSError: a file cannot be read.
        ValueError: an option or the content of a file is invalid.
        MediaError: a file cannot be played or written.

    """
    named = getattr(options, "session", None)
    session = None if named is None else find_session_id(named)
    address = Address.parse(options.server)
    token = _read_token(options)
    trust = Trust(None if options.ca is None else options.ca.read_bytes(), not options.insecure)
    trust.tls_options(address.host)
    return _Preparation(session, address, token, trust, [factory.make_media()])


@contextmanager
def _cancelled_by_signals(conversation: asyncio.Future[str]) -> Iterator[None]:
    """Cancel the conversation when a signal arrives, until the block ends."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, conversation.cancel)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def _print_report(report: Report, sentences: list[str], *, sends_only: bool = False) -> int:
    """Print the report and the first of the sentences about what went wrong, and return the exit status.

    Arguments:
        report: the report.
        sentences: what went wrong.
        sends_only: whether it is no fault that nothing was received.

    """
    sys.stdout.write(report.as_json() + "\n")
    flowed = report.flowed or sends_only
    if report.members and not flowed:
        if any(member.dtls_state == "failed" for member in report.members):
            sentences.append(
                "The DTLS handshake with a member failed, although there was a path to it: its program and this one "
                "have no cipher suite in common, or its certificate is not that of the offer or answer."
            )
        sentences.append("Media did not flow both ways.")
    for sentence in sentences[:1]:
        print_error(sentence)
    return EXIT_FLOWED if flowed and not sentences else EXIT_NOT_FLOWED


def _read_token(options: argparse.Namespace) -> str | None:
    """Return the token that the options or the link give, if any.

    Raises:
        OSError: the token file cannot be read.
        ValueError: the token file is not text.

    """
    if options.token_file is not None:
        text: str = options.token_file.read_text().strip()
        return text
    return options.token or find_token(getattr(options, "session", None) or "") or None


async def _take_part(peer: Peer, options: argparse.Namespace, prepared: _Preparation) -> str:
    """Connect, take part in the session, and return why that ended."""
    await peer.connect()
    session = prepared.session
    if session is None:
        session = await peer.open_session(options.capacity, password=options.password)
        sys.stderr.write(f"{group_session_id(session)}\n{prepared.address.link(session)}\n")
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
