"""The connector keeps its contract against the sandbox's books too: two readings of one specification agree."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from sluis.accounting import connector
from sluis.accounting.moneybird import mapping as to_moneybird
from sluis.accounting.moneybird.client import Bearer, MoneybirdClient
from sluis.accounting.moneybird.connector import Moneybird
from sluis.accounting.moneybird.settings import MoneybirdCredentials, MoneybirdSettings
from sluis.accounting.proposals import propose_mapping
from sluis.core.order import LineKind
from sluis.core.personal import Personal
from sluis.core.settings import Mapping
from sluis.sandbox.config import AdministrationConfig, SandboxConfig
from sluis.sandbox.server import SandboxServer
from tests.accounting.moneybird_world import FreeLimiter
from tests.contracts.accounting_contract import AccountingContract, Fault, Standing, World, buyer

_FAULTS: dict[Fault, dict[str, Any]] = {
    Fault.SILENT_AFTER_COMMIT: {"kind": "reset_after"},
    Fault.TIMEOUT_AFTER_COMMIT: {"kind": "hang_after", "seconds": 60},
    Fault.ERROR_AFTER_COMMIT: {"kind": "status_after"},
    Fault.TRUNCATED_AFTER_COMMIT: {"kind": "truncated"},
    Fault.UNAUTHORISED: {"kind": "status", "status": 401},
    Fault.FORBIDDEN: {"kind": "status", "status": 403},
    Fault.ABSENT: {"kind": "status", "status": 404},
    Fault.INVALID: {"kind": "status", "status": 422, "body": '{"error": {"date": ["is in a locked period"]}}'},
    Fault.QUOTA: {"kind": "status", "status": 429},
}
KINDS = (LineKind.GOODS, LineKind.SHIPPING, LineKind.FEE, LineKind.GIFT_CARD)


class SandboxWorld(World):
    def __init__(self, contacts: int) -> None:
        administration = AdministrationConfig(contacts=contacts)
        self.server = SandboxServer(SandboxConfig(administrations=(administration,))).start()
        self.ledger = self.server.state.books[administration.id]
        settings = MoneybirdSettings(administration_id=administration.id, base_url=self.server.books_url)
        credentials = MoneybirdCredentials(token=Personal(administration.token))
        bare = connector("moneybird").connect(settings, credentials, Mapping(), FreeLimiter())
        self.facts = bare.check()
        proposed = propose_mapping(self.facts, ["S 21 NL", "S 9 NL", "G 0 NL", "O 0 NL"], kinds=KINDS)
        self.open = {item.setting: [c.name for c in item.candidates] for item in proposed.open}
        self.accounts = {a.code: a.id for a in self.facts.ledger_accounts if a.code is not None}
        goods = next(account.id for account in self.facts.ledger_accounts if account.name == "Omzet")
        revenue = {**proposed.mapping.revenue, LineKind.GOODS: goods}
        self.mapping = proposed.mapping.model_copy(update={"revenue": revenue})
        self.connector = connector("moneybird").connect(settings, credentials, self.mapping, FreeLimiter())
        key, auth = to_moneybird.limiter_key(credentials), Bearer(to_moneybird.authorization(credentials))
        client = MoneybirdClient(settings.base_url, administration.id, auth, None, key, read_timeout=2.0)
        self.hasty = Moneybird(client, settings, self.mapping, key)

    def next_write(self, fault: Fault) -> None:
        values = dict(_FAULTS[fault])
        if fault is Fault.QUOTA:
            values["headers"] = {"Retry-After": str(int(time.time()) + 200)}
        for path in ("*/external_sales_invoices.json", "*/contacts.json", "*/payments.json", "*journal_documents.json"):
            self.server.state.faults.add(method="POST", path=path, **values)

    def standing(self) -> list[Standing]:
        rows = list(self.ledger.invoices.values())
        return [Standing(row["reference"], Decimal(row["total_price_incl_tax"]), row["contact_id"]) for row in rows]

    def debtors(self) -> int:
        return len(self.ledger.contacts)

    def remove_debtor(self, debtor_id: str) -> None:
        gone = self.ledger.contacts.pop(debtor_id)
        del self.ledger.by_customer[gone["customer_id"]]


class TestMoneybirdOfTheSandbox(AccountingContract):
    @pytest.fixture
    def world(self) -> Iterator[SandboxWorld]:
        made = SandboxWorld(contacts=0)
        yield made
        made.server.stop()

    def test_a_proposal_leaves_the_choice_between_accounts(self, world: SandboxWorld) -> None:
        assert world.open == {"mapping.revenue['goods']": ["Omzet", "Omzet laag tarief", "Omzet buitenland"]}
        assert set(world.mapping.revenue) == {LineKind.GOODS, LineKind.SHIPPING, LineKind.GIFT_CARD}
        assert world.facts.has_debtors is False

    def test_an_archived_debtor_is_adopted(self, world: SandboxWorld) -> None:
        debtor = self.known(world)
        world.ledger.archive(debtor)
        assert world.connector.debtor(buyer(), "a1" * 16).id == debtor


def test_contacts_from_before_are_matched() -> None:
    world = SandboxWorld(contacts=130)
    try:
        assert world.facts.has_debtors is True
        someone = list(world.ledger.contacts.values())[120]
        matched = world.connector.match_debtors([("key", buyer(someone["email"].upper())), ("x", buyer())])
        assert matched == {"key": someone["id"]}
    finally:
        world.server.stop()
