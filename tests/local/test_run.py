"""``make airflow`` and ``make postgres``: what is missing is told in one line, and nothing is ever dropped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import psycopg
import pytest

from sluis.core.settings import IntegrationSettings
from sluis.local.held import held
from sluis.local.processes import free_port
from sluis.store.database import OWNER_URL, RETENTION_URL, STATISTICS_URL, TASK_URL
from sluis.store.integrations import Integrations
from sluis.store.merchants import Merchants
from sluis.store.server import SUPERUSER, LocalServer
from tests.conftest import Database

pytestmark = pytest.mark.postgres


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that the account which runs PostgreSQL may pass through."""
    with tempfile.TemporaryDirectory(prefix="sluis-run-", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o711)
        yield Path(directory) / "home"


def module(name: str, home: Path, *arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SLUIS_", "AIRFLOW"))}
    return subprocess.run(
        [sys.executable, "-m", f"sluis.local.{name}", "--home", str(home), *arguments], env={**clean, **env},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def refused(home: Path, env: Mapping[str, str], *arguments: str) -> str:
    done = module("run", home, *(arguments or ("--port", str(free_port()))), env=env)
    assert done.returncode == 2, done.stdout
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_what_is_missing_is_told_before_anything_starts(home: Path, database: Database, postgres: LocalServer) -> None:
    env = database.environment
    assert "keys_missing" in refused(home, {})
    assert TASK_URL in refused(home, {"SLUIS_KEYS": env["SLUIS_KEYS"]})
    nobody = env[TASK_URL].replace("sluis_task", "nobody_known")
    assert "store_away" in refused(home, {**env, TASK_URL: nobody})
    without = {name: value for name, value in env.items() if name != RETENTION_URL}
    assert RETENTION_URL in refused(home, without)
    refusal = refused(home, {**env, RETENTION_URL: env[RETENTION_URL].replace("sluis_retention", "nobody_known")})
    assert "store_away" in refusal
    assert RETENTION_URL in refusal
    empty = postgres.dsn("postgres", SUPERUSER)
    assert "run `sluis migrate`" in refused(home, {**env, TASK_URL: empty})
    assert "port_wrong" in refused(home, env, "--port", "70000")
    assert not home.exists()


def test_a_second_one_in_the_same_home_is_refused(home: Path, database: Database) -> None:
    with held(home, "a test"):
        assert "already_running" in refused(home, database.environment)


def test_a_postgres_for_a_store_keeps_what_it_holds(home: Path) -> None:
    try:
        started = module("postgres", home, env={})
        assert started.returncode == 0, started.stderr
        owner, task, retention, statistics = re.findall(r"^export \w+='(.*)'$", started.stdout, re.M)
        assert [line.split("=")[0] for line in started.stdout.splitlines()] == [
            f"export {OWNER_URL}",
            f"export {TASK_URL}",
            f"export {RETENTION_URL}",
            f"export {STATISTICS_URL}",
        ]
        assert "sluis_statistics" in statistics
        assert "sluis_retention" in retention
        assert "sluis_task" in task
        with psycopg.connect(owner) as conn:
            conn.execute("create table kept (n int)")
        assert module("postgres", home, "--stop", env={}).returncode == 0
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(owner)
        assert module("postgres", home, env={}).stdout == started.stdout
        with psycopg.connect(owner) as conn:
            conn.execute("select n from kept")
    finally:
        module("postgres", home, "--stop", env={})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL runs as another account")
def test_a_store_is_never_put_into_the_temp_directory_instead(home: Path) -> None:
    home.mkdir(mode=0o700)
    done = module("postgres", home, env={})
    assert done.returncode == 2
    assert "server_directory" in done.stderr
    assert done.stdout == ""
    assert list(home.iterdir()) == []


@pytest.mark.airflow
def test_airflow_comes_up_for_a_store_stays_up_and_starts_again_on_what_it_had(home: Path, database: Database) -> None:
    with database.owner() as conn:
        merchant = Merchants(conn).add("Test", database.keyring).code
        Integrations(conn).add(
            merchant, shop="woocommerce", package="moneybird", administration_key="moneybird/1",
            settings=IntegrationSettings(start_date=date(2026, 11, 1)),
        )  # fmt: skip
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SLUIS_", "AIRFLOW"))}
    logins = set()
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-m", "sluis.local.run", "--home", str(home), "--port", str(free_port())],
            env={**clean, **database.environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert child.stdout is not None
        said = []
        for line in child.stdout:
            said.append(line)
            if line.startswith("logs of the processes"):
                break
        assert child.poll() is None, "".join(said)
        logins.update(re.findall(r"password (\S+)", "".join(said)))
        time.sleep(3)
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        rest, _ = child.communicate(timeout=120)
        assert child.returncode == 0, rest
        assert "nothing was dropped" in rest
    assert len(logins) == 1, "the second start found the first one's secrets and database"
    assert (home / "postgres" / "data").is_dir()
    assert not LocalServer(home / "postgres").alive()
