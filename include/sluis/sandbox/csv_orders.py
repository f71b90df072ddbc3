"""Fills a sandbox shop from real order lines in the columns of the UCI Online Retail set.

Prices count as EUR including 21 %; dates move by whole days so that the last order is of yesterday; customers get
invented names (one number is one person, no number is a new guest per order). A cancellation (``InvoiceNo`` starts
with C) becomes a refund of the customer's latest earlier order that still has something of that article, at the
order's own price and at most what is left of it there; one refund per order it touches. Everything that does not
become an order or a refund is in the report with its reason: no line is dropped in silence.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO

from sluis.core.money import ZERO, cents, round_cents
from sluis.errors import NotConfigured
from sluis.sandbox.config import ShopConfig
from sluis.sandbox.drafting import Draft, make_order, make_refund
from sluis.sandbox.orderbook import OrderBook
from sluis.sandbox.orders import rows_of, till_for
from sluis.sandbox.people import Person, person
from sluis.sandbox.pricing import Article, Till

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
DATE_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M", "%Y-%m-%dT%H:%M:%S")
#: The set's home market; it becomes the shop's own country.
HOME_MARKET = "United Kingdom"
COUNTRIES = {
    "Australia": "AU", "Austria": "AT", "Bahrain": "BH", "Belgium": "BE", "Brazil": "BR", "Canada": "CA",
    "Channel Islands": "JE", "Cyprus": "CY", "Czech Republic": "CZ", "Denmark": "DK", "EIRE": "IE", "Finland": "FI",
    "France": "FR", "Germany": "DE", "Greece": "GR", "Hong Kong": "HK", "Iceland": "IS", "Israel": "IL",
    "Italy": "IT", "Japan": "JP", "Lebanon": "LB", "Lithuania": "LT", "Malta": "MT", "Netherlands": "NL",
    "Norway": "NO", "Poland": "PL", "Portugal": "PT", "RSA": "ZA", "Saudi Arabia": "SA", "Singapore": "SG",
    "Spain": "ES", "Sweden": "SE", "Switzerland": "CH", "USA": "US", "United Arab Emirates": "AE",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of the file. ``place`` is its line number, ``at`` its time in the shop's own zone, not yet moved."""

    place: int
    invoice: str
    sku: str
    name: str
    quantity: int
    at: datetime
    price: Decimal
    customer: str
    country: str


@dataclass(frozen=True)
class Skipped:
    """A line that became nothing, or not wholly. ``quantity`` is what was left out."""

    place: int
    invoice: str
    sku: str
    quantity: int
    reason: str


@dataclass
class ImportReport:
    """What was made of a file. Lines read = lines ordered + lines refunded + lines skipped."""

    lines: int = 0
    invoices: int = 0
    orders: int = 0
    orders_cents: int = 0
    refunds: int = 0
    refunds_cents: int = 0
    lines_ordered: int = 0
    lines_refunded: int = 0
    skipped: list[Skipped] = field(default_factory=list)  #: lines that became nothing
    partly: list[Skipped] = field(default_factory=list)  #: cancelled lines of which a part could be refunded
    invoices_skipped: dict[str, str] = field(default_factory=dict)  #: invoice number -> reason
    moved_days: int = 0

    def summary(self) -> dict[str, object]:
        """Return the figures and the counts per reason."""
        return {
            "lines": self.lines,
            "invoices": self.invoices,
            "orders": self.orders,
            "orders_cents": self.orders_cents,
            "refunds": self.refunds,
            "refunds_cents": self.refunds_cents,
            "lines_ordered": self.lines_ordered,
            "lines_refunded": self.lines_refunded,
            "lines_skipped": dict(Counter(entry.reason for entry in self.skipped)),
            "lines_partly_refunded": len(self.partly),
            "invoices_skipped": dict(Counter(self.invoices_skipped.values())),
            "moved_days": self.moved_days,
        }


