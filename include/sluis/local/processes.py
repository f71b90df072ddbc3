"""Child processes that never outlive us: each in its own session, ended by id, and told when their parent dies.

None of them, nor what it starts, leaves a core dump.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from sluis.errors import Defect

_PR_SET_PDEATHSIG = 1
#: Loaded before any fork: a child between fork and exec may not load libraries.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None
#: From settings to the last line of a log file: what a message shows of it.
_TAIL_BYTES = 4096


class Child:
    """One process of ours, with everything it starts. ``log`` takes its output."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        """Start it. Call from the main thread: Linux takes the end of the starting *thread* for the parent's death.

        Raises ``Defect("not_started")`` when the program is not there.
        """
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        parent = os.getpid()
        try:
            with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output:
                self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                    list(command),
                    env=dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C reaches us alone, and we end the children in order
                    preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509 - one system call, no lock, no import
                )
        except OSError as error:
            raise Defect(f"{name} could not be started: {error.strerror} ({command[0]})", code="not_started") from None

    @property
    def pid(self) -> int:
        """Its process id, which is its session's id too."""
        return self._process.pid

    def status(self) -> int | None:
        """Return its exit status, or ``None`` while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """Wait for its end; ``None`` when it still runs then."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def last_line(self) -> str:
        """Return the last line with text that it wrote."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
            return lines[-1] if lines else ""
        return ""


def stop(children: Sequence[Child], grace_seconds: float = 5) -> None:
    """End the children and all they started: SIGTERM, then SIGKILL to what is left after ``grace_seconds``.

    A killed load is safe (the booking protocol is there for it), so nobody waits long; Airflow's triggerer alone would
    take ten seconds to end with nothing to do.
    """
    tree = [process for child in children for process in _descendants(child.pid)]
    _signal(children, signal.SIGTERM)
    end = time.monotonic() + grace_seconds
    for child in children:
        child.wait(max(0.0, end - time.monotonic()))
    # Once more: what was started while the others ended. Identity includes the start time, so no reused id is hit.
    tree += [process for child in children for process in _descendants(child.pid)]
    _signal(children, signal.SIGKILL)
    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    for child in children:
        child.wait(5)
    psutil.wait_procs(tree, timeout=5)


def _signal(children: Sequence[Child], number: signal.Signals) -> None:
    for child in children:
        if child.status() is None:  # asked through Popen, so a pid that was reaped is never hit
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, number)


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of 127.0.0.1 (one that was just closed counts as free)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _descendants(leader: int) -> list[psutil.Process]:
    """Return a session without its leader: also who lost his parent or made a process group of his own."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if process.pid != leader and os.getsid(process.pid) == leader:
                found.append(process)
    return found


def _die_with(parent: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what a process held in memory is not written to a disk
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before we could ask to be told
        os.kill(os.getpid(), signal.SIGTERM)
