"""The secrets of one local Airflow: made once per home, random, readable by its owner only."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import Field, ValidationError

from sluis.core.frozen import Frozen
from sluis.errors import NotConfigured

FILE_NAME = "airflow-secrets.json"
ADMIN = "admin"


class LocalSecrets(Frozen):
    """Keys of Airflow and the password of its one user."""

    fernet_key: str = Field(repr=False)
    jwt_secret: str = Field(repr=False)
    secret_key: str = Field(repr=False)
    admin_password: str = Field(repr=False)


def local_secrets(home: Path) -> LocalSecrets:
    """Return the secrets kept under ``home``, made on the first call. Raises ``NotConfigured`` for a damaged file."""
    path = home / FILE_NAME
    if not path.exists():
        _write_once(path, _made())
    try:
        return LocalSecrets.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise NotConfigured(f"{path} cannot be read: delete it, and Airflow's database with it") from None


def _made() -> LocalSecrets:
    return LocalSecrets(
        fernet_key=Fernet.generate_key().decode(),
        jwt_secret=secrets.token_urlsafe(48),  # HS512 wants 64 bytes; this gives 64 characters
        secret_key=secrets.token_urlsafe(32),
        admin_password=secrets.token_urlsafe(12),
    )


def _write_once(path: Path, made: LocalSecrets) -> None:
    """Write the whole file or nothing; of two processes that make it together one wins, and both read the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(made.model_dump_json())
        # A hard link and not a rename: it fails where the file is there already, instead of replacing it.
        os.link(name, path)
    except FileExistsError:
        return
    finally:
        Path(name).unlink(missing_ok=True)
