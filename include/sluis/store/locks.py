"""One writer per administration: two integrations may share one, and their numbers and debtors with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg

from sluis.errors import RetryLater
from sluis.store.database import Connection


@contextmanager
def administration_lock(conn: Connection, administration_key: str, wait: timedelta) -> Iterator[None]:
    """Hold the administration for the block, waiting at most ``wait`` for whoever has it.

    A lock of the session: it ends with the connection, also when the process is killed (so no pooler that shares
    connections per transaction may stand between). Raises ``RetryLater("administration_busy")``.
    """
    key = int.from_bytes(hashlib.sha256(b"administration\0" + administration_key.encode()).digest()[:8], signed=True)
    milliseconds = max(1, int(wait / timedelta(milliseconds=1)))
    try:
        with conn.transaction():
            conn.execute("select set_config('lock_timeout', %s, true)", [f"{milliseconds}ms"])
            conn.execute("select pg_advisory_lock(%s)", [key])
    except (psycopg.errors.LockNotAvailable, RetryLater) as error:
        if isinstance(error, RetryLater) and error.code != "lock_busy":
            raise
        raise RetryLater(
            "another run is writing to this administration; this one waits for its turn", code="administration_busy"
        ) from None
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("select pg_advisory_unlock(%s)", [key])
