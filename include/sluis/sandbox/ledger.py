"""One sandbox administration: contacts and external sales invoices, checked and totalled as Moneybird's API does.

Checks and error bodies follow Moneybird's OpenAPI file (v2-20260821). Invented where that file is silent, and so to be
read with care: VAT is rounded half up per line, a price keeps two decimals (the file's pattern for answers), lists
are newest first, and the exchange rates of foreign currencies. Every look-up is by index; nothing scans on a create.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from threading import RLock
from typing import Any

from sluis.core.money import ZERO, cents, round_cents
from sluis.sandbox.chart import Chart
from sluis.sandbox.config import AdministrationConfig

Json = dict[str, Any]

_MONEY = re.compile(r"^-?[0-9]+([,.][0-9]*)?$")
_AMOUNT = re.compile(r"^\s*(-?[0-9]+(?:[,.][0-9]+)?)")
#: Euro per unit; invented and fixed.
EXCHANGE = {"EUR": Decimal(1), "USD": Decimal("0.90"), "GBP": Decimal("1.15"), "CHF": Decimal("1.05")}
INVOICE_FIELDS = frozenset(
    [
        "contact_id",
        "reference",
        "date",
        "due_date",
        "currency",
        "prices_are_incl_tax",
        "source",
        "source_url",
        "details_attributes",
    ]
)
DETAIL_FIELDS = frozenset(
    [
        "id",
        "description",
        "period",
        "price",
        "amount",
        "tax_rate_id",
        "ledger_account_id",
        "project_id",
        "product_id",
        "row_order",
        "is_optional",
        "is_selected",
        "_destroy",
        "automated_tax_enabled",
    ]
)
TEXT_FIELDS = [
    "company_name",
    "firstname",
    "lastname",
    "address1",
    "address2",
    "zipcode",
    "city",
    "phone",
    "tax_number",
    "chamber_of_commerce",
    "bank_account",
    "send_invoices_to_attention",
    "send_invoices_to_email",
    "send_estimates_to_attention",
    "send_estimates_to_email",
    "sepa_iban",
    "sepa_iban_account_name",
    "sepa_bic",
    "sepa_mandate_id",
    "si_identifier",
]
CONTACT_FIELDS = frozenset(TEXT_FIELDS) | frozenset(
    [
        "country",
        "delivery_method",
        "customer_id",
        "sepa_active",
        "sepa_mandate_date",
        "sepa_sequence_type",
        "si_identifier_type",
        "invoice_workflow_id",
        "estimate_workflow_id",
        "email_ubl",
        "direct_debit",
        "custom_fields_attributes",
        "contact_person",
    ]
)
DELIVERY = frozenset({"Email", "Post", "Manual", "Simplerinvoicing", "Peppol"})
_MAIL = re.compile(r"^[^@\s,]+@[^@\s,]+\.[^@\s,]+$")


class Invalid(Exception):
    """A refusal with Moneybird's body."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status)
        self.status, self.body = status, body


def symbolic(status: int, message: str, place: Json | None = None) -> Invalid:
    """Return a refusal of the form ``{"error": text, "symbolic": {...}}``."""
    return Invalid(status, {"error": message, **({"symbolic": place} if place else {})})


def unprocessable(**problems: tuple[str, str]) -> Invalid:
    """Return a 422: field -> (message, short code); ``__`` in a field reads as a dot."""
    named = {name.replace("__", "."): problem for name, problem in problems.items()}
    return Invalid(
        422,
        {
            "error": {name: [message] for name, (message, _) in named.items()},
            "details": {name: [{"error": code}] for name, (_, code) in named.items()},
        },
    )


def plain(amount: Decimal) -> str:
    """Write a number as Ruby does: no more decimals than needed, but one at least (``121.0``)."""
    text = f"{amount.normalize():f}"
    return text if "." in text else f"{text}.0"


def money(value: object, name: str) -> Decimal:
    """Read Moneybird's money type: a number or a text such as ``10,95``."""
    if isinstance(value, bool) or not _MONEY.match(str(value)):
        raise unprocessable(**{name: ("is not a number", "not_a_number")})
    try:
        return Decimal(str(value).replace(",", "."))
    except InvalidOperation:
        raise unprocessable(**{name: ("is not a number", "not_a_number")}) from None


