"""One process at a time in a directory: what is kept there is not taken from under one that still works."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sluis.errors import NotConfigured


@contextmanager
def held(home: Path, what: str, *, mode: int = 0o700) -> Iterator[None]:
    """Hold ``home`` (made with ``mode`` when it is not there); the lock goes with the process, however it ends.

    Raises ``NotConfigured``: ``already_running`` when another process holds it, ``home_unusable``.
    """
    try:
        home.mkdir(mode=mode, parents=True, exist_ok=True)
        handle = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise NotConfigured(f"{home} cannot be used: {error.strerror}", code="home_unusable") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotConfigured(f"{what} runs in {home} already: end it, or choose another --home",
                                code="already_running") from None  # fmt: skip
        yield
    finally:
        os.close(handle)
