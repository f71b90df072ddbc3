"""Takes deleted rows off the disk: ``VACUUM (FULL)`` writes a part anew without them.

A plain DELETE, and a VACUUM after it, leave the bytes in the data file (docs/decisions/0013). Rewriting locks the part;
it gives up after a short wait for that lock, so that no sync queues up behind it, and is tried again, in the end by
the next run. A row that somebody's older snapshot can still see is written over to the new file: PostgreSQL says so,
and then it is not done.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql
from psycopg.errors import Diagnostic

from sluis.errors import Defect, RetryLater
from sluis.privacy.retention.kit import Kit
from sluis.store.database import Connection

_log = logging.getLogger("sluis.retention")
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_NUMBER = re.compile(r"\d+")


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
    found = conn.execute("select to_regclass(format('sluis.%%I', %s::text))", [part]).fetchone()
    if found is None or found[0] is None:
        return True
    told: list[str] = []

    def listen(notice: Diagnostic) -> None:
        if notice.severity_nonlocalized == "INFO" and notice.message_detail:
            told.append(notice.message_detail)

    conn.add_notice_handler(listen)
    try:
        with patience(conn, kit.lock_seconds):
            conn.execute(sql.SQL("vacuum (full, verbose) sluis.{}").format(sql.Identifier(part)))
    except RetryLater as error:
        if error.code != "lock_busy":
            raise
        return False
    finally:
        conn.remove_notice_handler(listen)
    return _nothing_left(part, told)


def _nothing_left(part: str, told: list[str]) -> bool:
    """Read from PostgreSQL's own report whether a dead row was carried over for somebody's older snapshot.

    The report is one line per table rewritten, whose detail starts with the number of dead rows that stay.
    """
    numbers = [_NUMBER.search(detail) for detail in told]
    if not numbers or None in numbers:
        raise Defect(
            f"PostgreSQL did not rewrite {part}: the role of retention needs MAINTAIN on it (`sluis db migrate`)",
            code="not_rewritten",
        )
    return all(int(number[0]) == 0 for number in numbers if number is not None)
