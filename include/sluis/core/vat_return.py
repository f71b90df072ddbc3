"""From signed figures to the Dutch VAT return: boxes, one stop shop, registrations abroad, and what is in no return.

One table (``place``) says where a figure goes; its docstring names the sources. Every figure goes to exactly one
place, so boxes + OSS + registrations abroad + outside = all figures; box 3c alone repeats what stands under the
registrations abroad. Cents of the books' currency, exact; the whole euros of the form stand beside them.

For another home country than the Netherlands there are no boxes: sums per treatment only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

from sluis.core.figures import Figure
from sluis.core.frozen import Country, Frozen
from sluis.core.invoice import VatCategory, VatScheme, VatTreatment
from sluis.core.money import Number
from sluis.core.order import LineKind
from sluis.core.settings import IntegrationSettings
from sluis.core.territory import EU

HOME_WITH_BOXES = "NL"
_MARGIN = ("VATEX-EU-D", "VATEX-EU-F", "VATEX-EU-I", "VATEX-EU-J")
#: The Dutch rates since 2019 (Wet OB art. 9); any other domestic rate goes to box 1c.
_RATE_BOXES = {Decimal(21): "1a", Decimal(9): "1b"}


class Box(StrEnum):
    """Boxes of the return (aangifte omzetbelasting) that a webshop's sales can fill."""

    HIGH = "1a"
    LOW = "1b"
    OTHER = "1c"
    ZERO = "1e"
    EXPORT = "3a"
    EU = "3b"
    DISTANCE = "3c"


class Outside(StrEnum):
    """What stands in no box: named, so that nothing is left out in silence."""

    MARGIN = "margin"  #: turnover only: the tax is on the margin, which the accountant works out (boxes 1a, 1b)
    EXEMPT = "exempt"  #: Wet OB art. 11
    SMALL_BUSINESS = "small_business"  #: the exemption of Wet OB art. 25, or that of another member state
    VOUCHER = "voucher"  #: multi-purpose vouchers: taxed when they are used (VAT directive art. 30b)
    DEPOSIT = "deposit"  #: on packaging (VAT directive art. 92)
    TIP = "tip"  #: passed on to staff (VAT directive art. 79(c))
    MARKETPLACE = "marketplace"  #: a marketplace owes the VAT (VAT directive art. 14a)
    CASH_ROUNDING = "cash_rounding"  #: no supply
    UNKNOWN = "unknown"  #: a treatment this table has no place for: a person must look at it


class Rules(Frozen):
    """What of the merchant's settings decides the place of a figure."""

    home: Country
    small_business: bool = False
    stock_abroad: bool = False  #: goods leave from another country: a local sale there is none from the home country

    @classmethod
    def of(cls, settings: IntegrationSettings) -> Rules:
        """Read them from an integration's settings."""
        abroad = settings.ships_from not in (None, settings.home_country)
        return cls(home=settings.home_country, small_business=settings.vat_scheme == "kor", stock_abroad=abroad)


@dataclass(frozen=True)
class Place:
    """Where a figure goes: in one of the four."""

    box: Box | None = None
    oss: bool = False
    local: bool = False
    outside: Outside | None = None


class _Key(NamedTuple):
    treatment: VatTreatment | None
    place: Place
    earlier: str  #: the quarter of the sale, where that is an earlier one and it matters


def place(figure: Figure, rules: Rules) -> Place:
    """Return where a figure goes. The table of docs/reference/vat-return.md, row by row.

    Sources: Wet OB 1968 art. 9 and tables I and II (1a, 1b, 1c, 1e, 3a, 3b), art. 12(5) (1e: VAT reversed at home),
    art. 37a (ICP list), art. 28b to 28i (margin), art. 25 (small businesses); VAT directive art. 369a to 369k (OSS);
    the Tax Administration's notes on the return. Sales under OSS fill no box.
    """
    treatment = figure.treatment
    if treatment is None:
        return Place(outside=Outside.CASH_ROUNDING)
    if treatment.scheme is VatScheme.HOME:
        return _at_home(treatment, rules)
    if treatment.scheme is VatScheme.NONE:
        return Place(outside=_in_no_return(figure, treatment, rules))
    return Place(oss=True) if treatment.scheme is VatScheme.OSS else Place(local=True)


