"""The log of deletions: a file beside the backups that outlives the store, so that a restore forgets what was deleted.

A line per row of the tables of ``store.later`` (what ended, holds, periods of merchants, certificates): written after
the fact from the store, so that it never tells a deletion that was rolled back; whoever comes next writes what a kill
left out. Lines older than the register's backup window stand in every backup there is, and are left out. No customer.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from sluis.errors import Defect
from sluis.store.database import Connection
from sluis.store.later import TABLES, Later, collect

NAME = "deletions.jsonl"


def read(directory: Path) -> list[Later]:
    """Return what the log holds, oldest first; a line that a crash tore is none (its row is written again)."""
    try:
        lines = (directory / NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Defect(f"{directory / NAME} cannot be read: {error.strerror}", code="deletions_log") from None
    return [line for text in lines if (line := _line(text)) is not None]


def catch_up(conn: Connection, directory: Path, since: datetime) -> int:
    """Write what the store knows since a moment and the log does not; returns how many lines. On the disk when it does.

    Raises ``Defect("deletions_log")`` where it cannot be written: nothing was lost, the next one writes it.
    """
    try:
        with _locked(directory):
            known = {(line.key, line.at, _text(line)) for line in read(directory)}
            new = [line for line in collect(conn, since) if (line.key, line.at, _text(line)) not in known]
            if new:
                _append(directory / NAME, "".join(_text(line) + "\n" for line in new))
            return len(new)
    except OSError as error:
        raise Defect(
            f"the log of deletions {directory / NAME} cannot be written ({error.strerror}): a restore would not know of"
            " what was deleted since; make room or give the rights, then run `sluis backup`",
            code="deletions_log",
        ) from None


def expired(directory: Path, before: datetime) -> int:
    """Count the lines that are older than a moment."""
    return sum(line.at < before for line in read(directory))


def trim(directory: Path, before: datetime) -> int:
    """Leave lines older than a moment out; returns how many. The file is replaced whole or not at all."""
    with _locked(directory):
        lines = read(directory)
        kept = [line for line in lines if line.at >= before]
        if len(kept) < len(lines):
            fresh = directory / f"{NAME}.new"
            fresh.unlink(missing_ok=True)
            _append(fresh, "".join(_text(line) + "\n" for line in kept))
            fresh.rename(directory / NAME)
        return len(lines) - len(kept)


def _append(path: Path, text: str) -> None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(-1, os.SEEK_END)
            text = text if file.read(1) == b"\n" else "\n" + text  # behind a line that a crash tore
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer at a time; makes the directory where it is missing. The lock goes with the process."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.fsync(handle)
    finally:
        os.close(handle)


def _text(line: Later) -> str:
    return json.dumps({"at": line.at.isoformat(), "table": line.table, "row": dict(line.row)}, sort_keys=True)


def _line(text: str) -> Later | None:
    try:
        line = Later.model_validate(json.loads(text, parse_float=str))
    except (ValueError, ValidationError):
        return None
    return line if line.table in TABLES else None
