"""A process that holds orders leaves no copy of its memory.

The limit on core files keeps the kernel from writing one. It does not count where the kernel hands the memory to a
program instead (``core_pattern`` with a pipe: systemd-coredump, apport), so the process is also marked as not dumpable;
that also keeps other processes of the same account from reading its memory. A child that executes another program
inherits the limit and not the mark.
"""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4


def leave_no_core() -> None:
    """Turn core dumps off for this process and what it forks; there is no way back. Safe to repeat."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def may_leave_core() -> bool:
    """Whether a crash of this process could leave its memory behind."""
    if resource.getrlimit(resource.RLIMIT_CORE) != (0, 0):
        return True
    return sys.platform == "linux" and bool(ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0))
