"""One merchant with a shop and books in the sandbox, and the runs of his integration, without Airflow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from sluis.core.money import cents
from sluis.flows import integrations, quarantine, sync
from sluis.flows.check import check_and_apply
from sluis.flows.context import Loaded, RunRequest
from sluis.flows.patience import Patience
from sluis.flows.wiring import open_session
from sluis.privacy.keyring import Keyring
from sluis.sandbox.config import AdministrationConfig, SandboxConfig, ShopConfig
from sluis.sandbox.drafting import Draft, make_order, make_refund
from sluis.sandbox.ledger import Ledger
from sluis.sandbox.orders import ARTICLES, till_for
from sluis.sandbox.people import person
from sluis.sandbox.server import SandboxServer
from sluis.sandbox.state import Shop
from sluis.store.bookings import BookingState
from sluis.store.database import owner_connection, rows
from sluis.store.integrations import Integration
from sluis.store.merchants import Merchants

NO_WAIT = timedelta(0)
HOUR = timedelta(hours=1)
#: Hour 0 of a test's own time line: some days ago, so that a test may place orders and runs as it likes, and at ten in
#: the morning (UTC), so that the hours after it lie on the same day in the shop's time zone whenever the test runs.
T0 = (datetime.now(UTC) - timedelta(hours=10)).replace(hour=10, minute=0, second=0, microsecond=0) - timedelta(days=20)
#: Statuses that make an order bookable, by the default settings.
BOOKABLE = frozenset({"processing", "completed", "refunded"})
INVOICES = "*/external_sales_invoices*"
ORDERS = "*/wc/v3/orders"

Entry = tuple[str, int]


def hour(number: float) -> datetime:
    """A moment of the test's time line."""
    return T0 + number * HOUR


def empty_config() -> SandboxConfig:
    """A sandbox whose shop has no order yet."""
    return config(orders=0)


def config(**shop: Any) -> SandboxConfig:
    """A sandbox with one shop (60 orders unless said otherwise) and one administration."""
    return SandboxConfig(
        shops=(ShopConfig(**{"code": "shop", "orders": 60, "days": 20, **shop}),),
        administrations=(AdministrationConfig(id="460000000000000001"),),
    )


