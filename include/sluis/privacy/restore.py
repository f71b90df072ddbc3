"""Restores: a backup goes into an empty database, and everything that was deleted since is deleted again.

What follows from a period is deleted by running retention at now; what a person ended is ended again by its tombstone,
from the store that lives (where it still answers) and from the log of deletions beside the backups. Holds, periods that
merchants chose and the later links of the chain of certificates come along the same way. Integrations stay paused until
what they booked since the backup was adopted (``flows.restoring``): else it would be booked twice.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sluis.core.frozen import Frozen, Moment
from sluis.errors import Defect, NotConfigured, ProofFailed, RetryLater
from sluis.privacy import deletions_log
from sluis.privacy.backup import Backup, find, verify
from sluis.privacy.keyring import Keyring
from sluis.privacy.sealed_file import opening
from sluis.store import tombstones
from sluis.store.closing import as_restorer, close_database, open_database
from sluis.store.database import Connection, connect, row
from sluis.store.integrations import Integrations
from sluis.store.later import Later, carry_over, collect, ended
from sluis.store.migrate import known_versions, provide_roles, upgrade
from sluis.store.postgres_tools import count_rows, finished, running

#: Deletes what has expired in a store at a moment; returns how much went per category.
Retention = Callable[[Connection, datetime], Mapping[str, int]]
#: A transaction's rows bear the moment it began, which may be before that of the backup that lacks them.
_MARGIN = timedelta(days=1)
_EMPTY = """select exists (select from pg_namespace where nspname = 'sluis') or exists (
    select from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and n.nspname <> 'information_schema'
    and n.nspname !~ '^pg_') as taken, current_database() as name"""


class _Told(NamedTuple):
    """What the store of before knows of deletions."""

    later: list[Later]
    ended: list[dict[str, Any]]


class Restored(Frozen):
    """What a restore did. Moments in UTC; counts only."""

    backup: str
    made_at: Moment
    restored_at: Moment
    schema_before: str
    schema_after: str
    rows: int
    living: Literal["read", "away"]  #: whether the store of before could be read for what ended since the backup
    log_lines: int  #: of the log of deletions
    log_damaged: int  #: places where it is not as sluis wrote it
    carried_over: int  #: rows of holds, own periods, tombstones, certificates and what else says what was deleted
    ended_again: int
    paused: int  #: integrations that wait for `adopt` and `resume`
    deleted: Mapping[str, int]  #: what had expired since the backup, per category


def restore(
    path: Path,
    into: str,
    keyring: Keyring,
    *,
    living: str | None,
    logs: Sequence[Path],
    now: datetime,
    retention: Retention,
    window: datetime,
    older_than_window: bool = False,
    incomplete: bool = False,
) -> Restored:
    """Put a backup into the empty database ``into`` (owner's DSN) and delete again what was deleted since.

    ``living``: DSN of the store of before; ``logs``: directories with a log of deletions. One made before ``window``
    (UTC) needs ``older_than_window``; ``incomplete``: nothing whole tells of deletions. Killed: drop it, begin again.
    Raises ``NotConfigured`` and ``Defect`` before anything was written, ``ProofFailed("restore_incomplete")``.
    """
    backup = find(path)
    _fit(backup, keyring, None if older_than_window else window)
    name = _empty(into := as_restorer(into))
    told = _told_by(living, since := backup.manifest.made_at - _MARGIN)  # before anything is written
    written = [deletions_log.inspect(log) for log in logs]
    _complete_knowledge(told, written, incomplete=incomplete)
    lines = [line for log in written for line in log.lines if line.at >= since]
    head = _refill(backup, into, name, keyring)
    with connect(into) as conn:
        with conn.transaction():
            paused = Integrations(conn).restored(backup.manifest.made_at, now)
            carried = carry_over(conn, [*lines, *(told.later if told else ())])
            again = tombstones.replay(conn, since) + tombstones.end_again(conn, told.ended if told else ())
        deleted = retention(conn, now)
        open_database(conn, name)  # the last thing: now others may work with it
    return Restored(
        backup=backup.name, made_at=backup.manifest.made_at, restored_at=now,
        schema_before=backup.manifest.schema_version, schema_after=head, rows=sum(backup.manifest.rows.values()),
        living="away" if told is None else "read", log_lines=len(lines), log_damaged=sum(log.bad for log in written),
        carried_over=carried, ended_again=again, paused=paused, deleted=deleted,
    )  # fmt: skip


def _refill(backup: Backup, into: str, name: str, keyring: Keyring) -> str:
    """Close the empty database, pour the backup in and bring it to this schema, whose version is returned."""
    close_database(into, name)
    _pour(backup, into, name, keyring)
    return upgrade(into)[1]


def _fit(backup: Backup, keyring: Keyring, window: datetime | None) -> None:
    """Raise where a backup cannot, or should not, be put back."""
    _known_schema(backup)
    if window is not None:
        _in_window(backup, window)
    verify(backup, keyring)


def _known_schema(backup: Backup) -> None:
    version = backup.manifest.schema_version
    if version not in known_versions():
        raise Defect(
            f"{backup.path.name} has schema version {version}, which this sluis does not know: install sluis "
            f"{backup.manifest.sluis_version} or newer",
            code="schema_newer",
        )


def _in_window(backup: Backup, window: datetime) -> None:
    if backup.manifest.made_at < window:
        raise NotConfigured(
            f"{backup.path.name} was made before {window:%Y-%m-%d}, where the backup window begins: it "
            "should have gone, and the log of deletions no longer tells what ended soon after it. "
            "Take a younger one; or give --older-than-window, and end again by hand what had ended since",
            code="backup_too_old",
        )


def _complete_knowledge(told: _Told | None, written: Sequence[deletions_log.Log], *, incomplete: bool) -> None:
    """Raise where a deletion may be unknown: a damaged log, or neither log nor store; ``incomplete``: never."""
    if incomplete:
        return
    hint = "or give --incomplete-deletions, and end again by hand what had ended since the backup"
    if bad := sum(log.bad for log in written):
        raise Defect(
            f"the log of deletions is not as sluis wrote it in {bad} place(s): torn, changed, added, taken out, or "
            f"sealed with a key that SLUIS_KEYS lacks. Take an undamaged copy of {deletions_log.NAME}, {hint}",
            code="deletions_log_damaged",
        )
    if told is None and not any(log.there for log in written):
        raise NotConfigured(
            "neither the store of before answers nor is there a log of deletions: what was deleted since the backup "
            f"would be back. Put {deletions_log.NAME} beside the backup, {hint}",
            code="deletions_unknown",
        )


def _empty(into: str) -> str:
    """Return the name of the database; raises ``NotConfigured("database_taken")`` where anything stands in it."""
    with connect(into) as conn:
        found = row(conn, _EMPTY)
    assert found is not None
    if found["taken"]:
        raise NotConfigured(
            f"the database {found['name']} is not empty: a restore goes into a new one (`create database ...`), never "
            "over a living store",
            code="database_taken",
        )
    return str(found["name"])


def _told_by(living: str | None, since: datetime) -> _Told | None:
    """Return what the store of before knows of deletions since; ``None`` where it does not answer or is no store."""
    if living is None:
        return None
    try:
        with connect(as_restorer(living)) as conn:
            if row(conn, "select to_regclass('sluis.tombstone') is not null as there") != {"there": True}:
                return None
            return _Told(collect(conn, since), ended(conn))
    except RetryLater:
        return None


def _pour(backup: Backup, into: str, name: str, keyring: Keyring) -> None:
    """Restore in one transaction, so that a file that turns out to be cut off leaves nothing; and count it."""
    with connect(into) as conn:
        provide_roles(conn)
    command = ["pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", f"--dbname={name}"]
    with running(into, command, stdin=subprocess.PIPE) as (process, words), backup.path.open("rb") as file:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it ended before its input did: its exit code says why
            for piece in opening(file, keyring):
                process.stdin.write(piece)
            process.stdin.close()
        with suppress(OSError):  # what could not be written any more must not be tried again
            process.stdin.close()
        finished(process, words, "pg_restore")
    with connect(into) as conn:
        _complete(backup, count_rows(conn))


def _complete(backup: Backup, found: Mapping[str, int]) -> None:
    wrong = sorted(name for name, count in backup.manifest.rows.items() if found.get(name) != count)
    if wrong:
        raise ProofFailed(
            f"the restored database has other counts than the backup's manifest in: {', '.join(wrong)}; do not use it",
            code="restore_incomplete",
        )
