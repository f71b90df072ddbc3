"""Backups of the store for small installations: ``pg_dump``, sealed while it passes, with a manifest beside it.

Left out is what may be in no backup: transit (``--no-unlogged-table-data``). What is in it are pseudonymous data and
sealed credentials; the file itself is sealed too, by a key of the keyring, which stands outside it. It goes when the
register's backup window has passed: from then on what was deleted before is nowhere any more.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

import sluis
from sluis.core.frozen import Frozen, Moment
from sluis.errors import Defect, NotConfigured
from sluis.privacy.keyring import Keyring
from sluis.privacy.periods import cutoff, duration
from sluis.privacy.register import Published, Register
from sluis.privacy.sealed_file import opening, sealing
from sluis.store.database import connect, rows
from sluis.store.postgres_tools import count_rows, finished, running

#: Directory of the backups, and of the log of deletions that outlives them.
BACKUPS = "SLUIS_BACKUPS"
_NAME = re.compile(r"sluis-\d{8}T\d{6}Z")
DUMP, MANIFEST, PART = ".dump", ".json", ".part"
#: A backup that was not finished in this time was killed; what it left goes.
_UNFINISHED = timedelta(days=1)
_LOCK_WAIT_MS = 60_000
#: How every dump in PostgreSQL's custom format begins.
_DUMP_MAGIC = b"PGDMP"


class Manifest(Frozen):
    """What a backup is. No personal datum. Moments in UTC."""

    made_at: Moment  #: everything committed before it is in the backup, nothing after it
    expires_on: date  #: the day (UTC) on which retention deletes it
    sha256: str  #: of the sealed file
    bytes: int
    key_id: str  #: the key of the keyring that opens it
    schema_version: str
    register_version: int
    register_sha256: str
    sluis_version: str
    rows: Mapping[str, int]  #: per table


class Backup(Frozen):
    """A backup in its directory."""

    path: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """Its name without the directory."""
        return self.path.stem


def directory_of(given: Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """Return where backups stand: as given, else ``SLUIS_BACKUPS``; raises ``NotConfigured("backups_directory")``."""
    named = (os.environ if environ is None else environ).get(BACKUPS, "").strip()
    if given is None and not named:
        raise NotConfigured(
            f"{BACKUPS} is not set: name the directory of the backups there (on another disk), or give --directory",
            code="backups_directory",
        )
    return Path(os.path.abspath(given or named))


def expires_on(made_at: datetime, register: Register) -> date:
    """Return the day (UTC) on which a backup is deleted: the day after the last one of the register's window."""
    return (made_at.astimezone(UTC) + duration(register.backup_window)).date() + timedelta(days=1)


def last_backup_expires(directory: Path | None, register: Register, now: datetime) -> date | None:
    """Return the day (UTC) on which the last backup there is now is deleted; ``None`` when there is none.

    What is deleted from the store at ``now`` stands in no backup any more from that day on.
    """
    if directory is None:
        return None
    days = [min(b.manifest.expires_on, expires_on(b.manifest.made_at, register)) for b in listing(directory)]
    return max((max(day, now.astimezone(UTC).date()) for day in days), default=None)


def listing(directory: Path) -> list[Backup]:
    """Return the backups there, oldest first. Raises ``Defect("backup_manifest")`` for one without a readable manifest.

    A dump that was killed on its way is none: it has another name and goes by itself.
    """
    found = sorted(p for p in directory.glob(f"*{DUMP}") if _NAME.fullmatch(p.stem)) if directory.is_dir() else []
    return sorted((find(path) for path in found), key=lambda backup: backup.manifest.made_at)


def find(path: Path) -> Backup:
    """Return the backup of a file. Raises ``NotConfigured("backup_unknown")``, ``Defect("backup_manifest")``."""
    if not path.is_file():
        raise NotConfigured(f"there is no backup {path.name}: see `sluis backup list`", code="backup_unknown")
    try:
        text = path.with_suffix(MANIFEST).read_text(encoding="utf-8")
        return Backup(path=path, manifest=Manifest.model_validate_json(text))
    except (OSError, UnicodeDecodeError, ValidationError):
        raise Defect(
            f"{path.name} has no manifest {path.stem}{MANIFEST} that can be read: a backup is both files, copy both",
            code="backup_manifest",
        ) from None


