"""Where a cent goes: the choices that totals per rate do not show."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sluis.core.amounts import parts_of, per_rate, settle
from sluis.core.invoice import Prepared
from sluis.core.invoicing import prepare
from sluis.core.order import ChargedVat, LineKind, OrderLine
from sluis.errors import Refused
from tests.core import golden


def line(line_id: str, net: str, *rows: tuple[str, str], vat_total: str | None = None) -> OrderLine:
    vat = tuple(ChargedVat(rate=Decimal(rate), amount=Decimal(amount)) for rate, amount in rows)
    stated = Decimal(vat_total) if vat_total else sum((row.amount for row in vat), start=Decimal("0.00"))
    return OrderLine(
        line_id=line_id, kind=LineKind.GOODS, description="Article", quantity=Decimal(1), net=Decimal(net), vat=vat,
        vat_total=stated,
    )  # fmt: skip


def test_the_largest_lines_give_way_first_a_cent_each() -> None:
    parts = parts_of(
        [line("1", "1.00", ("21", "0.21")), line("2", "9.00", ("21", "1.89")), line("3", "5.00", ("21", "1.05"))]
    )
    up = settle(parts, {Decimal(21): Decimal("3.17")}, Decimal("18.17"))
    assert [str(part.vat) for part in up.parts] == ["0.21", "1.90", "1.06"]
    down = settle(parts, {Decimal(21): Decimal("3.14")}, Decimal("18.14"))
    assert [str(part.vat) for part in down.parts] == ["0.21", "1.88", "1.05"]
    assert (up.residual, down.residual) == (0, 0)


def test_a_line_of_nothing_goes_with_the_largest_line() -> None:
    order = golden.read(golden.CASES / "rounding" / "rounded-at-subtotal" / "order.yaml")
    free = {
        "line_id": "9",
        "kind": "shipping",
        "description": "Pick up",
        "quantity": "1",
        "net": "0.00",
        "vat_total": "0.00",
    }
    decision = prepare(golden.order_of({**order, "lines": [*order["lines"], free]}), golden.settings_of(None))[0]
    assert isinstance(decision, Prepared)
    assert [golden.key(line.treatment) for line in decision.invoice.lines if line.line_id == "9"] == ["S 21 NL"]


def test_a_divided_line_keeps_its_amounts() -> None:
    (nine, high) = parts_of([line("4", "-7.50", ("21", "-1.17"), ("9", "-0.17"))])
    assert (nine.rate, str(nine.net), str(nine.vat)) == (9, "-1.90", "-0.17")
    assert (high.rate, str(high.net), str(high.vat)) == (21, "-5.60", "-1.17")
    assert nine.net + high.net == Decimal("-7.50")


def test_a_row_of_zero_percent_beside_a_rate_that_explains_the_line_is_nothing() -> None:
    (part,) = parts_of([line("1", "10.00", ("21", "2.10"), ("0", "0.00"))])
    assert (part.rate, part.net, part.divided) == (21, Decimal("10.00"), False)


@pytest.mark.parametrize(
    "rows",
    [
        [("5", "0.50"), ("8", "0.80")],  # two taxes that each count over the whole line
        [("21", "1.05"), ("0", "0.00")],  # half the line at 0 %, nobody can say which half
        [("21", "0.00"), ("9", "0.00")],
    ],
)
def test_a_line_that_cannot_be_divided_is_refused(rows: list[tuple[str, str]]) -> None:
    with pytest.raises(Refused) as caught:
        parts_of([line("1", "10.00", *rows)])
    assert (caught.value.code, caught.value.field) == ("vat_rates_on_one_line", "lines[0].vat")


def test_rows_of_one_rate_are_added_up() -> None:
    rows = [
        ChargedVat(rate=Decimal("21.00"), amount=Decimal("1.05")),
        ChargedVat(rate=Decimal(21), amount=Decimal("1.05")),
    ]
    assert per_rate(rows) == {Decimal(21): Decimal("2.10")}


def test_without_vat_per_rate_the_lines_own_rows_count() -> None:
    figures = settle(parts_of([line("1", "10.00", ("21", "2.10"))]), {}, Decimal("12.10"))
    assert (figures.residual, figures.spread) == (0, False)


def test_no_line_no_origin() -> None:
    figures = settle((), {}, Decimal("5.00"))
    assert (figures.residual, figures.origin) == (Decimal("5.00"), None)
