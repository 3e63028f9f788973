"""The CPU and memory of another process, read from the kernel, and its end."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

__all__ = ["cpu_seconds", "end", "memory"]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, of all threads of a process in seconds, in nanosecond resolution.

    /proc/PID/stat counts the same in hundredths of a second, which is too coarse for a round of half a second.

    Raises:
        OSError: there is no such process.

    """
    # The ID of a process's CPU clock is what clock_getcpuclockid(3) returns, which Python offers for no other process.
    return time.clock_gettime(~pid << 3 | 2)


def memory(pid: int, name: str = "VmRSS") -> float:
    """Return a value of /proc/PID/status in MiB: `VmRSS`, the resident memory, or `VmHWM`, its peak.

    Raises:
        OSError: there is no such process.

    """
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Terminate a child process, and kill it if it does not end within so many seconds."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
