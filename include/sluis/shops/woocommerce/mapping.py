"""From WooCommerce's JSON to the core's order, by an allow-list of fields; and from credentials to a signature.

Amounts are taken as charged and never recomputed: a line's ``total`` and ``total_tax`` (not ``price`` x quantity), the
order's ``total`` and ``total_tax`` (not the sum of its parts), VAT per rate from ``tax_lines``. Parts are rounded to
the cent, because some versions show VAT rows unrounded (woocommerce #30424); totals must be whole cents. Times come
from the ``_gmt`` fields: in the autumn two orders an hour apart carry the same local time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import ValidationError
from requests.auth import AuthBase, HTTPBasicAuth
from requests_oauthlib import OAuth1

from sluis.core.order import Address, Buyer, ChargedVat, LineKind, Order, OrderLine, Refund, Unreadable
from sluis.core.personal import NOBODY, Personal
from sluis.shops.reading import Reader, WrongField, is_order_number, plain_text, scalar
from sluis.shops.woocommerce.payments import gift_cards_used, paid_back, payments_of
from sluis.shops.woocommerce.settings import STANDARD_CLASS, WooCommerceCredentials, WooCommerceSettings, matching

T = TypeVar("T")

PLATFORM = "woocommerce"
#: The longest of the EU has 14; the checks of numbers are not made for texts of thousands of digits.
LONGEST_VAT_NUMBER = 60
_FILLING = re.compile(r"[\s.\-]+")
#: What of an order's fees is no line (``WooCommerceSettings.fee_kinds``).
ROUNDING = "rounding"

#: rate id -> (percent, compound)
Rates = dict[str, tuple[Decimal, bool]]


def signature(settings: WooCommerceSettings, credentials: WooCommerceCredentials) -> AuthBase:
    """Return how calls prove who they are: Basic over https, OAuth 1.0a (HMAC-SHA256, in the query) over http.

    WooCommerce refuses Basic on plain http; in the query because web servers in CGI set-ups drop the header.
    """
    key, secret = credentials.consumer_key.reveal(), credentials.consumer_secret.reveal()
    if settings.url.startswith("https://"):
        return HTTPBasicAuth(key, secret)
    auth: AuthBase = OAuth1(key, client_secret=secret, signature_method="HMAC-SHA256", signature_type="QUERY")
    return auth


def to_order(
    raw: Mapping[str, Any], refunds: Sequence[Mapping[str, Any]], settings: WooCommerceSettings
) -> Order | Unreadable:
    """Return the order with these refunds; ``Unreadable``, naming the field, where anything is missing or malformed."""
    try:
        return _order(Reader(raw), refunds, settings)
    except WrongField as wrong:
        return unreadable(raw, wrong.field)
    except ValidationError as error:
        # Only the place: pydantic's message may hold the value.
        return unreadable(raw, ".".join(str(step) for step in error.errors(include_input=False)[0]["loc"]) or "order")


def _order(order: Reader, refunds: Sequence[Mapping[str, Any]], settings: WooCommerceSettings) -> Order:
    rates = _rates(order)
    meta = _metadata(order, settings)
    billing = order.child("billing")
    lines, rounding = tuple(_lines(order, rates, settings)), _rounding(order, settings)
    gift_cards = gift_cards_used(order, meta, lines, rounding, settings)
    method, created_at = order.code("payment_method", ""), order.moment("date_created_gmt")
    paid_at = order.moment_or_none("date_paid_gmt")
    given_back = _refunds(refunds, rates, settings, {line.line_id: line for line in lines}, method)
    return Order(
        platform=PLATFORM,
        order_id=order.identifier("id"),
        number=_number(order, meta, settings),
        status=order.code("status"),
        currency=order.code("currency"),
        created_at=created_at,
        modified_at=order.moment("date_modified_gmt"),
        paid_at=paid_at,
        completed_at=order.moment_or_none("date_completed_gmt"),
        prices_include_vat=order.flag("prices_include_tax"),
        lines=lines,
        vat=_vat_per_rate(order),
        total_vat=order.amount("total_tax"),
        total=order.amount("total") + gift_cards,
        rounding_amount=rounding,
        payments=payments_of(order, gift_cards, method, created_at, paid_at),
        marketplace_liable=_is_marked(meta, settings.marketplace_orders),
        buyer=_buyer(order, billing, meta, settings),
        ship_to=_ship_to(order, billing),
        payment_method=method,
        is_test=_is_marked(meta, settings.test_payments),
        refunds=tuple(sorted(given_back, key=lambda r: (r.created_at, int(r.refund_id)))),
    )


# ----------------------------------------------------------------------------------------------------- VAT and lines


def _rates(document: Reader) -> Rates:
    """Read the percent of each rate id. WooCommerce states it per document, so a rate changed since is no matter."""
    return {
        line.identifier("rate_id"): (line.number("rate_percent"), line.flag("compound", default=False))
        for line in document.items("tax_lines")
    }


def _vat_per_rate(order: Reader) -> tuple[ChargedVat, ...]:
    totals: dict[tuple[Decimal, bool], Decimal] = {}
    for line in order.items("tax_lines"):
        key = (line.number("rate_percent"), line.flag("compound", default=False))
        totals[key] = totals.get(key, Decimal(0)) + line.rounded("tax_total") + line.rounded("shipping_tax_total")
    return tuple(ChargedVat(rate=rate, amount=amount, compound=comp) for (rate, comp), amount in totals.items())


def _lines(document: Reader, rates: Rates, settings: WooCommerceSettings, sign: int = 1) -> Iterator[OrderLine]:
    """Yield articles, shipping and fees; ``sign`` -1 turns a refund's negative amounts positive."""
    for line in document.items("line_items"):
        sku = line.text("sku", "")
        yield _line(
            line,
            rates,
            sign,
            kind=_kind_of_article(sku, settings),
            name=plain_text(line.text("name", "")) or sku,
            quantity=line.number("quantity") * sign,
            category=matching(settings.category_by_sku, sku) or line.text("tax_class", "") or STANDARD_CLASS,
        )
    once = Decimal(1)
    for line in document.items("shipping_lines"):
        name = plain_text(line.text("method_title", ""))
        yield _line(line, rates, sign, kind=LineKind.SHIPPING, name=name, quantity=once, category=None)
    for line, name, what in _fees(document, settings):
        if what == ROUNDING:
            continue
        # A negative fee lowers the base, whatever it is called; in a refund it stands with a plus.
        kind = LineKind.DISCOUNT if line.number("total") * sign < 0 else LineKind(what)
        tax_class = line.text("tax_class", "") or STANDARD_CLASS
        yield _line(line, rates, sign, kind=kind, name=name, quantity=once, category=tax_class)


