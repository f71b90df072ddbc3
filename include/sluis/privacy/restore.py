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
from typing import Literal

from sluis.core.frozen import Frozen, Moment
from sluis.errors import Defect, NotConfigured, ProofFailed, RetryLater
from sluis.privacy import deletions_log
from sluis.privacy.backup import Backup, find, verify
from sluis.privacy.keyring import Keyring
from sluis.privacy.sealed_file import opening
from sluis.store import tombstones
from sluis.store.database import Connection, connect, row
from sluis.store.integrations import Integrations
from sluis.store.later import Later, carry_over, collect
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
) -> Restored:
    """Put a backup into the empty database ``into`` (its owner's DSN) and delete again what was deleted since.

    ``living``: DSN of the store of before; ``logs``: the directories with a log of deletions. Killed on its way it
    leaves a database that the next restore refuses: drop it and begin again. Raises ``NotConfigured``
    (``database_taken``, ``key_wrong``, ``key_unknown``), ``Defect`` (``schema_newer``, ``backup_damaged``,
    ``restore_failed``) before anything was written, ``ProofFailed("restore_incomplete")``.
    """
    backup = find(path)
    _known_schema(backup)
    verify(backup, keyring)
    name = _empty(into)
    since = backup.manifest.made_at - _MARGIN
    told = _told_by(living, since)  # before anything is written: a store that cannot be read must not be found out late
    lines = [line for log in logs for line in deletions_log.read(log) if line.at >= since]
    _pour(backup, into, name, keyring)
    _, head = upgrade(into)
    with connect(into) as conn:
        with conn.transaction():
            paused = Integrations(conn).restored(backup.manifest.made_at, now)
            carried = carry_over(conn, [*lines, *(told or ())])
            ended = tombstones.replay(conn, since)
        deleted = retention(conn, now)
    return Restored(
        backup=backup.name, made_at=backup.manifest.made_at, restored_at=now,
        schema_before=backup.manifest.schema_version, schema_after=head, rows=sum(backup.manifest.rows.values()),
        living="away" if told is None else "read", log_lines=len(lines), carried_over=carried, ended_again=ended,
        paused=paused, deleted=deleted,
    )  # fmt: skip


def _known_schema(backup: Backup) -> None:
    version = backup.manifest.schema_version
    if version not in known_versions():
        raise Defect(
            f"{backup.path.name} has schema version {version}, which this sluis does not know: install sluis "
            f"{backup.manifest.sluis_version} or newer",
            code="schema_newer",
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


def _told_by(living: str | None, since: datetime) -> list[Later] | None:
    """Return what the store of before knows of deletions since; ``None`` where it does not answer or is no store."""
    if living is None:
        return None
    try:
        with connect(living) as conn:
            if row(conn, "select to_regclass('sluis.tombstone') is not null as there") != {"there": True}:
                return None
            return collect(conn, since)
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
