"""The local server: alive means it answers, and nothing a crash leaves behind stops it or harms another process."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sluis.errors import Defect, NotConfigured
from sluis.store import server as module
from sluis.store.server import SUPERUSER, LocalServer

pytestmark = pytest.mark.postgres
LIGHT = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "20"}


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every account can enter, as a data directory's parent mostly is."""
    with tempfile.TemporaryDirectory(prefix="sluis-pg-", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)
        yield Path(directory)


@pytest.fixture
def server(place: Path) -> Iterator[LocalServer]:
    """A started server of this test."""
    made = LocalServer(place / "server", settings=LIGHT)
    made.start()
    yield made
    made.stop()


def pid_of(server: LocalServer) -> int:
    """Return the pid in the pid file."""
    return int((server.data / "postmaster.pid").read_text().split("\n")[0])


def gone(pid: int) -> None:
    """Return when a process has ended (a zombie has)."""
    for _ in range(3000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.01)
    pytest.fail("the process does not end")


def setting(server: LocalServer, query: str) -> object:
    """Return the one value of a query."""
    with psycopg.connect(server.dsn("postgres", SUPERUSER)) as conn:
        found = conn.execute(query).fetchone()  # type: ignore[call-overload]
    assert found is not None
    return found[0]


def test_it_survives_a_kill_and_a_start_twice(server: LocalServer, place: Path) -> None:
    first = pid_of(server)
    server.start()
    assert pid_of(server) == first
    with psycopg.connect(server.dsn("postgres", SUPERUSER), autocommit=True) as conn:
        conn.execute("create table kept as select 1 as one")
    os.kill(first, signal.SIGKILL)
    gone(first)
    assert not server.alive()
    again = LocalServer(place / "server", settings=LIGHT)
    again.start()
    assert again.alive()
    assert pid_of(again) != first
    assert setting(again, "select one from kept") == 1


def test_a_pid_that_another_process_got_neither_stops_a_start_nor_is_harmed(server: LocalServer) -> None:
    postmaster = pid_of(server)
    os.kill(postmaster, signal.SIGKILL)
    gone(postmaster)
    pid_file, lock = server.data / "postmaster.pid", server.socket_dir / ".s.PGSQL.5432.lock"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as foreign:
        try:
            for path in (pid_file, lock):
                assert path.exists()
                path.write_text(path.read_text().replace(str(postmaster), str(foreign.pid), 1))
            assert not server.alive()
            server.stop()  # must not signal it
            assert foreign.poll() is None
            server.start()
            assert server.alive()
            assert foreign.poll() is None
        finally:
            foreign.kill()


def test_alive_asks_and_is_not_fooled_by_a_pid_file(server: LocalServer) -> None:
    os.kill(pid_of(server), signal.SIGSTOP)
    try:
        assert not server.alive()
        assert (server.data / "postmaster.pid").exists()
    finally:
        os.kill(pid_of(server), signal.SIGCONT)
    assert server.alive()
    server.stop()
    assert not server.alive()
    server.stop()


_STARTER = """
import sys
from pathlib import Path
from sluis.store.server import LocalServer
server = LocalServer(Path(sys.argv[1]), settings={"fsync": "off", "shared_buffers": "16MB"})
server.start()
print(server.alive(), flush=True)
"""


