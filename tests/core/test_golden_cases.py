"""Every folder in tests/cases: an order goes in, the documents in its ``expect.yaml`` come out."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sluis.core.invoicing import prepare
from tests.core import golden


@pytest.mark.parametrize("folder", golden.folders(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_case_comes_out_as_expected(folder: Path) -> None:
    settings = golden.read(folder / "settings.yaml")
    today: date | None = (settings or {}).get("today")
    order = golden.order_of(golden.read(folder / "order.yaml"))
    evidence = golden.evidence_of(golden.read(folder / "evidence.yaml"))
    decisions = prepare(order, golden.settings_of(settings), today=today, evidence=evidence)
    assert [golden.shown(decision) for decision in decisions] == golden.read(folder / "expect.yaml")


def test_there_are_cases() -> None:
    assert len(golden.folders()) >= 25


def test_every_case_says_what_it_is_for() -> None:
    silent = [folder.name for folder in golden.folders() if not golden.read(folder / "order.yaml").get("about")]
    assert silent == []
