"""Opens everything a use-case needs for one integration: its row, its repositories, and its two connectors.

Connectors are made when first used: a run that may not call a vendor never touches a credential.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import ValidationError

from sluis import accounting, shops
from sluis.core.frozen import Frozen, wrong_fields
from sluis.errors import NotConfigured, Reconnect
from sluis.ports import AccountingConnector, Connectable, ReferenceRates, ShopConnector, VatNumberRegister
from sluis.privacy.keyring import Keyring
from sluis.privacy.pseudonyms import Pseudonyms
from sluis.registers import ecb, vies
from sluis.store.bookings import Bookings
from sluis.store.credentials import Credentials
from sluis.store.database import Connection, owner_connection, task_connection
from sluis.store.debtors import DebtorLinks
from sluis.store.integrations import Integration, Integrations
from sluis.store.limiter import StoreLimiter
from sluis.store.merchants import Merchants
from sluis.store.quarantine import Quarantine
from sluis.store.reports import Reports
from sluis.store.vat_checks import VatChecks
from sluis.transit.store import Transit

Role = Literal["task", "owner"]


@dataclass(frozen=True)
class Session:
    """One integration, opened. Closed with its connection by ``open_session``."""

    conn: Connection
    keyring: Keyring
    integration: Integration
    role: Role

    @property
    def integrations(self) -> Integrations:
        """The integrations this connection may see."""
        return Integrations(self.conn)

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        """Makes the keyed names of this merchant's documents and customers."""
        hash_key = Merchants(self.conn).hash_key(self.integration.merchant, self.keyring)
        return Pseudonyms(hash_key, carries_buyer=accounting.connector(self.integration.package).carries_buyer)

    def reference_key(self, reference: str) -> bytes:
        """Return the keyed name of a number of the books, which outlives the number (``booking.reference_key``)."""
        return self.pseudonyms.reference_key(self.integration.administration_key, reference)

    @cached_property
    def bookings(self) -> Bookings:
        """The booking rows of this integration."""
        return Bookings(self.conn, self.integration)

    @cached_property
    def debtors(self) -> DebtorLinks:
        """The debtor links of the administration."""
        return DebtorLinks(self.conn, self.integration)

    @cached_property
    def quarantine(self) -> Quarantine:
        """What waits for a person."""
        return Quarantine(self.conn, self.integration)

    @cached_property
    def reports(self) -> Reports:
        """The chained run reports."""
        return Reports(self.conn, self.integration)

    @cached_property
    def transit(self) -> Transit:
        """The encrypted hand-over between the tasks of a run."""
        return Transit(self.conn, self.integration.merchant, self.keyring)

    @cached_property
    def limiter(self) -> StoreLimiter:
        """The limiter that all processes share, on a connection of its own; it begins with the published limits."""
        settings = self.integration.settings
        sides = ((shops.connector(self.integration.shop), settings.shop),
                 (accounting.connector(self.integration.package), settings.package))  # fmt: skip
        limits: dict[str, tuple[int, int]] = {}
        for plugin, values in sides:
            limits |= plugin.limits(_validated(plugin.settings_model, values, f"settings of {plugin.name}"))
        return StoreLimiter(self.connect, limits)

    @cached_property
    def shop(self) -> ShopConnector:
        """The shop. Raises ``NotConfigured`` for wrong settings, ``Reconnect`` without a credential."""
        plugin = shops.connector(self.integration.shop)
        return cast(ShopConnector, self._connect(plugin, "shop", self.integration.settings.shop))

    @cached_property
    def package(self) -> AccountingConnector:
        """The accounting package. Raises as ``shop`` does."""
        plugin = accounting.connector(self.integration.package)
        return cast(AccountingConnector, self._connect(plugin, "package", self.integration.settings.package))

    @cached_property
    def vat_checks(self) -> VatChecks:
        """What the register of VAT numbers answered lately."""
        return VatChecks(self.conn, self.integration.merchant)

    @cached_property
    def vat_register(self) -> VatNumberRegister:
        """VIES, or what stands in for it. Raises ``NotConfigured`` for an address that is none."""
        return vies.Vies(vies.address(), limiter=self.limiter)

    @cached_property
    def reference_rates(self) -> ReferenceRates:
        """The European Central Bank's rates. Raises ``NotConfigured`` for an address that is none."""
        home = os.environ.get("SLUIS_HOME", "").strip()
        return ecb.EcbRates(Path(home) if home else None, ecb.address())

    def connect(self) -> Connection:
        """Open a further connection with the same rights (locks and the limiter need one of their own)."""
        return task_connection(self.integration.merchant) if self.role == "task" else owner_connection()

    def close(self) -> None:
        """Close what the session opened beside its connection."""
        for name in ("limiter", "vat_register", "reference_rates"):
            if name in self.__dict__:
                self.__dict__[name].close()

    def _connect(self, plugin: Connectable, side: Literal["shop", "package"], settings: dict[str, Any]) -> object:
        where = (self.integration.merchant, self.integration.code)
        credentials = Credentials(self.conn, self.keyring).get(*where, side)
        checked = _validated(plugin.settings_model, settings, f"settings of the {side}")
        secret = _validated(plugin.credentials_model, credentials, f"credentials of the {side}")
        return plugin.connect(checked, secret, self.integration.settings.mapping, self.limiter)


def _validated(model: type[Frozen], values: dict[str, Any], what: str) -> Frozen:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        fields = ", ".join(sorted({place or told for place, told in wrong_fields(model, error)}))
        message = f"the {what} are wrong in: {fields}; see `sluis integration check`"
        if what.startswith("credentials"):
            raise Reconnect(message, code="credential_incomplete") from None
        raise NotConfigured(message) from None


@contextmanager
def open_session(merchant: str, integration: str, *, role: Role = "owner") -> Iterator[Session]:
    """Open one integration. Tasks use ``role="task"`` (row-level security), the command line is the owner.

    Raises ``NotConfigured`` when there is none, ``RetryLater`` when the store is away.
    """
    keyring = Keyring.from_environment()
    with task_connection(merchant) if role == "task" else owner_connection() as conn:
        session = Session(conn, keyring, Integrations(conn).get(merchant, integration), role)
        try:
            yield session
        finally:
            session.close()
