"""A host of its own on this machine: a network namespace whose address can be changed under a running browser."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest

#: Addresses of the two networks: this machine's and the host's end.
NETWORKS = (("10.231.1.1", "10.231.1.2"), ("10.231.2.1", "10.231.2.2"))


def ip(*arguments: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Host:
    """A namespace that is connected to this machine.

    Attributes:
        name: of the namespace.
        server: this machine's address, in either network.

    """

    server = NETWORKS[0][0]

    def __init__(self) -> None:
        """Make it, in the first network.

        Raises:
            SkipTest: this process may not.

        """
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise SkipTest("network namespaces need root and iproute2")
        self.name = f"signald-{os.getpid()}"
        self._here, self._there = f"sg{os.getpid()}a"[-15:], f"sg{os.getpid()}b"[-15:]
        ip("netns", "add", self.name)
        try:
            ip("link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self.name)
            for here, _ in NETWORKS:
                ip("addr", "add", f"{here}/24", "dev", self._here)
            ip("link", "set", self._here, "up")
            ip("-n", self.name, "link", "set", "lo", "up")
            ip("-n", self.name, "link", "set", self._there, "up")
            self._join(0)
        except BaseException:
            self.remove()
            raise

    def move(self) -> None:
        """Leave the first network for the second, as a phone does that goes from one to another."""
        ip("-n", self.name, "addr", "flush", "dev", self._there)
        self._join(1)

    def cut(self, cut: bool) -> None:
        """Pull the cable out, or put it back."""
        ip("link", "set", self._here, "down" if cut else "up")

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

    def program(self, path: str, directory: Path) -> str:
        """Write a script that runs a program in the namespace, and return its path."""
        script = directory / f"{Path(path).name}-{self.name}"
        script.write_text(f'#!/bin/sh\nexec ip netns exec {self.name} {path} "$@"\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return str(script)

    def remove(self) -> None:
        """Remove it, and the network with it."""
        subprocess.run(["ip", "netns", "delete", self.name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", self._here], check=False, capture_output=True)

    def _join(self, network: int) -> None:
        here, there = NETWORKS[network]
        ip("-n", self.name, "addr", "add", f"{there}/24", "dev", self._there)
        ip("-n", self.name, "route", "add", "default", "via", here)
