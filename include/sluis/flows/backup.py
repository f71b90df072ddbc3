"""Backups and restores as the command line asks for them: store, directory, keys and register together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from sluis.errors import NotConfigured
from sluis.privacy import backup as backups
from sluis.privacy import deletions_log
from sluis.privacy.backup import Backup
from sluis.privacy.keyring import Keyring
from sluis.privacy.register import read_register, register_path
from sluis.privacy.restore import Restored
from sluis.privacy.restore import restore as put_back
from sluis.privacy.retention.at_once import carry_out
from sluis.privacy.retention.runs import OF_RESTORE
from sluis.store.database import OWNER_URL, Connection, owner_connection, owner_url

#: Of a restore's own run of retention.
RUN_ID = OF_RESTORE


def make(directory: Path | None) -> Backup:
    """Back the store up; first the log of deletions gets what it lacks. Raises what ``privacy.backup.make`` raises."""
    where, keyring = backups.directory_of(directory), Keyring.from_environment()
    published = read_register(register_path())
    made = backups.make(owner_url(), where, keyring, published)
    with owner_connection() as conn:
        deletions_log.catch_up(conn, where, backups.window_cutoff(published.register_, datetime.now(UTC)))
    return made


def is_retained(directory: Path) -> bool:
    """Whether retention deletes expired backups of this directory: of ``SLUIS_BACKUPS`` alone."""
    named = os.environ.get(backups.BACKUPS, "").strip()
    return bool(named) and os.path.realpath(named) == os.path.realpath(directory)


def write_down(conn: Connection) -> None:
    """Bring the log of deletions up to date after something ended, where backups are made (``SLUIS_BACKUPS``).

    Raises ``Defect("deletions_log")`` where it cannot be written; what ended has ended all the same.
    """
    named = os.environ.get(backups.BACKUPS, "").strip()
    if named:
        register = read_register(register_path()).register_
        deletions_log.catch_up(conn, Path(named), backups.window_cutoff(register, datetime.now(UTC)))


def restore(
    file: Path,
    into: str,
    *,
    typed: bool,
    now: datetime,
    older_than_window: bool = False,
    incomplete: bool = False,
) -> Restored:
    """Restore a backup into an empty database.

    ``typed``: the address stood in the command, where everybody on the machine reads it, so it may hold no password.
    Raises ``NotConfigured("password_typed")`` and what ``privacy.restore.restore`` raises.
    """
    if typed and _has_password(into):
        raise NotConfigured(
            "a password in a command is read by everybody on this machine: give the address in SLUIS_RESTORE_URL, or "
            "the password in a password file (PGPASSFILE)",
            code="password_typed",
        )
    keyring, published = Keyring.from_environment(), read_register(register_path())
    named = os.environ.get(backups.BACKUPS, "").strip()
    path = Path(os.path.abspath(file))
    logs = list(dict.fromkeys([path.parent, *([Path(os.path.abspath(named))] if named else [])]))

    def retention(conn: Connection, moment: datetime) -> Mapping[str, int]:
        gone_on = max(
            (day for log in logs if (day := backups.last_backup_expires(log, published.register_, moment))),
            default=None,
        )
        return carry_out(conn, published, moment, keyring=keyring, dag_run_id=RUN_ID, backups_gone_on=gone_on)

    living = os.environ.get(OWNER_URL, "").strip() or None
    return put_back(
        path, into, keyring, living=living, logs=logs, now=now, retention=retention,
        window=backups.window_cutoff(published.register_, now), older_than_window=older_than_window,
        incomplete=incomplete,
    )  # fmt: skip


def _has_password(dsn: str) -> bool:
    return "password" in dsn or bool("://" in dsn and urlsplit(dsn).password)
