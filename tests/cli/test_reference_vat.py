"""``docs/reference/vat.md`` says what the decision table does."""

from __future__ import annotations

from pathlib import Path

from sluis.cli.reference_vat import render
from sluis.core import rates, territory, vat

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "vat.md"


def test_the_page_is_made_from_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), (
        "run: python -m sluis.cli.reference_vat > docs/reference/vat.md"
    )


def test_every_rule_place_and_rate_stands_on_it() -> None:
    page = render()
    assert all(page.count(f"| `{rule.id}` |") == 1 for rule in vat.TABLE)
    assert all(special.name in page for special in territory.SPECIAL)
    assert page.split("## Rates")[1].count(" % |") == len(rates.RATES)
    assert all(f"{rule.law} |" in page for rule in vat.TABLE)


def test_a_rate_with_a_decimal_is_written_out() -> None:
    assert "| FI | 25.5 % | standard | 2024-09-01 | - | AVL § 84 |" in render()
