"""Merchants, for the console and the command line: the only places where a name is shown beside its code."""

from __future__ import annotations

from sluis.core.frozen import Frozen, Moment
from sluis.privacy.keyring import Keyring
from sluis.store.database import Connection
from sluis.store.integrations import Integrations, IntegrationState
from sluis.store.merchants import Merchant, Merchants


class MerchantLine(Frozen):
    """A merchant with the number of his integrations that have not ended."""

    merchant: str
    name: str  #: may be a sole trader's own: shown in this list and nowhere else
    integrations: int
    created_at: Moment
    ended_at: Moment | None


def add(conn: Connection, keyring: Keyring, name: str) -> Merchant:
    """Add a merchant under a random opaque code; raises ``Defect("merchant_name")`` for an empty name."""
    return Merchants(conn).add(name, keyring)


def listing(conn: Connection) -> list[MerchantLine]:
    """Return all merchants, the oldest first."""
    running = [i.merchant for i in Integrations(conn).all() if i.state is not IntegrationState.ENDED]
    return [
        MerchantLine(
            merchant=m.code,
            name=m.name,
            integrations=running.count(m.code),
            created_at=m.created_at,
            ended_at=m.ended_at,
        )
        for m in Merchants(conn).list()
    ]
