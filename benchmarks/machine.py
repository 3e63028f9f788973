"""Describes the machine and the versions of the programs that a report is about."""

from __future__ import annotations

import os
import platform
import re
import shutil
import ssl
import subprocess
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend

from benchmarks.peers.toolchains import MATCHBOX, NODE_PACKAGES, ROOT, SOURCES

__all__ = ["machine", "versions"]

PACKAGES = ("Twisted", "autobahn", "orjson", "pyOpenSSL", "picows", "uvloop", "websockets")


def _output(*command: str) -> str:
    """Return the first line that a program prints; empty if it is not there."""
    if (program := shutil.which(command[0])) is None:
        return ""
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 # asks for a version
    return done.stdout.strip().partition("\n")[0]


def machine() -> dict[str, str]:
    """Return the processor, the memory, the kernel, and how busy the machine is."""
    processor = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": processor[1] if processor else platform.processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{pages / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load average": f"{os.getloadavg()[1]:.1f}",
    }


def versions() -> dict[str, str]:
    """Return the versions of signald, of what it runs on, and of the peers."""
    found = {"signald": f"{version('signald')} ({_output('git', 'rev-parse', '--short', 'HEAD') or 'no checkout'})"}
    found["CPython"] = platform.python_version()
    found |= {name: version(name) for name in PACKAGES}
    found["OpenSSL of signald"] = backend.openssl_version_text().split()[1]
    found["OpenSSL of the peers in Python"] = ssl.OPENSSL_VERSION.split()[1]
    if node := _output("node", "--version"):
        found["Node"] = node.removeprefix("v")
        found |= dict(package.split("@", 1) for package in NODE_PACKAGES)
    if go := _output("go", "version"):
        found["Go"] = go.split()[2].removeprefix("go")
        library = re.search(r"require (\S+) v(\S+)", (SOURCES / "go.mod").read_text())
        found |= {library[1]: library[2]} if library else {}
    if _output("cargo", "--version"):
        found["matchbox_server"] = MATCHBOX
    return found