def test_two_starters_at_once_make_one_server(place: Path) -> None:
    starters = [
        subprocess.Popen([sys.executable, "-c", _STARTER, str(place / "server")], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    server = LocalServer(place / "server")
    try:
        assert [s.communicate(timeout=60)[0] for s in starters] == ["True\n", "True\n"]
    finally:
        server.stop()
    assert not server.alive()


def test_it_is_private_and_leaves_the_directories_above_as_they_are(place: Path) -> None:
    above = place / "above"
    above.mkdir(mode=0o755)
    above.chmod(0o751)
    before = {path: path.stat().st_mode for path in (place, above)}
    server = LocalServer(above / "new" / "server", settings=LIGHT)
    server.start()
    try:
        assert {path: path.stat().st_mode for path in before} == before
        for path in (server.data, server.socket_dir, server.log.parent):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert setting(server, "show listen_addresses") == ""
        assert setting(server, "select count(*) from pg_stat_activity where client_addr is not null") == 0
    finally:
        server.stop()


def test_it_logs_no_value_and_speaks_utf8(server: LocalServer) -> None:
    with psycopg.connect(server.dsn("postgres", SUPERUSER), autocommit=True) as conn:
        conn.execute("create table t (a text unique)")
        conn.execute("insert into t values ('CANARY')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute("insert into t values ('CANARY')")
    log = server.log.read_text()
    assert "duplicate key value" in log
    assert "CANARY" not in log
    shown = {
        name: setting(server, f"show {name}")
        for name in ("log_error_verbosity", "log_min_error_statement", "log_statement", "server_encoding", "timezone")
    }
    assert shown == {
        "log_error_verbosity": "terse", "log_min_error_statement": "panic", "log_statement": "none",
        "server_encoding": "UTF8", "timezone": "UTC",
    }  # fmt: skip
    assert str(setting(server, "show server_version")).startswith("18.")
    assert setting(server, "select datlocale from pg_database where datname = 'postgres'") == "C.UTF-8"
    assert module.DEFAULTS["fsync"] == "on"
    assert module.DEFAULTS["max_connections"] == "200"


def test_a_long_path_gets_a_short_private_socket_directory(place: Path) -> None:
    server = LocalServer(place / ("x" * 100) / "server", settings=LIGHT)
    assert server.socket_dir.parent != server.home
    assert len(str(server.socket_dir / ".s.PGSQL.5432")) < 100
    server.start()
    try:
        assert server.alive()
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
    finally:
        server.stop()
        server.socket_dir.rmdir()


def test_what_is_wrong_is_one_clear_line(place: Path) -> None:
    (place / "file").write_text("")
    with pytest.raises(NotConfigured, match="file") as caught:
        LocalServer(place / "file" / "server").start()
    assert "\n" not in str(caught.value)
    (place / "open").mkdir()
    (place / "open" / "run").mkdir(mode=0o777)
    (place / "open" / "run").chmod(0o777)
    with pytest.raises(NotConfigured, match=r"run is not a private directory"):
        LocalServer(place / "open").start()
    bad = LocalServer(place / "bad", settings={"shared_buffers": "nonsense"})
    with pytest.raises(Defect, match="shared_buffers") as refused:
        bad.start()
    assert "\n" not in str(refused.value)
    assert not bad.alive()


def test_an_initdb_that_was_killed_leaves_nothing_half(place: Path) -> None:
    server = LocalServer(place / "server", settings=LIGHT)
    half = place / "server" / "data.new"
    half.mkdir(parents=True)
    (place / "server").chmod(0o711)
    (half / "PG_VERSION").write_text("18")
    server.start()
    try:
        assert server.alive()
        assert not half.exists()
    finally:
        server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL to another account")
def test_root_hands_it_to_an_account_that_can_reach_it_without_opening_a_door(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    server = LocalServer(closed / "server", settings=LIGHT)
    assert server.home.parent == Path(tempfile.gettempdir())
    server.start()
    try:
        assert server.alive()
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert os.stat(f"/proc/{pid_of(server)}").st_uid != 0
        assert LocalServer(closed / "server").home == server.home  # found again by whoever asks
    finally:
        server.stop()
        subprocess.run(["rm", "-r", str(server.home)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL to another account")
def test_root_copies_binaries_that_the_account_cannot_reach(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = place / "hidden"
    hidden.mkdir(mode=0o700)
    (hidden / "pginstall").symlink_to(module.installed_binaries().parent)
    monkeypatch.setattr(module, "installed_binaries", lambda: hidden / "pginstall" / "bin")
    server = LocalServer(place / "server", settings=LIGHT)
    server.start()
    try:
        assert server.alive()
        assert os.readlink(f"/proc/{pid_of(server)}/exe").startswith(str(server.home))
    finally:
        server.stop()
