"""Invoices and credit notes made from a few amounts, a mapping that names every account, and generated ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import strategies as st

from sluis.core.figures import figures_of
from sluis.core.invoice import (
    DocumentKind,
    Invoice,
    InvoiceLine,
    VatBreakdown,
    VatCategory,
    VatScheme,
    VatTreatment,
    total,
)
from sluis.core.journals import Member, paid_of
from sluis.core.mapping import AccountRule, Mapping
from sluis.core.money import ZERO, cents, from_cents, round_cents
from sluis.core.order import Buyer, LineKind, Payment
from sluis.core.personal import Personal

DAY = date(2026, 11, 1)
S21 = VatTreatment(category=VatCategory.STANDARD, rate=Decimal(21), country="NL")
S9 = VatTreatment(category=VatCategory.STANDARD, rate=Decimal(9), country="NL")
S19_DE = VatTreatment(category=VatCategory.STANDARD, rate=Decimal(19), country="DE", scheme=VatScheme.OSS)
EXPORT = VatTreatment(category=VatCategory.EXPORT, rate=Decimal(0), country="NL", exemption="VATEX-EU-G")
VOUCHER = VatTreatment(category=VatCategory.OUT_OF_SCOPE, rate=Decimal(0), country="NL", scheme=VatScheme.NONE)
INTRA = VatTreatment(category=VatCategory.INTRA_COMMUNITY, rate=Decimal(0), country="NL")
REVERSE = VatTreatment(category=VatCategory.REVERSE_CHARGE, rate=Decimal(0), country="NL")

MAPPING = Mapping(
    revenue={
        LineKind.GOODS: "8000", LineKind.SHIPPING: "8100", LineKind.GIFT_CARD: "1700", LineKind.DEPOSIT: "1710",
    },
    accounts=(AccountRule(account="8019", country="DE"),),
    rounding="8900",
    clearing={"ideal": "1200", "paypal": "1210", "*": "1290"},
    vat_accounts={"S 21 NL": "1500", "S 9 NL": "1509", "S 19 DE": "1519"},
    receivable="1300",
)  # fmt: skip

Given = tuple[LineKind | None, VatTreatment, str]


def line(place: int, given: Given) -> InvoiceLine:
    """A line of an amount without VAT."""
    kind, treatment, net = given
    return InvoiceLine(
        line_id=str(place), kind=kind, description="Wollen sjaal van Anna", quantity=Decimal(1), net=Decimal(net),
        vat=round_cents(Decimal(net) * treatment.rate / 100), treatment=treatment,
    )  # fmt: skip


def payment(method: str, amount: str | Decimal, *, gift_card: bool = False) -> Payment:
    """A payment of the day."""
    return Payment(
        payment_id=method, method=method, amount=Decimal(amount), paid_at=datetime(2026, 11, 1, 12, tzinfo=UTC),
        reference=Personal("tr_secret"), gift_card=gift_card,
    )  # fmt: skip


def invoice(
    *given: Given,
    pays: Sequence[Payment] | str = "ideal",
    kind: DocumentKind = DocumentKind.INVOICE,
    vat_number: str = "",
    rounding: str = "0",
) -> Invoice:
    """A document over these lines; ``pays``: the payments, or the method by which all of it was paid."""
    lines = tuple(line(place, one) for place, one in enumerate(given, start=1))
    net, vat = total(each.net for each in lines), total(each.vat for each in lines)
    owed = net + vat + Decimal(rounding)
    payments = (payment(pays, owed),) * bool(owed) if isinstance(pays, str) else tuple(pays)
    paid = total(each.amount for each in payments)
    treatments = {each.treatment.model_dump_json(): each.treatment for each in lines}.values()
    return Invoice(
        kind=kind, document_id="77", order_id="77", order_number="1001", invoice_number="1001", issue_date=DAY,
        currency="EUR", lines=lines, total_without_vat=net, total_vat=vat, total_with_vat=net + vat,
        rounding_amount=Decimal(rounding), paid_amount=paid, amount_due=owed - paid, prices_include_vat=True,
        vat_breakdown=tuple(
            VatBreakdown(
                treatment=treatment,
                taxable_amount=total(each.net for each in lines if each.treatment == treatment),
                vat_amount=total(each.vat for each in lines if each.treatment == treatment),
            )
            for treatment in treatments
        ),
        buyer=Buyer(first_name=Personal("Anna"), vat_number=Personal(vat_number)), rule="test", payments=payments,
    )  # fmt: skip


def member(document: Invoice) -> Member:
    """What the store keeps of it."""
    sign = document.kind.sign
    return Member(
        figures=figures_of(document), paid=paid_of(document), total_cents=sign * cents(document.total_with_vat),
        vat_cents=sign * cents(document.total_vat), currency=document.currency,
    )  # fmt: skip


_AMOUNTS = st.integers(min_value=-5_000, max_value=500_000).map(lambda n: str(from_cents(n)))
_LINES = st.tuples(
    st.sampled_from([LineKind.GOODS, LineKind.SHIPPING, LineKind.DISCOUNT, LineKind.GIFT_CARD, None]),
    st.sampled_from([S21, S9, S19_DE, EXPORT, VOUCHER]),
    _AMOUNTS,
)


@st.composite
def settled(draw: st.DrawFn) -> Invoice:
    """A generated invoice or credit note that is paid (back) in full, in one, two or three ways."""
    lines = draw(st.lists(_LINES, min_size=1, max_size=5))
    rounding = draw(st.sampled_from(["0", "0.02", "-0.02", "0.01"]))
    kind = draw(st.sampled_from([DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE]))
    left = invoice(*lines, pays=(), rounding=rounding).owed
    pays: list[Payment] = []
    for method in draw(st.lists(st.sampled_from(["ideal", "paypal", "gift_card"]), max_size=2, unique=True)):
        part = from_cents(draw(st.integers(min_value=0, max_value=max(0, cents(left)))))
        pays.append(payment(method, part, gift_card=method == "gift_card"))
        left -= part
    pays.append(payment("bacs", left))
    return invoice(*lines, pays=[each for each in pays if each.amount != ZERO], rounding=rounding, kind=kind)
