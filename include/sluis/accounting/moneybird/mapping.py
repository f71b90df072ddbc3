"""Between sluis and Moneybird: payloads from invoices and buyers, facts and bookings from answers.

The one file of this connector that opens personal and secret values. What is not needed is not sent: no telephone
number, no state, no note; a field that Moneybird could refuse (VAT number, e-mail) goes only when it is well formed.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError

from sluis.accounting.moneybird.amounts import line_total, priced, sends_gross
from sluis.accounting.moneybird.client import text
from sluis.accounting.moneybird.settings import (
    CUSTOMER_ID_PREFIX,
    CUSTOMER_KEY_LENGTH,
    HOME,
    LONGEST_TEXT,
    PAYMENT_PREFIX,
    SOURCE,
    VENDOR,
    MoneybirdCredentials,
)
from sluis.core.invoice import DocumentKind, Invoice, InvoiceLine, VatCategory, VatScheme, VatTreatment
from sluis.core.mapping import OWED, Mapping, tax_key
from sluis.core.money import ZERO
from sluis.core.order import Buyer, LineKind
from sluis.core.personal import Personal
from sluis.errors import Defect, NotConfigured
from sluis.ports import Booked, LedgerAccount, PaidInBooks, PaymentEntry, TaxRate

Json = dict[str, Any]

_EMAIL = re.compile(
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$"
)
_COUNTRY = re.compile(r"^[A-Z]{2}$")
_ID = re.compile(r"^\d+$")
#: Contact fields that a contact can do without; refused ones are left out in a second try.
OPTIONAL = frozenset({"send_invoices_to_email", "tax_number", "country", "zipcode", "city", "address1", "address2"})
_NAMES = ("company_name", "firstname", "lastname")
_LONGEST_NOTE = 60
OUT_OF_SCOPE = VatTreatment(category=VatCategory.OUT_OF_SCOPE, rate=ZERO, country=HOME, scheme=VatScheme.NONE)


# ------------------------------------------------------------------------------------------------------- the secret


def authorization(credentials: MoneybirdCredentials) -> str:
    """Return the header's value."""
    return f"Bearer {credentials.token.reveal().strip()}"


def limiter_key(credentials: MoneybirdCredentials) -> str:
    """Return who shares the limit of 150 calls per 5 minutes: the token, known by a piece of its hash."""
    digest = hashlib.sha256(credentials.token.reveal().strip().encode()).hexdigest()
    return f"moneybird:{digest[:16]}"


# ------------------------------------------------------------------------------------------------------ the settings


def missing(invoice: Invoice, mapping: Mapping) -> str | None:
    """Name the first setting without which the invoice cannot be booked (or that holds no id); ``None``: all there.

    Cash rounding (EN 16931 BT-114) stands in no line of the invoice; Moneybird needs one, and VAT has no part in it.
    """
    for line in invoice.lines:
        if not _ID.fullmatch(mapping.tax_rate(line.treatment) or ""):
            return f"mapping.tax_rates['{tax_key(line.treatment)}']"
        if not _ID.fullmatch(mapping.ledger_account(line.kind, line.category, line.treatment) or ""):
            return _ledger_setting(line.kind, mapping)
    if invoice.rounding_amount:
        if not _ID.fullmatch(mapping.tax_rate(OUT_OF_SCOPE) or ""):
            return f"mapping.tax_rates['{tax_key(OUT_OF_SCOPE)}']"
        if not _ID.fullmatch(mapping.ledger_account(None) or ""):
            return _ledger_setting(None, mapping)
    return None


def _ledger_setting(kind: LineKind | None, mapping: Mapping) -> str:
    """Return the setting that decides where a line stands: a gift card or a deposit never falls back on goods."""
    if kind is None:
        return "mapping.rounding" if mapping.rounding else "mapping.revenue['goods']"
    own = kind in OWED or mapping.revenue.get(kind)
    return f"mapping.revenue['{kind.value if own else LineKind.GOODS.value}']"


# ------------------------------------------------------------------------------------------------------ the invoice


def invoice_payload(invoice: Invoice, debtor_id: str, mapping: Mapping) -> Json:
    """Return an external sales invoice; a credit note has negative prices. Raises ``NotConfigured``."""
    absent = missing(invoice, mapping)
    if absent is not None:
        raise NotConfigured(f"{VENDOR}: {absent} is not filled with an id; see 'sluis integration check'")
    gross = sends_gross(invoice)
    details = _details(invoice, mapping, gross=gross)
    return {
        "contact_id": debtor_id,
        "reference": invoice.invoice_number,
        "date": invoice.issue_date.isoformat(),
        "currency": invoice.currency,
        "prices_are_incl_tax": gross,
        "source": SOURCE,
        "details_attributes": details,
    }


