"""A network of two hosts: network namespaces, joined by a cable that can be cut, with addresses that can change.

Neither end of the cable is in the machine's own namespace: Chromium gives up its connections whenever a network
interface of its machine comes or goes, and so did those of every other test that ran at that moment.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SkipTest

#: Addresses of the two networks: the server's and the host's end.
NETWORKS = (("10.231.1.1", "10.231.1.2"), ("10.231.2.1", "10.231.2.2"))

#: setns(2): the namespace is one of networks.
CLONE_NEWNET = 0x40000000


def ip(*arguments: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Host:
    """A host in a namespace that is connected to the namespace of a server.

    Attributes:
        name: of the host's namespace.
        home: the name of the server's namespace.
        server: the server's address, which the host reaches in either network.

    """

    server = NETWORKS[0][0]

    def __init__(self) -> None:
        """Make both, with the host in the first network.

        Raises:
            SkipTest: this process may not.

        """
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise SkipTest("network namespaces need root and iproute2")
        self.name, self.home = f"signald-{os.getpid()}-host", f"signald-{os.getpid()}-home"
        self._here, self._there = "server", "host"
        try:
            for name in (self.name, self.home):
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
            peer = ("type", "veth", "peer", "name", self._there, "netns", self.name)
            ip("link", "add", self._here, "netns", self.home, *peer)
            for here, _ in NETWORKS:
                ip("-n", self.home, "addr", "add", f"{here}/24", "dev", self._here)
            ip("-n", self.home, "link", "set", self._here, "up")
            ip("-n", self.name, "link", "set", self._there, "up")
            self._join(0)
        except BaseException:
            self.remove()
            raise

    @property
    def through(self) -> tuple[str, ...]:
        """The command that runs another one in the server's namespace."""
        return "ip", "netns", "exec", self.home

    @contextlib.contextmanager
    def at_home(self) -> Iterator[None]:
        """Let this thread be in the server's namespace, so that the sockets that it makes are there (setns(2))."""
        library = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as outside, open(f"/run/netns/{self.home}") as inside:
            _enter(library, inside.fileno())
            try:
                yield
            finally:
                _enter(library, outside.fileno())

    def move(self) -> None:
        """Leave the first network for the second, as a phone does that goes from one to another."""
        ip("-n", self.name, "addr", "flush", "dev", self._there)
        self._join(1)

    def cut(self, cut: bool) -> None:
        """Pull the cable out, or put it back."""
        ip("-n", self.home, "link", "set", self._here, "down" if cut else "up")

    def lose(self, percent: int) -> None:
        """Lose so much of what the host sends over UDP."""
        self._nft("add", "table", "inet", "loss")
        self._nft("delete", "table", "inet", "loss")
        if percent:
            self._nft("add", "table", "inet", "loss")
            self._nft("add", "chain", "inet", "loss", "out", "{ type filter hook output priority 0; }")
            drop = ("meta", "l4proto", "udp", "numgen", "random", "mod", "100", "<", str(percent), "drop")
            self._nft("add", "rule", "inet", "loss", "out", *drop)

    def _nft(self, *arguments: str) -> None:
        ip("netns", "exec", self.name, "nft", *arguments)

    def program(self, path: str, directory: Path, *, at_home: bool = False) -> str:
        """Write a script that runs a program in the host's or the server's namespace, and return its path."""
        name = self.home if at_home else self.name
        script = directory / f"{Path(path).name}-{name}"
        script.write_text(f'#!/bin/sh\nexec ip netns exec {name} {path} "$@"\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return str(script)

    def remove(self) -> None:
        """Remove both, and the cable with them."""
        for name in (self.name, self.home):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def _join(self, network: int) -> None:
        here, there = NETWORKS[network]
        ip("-n", self.name, "addr", "add", f"{there}/24", "dev", self._there)
        ip("-n", self.name, "route", "add", "default", "via", here)


def _enter(library: ctypes.CDLL, namespace: int) -> None:
    if library.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns(2)")
