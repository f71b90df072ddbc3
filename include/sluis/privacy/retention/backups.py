"""Deleters of the backups and of the log of deletions: files beside the store, with dates of their own.

A backup goes by the moment in its manifest, never by the file's date, which a copy changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sluis.privacy import backup, deletions_log
from sluis.privacy.retention.contract import Count, Deleter, Rule
from sluis.privacy.retention.kit import Tools

ROOT = "backups"


def deleters(tools: Tools) -> Iterable[Deleter]:
    """Return both; without a directory of backups they find nothing."""
    directory = tools.kit.roots.get(ROOT)
    return DeleteBackups(directory), TrimDeletionsLog(directory, tools)


class DeleteBackups:
    """Deletes backups with their manifests once the window has passed, and what killed ones left."""

    name = "delete_backups"

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def count(self, rule: Rule) -> Count:
        """Count the backups that have expired; a single merchant's run and a hold leave them all."""
        if self._directory is None:
            return Count()
        standing = len(backup.listing(self._directory))
        return Count(expired={ROOT: len(self._expired(rule))} if self._expired(rule) else {}, standing=standing)

    def delete(self, rule: Rule) -> Mapping[str, int]:
        """Delete them; a kill in between leaves whole backups or none."""
        gone = self._expired(rule)
        for one in gone:
            backup.remove(one)
        if self._directory is not None and self._directory.is_dir() and rule.merchant is None:
            backup.sweep(self._directory, rule.clock)
        return {ROOT: len(gone)} if gone else {}

    def _expired(self, rule: Rule) -> list[backup.Backup]:
        if self._directory is None or rule.cutoff is None or rule.held or rule.merchant is not None:
            return []
        return backup.expired(self._directory, rule.cutoff, rule.clock.date())


class TrimDeletionsLog:
    """Leaves lines out of the log of deletions that every backup there is holds; first it writes what is missing."""

    name = "trim_deletions_log"

    def __init__(self, directory: Path | None, tools: Tools) -> None:
        self._directory, self._tools = directory, tools

    def count(self, rule: Rule) -> Count:
        """Count the lines that are older than the window."""
        if self._directory is None or rule.cutoff is None or rule.held or rule.merchant is not None:
            return Count()
        old = deletions_log.expired(self._directory, rule.cutoff)
        return Count(
            expired={deletions_log.NAME: old} if old else {}, standing=len(deletions_log.read(self._directory))
        )

    def delete(self, rule: Rule) -> Mapping[str, int]:
        """Leave them out; returns how many."""
        if self._directory is None or rule.cutoff is None or rule.held or rule.merchant is not None:
            return {}
        deletions_log.catch_up(self._tools.conn, self._directory, rule.cutoff)
        old = deletions_log.trim(self._directory, rule.cutoff)
        return {deletions_log.NAME: old} if old else {}
