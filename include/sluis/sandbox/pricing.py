"""WooCommerce's own arithmetic: lines, VAT rows, shipping, fees and totals of one order, as its REST API shows them.

Rules, as recorded from WooCommerce 10.0.2 (shared/recordings/woocommerce-10.0.2): VAT is rounded per line, half down
where prices are entered with VAT and half up otherwise; a sale to another country first loses the shop's own VAT and
then bears the other one on the unrounded net amount; without a VAT row the net amount alone is charged. Amounts are
kept with six decimals (``dp`` shows them) and the order's total is the sum of the parts as rounded to the cent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from sluis.core.money import CENT, ZERO

MICRO = Decimal("0.000001")
Json = dict[str, Any]

#: (country, VAT in percent, WooCommerce's tax class). The rates in force in 2026; no row means export.
RATES: tuple[tuple[str, str, str], ...] = (
    ("NL", "21", "standard"),
    ("NL", "9", "reduced-rate"),
    ("NL", "0", "zero-rate"),
    ("BE", "21", "standard"),
    ("BE", "6", "reduced-rate"),
    ("BE", "0", "zero-rate"),
    ("DE", "19", "standard"),
    ("DE", "7", "reduced-rate"),
    ("DE", "0", "zero-rate"),
    ("FR", "20", "standard"),
    ("FR", "5.5", "reduced-rate"),
    ("FR", "0", "zero-rate"),
    ("ES", "21", "standard"),
    ("ES", "10", "reduced-rate"),
    ("ES", "0", "zero-rate"),
    ("IE", "23", "standard"),
    ("IE", "13.5", "reduced-rate"),
    ("IE", "0", "zero-rate"),
    ("AT", "20", "standard"),
    ("CY", "19", "standard"),
    ("CZ", "21", "standard"),
    ("DK", "25", "standard"),
    ("FI", "25.5", "standard"),
    ("GR", "24", "standard"),
    ("IT", "22", "standard"),
    ("LT", "21", "standard"),
    ("MT", "18", "standard"),
    ("PL", "23", "standard"),
    ("PT", "23", "standard"),
    ("SE", "25", "standard"),
)


@dataclass(frozen=True)
class TaxRow:
    """A row of the shop's tax table."""

    id: int
    country: str
    percent: Decimal
    tax_class: str

    @property
    def label(self) -> str:
        """What the customer reads."""
        return f"BTW {self.percent.normalize():f}%"


def tax_table(home: str, *, destination: bool) -> tuple[TaxRow, ...]:
    """Return the shop's rows; without ``destination`` every EU country bears the home country's VAT."""
    own = {tax_class: percent for country, percent, tax_class in RATES if country == home}
    return tuple(
        TaxRow(6 + index, country, Decimal(percent if destination else own[tax_class]), tax_class)
        for index, (country, percent, tax_class) in enumerate(RATES)
    )


@dataclass(frozen=True)
class Article:
    """What is sold. ``price`` is what the merchant entered, with or without VAT as his shop is set."""

    sku: str
    name: str
    price: Decimal
    tax_class: str = "standard"
    product_id: int = 0
    taxable: bool = True


@dataclass
class Charge:
    """One line, shipping or fee with its amounts in six decimals and its VAT in cents."""

    net: Decimal
    unrounded_vat: Decimal
    vat: Decimal
    row: TaxRow | None
    full_net: Decimal | None = None  #: before a discount
    extra: Json = field(default_factory=dict)

    @property
    def net_cents(self) -> Decimal:
        """What is charged without VAT, to the cent."""
        return self.net.quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True)
class Till:
    """How one shop charges one destination."""

    rows: tuple[TaxRow, ...]
    home: str
    destination: str
    with_vat: bool
    exempt: bool = False  #: a business whose VAT number the shop accepted

    def row(self, tax_class: str, country: str | None = None) -> TaxRow | None:
        """Return the VAT row for a class, ``None`` where the shop charges no VAT."""
        where = country or self.destination
        if self.exempt and country is None:
            return None
        return next((row for row in self.rows if (row.country, row.tax_class) == (where, tax_class)), None)

    def line(self, article: Article, quantity: int, off: Decimal = ZERO) -> Charge:
        """Charge a quantity of an article, ``off`` as a part (0 to 1) of its price."""
        row = self.row(article.tax_class) if article.taxable else None
        entered = article.price * quantity * (1 - off)
        own = self.row(article.tax_class, self.home)
        if self.with_vat and article.taxable and own is not None:
            if row == own:
                vat = (entered * row.percent / (100 + row.percent)).quantize(MICRO)
                return self._charge(entered - vat, vat, row)
            entered = entered * 100 / (100 + own.percent)
        return self.net(entered, row)

    def net(self, net: Decimal, row: TaxRow | None) -> Charge:
        """Charge an amount that was entered without VAT (shipping and fees always are)."""
        return self._charge(net, net * row.percent / 100 if row else ZERO, row)

    def _charge(self, net: Decimal, vat: Decimal, row: TaxRow | None) -> Charge:
        exact = vat.quantize(MICRO)
        rounded = exact.quantize(CENT, ROUND_HALF_DOWN if self.with_vat else ROUND_HALF_UP)
        return Charge(net.quantize(MICRO), exact, rounded, row)


