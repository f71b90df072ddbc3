"""``make postgres``: a PostgreSQL 18 under ``.sluis`` for a store and for Airflow, where there is none yet.

It keeps what it holds, and goes on after the command has ended; ``make postgres STOP=1`` stops it. Who reaches its
socket is trusted: for one person's machine, not for a production.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sluis.errors import NotConfigured, SluisError
from sluis.store.database import OWNER_URL, RETENTION_URL, STATISTICS_URL, TASK_URL
from sluis.store.migrate import RETENTION_ROLE, STATISTICS_ROLE, TASK_ROLE
from sluis.store.server import LocalServer

_STORE, _AIRFLOW = ("sluis", "sluis_owner"), ("airflow", "airflow")


@contextmanager
def running(home: Path, progress: Callable[[str], None]) -> Iterator[str]:
    """Give the address of Airflow's database there; a server that did not run before is stopped afterwards."""
    server = _server(home)
    ran = server.alive()
    progress(f"PostgreSQL 18 of {home}: {'runs' if ran else 'starting'}")
    server.start()
    try:
        server.provide(*_AIRFLOW)
        yield server.dsn(*_AIRFLOW)
    finally:
        if not ran:
            server.stop()


def _server(home: Path) -> LocalServer:
    """Return the server of a home; never one that stands in the temp directory, where a reboot may empty it."""
    server = LocalServer(home / "postgres")
    if server.home != home / "postgres":
        raise NotConfigured(
            f"PostgreSQL does not run as root, and its account cannot enter {home}: choose another --home, one that all"
            " accounts can enter, or run this as another user",
            code="server_directory",
        )
    return server


def main(arguments: list[str] | None = None) -> int:
    """Start it and print how it is reached, or stop it. Status 2: it does not start or stop, with one line."""
    parser = argparse.ArgumentParser(prog="make postgres", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".sluis"), help="where it is kept (default .sluis)")
    parser.add_argument("--stop", action="store_true", help="stop it; what it holds stays")
    options = parser.parse_args(arguments)
    try:
        server = _server(options.home.resolve())
        if options.stop:
            server.stop()
            return 0
        server.start()
        server.provide(*_STORE)
    except SluisError as error:
        sys.stderr.write(f"postgres: {error}\n")
        return 2
    sys.stdout.write(f"export {OWNER_URL}='{server.dsn(*_STORE)}'\n")
    sys.stdout.write(f"export {TASK_URL}='{server.dsn(_STORE[0], TASK_ROLE)}'\n")
    sys.stdout.write(f"export {RETENTION_URL}='{server.dsn(_STORE[0], RETENTION_ROLE)}'\n")
    sys.stdout.write(f"export {STATISTICS_URL}='{server.dsn(_STORE[0], STATISTICS_ROLE)}'\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