def _at_home(treatment: VatTreatment, rules: Rules) -> Place:
    category = treatment.category
    if category is VatCategory.EXEMPT:
        if treatment.exemption in _MARGIN:
            return Place(outside=Outside.MARGIN)
        return Place(outside=Outside.SMALL_BUSINESS if rules.small_business else Outside.EXEMPT)
    if category is VatCategory.REVERSE_CHARGE:
        return Place(box=Box.EU if is_listed(treatment, rules) else Box.ZERO)
    if treatment.country != rules.home:
        return Place(outside=Outside.UNKNOWN)
    return Place(box=_HOME_BOXES.get(category) or Box(_RATE_BOXES.get(treatment.rate, Box.OTHER)))


def _in_no_return(figure: Figure, treatment: VatTreatment, rules: Rules) -> Outside:
    if treatment.category is VatCategory.OUT_OF_SCOPE:
        return Outside.VOUCHER
    if figure.kind in _BY_KIND:
        return _BY_KIND[figure.kind]
    return Outside.MARKETPLACE if treatment.country == rules.home else Outside.SMALL_BUSINESS


#: Category -> box, for VAT of the home country; S goes by its rate.
_HOME_BOXES = {
    VatCategory.ZERO: Box.ZERO,
    VatCategory.OUT_OF_SCOPE: Box.ZERO,  # services taxed outside the EU: "not taxed with you"
    VatCategory.INTRA_COMMUNITY: Box.EU,
    VatCategory.EXPORT: Box.EXPORT,
}
_BY_KIND = {LineKind.DEPOSIT: Outside.DEPOSIT, LineKind.TIP: Outside.TIP}


def is_listed(treatment: VatTreatment | None, rules: Rules) -> bool:
    """Whether the recapitulative statement (ICP; Wet OB art. 37a, VAT directive art. 262) lists it per buyer.

    Goods to businesses elsewhere in the EU, and services whose VAT is charged to them in their own country. A supply
    with the VAT reversed at home is not listed.
    """
    if treatment is None or treatment.scheme is not VatScheme.HOME:
        return False
    if treatment.category is VatCategory.INTRA_COMMUNITY:
        return True
    return treatment.category is VatCategory.REVERSE_CHARGE and (treatment.country != rules.home or treatment.services)


# ------------------------------------------------------------------------------------------------------ the return


class BoxLine(Frozen):
    """One box. Euros: rounded down, which is in the taxpayer's favour for what he owes, also below zero."""

    box: Box
    turnover_cents: int
    vat_cents: int | None  #: ``None``: the box has no amount of VAT
    turnover_euros: int
    vat_euros: int | None


class OssLine(Frozen):
    """Sales of this period under the one stop shop, credit notes on sales of this quarter taken off."""

    country: str
    dispatched_from: str  #: where the goods left from; empty: the home country, or services
    rate: Number
    services: bool
    net_cents: int
    vat_cents: int


class OssCorrection(Frozen):
    """Credit notes on sales of an earlier quarter: corrected in the current return (VAT directive art. 369h)."""

    sold_in: str  #: the quarter of the sale, e.g. ``2026Q2``
    country: str
    dispatched_from: str  #: where the goods left from; empty: the home country, or services
    rate: Number
    services: bool
    net_cents: int
    vat_cents: int


class LocalLine(Frozen):
    """Sales under a registration in another country: that country's return."""

    country: str
    category: VatCategory
    rate: Number
    net_cents: int
    vat_cents: int


class OutsideLine(Frozen):
    """Sales that no box holds."""

    why: Outside
    net_cents: int
    vat_cents: int


class TreatmentSum(Frozen):
    """A sum per treatment: all there is where the home country has no boxes here."""

    category: VatCategory
    rate: Number
    country: str
    scheme: VatScheme
    net_cents: int
    vat_cents: int


class VatReturn(Frozen):
    """What the sales of one shop put into the returns of a period. Other sales of the merchant come on top."""

    home: str
    boxes: tuple[BoxLine, ...] | None  #: ``None``: no Dutch return
    oss: tuple[OssLine, ...]
    oss_corrections: tuple[OssCorrection, ...]
    local: tuple[LocalLine, ...]
    outside: tuple[OutsideLine, ...]
    treatments: tuple[TreatmentSum, ...]


