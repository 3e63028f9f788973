"""The original dialect: an enum as serde encodes it in JSON."""

from __future__ import annotations

import json

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.core.messages import (
    Ack,
    Answer,
    Candidate,
    Candidates,
    Changed,
    Count,
    Debug,
    Done,
    Ended,
    EndReason,
    Error,
    Event,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedMessage,
    ForwardedOffer,
    GoingAway,
    Hello,
    HostChanged,
    IceError,
    Join,
    Joined,
    Knock,
    KnockOver,
    Leave,
    LeaveReason,
    Left,
    MemberAway,
    MemberBack,
    MemberJoined,
    MemberLeft,
    MemberRenewed,
    MemberView,
    Negotiation,
    NotAdmitted,
    Offer,
    Open,
    Opened,
    Pong,
    RefusalReason,
    Role,
    ServerLimits,
    SessionId,
    Source,
    UserId,
    Waiting,
    WaitReason,
    Welcome,
)
from signald.dialects.dialect import CloseFrame, DecodeError
from signald.dialects.serde import Serde

ME = UserId("0K3PB4X7WQ2M9RT6ZC8HNJVDYA")
OTHER = UserId("5V8HNJ0K3PB4X7WQ2M9RT6ZCDY")
SESSION = SessionId("7Q2M9RT6ZC")
WELCOME = Welcome(1, "signald/test", ME, (), ServerLimits(1, 1.0, 1, 2), ())
MOST_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def candidates(text: str, translation: Candidate | None, negotiation: Negotiation | None = None) -> Candidates:
    """The request that a client's candidate becomes; the translation is None where there is none."""
    batch = () if translation is None else (translation,)
    source = Source("serde", text, translated=translation is not None)
    return Candidates(SESSION, None, negotiation, batch, source=source)


def welcomed() -> Serde:
    """A connection that is welcomed and has opened a session."""
    serde = Serde()
    serde.encode(WELCOME)
    serde.encode(Opened(SESSION, 2, locked=False, lobby=False))
    return serde


