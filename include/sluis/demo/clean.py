"""``make clean``: removes a demonstration's home, and its database where root's start had to put it elsewhere."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from sluis.errors import NotConfigured, SluisError
from sluis.local.held import held
from sluis.store.server import LocalServer


def main(arguments: list[str] | None = None) -> int:
    """Remove it all. Status 2, and nothing is removed: a demonstration or its PostgreSQL still runs."""
    parser = argparse.ArgumentParser(prog="make clean", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".demo"), help="the demonstration's home (default .demo)")
    home = parser.parse_args(arguments).home.resolve()
    try:
        with held(home, "a demo"):
            server = LocalServer(home / "postgres")
            if server.alive():
                raise NotConfigured(f"the PostgreSQL of {server.home} still runs: end it first", code="server_runs")
            for path in (server.home, server.socket_dir, home):
                if path.is_dir():
                    shutil.rmtree(path)
    except SluisError as error:
        sys.stderr.write(f"clean: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
