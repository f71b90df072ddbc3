"""Signed statements about the chain of certificates: its head, and what was dropped from its beginning.

A chain of hashes tells of an edit only to someone who knows its head. Whoever may write to the database can edit a
certificate and hash all that follow anew; he cannot sign the head, as the Ed25519 key is derived from a key outside the
database (``SLUIS_KEYS``). Signed are the head, after every certificate, and the last certificate that was dropped; the
two are told apart in what is signed, so that an old head cannot pass for a beginning. The signature stands over the
canonical JSON of all fields but ``public_key`` and ``signature``. An auditor who noted the public key (``sluis
retention key``) needs nothing secret to check it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sluis.core.canonical import canonical_json
from sluis.core.frozen import Frozen, Moment
from sluis.errors import NotConfigured
from sluis.privacy.keyring import Keyring
from sluis.privacy.retention.contract import now_utc
from sluis.store.database import Connection, rows

_PURPOSE = "checkpoint"
_HEX = re.compile(r"[0-9a-f]{64}")


Kind = Literal["head", "dropped"]


class Checkpoint(Frozen):
    """A statement as it is stored; hashes, keys and signatures in lower-case hex."""

    sequence: int
    kind: Kind
    hash: str
    certified_at: Moment  #: when the certificate was made
    made_at: Moment  #: when the statement was
    public_key: str
    signature: str = ""

    @property
    def genuine(self) -> bool:
        """Whether the signature is the stored key's; whose key that is, is another question."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key))
            key.verify(bytes.fromhex(self.signature), _statement(self))
        except (InvalidSignature, ValueError):
            return False
        return True


def public_key(keyring: Keyring, key_id: str | None = None) -> str:
    """Return the public key (hex) of a key of the keyring, the primary one unless another is named."""
    return _private(keyring, key_id or keyring.primary_id).public_key().public_bytes_raw().hex()


def public_keys(keyring: Keyring | None, noted: Collection[str] = ()) -> frozenset[str]:
    """Return all public keys that are trusted: those of the keyring and those that a person noted.

    Raises ``NotConfigured("checkpoint_key")`` for a noted key that is not 64 digits of hex.
    """
    told = {key.strip().lower() for key in noted}
    if not all(_HEX.fullmatch(key) for key in told):
        raise NotConfigured("a public key of checkpoints is 64 hexadecimal digits", code="checkpoint_key")
    ours = {public_key(keyring, key_id) for key_id in keyring.ids} if keyring is not None else set()
    return frozenset(told | ours)


def stored(conn: Connection) -> list[Checkpoint]:
    """Return the checkpoints, the oldest certificate's first."""
    found = rows(
        conn,
        """select sequence, kind, encode(hash, 'hex') as hash, certified_at, made_at,
        encode(public_key, 'hex') as public_key, encode(signature, 'hex') as signature
        from sluis.certificate_checkpoint order by sequence, kind""",
    )
    return [Checkpoint(**values) for values in found]


def sign(
    conn: Connection, keyring: Keyring, kind: Kind, *, sequence: int, hash_: str, certified_at: datetime
) -> Checkpoint:
    """Store a statement about a certificate, in the place of the earlier one of its kind.

    It is changed and never deleted: the role that deletes cannot take it away, nor put an older one back.
    """
    fields: dict[str, Any] = {"sequence": sequence, "kind": kind, "hash": hash_, "certified_at": certified_at}
    made = Checkpoint(**fields, made_at=now_utc(), public_key=public_key(keyring))
    signature = _private(keyring, keyring.primary_id).sign(_statement(made)).hex()
    made = made.model_copy(update={"signature": signature})
    conn.execute(
        """insert into sluis.certificate_checkpoint
        (sequence, kind, hash, certified_at, made_at, public_key, signature)
        values (%(sequence)s, %(kind)s, decode(%(hash)s, 'hex'), %(certified_at)s, %(made_at)s,
        decode(%(public_key)s, 'hex'), decode(%(signature)s, 'hex'))
        on conflict (kind) do update set sequence = excluded.sequence, hash = excluded.hash,
        certified_at = excluded.certified_at, made_at = excluded.made_at, public_key = excluded.public_key,
        signature = excluded.signature""",
        made.model_dump(),
    )
    return made


def renew(conn: Connection, *, keyring: Keyring, noted: Collection[str] = ()) -> int:
    """Sign what older keys signed with the primary key, before those leave; returns how many.

    Only what verifies under a key of the keyring, or one that was noted, is signed anew: anything else stays as it is
    and ``sluis retention verify`` tells of it.
    """
    trusted, ours = public_keys(keyring, noted), public_key(keyring)
    with conn.transaction():
        old = [c for c in stored(conn) if c.public_key != ours and c.public_key in trusted and c.genuine]
        for checkpoint in old:
            sequence, at = checkpoint.sequence, checkpoint.certified_at
            sign(conn, keyring, checkpoint.kind, sequence=sequence, hash_=checkpoint.hash, certified_at=at)
    return len(old)


def _private(keyring: Keyring, key_id: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(keyring.derive(key_id, _PURPOSE))


def _statement(checkpoint: Checkpoint) -> bytes:
    return canonical_json(checkpoint.model_dump(mode="python", exclude={"public_key", "signature"})).encode("ascii")
