"""Generates a shop's invented orders: mixed rates, shipping, fees, refunds, repeat customers and awkward cases.

The same seed, settings and day give the same orders. The shares are invented, except the 58 % of orders that come
from customers who ordered before (a common figure for small shops, used so that debtors are reused).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from sluis.core.money import ZERO
from sluis.sandbox.config import ShopConfig
from sluis.sandbox.drafting import Draft, make_order, make_refund
from sluis.sandbox.orderbook import Document, OrderBook
from sluis.sandbox.people import Person, dice, person
from sluis.sandbox.pricing import Article, TaxRow, Till, tax_table

REPEAT = 0.58
#: Net shipping per destination, as in the recordings: the home country, the EU, elsewhere.
SHIPPING = {"home": Decimal("4.0909"), "eu": Decimal("8.2645"), "elsewhere": Decimal("20.00")}
#: Payment methods whose refunds somebody pays back by hand.
BY_HAND = frozenset({"cod", "bacs"})
ABROAD = ("BE", "BE", "DE", "DE", "NO", "US")

ARTICLES = tuple(
    Article(sku, name, Decimal(price), tax_class, 17 + index)
    for index, (sku, name, price, tax_class) in enumerate(
        (
            ("MUG", "Koffiemok wit", "12.95", "standard"),
            ("BOOK", "Boek: Sluizen van Nederland", "24.99", "reduced-rate"),
            ("CANDY", "Zuurstok", "0.35", "reduced-rate"),
            ("CARD", "Ansichtkaart", "1.99", "standard"),
            ("SEED", "Zaad per korrel", "0.07", "reduced-rate"),
            ("STAMP", "Postzegel", "1.40", "zero-rate"),
            ("CHAIR", "Stoel eiken", "349.00", "standard"),
            ("TEA", "Thee 100 g", "4.45", "reduced-rate"),
            ("PEN", "Pen blauw", "0.99", "standard"),
            ("SHIRT", "Shirt gestreept", "29.95", "standard"),
            ("LAMP", "Lamp klein", "64.50", "standard"),
        )
    )
)
GIFT_CARD = Article("GIFT50", "Cadeaubon 50 euro", Decimal("50.00"), "standard", 40, taxable=False)
FREE = Article("FREE", "Proefje", ZERO, "standard", 41)
#: All that is sold, by article code.
CATALOGUE = {article.sku: article for article in (*ARTICLES, GIFT_CARD, FREE)}


def till_for(config: ShopConfig, rows: tuple[TaxRow, ...], country: str, *, exempt: bool = False) -> Till:
    """Return how a shop charges a destination; ``exempt``: it takes the VAT off for a business there."""
    return Till(rows, config.country, country, config.prices_include_vat, exempt)


def rows_of(config: ShopConfig) -> tuple[TaxRow, ...]:
    """Return the tax table of a shop."""
    return tax_table(config.country, destination=config.eu_rates == "destination")


class Generator:
    """Fills one order book. ``today`` is the moment now; the last order is of the day before."""

    def __init__(self, config: ShopConfig, seed: object, now: datetime) -> None:
        self.config, self.seed, self.now = config, seed, now
        self.rows = rows_of(config)
        self.throw = dice("orders", seed, config.code)
        self.customers: list[tuple[Person, int]] = []

    def fill(self, book: OrderBook, count: int) -> list[Document]:
        """Make ``count`` orders, oldest first, each with the refunds that belong to it."""
        midnight = self.now.astimezone(book.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        seconds = self.config.days * 86_400
        moments = sorted(midnight - timedelta(seconds=self.throw.randint(60, seconds)) for _ in range(count))
        return [self.one(book, index, at) for index, at in enumerate(moments)]

    def one(self, book: OrderBook, index: int, created: datetime) -> Document:
        """Make one order and store it; every tenth is one of the special cases, where the shop has them."""
        draft = self._usual(created)
        refund: Callable[[OrderBook, Document], None] | None = None
        if self.config.specials and index % 10 == 3:
            draft = SPECIALS[(index // 10) % len(SPECIALS)](self, draft)
        elif draft.status == "completed" and self.throw.random() < 0.12:
            refund = self._refund
        till = till_for(self.config, self.rows, draft.buyer.country, exempt=draft.vat_number is not None)
        document = book.put(make_order(book, till, draft))
        if refund is not None:
            refund(book, document)
        return book.orders[document.id]

    def fresh(self, book: OrderBook) -> Document:
        """Make one ordinary order of this moment: paid, not yet completed."""
        draft = _paid(self._usual(self.now - timedelta(minutes=3)))
        draft = replace(draft, status="processing", completed=None)
        return book.put(make_order(book, till_for(self.config, self.rows, draft.buyer.country), draft))

    def _usual(self, created: datetime) -> Draft:
        throw = self.throw
        buyer, customer_id = self._customer()
        basket = throw.sample(ARTICLES, throw.choice((1, 1, 2, 2, 3, 4)))
        method = throw.choice(("mollie_wc_gateway_ideal", "mollie_wc_gateway_ideal", "ideal", "bacs", "cod"))
        draft = Draft(
            created=created,
            buyer=buyer,
            customer_id=customer_id,
            items=tuple((article, throw.choice((1, 1, 1, 2, 3, 7))) for article in basket),
            payment_method=method,
            shipping=None if throw.random() < 0.15 else SHIPPING[self._zone(buyer.country)],
            fees=(("Betaalkosten", Decimal("1.2397")),) if method == "cod" else (),
        )
        return self._progress(draft, throw)

    def _progress(self, draft: Draft, throw: Random) -> Draft:
        """Let time pass: paid at once or later, completed after a while, never after now."""
        paid = None if draft.payment_method == "cod" else draft.created + timedelta(seconds=throw.randint(40, 400))
        if draft.payment_method == "bacs":
            paid = draft.created + timedelta(hours=throw.randint(5, 60))
        completed = draft.created + timedelta(hours=throw.randint(6, 90))
        latest = self.now - timedelta(minutes=5)
        if paid is not None and paid > latest:
            return replace(draft, status="on-hold" if draft.payment_method == "bacs" else "pending")
        if completed > latest or (paid is not None and completed < paid):
            return replace(draft, status="processing", paid=paid)
        return replace(draft, status="completed", paid=paid or completed, completed=completed)

    def _customer(self) -> tuple[Person, int]:
        if self.customers and self.throw.random() < REPEAT:
            return self.throw.choice(self.customers)
        number = len(self.customers) + 1
        country = self.throw.choice(ABROAD) if self.throw.random() < 0.12 else self.config.country
        registered = self.throw.random() < 0.5
        someone = person(self.seed, f"{self.config.code}-{number}", country)
        self.customers.append((someone, number if registered else 0))
        return self.customers[-1]

    def _zone(self, country: str) -> str:
        if country == self.config.country:
            return "home"
        return "eu" if any(row.country == country for row in self.rows) else "elsewhere"

    def _refund(self, book: OrderBook, document: Document) -> None:
        order = document.raw
        at = min(document.modified + timedelta(hours=self.throw.randint(1, 72)), self.now - timedelta(minutes=2))
        if at <= document.modified:
            return
        line, by_gateway = order["line_items"][0], order["payment_method"] not in BY_HAND
        touch = True
        if self.throw.random() < 0.75:
            whole = self.throw.random() < 0.3
            lines = {item["id"]: item["quantity"] for item in order["line_items"]} if whole else {line["id"]: 1}
            refund = make_refund(book, order, at, lines=lines, shipping=whole, reason="retour", paid_back=by_gateway)
        else:
            amount = min(Decimal("2.50"), Decimal(order["total"]))
            refund = make_refund(book, order, at, amount=amount, reason="coulance", paid_back=by_gateway)
            touch = not by_gateway  # made at the gateway: its plugin leaves the order's date alone

        book.put_refund(document.id, refund, touch=touch)


def _paid(draft: Draft) -> Draft:
    """The same order, certainly paid and completed."""
    soon = draft.created + timedelta(minutes=2)
    return replace(
        draft, payment_method="mollie_wc_gateway_ideal", fees=(), status="completed", paid=soon, completed=soon
    )


def _unpaid(status: str) -> Callable[[Generator, Draft], Draft]:
    return lambda _, draft: replace(draft, status=status, paid=None, completed=None)


def _business(generator: Generator, draft: Draft) -> Draft:
    """A Belgian business with a VAT number (made up, with a right check digit): the shop takes the VAT off."""
    buyer = person(generator.seed, f"b2b-{draft.created:%y%m%d%H%M%S}", "BE", business=True)
    return replace(_paid(draft), buyer=buyer, customer_id=0, vat_number="BE0123456749")


def _abroad(country: str) -> Callable[[Generator, Draft], Draft]:
    """A consumer in another country."""

    def special(generator: Generator, draft: Draft) -> Draft:
        buyer = person(generator.seed, f"abroad-{draft.created:%y%m%d%H%M%S}", country)
        return replace(_paid(draft), buyer=buyer, customer_id=0)

    return special


def _foreign(generator: Generator, draft: Draft) -> Draft:
    """An order in another currency, in a shop that has one."""
    currency = next(iter(generator.config.foreign_currencies), generator.config.currency)
    return replace(_paid(draft), currency=currency)


SPECIALS: tuple[Callable[[Generator, Draft], Draft], ...] = (
    lambda _, draft: replace(_paid(draft), meta={"_mollie_payment_mode": "test"}),
    _unpaid("cancelled"),
    lambda _, draft: replace(_paid(draft), off=Decimal("0.10")),
    lambda _, draft: replace(_paid(draft), number=f"W-{draft.created:%Y%m%d%H%M%S}"),
    _unpaid("failed"),
    lambda _, draft: replace(_paid(draft), items=(*draft.items, (FREE, 1))),
    lambda _, draft: replace(_paid(draft), items=((GIFT_CARD, 1),), shipping=None),
    _unpaid("checkout-draft"),
    lambda _, draft: replace(_paid(draft), fees=(("Cadeauverpakking", Decimal("2.0661")),)),
    _business,
    _unpaid("trash"),
    lambda _, draft: replace(_paid(draft), off=Decimal(1), shipping=None),
    lambda _, draft: replace(
        _paid(draft), payment_method="woocommerce_payments", meta={"_wcpay_mode": "test", "_wcpay_intent": "pi_FAKE"}
    ),
    lambda _, draft: replace(_paid(draft), gift_card=Decimal("10.00")),
    _abroad("FR"),
    _foreign,
)
