"""Tests of the claims of verified tokens: what is wrong with them is said in a sentence."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald.auth.token_claims import ClaimRules, TokenError, read_grant
from signald.core.errors import ErrorCode
from signald.core.messages import Role
from tests.support.access import NOW

GOOD: dict[str, Any] = {"sub": "ann", "exp": NOW + 60}


class MismatchTests(SynchronousTestCase):
    """Each wrong claim is named with what was expected and found."""

    def mismatch(self, claims: dict[str, Any], rules: ClaimRules | None = None) -> str:
        """Return the sentence about Ann's claims with some values replaced; None leaves a claim out."""
        merged = {name: value for name, value in {**GOOD, **claims}.items() if value is not None}
        with self.assertRaises(TokenError) as caught:
            read_grant(merged, rules or ClaimRules(), NOW)
        self.assertFalse(caught.exception.is_guess)
        expired = caught.exception.mismatch.expected.startswith("a time after 2027")
        code = ErrorCode.TOKEN_EXPIRED if expired else ErrorCode.TOKEN_INVALID
        self.assertIs(caught.exception.code, code)
        sentence: str = caught.exception.mismatch.sentence
        return sentence

    def test_times(self) -> None:
        """A time that cannot be meant is told from one that is over."""
        seconds = "a time in seconds since 1970"
        for claims, sentence in (
            ({"exp": None}, f"exp: expected {seconds}, found nothing."),
            ({"exp": "soon"}, f"exp: expected {seconds}, found a text of 4 characters."),
            ({"exp": True}, f"exp: expected {seconds}, found true or false."),
            (
                {"exp": NOW * 1000},
                f"exp: expected {seconds}, up to the year 9999, found 1800000000000, which are milliseconds.",
            ),
            (
                {"exp": 253_402_300_800},
                f"exp: expected {seconds}, up to the year 9999, found 253402300800.",
            ),
            ({"exp": 10**400}, f"exp: expected {seconds}, up to the year 9999, found no number of up to 15 digits."),
            (
                {"exp": float("nan")},
                f"exp: expected {seconds}, up to the year 9999, found no number of up to 15 digits.",
            ),
            ({"exp": -1}, f"exp: expected {seconds}, up to the year 9999, found -1."),
            ({"exp": 3600}, "exp: expected a time after the year 2000, in seconds since 1970, found 3600."),
            ({"exp": 946_684_799}, "exp: expected a time after the year 2000, in seconds since 1970, found 946684799."),
            ({"exp": NOW}, "exp: expected a time after 2027-01-15T08:00:00Z, found 2027-01-15T08:00:00Z."),
            ({"nbf": NOW + 60}, "nbf: expected a time before 2027-01-15T08:00:00Z, found 2027-01-15T08:01:00Z."),
            (
                {"nbf": NOW * 1000},
                f"nbf: expected {seconds}, up to the year 9999, found 1800000000000, which are milliseconds.",
            ),
        ):
            self.assertEqual(self.mismatch(claims), sentence)
        self.assertEqual(read_grant({**GOOD, "nbf": 0, "exp": 253_402_300_799}, ClaimRules(), NOW).user, "ann")

    def test_parties(self) -> None:
        """Issuer and audience are shown beside the settings."""
        rules = ClaimRules(issuer="https://id.example", audience="calls")
        for claims, sentence in (
            ({}, 'iss: expected "https://id.example" (tokens.issuer), found nothing.'),
            ({"iss": "http://id.example"}, 'iss: expected "https://id.example" (tokens.issuer), found "http://id.example".'),
            ({"iss": rules.issuer}, 'aud: expected "calls" (tokens.audience), found nothing.'),
            ({"iss": rules.issuer, "aud": ["a", "b"]}, 'aud: expected "calls" (tokens.audience), found "a", "b".'),
            (
                {"iss": rules.issuer, "aud": ["a"] * 7},
                'aud: expected "calls" (tokens.audience), found "a", "a", "a", "a", "a" and 2 more.',
            ),
            ({"iss": rules.issuer, "aud": {}}, 'aud: expected "calls" (tokens.audience), found an object.'),
            ({"iss": rules.issuer, "aud": []}, 'aud: expected "calls" (tokens.audience), found a list.'),
            ({"iss": rules.issuer, "aud": 5}, 'aud: expected "calls" (tokens.audience), found a number.'),
        ):  # fmt: skip
            self.assertEqual(self.mismatch(claims, rules), sentence)
        for audience in ("calls", ["other", "calls"]):
            read_grant({**GOOD, "iss": rules.issuer, "aud": audience}, rules, NOW)

    def test_scope(self) -> None:
        """A role or a member that does not exist is quoted, in ASCII and not at length; a session's id is not."""
        for scope, sentence in (
            ([], "signald: expected an object, found a list."),
            ({"rol": "host"}, 'signald: expected no members but role and session, found "rol".'),
            ({"role": "moderator"}, 'signald.role: expected "host" or "guest", found "moderator".'),
            ({"role": "\x1b[2J"}, 'signald.role: expected "host" or "guest", found "\\u001b[2J".'),
            ({"role": "r" * 41}, f'signald.role: expected "host" or "guest", found "{"r" * 40}...".'),
            ({"role": ["host"]}, 'signald.role: expected "host" or "guest", found "host".'),
            ({"role": None}, 'signald.role: expected "host" or "guest", found nothing.'),
            (
                {"session": "canary"},
                "signald.session: expected ten letters and digits without U, found a text of another form.",
            ),
            ({"session": 5}, "signald.session: expected a text of 1 to 64 characters, found a number."),
        ):  # fmt: skip
            self.assertEqual(self.mismatch({"signald": scope}), sentence)
        self.assertIs(read_grant({**GOOD, "signald": {"role": "host"}}, ClaimRules(), NOW).role, Role.HOST)

    def test_what_the_holder_may_have_chosen(self) -> None:
        """Names are described by their lengths, and never repeated."""
        for claims, sentence in (
            ({"name": "n" * 70}, "name: expected a text of 1 to 64 characters, found a text of 70 characters."),
            ({"name": ""}, "name: expected a text of 1 to 64 characters, found a text of 0 characters."),
            ({"sub": "s" * 257}, "sub: expected a text of 1 to 256 characters, found a text of 257 characters."),
            ({"sub": None}, "sub: expected a text of 1 to 256 characters, found nothing."),
            ({"x": 2**70}, "payload: expected values that JSON can express (RFC 8259), found another one."),
        ):
            self.assertEqual(self.mismatch(claims), sentence)
