"""The keys that stand outside the database: which there are, what each still opens, and sealing all with the newest."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from sluis.core.frozen import Frozen
from sluis.privacy.keyring import Keyring
from sluis.privacy.retention import checkpoints
from sluis.store.credentials import Credentials
from sluis.store.database import Connection

Role = Literal["primary", "older", "absent"]


class KeyLine(Frozen):
    """A key by its id; never its content. ``absent``: something needs it and it is not in ``SLUIS_KEYS``."""

    key_id: str
    role: Role
    opens: int  #: credentials and merchants' hash keys sealed with it, and checkpoints of retention signed with it

    @property
    def removable(self) -> bool:
        """Nothing is sealed with it any more (transit lives shorter than a run: wait until none is underway)."""
        return self.role == "older" and self.opens == 0


class Rotated(Frozen):
    """How many credentials and hash keys were sealed, and checkpoints signed, again, and with which key."""

    resealed: int
    primary_key: str


def generate() -> str:
    """Return a new key as ``<id>:<base64>``: put it first in ``SLUIS_KEYS``, keep the others behind it."""
    return Keyring.generate()


def listing(conn: Connection, keyring: Keyring) -> list[KeyLine]:
    """Return the keys of ``SLUIS_KEYS``, the primary one first, then those that the store needs and that are absent."""
    opens = Counter(Credentials(conn, keyring).stale())
    signers = Counter(checkpoint.public_key for checkpoint in checkpoints.stored(conn))
    opens.update({key_id: signers[checkpoints.public_key(keyring, key_id)] for key_id in keyring.ids})
    absent = sorted(set(opens) - set(keyring.ids))
    roles: list[tuple[str, Role]] = [
        *((key_id, "primary" if key_id == keyring.primary_id else "older") for key_id in keyring.ids),
        *((key_id, "absent") for key_id in absent),
    ]
    return [KeyLine(key_id=key_id, role=role, opens=opens.get(key_id, 0)) for key_id, role in roles]


def rotate(conn: Connection, keyring: Keyring) -> Rotated:
    """Seal everything with the primary key, row by row on a live store; raises ``NotConfigured`` for an absent key.

    The checkpoints of retention are signed with it anew, where an older key of ours signed them.
    """
    resealed = Credentials(conn, keyring).rotate() + checkpoints.renew(conn, keyring=keyring)
    return Rotated(resealed=resealed, primary_key=keyring.primary_id)