class DecodeTests(SynchronousTestCase):
    """Messages of the original's clients are decoded."""

    def test_a_connection_is_welcomed_without_a_hello(self) -> None:
        """The dialect creates the hello in the client's place."""
        self.assertEqual(Serde().initial_requests(), [Hello(version=1)])

    def test_unit_variants(self) -> None:
        """A variant without fields is a bare string; serde also accepts an object with null."""
        for frame in (b'"SessionNew"', b'{"SessionNew":null}'):
            self.assertEqual(Serde().decode(frame), [Open()])
        self.assertEqual(Serde().decode(b'"Debug"'), [Debug()])

    def test_variants_with_fields(self) -> None:
        """A single field stands alone, two fields stand in a list; the session id is parsed in any spelling."""
        serde = welcomed()
        first = Negotiation(ME, 1)
        self.assertEqual(serde.decode(b'{"SessionJoin":"7q2-m9rt-6zc"}'), [Join(SESSION)])
        self.assertEqual(serde.decode(b'{"VideoOffer":["v=0","7Q2M9RT6ZC"]}'), [Offer(SESSION, None, first, "v=0")])
        self.assertEqual(serde.decode(b'{"VideoAnswer":["v=0","7Q2M9RT6ZC"]}'), [Answer(SESSION, None, first, "v=0")])
        self.assertEqual(serde.decode(b'{"ICEError":["failed","7Q2M9RT6ZC"]}'), [IceError(SESSION, None, "failed")])
        candidate = json.dumps({"candidate": "c", "sdpMid": "0", "sdpMLineIndex": 0})
        self.assertEqual(
            serde.decode(json.dumps({"IceCandidate": [candidate, SESSION]}).encode()),
            [candidates(candidate, Candidate("c", "0", 0), first)],
        )

    def test_offers_are_counted(self) -> None:
        """Each offer of this client starts the next negotiation; an answer belongs to the other's offer."""
        serde = welcomed()
        offer = b'{"VideoOffer":["v=0","7Q2M9RT6ZC"]}'
        for n in (1, 2):
            self.assertEqual(serde.decode(offer), [Offer(SESSION, None, Negotiation(ME, n), "v=0")])
        serde.encode(ForwardedOffer(SESSION, OTHER, Negotiation(OTHER, 5), "v=0"))
        self.assertEqual(
            serde.decode(b'{"VideoAnswer":["v=0","7Q2M9RT6ZC"]}'),
            [Answer(SESSION, None, Negotiation(OTHER, 5), "v=0")],
        )
        self.assertEqual(serde.decode(offer), [Offer(SESSION, None, Negotiation(ME, 1), "v=0")])

    def test_offers_are_counted_from_the_base_of_the_pair(self) -> None:
        """Offers are counted from the base of the pair with the current other member."""
        serde = welcomed()
        view = MemberView(OTHER, Role.HOST, polite=True, offers_first=False, base=4096)
        offer = b'{"VideoOffer":["v=0","7Q2M9RT6ZC"]}'
        serde.encode(Joined(SESSION, 2, False, False, Role.GUEST, (view,)))
        for n in (4097, 4098):
            self.assertEqual(serde.decode(offer), [Offer(SESSION, None, Negotiation(ME, n), "v=0")])
        serde.encode(MemberLeft(SESSION, OTHER, LeaveReason.REPLACED))
        serde.encode(MemberJoined(SESSION, evolve(view, base=8192)))
        self.assertEqual(serde.decode(offer), [Offer(SESSION, None, Negotiation(ME, 8193), "v=0")])

    def test_candidates_for_the_next_member_are_not_numbered(self) -> None:
        """Such candidates do not belong to the negotiation with the earlier member, so they have no number."""
        serde = welcomed()
        serde.encode(ForwardedOffer(SESSION, OTHER, Negotiation(OTHER, 1), "v=0"))
        serde.encode(MemberLeft(SESSION, OTHER, LeaveReason.LEFT))
        frame = json.dumps({"IceCandidate": ['{"candidate":"c"}', SESSION]}).encode()
        self.assertEqual(serde.decode(frame), [candidates('{"candidate":"c"}', Candidate("c"))])

    def test_candidates_before_any_offer_are_not_numbered(self) -> None:
        """Candidates before the first offer belong to no negotiation."""
        frame = json.dumps({"IceCandidate": ['{"candidate":"c"}', SESSION]}).encode()
        self.assertEqual(welcomed().decode(frame), [candidates('{"candidate":"c"}', Candidate("c"))])

    def test_sessions_of_others_leave_no_trace(self) -> None:
        """Negotiations are stored for the client's own sessions only, so that a client cannot fill the memory."""
        serde = welcomed()
        for n in range(100):
            serde.decode(json.dumps({"VideoOffer": ["v=0", f"{n:010}"]}).encode())
        self.assertEqual(list(serde.negotiations), [SESSION])
        for event in (Ended(SESSION, EndReason.IDLE), Left(SESSION)):
            serde.encode(event)
            self.assertEqual(serde.negotiations, {})

    def test_other_values_than_variants_are_refused(self) -> None:
        """Events, wrong numbers of fields and fields that are not texts are errors."""
        for frame in (
            b"", b"\xff", b"null", b"5", b"[]", b"{}", b'""', b'"NewUser"', b'{"NewUser":"x"}', b'"SessionJoin"',
            b'{"SessionJoin":5}', b'{"SessionJoin":["a","b"]}', b'{"VideoOffer":"v=0"}', b'{"VideoOffer":["v=0",5]}',
            b'{"VideoOffer":["a","b","c"]}', b'{"SessionNew":"x"}', b'{"SessionNew":null,"Debug":null}',
            b'{"IceCandidate":"c"}', b'{"IceCandidate":["c"]}', b'{"IceCandidate":[{"candidate":"c"},"7Q2M9RT6ZC"]}',
            b'{"IceCandidate":["\\ud800","7Q2M9RT6ZC"]}',
        ):  # fmt: skip
            error = self.assertRaises(DecodeError, welcomed().decode, frame)
            assert isinstance(error, DecodeError)
            self.assertEqual(error.code, ErrorCode.BAD_MESSAGE)

    def test_any_string_is_a_candidate(self) -> None:
        """A string that is not a candidate's JSON is kept, and has no translation."""
        for text in ("", " ", "null", "[]", "{}", "{", "candidate:1 1 udp 1 192.0.2.7 5 typ host", "\0", "[" * 2000):
            frame = json.dumps({"IceCandidate": [text, SESSION]}).encode()
            self.assertEqual(welcomed().decode(frame), [candidates(text, None)])

    def test_candidates_are_translated_strictly(self) -> None:
        """A candidate's own keys have types and bounds, or there is no translation; other keys are ignored."""
        for body in (
            {"candidate": 5},
            {"candidate": None},
            {"candidate": "c" * 4097},
            {"candidate": "c", "sdpMid": 0},
            {"candidate": "c", "sdpMLineIndex": "0"},
            {"candidate": "c", "sdpMLineIndex": True},
            {"candidate": "c", "sdpMLineIndex": -1},
            {"candidate": "c", "sdpMLineIndex": 65536},
        ):
            frame = json.dumps({"IceCandidate": [json.dumps(body), SESSION]}).encode()
            self.assertEqual(welcomed().decode(frame), [candidates(json.dumps(body), None)])
        text = '{"candidate":"c","sdpMid":null,"x":1}'
        frame = json.dumps({"IceCandidate": [text, SESSION]}).encode()
        self.assertEqual(welcomed().decode(frame), [candidates(text, Candidate("c"))])

    def test_a_long_error_text_is_cut_for_other_dialects(self) -> None:
        """A text of more than 1,024 characters is cut; the whole is kept beside it."""
        for text, source in (("é" * 1024, None), ("é" * 1025, Source("serde", "é" * 1025))):
            frame = json.dumps({"ICEError": [text, SESSION]}).encode()
            self.assertEqual(welcomed().decode(frame), [IceError(SESSION, None, "é" * 1024, source=source)])

    @given(st.binary(max_size=100) | MOST_TEXT.map(str.encode))
    def test_nothing_else_raises(self, frame: bytes) -> None:
        """Any input is either a request or a `DecodeError`."""
        try:
            Serde().decode(frame)
        except DecodeError as error:
            self.assertEqual(error.code, ErrorCode.BAD_MESSAGE)


