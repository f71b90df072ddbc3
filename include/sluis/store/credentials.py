"""Shop keys and OAuth tokens, sealed; refresh tokens rotate, so a refresh holds the row: two runs never spend one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from sluis.errors import Reconnect
from sluis.privacy.keyring import Keyring
from sluis.store import tombstones
from sluis.store.database import Connection, row, rows
from sluis.store.integrations import Integrations
from sluis.store.merchants import hash_key_context

Side = Literal["shop", "package"]


class LockedCredential:
    """A credential whose row is held: read ``values``, and ``replace`` them when the vendor gave new ones."""

    def __init__(self, conn: Connection, keyring: Keyring, found: Mapping[str, Any]) -> None:
        self._conn, self._keyring, self._found = conn, keyring, found
        self.values = _open(keyring, found)
        self.replaced = False

    def __repr__(self) -> str:
        return "LockedCredential()"

    def replace(self, values: Mapping[str, str]) -> None:
        """Store new values. They are kept also when what follows in the block fails: the old ones are spent."""
        key_id, sealed = self._keyring.wrap(_plain(values), _context(self._found))
        _update(self._conn, self._found, key_id, sealed)
        self.values, self.replaced = dict(values), True


class Credentials:
    """The credentials of the integrations that the connection may see."""

    def __init__(self, conn: Connection, keyring: Keyring) -> None:
        self._conn, self._keyring = conn, keyring

    def put(self, merchant: str, integration: str, side: Side, values: Mapping[str, str]) -> None:
        """Store a credential, replacing the one before. Raises ``NotConfigured`` when the integration is unknown."""
        Integrations(self._conn).get(merchant, integration)
        where = {"merchant_code": merchant, "integration_code": integration, "side": side}
        key_id, sealed = self._keyring.wrap(_plain(values), _context(where))
        self._conn.execute(
            """insert into sluis.credential (merchant_code, integration_code, side, key_id, ciphertext)
            values (%(merchant_code)s, %(integration_code)s, %(side)s, %(key_id)s, %(ciphertext)s)
            on conflict (merchant_code, integration_code, side)
            do update set key_id = excluded.key_id, ciphertext = excluded.ciphertext, updated_at = now()""",
            {**where, "key_id": key_id, "ciphertext": sealed},
        )

    def get(self, merchant: str, integration: str, side: Side) -> dict[str, str]:
        """Return a credential's fields.

        Raises ``NotConfigured`` when the integration is unknown or no key opens it, ``Reconnect("credential_missing")``
        when the integration has none (any more): a person has to connect it.
        """
        return _open(self._keyring, self._row(merchant, integration, side, lock=False))

    def delete(self, merchant: str, integration: str, side: Side | None = None) -> int:
        """Delete a credential, or both of an integration; returns how many there were.

        A store put back from an older backup forgets both: one side alone must be connected again after that.
        """
        with self._conn.transaction():
            deleted = self._conn.execute(
                """delete from sluis.credential where merchant_code = %(merchant)s
                and integration_code = %(integration)s and (%(side)s::text is null or side = %(side)s)""",
                {"merchant": merchant, "integration": integration, "side": side},
            ).rowcount
            if deleted:
                tombstones.record(self._conn, "credential", merchant, integration)
        return deleted

    @contextmanager
    def locked(self, merchant: str, integration: str, side: Side) -> Iterator[LockedCredential]:
        """Hold the credential's row while a token is refreshed. Raises what ``get`` raises.

        Whoever comes second waits and then reads the first one's new values. Values that were replaced are committed
        also when the block fails afterwards; the error is raised all the same.
        """
        failure: BaseException | None = None
        with self._conn.transaction():
            held = LockedCredential(self._conn, self._keyring, self._row(merchant, integration, side, lock=True))
            try:
                yield held
            except BaseException as error:
                if not held.replaced:
                    raise
                failure = error
        if failure is not None:
            raise failure

    def rotate(self) -> int:
        """Seal everything again with the primary key: credentials and merchants' hash keys; returns how many were.

        Works on a live store as the owner: row by row, each in its own transaction, first those that nobody holds, then
        those that a refresh held. Afterwards no row needs an older key, unless a process still runs with the old list.
        """
        done = 0
        for wait in (False, True):
            while self._rotate_one_credential(wait=wait):
                done += 1
            while self._rotate_one_hash_key(wait=wait):
                done += 1
        return done

    def _rotate_one_credential(self, *, wait: bool) -> bool:
        with self._conn.transaction():
            found = row(
                self._conn,
                f"""select merchant_code, integration_code, side, key_id, ciphertext from sluis.credential
                where key_id <> %s order by merchant_code, integration_code, side limit 1 for update {_skip(wait)}""",
                [self._keyring.primary_id],
            )
            if found is None:
                return False
            plain = self._keyring.unwrap(found["key_id"], found["ciphertext"], _context(found))
            key_id, sealed = self._keyring.wrap(plain, _context(found))
            _update(self._conn, found, key_id, sealed)
        return True

    def _rotate_one_hash_key(self, *, wait: bool) -> bool:
        with self._conn.transaction():
            found = row(
                self._conn,
                f"""select code, key_id, hash_key_wrapped from sluis.merchant
                where key_id <> %s order by code limit 1 for update {_skip(wait)}""",
                [self._keyring.primary_id],
            )
            if found is None:
                return False
            context = hash_key_context(found["code"])
            plain = self._keyring.unwrap(found["key_id"], found["hash_key_wrapped"], context)
            key_id, wrapped = self._keyring.wrap(plain, context)
            self._conn.execute(
                "update sluis.merchant set key_id = %s, hash_key_wrapped = %s where code = %s",
                [key_id, wrapped, found["code"]],
            )
        return True

    def stale(self) -> dict[str, int]:
        """Return how many sealed things each key still opens, by key id (for ``sluis keys``)."""
        found = rows(
            self._conn,
            """select key_id, count(*) as n from (select key_id from sluis.credential
            union all select key_id from sluis.merchant where key_id is not null) as sealed
            group by key_id order by key_id""",
        )
        return {r["key_id"]: int(r["n"]) for r in found}

    def _row(self, merchant: str, integration: str, side: Side, *, lock: bool) -> dict[str, Any]:
        found = row(
            self._conn,
            f"""select merchant_code, integration_code, side, key_id, ciphertext from sluis.credential
            where merchant_code = %s and integration_code = %s and side = %s {"for update" if lock else ""}""",
            [merchant, integration, side],
        )
        if found is None:
            Integrations(self._conn).get(merchant, integration)
            raise Reconnect(
                f"integration {integration} of merchant {merchant} has no credential for its {side}: connect it again",
                code="credential_missing",
            )
        return found


def _skip(wait: bool) -> str:
    return "" if wait else "skip locked"


def _context(found: Mapping[str, Any]) -> str:
    return f"credential/{found['merchant_code']}/{found['integration_code']}/{found['side']}"


def _plain(values: Mapping[str, str]) -> bytes:
    return json.dumps(dict(values), sort_keys=True).encode()


def _open(keyring: Keyring, found: Mapping[str, Any]) -> dict[str, str]:
    plain = keyring.unwrap(found["key_id"], found["ciphertext"], _context(found))
    values: dict[str, str] = json.loads(plain)
    return values


def _update(conn: Connection, found: Mapping[str, Any], key_id: str, sealed: bytes) -> None:
    conn.execute(
        """update sluis.credential set key_id = %s, ciphertext = %s, updated_at = now()
        where merchant_code = %s and integration_code = %s and side = %s""",
        [key_id, sealed, found["merchant_code"], found["integration_code"], found["side"]],
    )
