"""Integrations: one shop of a merchant tied to one administration, its settings, state and watermark."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg.types.json import Jsonb

from sluis.core.frozen import Frozen, Moment
from sluis.core.settings import IntegrationSettings
from sluis.errors import Defect, NotConfigured
from sluis.store.database import Connection, row, rows

#: Why an integration is paused after a restore: until what the books hold since the backup was adopted, and since then.
RESTORED = "restored"
RESTORED_ADOPTED = "restored_adopted"


class IntegrationState(StrEnum):
    """Where an integration stands. Only ``live`` books; ``reconnect`` and ``paused`` wait for a person."""

    PREVIEW = "preview"
    LIVE = "live"
    PAUSED = "paused"
    RECONNECT = "reconnect"
    ENDED = "ended"


class Integration(Frozen):
    """One integration as it stands in the store."""

    merchant: str
    code: str
    shop: str  #: name of the shop connector's folder
    package: str  #: name of the accounting connector's folder
    state: IntegrationState
    state_reason: str | None  #: a code, never free text
    settings: IntegrationSettings
    settings_version: int
    administration_key: str  #: who shares it shares debtors, numbers and the lock on writing
    watermark: Moment | None  #: everything changed before it was proved to be handled
    created_at: Moment
    restored_from: Moment | None = None  #: moment of the backup it was put back from last
    restored_at: Moment | None = None  #: when it was put back: what is dated until then may stand in the books already

    @property
    def dag_id(self) -> str:
        """The DAG of this integration."""
        return f"sync__{self.merchant}__{self.code}"


class ActiveIntegration(Frozen):
    """What the DAG factory may know of an integration: nothing but what shapes a DAG."""

    merchant: str
    code: str
    shop: str
    package: str
    state: IntegrationState
    interval_minutes: int
    timezone: str

    @property
    def dag_id(self) -> str:
        """The DAG of this integration."""
        return f"sync__{self.merchant}__{self.code}"


_COLUMNS = """merchant_code as merchant, code, shop, package, state, state_reason, settings, settings_version,
    administration_key, watermark, created_at, restored_from, restored_at"""


class Integrations:
    """The integrations that the connection may see (the owner: all; a task: those of its merchant)."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(
        self,
        merchant: str,
        *,
        shop: str,
        package: str,
        settings: IntegrationSettings,
        administration_key: str,
        code: str | None = None,
    ) -> Integration:
        """Add an integration in preview. Without ``code``: ``<shop>_<package>``, a second one with ``_2`` behind it.

        Raises ``NotConfigured`` when the merchant is unknown or ended, or the administration another merchant's
        (``administration_taken``), ``Defect("code_taken")`` for a code in use.
        """
        with self._conn.transaction():
            known = row(self._conn, "select ended_at from sluis.merchant where code = %s for update", [merchant])
            if known is None or known["ended_at"] is not None:
                raise NotConfigured(f"merchant {merchant} is unknown or has ended: see `sluis merchant list`")
            taken = {
                r["code"]
                for r in rows(self._conn, "select code from sluis.integration where merchant_code = %s", [merchant])
            }
            if code is not None and code in taken:
                raise Defect(f"merchant {merchant} already has an integration {code}", code="code_taken")
            self._only_his(merchant, administration_key)
            self._conn.execute(
                """insert into sluis.integration (merchant_code, code, shop, package, settings, administration_key)
                values (%s, %s, %s, %s, %s, %s)""",
                [merchant, chosen := code or _free_code(shop, package, taken), shop, package, _json(settings),
                 administration_key],
            )  # fmt: skip
        return self.get(merchant, chosen)

    def _only_his(self, merchant: str, administration_key: str) -> None:
        """Refuse another merchant's administration, ended or not; a trigger holds it too, and for whoever else asks.

        Whose it is, is none of this merchant's business.
        """
        self._conn.execute(
            "select pg_advisory_xact_lock(hashtextextended('administration/' || %s::text, 0))", [administration_key]
        )
        other = row(
            self._conn,
            "select 1 as taken from sluis.integration where administration_key = %s and merchant_code <> %s limit 1",
            [administration_key, merchant],
        )
        if other is not None:
            raise NotConfigured(
                "another merchant books into this administration, and an administration (or folder) is one merchant's:"
                " name another one, or add the integration to the merchant whose it is",
                code="administration_taken",
            )

    def get(self, merchant: str, code: str) -> Integration:
        """Return one integration; raises ``NotConfigured`` when there is none (or it is another merchant's)."""
        found = row(
            self._conn,
            f"select {_COLUMNS} from sluis.integration where merchant_code = %s and code = %s",
            [merchant, code],
        )
        if found is None:
            raise NotConfigured(
                f"merchant {merchant} has no integration {code}: see `sluis integration list`",
                code="integration_unknown",
            )
        return _integration(found)

    def all(self, merchant: str | None = None) -> list[Integration]:
        """Return all integrations, or those of one merchant, sorted by merchant and code."""
        found = rows(
            self._conn,
            f"""select {_COLUMNS} from sluis.integration
            where %(merchant)s::text is null or merchant_code = %(merchant)s order by merchant_code, code""",
            {"merchant": merchant},
        )
        return [_integration(r) for r in found]

    def set_state(self, merchant: str, code: str, state: IntegrationState, reason: str | None = None) -> Integration:
        """Set the state with a reason code. What has ended stays ended: raises ``Defect("integration_ended")``."""
        changed = row(
            self._conn,
            """update sluis.integration set state = %(state)s, state_reason = %(reason)s, updated_at = now()
            where merchant_code = %(merchant)s and code = %(code)s and (state <> 'ended' or %(state)s = 'ended')
            returning code""",
            {"state": state.value, "reason": reason, "merchant": merchant, "code": code},
        )
        current = self.get(merchant, code)
        if changed is None:
            raise Defect(f"integration {code} of merchant {merchant} has ended", code="integration_ended")
        return current

    def wait_for_reconnect(self, merchant: str, code: str, reason: str) -> bool:
        """Let a live integration wait for new credentials; ``False`` where it is not live and stays as it is.

        A run may still be underway when a person pauses it, or when a restore closes it: a refused credential must not
        open what they closed, as a reconnected integration is live.
        """
        changed = row(
            self._conn,
            """update sluis.integration set state = 'reconnect', state_reason = %s, updated_at = now()
            where merchant_code = %s and code = %s and state = 'live' returning code""",
            [reason, merchant, code],
        )
        return changed is not None

    def update_settings(self, merchant: str, code: str, settings: IntegrationSettings) -> int:
        """Store new settings and offer what waits in quarantine again; returns the new settings version."""
        with self._conn.transaction():
            changed = row(
                self._conn,
                """update sluis.integration set settings = %s, settings_version = settings_version + 1,
                updated_at = now()
                where merchant_code = %s and code = %s returning settings_version""",
                [_json(settings), merchant, code],
            )
            if changed is None:
                self.get(merchant, code)
                raise Defect(f"integration {code} of merchant {merchant} cannot be changed", code="store_refused")
            self._conn.execute(
                """update sluis.quarantine set offered_at = now()
                where merchant_code = %s and integration_code = %s and closed_at is null and reduced_at is null""",
                [merchant, code],
            )
        return int(changed["settings_version"])

    def restored(self, made_at: datetime, now: datetime) -> int:
        """Hold every integration off after a restore from a backup of ``made_at``; returns how many were.

        What has not ended waits until its books were read (reason ``RESTORED``); a preview stays one, as nothing books.
        """
        return self._conn.execute(
            """update sluis.integration set restored_from = %(made_at)s, restored_at = %(now)s, updated_at = %(now)s,
            state = case state when 'preview' then state else 'paused' end,
            state_reason = case state when 'preview' then state_reason else %(reason)s end
            where state <> 'ended'""",
            {"made_at": made_at, "now": now, "reason": RESTORED},
        ).rowcount

    def held_version(self, merchant: str, code: str) -> int:
        """Return the settings version as it stands; in a transaction nobody changes the settings until its end."""
        found = row(
            self._conn,
            "select settings_version from sluis.integration where merchant_code = %s and code = %s for update",
            [merchant, code],
        )
        return int(found["settings_version"]) if found is not None else self.get(merchant, code).settings_version

    def rewind(self, merchant: str, code: str, to: datetime) -> bool:
        """Set the watermark back, never forward; says whether it moved.

        For a change of settings only, after which orders that were skipped must be read again. Runs move the watermark
        by their report (``Reports.append``), and never back.
        """
        moved = self._conn.execute(
            """update sluis.integration set watermark = %(to)s, updated_at = now()
            where merchant_code = %(merchant)s and code = %(code)s and watermark > %(to)s""",
            {"to": to, "merchant": merchant, "code": code},
        ).rowcount
        return bool(moved)

    @staticmethod
    def active(conn: Connection) -> list[ActiveIntegration]:
        """Return every integration that has not ended, of all merchants: what the DAG factory builds DAGs of."""
        return [ActiveIntegration(**r) for r in rows(conn, "select * from sluis.active_integrations()")]


def _integration(found: Mapping[str, Any]) -> Integration:
    return Integration(**{**found, "settings": IntegrationSettings.model_validate(found["settings"])})


def _json(settings: IntegrationSettings) -> Jsonb:
    return Jsonb(settings.model_dump(mode="json"))


def _free_code(shop: str, package: str, taken: set[str]) -> str:
    base = f"{shop}_{package}"
    if base not in taken:
        return base
    return next(code for n in range(2, len(taken) + 3) if (code := f"{base}_{n}") not in taken)
