"""The golden cases of VAT law: each number of the list has its folders, and each booking says in which return it goes.

``treatments.yaml`` of a case holds, per VAT category, rate and country, the exemption code (BT-121) and the return.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sluis.core.invoice import Prepared
from sluis.core.invoicing import prepare
from tests.core import golden

NUMBERS = range(1, 20)
WITH_TREATMENTS = sorted(path.parent for path in golden.CASES.glob("vat*/*/treatments.yaml"))


@pytest.mark.parametrize("folder", WITH_TREATMENTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_booking_says_why_there_is_no_vat_and_where_it_is_declared(folder: Path) -> None:
    order = golden.order_of(golden.read(folder / "order.yaml"))
    evidence = golden.evidence_of(golden.read(folder / "evidence.yaml"))
    decisions = prepare(order, golden.settings_of(golden.read(folder / "settings.yaml")), evidence=evidence)
    found = [
        {golden.key(t): f"{t.exemption or 'no code'}, {t.scheme.value}{', services' if t.services else ''}"}
        for decision in decisions
        if isinstance(decision, Prepared)
        for t in (part.treatment for part in decision.invoice.vat_breakdown)
    ]
    assert found == golden.read(folder / "treatments.yaml")


@pytest.mark.parametrize("number", NUMBERS)
def test_every_case_of_the_list_has_two_folders(number: int) -> None:
    assert len(list((golden.CASES / f"vat{number:02}").glob("*/order.yaml"))) >= 2


@pytest.mark.parametrize("number", [number for number in NUMBERS if number not in (13, 14, 15, 16)])
def test_one_of_them_is_a_trap(number: int) -> None:
    assert list((golden.CASES / f"vat{number:02}").glob("trap-*/order.yaml"))


def test_the_treatments_of_many_cases_are_held() -> None:
    assert len(WITH_TREATMENTS) >= 45
