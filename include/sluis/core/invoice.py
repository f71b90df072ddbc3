"""What goes to the books: EN 16931 invoices and credit notes, and what became of every document.

Field comments carry the business term (BT) or group (BG) of EN 16931-1. Amounts are positive on both type codes: a
refund is a credit note, never a negative invoice; a package's mapping turns the sign where its API wants that.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import model_validator

from sluis.core.evidence import NO_EVIDENCE, Evidence, ExchangeRate
from sluis.core.frozen import Currency, Frozen, Moment
from sluis.core.money import ZERO, Amount, Number
from sluis.core.order import Buyer, LineKind, Payment


class VatCategory(StrEnum):
    """EN 16931 VAT category codes (UNCL 5305, BT-118/BT-151)."""

    STANDARD = "S"
    ZERO = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    INTRA_COMMUNITY = "K"
    EXPORT = "G"
    OUT_OF_SCOPE = "O"


class DocumentKind(StrEnum):
    """What a document is in the books and in the booking rows."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    DAY_SUMMARY = "day_summary"  #: one journal entry over a day; never an ``Invoice``, its figures are signed

    @property
    def type_code(self) -> str:
        """BT-3 (UNTDID 1001): 380 commercial invoice, 381 credit note."""
        return "381" if self is DocumentKind.CREDIT_NOTE else "380"

    @property
    def sign(self) -> int:
        """-1 for a credit note, +1 for the others: how it counts in totals."""
        return -1 if self is DocumentKind.CREDIT_NOTE else 1


class VatScheme(StrEnum):
    """In which return the VAT of a line goes."""

    HOME = "home"  #: the merchant's own country
    OSS = "oss"  #: the one stop shop (VAT directive art. 369a-369k), not in the home return
    LOCAL = "local"  #: a registration of his own in another country
    NONE = "none"  #: in no return of his: out of scope, or a marketplace owes it


class VatTreatment(Frozen):
    """The outcome of the VAT decision for one line: category, rate and country whose VAT it is."""

    category: VatCategory  #: BT-151
    rate: Number  #: BT-152, percent
    country: str  #: whose VAT it is (ISO 3166-1; for an export the seller's)
    scheme: VatScheme = VatScheme.HOME
    exemption: str | None = None  #: BT-121, a VATEX code where one says why there is no VAT
    services: bool = False  #: services, not goods: the ICP list tells them apart
    #: Of goods under OSS the country they leave from, where it is not the home country: the return asks for it (VAT
    #: directive art. 369g(3)), and a sale from a stock abroad to the home country is none of the home return's.
    dispatched_from: str = ""


class InvoiceLine(Frozen):
    """BG-25. ``net``, ``vat`` and ``gross`` are line totals in the document's currency."""

    line_id: str  #: BT-126
    kind: LineKind | None  #: ``None`` for the one named rounding line
    description: str  #: BT-153
    quantity: Number  #: BT-129
    net: Amount  #: BT-131
    vat: Amount
    treatment: VatTreatment
    category: str | None = None  #: the shop's product class, for the ledger mapping

    @property
    def gross(self) -> Decimal:
        """Line total with VAT."""
        return self.net + self.vat


class VatBreakdown(Frozen):
    """BG-23: one VAT category and rate."""

    treatment: VatTreatment  #: BT-118, BT-119
    taxable_amount: Amount  #: BT-116
    vat_amount: Amount  #: BT-117
    exemption_reason: str | None = None  #: BT-121, a VATEX code


