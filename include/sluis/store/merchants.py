"""Merchants: the customers of the service, known elsewhere by an opaque code only, each with a hash key of his own."""

from __future__ import annotations

import secrets
from typing import Any

from sluis.core.frozen import Frozen, Moment
from sluis.errors import Defect, NotConfigured
from sluis.privacy.keyring import Keyring
from sluis.store import tombstones
from sluis.store.database import Connection, row, rows

#: No vowels and no look-alikes: a code spells no word and survives a telephone call.
_LETTERS = "bcdfghjkmnpqrstvwxz23456789"
_CODE_LENGTH = 4
_HASH_KEY_BYTES = 32


class Merchant(Frozen):
    """A merchant. ``name`` may be a sole trader's and goes to the console and the command line only."""

    code: str
    name: str
    created_at: Moment
    ended_at: Moment | None


class Merchants:
    """The merchants that the connection may see (the owner: all; a task: its own)."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, name: str, keyring: Keyring) -> Merchant:
        """Add a merchant under a random code, with a random hash key wrapped by the primary key."""
        if not name.strip():
            raise Defect("a merchant needs a name", code="merchant_name")
        for _ in range(100):
            code = "m" + "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH))
            key_id, wrapped = keyring.wrap(secrets.token_bytes(_HASH_KEY_BYTES), hash_key_context(code))
            added = row(
                self._conn,
                """insert into sluis.merchant (code, name, hash_key_wrapped, key_id) values (%s, %s, %s, %s)
                on conflict (code) do nothing returning code, name, created_at, ended_at""",
                [code, name.strip(), wrapped, key_id],
            )
            if added is not None:
                return Merchant(**added)
        raise Defect("no free merchant code was found", code="merchant_code")

    def get(self, code: str) -> Merchant:
        """Return one merchant; raises ``NotConfigured`` when there is none."""
        found = row(self._conn, "select code, name, created_at, ended_at from sluis.merchant where code = %s", [code])
        if found is None:
            raise _unknown(code)
        return Merchant(**found)

    def list(self) -> list[Merchant]:
        """Return all merchants, the oldest first."""
        found = rows(
            self._conn, "select code, name, created_at, ended_at from sluis.merchant order by created_at, code"
        )
        return [Merchant(**r) for r in found]

    def end(self, code: str) -> Merchant:
        """End a merchant: his integrations end and his credentials are deleted at once; retention does the rest."""
        with self._conn.transaction():
            ended = row(
                self._conn,
                """update sluis.merchant set ended_at = coalesce(ended_at, now()) where code = %s
                returning code, name, created_at, ended_at""",
                [code],
            )
            if ended is None:
                raise _unknown(code)
            tombstones.record(self._conn, "merchant", code)
            self._conn.execute(
                """update sluis.integration set state = 'ended', state_reason = 'merchant_ended', updated_at = now()
                where merchant_code = %s and state <> 'ended'""",
                [code],
            )
            self._conn.execute("delete from sluis.credential where merchant_code = %s", [code])
        return Merchant(**ended)

    def hash_key(self, code: str, keyring: Keyring) -> bytes:
        """Return the merchant's hash key, for ``Pseudonyms``.

        Raises ``NotConfigured`` when it cannot be opened, and ``hash_key_gone`` once it died with the contract.
        """
        found: dict[str, Any] | None = row(
            self._conn, "select key_id, hash_key_wrapped from sluis.merchant where code = %s", [code]
        )
        if found is None:
            raise _unknown(code)
        if found["hash_key_wrapped"] is None:
            raise NotConfigured(
                f"the contract of merchant {code} has ended and his hash key was deleted: nothing of his can be named"
                " any more; add him as a new merchant where he comes back",
                code="hash_key_gone",
            )
        return keyring.unwrap(found["key_id"], found["hash_key_wrapped"], hash_key_context(code))


def hash_key_context(code: str) -> str:
    """What a merchant's hash key is bound to when it is wrapped."""
    return f"merchant/{code}/hash_key"


def _unknown(code: str) -> NotConfigured:
    return NotConfigured(f"there is no merchant {code}: see `sluis merchant list`", code="merchant_unknown")
