"""Takes deleted rows off the disk: ``VACUUM (FULL)`` writes a part anew without them.

A plain DELETE, and a VACUUM after it, leave the bytes in the data file (docs/decisions/0013). Rewriting locks the part;
it gives up after a short wait for that lock, so that no sync queues up behind it, and is tried again, in the end by
the next run. A row that somebody's older snapshot can still see is carried over to the new file: the horizon that was
used tells, and then it is not done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from sluis.errors import Defect, RetryLater
from sluis.privacy.retention.kit import Kit
from sluis.store.database import Connection

_log = logging.getLogger("sluis.retention")
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0


def rewrite(conn: Connection, part: str, kit: Kit) -> bool:
    """Rewrite a part until no deleted row is in it; ``False`` when it was busy each time. A part that is gone is done.

    Raises ``Defect("not_rewritten")`` when PostgreSQL skips it: the role lacks MAINTAIN on it.
    """
    pause = _FIRST_PAUSE
    for attempt in range(kit.tries):
        if attempt:
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        if _rewritten(conn, part, kit):
            return True
    _log.warning("part %s is busy: its deleted rows leave the disk with the next try", part)
    return False


@contextmanager
def patience(conn: Connection, seconds: float) -> Iterator[None]:
    """Wait at most so long for any lock while inside."""
    conn.execute(sql.SQL("set lock_timeout = {}").format(sql.Literal(f"{int(seconds * 1000)}ms")))
    try:
        yield
    finally:
        if not conn.broken:
            conn.execute("reset lock_timeout")


def _rewritten(conn: Connection, part: str, kit: Kit) -> bool:
    """Rewrite once. Whatever was deleted before this moment has a smaller transaction number than ``mark``."""
    before = _state(conn, part)
    if before is None:
        return True
    marked = conn.execute("select pg_current_xact_id()::xid::text").fetchone()
    assert marked is not None
    try:
        with patience(conn, kit.lock_seconds):
            conn.execute(sql.SQL("vacuum (full) sluis.{}").format(sql.Identifier(part)))
    except RetryLater as error:
        if error.code != "lock_busy":
            raise
        return False
    after = _state(conn, part)
    if after == before:
        raise Defect(
            f"PostgreSQL did not rewrite {part}: the role of retention needs MAINTAIN on it (`sluis db migrate`)",
            code="not_rewritten",
        )
    # The new file's relfrozenxid is the horizon that was used: rows deleted before it were not carried over.
    found = conn.execute(
        "select age(relfrozenxid) <= age(%s::xid) from pg_class where oid = to_regclass(format('sluis.%%I', %s::text))",
        [marked[0], part],
    ).fetchone()
    return found is None or bool(found[0])


def _state(conn: Connection, part: str) -> int | None:
    """Return the number of the file a part stands in, ``None`` where there is no such part."""
    found = conn.execute("select pg_relation_filenode(to_regclass(format('sluis.%%I', %s::text)))", [part]).fetchone()
    return None if found is None else found[0]