def read_lines(path: Path) -> list[Line]:
    """Read the file, plain or ``.gz``. Raises ``NotConfigured`` with one line that names what is wrong, and where."""
    try:
        with _open(path) as stream:
            return list(_parse(path, stream))
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "it is not a gzip file"
        raise NotConfigured(f"cannot read {path}: {reason}") from None
    except UnicodeDecodeError:
        raise NotConfigured(f"{path} is not a UTF-8 text file") from None
    except csv.Error as error:
        raise NotConfigured(f"{path} is not a CSV file: {error}") from None


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _parse(path: Path, stream: IO[str]) -> Iterator[Line]:
    reader = csv.DictReader(stream)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise NotConfigured(f"{path}: column {', '.join(missing)} is missing; needed are {', '.join(COLUMNS)}")
    for row in reader:
        place = reader.line_num
        if None in row.values():
            raise NotConfigured(f"{path} line {place}: it has fewer columns than the header")
        yield _line(f"{path} line {place}", place, row)


def _line(where: str, place: int, row: dict[str, str]) -> Line:
    try:
        quantity = Decimal(row["Quantity"].strip())
        price = Decimal(row["UnitPrice"].strip())
    except InvalidOperation:
        raise NotConfigured(f"{where}: Quantity or UnitPrice is not a number") from None
    if not (quantity.is_finite() and price.is_finite()) or quantity != int(quantity):
        raise NotConfigured(f"{where}: Quantity must be a whole number and UnitPrice a finite one")
    invoice = row["InvoiceNo"].strip()
    if not invoice or not row["StockCode"].strip():
        raise NotConfigured(f"{where}: InvoiceNo and StockCode may not be empty")
    return Line(
        place=place,
        invoice=invoice,
        sku=row["StockCode"].strip(),
        name=row["Description"].strip(),
        quantity=int(quantity),
        at=_date(where, row["InvoiceDate"].strip()),
        price=price,
        customer=row["CustomerID"].strip().removesuffix(".0"),
        country=row["Country"].strip(),
    )


def _date(where: str, text: str) -> datetime:
    for form in DATE_FORMATS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - the file's dates have no zone, the shop's is added
        except ValueError:
            continue
    raise NotConfigured(f"{where}: InvoiceDate is not a date such as 2010-12-01 08:26:00")


def import_orders(path: Path, book: OrderBook, config: ShopConfig, now: datetime, seed: object) -> ImportReport:
    """Fill ``book`` from the file and return what was made. Raises ``NotConfigured`` for a file it cannot read."""
    lines = read_lines(path)
    report = ImportReport(lines=len(lines))
    if not lines:
        raise NotConfigured(f"{path} holds no order lines")
    run = _Import(book, config, now, seed, report)
    run.move = _days_to_yesterday(lines, now.astimezone(book.zone))
    report.moved_days = run.move.days
    invoices: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        invoices[line.invoice].append(line)
    report.invoices = len(invoices)
    for invoice in sorted(invoices.values(), key=lambda part: (part[0].at, part[0].place)):
        if invoice[0].invoice.upper().startswith("C"):
            run.cancel(invoice)
        else:
            run.order(invoice)
    return report


def _days_to_yesterday(lines: list[Line], today: datetime) -> timedelta:
    last = max((line.at for line in lines if not line.invoice.upper().startswith("C")), default=lines[-1].at)
    return timedelta(days=(today.date() - last.date()).days - 1)


