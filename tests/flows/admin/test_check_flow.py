"""The whole check against the sandbox: what it finds, what it fills in, and that nothing is left to ask."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sluis.errors import NotConfigured
from sluis.flows import integrations
from sluis.flows.check import check, check_and_apply
from sluis.flows.wiring import open_session
from sluis.sandbox.config import AdministrationConfig, SandboxConfig, ShopConfig
from sluis.sandbox.server import SandboxServer
from tests.conftest import Database
from tests.flows.world import World

pytestmark = pytest.mark.postgres
CONFIG = SandboxConfig(shops=(ShopConfig(),), administrations=(AdministrationConfig(),))
#: What the empty sandbox on this machine is warned of besides: it has rows of 0 % of three countries that know such a
#: rate, for which no administration has one.
USUAL = {"no_orders", "no_orders_yet", "plain_http", "tax_rate_missing"}
LOCKED = (datetime.now(UTC).date() - timedelta(days=20)).isoformat()


@pytest.fixture
def server(database: Database) -> Iterator[SandboxServer]:
    with SandboxServer(CONFIG) as running:
        yield running


def looked_at(world: World) -> tuple[set[str], set[str], Any]:
    with open_session(world.merchant, world.code) as session:
        found = check(session)
        return (
            {finding.code for finding in found.missing},
            {finding.code for finding in found.findings if finding.level == "warning"} - USUAL,
            found.proposal.mapping,
        )


@pytest.mark.parametrize("mode", ["invoice", "journal_entry", "daily"])
def test_the_sandboxs_chart_answers_every_mode(server: SandboxServer, mode: str) -> None:
    world = World(server, settings={"booking_mode": mode, "register_payments": True, "vat_number": "NL123456782B90"})
    missing, warned, mapping = looked_at(world)
    assert (missing, warned) == (set(), set())
    names = {account["id"]: account["name"] for account in world.books.chart.accounts.values()}
    assert {method: names[account] for method, account in mapping.clearing.items()} == {
        "bacs": "Bank",
        "cod": "Kas",
        "ideal": "Tussenrekening betaaldienst",
        "mollie_wc_gateway_ideal": "Tussenrekening betaaldienst",
        "woocommerce_payments": "Tussenrekening betaaldienst",
    }
    assert {"S 21 NL", "S 19 DE", "S 25.5 FI", "K 0 NL", "G 0 NL"} <= set(mapping.tax_rates)
    if mode == "invoice":
        assert (mapping.receivable, mapping.vat_accounts) == (None, {})
    else:
        assert names[mapping.receivable] == "Debiteuren"
        assert names[mapping.vat_accounts["S 21 NL"]] == "Btw"
        assert names[mapping.vat_accounts["S 19 DE"]] == "Btw OSS"


def test_gift_cards_tips_and_deposits_of_the_shops_settings_are_asked_for(server: SandboxServer) -> None:
    shop = {"gift_card_skus": ["GIFT50"], "fee_kinds": {"Statiegeld*": "deposit", "Fooi": "tip"}}
    world = World(server, live=False, settings={"shop": {**shop, "url": server.shop_url("shop")}})
    missing, warned, mapping = looked_at(world)
    assert missing == set()
    assert warned == {"vat_number_missing", "ledger_account_default"}  # a tip has no account of its own in this chart
    names = {account["id"]: account["name"] for account in world.books.chart.accounts.values()}
    found = {kind.value: names[account] for kind, account in mapping.revenue.items()}
    assert (found["gift_card"], found["deposit"]) == ("Verkochte cadeaubonnen", "Statiegeld")


def test_an_integration_goes_not_live_while_the_administration_is_locked_unknown(server: SandboxServer) -> None:
    world = World(server, live=False)
    world.books.config = world.books.config.model_copy(update={"period_locked_until": LOCKED})
    assert looked_at(world)[0] == {"period_locked"}
    with open_session(world.merchant, world.code) as session, pytest.raises(NotConfigured):
        integrations.go_live(session)
    with open_session(world.merchant, world.code) as session:
        integrations.change(session.conn, world.merchant, world.code, {"books_closed_until": LOCKED})
    assert looked_at(world)[0] == set()


def test_what_a_person_mapped_stays_when_a_proposal_is_taken(server: SandboxServer) -> None:
    world = World(server, live=False)
    account = next(iter(world.books.chart.accounts))
    chosen = {"mapping": {"accounts": [{"account": account, "country": "DE"}], "clearing": {"cod": account}}}
    with open_session(world.merchant, world.code) as session:
        integrations.change(session.conn, world.merchant, world.code, chosen)
    with open_session(world.merchant, world.code) as session:
        check_and_apply(session)
    with open_session(world.merchant, world.code) as session:
        mapping = session.integration.settings.mapping
    assert [rule.account for rule in mapping.accounts] == [account]
    assert mapping.clearing["cod"] == account
