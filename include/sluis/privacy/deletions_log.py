"""The log of deletions: a file beside the backups that outlives the store, so that a restore forgets what was deleted.

A line per row of the tables of ``store.later`` (what ended, holds, periods of merchants, certificates): written after
the fact from the store, so that it never tells a deletion that was rolled back; whoever comes next writes what a kill
left out. Each line bears an HMAC over itself and that of the line before, under a key derived from the keyring: a line
that somebody added, changed or took out is found. What he cut off at the end is not: only the store knows of that.
Lines older than the register's backup window stand in every backup there is, and are left out. No customer.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sluis.core.frozen import Frozen
from sluis.errors import Defect, NotConfigured
from sluis.privacy.keyring import Keyring
from sluis.store.database import Connection
from sluis.store.later import TABLES, Later, collect

NAME = "deletions.jsonl"
_PURPOSE = "deletions-log"


class Log(Frozen):
    """What a log holds: its genuine lines, oldest first, and how many places in it are not as they were written."""

    lines: tuple[Later, ...] = ()
    bad: int = 0  #: lines that are torn, changed, added, or follow on one that is gone
    there: bool = False


def read(directory: Path) -> list[Later]:
    """Return the genuine lines, oldest first; what is damaged is written again from the store by ``catch_up``."""
    return list(inspect(directory).lines)


def inspect(directory: Path) -> Log:
    """Return what the log holds and how much of it is damaged. Raises ``Defect("deletions_log")``: unreadable."""
    return _inspect(directory)[0]


def catch_up(conn: Connection, directory: Path, since: datetime) -> int:
    """Write what the store knows since a moment and the log does not; returns how many lines. On the disk when it does.

    A damaged log is replaced by one of its genuine lines and what the store knows. Raises ``Defect("deletions_log")``
    where it cannot be written: nothing was lost, the next one writes it.
    """
    try:
        with _locked(directory):
            log, last = _inspect(directory)
            known = {(line.key, line.at, _text(line)) for line in log.lines}
            new = [line for line in collect(conn, since) if (line.key, line.at, _text(line)) not in known]
            if log.bad:
                _replace(directory, [*log.lines, *new])
            elif new or not log.there:
                _append(directory / NAME, _sealed(new, last))
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
            _replace(directory, kept)
        return len(lines) - len(kept)


def _inspect(directory: Path) -> tuple[Log, str]:
    """Return the log, and the seal that the next line follows on."""
    try:
        whole = (directory / NAME).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return Log(), ""
    except OSError as error:
        raise Defect(f"{directory / NAME} cannot be read: {error.strerror}", code="deletions_log") from None
    keyring = Keyring.from_environment() if whole else None
    lines: list[Later] = []
    bad, last = int(bool(whole) and not whole.endswith("\n")), ""  # without it the next line would stand behind it
    for text in whole.splitlines():
        opened = _opened(text, keyring) if keyring is not None else None
        if opened is None:
            bad += 1
            continue
        line, previous, seal = opened
        bad += previous != last
        lines.append(line)
        last = seal
    return Log(lines=tuple(lines), bad=bad, there=True), last


def _opened(text: str, keyring: Keyring) -> tuple[Later, str, str] | None:
    """Return a line with the seal it follows on and its own; ``None`` where it is not one that sluis wrote."""
    try:
        found = json.loads(text, parse_float=str)
        key_id, previous, seal = str(found.pop("key")), str(found.pop("after")), str(found.pop("seal"))
        line = Later.model_validate(found)
        right = hmac.compare_digest(_seal(keyring, key_id, previous, line), seal)
    except (ValueError, ValidationError, KeyError, TypeError, AttributeError, NotConfigured):
        return None
    return (line, previous, seal) if right and line.table in TABLES else None


def _seal(keyring: Keyring, key_id: str, previous: str, line: Later) -> str:
    told = f"{key_id}\n{previous}\n{_text(line)}".encode()
    return hmac.new(keyring.derive(key_id, _PURPOSE), told, "sha256").hexdigest()


def _sealed(lines: Iterable[Later], last: str) -> str:
    """Return lines as they stand in the file, each following on the one before."""
    texts: list[str] = []
    keyring = Keyring.from_environment()
    for line in lines:
        seal = _seal(keyring, keyring.primary_id, last, line)
        texts.append(json.dumps({**_plain(line), "key": keyring.primary_id, "after": last, "seal": seal}) + "\n")
        last = seal
    return "".join(texts)


def _replace(directory: Path, lines: Iterable[Later]) -> None:
    fresh = directory / f"{NAME}.new"
    fresh.unlink(missing_ok=True)
    _append(fresh, _sealed(lines, ""))
    fresh.rename(directory / NAME)


def _append(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "ab") as file:
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


def _plain(line: Later) -> dict[str, Any]:
    return {"at": line.at.isoformat(), "table": line.table, "row": dict(line.row)}


def _text(line: Later) -> str:
    """Return a line in the one form that is sealed, the same before it was written and after it was read."""
    return json.dumps(json.loads(json.dumps(_plain(line)), parse_float=str), sort_keys=True)
