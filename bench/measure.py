"""What a process used: CPU seconds, wall seconds and peak resident memory, read where the kernel keeps them."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

_STATUS = Path("/proc/self/status")


class Meter:
    """Counts from its making: CPU of this process (user and system) and wall."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def read(self) -> dict[str, float]:
        """Return seconds since the meter was made, and the peak memory of the process in MB."""
        return {
            "cpu": time.process_time() - self._cpu,
            "wall": time.perf_counter() - self._wall,
            "peak_mb": peak_mb(),
        }


def peak_mb() -> float:
    """Return the most memory this process ever held resident.

    ``ru_maxrss`` would do elsewhere, but on Linux a process inherits it from the one that started it.
    """
    if _STATUS.exists():
        fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
        return int(fields["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024  # bytes on macOS


def family_cpu(pid: int) -> float | None:
    """Return the CPU seconds of a process with its children, running or ended; ``None`` where there is no /proc."""
    if not _STATUS.exists():
        return None
    ticks = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:  # it ended while we looked
            continue
        # After the name: state, ppid, ...; utime, stime, cutime and cstime are the 12th to the 15th.
        if int(entry.name) == pid:
            ticks += sum(int(value) for value in fields[11:15])
        elif int(fields[1]) == pid:
            ticks += sum(int(value) for value in fields[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")
