"""Deletes files that have expired: task logs, logs of processes, caches. The deleter ``delete_files``.

A category's patterns start with the name of a root (``Kit.roots``); nothing outside of it is touched and no link is
followed. How old a file is: the date in its path (a run's, or a folder's), else its last change. A log that a process
may still write to is not taken from it: its expired lines are cut off, and the file stays. A file that changed within
a day stays as well, whatever date its run carries: somebody may be writing it, or wants to read what he just ran.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sluis.errors import Defect, NotConfigured
from sluis.privacy.register_files import ROOTS, matches
from sluis.privacy.retention.contract import Count, Deleter, Rule
from sluis.privacy.retention.kit import Kit, Tools

_QUIET = timedelta(days=1)
_ALL = -1
_RUN = re.compile(r"run_id=[a-z_]+__(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:\d{2}))")
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")
_MERCHANT = re.compile(r"dag_id=sync__([a-z0-9]{2,32})__.*")
#: How a line of a log begins; without a zone it is UTC (all our processes, and PostgreSQL's ``log_timezone``, are).
_LINE = re.compile(rb"\[?(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:[.,]\d+)?(Z|[+-]\d{2}:?\d{2})?")


def deleters(tools: Tools) -> Iterable[Deleter]:
    """Return the deleter of this module."""
    return (DeleteFiles(tools.kit),)


@dataclass(frozen=True)
class _Found:
    """A file that a pattern matches; its directory is open while it is looked at."""

    parts: tuple[str, ...]  #: below the root
    directory: int
    changed: datetime

    @property
    def name(self) -> str:
        return self.parts[-1]


class DeleteFiles:
    """The deleter. Counts are files per pattern; one whose first lines expired counts as one."""

    name = "delete_files"

    def __init__(self, kit: Kit) -> None:
        self._roots = dict(kit.roots)

    def count(self, rule: Rule) -> Count:
        """Count the files that have expired, wholly or in their first lines, and all that stand there.

        Raises ``NotConfigured`` (``root_missing``, ``root_refused``) and ``Defect("files_refused")``.
        """
        expired: dict[str, int] = {}
        standing = 0
        for pattern in _patterns(rule):
            with _allowed(pattern):
                for found in self._files(pattern):
                    if _is_about(rule, found):
                        standing += 1
                        if _expired(rule, found):
                            expired[pattern] = expired.get(pattern, 0) + 1
        return Count(expired=expired, standing=standing)

    def delete(self, rule: Rule) -> Mapping[str, int]:
        """Delete them, then folders that are empty; returns how many files per pattern. Raises what ``count`` does."""
        went: dict[str, int] = {}
        for pattern in _patterns(rule):
            with _allowed(pattern):
                for found in self._files(pattern, tidy=rule):
                    if _is_about(rule, found) and (size := _expired(rule, found)):
                        _take(found, size)
                        went[pattern] = went.get(pattern, 0) + 1
        return went

    def _files(self, pattern: str, tidy: Rule | None = None) -> Iterator[_Found]:
        """Walk a root and give what matches, without following a link; with ``tidy`` empty folders go behind it."""
        name = pattern.partition("/")[0]
        root = self._root(name)
        for path, folders, files, directory in os.fwalk(root, topdown=False, onerror=_raised, follow_symlinks=False):
            here = Path(path).relative_to(root).parts
            for file in sorted(files):
                if (seen := _seen(file, directory)) is not None and matches(pattern, "/".join((name, *here, file))):
                    yield _Found((*here, file), directory, datetime.fromtimestamp(seen.st_mtime, UTC))
            if tidy is not None:
                for folder in folders:
                    _tidy(tidy, pattern, (*here, folder), directory)

    def _root(self, name: str) -> Path:
        variable = ROOTS.get(name) or name
        root = self._roots.get(name)
        if root is None or not str(root).strip():
            raise NotConfigured(
                f"{variable} is not set: the folder that the register calls {name}", code="root_missing"
            )
        real = Path(os.path.realpath(root))
        # A few folders deep at least: a slip of the pen must not be the machine's own folders.
        if not root.is_absolute() or len(real.parts) < 3 or real == Path.home():
            raise NotConfigured(f"{variable} is no folder to delete in: name one of its own", code="root_refused")
        if not real.is_dir():
            raise NotConfigured(f"{variable} names a folder that is not there", code="root_missing")
        return real


@contextmanager
def _allowed(pattern: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Defect(
            f"files of {pattern} cannot be deleted: {error.strerror}; they must be those of the account that runs this",
            code="files_refused",
        ) from None


def _seen(file: str, directory: int) -> os.stat_result | None:
    """Look at a file; ``None`` for a link, and for one that is gone by now."""
    try:
        seen = os.stat(file, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return seen if stat.S_ISREG(seen.st_mode) else None


def _raised(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # somebody else's tidying
        raise error


def _patterns(rule: Rule) -> list[str]:
    return [] if rule.held else [place.files for place in rule.category.places if place.files is not None]


def _merchant(parts: tuple[str, ...]) -> str | None:
    found = _MERCHANT.fullmatch(parts[0])
    return found[1] if found else None


def _is_about(rule: Rule, found: _Found) -> bool:
    merchant = _merchant(found.parts)
    return merchant not in rule.held_merchants and (rule.merchant is None or merchant == rule.merchant)


def _expired(rule: Rule, found: _Found) -> int:
    """Return how many bytes at the start of a file go; ``_ALL`` for the file itself."""
    merchant, quiet = _merchant(found.parts), found.changed < rule.clock - _QUIET
    if merchant is not None and merchant in rule.ended:
        return _ALL if quiet else 0
    before = rule.own_cutoffs.get(merchant or "", rule.cutoff)
    if before is None:
        return 0
    dated = _date(found.parts)
    if dated is None and _is_open_ended(found):
        return _old_lines(found, before)
    return _ALL if quiet and (dated or found.changed) < before else 0


def _is_open_ended(found: _Found) -> bool:
    """Whether it is a log without a date of its own: some process writes it for as long as it lives."""
    return found.name.endswith(".log") and not any(part.startswith("run_id=") for part in found.parts)


def _date(parts: tuple[str, ...]) -> datetime | None:
    """Return the moment a path names: a run's, or a folder's day."""
    for part in parts[:-1]:
        if run := _RUN.fullmatch(part):
            return _moment(run[1])
        if _DATED.fullmatch(part):
            return _moment(f"{part}T00:00:00+00:00")
    return None


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _old_lines(found: _Found, before: datetime) -> int:
    """Return how many bytes at the start of a log are older; a line without a moment goes with the one before it.

    A log whose lines tell no moment goes wholly, once nothing was added for that long.
    """
    at, old, told = 0, False, False
    with os.fdopen(os.open(found.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=found.directory), "rb") as file:
        for line in file:
            if (moment := _line_moment(line)) is not None:
                told = True
                if moment >= before:
                    return at if old else 0
                old = True
            at += len(line)
    return at if old or (not told and found.changed < before) else 0


def _line_moment(line: bytes) -> datetime | None:
    found = _LINE.match(line)
    if found is None:
        return None
    day, time, zone = (part.decode() if part else "" for part in found.groups())
    return _moment(f"{day}T{time}{zone or '+00:00'}")


def _take(found: _Found, size: int) -> None:
    """Delete a file, or the first bytes of a log that a process may have open."""
    if size == _ALL:
        os.unlink(found.name, dir_fd=found.directory)
        return
    flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW
    with os.fdopen(os.open(found.name, flags, dir_fd=found.directory), "r+b", buffering=0) as file:
        file.seek(size)
        rest = file.read()
        # Its writer appends, so he goes on behind what is written back here.
        file.truncate(0)
        file.write(rest)


def _tidy(rule: Rule, pattern: str, parts: tuple[str, ...], directory: int) -> None:
    """Remove a folder that is empty, where one is meant by the pattern and nobody is just making it."""
    root = pattern.partition("/")[0]
    if not matches(pattern, "/".join((root, *parts))) and not matches(pattern, "/".join((root, *parts, "x"))):
        return
    dated, merchant = _date((*parts, "")), _merchant(parts)
    changed = datetime.fromtimestamp(os.stat(parts[-1], dir_fd=directory, follow_symlinks=False).st_mtime, UTC)
    old = dated is not None and rule.cutoff is not None and dated < rule.cutoff
    if old or (merchant is not None and merchant in rule.ended) or changed < rule.clock - _QUIET:
        try:
            os.rmdir(parts[-1], dir_fd=directory)
        except OSError:  # not empty, a link, or gone already
            return