def make(dsn: str, directory: Path, keyring: Keyring, published: Published) -> Backup:
    """Back the store up (run as its owner); returns it with its manifest.

    Dump and counts are of one moment (one snapshot). Raises ``NotConfigured`` for a directory that others may enter,
    ``RetryLater`` and ``Defect`` where the database does not give it; then nothing is left but a part that goes.
    """
    _private(directory)
    sweep(directory, datetime.now(UTC))
    with connect(dsn) as conn, conn.transaction():
        conn.execute("set transaction isolation level repeatable read, read only")
        made_at = datetime.now(UTC)  # before the snapshot: nothing committed later may count as backed up
        found = rows(conn, "select pg_export_snapshot() as id, (select version_num from sluis.alembic_version) as v")[0]
        path = directory / f"sluis-{made_at:%Y%m%dT%H%M%SZ}{DUMP}"
        if path.exists():
            raise Defect(f"{path.name} exists: two backups within one second", code="backup_exists")
        counts = count_rows(conn)
        part, sha256, size = _dumped(dsn, path, keyring, found["id"])
    manifest = Manifest(
        made_at=made_at, expires_on=expires_on(made_at, published.register_), sha256=sha256, bytes=size,
        key_id=keyring.primary_id, schema_version=found["v"], register_version=published.register_.version,
        register_sha256=published.sha256, sluis_version=sluis.__version__, rows=counts,
    )  # fmt: skip
    with _new(path.with_suffix(MANIFEST)) as file:
        file.write(manifest.model_dump_json(indent=2).encode() + b"\n")
    part.rename(path)  # last: a dump with its name is whole, and has its manifest
    _settle(directory)
    return Backup(path=path, manifest=manifest)


def verify(backup: Backup, keyring: Keyring) -> None:
    """Read a backup to its end: the hash of its manifest, every seal, and that a dump is in it.

    Raises ``Defect("backup_damaged")``, ``NotConfigured`` (``key_unknown``, ``key_wrong``) where the key is another.
    """
    digest = hashlib.sha256()
    with backup.path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
        if digest.hexdigest() != backup.manifest.sha256:
            raise Defect(f"{backup.path.name} is not the file of its manifest (SHA-256 differs)", code="backup_damaged")
        file.seek(0)
        first = b""
        for opened in opening(file, keyring):
            first = first or opened[: len(_DUMP_MAGIC)]
    if first != _DUMP_MAGIC:
        raise Defect(f"{backup.path.name} holds no dump", code="backup_damaged")


def expired(directory: Path, before: datetime, today: date) -> list[Backup]:
    """Return the backups made before a moment, and those whose own day of expiry has come."""
    return [b for b in listing(directory) if b.manifest.made_at < before or b.manifest.expires_on <= today]


def remove(backup: Backup) -> None:
    """Delete a backup; the manifest last, so that a kill in between leaves no dump that nothing is known of."""
    backup.path.unlink(missing_ok=True)
    backup.path.with_suffix(MANIFEST).unlink(missing_ok=True)
    _settle(backup.path.parent)


def sweep(directory: Path, now: datetime) -> int:
    """Delete what killed backups left: parts older than a day, and manifests without a dump; returns how many."""
    gone = 0
    for path in [*directory.glob(f"*{PART}"), *directory.glob(f"*{MANIFEST}")]:
        lonely = path.suffix == PART or not path.with_suffix(DUMP).exists()
        with suppress(FileNotFoundError):
            if lonely and _NAME.match(path.name) and path.stat().st_mtime < (now - _UNFINISHED).timestamp():
                path.unlink()
                gone += 1
    return gone


def window_cutoff(register: Register, now: datetime) -> datetime:
    """Return the moment before which a backup, and what is kept because of backups, has expired."""
    return cutoff(register.backup_window, now)


# --------------------------------------------------------------------------------------------------------------- files


def _dumped(dsn: str, path: Path, keyring: Keyring, snapshot: str) -> tuple[Path, str, int]:
    """Write the sealed dump to its part; returns the part, its hash and its size."""
    part = path.with_suffix(DUMP + PART)
    digest, size = hashlib.sha256(), 0
    command = [
        "pg_dump", "--format=custom", "--schema=sluis", "--no-unlogged-table-data", f"--snapshot={snapshot}",
        f"--lock-wait-timeout={_LOCK_WAIT_MS}",
    ]  # fmt: skip
    try:
        with running(dsn, command, stdout=subprocess.PIPE) as (process, words), _new(part) as file:
            assert process.stdout is not None
            for piece in sealing(process.stdout, keyring):
                digest.update(piece)
                size += file.write(piece)
            finished(process, words, "pg_dump")
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Defect(f"the backup cannot be written: {error.strerror}", code="backup_disk") from None
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part, digest.hexdigest(), size


@contextmanager
def _new(path: Path) -> Iterator[BinaryIO]:
    """Make a file (0600) that was not there, and bring it to the disk."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.stat()
    except OSError as error:
        raise NotConfigured(f"{directory} cannot be used: {error.strerror}", code="backups_directory") from None
    if status.st_mode & 0o077 or status.st_uid != os.geteuid():
        raise NotConfigured(
            f"{directory} may be entered by others or is another account's: backups stand in a directory of their own "
            "with mode 0700",
            code="backups_directory",
        )


def _settle(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