def _kind_of_article(sku: str, settings: WooCommerceSettings) -> LineKind:
    if sku and sku in settings.gift_card_skus:
        return LineKind.GIFT_CARD
    return LineKind(matching(settings.sku_kinds, sku) or LineKind.GOODS)


def _fees(document: Reader, settings: WooCommerceSettings) -> Iterator[tuple[Reader, str, str]]:
    """Yield the fees with their names and what ``fee_kinds`` says they are."""
    for line in document.items("fee_lines"):
        name = plain_text(line.text("name", ""))
        yield line, name, matching(settings.fee_kinds, name) or LineKind.FEE.value


def _rounding(document: Reader, settings: WooCommerceSettings, sign: int = 1) -> Decimal:
    """Add the fees that are cash rounding: below one unit of the currency, and without VAT."""
    total = Decimal(0)
    for line, _, what in _fees(document, settings):
        if what != ROUNDING:
            continue
        amount = line.rounded("total") * sign
        if abs(amount) >= 1:
            raise WrongField(line.at("total (too much for cash rounding)"))
        if line.rounded("total_tax"):
            raise WrongField(line.at("total_tax (cash rounding bears no VAT)"))
        total += amount
    return total


def _line(
    line: Reader, rates: Rates, sign: int, *, kind: LineKind, name: str, quantity: Decimal, category: str | None
) -> OrderLine:
    return OrderLine(
        line_id=_line_id(line, sign),
        kind=kind,
        description=name or kind.value,
        quantity=quantity,
        net=line.rounded("total") * sign,
        vat=tuple(_charged(line, rates, sign)),
        vat_total=line.rounded("total_tax") * sign,
        category=category,
    )


