"""The list of integrations as the DAG factory needs it: one cheap query, and a copy on disk for when the database is
away.

A database that does not answer must never make DAGs vanish. The copy holds codes, states and schedules, no name.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sluis.errors import NotConfigured, SluisError
from sluis.store.database import Connection, registry_connection
from sluis.store.integrations import ActiveIntegration, Integrations

FILE_NAME = "integrations.json"
_LIST = TypeAdapter(list[ActiveIntegration])
_log = logging.getLogger(__name__)


def active_integrations(home: Path, connect: Callable[[], Connection] = registry_connection) -> list[ActiveIntegration]:
    """Return all integrations that have not ended, sorted; from the copy under ``home`` when the database is away.

    Raises the database's error when there is no copy yet, and ``NotConfigured`` always.
    """
    path = home / FILE_NAME
    try:
        with connect() as conn:
            found = sorted(Integrations.active(conn), key=lambda i: (i.merchant, i.code))
    except NotConfigured:
        raise
    except SluisError as error:
        copy = _read(path)
        if copy is None:
            raise
        found, age = copy
        _log.warning("the store does not answer (%s): using the list of integrations of %d s ago", error.code, age)
        return found
    _write(path, found)
    return found


def _read(path: Path) -> tuple[list[ActiveIntegration], int] | None:
    try:
        return _LIST.validate_json(path.read_bytes()), max(0, int(time.time() - path.stat().st_mtime))
    except (OSError, ValidationError):
        return None


def _write(path: Path, found: list[ActiveIntegration]) -> None:
    """Replace the copy at once, so that no reader sees half of it; readable by its owner only."""
    text = json.dumps(_LIST.dump_python(found, mode="json"), indent=1, sort_keys=True).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.read_bytes() == text:
            os.utime(path)  # its age says when the list was last true
            return
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        _log.warning("the copy of the list of integrations could not be written to %s (%s)", path, error.strerror)
