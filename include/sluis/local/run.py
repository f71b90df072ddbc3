"""``make airflow``: Airflow on this machine for a store that is there already. Up until Ctrl-C; it drops nothing.

The store is named by ``SLUIS_TASK_DATABASE_URL``, ``SLUIS_RETENTION_DATABASE_URL`` and ``SLUIS_KEYS`` (or
``SLUIS_KEYS_FILE``), the backups by ``SLUIS_BACKUPS`` where there are any; Airflow's own database by
``AIRFLOW_DATABASE_URL``, or it is the PostgreSQL under the home (``make postgres``).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

from sluis.errors import Defect, NotConfigured, RetryLater, SluisError
from sluis.local import postgres
from sluis.local.held import held
from sluis.local.ports import need_port, valid_port
from sluis.local.stack import LocalAirflow
from sluis.privacy.backup import BACKUPS
from sluis.privacy.keyring import KEYS, KEYS_FILE, Keyring
from sluis.privacy.register import REGISTER
from sluis.registers import ecb, vies
from sluis.store.database import (
    RETENTION_URL,
    STATISTICS_URL,
    TASK_URL,
    registry_connection,
    retention_connection,
    rows,
    statistics_connection,
)

AIRFLOW_URL = "AIRFLOW_DATABASE_URL"
#: How tasks reach the store, each as a role of its own.
_ROLES = {TASK_URL: "sluis_task", RETENTION_URL: "sluis_retention", STATISTICS_URL: "sluis_statistics"}
DEFAULT_HOME = Path(".sluis")


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal comes. Status 0: ended by one; 2: it could not start, or something in it ended."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with SIGINT ignored
    try:
        with ExitStack() as stack:
            _run(options.home.resolve(), options.port, stack)
    except SluisError as error:
        sys.stderr.write(f"airflow: {error}\n")
        return 2
    except KeyboardInterrupt:
        _say("ended; nothing is left running, nothing was dropped")
    return 0


def _run(home: Path, number: int, stack: ExitStack) -> NoReturn:
    valid_port(number)
    need_port(number)
    store = store_variables(os.environ)
    _say(f"store: answers, {_active()} integration(s) that are not ended have a DAG")
    # Root's PostgreSQL runs as another account, which passes through; what is private lies in a directory of its own.
    stack.enter_context(held(home, "an Airflow", mode=0o711 if os.geteuid() == 0 else 0o700))
    (home / "airflow").mkdir(mode=0o700, exist_ok=True)
    dsn = os.environ.get(AIRFLOW_URL, "").strip() or stack.enter_context(postgres.running(home, _say))
    airflow = stack.enter_context(LocalAirflow(home / "airflow", dsn, port=number, store=store, progress=_say))
    name, password = airflow.login
    _say(f"Airflow's UI: {airflow.url}   login {name}   password {password}")
    _say(f"logs of the processes: {airflow.logs}; Ctrl-C ends everything")
    while True:
        airflow.check()
        time.sleep(2)


def store_variables(env: Mapping[str, str]) -> dict[str, str]:
    """Return what tasks need to reach the store, and the registers where others are named.

    Raises ``NotConfigured`` naming what is missing.
    """
    Keyring.from_environment()
    for name, role in _ROLES.items():
        if not env.get(name, "").strip():
            raise NotConfigured(f"{name} is not set: how tasks reach the store, as the role {role}")
    store = {name: env[name] for name in (*_ROLES, KEYS, vies.URL, ecb.URL) if env.get(name, "").strip()}
    for name in (KEYS_FILE, BACKUPS, REGISTER):  # tasks have another working directory
        if env.get(name, "").strip():
            store[name] = str(Path(env[name]).resolve())
    return store


def _active() -> int:
    with _answering(TASK_URL, "sluis_task"), registry_connection() as conn:
        found = len(rows(conn, "select * from sluis.active_integrations()"))
    with _answering(RETENTION_URL, "sluis_retention"), retention_connection() as conn:
        rows(conn, "select id from sluis.retention_run limit 1")
    with _answering(STATISTICS_URL, "sluis_statistics"), statistics_connection() as conn:
        rows(conn, "select quarter from sluis.statistics_freeze limit 1")
    return found


@contextmanager
def _answering(name: str, role: str) -> Iterator[None]:
    try:
        yield
    except RetryLater:
        raise NotConfigured(
            f"{name} gets no answer: is PostgreSQL running, did `sluis migrate` make the role {role}, and is"
            " its password the one that stands there?",
            code="store_away",
        ) from None
    except Defect as error:
        if error.code != "store_refused":
            raise
        raise NotConfigured(
            "the store has no schema of this version: run `sluis migrate`", code="not_migrated"
        ) from None


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _terminated(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make airflow", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="port of Airflow's UI on 127.0.0.1 (default 8080)")
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME, help="where logs and secrets are kept (.sluis)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
