"""Every place where a personal datum could stay behind, and the search for it. Used by the canary tests.

``Canaries`` makes unique markers for all personal fields. ``needles`` are the byte strings that betray one of them in
whatever form: plain, any case, URL-encoded, JSON- or HTML-escaped, UTF-16, base64 (both alphabets, at each of its three
alignments), hex (as PostgreSQL shows ``bytea``), and the unkeyed SHA-256 and MD5 of the fields that are a person's
number. A form that contains another needle is left out: finding that one finds it too.

``Sinks.search`` looks through each class of sink and says how much it read; a class that holds nothing is an error of
the search, as a grep over no bytes proves nothing. New sinks (a mail stub, a backup) are one more method.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, quote_plus

import psycopg

from sluis.local.places import repository
from sluis.store.server import SUPERUSER, LocalServer, installed_binaries
from tests.airflow_harness import AirflowStack

CHUNK = 8 * 1024 * 1024
LETTERS = "bcdfghjkmnpqrstvwxz"
#: Of the working tree: programs, caches of checks, and the home of the demonstration, which is another run's.
NOT_SEARCHED = frozenset({".venv", ".git", ".demo", ".mypy_cache", ".ruff_cache"})


class Canaries:
    """Markers of one test: every text holds ``word``, every number ``digits``; ``address`` is an IP address."""

    def __init__(self) -> None:
        self.word = "".join(secrets.choice(LETTERS) for _ in range(14))
        self.digits = str(secrets.randbelow(8 * 10**10) + 10**10)
        base = secrets.randbelow(10**7)
        self.business = f"BE0{base:07d}{97 - base % 97:02d}"  #: a Belgian VAT number with a right check digit
        self.address = f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}:{secrets.token_hex(2)}::7"

    def text(self, field: str) -> str:
        """A marker for a field of text, with a character that every encoding writes in another way."""
        return f"{self.word}{field}é&'+/"

    @cached_property
    def needles(self) -> tuple[tuple[bytes, bool], ...]:
        """What to look for, and whether case matters, the fewest that cover all forms."""
        found: set[tuple[bytes, bool]] = set()
        for value in (self.word, self.digits, self.address, self.business[2:]):
            found.update(_forms(value))
        numbers = (self.digits, f"NL{self.digits}", self.business, self.business[2:])
        for value in (*numbers, self.address, f"{self.word}@example.com", f"tr_{self.word}"):
            for digest in (hashlib.sha256(value.encode()), hashlib.md5(value.encode())):
                found |= {(digest.digest(), True), (digest.hexdigest().encode(), False)}
        return tuple(sorted(n for n in found if not any(_covers(other, n) for other in found if other != n)))


def _forms(value: str) -> Iterator[tuple[bytes, bool]]:
    for text in (value, quote(value, safe=""), quote_plus(value), html.escape(value), json.dumps(value)[1:-1]):
        yield text.lower().encode(), False
    for written in {value, value.lower(), value.upper(), value.capitalize()}:
        raw = written.encode()
        yield raw.hex().encode(), False
        yield written.encode("utf-16-le"), True
        for shift in range(3):
            inner = base64.b64encode(b"\0" * shift + raw)[(0, 2, 3)[shift] :]
            whole = inner[: -(4 if (shift + len(raw)) % 3 else 0) or None]
            yield whole, True
            yield whole.translate(bytes.maketrans(b"+/", b"-_")), True


def _covers(one: tuple[bytes, bool], other: tuple[bytes, bool]) -> bool:
    """Whether whatever holds ``other`` holds ``one``."""
    if one[1]:
        return other[1] and one[0] in other[0]
    return one[0] in other[0].lower()


@dataclass(frozen=True)
class Hit:
    """A marker that stayed behind: the class of sink, the place in it, and the form."""

    sink: str
    place: str
    form: bytes
    around: bytes


@dataclass
class Found:
    """What a search came to: hits, and the bytes read per class of sink."""

    hits: list[Hit] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)

    @property
    def sinks(self) -> set[str]:
        """The classes of sink with a hit."""
        return {hit.sink for hit in self.hits}


def scan(stream: BinaryIO, needles: Iterable[tuple[bytes, bool]]) -> Iterator[tuple[bytes, bytes]]:
    """Yield (form, what stands around it), the first of each form per piece of the stream."""
    wanted = tuple(needles)
    keep = max(len(needle) for needle, _ in wanted) - 1
    tail = b""
    while piece := stream.read(CHUNK):
        piece = tail + piece
        folded = piece.lower()
        for needle, exact in wanted:
            at = (piece if exact else folded).find(needle)
            if at >= 0:
                yield needle, piece[max(0, at - 60) : at + len(needle) + 60]
        tail = piece[-keep:]


@dataclass(frozen=True)
class Sinks:
    """The sinks of one Airflow with its store; ``since`` (seconds since the epoch) bounds what the run can have made.

    Classes: ``airflow_database``, ``sluis_database`` (dumps: what a query shows), ``database_files`` (heap, indexes
    and what deleted rows left in them), ``write_ahead_log``, ``postgres_log``, ``task_logs``, ``process_logs``,
    ``home`` (AIRFLOW_HOME, which is SLUIS_HOME here, without its logs), ``temp`` and ``working_tree``.
    """

    stack: AirflowStack
    server: LocalServer
    since: float

    def search(self, canaries: Canaries) -> Found:
        """Look through everything."""
        with psycopg.connect(self.server.dsn("postgres", SUPERUSER), autocommit=True) as conn:
            conn.execute("checkpoint")  # what stands in memory only would be looked for in vain
        found = Found()
        for name in ("airflow_database", "sluis_database"):
            self._look(found, canaries, name, name, BytesIO(self._dump(name)))
        for sink, files in self._files().items():
            for path in files:
                try:
                    with path.open("rb") as stream:
                        self._look(found, canaries, sink, str(path), stream)
                except (FileNotFoundError, PermissionError):
                    continue  # gone since it was listed, or another account's
        return found

    def _look(self, found: Found, canaries: Canaries, sink: str, place: str, stream: BinaryIO) -> None:
        stream.seek(0, os.SEEK_END)
        found.read[sink] = found.read.get(sink, 0) + stream.tell()
        stream.seek(0)
        found.hits += [Hit(sink, place, form, around) for form, around in scan(stream, canaries.needles)]
        named = [(form.lower(), exact) for form, exact in canaries.needles if not exact]
        found.hits += [Hit(sink, f"name of {place}", form, b"") for form, _ in scan(BytesIO(place.encode()), named)]

    def _dump(self, name: str) -> bytes:
        """Every row of a database as text; unlogged tables too."""
        own = self.stack.dsn if name == "airflow_database" else self.stack.database.owner_dsn
        database = psycopg.conninfo.conninfo_to_dict(own)["dbname"]
        dsn = self.server.dsn(str(database), SUPERUSER)
        command = [installed_binaries() / "pg_dump", "--inserts", f"--dbname={dsn}"]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def _files(self) -> dict[str, list[Path]]:
        home, logs, data = self.stack.airflow.home, self.stack.logs, self.server.data
        temp = Path(tempfile.gettempdir())
        # A cluster of another session is none of this run's; those of ours are listed above.
        clusters = [path for path in temp.glob("sluis-p*g*-*") if path.is_dir()]
        return {
            "database_files": _under(data, without=[data / "pg_wal"]),
            "write_ahead_log": _under(data / "pg_wal"),
            "postgres_log": [self.server.log],
            "task_logs": _under(logs, without=[logs / "processes"]),
            "process_logs": _under(logs / "processes"),
            "home": _under(home, without=[logs]),
            "temp": [
                path
                for place in {temp, Path("/var/tmp")}
                for path in _under(place, without=[*clusters, home, data])
                if _changed(path) >= self.since
            ],
            "working_tree": _under(repository(), without=[repository() / name for name in NOT_SEARCHED]),
        }


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
