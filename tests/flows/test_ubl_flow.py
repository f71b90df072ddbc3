"""A whole integration that writes UBL files: no account, no credential, no mapping; the same exactness."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sluis.accounting.ubl.reading import read
from sluis.core.money import cents
from sluis.flows import integrations
from sluis.flows.check import check_and_apply
from sluis.flows.wiring import open_session
from sluis.privacy.keyring import Keyring
from sluis.sandbox.server import SandboxServer
from sluis.store.database import owner_connection
from tests.accounting.ubl_world import texts, tree
from tests.flows.world import World, empty_config, hour

SELLER = {
    "seller_name": "Voorbeeld B.V.", "seller_street": "Sluisweg 1",
    "seller_postcode": "1234 AB", "seller_city": "Sluisdorp", "seller_vat_number": "NL004495445B01",
    "seller_registration": "12345678",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "invoices"


@pytest.fixture
def world(database: object, folder: Path) -> World:
    """A world whose integration writes files; the sandbox's books stay empty."""
    server = SandboxServer(empty_config())
    with server:
        made = World(server, live=False)
        with owner_connection() as conn:
            for table, column in (("credential", "integration_code"), ("integration", "code")):  # the shop is for files
                conn.execute(f"delete from sluis.{table} where {column} = %s", (made.code,))
            new = integrations.NewIntegration(
                merchant=made.merchant, shop="woocommerce", package="ubl", start_date=made.start,
                shop_url=server.shop_url(made.shop_code),
                settings={"package": {**SELLER, "target": folder.as_uri()}, "reference_prefix": "U-"},
            )  # fmt: skip
            keys = made.shop.config
            shop = {"consumer_key": keys.consumer_key, "consumer_secret": keys.consumer_secret}
            made.code = integrations.add(conn, Keyring.from_environment(), new, {"shop": shop, "package": {}}).code
        with open_session(made.merchant, made.code) as session:
            report = check_and_apply(session)[0]
            assert [f.code for f in report.findings if f.level == "missing"] == []
        with open_session(made.merchant, made.code) as session:
            integrations.go_live(session)
        yield made


def files(folder: Path) -> dict[str, int]:
    """What stands in the folder: number -> signed cents."""
    documents = [read(path.read_bytes()) for path in sorted(folder.rglob("*.xml"))]
    return {document.reference: cents(document.total_with_vat) for document in documents}


def buyer_of(path: Path) -> str:
    names = texts(tree(path.read_bytes()), "cac:AccountingCustomerParty//cac:PartyName/cbc:Name")
    return names[0]


def test_orders_and_refunds_become_files_and_a_change_becomes_two_more(world: World, folder: Path) -> None:
    ids = world.orders(hour(0), 3)
    world.refund(ids[0], hour(0.5))
    world.run(world.scheduled(1))
    first = files(folder)
    assert first == {f"U-{number}": amount for number, amount in world.expected()}
    assert world.books.invoices == {}
    world.run(world.backfill(0, 1))
    assert files(folder) == first
    world.change(ids[1], hour(1.5), status="cancelled")
    loaded = world.run(world.scheduled(2))
    assert loaded is not None
    assert loaded.corrected == 1
    number = world.shop.book.orders[int(ids[1])].raw["number"]
    assert files(folder) == {**first, f"U-{number}-C": -first[f"U-{number}"]}
    (credit,) = folder.rglob(f"U-{number}-C.xml")
    (sold,) = folder.rglob(f"U-{number}.xml")
    assert buyer_of(credit) == buyer_of(sold)
    assert buyer_of(credit) != "Consumer"


def test_what_was_paid_stands_in_the_file(world: World, folder: Path) -> None:
    world.orders(hour(0), 1)
    world.run(world.scheduled(1))
    (path,) = folder.rglob("*.xml")
    text = path.read_text(encoding="utf-8")
    assert f"{Decimal(world.expected()[0][1]) / 100:.2f}</cbc:PrepaidAmount>" in text
    assert "0.00</cbc:PayableAmount>" in text
    assert path.parent.name == f"{date.fromisoformat(str(hour(0).date())):%Y-%m}"


def test_another_address_is_another_file(world: World, folder: Path) -> None:
    (order,) = world.orders(hour(0), 1)
    world.run(world.scheduled(1))
    billing = world.shop.book.orders[int(order)].raw["billing"]
    world.change(order, hour(1.5), billing={**billing, "address_1": "Nieuwe straat 99", "city": "Zwolle"})
    world.run(world.scheduled(2))
    number = world.shop.book.orders[int(order)].raw["number"]
    assert set(files(folder)) == {f"U-{number}", f"U-{number}-C", f"U-{number}-R1"}
    (anew,) = folder.rglob(f"U-{number}-R1.xml")
    assert "Nieuwe straat 99" in anew.read_text(encoding="utf-8")
    before = files(folder)
    world.run(world.backfill(0, 2))
    assert files(folder) == before
