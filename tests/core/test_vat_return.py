"""The boxes of the Dutch VAT return, OSS, registrations abroad, the ICP list: golden figures and one law over all."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluis.core.figures import Figure, negated
from sluis.core.icp import Icp, as_csv
from sluis.core.invoice import VatCategory, VatScheme, VatTreatment
from sluis.core.order import LineKind
from sluis.core.personal import Personal
from sluis.core.settings import IntegrationSettings
from sluis.core.vat_return import Box, Maker, Outside, Rules, VatReturn, quarter_of

NL = Rules(home="NL")
C, S = VatCategory, VatScheme


def figure(
    category: VatCategory, rate: str, country: str, net: int, vat: int = 0, *, scheme: VatScheme = S.HOME,
    exemption: str | None = None, services: bool = False, kind: LineKind | None = LineKind.GOODS,
) -> Figure:  # fmt: skip
    treatment = VatTreatment(
        category=category, rate=rate, country=country, scheme=scheme, exemption=exemption, services=services
    )
    return Figure(kind=kind, category=None, treatment=treatment, net_cents=net, vat_cents=vat)


CASH = Figure(kind=None, category=None, treatment=None, net_cents=-2, vat_cents=0)


def made(*figures: Figure, rules: Rules = NL, quarter: str = "2026Q3") -> VatReturn:
    maker = Maker(rules, quarter)
    maker.add(figures)
    return maker.make()


def boxes(found: VatReturn) -> dict[str, tuple[int, int | None]]:
    return {line.box.value: (line.turnover_cents, line.vat_cents) for line in found.boxes or ()}


# ------------------------------------------------------------------------------------------------------------ golden


def test_a_quarter_of_a_dutch_shop_with_everything() -> None:
    found = made(
        figure(C.STANDARD, "21", "NL", 1_234_567, 259_259),
        figure(C.STANDARD, "21", "NL", 4_959, 1_041, kind=LineKind.SHIPPING),
        figure(C.STANDARD, "9", "NL", 250_000, 22_500),
        figure(C.STANDARD, "13", "NL", 10_000, 1_300),
        figure(C.ZERO, "0", "NL", 5_000),
        figure(C.REVERSE_CHARGE, "0", "NL", 80_000, exemption="VATEX-EU-AE"),
        figure(C.OUT_OF_SCOPE, "0", "NL", 12_000, services=True, exemption="VATEX-EU-O"),
        figure(C.EXPORT, "0", "NL", 45_050),
        figure(C.INTRA_COMMUNITY, "0", "NL", 300_000),
        figure(C.REVERSE_CHARGE, "0", "NL", 60_000, services=True, exemption="VATEX-EU-AE"),
        figure(C.STANDARD, "19", "DE", 100_000, 19_000, scheme=S.LOCAL),
        figure(C.STANDARD, "21", "BE", 40_000, 8_400, scheme=S.OSS),
        figure(C.STANDARD, "5.5", "FR", 2_000, 110, scheme=S.OSS),
        figure(C.EXEMPT, "0", "NL", 70_000, exemption="VATEX-EU-F"),
        figure(C.EXEMPT, "0", "NL", 9_000),
        figure(C.OUT_OF_SCOPE, "0", "NL", 5_000, scheme=S.NONE, kind=LineKind.GIFT_CARD),
        figure(C.EXEMPT, "0", "NL", 2_500, scheme=S.NONE),
        figure(C.EXEMPT, "0", "NL", 150, scheme=S.NONE, kind=LineKind.DEPOSIT),
        figure(C.EXEMPT, "0", "NL", 300, scheme=S.NONE, kind=LineKind.TIP),
        CASH,
    )
    assert boxes(found) == {
        "1a": (1_239_526, 260_300), "1b": (250_000, 22_500), "1c": (10_000, 1_300), "1e": (97_000, None),
        "3a": (45_050, None), "3b": (360_000, None), "3c": (100_000, None),
    }  # fmt: skip
    assert [(o.country, o.rate, o.net_cents, o.vat_cents) for o in found.oss] == [
        ("BE", Decimal(21), 40_000, 8_400), ("FR", Decimal("5.5"), 2_000, 110),
    ]  # fmt: skip
    assert [(x.country, x.net_cents, x.vat_cents) for x in found.local] == [("DE", 100_000, 19_000)]
    assert {x.why: x.net_cents for x in found.outside} == {
        Outside.MARGIN: 70_000, Outside.EXEMPT: 9_000, Outside.VOUCHER: 5_000, Outside.MARKETPLACE: 2_500,
        Outside.DEPOSIT: 150, Outside.TIP: 300, Outside.CASH_ROUNDING: -2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("net", "vat", "turnover_euros", "vat_euros"),
    [(10_099, 2_199, 100, 21), (10_000, 2_100, 100, 21), (-10_001, -2_101, -101, -22), (0, 0, 0, 0)],
)
def test_the_form_takes_whole_euros_in_the_taxpayers_favour(
    net: int, vat: int, turnover_euros: int, vat_euros: int
) -> None:
    (line,) = (b for b in made(figure(C.STANDARD, "21", "NL", net, vat)).boxes or () if b.box is Box.HIGH)
    assert (line.turnover_euros, line.vat_euros) == (turnover_euros, vat_euros)
    assert (line.turnover_cents, line.vat_cents) == (net, vat)


def test_what_leaves_from_a_stock_abroad_is_no_sale_from_home() -> None:
    rules = Rules.of(IntegrationSettings(start_date=date(2026, 1, 1), ships_from="DE", registrations=("DE",)))
    found = made(figure(C.STANDARD, "19", "DE", 1_000, 190, scheme=S.LOCAL), rules=rules)
    assert boxes(found)["3c"] == (0, None)
    assert [x.net_cents for x in found.local] == [1_000]


def test_goods_sold_under_a_british_registration_are_exported() -> None:
    found = made(figure(C.STANDARD, "20", "GB", 1_000, 200, scheme=S.LOCAL))
    assert (boxes(found)["3a"], boxes(found)["3c"]) == ((1_000, None), (0, None))


def test_an_exempt_small_business_fills_no_box() -> None:
    rules = Rules.of(IntegrationSettings(start_date=date(2026, 1, 1), vat_scheme="kor"))
    found = made(figure(C.EXEMPT, "0", "NL", 1_000), rules=rules)
    assert all(line.turnover_cents == 0 for line in found.boxes or ())
    assert [x.why for x in found.outside] == [Outside.SMALL_BUSINESS]


def test_another_home_country_has_sums_and_no_boxes() -> None:
    found = made(figure(C.STANDARD, "21", "BE", 1_000, 210), rules=Rules(home="BE"))
    assert found.boxes is None
    assert [(t.category, t.rate, t.country, t.net_cents, t.vat_cents) for t in found.treatments] == [
        (C.STANDARD, Decimal(21), "BE", 1_000, 210)
    ]


def test_a_credit_note_on_a_sale_of_an_earlier_quarter_corrects_that_quarter_under_oss() -> None:
    maker = Maker(NL, "2026Q3")
    sale = figure(C.STANDARD, "19", "DE", 10_000, 1_900, scheme=S.OSS)
    home = figure(C.STANDARD, "21", "NL", 1_000, 210)
    maker.add([sale, home])
    maker.add(negated([sale, home]), sold_on=date(2026, 6, 30))  # the second quarter
    maker.add(negated([sale]), sold_on=date(2026, 7, 1))  # this one
    found = maker.make()
    assert [(o.net_cents, o.vat_cents) for o in found.oss] == [(0, 0)]
    assert [(o.sold_in, o.country, o.net_cents, o.vat_cents) for o in found.oss_corrections] == [
        ("2026Q2", "DE", -10_000, -1_900)
    ]
    assert boxes(found)["1a"] == (0, 0)  # at home the credit note goes into the current return


def test_quarters() -> None:
    assert [quarter_of(date(2026, month, 1)) for month in (1, 3, 4, 9, 12)] == [
        "2026Q1", "2026Q1", "2026Q2", "2026Q3", "2026Q4",
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------------- properties

treatments = st.builds(
    VatTreatment,
    category=st.sampled_from(VatCategory), rate=st.sampled_from(["0", "5.5", "9", "13", "21"]).map(Decimal),
    country=st.sampled_from(["NL", "DE", "XI", "GB", "MC"]), scheme=st.sampled_from(VatScheme),
    exemption=st.sampled_from([None, "VATEX-EU-F", "VATEX-EU-AE", "VATEX-EU-O"]), services=st.booleans(),
)  # fmt: skip
figures = st.builds(
    Figure,
    kind=st.sampled_from([*LineKind, None]), category=st.none(), treatment=st.none() | treatments,
    net_cents=st.integers(-10**7, 10**7), vat_cents=st.integers(-10**6, 10**6),
)  # fmt: skip
rules = st.builds(Rules, home=st.sampled_from(["NL", "BE"]), small_business=st.booleans(), stock_abroad=st.booleans())
documents = st.lists(
    st.tuples(
        st.lists(figures, max_size=4),
        st.sampled_from([None, date(2025, 1, 2), date(2026, 6, 30), date(2026, 7, 1), date(2026, 9, 30)]),
    ),
    max_size=8,
)


@given(documents=documents, rules=rules)
def test_every_cent_stands_in_exactly_one_place(
    documents: list[tuple[list[Figure], date | None]], rules: Rules
) -> None:
    maker = Maker(rules, "2026Q3")
    for many, sold_on in documents:
        maker.add(many, sold_on=sold_on)
    found = maker.make()
    every = [f for many, _ in documents for f in many]
    net, vat = sum(f.net_cents for f in every), sum(f.vat_cents for f in every)
    cash = sum(f.net_cents + f.vat_cents for f in every if f.treatment is None)
    assert sum(t.net_cents + t.vat_cents for t in found.treatments) + cash == net + vat
    if found.boxes is None:
        return
    assert all((b.turnover_euros == b.turnover_cents // 100) for b in found.boxes)
    placed = [*found.oss, *found.oss_corrections, *found.local, *found.outside]
    own = made(*(f for f in every if f.treatment and f.treatment.scheme is S.LOCAL), rules=rules)
    abroad = {b.box: b.turnover_cents for b in own.boxes or ()}
    boxed = sum(b.turnover_cents - abroad[b.box] for b in found.boxes)
    assert boxed + sum(p.net_cents for p in placed) == net


@given(documents=documents, rules=rules)
def test_the_order_of_documents_changes_nothing(
    documents: list[tuple[list[Figure], date | None]], rules: Rules
) -> None:
    first, second = Maker(rules, "2026Q3"), Maker(rules, "2026Q3")
    for many, sold_on in documents:
        first.add(many, sold_on=sold_on)
    for many, sold_on in reversed(documents):
        second.add(reversed(many), sold_on=sold_on)
    assert first.make() == second.make()


# -------------------------------------------------------------------------------------------------------------- ICP

GOODS = figure(C.INTRA_COMMUNITY, "0", "NL", 100_000)
SERVICES = figure(C.REVERSE_CHARGE, "0", "NL", 25_000, services=True)
AT_HOME = figure(C.REVERSE_CHARGE, "0", "NL", 7_000)


def test_the_icp_list_adds_up_per_number_however_it_was_typed() -> None:
    icp = Icp(NL)
    icp.add([GOODS], Personal("DE136695976"), "DE")
    icp.add([SERVICES], Personal("de 136.695.976"), "DE")
    icp.add(negated([GOODS]), Personal("136695976"), "DE")
    icp.add([GOODS, AT_HOME], Personal("094259216"), "GR")
    (german, greek) = icp.lines()
    assert (german.country, german.goods_cents, german.services_cents) == ("DE", 0, 25_000)
    assert (greek.country, greek.goods_cents, greek.services_cents) == ("EL", 100_000, 0)
    assert as_csv(icp.lines()).splitlines() == [
        "country,vat_number,goods,services", "DE,136695976,0.00,250.00", "EL,094259216,1000.00,0.00",
    ]  # fmt: skip


def test_what_may_be_stored_of_the_icp_list_names_nobody() -> None:
    icp = Icp(NL)
    icp.add([GOODS], Personal("DE136695976"), "DE")
    icp.add([GOODS], Personal("no number"), "DE")
    totals = [t.model_dump(mode="json") for t in icp.totals()]
    assert totals == [
        {"country": "", "numbers": 0, "goods_cents": 100_000, "services_cents": 0},
        {"country": "DE", "numbers": 1, "goods_cents": 100_000, "services_cents": 0},
    ]
    assert "136695976" not in repr(icp.lines()) + repr([line.model_dump_json() for line in icp.lines()])


def test_the_icp_list_holds_what_box_3b_holds() -> None:
    icp = Icp(NL)
    every = [GOODS, SERVICES, AT_HOME, figure(C.STANDARD, "21", "NL", 1_000, 210), figure(C.EXPORT, "0", "NL", 500)]
    icp.add(every, Personal("DE136695976"), "DE")
    listed = sum(line.goods_cents + line.services_cents for line in icp.lines())
    assert listed == boxes(made(*every))["3b"][0] == 125_000