class Invoice(Frozen):
    """An invoice (380) or credit note (381). ``rule`` says which VAT rule decided it, for the auditor."""

    kind: DocumentKind  #: BT-3
    document_id: str  #: the shop's order id or refund id: hashed before it is stored
    order_id: str  #: the shop's id of the order it belongs to
    order_number: str
    invoice_number: str  #: BT-1: the reference in the books
    issue_date: date  #: BT-2, in the shop's time zone
    currency: Currency  #: BT-5
    lines: tuple[InvoiceLine, ...]  #: BG-25
    vat_breakdown: tuple[VatBreakdown, ...]  #: BG-23
    total_without_vat: Amount  #: BT-109
    total_vat: Amount  #: BT-110
    total_with_vat: Amount  #: BT-112: equals what the shop charged, to the cent
    paid_amount: Amount = ZERO  #: BT-113
    rounding_amount: Amount = ZERO  #: BT-114: cash rounding alone
    amount_due: Amount  #: BT-115
    preceding_invoice: str | None = None  #: BT-25, on credit notes
    prices_include_vat: bool
    buyer: Buyer  #: BG-7
    ship_to_country: str = ""  #: BT-80, ISO 3166-1
    rule: str  #: id of the VAT rule applied
    warnings: tuple[str, ...] = ()  #: codes, e.g. ``vat_charged_too_high``
    part: str = ""  #: the order's further document it is or credits: ``voucher``, ``reverse_charge``; else the main one
    payment_method: str = ""  #: the shop's code, also where nothing was paid yet
    payments: tuple[Payment, ...] = ()  #: positive, in the document's own currency; on a credit note paid *back*
    earlier: bool = False  #: a credit note on a sale that sluis did not book: before its start, or too long ago
    original_date: date | None = None  #: the date it would have had, where its period is closed in the books
    evidence: Evidence = NO_EVIDENCE
    charged_currency: str = ""  #: the shop's currency, where it is not that of the document
    charged_total: Amount | None = None  #: with VAT, in ``charged_currency``
    charged_vat: Amount | None = None  #: in ``charged_currency``

    @property
    def owed(self) -> Decimal:
        """Total with VAT and cash rounding: what the books must hold, positive on both type codes."""
        return self.total_with_vat + self.rounding_amount

    @property
    def is_further(self) -> bool:
        """Whether it stands beside another document of the same order or refund: its cents count, not the document.

        A credit note that is the only one of its refund has the refund's own id, also where ``part`` says that it
        belongs with another document of the order than the main one.
        """
        return bool(self.part) and self.document_id.endswith(f"/{self.part}")

    @model_validator(mode="after")
    def _adds_up(self) -> Invoice:
        net, vat = total(line.net for line in self.lines), total(line.vat for line in self.lines)
        if (net, vat) != (self.total_without_vat, self.total_vat):
            raise ValueError("the lines do not add up to the totals (BR-CO-10, BR-CO-14)")
        if net + vat != self.total_with_vat or self.owed - self.paid_amount != self.amount_due:
            raise ValueError("the totals do not add up (BR-CO-15, BR-CO-16)")
        parts = self.vat_breakdown
        if total(p.taxable_amount for p in parts) != net or total(p.vat_amount for p in parts) != vat:
            raise ValueError("the VAT breakdown does not add up (BR-CO-14, BR-CO-18)")
        return self


class Result(StrEnum):
    """What became of a document in a run. A run proves that these add up to what was extracted."""

    BOOKED = "booked"
    SUMMARISED = "summarised"  #: accounted for in its day's journal entry, which is posted when the day is over
    ADOPTED = "adopted"
    ALREADY_BOOKED = "already_booked"
    CORRECTED = "corrected"
    SKIPPED = "skipped"
    QUARANTINED = "quarantined"
    DEFERRED = "deferred"


class Role(StrEnum):
    """How an outcome counts in a run's proof."""

    MAIN = "main"  #: an order or refund of the shop: counts as document and in cents
    PART = "part"  #: a further document of one order or refund: its cents count, the document was counted already
    OWN = "own"  #: made by sluis itself (a reversal, a day's entry, a payment): told apart from what was extracted


class DocumentOutcome(Frozen):
    """One document, one line in the log and in the run report. No direct identifier of a person is told of it."""

    kind: DocumentKind
    document_id: str  #: shop's id; the store keeps it only in a quarantine row, to fetch the order again
    order_id: str
    order_number: str
    result: Result
    reason: str | None = None  #: a code, for skipped, quarantined and deferred
    field: str | None = None  #: what is wrong, e.g. ``line_items[2].taxes``
    rule: str | None = None
    reference: str | None = None
    external_id: str | None = None  #: the package's id, where the document stands in the books
    issue_date: date | None = None
    currency: str = ""
    total: Amount = ZERO  #: with VAT, signed: negative for a credit note
    vat: Amount = ZERO  #: signed
    warnings: tuple[str, ...] = ()
    part: str = ""
    role: Role = Role.MAIN
    changed_at: Moment | None = None  #: as in ``Prepared``: a deferred document holds the watermark there
    booked_currency: str = ""  #: where the books hold it in another currency than the shop's (``currency``)
    booked_total: Amount | None = None  #: signed, in ``booked_currency``
    exchange: ExchangeRate | None = None
    ended: bool = False  #: skipped because the order came to its end without a sale: cancelled, failed, in the bin
    buyer: Buyer | None = None  #: with ``ended``: what is credited of a booked order names its buyer, as invoices do


def invoice_id(order_id: str, part: str = "") -> str:
    """Return the ``document_id`` of an order's invoice, or of a further document of it."""
    return f"{order_id}/{part}" if part else order_id


class Prepared(Frozen):
    """A document that is ready to be booked."""

    invoice: Invoice
    changed_at: Moment | None = None  #: when the shop last changed it: a deferred document holds the watermark there
    unless_booked: str | None = None  #: a reason of quarantine where no booking of it stands yet: ``period_closed``


#: What the core makes of one document: an invoice to book, or an outcome (skipped or quarantined) with its reason.
Decision = Prepared | DocumentOutcome


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Sum of amounts, zero for none."""
    return sum(amounts, start=ZERO)