class Maker:
    """Adds figures up into a return. The order in which they come does not matter."""

    def __init__(self, rules: Rules, quarter: str) -> None:
        self._rules = rules
        self._quarter = quarter
        self._sums: dict[_Key, tuple[int, int]] = {}

    def add(self, figures: Iterable[Figure], *, sold_on: date | None = None) -> None:
        """Add a document. ``sold_on``: for a credit note the date of the sale, where it is known."""
        sold_in = quarter_of(sold_on) if sold_on else self._quarter
        for figure in figures:
            found = place(figure, self._rules)
            earlier = sold_in if found.oss and sold_in < self._quarter else ""
            key = _Key(figure.treatment, found, earlier)
            net, vat = self._sums.get(key, (0, 0))
            self._sums[key] = (net + figure.net_cents, vat + figure.vat_cents)

    def make(self) -> VatReturn:
        """Return what was added."""
        boxed = self._rules.home == HOME_WITH_BOXES
        return VatReturn(
            home=self._rules.home,
            boxes=tuple(self._boxes()) if boxed else None,
            oss=tuple(self._oss()),
            oss_corrections=tuple(self._corrections()),
            local=tuple(self._local()),
            outside=tuple(self._outside()),
            treatments=tuple(self._treatments()),
        )

    def _boxes(self) -> Iterable[BoxLine]:
        sums = dict.fromkeys(Box, (0, 0))
        for key, (net, vat) in self._sums.items():
            box = self._abroad(key.treatment) if key.place.local else key.place.box
            if box is not None:
                sums[box] = (sums[box][0] + net, sums[box][1] + vat)
        for box, (turnover, vat) in sums.items():
            has_vat = box in (Box.HIGH, Box.LOW, Box.OTHER)
            yield BoxLine(
                box=box, turnover_cents=turnover, turnover_euros=turnover // 100,
                vat_cents=vat if has_vat else None, vat_euros=vat // 100 if has_vat else None,
            )  # fmt: skip

    def _abroad(self, treatment: VatTreatment | None) -> Box | None:
        """A sale under a registration abroad leaves the home country, unless the stock stands there."""
        if treatment is None or treatment.category is not VatCategory.STANDARD or self._rules.stock_abroad:
            return None
        return Box.DISTANCE if treatment.country in {*EU, "XI"} else Box.EXPORT

    def _oss(self) -> Iterable[OssLine]:
        sums = self._by(_oss_key, lambda key: key.place.oss and not key.earlier)
        for (country, origin, rate, services), (net, vat) in sums:
            yield OssLine(
                country=country, dispatched_from=origin, rate=rate, services=services, net_cents=net, vat_cents=vat
            )

    def _corrections(self) -> Iterable[OssCorrection]:
        for quarter in sorted({key.earlier for key in self._sums} - {""}):
            sums = self._by(_oss_key, partial(_sold_in, quarter))
            for (country, origin, rate, services), (net, vat) in sums:
                yield OssCorrection(
                    sold_in=quarter, country=country, dispatched_from=origin, rate=rate, services=services,
                    net_cents=net, vat_cents=vat,
                )  # fmt: skip

    def _local(self) -> Iterable[LocalLine]:
        for (country, category, rate), (net, vat) in self._by(
            lambda t: (t.country, t.category.value, t.rate), lambda key: key.place.local
        ):
            yield LocalLine(country=country, category=category, rate=rate, net_cents=net, vat_cents=vat)

    def _outside(self) -> Iterable[OutsideLine]:
        for why in Outside:
            amounts = [amount for key, amount in self._sums.items() if key.place.outside is why]
            if amounts:
                yield OutsideLine(why=why, net_cents=sum(a[0] for a in amounts), vat_cents=sum(a[1] for a in amounts))

    def _treatments(self) -> Iterable[TreatmentSum]:
        for (scheme, country, category, rate), (net, vat) in self._by(
            lambda t: (t.scheme.value, t.country, t.category.value, t.rate), bool
        ):
            yield TreatmentSum(
                scheme=scheme, country=country, category=category, rate=rate, net_cents=net, vat_cents=vat
            )

    def _by(
        self, name: Callable[[VatTreatment], tuple[Any, ...]], wanted: Callable[[_Key], bool]
    ) -> list[tuple[tuple[Any, ...], tuple[int, int]]]:
        """Add up what is wanted under a name made of its treatment, sorted by name."""
        sums: dict[tuple[Any, ...], tuple[int, int]] = {}
        for key, (net, vat) in self._sums.items():
            if key.treatment is not None and wanted(key):
                have = sums.get(name(key.treatment), (0, 0))
                sums[name(key.treatment)] = (have[0] + net, have[1] + vat)
        return sorted(sums.items())


def _sold_in(quarter: str, key: _Key) -> bool:
    return key.earlier == quarter


def quarter_of(day: date) -> str:
    """Return the quarter of a day, e.g. ``2026Q3``."""
    return f"{day.year:04d}Q{(day.month + 2) // 3}"


def _oss_key(treatment: VatTreatment) -> tuple[str, str, Decimal, bool]:
    """What the OSS return tells apart (VAT directive art. 369g)."""
    return treatment.country, treatment.dispatched_from, treatment.rate, treatment.services
