"""Starting the demo: what is wrong is told in one line, and no process is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sluis.local.held import held
from sluis.local.processes import free_port
from sluis.store.server import LocalServer


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that the account which runs PostgreSQL may pass through."""
    with tempfile.TemporaryDirectory(prefix="sluis-demo-", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o711)
        yield Path(directory) / "home"


def command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "sluis.demo", "--home", str(home), *arguments]


def left_behind(home: Path) -> list[list[str]]:
    """Command lines of processes that belong to this demo's home."""
    found = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        line = process.info["cmdline"] or []
        if process.pid != os.getpid() and any(str(home) in part for part in line):
            found.append(line)
    return found


def refused(home: Path, *arguments: str) -> str:
    done = subprocess.run(command(home, *arguments), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert left_behind(home) == []
    lines = done.stderr.strip().splitlines()
    assert len([line for line in lines if line.startswith("demo: ")]) == 1
    return lines[-1]


def test_a_port_in_use_is_one_line_before_anything_starts(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "port_in_use" in refused(home, "--once", "--port", port)


@pytest.mark.parametrize("number", ["99999999", "0", "-1"])
def test_what_is_no_port_is_one_line(home: Path, number: str) -> None:
    assert f"{number} is no port" in refused(home, "--once", f"--port={number}")
    assert not home.exists()


def test_a_second_demo_in_the_same_home_is_refused_and_the_first_unharmed(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "logs").mkdir()
    with held(home, "a test"):
        assert "already_running" in refused(home, "--once", "--port", str(free_port()))
        assert clean(home).returncode == 2
        assert (home / "logs").is_dir()


def clean(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sluis.demo.clean", "--home", str(home)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_clean_removes_the_database_too_but_never_one_that_answers(home: Path) -> None:
    home.mkdir(mode=0o700)  # root's stand-in account cannot enter: then the data stands elsewhere
    server = LocalServer(home / "postgres", settings={"fsync": "off"})
    server.start()
    try:
        refusal = clean(home)
        assert refusal.returncode == 2
        assert "server_runs" in refusal.stderr
        assert server.alive()
    finally:
        server.stop()
    assert server.data.is_dir()
    assert clean(home).returncode == 0
    assert not home.exists()
    assert not server.home.exists()
    assert clean(home).returncode == 0, "nothing left to remove is no error"


def test_a_file_that_is_not_there_or_lacks_a_column_is_one_line(home: Path, tmp_path: Path) -> None:
    free = str(free_port())
    missing = refused(home, "--once", "--port", free, "--orders", str(tmp_path / "none.csv"))
    assert "none.csv" in missing
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("InvoiceNo,StockCode\n1,2\n", encoding="utf-8")
    assert "wrong.csv" in refused(home, "--once", "--port", free, "--orders", str(wrong))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_all_it_started_in_the_middle_of_starting(home: Path, how: signal.Signals) -> None:
    child = subprocess.Popen(
        command(home, "--port", str(free_port())), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert child.stdout is not None
    for line in child.stdout:
        if "live" in line:  # the sandbox and PostgreSQL run, Airflow is about to
            break
    second = subprocess.run(
        command(home, "--once", "--port", str(free_port())), capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 2
    assert second.stderr.startswith("demo: [already_running]")
    assert child.poll() is None
    child.send_signal(how)
    rest, _ = child.communicate(timeout=120)
    assert child.returncode == 0, rest
    deadline = time.monotonic() + 30
    while left_behind(home) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left_behind(home) == []


@pytest.mark.airflow
def test_once_ends_by_itself_with_every_total_agreeing(home: Path) -> None:
    done = subprocess.run(
        command(home, "--once", "--port", str(free_port())), capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.count("agree to the cent") == 6, "three merchants, before and after their shops were stirred"
    assert done.stdout.count(": settled") == 3
    assert left_behind(home) == []
