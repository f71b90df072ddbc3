"""What a shop says: an order and its refunds, in the shop's own figures.

A connector's mapping fills these models from an allow-list of fields; nothing else of the answer goes on. Amounts are
what the shop *charged* after discounts, in the order's currency, rounded to the cent as the shop shows them.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

from sluis.core.frozen import Currency, Frozen, Moment
from sluis.core.money import ZERO, Amount, Number
from sluis.core.personal import NOBODY, Personal


class LineKind(StrEnum):
    """What a line sells; the ledger mapping has an account per kind."""

    GOODS = "goods"
    SHIPPING = "shipping"
    FEE = "fee"
    DISCOUNT = "discount"  #: a negative fee: it lowers the base (VAT directive art. 79)
    GIFT_CARD = "gift_card"  #: a voucher that is *sold*; one that is used is a :class:`Payment`
    TIP = "tip"
    DEPOSIT = "deposit"  #: for packaging (statiegeld)


class ChargedVat(Frozen):
    """One VAT row as the shop charged it. ``rate`` in percent (``21``), ``amount`` in the order's currency."""

    rate: Number
    amount: Amount
    compound: bool = False  #: counted on top of another tax (Quebec): never a European VAT


class OrderLine(Frozen):
    """One line as charged. For a refund all amounts and the quantity are positive: what is given back."""

    line_id: str
    kind: LineKind
    description: str
    quantity: Number
    net: Amount  #: line total without VAT, after discount
    vat: tuple[ChargedVat, ...] = ()  #: empty: the shop had no VAT row for this line; rate 0: it had one of 0 %
    vat_total: Amount  #: the line's VAT as its own total says (may differ a cent from its rows)
    category: str | None = None  #: the shop's product or tax class, for the ledger mapping

    @property
    def gross(self) -> Amount:
        """Line total with VAT as charged."""
        return self.net + self.vat_total


class Address(Frozen):
    """Where goods go, or where the bill goes. The country is not secret; the rest is.

    Of the place of delivery only country and postcode are kept: they decide the VAT, and nothing else asks for it.
    """

    country: str = ""  #: ISO 3166-1 alpha-2 as the shop gives it; empty or odd values are judged by the VAT decision
    postcode: Personal = NOBODY
    city: Personal = NOBODY
    street: Personal = NOBODY  #: all street lines, joined by a newline


class Buyer(Frozen):
    """The customer as the shop knows him, for one debtor in the books."""

    first_name: Personal = NOBODY
    last_name: Personal = NOBODY
    company: Personal = NOBODY
    email: Personal = NOBODY
    vat_number: Personal = NOBODY
    customer_id: Personal = NOBODY  #: the shop's account number; empty for a guest
    address: Address = Address()  #: the billing address


class Payment(Frozen):
    """Money that came in on an order, or went out on a refund. ``amount`` is positive, in the order's currency.

    Never more than was paid: where the shop tells only *that* an order is paid, it is the total of that moment.
    """

    payment_id: str  #: the same one on every reading (the shop's own key, or ``order`` where it knows but one)
    method: str  #: the shop's code, a key of ``Mapping.clearing``; for a used gift card ``gift_card``
    amount: Amount
    paid_at: Moment
    reference: Personal = NOBODY  #: the gateway's transaction id: for the books, never for a log
    gift_card: bool = False  #: paid with a voucher sold before: out of the liability, no money moved


class Refund(Frozen):
    """Money given back on an order. Amounts are positive; ``lines`` is empty when only an amount was refunded."""

    refund_id: str
    created_at: Moment
    total: Amount  #: with VAT, positive; cash rounding included
    rounding_amount: Amount = ZERO  #: cash rounding given back, part of ``total``, in no line
    lines: tuple[OrderLine, ...] = ()
    payments: tuple[Payment, ...] = ()  #: what was paid back, and how


class Order(Frozen):
    """One order as the shop stands for it now, with *all* its refunds.

    A connector that reads any refund of an order reads them all: credit notes are numbered over them (``-C1``, ``-C2``)
    and their sum is held against the order, so a part of them would give wrong numbers.
    """

    platform: str
    order_id: str  #: the shop's own key: never in a log (guessable), only hashed in the store
    number: str  #: what merchant and customer call it; may be in a log for support
    status: str
    currency: Currency
    created_at: Moment
    modified_at: Moment
    paid_at: Moment | None = None
    completed_at: Moment | None = None
    prices_include_vat: bool
    lines: tuple[OrderLine, ...]
    vat: tuple[ChargedVat, ...] = ()  #: VAT per rate as the shop totals it over the order
    total_vat: Amount
    total: Amount  #: with VAT, cash rounding included, *before* used gift cards: what was sold is owed
    rounding_amount: Amount = ZERO  #: cash rounding alone (BT-114), part of ``total``, in no line
    payments: tuple[Payment, ...] = ()  #: used gift cards among them
    marketplace_liable: bool = False  #: a marketplace owes the VAT of this sale (VAT directive art. 14a)
    buyer: Buyer
    ship_to: Address
    payment_method: str = ""  #: the shop's code for it (``cod``, ``mollie_wc_gateway_ideal``)
    is_test: bool = False  #: a gateway's test payment
    refunds: tuple[Refund, ...] = ()

    @model_validator(mode="after")
    def _unique_lines(self) -> Order:
        ids = [line.line_id for line in self.lines]
        if len(ids) != len(set(ids)):
            raise ValueError("two lines have one id")
        return self


class Unreadable(Frozen):
    """An order the mapping could not read: it waits in quarantine under a reason, its content is gone."""

    order_id: str
    number: str
    refund_id: str | None = None  #: set when it is a refund of the order that cannot be booked
    code: str  #: reason of quarantine
    field: str | None = None  #: the field of the shop's answer that is wrong
    created_at: Moment | None = None
    total: Amount | None = Field(default=None, description="with VAT, signed, where it could be read")
    currency: str = ""