class RoundTripTests(SynchronousTestCase):
    """Messages between two clients of the original are not changed."""

    @given(MOST_TEXT)
    def test_descriptions_and_errors(self, text: str) -> None:
        """Any text arrives as it was sent."""
        negotiation = Negotiation(OTHER, 1)
        for event, name in (
            (ForwardedOffer(SESSION, OTHER, negotiation, text), "VideoOffer"),
            (ForwardedAnswer(SESSION, OTHER, negotiation, text), "VideoAnswer"),
            (ForwardedIceError(SESSION, OTHER, text), "ICEError"),
        ):
            [frame] = welcomed().encode(event)
            assert isinstance(frame, bytes)
            self.assertEqual(json.loads(frame), {name: [text, SESSION]})
            [request] = welcomed().decode(frame)
            self.assertIn(text, (getattr(request, "sdp", None), getattr(request, "text", None)))

    @given(MOST_TEXT, st.none() | MOST_TEXT, st.none() | st.integers(0, 65535), st.none() | MOST_TEXT)
    def test_candidates(self, text: str, mid: str | None, index: int | None, fragment: str | None) -> None:
        """A native member's candidate is translated to itself after encoding and decoding."""
        candidate = Candidate(text, mid, index, fragment)
        [frame] = welcomed().encode(ForwardedCandidates(SESSION, OTHER, (candidate,)))
        assert isinstance(frame, bytes)
        [request] = welcomed().decode(frame)
        assert isinstance(request, Candidates)
        self.assertEqual(request.candidates, (candidate,))

    @given(MOST_TEXT)
    def test_sources(self, text: str) -> None:
        """A source is encoded as it was sent, whatever the translation is."""
        [request] = welcomed().decode(json.dumps({"IceCandidate": [text, SESSION]}).encode())
        assert isinstance(request, Candidates)
        for batch in ((), (Candidate("another"),)):
            [frame] = welcomed().encode(ForwardedCandidates(SESSION, OTHER, batch, source=request.source))
            assert isinstance(frame, bytes)
            self.assertEqual(json.loads(frame), {"IceCandidate": [text, SESSION]})
        [frame] = welcomed().encode(ForwardedIceError(SESSION, OTHER, "cut", Source("serde", text)))
        assert isinstance(frame, bytes)
        self.assertEqual(json.loads(frame), {"ICEError": [text, SESSION]})

    def test_a_native_member_s_candidate_has_the_form_of_the_original(self) -> None:
        """It has the three keys of the original, in the original's order, without white space."""
        frame = (
            b'{"IceCandidate":["{\\"candidate\\":\\"c\\",\\"sdpMid\\":\\"0\\",\\"sdpMLineIndex\\":0}","7Q2M9RT6ZC"]}'
        )
        event = ForwardedCandidates(SESSION, OTHER, (Candidate("c", "0", 0),))
        self.assertEqual(welcomed().encode(event), [frame])


