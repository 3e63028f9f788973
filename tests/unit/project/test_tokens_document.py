"""Tests that the examples and tables in docs/tokens.md agree with the code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import time
import tomllib
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald.auth.tokens import TokenVerifier
from signald.config.settings import Config, Tokens
from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.core.messages import Role
from signald.core.token_need import TokenNeed
from signald.core.webhook_messages import Question, read_answer
from signald_client.signaling.session_ids import find_session_id, find_token

DOCUMENT = Path(__file__).parents[3] / "docs" / "tokens.md"
SECRET = b"this is what the document's tests sign with"


class DocumentTests(SynchronousTestCase):
    """The examples and tables of docs/tokens.md."""

    def setUp(self) -> None:
        """Read the document."""
        self.text = DOCUMENT.read_text(encoding="utf-8")

    def blocks(self, language: str) -> list[str]:
        """Return the examples in a language."""
        return re.findall(rf"```{language}\n(.*?)```", self.text, re.DOTALL)

    def functions(self, number: int) -> dict[str, Any]:
        """Run a Python example, and return what it defines."""
        found: dict[str, Any] = {}
        exec(compile(self.blocks("python")[number], "docs/tokens.md", "exec"), found)  # noqa: S102 # our own document
        return found

    def test_link(self) -> None:
        """The server accepts the token in the example's link, and the page finds it there."""
        directory = Path(self.mktemp())
        directory.mkdir()
        secret = directory / "token-secret"
        secret.touch(mode=0o600)
        secret.write_bytes(SECRET + b"\n")
        before = os.getcwd()  # The current directory is restored after the example.
        self.addCleanup(os.chdir, before)
        os.chdir(directory)
        example = self.functions(0)
        session = example["new_session"]()
        link = example["link"]("https://call.example.org/", session, "ann", "Ann", "host")
        self.assertEqual(find_session_id(link), session)
        grant = TokenVerifier(Tokens(secret_file=Path("token-secret"))).verify(find_token(link), time.time())
        self.assertEqual((grant.user, grant.name, grant.role, grant.session), ("ann", "Ann", Role.HOST, session))

    def test_signature(self) -> None:
        """The example accepts a valid signature, and rejects wrong and old ones."""
        is_from_signald = self.functions(1)["is_from_signald"]
        body, now = b'{"operation":"open"}', int(time.time())
        for sent, key, expected in ((now, SECRET, True), (now, SECRET * 2, False), (now - 61, SECRET, False)):
            digest = hmac.digest(key, b".".join((b"id", str(sent).encode(), body)), "sha256")
            signature = f"v1,{base64.b64encode(digest).decode()}"
            headers = {"webhook-id": "id", "webhook-timestamp": str(sent), "webhook-signature": signature}
            self.assertIs(is_from_signald(headers, body, SECRET), expected)
        self.assertEqual(hashlib.sha256().digest_size, 32)

    def test_settings(self) -> None:
        """The settings in the examples exist, and their values are valid."""
        config = Config(data_dir=Path("/nowhere"))
        for block in self.blocks("toml"):
            for section, values in tomllib.loads(block).items():
                for name in values:
                    self.assertTrue(hasattr(getattr(config, section), name), name)
        for need in TokenNeed:
            self.assertIn(f"| `{need.value}` |", self.text)
        self.assertIn(f"{Limits().token_bytes:,} bytes", self.text)

    def test_question(self) -> None:
        """The example of a question equals the body that is sent."""
        [block] = self.blocks("http")
        claims = '{"sub":"ann","exp":1800003600}'
        body = Question("join", "7Q2M9RT6ZC", "ann", claims).body()  # type: ignore[arg-type] # an id
        self.assertEqual(block.strip().splitlines()[-1], body.decode())
        headers = dict(line.split(": ") for line in block.splitlines() if line.startswith("webhook-"))
        [secret] = re.findall(r"\(signed with `(.+)`\)", self.text)
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = hmac.digest(secret.encode(), signed, "sha256")
        self.assertEqual(headers["webhook-signature"], f"v1,{base64.b64encode(digest).decode()}")

    def test_answers(self) -> None:
        """Each answer in the table leads to its verdict, and every reason of a refusal is listed."""
        opening, joining = (Question(operation, None, None, None) for operation in ("open", "join"))
        answers = [json.loads(row) for row in re.findall(r"^\| `(\{.*?\})` \|", self.text, re.MULTILINE)]
        verdicts = [
            tuple(read_answer(json.dumps(answer).encode(), asked) for asked in (opening, joining)) for answer in answers
        ]
        no, full = ErrorCode.NOT_PERMITTED, ErrorCode.SESSION_FULL
        self.assertEqual(verdicts, [(None, None), (no, None), (no, no), (full, full)])
        [row] = [line for line in self.text.splitlines() if "no, and why" in line]
        for code in ErrorCode:
            answer = json.dumps({"allow": False, "code": code.value}).encode()
            is_known = read_answer(answer, opening) is code
            self.assertEqual(f"`{code.value}`" in row, is_known, code.value)
