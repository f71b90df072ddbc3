"""Everything a sandbox holds, and the Python API by which tests and the control API change it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from threading import RLock
from typing import Any

from starlette.requests import Request

from sluis.core.money import ZERO, cents
from sluis.errors import Defect
from sluis.sandbox.auth import Gate
from sluis.sandbox.config import AdministrationConfig, SandboxConfig, ShopConfig
from sluis.sandbox.csv_orders import ImportReport, import_orders
from sluis.sandbox.faults import Faults
from sluis.sandbox.ledger import Ledger
from sluis.sandbox.moneybird import Json
from sluis.sandbox.orderbook import OrderBook, worth
from sluis.sandbox.orders import Generator, rows_of
from sluis.sandbox.people import person
from sluis.sandbox.vies import Mode

WINDOW = 300  #: seconds of a limit's window

Window = tuple[datetime, datetime]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Shop:
    """A shop at run time. ``clock`` gives the moment now."""

    config: ShopConfig
    clock: Callable[[], datetime]

    def __post_init__(self) -> None:
        self.path = f"/shops/{self.config.code}"
        self.rows = rows_of(self.config)
        self.gate = Gate(self.config)
        self.book = OrderBook(self.config.timezone)
        self.imported: ImportReport | None = None

    def seed(self, seed: object) -> None:
        """Fill the shop from its settings."""
        generator = Generator(self.config, seed, self.clock())
        generator.fill(self.book, self.config.orders)
        if self.config.orders_csv is not None:
            self.imported = import_orders(self.config.orders_csv, self.book, self.config, self.clock(), seed)

    def status_counts(self) -> dict[str, int]:
        """Return how many orders stand at each status."""
        return Counter(str(document.raw["status"]) for document in self.book.orders.values())

    def stats(self, window: Window | None = None) -> Json:
        """Return counts and cents: orders (of any status) and refunds; an order counts for what it sold.

        ``listed`` are the orders a reader can see (the bin, which has a list of its own, included) with their refunds;
        with ``window`` (start, end) only those changed in it, or with a refund made in it.
        """
        with self.book.lock:
            orders = [worth(document.raw) for document in self.book.orders.values()]
            refunds = [Decimal(document.raw["amount"]) for document in self.book.refunds.values()]
            return {
                "orders": len(orders),
                "orders_cents": cents(sum(orders, ZERO)),
                "refunds": len(refunds),
                "refunds_cents": cents(sum(refunds, ZERO)),
                "statuses": self.status_counts(),
                "listed": self._listed(window),
            }

    def _listed(self, window: Window | None) -> Json:
        made = self.book.by_parent
        seen = [
            order
            for order in self.book.orders.values()
            if order.raw["status"] != "auto-draft"
            and (window is None or any(window[0] <= d.modified < window[1] for d in (order, *made.get(order.id, []))))
        ]
        refunds = [refund for order in seen for refund in made.get(order.id, [])]
        return {
            "orders": len(seen),
            "orders_cents": cents(sum((worth(order.raw) for order in seen), ZERO)),
            "refunds": len(refunds),
            "refunds_cents": cents(sum((Decimal(refund.raw["amount"]) for refund in refunds), ZERO)),
        }


@dataclass
class Limiter:
    """Moneybird's limit: so many calls per token in a window of five minutes, counted from the first call."""

    limit: int | None
    clock: Callable[[], datetime]
    windows: dict[str, tuple[float, int]] = field(default_factory=dict)

    def take(self, token: str) -> tuple[bool, dict[str, str]]:
        """Count a call. Returns whether the quota is spent and the headers to send (times as epoch seconds)."""
        if self.limit is None:
            return False, {}
        now = self.clock().timestamp()
        start, used = self.windows.get(token, (now, 0))
        if now >= start + WINDOW:
            start, used = now, 0
        spent = used >= self.limit
        self.windows[token] = (start, used if spent else used + 1)
        reset = str(int(start) + WINDOW)
        left = max(0, self.limit - used - 1)
        headers = {"RateLimit-Limit": str(self.limit), "RateLimit-Remaining": str(left), "RateLimit-Reset": reset}
        return spent, {**headers, "Retry-After": reset} if spent else headers


class State:
    """All shops and administrations of a sandbox. ``clock`` may be replaced in a test."""

    def __init__(self, config: SandboxConfig, clock: Callable[[], datetime] = _now) -> None:
        self.config, self.clock = config, clock
        self.lock = RLock()
        self.faults = Faults()
        self.reset()

    def now(self) -> datetime:
        """Return the moment now, by the clock that is set at this moment."""
        return self.clock()

    def reset(self) -> None:
        """Start again from the seed: what was booked, changed and counted is gone, and so are the faults."""
        with self.lock:
            self.faults.clear()
            self.calls: Counter[str] = Counter()
            self.limiter = Limiter(self.config.limit, self.now)
            self.vies = Mode()
            self.shops = {shop.code: Shop(shop, self.now) for shop in self.config.shops}
            self.books = {entry.id: self._ledger(entry) for entry in self.config.administrations}
            for shop in self.shops.values():
                shop.seed(self.config.seed)

    def _ledger(self, config: AdministrationConfig) -> Ledger:
        ledger = Ledger(config, self.now)
        for index in range(config.contacts):
            someone = person(self.config.seed, f"{config.id}-{index}")
            ledger.create_contact(
                {
                    "firstname": someone.first_name,
                    "lastname": someone.last_name,
                    "address1": someone.address_1,
                    "zipcode": someone.postcode,
                    "city": someone.city,
                    "country": someone.country,
                    "send_invoices_to_email": someone.email,
                }
            )
        return ledger

    def shop(self, code: str) -> Shop:
        """Return a shop by code. Raises ``Defect`` for an unknown one."""
        if code not in self.shops:
            raise Defect(f"the sandbox has no shop {code!r}, but {', '.join(self.shops) or 'none'}")
        return self.shops[code]

    def ledger(self, administration_id: str) -> Ledger:
        """Return an administration by id. Raises ``Defect`` for an unknown one."""
        if administration_id not in self.books:
            raise Defect(f"the sandbox has no administration {administration_id!r}")
        return self.books[administration_id]

    def site(self, shop: Shop, request: Request) -> str:
        """Return the shop's address as this caller sees it."""
        return f"{request.url.scheme}://{request.headers.get('host', 'testserver')}{shop.path}"

    def stats(self, windows: Mapping[str, Window] | None = None) -> dict[str, Any]:
        """Return counts and cents of all shops and administrations, and the calls per path (``windows`` per shop)."""
        return {
            "shops": {code: shop.stats((windows or {}).get(code)) for code, shop in self.shops.items()},
            "administrations": {
                entry: {
                    "invoices": len(ledger.invoices),
                    "invoices_cents": ledger.total_cents,
                    "contacts": len(ledger.contacts),
                    "journal_entries": len(ledger.entries),
                    "payments": sum(len(invoice["payments"]) for invoice in ledger.invoices.values()),
                    "accounts": ledger.balances(),
                    "duplicates": {name: count for name, count in ledger.references.items() if count > 1},
                }
                for entry, ledger in self.books.items()
            },
            "calls": dict(sorted(self.calls.items())),
            "faults_left": self.faults.left(),
        }
