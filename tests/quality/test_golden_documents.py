"""What the core makes of the golden cases passes both suites: parts, cash rounding, conversions, earlier sales."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from sluis.core.invoice import Prepared
from sluis.core.invoicing import charged, prepare
from sluis.core.money import CENT
from sluis.core.order import Order
from sluis.core.settings import IntegrationSettings
from sluis.quality.judge import judge_extracted, judge_transformed
from tests.core import golden

READ_AT = datetime(2028, 1, 1, tzinfo=UTC)
SETTINGS = IntegrationSettings(start_date=date(2010, 1, 1))


class Case(NamedTuple):
    """A golden case with ids of its own, and what the core prepares of it."""

    name: str
    order: Order
    prepared: tuple[Prepared, ...]
    charged: tuple[Decimal, ...]


@cache
def cases() -> list[Case]:
    return [_case(n, folder) for n, folder in enumerate(golden.folders())]


def _case(n: int, folder: Path) -> Case:
    own = golden.read(folder / "settings.yaml")
    order = golden.order_of(golden.read(folder / "order.yaml"))
    refunds = tuple(r.model_copy(update={"refund_id": f"{n}0{r.refund_id}"}) for r in order.refunds)
    order = order.model_copy(update={"order_id": f"o{n}", "number": f"{n}-{order.number}", "refunds": refunds})
    evidence = golden.evidence_of(golden.read(folder / "evidence.yaml"))
    decisions = prepare(order, golden.settings_of(own), today=(own or {}).get("today"), evidence=evidence)
    prepared = tuple(decision for decision in decisions if isinstance(decision, Prepared))
    amounts = charged(order, decisions)
    return Case(
        f"{folder.parent.name}/{folder.name}",
        order,
        prepared,
        tuple(amounts[p.invoice.kind, p.invoice.document_id] for p in prepared),
    )


def test_no_document_is_held_back() -> None:
    prepared = [(case.name, p) for case in cases() for p in case.prepared]
    amounts = [amount for case in cases() for amount in case.charged]
    verdict = judge_transformed([p for _, p in prepared], amounts, settings=SETTINGS, read_at=READ_AT)
    assert [(prepared[flaw.position][0], flaw.expectation) for flaw in verdict.flaws] == []
    assert {"voucher"} <= {p.invoice.part for _, p in prepared}
    assert any(p.invoice.rounding_amount for _, p in prepared)
    assert any(p.invoice.charged_currency for _, p in prepared)
    assert any(p.invoice.earlier for _, p in prepared)


def test_no_order_or_refund_that_is_prepared_is_held_back() -> None:
    ready = [case for case in cases() if case.prepared]
    verdict = judge_extracted([case.order for case in ready], settings=SETTINGS, read_at=READ_AT)
    held = []
    for flaw in verdict.flaws:
        case = ready[flaw.position]
        document_id = case.order.order_id if flaw.refund is None else case.order.refunds[flaw.refund].refund_id
        if any(p.invoice.document_id == document_id for p in case.prepared):
            held.append((case.name, flaw.expectation))
    assert held == []


@pytest.mark.parametrize("of", ["voucher", "charged_currency", "rounding_amount", "earlier"])
def test_a_cent_that_was_not_charged_is_still_seen(of: str) -> None:
    found = [
        (p, amount)
        for case in cases()
        for p, amount in zip(case.prepared, case.charged, strict=True)
        if (p.invoice.part == of if of == "voucher" else getattr(p.invoice, of))
    ]
    verdict = judge_transformed([p for p, _ in found[:1]], [found[0][1] + CENT], settings=SETTINGS, read_at=READ_AT)
    assert [flaw.expectation for flaw in verdict.flaws] == ["total_as_charged"]


def test_vat_that_was_left_out_of_a_credit_note_is_still_seen() -> None:
    (note,) = [p for case in cases() if case.name == "vat14/refund-of-the-other-country" for p in case.prepared[1:]]
    line = note.invoice.lines[0]
    wrong = line.model_copy(update={"net": line.net + line.vat, "vat": line.vat * 0})
    part = note.invoice.vat_breakdown[0].model_copy(update={"taxable_amount": wrong.net, "vat_amount": wrong.vat})
    invoice = note.invoice.model_copy(
        update={
            "lines": (wrong,),
            "vat_breakdown": (part,),
            "total_without_vat": wrong.net,
            "total_vat": wrong.vat,
        }
    )
    verdict = judge_transformed(
        [note.model_copy(update={"invoice": invoice})], [invoice.owed], settings=SETTINGS, read_at=READ_AT
    )
    assert [flaw.expectation for flaw in verdict.flaws] == ["vat_fits_rate"]