def six(amount: Decimal) -> str:
    """Write an amount with the six decimals that the shop keeps."""
    return f"{amount.quantize(MICRO):f}"


def number(amount: Decimal) -> int | float:
    """Write an amount as the binary number that WooCommerce's own JSON holds there; never to be counted with."""
    whole = int(amount)
    return whole if whole == amount else int(amount.scaleb(9)) / 10**9


def line_item(item_id: int, article: Article, quantity: int, charge: Charge, full: Charge) -> Json:
    """Return one ``line_items`` entry; ``full`` is the charge before discount."""
    taxes: list[Json] = []
    if charge.row:
        taxes = [{"id": charge.row.id, "total": six(charge.unrounded_vat), "subtotal": six(full.unrounded_vat)}]
    return {
        "id": item_id,
        "name": article.name,
        "product_id": article.product_id,
        "variation_id": 0,
        "quantity": quantity,
        "tax_class": "" if article.tax_class == "standard" else article.tax_class,
        "subtotal": six(full.net),
        "subtotal_tax": six(full.vat),
        "total": six(charge.net),
        "total_tax": six(charge.vat),
        "taxes": taxes,
        "meta_data": [],
        "sku": article.sku,
        "price": number(charge.net / quantity),
        "image": {"id": "", "src": ""},
        "parent_name": None,
    } | charge.extra


def shipping_line(item_id: int, charge: Charge) -> Json:
    """Return one ``shipping_lines`` entry."""
    taxes = [{"id": charge.row.id, "total": six(charge.unrounded_vat), "subtotal": ""}] if charge.row else []
    return {
        "id": item_id,
        "method_title": "PostNL",
        "method_id": "flat_rate",
        "instance_id": "1",
        "total": six(charge.net),
        "total_tax": six(charge.vat),
        "taxes": taxes,
        "tax_status": "taxable",
        "meta_data": [],
    }


def fee_line(item_id: int, name: str, charge: Charge) -> Json:
    """Return one ``fee_lines`` entry."""
    taxes = [{"id": charge.row.id, "total": six(charge.unrounded_vat), "subtotal": ""}] if charge.row else []
    return {
        "id": item_id,
        "name": name,
        "tax_class": "",
        "tax_status": "taxable" if charge.row else "none",
        "amount": f"{charge.net.normalize():f}",
        "total": six(charge.net),
        "total_tax": six(charge.vat),
        "taxes": taxes,
        "meta_data": [],
    }


def tax_lines(first_id: int, goods: Iterable[Charge], shipping: Iterable[Charge]) -> list[Json]:
    """Return the order's VAT per row, each line rounded by itself."""
    totals: dict[TaxRow, list[Decimal]] = {}
    for place, charges in enumerate((goods, shipping)):
        for charge in charges:
            if charge.row is not None:
                totals.setdefault(charge.row, [ZERO, ZERO])[place] += charge.vat
    return [
        {
            "id": first_id + index,
            "rate_code": f"{row.country}-{row.label}-1",
            "rate_id": row.id,
            "label": row.label,
            "compound": False,
            "tax_total": six(on_goods),
            "shipping_tax_total": six(on_shipping),
            "rate_percent": number(row.percent),
            "meta_data": [],
        }
        for index, (row, (on_goods, on_shipping)) in enumerate(totals.items())
    ]


def order_totals(goods: list[Charge], fees: list[Charge], shipping: list[Charge], discount: Charge) -> Json:
    """Return the order's own totals: the sum of the parts, each rounded to the cent."""
    net = sum((charge.net_cents for charge in (*goods, *fees, *shipping)), ZERO)
    cart_vat = sum((charge.vat for charge in (*goods, *fees)), ZERO)
    shipping_vat = sum((charge.vat for charge in shipping), ZERO)
    return {
        "discount_total": six(discount.net),
        "discount_tax": six(discount.vat),
        "shipping_total": six(sum((charge.net for charge in shipping), ZERO)),
        "shipping_tax": six(shipping_vat),
        "cart_tax": six(cart_vat),
        "total": six(net + cart_vat + shipping_vat),
        "total_tax": six(cart_vat + shipping_vat),
    }