def _line_id(line: Reader, sign: int) -> str:
    """Return the line's id; of a refund's line the id of the order's line that it takes back."""
    if sign < 0:
        for entry in line.items("meta_data", optional=True):
            if entry.text("key", "") == "_refunded_item_id":
                return entry.identifier("value")
    return line.identifier("id")


def _charged(line: Reader, rates: Rates, sign: int) -> Iterator[ChargedVat]:
    """Yield the line's VAT rows. A row with an empty total says that the rate does not apply to this line."""
    for row in line.items("taxes"):
        if not row.has("total"):
            continue
        rate_id = row.identifier("id")
        if rate_id not in rates:
            raise WrongField(row.at("id"))
        percent, compound = rates[rate_id]
        yield ChargedVat(rate=percent, amount=row.rounded("total") * sign, compound=compound)


def _refunds(
    refunds: Sequence[Mapping[str, Any]],
    order_rates: Rates,
    settings: WooCommerceSettings,
    sold: Mapping[str, OrderLine],
    method: str,
) -> Iterator[Refund]:
    for index, raw in enumerate(refunds):
        refund = Reader(raw, f"refunds[{index}]")
        rates = order_rates | _rates(refund)
        lines = (_as_sold(line, sold) for line in _lines(refund, rates, settings, sign=-1) if not _says_nothing(line))
        total, created_at = refund.amount("amount"), refund.moment("date_created_gmt")
        yield Refund(
            refund_id=refund.identifier("id"),
            created_at=created_at,
            total=total,
            rounding_amount=_rounding(refund, settings, sign=-1),
            lines=tuple(lines),
            payments=paid_back(refund, method, total, created_at, settings),
        )


def _as_sold(line: OrderLine, sold: Mapping[str, OrderLine]) -> OrderLine:
    """Give a refund's line the kind and class of the line that it takes back: an article may have lost its SKU."""
    origin = sold.get(line.line_id)
    return line if origin is None else line.model_copy(update={"kind": origin.kind, "category": origin.category})


def _says_nothing(line: OrderLine) -> bool:
    """Whether a refund's line gives nothing back: then it must not hide that only an amount was refunded."""
    return line.net == 0 and line.vat_total == 0


# --------------------------------------------------------------------------------------------------------- persons


def _buyer(order: Reader, billing: Reader, meta: dict[str, Any], settings: WooCommerceSettings) -> Buyer:
    customer = order.text("customer_id", "0")
    return Buyer(
        first_name=billing.personal("first_name"),
        last_name=billing.personal("last_name"),
        company=billing.personal("company"),
        email=billing.personal("email"),
        vat_number=_vat_number(order, meta, settings),
        customer_id=NOBODY if customer == "0" else Personal(customer),
        address=_address(billing),
    )


def _vat_number(order: Reader, meta: dict[str, Any], settings: WooCommerceSettings) -> Personal:
    """Return the buyer's VAT number in capitals without filling; two plugins with two numbers are for a person."""
    found = [_scalar(meta.get(key)) for key in settings.vat_number_keys]
    numbers = {_FILLING.sub("", number).upper() for number in found if number} - {""}
    if len(numbers) > 1:
        raise WrongField(order.at("meta_data (different VAT numbers under the keys of vat_number_keys)"))
    if any(len(number) > LONGEST_VAT_NUMBER for number in numbers):
        raise WrongField(order.at("meta_data (a VAT number of more than 60 characters)"))
    return Personal(numbers.pop()) if numbers else NOBODY