class _Import:
    """The work of one import: who bought what, and how much of it can still be given back."""

    def __init__(self, book: OrderBook, config: ShopConfig, now: datetime, seed: object, report: ImportReport) -> None:
        self.book, self.config, self.now, self.seed, self.report = book, config, now, seed, report
        self.move = timedelta()
        self.rows = rows_of(config)
        self.tills: dict[str, Till] = {}
        self.people: dict[str, Person] = {}
        #: (customer, article) -> [order id, line id, pieces left], oldest order first
        self.sold: dict[tuple[str, str], list[list[int]]] = defaultdict(list)

    def _moved(self, at: datetime) -> datetime:
        """Move a local time, no later than now: a cancellation after the last order would lie in the future."""
        return min((at + self.move).replace(tzinfo=self.book.zone), self.now - timedelta(minutes=1))

    def _skip(self, lines: list[Line], reason: str) -> None:
        self.report.skipped += [Skipped(line.place, line.invoice, line.sku, line.quantity, reason) for line in lines]

    def order(self, lines: list[Line]) -> None:
        """Make an order of an invoice, without the lines that sell nothing."""
        self._skip([line for line in lines if line.quantity <= 0], "quantity_not_positive")
        self._skip([line for line in lines if line.quantity > 0 and line.price < 0], "price_negative")
        good = [line for line in lines if line.quantity > 0 and line.price >= 0]
        country = self.config.country if lines[0].country == HOME_MARKET else COUNTRIES.get(lines[0].country)
        problem = None
        if not any(line.price for line in good):
            problem = "nothing_charged"
        elif country is None:
            problem = "country_unknown"
        if problem or country is None:
            self._skip(good, problem or "country_unknown")
            self.report.invoices_skipped[lines[0].invoice] = problem or "country_unknown"
            return
        till = self.tills.setdefault(country, till_for(self.config, self.rows, country))
        order = self.book.put(make_order(self.book, till, self._draft(good, country))).raw
        self.report.orders += 1
        self.report.orders_cents += cents(round_cents(Decimal(order["total"])))
        self.report.lines_ordered += len(good)
        if lines[0].customer:
            for line, item in zip(good, order["line_items"], strict=True):
                self.sold[line.customer, line.sku].append([order["id"], item["id"], line.quantity])

    def _draft(self, lines: list[Line], country: str) -> Draft:
        first = lines[0]
        created = self._moved(first.at)
        paid = min(created + timedelta(minutes=2), self.now)
        return Draft(
            created=created,
            buyer=self._buyer(first, country),
            customer_id=int(first.customer) if first.customer.isdigit() else 0,
            items=tuple((Article(line.sku, line.name or line.sku, line.price), line.quantity) for line in lines),
            status="completed",
            paid=paid,
            completed=min(created + timedelta(hours=8), self.now),
            number=first.invoice,
            currency=self.config.currency,
        )

    def _buyer(self, line: Line, country: str) -> Person:
        """One number is one person, also where the number orders to a second country."""
        if not line.customer:
            return person(self.seed, f"guest-{line.invoice}", country)
        known = self.people.get(line.customer)
        if known is None:
            known = self.people[line.customer] = person(self.seed, f"customer-{line.customer}", country)
        return known if known.country == country else replace(known, country=country)

    def cancel(self, lines: list[Line]) -> None:
        """Make refunds of a cancellation: one per order that it takes from."""
        wanted: dict[int, dict[int, int]] = defaultdict(dict)
        for line in lines:
            problem = self._problem(line)
            if problem:
                self._skip([line], problem)
                continue
            self.report.lines_refunded += 1
            self._take(line, wanted)
        if not wanted:
            self.report.invoices_skipped[lines[0].invoice] = "no_line_refunded"
        for order_id, pieces in wanted.items():
            order = self.book.orders[order_id].raw
            at = max(self._moved(lines[0].at), self.book.orders[order_id].created + timedelta(seconds=1))
            refund = make_refund(self.book, order, at, lines=pieces, reason="annulering")
            self.book.put_refund(order_id, refund)
            self.report.refunds += 1
            self.report.refunds_cents += cents(Decimal(refund["amount"]))

    def _problem(self, line: Line) -> str | None:
        if line.quantity >= 0:
            return "cancellation_without_negative_quantity"
        if not line.customer:
            return "cancellation_without_customer"
        bought = self.sold.get((line.customer, line.sku))
        if not bought:
            return "no_earlier_order_of_the_article"
        charged = [entry for entry in bought if self._charged(entry)]
        if not charged:
            return "nothing_was_charged"
        return None if any(entry[2] for entry in charged) else "nothing_left_to_refund"

    def _charged(self, entry: list[int]) -> bool:
        items = self.book.orders[entry[0]].raw["line_items"]
        return any(item["id"] == entry[1] and Decimal(item["total"]) > ZERO for item in items)

    def _take(self, line: Line, wanted: dict[int, dict[int, int]]) -> None:
        """Take from the latest order that has something left; its lines of that article in their order."""
        bought = [entry for entry in self.sold[line.customer, line.sku] if entry[2] and self._charged(entry)]
        latest = bought[-1][0]
        open_quantity = -line.quantity
        for entry in bought:
            if entry[0] == latest and open_quantity:
                taken = min(entry[2], open_quantity)
                entry[2] -= taken
                open_quantity -= taken
                wanted[latest][entry[1]] = wanted[latest].get(entry[1], 0) + taken
        if open_quantity:
            reason = "more_than_was_left_of_the_latest_order"
            self.report.partly.append(Skipped(line.place, line.invoice, line.sku, -open_quantity, reason))