@dataclass
class World:
    """An integration that is live, and the sandbox it works against."""

    server: SandboxServer
    settings: dict[str, Any] = field(default_factory=dict)
    start: date = field(default_factory=lambda: datetime.now(UTC).date() - timedelta(days=90))
    live: bool = True
    merchant: str = ""
    code: str = ""
    shop_code: str = ""
    books_id: str = ""
    _numbers: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.shop_code = self.shop_code or next(iter(self.server.state.shops))
        self.books_id = self.books_id or next(iter(self.server.state.books))
        shop, books = self.shop, self.books
        os.environ.update(self.server.registers)  # taken back with the fixture that keeps tests on this machine
        keyring = Keyring.from_environment()
        with owner_connection() as conn:
            self.merchant = Merchants(conn).add("Test", keyring).code
            new = integrations.NewIntegration(
                merchant=self.merchant, shop="woocommerce", package="moneybird", start_date=self.start,
                shop_url=self.server.shop_url(shop.config.code),
                settings={
                    "register_payments": False,  # a call for each, which would hide those that a test counts
                    "package": {"administration_id": books.config.id, "base_url": self.server.books_url},
                    **self.settings,
                },
            )  # fmt: skip
            self.code = integrations.add(
                conn, keyring, new,
                {
                    "shop": {
                        "consumer_key": shop.config.consumer_key, "consumer_secret": shop.config.consumer_secret
                    },
                    "package": {"token": books.config.token},
                },
            ).code  # fmt: skip
        with open_session(self.merchant, self.code) as session:
            accounts = {a.code: a.id for a in session.package.check().ledger_accounts}
            integrations.change(session.conn, self.merchant, self.code, {"mapping": {
                "revenue": {"goods": accounts["8000"], "shipping": accounts["8100"]}, "rounding": accounts["8900"],
            }})  # fmt: skip
        with open_session(self.merchant, self.code) as session:
            check_and_apply(session)
        if self.live:
            with open_session(self.merchant, self.code) as session:
                integrations.go_live(session)

    def request(self, run_type: str = "scheduled", run_id: str | None = None, **more: Any) -> RunRequest:
        """A run as Airflow would start it; a scheduled one over the hour that ends now."""
        end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        if run_type == "scheduled":
            more = {"interval_start": end - timedelta(hours=1), "interval_end": end, **more}
        return RunRequest(
            merchant=self.merchant, integration=self.code, dag_id=f"sync__{self.merchant}__{self.code}",
            run_id=run_id or f"{run_type}__{next(self._numbers)}", run_type=run_type, **more,
        )  # fmt: skip

    def run(self, request: RunRequest | None = None, patience: Patience | None = None) -> Loaded | None:
        """Run all four tasks; ``None`` when extract found nothing new. Without ``patience`` no quota is waited for."""
        request = request or self.request()
        try:
            if sync.extract(request).nothing_new:
                return None
            sync.transform(request)
            return sync.load(request, settle=NO_WAIT, patience=patience or Patience(bound=NO_WAIT))
        finally:
            sync.shred(request)

    def stats(self) -> dict[str, Any]:
        """What shop and books count themselves."""
        return self.server.state.stats()

    # ------------------------------------------------------------------------------------------- shop, books, store

    @property
    def shop(self) -> Shop:
        """The shop in the sandbox."""
        return self.server.state.shop(self.shop_code)

    @property
    def books(self) -> Ledger:
        """The administration in the sandbox."""
        return self.server.state.ledger(self.books_id)

    @property
    def integration(self) -> Integration:
        """The integration as it stands in the store."""
        with open_session(self.merchant, self.code) as session:
            return session.integration

    def order(
        self, at: datetime, *, buyer: str = "anna", quantity: int = 1, article: int = 0, number: str | None = None
    ) -> str:
        """Put an ordinary paid order of a Dutch customer in the shop; returns its id."""
        draft = Draft(
            created=at, paid=at, buyer=person(1, buyer), items=((ARTICLES[article], quantity),), number=number
        )
        book = self.shop.book
        return str(book.put(make_order(book, till_for(self.shop.config, self.shop.rows, "NL"), draft)).id)

    def orders(self, at: datetime, number: int, *, buyers: int = 2) -> list[str]:
        """Put so many orders in the shop, a minute apart, no two of the same total, of so many customers."""
        return [
            self.order(at + n * timedelta(minutes=1), buyer=f"buyer{n % buyers}", quantity=n + 1) for n in range(number)
        ]

    def refund(self, order_id: str, at: datetime, quantity: int = 1) -> None:
        """Give back so many pieces of an order's first line."""
        book = self.shop.book
        order = book.orders[int(order_id)].raw
        line = order["line_items"][0]["id"]
        book.put_refund(int(order_id), make_refund(book, order, at, lines={line: quantity}, reason="retour"))

    def change(self, order_id: str, at: datetime, **fields: Any) -> None:
        """Change an order in the shop, which raises its date of change to ``at``."""
        self.shop.book.change(int(order_id), fields, at=at)

    def scheduled(self, number: float, run_id: str | None = None, length: float = 1) -> RunRequest:
        """The scheduled run over the hours that end at ``hour(number)``."""
        interval = {"interval_start": hour(number - length), "interval_end": hour(number)}
        return self.request("scheduled", run_id, **interval)

    def backfill(self, start: float, end: float) -> RunRequest:
        """A backfill over these hours."""
        return self.request("backfill", interval_start=hour(start), interval_end=hour(end))

    def expected(self, leave_out: Sequence[str] = ()) -> list[Entry]:
        """What the books must hold, from the shop's own figures: (reference, cents), credit notes below zero."""
        entries: list[Entry] = []
        for order in self.shop.book.orders.values():
            if str(order.id) in leave_out or order.raw["status"] not in BOOKABLE:
                continue
            number = order.raw["number"]
            entries.append((number, cents(Decimal(order.raw["total"]))))
            refunds = sorted(self.shop.book.by_parent.get(order.id, []), key=lambda r: (r.created, r.id))
            entries += [(f"{number}-C{n}", -cents(Decimal(r.raw["amount"]))) for n, r in enumerate(refunds, start=1)]
        return sorted(entries)

    def booked(self) -> list[Entry]:
        """What the books hold: (reference, cents), one entry per document, so that a double stands here twice."""
        return sorted((i["reference"], cents(Decimal(i["total_price_incl_tax"]))) for i in self.books.invoices.values())

    def prove(self, leave_out: Sequence[str] = ()) -> None:
        """Every bookable document stands in the books once and to the cent, and our store says the same."""
        assert self.booked() == self.expected(leave_out)
        states = self.states()
        assert states[BookingState.CLAIMED] == 0
        assert states[BookingState.BOOKED] == len(self.booked())
        with open_session(self.merchant, self.code) as session:
            assert session.reports.verify() >= 0

    def states(self) -> dict[BookingState, int]:
        """How many booking rows stand in each state."""
        with open_session(self.merchant, self.code) as session:
            return session.bookings.counts()

    def waiting(self) -> dict[str, str]:
        """What stands open in quarantine: number of the order (with ``/credit`` for a refund) -> reason."""
        with open_session(self.merchant, self.code) as session:
            return {
                i.order_number + ("/credit" if i.kind.value == "credit_note" else ""): i.reason
                for i in session.quarantine.open()
            }

    def in_transit(self) -> int:
        """How many rows stand in transit, of all merchants."""
        with owner_connection() as conn:
            return int(rows(conn, "select count(*)::int as n from sluis.transit_chunk")[0]["n"])

    def calls(self, method: str, part: str) -> int:
        """How many calls the sandbox counted whose path holds that part."""
        return sum(n for call, n in self.server.state.calls.items() if call.startswith(f"{method} ") and part in call)

    def fault(self, kind: str, **more: Any) -> None:
        """Switch a fault on; unless said otherwise it strikes one create of an invoice."""
        self.server.state.faults.add(**{"kind": kind, "method": "POST", "path": INVOICES, **more})

    def quota_frees(self) -> None:
        """Let the vendor's window pass: what is left is that our limiter waits for it no longer."""
        with owner_connection() as conn:
            conn.execute("delete from sluis.limiter")

    def offer(self, *numbers: str) -> int:
        """Offer orders in quarantine again, as ``sluis quarantine offer`` does; returns how many documents."""
        with owner_connection() as conn:
            return quarantine.offer(conn, self.merchant, self.code, order_numbers=numbers).offered

    def field(self, number: str) -> str | None:
        """The field that quarantine names for an order's invoice."""
        with open_session(self.merchant, self.code) as session:
            return next(i.field for i in session.quarantine.open(order_number=number) if i.kind.value == "invoice")

    def forget_contact(self, contact_id: str) -> None:
        """Delete a contact in the books, as a bookkeeper may."""
        gone = self.books.contacts.pop(contact_id)
        self.books.by_customer.pop(gone["customer_id"])


def edit(world: World, order_id: str, at: datetime, quantity: int = 7) -> None:
    """Let the shop's owner change how many pieces an order is of: its lines, its VAT and its total."""
    book = world.shop.book
    other = int(world.order(at, quantity=quantity))
    model = book.orders[other].raw
    copied = ("total", "total_tax", "cart_tax", "line_items", "tax_lines", "discount_total", "discount_tax")
    fields = {name: model[name] for name in copied}
    book.delete(other)
    world.change(order_id, at, **fields)


def prepared(world: World, request: RunRequest | None = None) -> RunRequest:
    """Run extract and transform, of the first hour's scheduled run unless said otherwise."""
    request = request or world.scheduled(1)
    sync.extract(request)
    sync.transform(request)
    return request


def finished(world: World, request: RunRequest) -> Loaded:
    """Run load and shred of a prepared run."""
    done = sync.load(request, settle=NO_WAIT)
    sync.shred(request)
    return done