class EncodeTests(SynchronousTestCase):
    """Events are encoded as the clients of the original Rust tutorial expect them."""

    def test_a_batch_is_one_frame_a_candidate(self) -> None:
        """The end of candidates is not encoded, since it is no candidate."""
        batch = ForwardedCandidates(SESSION, OTHER, (Candidate("a"), Candidate("b")), Negotiation(OTHER, 1), end=True)
        self.assertEqual(len(welcomed().encode(batch)), 2)
        self.assertEqual(welcomed().encode(ForwardedCandidates(SESSION, OTHER, (), None, end=True)), [])

    def test_events_that_the_protocol_lacks_are_dropped(self) -> None:
        """The client gets no message when another member joins or leaves."""
        view = MemberView(OTHER, Role.GUEST, polite=True, offers_first=False, base=0)
        events: list[Event] = [
            MemberJoined(SESSION, view),
            MemberLeft(SESSION, OTHER, LeaveReason.GONE),
            MemberAway(SESSION, OTHER),
            MemberBack(SESSION, OTHER),
            MemberRenewed(SESSION, view),
            HostChanged(SESSION, ME),
            Changed(SESSION, locked=True, lobby=False),
            Waiting(SESSION, WaitReason.HOST),
            NotAdmitted(SESSION, RefusalReason.FULL),
            Knock(SESSION, OTHER),
            KnockOver(SESSION, OTHER),
            ForwardedMessage(SESSION, OTHER, "hello"),
            Ended(SESSION, EndReason.HOST_LEFT),
            Left(SESSION),
            Done(),
            Ack(Count(1)),
            GoingAway(2.0),
            Pong(),
        ]
        for event in events:
            self.assertEqual(welcomed().encode(event), [])

    def test_encoded_variants(self) -> None:
        """Each frame equals the one that serde writes."""
        for event, frame in (
            (WELCOME, b'{"NewUser":"0K3PB4X7WQ2M9RT6ZC8HNJVDYA"}'),
            (Opened(SESSION, 2, locked=False, lobby=False), b'{"SessionReady":"7Q2M9RT6ZC"}'),
            (Joined(SESSION, 2, False, False, Role.GUEST, ()), b'{"SessionJoinSuccess":"7Q2M9RT6ZC"}'),
        ):
            self.assertEqual(Serde().encode(event), [frame])

    def test_errors_are_encoded_as_far_as_the_protocol_can(self) -> None:
        """A failed join and a member's error have a variant each.

        Other errors close the connection; outsiders get none.
        """
        for error, frames in (
            (Error(ErrorCode.SESSION_FULL, Join), [b'{"SessionJoinError":"The session is full."}']),
            (
                Error(ErrorCode.TOO_MANY_CANDIDATES, Candidates, SESSION),
                [b'{"ICEError":["Too many candidates wait for the other person to join.","7Q2M9RT6ZC"]}'],
            ),
            (Error(ErrorCode.NOT_A_MEMBER, Offer), []),
            (Error(ErrorCode.NOT_A_MEMBER, Leave), []),
            (Error(ErrorCode.BAD_MESSAGE), [CloseFrame(1007, "bad-message")]),
            (Error(ErrorCode.TOO_MANY_SESSIONS, Open), [CloseFrame(1008, "too-many-sessions")]),
        ):
            self.assertEqual(welcomed().encode(error), frames)
