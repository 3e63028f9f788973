"""Applies the restrictions of a systemd unit to a process without systemd: with bubblewrap and a seccomp filter.

The unit supplies the allowed system calls (`SystemCallFilter=`), address families, namespaces and realtime. Bubblewrap
imitates: a read-only system except for the state directory, no capabilities, no new privileges, an unprivileged user,
private /tmp, /dev and home, IPC and host name. Not imitated are cgroups (devices, IP addresses), and the options that
hide other processes in /proc.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

UNIT = ROOT / "deploy" / "signald.service"

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
"""The actions of libseccomp: SCMP_ACT_ALLOW, and SCMP_ACT_ERRNO with the error in the lower bits."""

_EQUAL, _MASKED_EQUAL = 4, 7
"""The comparisons of libseccomp: SCMP_CMP_EQ and SCMP_CMP_MASKED_EQ."""

_CLONE_NAMESPACES = 0x7E020000
"""All CLONE_NEW… flags of clone(2) except the flag that shares a bit with the exit signal."""

#: The calls that systemd always allows in addition to a list of allowed calls (systemd.exec(5), `SystemCallFilter=`).
_IMPLICIT = ("@default", "execve", "exit", "exit_group", "getrlimit", "rt_sigreturn", "sigreturn")


class _Comparison(ctypes.Structure):
    """The C structure `struct scmp_arg_cmp` of libseccomp."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


def settings(unit: Path = UNIT) -> dict[str, list[str]]:
    """Return the assignments of a unit file in order; a name may occur several times."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", "[")):
            found.setdefault(name.strip(), []).append(value.strip())
    return found


def allowed_calls(filters: list[str]) -> set[str]:
    """Return the system calls that the `SystemCallFilter=` lines allow."""
    calls = {call for word in _IMPLICIT for call in _expanded(word)}
    for line in filters:
        named = {call for word in line.removeprefix("~").split() for call in _expanded(word)}
        calls = calls - named if line.startswith("~") else calls | named
    return calls | {call for word in _IMPLICIT for call in _expanded(word)}


def write_filter(unit: dict[str, list[str]], path: Path) -> None:
    """Write the program of a seccomp filter (BPF) that enforces the restrictions of the unit."""
    library = ctypes.CDLL(ctypes.util.find_library("seccomp") or "libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(_Comparison),
    )  # fmt: skip
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    denied = _ERRNO | errno.EPERM

    def call(name: str) -> int:
        number: int = library.seccomp_syscall_resolve_name(name.encode())
        return number

    # systemd installs a filter for the list and a filter for each of the other settings; here one program covers all.
    context = library.seccomp_init(denied)
    conditional = {"socket", "clone", "clone3", "unshare", "setns", "sched_setscheduler"}
    for name in sorted(allowed_calls(unit["SystemCallFilter"]) - conditional):
        if call(name) >= 0:
            library.seccomp_rule_add_array(context, _ALLOW, call(name), 0, None)

    def allow(name: str, *comparisons: _Comparison) -> None:
        array = (_Comparison * len(comparisons))(*comparisons)
        if library.seccomp_rule_add_array(context, _ALLOW, call(name), len(comparisons), array):
            raise OSError(f"no rule for {name}")

    for family in unit["RestrictAddressFamilies"][0].split():
        allow("socket", _Comparison(0, _EQUAL, getattr(socket, family), 0))
    # The rule covers RestrictNamespaces=. The list covers RestrictRealtime=, since it lacks sched_setscheduler.
    allow("clone", _Comparison(0, _MASKED_EQUAL, _CLONE_NAMESPACES, 0))
    # The flags of clone3 are in memory, which a filter cannot read: with ENOSYS the C library falls back to clone.
    library.seccomp_rule_add_array(context, _ERRNO | errno.ENOSYS, call("clone3"), 0, None)
    with path.open("wb") as file:
        if library.seccomp_export_bpf(context, file.fileno()):
            raise OSError("the filter cannot be written")


def confined(data: Path, seccomp: str, visible: tuple[Path, ...] = ()) -> list[str | Path]:
    """Return the command prefix that runs a command under the restrictions of the unit.

    Arguments:
        data: the state directory, the only writable directory.
        seccomp: the descriptor from which bubblewrap reads the filter's program.
        visible: further paths that are visible, read-only.

    """
    seen = (Path(sys.base_prefix), Path(sys.prefix), ROOT, *visible)
    return [
        "bwrap", "--unshare-user", "--unshare-ipc", "--unshare-uts", "--cap-drop", "ALL",
        "--uid", "65534", "--gid", "65534", "--new-session", "--die-with-parent",
        "--ro-bind", "/", "/", "--dev", "/dev",
        *(word for hidden in ("/tmp", "/home", "/root") for word in ("--tmpfs", hidden)),  # noqa: S108 # is emptied
        *(word for path in seen for word in ("--ro-bind", path, path)),
        "--bind", data, data, "--seccomp", seccomp, "--",
    ]  # fmt: skip


def _expanded(word: str) -> Iterator[str]:
    """Return the calls of a name, which may be the name of a set."""
    if not word.startswith("@"):
        yield word
        return
    shown = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True)
    for line in shown.stdout.splitlines()[1:]:
        entry = line.strip()
        if entry and not entry.startswith("#"):
            yield from _expanded(entry)
