"""A network of two hosts: network namespaces with a virtual cable that can be cut, and addresses that can change.

Neither end of the cable is in the machine's own namespace: Chromium closes its connections whenever a network interface
of the machine appears or disappears, which would break every other test that runs at that moment.
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

#: For each of the two networks: the server's address, and the host's address.
NETWORKS = (("10.231.1.1", "10.231.1.2"), ("10.231.2.1", "10.231.2.2"))

#: The flag of setns(2) for a network namespace.
CLONE_NEWNET = 0x40000000


def ip(*arguments: str) -> None:
    """Run the command `ip`."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Host:
    """A host in a namespace that is connected to the namespace of a server.

    Attributes:
        name: the name of the host's namespace.
        home: the name of the server's namespace.
        server: the server's address, which the host reaches in either network.

    """

    server = NETWORKS[0][0]

    def __init__(self) -> None:
        """Create both namespaces, with the host in the first network.

        Raises:
            SkipTest: this process is not allowed to create namespaces.

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
            for name, end in ((self.home, self._here), (self.name, self._there)):
                # No IPv6 address: it would become usable after two seconds (duplicate address detection), and a browser
                # that loads a page meanwhile drops its requests because the network has changed.
                ip("-n", name, "link", "set", end, "addrgenmode", "none", "up")
            self._join(0)
        except BaseException:
            self.remove()
            raise

    def addresses(self) -> str:
        """Return the addresses of both ends of the cable, as `ip -oneline address` prints them."""
        command = ("-oneline", "address", "show", "dev")
        return "".join(
            subprocess.run(["ip", "-n", name, *command, end], check=True, capture_output=True, text=True).stdout
            for name, end in ((self.home, self._here), (self.name, self._there))
        )

    @property
    def through(self) -> tuple[str, ...]:
        """The command prefix that runs a command in the server's namespace."""
        return "ip", "netns", "exec", self.home

    @contextlib.contextmanager
    def at_home(self) -> Iterator[None]:
        """Run this thread in the server's namespace, so that new sockets belong to that namespace (setns(2))."""
        library = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as outside, open(f"/run/netns/{self.home}") as inside:
            _enter(library, inside.fileno())
            try:
                yield
            finally:
                _enter(library, outside.fileno())

    def move(self) -> None:
        """Move the host from the first network to the second, as a phone that changes its network."""
        ip("-n", self.name, "addr", "flush", "dev", self._there)
        self._join(1)

    def cut(self, cut: bool) -> None:
        """Disconnect the cable, or reconnect it."""
        ip("-n", self.home, "link", "set", self._here, "down" if cut else "up")

    def lose(self, percent: int) -> None:
        """Drop a percentage of the UDP packets that the host sends."""
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
        """Delete both namespaces, which deletes the cable as well."""
        for name in (self.name, self.home):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def _join(self, network: int) -> None:
        here, there = NETWORKS[network]
        ip("-n", self.name, "addr", "add", f"{there}/24", "dev", self._there)
        ip("-n", self.name, "route", "add", "default", "via", here)


def _enter(library: ctypes.CDLL, namespace: int) -> None:
    if library.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns(2)")
