"""Every place where a personal datum could stay behind, and the search for it. Used by the canary tests.

``Sinks.search`` looks through each class of sink and says how much it read; a class that holds nothing is an error of
the search, as a grep over no bytes proves nothing (but for what must not exist: ``MUST_BE_EMPTY``). Every hit knows the
category of the register it stands in (tests/e2e/allowed.py). No mail is sent yet: a mail stub is one more class here.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import psycopg

from sluis.local.places import repository
from sluis.privacy.backup import Backup
from sluis.privacy.sealed_file import opening
from sluis.store.server import SUPERUSER, LocalServer, installed_binaries
from tests.airflow_harness import AirflowStack
from tests.e2e.allowed import Allowed
from tests.e2e.canaries import Canaries, Kind, Needle
from tests.e2e.columns import columns
from tests.e2e.pages import pages

CHUNK = 8 * 1024 * 1024
#: Of the working tree: programs, caches of checks, and the home of the demonstration, which is another run's.
NOT_SEARCHED = frozenset({".venv", ".git", ".demo", ".mypy_cache", ".ruff_cache"})
#: Of these there must be none at all: what a dying process held in memory, and what great-expectations documents.
MUST_BE_EMPTY = frozenset({"core_dumps", "data_docs"})
_CORE = re.compile(r"core|core[.-]\d+|core\..+\.\d+(\.(lz4|zst))?|.+\.core")
_DATA_DOCS = frozenset({"gx", "great_expectations", "data_docs", "uncommitted"})
#: Where systems that take core dumps elsewhere keep them.
_CORE_PLACES = ("/var/lib/systemd/coredump", "/var/crash", "/cores", "/var/tmp")
#: In the files of a database, and in what it writes ahead, stands whatever its tables may hold: only persons are
#: looked for there, and everything once retention has passed.
_OF_THE_SERVER = frozenset({"database_files", "write_ahead_log"})


@dataclass(frozen=True)
class Hit:
    """A marker that stayed behind: the class of sink, the place in it, the category of the register, and the form."""

    sink: str
    place: str
    category: str | None
    kind: Kind
    form: bytes
    around: bytes


@dataclass
class Found:
    """What a search came to: hits, and the bytes read per class of sink."""

    hits: list[Hit] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)

    @property
    def sinks(self) -> set[str]:
        """The classes of sink where a direct identifier was found."""
        return {hit.sink for hit in self.hits if hit.kind is Kind.PERSON}

    def leaks(self, allowed: Allowed) -> list[Hit]:
        """The hits that the register does not allow."""
        return [hit for hit in self.hits if not allowed.allows(hit.kind, hit.category)]

    def places(self, kind: Kind) -> set[str]:
        """Where markers of a kind were found: columns with their table, other sinks by their class."""
        columns_too = ("airflow_database", "sluis_database")
        return {hit.place if hit.sink in columns_too else hit.sink for hit in self.hits if hit.kind is kind}


def scan(stream: BinaryIO, needles: Iterable[Needle]) -> Iterator[tuple[Needle, bytes]]:
    """Yield (needle, what stands around it), the first of each needle per piece of the stream."""
    wanted = tuple(needles)
    keep = max((len(needle.form) for needle in wanted), default=1) - 1
    tail = b""
    while piece := stream.read(CHUNK):
        piece = tail + piece
        folded = piece.lower()
        for needle in wanted:
            at = (piece if needle.exact else folded).find(needle.form)
            if at >= 0:
                yield needle, piece[max(0, at - 60) : at + len(needle.form) + 60]
        tail = piece[-keep:] if keep else b""


@dataclass(frozen=True)
class Sinks:
    """The sinks of one Airflow with its store; ``since`` (seconds since the epoch) bounds what the run can have made.

    Classes: ``airflow_database``, ``sluis_database`` (every column, and the dump: what a query shows),
    ``database_files`` (heap, indexes and what deleted rows left in them), ``write_ahead_log``, ``postgres_log``,
    ``task_logs``, ``process_logs``, ``home`` (AIRFLOW_HOME, which is SLUIS_HOME here, without its logs), ``temp``,
    ``working_tree``, ``core_dumps``, ``data_docs``, ``pages`` (of these DAGs), ``backups`` (opened),
    ``merchant_files`` (UBL).
    """

    stack: AirflowStack
    server: LocalServer
    since: float
    allowed: Allowed = field(default_factory=Allowed)

    def search(
        self,
        canaries: Canaries,
        dag_ids: Iterable[str] = (),
        *,
        backups: Iterable[Backup] = (),
        merchant_files: Path | None = None,
        everywhere: bool = False,
    ) -> Found:
        """Look through everything; ``everywhere``: for all kinds of markers in the server's own files too."""
        with psycopg.connect(self.server.dsn("postgres", SUPERUSER), autocommit=True) as conn:
            conn.execute("checkpoint")  # what stands in memory only would be looked for in vain
        persons, all_kinds = canaries.needles(Kind.PERSON), canaries.needles()
        look = _Look(Found(), persons, all_kinds, all_kinds if everywhere else persons)
        self._databases(look)
        for path, body in pages(self.stack, tuple(dag_ids)):
            category = "task_logs" if "/logs/" in path else self.allowed.of_third("airflow_database")
            look("pages", path, BytesIO(body), category)
        for backup in backups:
            look("backups", backup.path.name, BytesIO(self.opened(backup)), self._file("backups", backup.path))
        for sink, root, files in self._files(merchant_files):
            look.of(sink)
            for path in files:
                look.file(sink, path, self._file(root, path))
        return look.found

    def opened(self, backup: Backup) -> bytes:
        """Return a backup's content as SQL: unsealed with the keys, as only their owner can."""
        with backup.path.open("rb") as file:
            dump = b"".join(opening(file, self.stack.database.keyring))
        command = [installed_binaries() / "pg_restore", "--file=-"]
        return subprocess.run(command, input=dump, capture_output=True, check=True).stdout

    def _databases(self, look: _Look) -> None:
        own = {"airflow_database": self.stack.dsn, "sluis_database": self.stack.database.owner_dsn}
        for sink, address in own.items():
            database = psycopg.conninfo.conninfo_to_dict(address)["dbname"]
            dsn = self.server.dsn(str(database), SUPERUSER)
            for table, column, text in columns(dsn):
                ours = sink == "sluis_database"
                category = self.allowed.of_column(table, column) if ours else self.allowed.of_airflow_table(table)
                look(sink, f"{table}.{column}", BytesIO(text), category)
            command = [installed_binaries() / "pg_dump", "--inserts", f"--dbname={dsn}"]
            dump = subprocess.run(command, capture_output=True, check=True).stdout
            look(sink, "dump", BytesIO(dump), None, look.persons)

    def _file(self, root: str, path: Path) -> str | None:
        """The category of a file, by the roots that the register knows."""
        below = {
            "airflow_logs": self.stack.logs, "sluis_home": self.stack.airflow.home,
            "airflow_home": self.stack.airflow.home, "backups": path.parent,
        }  # fmt: skip
        if root in ("write_ahead_log", "postgres_log"):
            return self.allowed.of_third(root)
        if root == "ubl_target":
            return self.allowed.of_file(f"ubl_target/{path.name}")
        places = ("sluis_home", "airflow_home") if root == "home" else (root,)
        rooted = [f"{place}/{path.relative_to(below[place])}" for place in places if place in below]
        return next((name for one in rooted if (name := self.allowed.of_file(one))), None)

    def _files(self, merchant_files: Path | None) -> Iterator[tuple[str, str, list[Path]]]:
        """Yield (class of sink, root that the register knows, files)."""
        home, logs, data = self.stack.airflow.home, self.stack.logs, self.server.data
        temp = Path(tempfile.gettempdir())
        # A cluster of another session is none of this run's; those of ours are listed above.
        clusters = [path for path in temp.glob("sluis-p*g*-*") if path.is_dir()]
        spared = [*clusters, home, data, *([merchant_files] if merchant_files else [])]
        scattered = {
            "home": _under(home, without=[logs]),
            "temp": [
                path
                for place in {temp, Path("/var/tmp")}
                for path in _under(place, without=spared)
                if _changed(path) >= self.since
            ],
            "working_tree": _under(repository(), without=[repository() / name for name in NOT_SEARCHED]),
        }
        cluster = _under(data, without=[data / "pg_wal"])
        of_cores = [path for place in _CORE_PLACES for path in _under(Path(place)) if _changed(path) >= self.since]
        every = [*(path for files in scattered.values() for path in files), *cluster, *of_cores]
        cores = [path for path in dict.fromkeys(every) if _CORE.fullmatch(path.name)]
        documents = [path for path in every if _DATA_DOCS & set(path.parts)]
        for sink, files in scattered.items():
            yield sink, sink, [path for path in files if path not in {*cores, *documents}]
        yield "core_dumps", "", cores
        yield "data_docs", "", documents
        yield "database_files", "", cluster
        yield "write_ahead_log", "write_ahead_log", _under(data / "pg_wal")
        yield "postgres_log", "postgres_log", [self.server.log]
        yield "task_logs", "airflow_logs", _under(logs, without=[logs / "processes"])
        yield "process_logs", "airflow_logs", _under(logs / "processes")
        if merchant_files is not None:
            yield "merchant_files", "ubl_target", _under(merchant_files)


