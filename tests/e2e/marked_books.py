"""Marked orders through every way of booking, in the flows themselves: corrections, payments, VIES, days, files.

The runs are made in this process, against the store of the shared Airflow, with all their logs in its folder: so that
the search looks at them too. What Airflow adds around a run is the same for all (tests/e2e/test_canary.py).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sluis.core.reconciliation import Period
from sluis.core.vat_return import quarter_of
from sluis.flows import integrations
from sluis.flows.check import check_and_apply
from sluis.flows.reconcile import Reconciled, reconcile
from sluis.flows.wiring import open_session
from sluis.privacy.keyring import Keyring
from sluis.sandbox import vies
from sluis.store.database import owner_connection
from sluis.store.integrations import IntegrationState
from tests.e2e import marked_orders as marked
from tests.e2e.canaries import Canaries
from tests.e2e.merchant import apart
from tests.flows.test_ubl_flow import SELLER
from tests.flows.world import World, edit, hour

MODES: tuple[dict[str, Any], ...] = ({}, {"booking_mode": "journal_entry"}, {"booking_mode": "daily"})
#: Hours of the two runs: the day of hour 0 is over with the second.
RUNS = (2, 50)


@contextmanager
def logged(file: Path) -> Iterator[None]:
    """Write what is logged in this process to a file: of ours down to the last detail, of others as Airflow does."""
    handler, root, ours = logging.FileHandler(file, encoding="utf-8"), logging.getLogger(), logging.getLogger("sluis")
    levels = root.level, ours.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    ours.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
        root.removeHandler(handler)
        handler.close()


@contextmanager
def register_knows(canaries: Canaries, *others: Canaries) -> Iterator[None]:
    """Let the sandbox's VIES know the marked numbers, and give name and address with it as the real one does."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(vies, "VALID", vies.VALID | {known.business for known in (canaries, *others)})
        monkeypatch.setattr(vies, "NAME", canaries.text("vies_name"))
        monkeypatch.setattr(vies, "ADDRESS", f"{canaries.text('vies_street')}\n1000 {canaries.text('vies_city')}")
        yield


def book_in_every_way(canaries: Canaries, in_files: Canaries, logs: Path, folder: Path) -> None:
    """Book, correct, credit and reconcile marked orders in every mode of every package.

    UBL goes into ``folder``, with markers of its own (``in_files``): they are found there.
    """
    logs.mkdir(parents=True, exist_ok=True)
    with logged(logs / "every_way.log"), register_knows(canaries, in_files):
        for (_, package), way in WAYS.items():
            way(in_files if package == "ubl" else canaries, folder)


def _into_moneybird(canaries: Canaries, _: Path) -> None:
    for mode in MODES:
        settings = {"register_payments": True, "vat_number": "NL000099998B57", **mode}
        with apart(settings) as world:
            accounts = {account["account_id"]: key for key, account in world.books.chart.accounts.items()}
            with owner_connection() as conn:
                mapping = {"revenue": {"gift_card": accounts["1850"]}, "clearing": {"*": accounts["1250"]}}
                integrations.change(conn, world.merchant, world.code, {"mapping": mapping})
            _corrected(world, canaries)
            _arrived(world, canaries, mode)
            marked.remember_books(world, canaries)


def _into_files(canaries: Canaries, folder: Path) -> None:
    with apart({}, live=False) as world:
        _write_ubl(world, canaries, folder)


#: How each connector's orders reach each package: a connector or a package that is in none of them fails a test.
WAYS: Mapping[tuple[str, str], Callable[[Canaries, Path], None]] = {
    ("woocommerce", "moneybird"): _into_moneybird,
    ("woocommerce", "ubl"): _into_files,
}


def _corrected(world: World, canaries: Canaries) -> Reconciled:
    """Two runs: what is booked by the first is edited, cancelled and given back before the second."""
    places = enumerate(("edited", "cancelled", "refunded"))
    edited, cancelled, refunded = [marked.put(world, canaries, place, label, who="consumer") for place, label in places]
    marked.put(world, canaries, 3, "business")
    marked.put(world, canaries, 4, "company", who="abroad")
    marked.put(
        world, canaries, 5, "voucher", who="consumer", **marked.marked_shop("woocommerce").with_gift_card(canaries)
    )
    world.run(world.scheduled(RUNS[0], length=3))
    edit(world, edited, hour(RUNS[0] + 1))
    world.change(cancelled, hour(RUNS[0] + 1), status="cancelled")
    marked.give_back(world, canaries, refunded, 60 * (RUNS[0] + 1))
    done = world.run(world.scheduled(RUNS[1], length=RUNS[1] - RUNS[0]))
    assert done is not None
    assert (done.deferred, done.corrected) == (0, 2), "edited and cancelled"
    with open_session(world.merchant, world.code) as session:
        made = reconcile(session, Period.of(quarter_of((hour(0) + timedelta(hours=2)).date())))
    assert canaries.business[2:] in "".join(line.number.reveal() for line in made.icp), "K went to the ICP list"
    return made


def _arrived(world: World, canaries: Canaries, mode: dict[str, Any]) -> None:
    """The books hold the persons that they need, so that something was there to stay behind."""
    assert canaries.business in json.dumps(list(world.books.contacts.values()), default=str)
    assert bool(world.books.entries) is bool(mode), mode
    if not mode:
        assert f"tr_{canaries.word}" in json.dumps(list(world.books.invoices.values()), default=str)


def _write_ubl(world: World, canaries: Canaries, folder: Path) -> None:
    """The same into UBL files, which are the merchant's own."""
    with owner_connection() as conn:
        for table, column in (("credential", "integration_code"), ("integration", "code")):
            where = "where merchant_code = %s and " + column + " = %s"
            conn.execute(f"delete from sluis.{table} {where}", (world.merchant, world.code))
        new = integrations.NewIntegration(
            merchant=world.merchant, shop="woocommerce", package="ubl", start_date=world.start,
            shop_url=world.server.shop_url(world.shop_code),
            settings={"package": {**SELLER, "target": (folder / "out").as_uri()}, "vat_number": "NL000099998B57",
                      "interval_minutes": 1440},
        )  # fmt: skip
        keys = world.shop.config
        shop = {"consumer_key": keys.consumer_key, "consumer_secret": keys.consumer_secret}
        world.code = integrations.add(conn, Keyring.from_environment(), new, {"shop": shop, "package": {}}).code
    with open_session(world.merchant, world.code) as session:
        check_and_apply(session)
    with open_session(world.merchant, world.code) as session:
        integrations.go_live(session)
    assert world.integration.state is IntegrationState.LIVE
    _corrected(world, canaries)
    text = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.xml"))
    assert canaries.business in text
    assert canaries.word in text
