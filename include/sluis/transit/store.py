"""Transit: orders between two tasks of one run, encrypted under a key of their batch, in a table that no WAL carries.

A batch has stages (``orders``, ``decisions``, ...), a stage has numbered chunks, and a seal says how many there must
be: a chunk that is missing after a crash is ``TransitLost``, never an order less. ``shred`` deletes; ``sweep`` takes
what a crash left. Table, temporary files and exceptions never hold plaintext.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from cryptography.exceptions import InvalidTag

from sluis.core.frozen import Frozen
from sluis.errors import Defect, TransitLost
from sluis.privacy.keyring import Keyring, seal, unseal
from sluis.store.database import Connection, row, rows
from sluis.transit.codec import decode, encode

#: The seal of a stage is kept as its chunk with this number.
_SEAL = -1


class Transit:
    """The batches of one merchant."""

    def __init__(self, conn: Connection, merchant: str, keyring: Keyring) -> None:
        self._conn, self._merchant, self._keyring = conn, merchant, keyring

    @staticmethod
    def batch_id(dag_id: str, run_id: str) -> str:
        """Return the batch of a DAG run: always the same 32 hex digits, so that a second try finds the first one's."""
        return hashlib.sha256(f"sluis/batch\0{dag_id}\0{run_id}".encode()).hexdigest()[:32]

    def put(self, batch_id: str, stage: str, number: int, items: Sequence[Frozen]) -> None:
        """Write a chunk; a chunk with this number that is there already is replaced. Numbers start at 0."""
        if number < 0:
            raise Defect("the chunks of a stage are numbered from 0", code="transit_number")
        self._write(batch_id, stage, number, encode(items), len(items))

    def seal(self, batch_id: str, stage: str, chunks: int) -> None:
        """Say that a stage is whole and has this many chunks (0 is fine); before that nobody can read it."""
        self._write(batch_id, stage, _SEAL, str(chunks).encode(), 0)

    def read(self, batch_id: str, stage: str) -> Iterator[tuple[int, list[Any]]]:
        """Yield (number, items) chunk by chunk, holding one at a time.

        Raises ``TransitLost`` when the stage was never sealed, or a chunk of it is gone or altered.
        """
        for number in range(self._sealed(batch_id, stage)):
            yield number, decode(self._load(batch_id, stage, number))

    def count(self, batch_id: str, stage: str) -> int:
        """Return how many items a sealed stage holds, without opening its chunks; raises ``TransitLost``."""
        self._sealed(batch_id, stage)
        found = row(
            self._conn,
            """select coalesce(sum(items), 0)::bigint as n from sluis.transit_chunk
            where merchant_code = %s and batch_id = %s and stage = %s""",
            [self._merchant, batch_id, stage],
        )
        return int(found["n"]) if found is not None else 0

    def shred(self, batch_id: str) -> int:
        """Delete a batch; returns how many chunks there were. Shredding it twice is fine."""
        found = rows(
            self._conn,
            "delete from sluis.transit_chunk where merchant_code = %s and batch_id = %s returning number",
            [self._merchant, batch_id],
        )
        return sum(r["number"] != _SEAL for r in found)

    def sweep(self, older_than: timedelta) -> int:
        """Delete the merchant's batches whose last chunk is older than that; returns how many rows went."""
        return self._conn.execute(
            """delete from sluis.transit_chunk where merchant_code = %(merchant)s and batch_id in (
            select batch_id from sluis.transit_chunk where merchant_code = %(merchant)s
            group by batch_id having max(created_at) < now() - %(age)s::interval)""",
            {"merchant": self._merchant, "age": older_than},
        ).rowcount

    def _sealed(self, batch_id: str, stage: str) -> int:
        return int(self._load(batch_id, stage, _SEAL))

    def _write(self, batch_id: str, stage: str, number: int, plain: bytes, items: int) -> None:
        key_id = self._keyring.primary_id
        sealed = seal(self._key(key_id, batch_id), plain, self._context(batch_id, stage, number))
        self._conn.execute(
            """insert into sluis.transit_chunk (merchant_code, batch_id, stage, number, items, key_id, ciphertext)
            values (%s, %s, %s, %s, %s, %s, %s) on conflict (merchant_code, batch_id, stage, number) do update set
            items = excluded.items, key_id = excluded.key_id, ciphertext = excluded.ciphertext, created_at = now()""",
            [self._merchant, batch_id, stage, number, items, key_id, sealed],
        )

    def _load(self, batch_id: str, stage: str, number: int) -> bytes:
        found = row(
            self._conn,
            """select key_id, ciphertext from sluis.transit_chunk
            where merchant_code = %s and batch_id = %s and stage = %s and number = %s""",
            [self._merchant, batch_id, stage, number],
        )
        if found is None:
            raise _lost(stage, "is not in transit any more" if number == _SEAL else f"misses its chunk {number}")
        try:
            key = self._key(found["key_id"], batch_id)
            return unseal(key, found["ciphertext"], self._context(batch_id, stage, number))
        except InvalidTag:
            raise _lost(stage, "was altered in transit") from None

    def _key(self, key_id: str, batch_id: str) -> bytes:
        return self._keyring.derive(key_id, f"transit/{self._merchant}/{batch_id}")

    def _context(self, batch_id: str, stage: str, number: int) -> bytes:
        return f"{self._merchant}/{batch_id}/{stage}/{number}".encode()


def _lost(stage: str, what: str) -> TransitLost:
    return TransitLost(f"the stage {stage} of this run {what}: clear the run from extract on")
