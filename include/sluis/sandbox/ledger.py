"""One sandbox administration: external sales invoices, checked and totalled as Moneybird's API does, and the rest.

Checks and error bodies follow Moneybird's OpenAPI file (v2-20260821). Invented where that file is silent, and so to be
read with care: VAT is rounded half up per line, a price keeps two decimals (the file's pattern for answers), lists
are newest first, and the exchange rates of foreign currencies. Every look-up is by index; nothing scans on a create.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sluis.core.money import ZERO, cents, round_cents
from sluis.sandbox.memorial import day_of
from sluis.sandbox.moneybird import Json, money, plain, symbolic, unprocessable
from sluis.sandbox.payments import Payments, received

_AMOUNT = re.compile(r"^\s*(-?[0-9]+(?:[,.][0-9]+)?)")
#: Euro per unit; invented and fixed.
EXCHANGE = {"EUR": Decimal(1), "USD": Decimal("0.90"), "GBP": Decimal("1.15"), "CHF": Decimal("1.05")}
INVOICE_FIELDS = frozenset({
    "contact_id", "reference", "date", "due_date", "currency", "prices_are_incl_tax", "source", "source_url",
    "details_attributes",
})  # fmt: skip
DETAIL_FIELDS = frozenset({
    "id", "description", "period", "price", "amount", "tax_rate_id", "ledger_account_id", "project_id",
    "product_id", "row_order", "is_optional", "is_selected", "_destroy", "automated_tax_enabled",
})  # fmt: skip


@dataclass
class Ledger(Payments):
    """The books of one administration."""

    invoices: dict[str, Json] = field(default_factory=dict)
    by_contact: dict[str, list[str]] = field(default_factory=dict)
    by_date: dict[str, list[str]] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)
    total_cents: int = 0
    _numbers: int = 0

    def create_invoice(self, given: Json) -> Json:
        """Create an external sales invoice and count its totals. Raises ``Invalid`` (400, 422)."""
        unknown = sorted(set(given) - INVOICE_FIELDS)
        if unknown:
            place = {"external_sales_invoice": {unknown[0]: "unknown"}}
            raise symbolic(400, f"Unknown parameter: {unknown[0]}", place)
        with self.lock:
            head = self._head(given)
            invoice = self._invoice(head, self._details(given, incl=head["prices_are_incl_tax"]))
            self._store(invoice)
        return invoice

    def _head(self, given: Json) -> Json:
        contact_id = str(given.get("contact_id") or "")
        if contact_id not in self.contacts:
            place = {"external_sales_invoice": {"contact_id": "contact_invalid"}}
            raise symbolic(400, "Contact ID is invalid", place)
        if not str(given.get("reference") or "").strip():
            raise unprocessable(reference=("can't be blank", "blank"))
        currency = given.get("currency") or "EUR"
        if currency not in EXCHANGE:
            raise unprocessable(currency=("is not included in the list", "inclusion"))
        day = self.open_day(given, "date")
        due = day_of(given, "due_date")
        incl = given.get("prices_are_incl_tax", False)
        if incl not in (True, False, "true", "false"):
            place = {"external_sales_invoice": {"prices_are_incl_tax": "invalid"}}
            raise symbolic(400, "prices_are_incl_tax is invalid", place)
        return {
            "contact_id": contact_id,
            "date": day.isoformat(),
            "due_date": due.isoformat() if due else None,
            "reference": str(given["reference"]),
            "source": given.get("source"),
            "source_url": given.get("source_url"),
            "currency": currency,
            "prices_are_incl_tax": incl in (True, "true"),
        }

    def _details(self, given: Json, *, incl: bool) -> list[tuple[Json, Decimal, Decimal]]:
        """Return each line with its net amount and VAT."""
        details = given.get("details_attributes") or []
        if isinstance(details, dict):
            details = list(details.values())
        if not details:
            raise unprocessable(details=("can't be blank", "blank"))
        return [self._detail(detail, index, incl=incl) for index, detail in enumerate(details)]

    def _detail(self, given: Json, index: int, *, incl: bool) -> tuple[Json, Decimal, Decimal]:
        unknown = sorted(set(given) - DETAIL_FIELDS)
        if unknown:
            raise symbolic(400, f"Unknown parameter: {unknown[0]}", {"details_attributes": {unknown[0]: "unknown"}})
        if not str(given.get("description") or "").strip():
            raise unprocessable(details__description=("can't be blank", "blank"))
        rate = self.chart.sales_rate(given.get("tax_rate_id"))
        if rate is None:
            raise unprocessable(details__tax_rate_id=("is not found", "invalid"))
        account = self.chart.account(given.get("ledger_account_id"))
        if account is None:
            raise unprocessable(details__ledger_account_id=("is not found", "invalid"))
        price, quantity = round_cents(money(given.get("price", 0), "details__price")), _quantity(given)
        percent = Decimal(rate["percentage"])
        entered = round_cents(price * quantity)
        vat = round_cents(entered * percent / (100 + percent) if incl else entered * percent / 100)
        detail = {
            "tax_rate_id": rate["id"],
            "ledger_account_id": account["id"],
            "amount": given.get("amount") if given.get("amount") is None else str(given["amount"]),
            "amount_decimal": plain(quantity),
            "description": str(given["description"]),
            "price": plain(price),
            "row_order": index,
            "tax_report_reference": self.chart.report_reference(rate),
        }
        return self._row() | detail, entered - vat if incl else entered, vat

    def _row(self) -> Json:
        """Return a new line with what is the same on all."""
        now = self.now()
        return {
            "id": self._id(),
            "administration_id": int(self.config.id),
            "project_id": None,
            "product_id": None,
            "period": None,
            "mandatory_tax_text": None,
            "created_at": now,
            "updated_at": now,
        }

    def _invoice(self, head: Json, details: list[tuple[Json, Decimal, Decimal]]) -> Json:
        gross = sum((net + vat for _, net, vat in details), ZERO)
        contact = self.contacts[head["contact_id"]]
        paid = gross == ZERO
        late = head["due_date"] is not None and head["due_date"] < self.clock().date().isoformat()
        return {
            "id": self._id(),
            "administration_id": int(self.config.id),
            **head,
            "contact": {key: value for key, value in contact.items() if key != "events"},
            "state": "paid" if paid else "late" if late else "open",
            "entry_number": self._next_entry(),
            "origin": "api",
            "paid_at": head["date"] if paid else None,
            **self._stamps(),
            **_totals(details, EXCHANGE[head["currency"]]),
            "payments": [],
            "marked_dubious_on": None,
            "marked_uncollectible_on": None,
            "notes": [],
            "attachments": [],
            "events": [self._event("external_sales_invoice_created")],
        }

    def _next_entry(self) -> int:
        self._numbers += 1
        return self._numbers

    def _store(self, invoice: Json) -> None:
        self.invoices[invoice["id"]] = invoice
        self.by_contact.setdefault(invoice["contact_id"], []).append(invoice["id"])
        self.by_date.setdefault(invoice["date"], []).append(invoice["id"])
        self.references[invoice["reference"]] = self.references.get(invoice["reference"], 0) + 1
        self.total_cents += cents(Decimal(invoice["total_price_incl_tax"]))

    def invoice(self, invoice_id: str) -> Json:
        """Return an invoice by id. Raises ``Invalid`` (404)."""
        found = self.invoices.get(invoice_id)
        if found is None:
            raise symbolic(404, "Record not found for model name: External invoice")
        return found

    def create_payment(self, invoice_id: str, given: Json) -> Json:
        """Register a payment on an invoice. Raises ``Invalid`` (400, 404, 422)."""
        return self.settle(self._payable(invoice_id), given)

    def delete_payment(self, invoice_id: str, payment_id: str) -> None:
        """Delete a payment on an invoice. Raises ``Invalid`` (404)."""
        self.unsettle(self._payable(invoice_id), payment_id)

    def _payable(self, invoice_id: str) -> Json:
        if invoice_id not in self.invoices:
            raise symbolic(404, "record not found", {"invoice_id": "not_found"})
        return self.invoices[invoice_id]

    def on_account(self, account_id: str) -> Decimal:
        """Return what payments and journal entries leave on a ledger account, in euro."""
        with self.lock:
            return received(self.invoices.values(), account_id) + self.entered(account_id)

    def balances(self) -> dict[str, str]:
        """Return what payments and journal entries leave on each account (by code) that they touched, in euro."""
        sums = {str(row["account_id"]): self.on_account(str(row["id"])) for row in self.chart.accounts.values()}
        return {code: plain(amount) for code, amount in sums.items() if amount}

    def account(self, name: str) -> str:
        """Return the id of a ledger account by its name."""
        return next(str(row["id"]) for row in self.chart.accounts.values() if row["name"] == name)

    def delete_invoice(self, invoice_id: str) -> None:
        """Delete an invoice, as a bookkeeper may do by hand. Raises ``Invalid`` (404)."""
        with self.lock:
            invoice = self.invoices.pop(invoice_id, None)
            if invoice is None:
                raise symbolic(404, "record not found", {"id": "not_found"})
            self.by_contact[invoice["contact_id"]].remove(invoice_id)
            self.by_date[invoice["date"]].remove(invoice_id)
            self.references[invoice["reference"]] -= 1
            self.total_cents -= cents(Decimal(invoice["total_price_incl_tax"]))

    def list_invoices(self, start: date, end: date, contact_id: str | None, states: frozenset[str]) -> list[Json]:
        """Return the invoices dated inside a period (both days included), newest first."""
        first, last = start.isoformat(), end.isoformat()
        with self.lock:
            if contact_id is not None:
                self.contact(contact_id)
                ids: Iterable[str] = self.by_contact.get(contact_id, [])
            else:
                ids = [entry for day, listed in self.by_date.items() if first <= day <= last for entry in listed]
            found = [invoice for entry in ids if first <= (invoice := self.invoices[entry])["date"] <= last]
        found.sort(key=lambda invoice: (invoice["date"], invoice["id"]), reverse=True)
        return [invoice for invoice in found if not states or invoice["state"] in states]


def _quantity(given: Json) -> Decimal:
    matched = _AMOUNT.match(str(given.get("amount") or "1"))
    if matched is None:
        raise unprocessable(details__amount=("is not a number", "not_a_number"))
    return Decimal(matched[1].replace(",", "."))


def _totals(details: list[tuple[Json, Decimal, Decimal]], exchange: Decimal) -> Json:
    """Return lines and totals, each amount also in euro (``_base``)."""

    def both(name: str, amount: Decimal) -> Json:
        return {name: plain(amount), f"{name}_base": plain(round_cents(amount * exchange))}

    per_rate: dict[str, list[Decimal]] = {}
    for detail, net, vat in details:
        sums = per_rate.setdefault(detail["tax_rate_id"], [ZERO, ZERO])
        sums[0] += net
        sums[1] += vat
    net_total = sum((net for _, net, _ in details), ZERO)
    gross = net_total + sum((vat for _, _, vat in details), ZERO)
    return {
        "details": [{**detail, **both("total_price_excl_tax_with_discount", net)} for detail, net, _ in details],
        "total_paid": "0.0",
        **both("total_unpaid", gross),
        **both("total_price_excl_tax", net_total),
        **both("total_price_incl_tax", gross),
        "tax_totals": [
            {"tax_rate_id": rate_id, **both("taxable_amount", sums[0]), **both("tax_amount", sums[1])}
            for rate_id, sums in per_rate.items()
        ],
    }