def _details(invoice: Invoice, mapping: Mapping, *, gross: bool) -> list[Json]:
    """Return the lines; the first one tells what the document has no field for, the last one is the cash rounding."""
    details = [_detail(line, invoice, mapping, gross=gross) for line in invoice.lines]
    if invoice.rounding_amount:
        details.append(
            {
                "description": "Cash rounding",
                "price": f"{invoice.rounding_amount * invoice.kind.sign:.2f}",
                "amount": 1,
                "tax_rate_id": mapping.tax_rate(OUT_OF_SCOPE),
                "ledger_account_id": mapping.ledger_account(None),
            }
        )
    if details and (told := cleaned(_told(invoice))):
        words = str(details[0]["description"])
        details[0]["description"] = f"{words[: LONGEST_TEXT - len(told) - 1].rstrip()} {told}"
    return details


def _told(invoice: Invoice) -> str:
    """Return what the books must show and Moneybird has no field for: the invoice that is credited, a moved date."""
    notes = []
    if invoice.preceding_invoice and invoice.kind is DocumentKind.CREDIT_NOTE:
        notes.append(f"credit note on {invoice.preceding_invoice[:_LONGEST_NOTE]}")
    if invoice.original_date is not None:
        notes.append(f"dated {invoice.original_date.isoformat()}, its period is closed")
    return f"({'; '.join(notes)})" if notes else ""


def _detail(line: InvoiceLine, invoice: Invoice, mapping: Mapping, *, gross: bool) -> Json:
    share = priced(line_total(line, gross=gross, sign=invoice.kind.sign), line.quantity)
    words = cleaned(line.description) or (line.kind.value.replace("_", " ") if line.kind else "rounding")
    if share.pieces is not None:
        words = f"{share.pieces.normalize():f} x {words}"
    return {
        "description": words[:LONGEST_TEXT].rstrip(),
        "price": f"{share.price:.2f}",
        "amount": share.amount,
        "tax_rate_id": mapping.tax_rate(line.treatment),
        "ledger_account_id": mapping.ledger_account(line.kind, line.category, line.treatment),
    }


def cleaned(value: str) -> str:
    """Return a text on one line without control characters, single-spaced, cut to a length that every field holds."""
    # Cc are tabs, line ends and control codes; Cf and Cs are invisible marks and halves of characters.
    kept = "".join(
        " " if unicodedata.category(c) == "Cc" else c for c in value if unicodedata.category(c) not in {"Cf", "Cs"}
    )
    return " ".join(kept.split())[:LONGEST_TEXT].rstrip()


# ------------------------------------------------------------------------------------------------------- the payment


def payment_payload(payment: PaymentEntry) -> Json:
    """Return a payment on a ledger account; raises ``NotConfigured`` where the clearing account is no id.

    ``transaction_identifier`` is the gateway's own reference, by which Moneybird and its user match a bank line; our
    key stands there only where the gateway gave none.
    """
    if not _ID.fullmatch(payment.account):
        raise NotConfigured(
            f"{VENDOR}: the clearing account of a payment is no id; see mapping.clearing ('sluis integration check')",
            code="mapping_missing",
        )
    return {
        "payment_date": payment.paid_on.isoformat(),
        "price": f"{payment.amount:.2f}",
        "transaction_identifier": cleaned(payment.reference.reveal()) or f"{PAYMENT_PREFIX}{payment.payment_key}",
        "manual_payment_action": "balance_settlement",
        "ledger_account_id": payment.account,
    }


def paid(row: Json) -> PaidInBooks:
    """Read a payment; ``Defect`` names the field that cannot be read."""
    identifier = str(row.get("transaction_identifier") or "")
    ours = identifier.startswith(PAYMENT_PREFIX)
    return PaidInBooks(
        external_id=text(row, "id"),
        paid_on=day(row, "payment_date"),
        amount=amount(row, "price"),
        payment_key=identifier.removeprefix(PAYMENT_PREFIX) if ours else None,
        reference=Personal("" if ours else identifier),
    )


# ------------------------------------------------------------------------------------------------------- the debtor


def customer_id(customer_key: str) -> str:
    """Return our own pseudonymous number of a customer: unique in the administration, so never created twice."""
    return f"{CUSTOMER_ID_PREFIX}{customer_key[:CUSTOMER_KEY_LENGTH]}"