def _address(person: Reader) -> Address:
    streets = [person.text(key, "") for key in ("address_1", "address_2")]
    street = "\n".join(line for line in streets if line)
    return Address(
        country=person.text("country", ""),
        postcode=person.personal("postcode"),
        city=person.personal("city"),
        street=Personal(street) if street else NOBODY,
    )


def _ship_to(order: Reader, billing: Reader) -> Address:
    """Return where the goods go; orders of virtual articles have no shipping address, so the bill's stands for it."""
    shipping = order.child("shipping") if order.has("shipping") else billing
    place = shipping if shipping.has("country") else billing
    return Address(country=place.text("country", ""), postcode=place.personal("postcode"))


# -------------------------------------------------------------------------------------------------------- metadata


def _metadata(order: Reader, settings: WooCommerceSettings) -> dict[str, Any]:
    """Return the metadata under the keys of the settings; everything else that plugins left is not even looked at.

    Of a key that stands twice the last filled value counts, as WordPress reads it.
    """
    found: dict[str, Any] = {}
    for entry in order.items("meta_data"):
        key = entry.value("key") if entry.has("key") else None
        if not isinstance(key, str) or key not in settings.metadata_keys:
            continue
        if key not in found or entry.has("value"):
            found[key] = entry.value("value")
    return found


def _scalar(value: Any) -> str:
    """Return a metadata value as text; structures of plugins are none of ours."""
    if isinstance(value, bool):
        return "1" if value else ""
    return scalar(value) or ""


def _number(order: Reader, meta: dict[str, Any], settings: WooCommerceSettings) -> str:
    for key in settings.number_keys:
        number = _scalar(meta.get(key))
        if number and not is_order_number(number):
            raise WrongField(order.at(f"meta_data.{key}"))
        if number:
            return number
    return order.order_number("number")


def _is_marked(meta: dict[str, Any], marks: Mapping[str, Sequence[str]]) -> bool:
    """Whether a metadata key holds one of its values; ``*`` is any that is not empty. Capitals do not count."""
    for key, values in marks.items():
        found = _scalar(meta.get(key)).lower()
        if found and ("*" in values or found in {value.lower() for value in values}):
            return True
    return False


# ------------------------------------------------------------------------------------------------------ unreadable


def _readable(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except WrongField:
        return None


def unreadable(raw: Any, field: str) -> Unreadable:
    """Say as much of the order as can be read: its id and number, and where possible date, total and currency."""
    order = Reader(raw if isinstance(raw, dict) else {})
    order_id = _readable(lambda: order.identifier("id")) or ""
    number = _readable(lambda: order.order_number("number")) or order_id
    currency = _readable(lambda: order.code("currency")) or ""
    return Unreadable(
        order_id=order_id,
        number=number,
        code="unreadable",
        field=field,
        created_at=_readable(lambda: order.moment("date_created_gmt")),
        total=_readable(lambda: order.amount("total")),
        currency=currency if re.fullmatch("[A-Z]{3}", currency) else "",
    )


def to_orphan(raw: Any) -> Unreadable:
    """Say what can be read of a refund that names no order: it waits for a person, who cannot find it otherwise."""
    refund = Reader(raw if isinstance(raw, dict) else {})
    refund_id = _readable(lambda: refund.identifier("id")) or ""
    amount = _readable(lambda: refund.amount("amount"))
    return Unreadable(
        order_id=f"refund-{refund_id}",
        number=f"refund-{refund_id}",
        refund_id=refund_id,
        code="unreadable",
        field="parent_id",
        created_at=_readable(lambda: refund.moment("date_created_gmt")),
        total=None if amount is None else -amount,
    )
