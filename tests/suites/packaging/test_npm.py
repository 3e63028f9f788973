"""Tests the npm package of the JavaScript client: its contents, its entry points and its types."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from codegen.node_tools import MODULES, NPM, run_tool
from signald import __version__

PACKAGE = Path(__file__).resolve().parents[3] / "clients" / "js"

#: A program that uses what the types declare; each line marked with `@ts-expect-error` must be an error.
PROGRAM = """\
import { Call, RefusedError, SignalingClient, findSessionId, type CallEvent, type Result } from "signald";
import { embed, type EmbeddedCall } from "signald/embed";

const server = new URL("https://localhost:9000/");
const call = new Call({ server, channels: { chat: { ordered: true } }, storage: sessionStorage });
call.addEventListener("track", ({ detail }) => detail.member.stream?.getTracks());
// @ts-expect-error: there may be no stream
call.stream.getTracks();
call.addEventListener("ended", (event) => console.log(event.detail.reason.length));
export async function run(): Promise<string> {
  const opened = await call.open({ capacity: 3, lobby: true });
  // @ts-expect-error: there is no such setting
  await call.open({ capazity: 3 });
  for await (const event of call) {
    if (event.type === "message") call.send(event.content, event.member);
    if (event.type === "knock") await call.request({ type: "admit", user: event.user });
    // @ts-expect-error: there is no such request
    if (event.type === "knock-over") await call.request({ type: "admitt", user: event.user });
    // @ts-expect-error: these events are not the application's
    if (event.type === "offer") break;
  }
  return opened.session + findSessionId("7q2-m9rt-6zc");
}
export function perform(client: SignalingClient, results: Result[]): void {
  for (const result of results) {
    if (result.type === "send-frame") console.log(result.text);
    // @ts-expect-error: the time is missing
    if (result.type === "welcome") client.tick();
    if (result.type === "joined") console.log(result.members.map((member) => member["offers-first"] && member.polite));
  }
}
export function show(element: HTMLElement): EmbeddedCall {
  const embedded = embed(element, server, { session: "7Q2M9RT6ZC", name: "Ann", camera: false });
  embedded.addEventListener("state", ({ detail }) => console.log(detail.state === "connected", detail.session));
  embedded.addEventListener("error", (event) => console.log(event.detail.code));
  // @ts-expect-error: there is no such kind
  embedded.chooseDevice("screen", "");
  // @ts-expect-error: there is no such option
  embed(element, server, { microfone: false });
  embedded.setMicrophone(embedded.members.length > 1 && !embedded.members[0]!.microphone);
  return embedded;
}
export const isFull = (error: unknown) => error instanceof RefusedError && error.code === "session-full";
export const names: CallEvent["type"][] = ["connection", "channel", "refused", "welcome"];
"""

#: The settings of a careful application: everything strict, and Node's resolution of packages.
SETTINGS = ("--strict", "--noEmit", "--exactOptionalPropertyTypes", "--module", "nodenext", "--target", "es2022")


class NpmTests(SynchronousTestCase):
    """The package, as `npm pack` makes it."""

    package: ClassVar[Path | None] = None

    def setUp(self) -> None:
        """Pack it before the first test."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        if NpmTests.package is None:
            packed = json.loads(
                run_tool(NPM, "pack", "--json", "--pack-destination", self.directory, directory=PACKAGE)
            )
            NpmTests.contents = {file["path"] for file in packed[0]["files"]}
            NpmTests.package = self.directory / packed[0]["filename"]
        self.archive = NpmTests.package

    contents: ClassVar[set[str]] = set()

    def test_contents(self) -> None:
        """It has the module, its types and the licence, in the version of signald."""
        self.assertEqual(
            self.contents,
            {
                "LICENSE",
                "client.d.mts",
                "client.mjs",
                "embed.d.mts",
                "embed.mjs",
                "messages.d.mts",
                "package.json",
            },
        )
        self.assertEqual(self.archive.name, f"signald-{__version__}.tgz")

    def test_publint(self) -> None:
        """Its fields lead every tool to the right file."""
        said = run_tool(MODULES / "publint" / "src" / "cli.js", self.archive, "--strict", directory=self.directory)
        self.assertIn("All good", said)

    def test_are_the_types_wrong(self) -> None:
        """Every way of importing it finds types that fit the module; it is an ES module and no other."""
        cli = MODULES / "@arethetypeswrong" / "cli" / "dist" / "index.js"
        run_tool(cli, self.archive, "--profile", "esm-only", "--format", "ascii", directory=self.directory)

    def test_types(self) -> None:
        """A program with every strictness of TypeScript compiles, and its mistakes are found."""
        installed = self.directory / "node_modules" / "signald"
        shutil.unpack_archive(self.archive, self.directory)
        installed.parent.mkdir()
        (self.directory / "package").rename(installed)
        (self.directory / "program.mts").write_text(PROGRAM)
        run_tool(MODULES / "typescript" / "bin" / "tsc", *SETTINGS, "program.mts", directory=self.directory)