def contact_payload(buyer: Buyer, customer_key: str) -> Json:
    """Return a contact: names, address, e-mail for invoices and VAT number, each only where filled and well formed."""
    lines = [cleaned(part) for part in buyer.address.street.reveal().splitlines()]
    street = [part for part in lines if part]
    fields = {
        "company_name": cleaned(buyer.company.reveal()),
        "firstname": cleaned(buyer.first_name.reveal()),
        "lastname": cleaned(buyer.last_name.reveal()),
        "address1": street[0] if street else "",
        "address2": cleaned(", ".join(street[1:])),
        "zipcode": cleaned(buyer.address.postcode.reveal()),
        "city": cleaned(buyer.address.city.reveal()),
        "country": buyer.address.country if _COUNTRY.fullmatch(buyer.address.country) else "",
        "send_invoices_to_email": email_of(buyer) or "",
        "tax_number": _vat_number(buyer) or "",
    }
    if not any(fields[name] for name in _NAMES):
        fields["company_name"] = f"Webshop customer {customer_key[:6]}"
    filled = {name: value for name, value in fields.items() if value}
    return {"customer_id": customer_id(customer_key), **filled}


def email_of(buyer: Buyer) -> str | None:
    """Return the e-mail address when it is one by its form; ``None`` otherwise."""
    address = buyer.email.reveal().strip()
    return address if len(address) <= 254 and _EMAIL.fullmatch(address) else None


def _vat_number(buyer: Buyer) -> str | None:
    """Return an EU VAT number whose form and check digits are right, with its country's letters."""
    given = buyer.vat_number.reveal().strip()
    prefix = {"GR": "EL"}.get(buyer.address.country, buyer.address.country)
    for candidate in (given, f"{prefix}{given}"):
        try:
            return str(eu_vat.validate(candidate)) if given else None
        except ValidationError:
            continue
    return None


def emails_in(contact: Json) -> set[str]:
    """Return a contact's e-mail addresses, case-folded; Moneybird keeps several in one field, with commas."""
    found: set[str] = set()
    for field in ("email", "send_invoices_to_email"):
        value = contact.get(field)
        if isinstance(value, str):
            found |= {part.strip().casefold() for part in value.split(",") if part.strip()}
    return found


def made_by_us(contact: Json) -> bool:
    """Whether sluis made this contact."""
    return str(contact.get("customer_id") or "").startswith(CUSTOMER_ID_PREFIX)


# ------------------------------------------------------------------------------------------------------ the answers


def booked(row: Json) -> Booked:
    """Read an external sales invoice; ``Defect`` names the field that cannot be read."""
    with_vat, without = amount(row, "total_price_incl_tax"), amount(row, "total_price_excl_tax")
    debtor = row.get("contact_id")
    return Booked(
        external_id=text(row, "id"),
        reference=str(row.get("reference") or ""),
        issue_date=day(row, "date"),
        currency=text(row, "currency"),
        total_with_vat=with_vat,
        total_vat=with_vat - without,
        debtor_id=None if debtor is None else str(debtor),
        ours=row.get("source") == SOURCE,
    )


def tax_rate(row: Json) -> TaxRate:
    """Read a tax rate."""
    percentage = row.get("percentage")
    return TaxRate(
        id=text(row, "id"),
        name=str(row.get("name") or ""),
        percent=None if percentage is None else _number(percentage, "percentage"),
        country=row.get("country") or None,
        active=row.get("active") is not False,
    )


def ledger_account(row: Json) -> LedgerAccount:
    """Read a ledger account; one that sales invoices may not use counts as not active."""
    allowed = row.get("allowed_document_types")
    usable = not isinstance(allowed, list) or "sales_invoice" in allowed
    return LedgerAccount(
        id=text(row, "id"),
        name=str(row.get("name") or ""),
        code=str(row["account_id"]) if row.get("account_id") else None,
        kind=str(row.get("account_type") or ""),
        active=usable and row.get("active") is not False,
        open=row.get("active") is not False,
    )


def _number(value: Any, field: str) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise Defect(f"{VENDOR}: {field} of an answer is no number", code="odd_answer")
    return number


def amount(row: Json, field: str) -> Decimal:
    """Read an amount of money; ``Defect`` where it is no whole number of cents."""
    number = _number(row.get(field), field)
    if number != round(number, 2):
        raise Defect(f"{VENDOR}: {field} of an answer is no whole number of cents", code="odd_answer")
    return number


def day(row: Json, field: str) -> date:
    """Read a day; ``Defect`` where it is none."""
    try:
        return date.fromisoformat(str(row.get(field)))
    except ValueError:
        raise Defect(f"{VENDOR}: {field} of an answer is no date", code="odd_answer") from None