@dataclass(frozen=True)
class _Look:
    """One search under way."""

    found: Found
    persons: tuple[Needle, ...]
    all_kinds: tuple[Needle, ...]
    of_the_server: tuple[Needle, ...]

    def __call__(
        self, sink: str, place: str, stream: BinaryIO, category: str | None, needles: tuple[Needle, ...] = ()
    ) -> None:
        """Look through one stream."""
        self.of(sink)
        stream.seek(0, os.SEEK_END)
        self.found.read[sink] += stream.tell()
        stream.seek(0)
        needles = needles or (self.of_the_server if sink in _OF_THE_SERVER else self.all_kinds)
        for needle, around in scan(stream, needles):
            self.found.hits.append(Hit(sink, place, category, needle.kind, needle.form, around))
        named = [needle._replace(form=needle.form.lower()) for needle in needles if not needle.exact]
        for needle, _ in scan(BytesIO(place.lower().encode()), named):
            self.found.hits.append(Hit(sink, f"name of {place}", category, needle.kind, needle.form, b""))

    def of(self, sink: str) -> None:
        """Say that a class was looked at, though it may hold nothing."""
        self.found.read.setdefault(sink, 0)

    def file(self, sink: str, path: Path, category: str | None) -> None:
        """Look through one file; one that is gone since it was listed, or another account's, is passed over."""
        try:
            with path.open("rb") as stream:
                self(sink, str(path), stream, category)
        except (FileNotFoundError, PermissionError):
            return


def _under(root: Path, without: Iterable[Path] = ()) -> list[Path]:
    """Return the regular files under a directory; links are not followed."""
    left_out = {os.path.realpath(path) for path in without}
    found: list[Path] = []
    for folder, folders, files in os.walk(root, onerror=lambda _: None):
        folders[:] = [name for name in folders if os.path.realpath(os.path.join(folder, name)) not in left_out]
        found += [Path(folder, name) for name in files if not os.path.islink(os.path.join(folder, name))]
    return [path for path in found if path.is_file()]


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