@dataclass
class Ledger:
    """The books of one administration. ``clock`` gives the moment now."""

    config: AdministrationConfig
    clock: Callable[[], datetime]
    lock: RLock = field(default_factory=RLock)
    contacts: dict[str, Json] = field(default_factory=dict)
    by_customer: dict[str, str] = field(default_factory=dict)
    invoices: dict[str, Json] = field(default_factory=dict)
    by_contact: dict[str, list[str]] = field(default_factory=dict)
    by_date: dict[str, list[str]] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)
    total_cents: int = 0
    _last: int = 0
    _customers: int = 0

    def __post_init__(self) -> None:
        self.chart = Chart(self.config.id, self.now())

    def now(self) -> str:
        """Return the moment now as Moneybird writes it."""
        return self.clock().strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.clock().microsecond // 1000:03}Z"

    def _id(self) -> str:
        self._last += 1
        return f"{int(self.config.id) % 1000 + 470:03}{self._last:015}"

    def _stamps(self) -> Json:
        now = self.now()
        return {"created_at": now, "updated_at": now, "version": int(self.clock().timestamp())}

    def _event(self, action: str) -> Json:
        now = self.now()
        return {
            "administration_id": int(self.config.id),
            "user_id": "460000000000000009",
            "action": action,
            "link_entity_id": None,
            "link_entity_type": None,
            "data": {},
            "created_at": now,
            "updated_at": now,
        }

    # ------------------------------------------------------------------------------------------------- contacts

    def create_contact(self, given: Json) -> Json:
        """Create a contact. Raises ``Invalid`` (400, 422) with Moneybird's body."""
        unknown = sorted(set(given) - CONTACT_FIELDS)
        if unknown:
            raise symbolic(400, f"Unknown parameter: {unknown[0]}", {"contact": {unknown[0]: "unknown"}})
        self._check_contact(given)
        with self.lock:
            customer_id = str(given.get("customer_id") or "") or self._free_customer_id()
            if customer_id in self.by_customer:
                raise unprocessable(customer_id=("is already in use", "taken"))
            contact = self._contact(given, customer_id)
            self.contacts[contact["id"]] = contact
            self.by_customer[customer_id] = contact["id"]
        return contact

    def _check_contact(self, given: Json) -> None:
        names = ("firstname", "lastname", "company_name")
        if not any(str(given.get(name) or "").strip() for name in names):
            raise unprocessable(**dict.fromkeys(names, ("is required", "is required")))
        for name in TEXT_FIELDS:
            if given.get(name) is not None and not isinstance(given[name], str):
                raise symbolic(400, f"{name} is invalid", {"contact": {name: "invalid"}})
            if len(str(given.get(name) or "")) > 255:
                raise unprocessable(**{name: ("is too long (maximum is 255 characters)", "too_long")})
        for name in ("send_invoices_to_email", "send_estimates_to_email"):
            text = str(given.get(name) or "")
            if text and not all(_MAIL.match(part.strip()) for part in text.split(",")):
                raise unprocessable(**{name: ("is invalid", "invalid")})
        if not re.fullmatch(r"[A-Z]{2}", str(given.get("country") or "NL")):
            raise unprocessable(country=("is invalid", "invalid"))
        if given.get("delivery_method", "Email") not in DELIVERY:
            raise unprocessable(delivery_method=("is not included in the list", "inclusion"))

    def _free_customer_id(self) -> str:
        while True:
            self._customers += 1
            if str(self._customers) not in self.by_customer:
                return str(self._customers)

    def _contact(self, given: Json, customer_id: str) -> Json:
        contact_id = self._id()
        stamps = self._stamps()
        email = str(given.get("send_invoices_to_email") or "")
        site = f"https://moneybird.dev/{self.config.id}/sales_invoices/{sha256(contact_id.encode()).hexdigest()}/all"
        return {
            "id": contact_id,
            "administration_id": int(self.config.id),
            **{name: str(given.get(name) or "") for name in TEXT_FIELDS},
            "country": given.get("country") or "NL",
            "delivery_method": given.get("delivery_method") or "Email",
            "customer_id": customer_id,
            "is_trusted": False,
            "max_transfer_amount": None,
            "attention": "",
            "email": email,
            "email_ubl": given.get("email_ubl", True) in (True, "true"),
            "direct_debit": False,
            "sepa_active": False,
            "sepa_mandate_date": None,
            "sepa_sequence_type": "RCUR",
            "credit_card_number": "",
            "credit_card_reference": "",
            "credit_card_type": None,
            "tax_number_validated_at": None,
            "tax_number_valid": None,
            "invoice_workflow_id": None,
            "estimate_workflow_id": None,
            "si_identifier_type": None,
            "moneybird_payments_mandate": False,
            **stamps,
            "sales_invoices_url": site,
            "notes": [],
            "custom_fields": [],
            "contact_people": [],
            "archived": False,
            "events": [self._event("contact_created")],
        }

    def contact(self, contact_id: str) -> Json:
        """Return a contact by id, archived or not. Raises ``Invalid`` (404)."""
        found = self.contacts.get(contact_id)
        if found is None:
            raise symbolic(404, "record not found", {"id": "not_found"})
        return found

    def contact_of(self, customer_id: str) -> Json:
        """Return a contact by customer id; an archived one is not found, though its id stays taken."""
        found = self.contacts.get(self.by_customer.get(customer_id, ""))
        if found is None or found["archived"]:
            raise symbolic(404, "record not found", {"customer_id": "not_found"})
        return found

    def archive(self, contact_id: str) -> Json:
        """Archive a contact."""
        with self.lock:
            contact = self.contact(contact_id)
            contact |= {"archived": True, "updated_at": self.now(), "version": int(self.clock().timestamp())}
            return contact

    def search(self, query: str, *, archived: bool) -> list[Json]:
        """Return the contacts that mention a text in one of their fields, all where it is empty."""
        wanted = query.strip().lower()
        names = (*TEXT_FIELDS, "email", "customer_id", "country")
        with self.lock:
            return [
                contact
                for contact in self.contacts.values()
                if (archived or not contact["archived"])
                and (not wanted or any(wanted in str(contact[name]).lower() for name in names))
            ]

    # ------------------------------------------------------------------------------------------------- invoices

    def create_invoice(self, given: Json) -> Json:
        """Create an external sales invoice and count its totals. Raises ``Invalid`` (400, 422)."""
        unknown = sorted(set(given) - INVOICE_FIELDS)
        if unknown:
            place = {"external_sales_invoice": {unknown[0]: "unknown"}}
            raise symbolic(400, f"Unknown parameter: {unknown[0]}", place)
        with self.lock:
            head = self._head(given)
            invoice = self._invoice(given, head, self._details(given, incl=head["prices_are_incl_tax"]))
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
        day = _day(given, "date") or self.clock().date()
        locked = self.config.period_locked_until
        if locked and day.isoformat() <= locked:
            raise unprocessable(date=("is in a locked period", "locked_period"))
        due = _day(given, "due_date")
        incl = given.get("prices_are_incl_tax", False)
        if incl not in (True, False, "true", "false"):
            raise symbolic(
                400, "prices_are_incl_tax is invalid", {"external_sales_invoice": {"prices_are_incl_tax": "invalid"}}
            )
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
        price = round_cents(money(given.get("price", 0), "details__price"))
        amount = str(given.get("amount") or "1")
        matched = _AMOUNT.match(amount)
        if matched is None:
            raise unprocessable(details__amount=("is not a number", "not_a_number"))
        quantity = Decimal(matched[1].replace(",", "."))
        percent = Decimal(rate["percentage"])
        entered = round_cents(price * quantity)
        vat = round_cents(entered * percent / (100 + percent) if incl else entered * percent / 100)
        net = entered - vat if incl else entered
        stamps = self._stamps()
        detail = {
            "id": self._id(),
            "administration_id": int(self.config.id),
            "tax_rate_id": rate["id"],
            "ledger_account_id": account["id"],
            "project_id": None,
            "product_id": None,
            "amount": amount if given.get("amount") is not None else None,
            "amount_decimal": plain(quantity),
            "description": given["description"],
            "price": plain(price),
            "period": None,
            "row_order": index,
            "total_price_excl_tax_with_discount": plain(net),
            "total_price_excl_tax_with_discount_base": plain(net),
            "tax_report_reference": self.chart.report_reference(rate),
            "mandatory_tax_text": None,
            "created_at": stamps["created_at"],
            "updated_at": stamps["updated_at"],
        }
        return detail, net, vat

    def _invoice(self, given: Json, head: Json, details: list[tuple[Json, Decimal, Decimal]]) -> Json:
        net = sum((part for _, part, _ in details), ZERO)
        gross = net + sum((part for _, _, part in details), ZERO)
        per_rate: dict[str, list[Decimal]] = {}
        for detail, line_net, line_vat in details:
            sums = per_rate.setdefault(detail["tax_rate_id"], [ZERO, ZERO])
            sums[0] += line_net
            sums[1] += line_vat
        exchange = EXCHANGE[head["currency"]]

        def both(name: str, amount: Decimal) -> Json:
            return {name: plain(amount), f"{name}_base": plain(round_cents(amount * exchange))}

        for detail, line_net, _ in details:
            detail |= both("total_price_excl_tax_with_discount", line_net)
        contact = self.contacts[head["contact_id"]]
        paid = gross == ZERO
        late = head["due_date"] is not None and head["due_date"] < self.clock().date().isoformat()
        return {
            "id": self._id(),
            "administration_id": int(self.config.id),
            **head,
            "contact": {key: value for key, value in contact.items() if key != "events"},
            "state": "paid" if paid else "late" if late else "open",
            "entry_number": len(self.invoices) + 1,
            "origin": "api",
            "paid_at": head["date"] if paid else None,
            **self._stamps(),
            "details": [detail for detail, _, _ in details],
            "payments": [],
            "total_paid": "0.0",
            **both("total_unpaid", gross),
            **both("total_price_excl_tax", net),
            **both("total_price_incl_tax", gross),
            "marked_dubious_on": None,
            "marked_uncollectible_on": None,
            "notes": [],
            "attachments": [],
            "events": [self._event("external_sales_invoice_created")],
            "tax_totals": [
                {"tax_rate_id": rate_id, **both("taxable_amount", sums[0]), **both("tax_amount", sums[1])}
                for rate_id, sums in per_rate.items()
            ],
        }

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


def _day(given: Json, name: str) -> date | None:
    if not given.get(name):
        return None
    try:
        return date.fromisoformat(str(given[name]))
    except ValueError:
        raise unprocessable(**{name: ("is not a valid date", "is not a valid date")}) from None
