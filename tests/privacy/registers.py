"""Small registers for the tests of the page and the difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sluis.privacy.register import Published, Register, read_register

INSTRUCTION = {"nl": "opdracht", "en": "instruction"}
PACKAGE = {"nl": "het boekhoudpakket", "en": "the accounting package"}


def category(name: str = "debtor_link", **other: Any) -> dict[str, Any]:
    """Return one category; ``other`` replaces what it is given."""
    return {
        "id": name, "what": {"nl": f"wat {name} is", "en": f"what {name} is"},
        "places": [{"table": name, "columns": ["customer_key", "debtor_id"]}], "data": "pseudonymous",
        "subjects": ["customer"], "purposes": ["same_debtor"], "role": "processor", "basis": INSTRUCTION,
        "period": "P24M",
        "trigger": {"event": {"nl": "de laatste boeking", "en": "the last booking"}, "column": "last_booked_on"},
        "contract_end": "P30D", "method": "delete_rows", "how": {"nl": "rijen", "en": "rows"},
        "recipients": [PACKAGE], **other,
    }  # fmt: skip


def values(*categories: dict[str, Any], version: int = 1, backup_window: str = "P35D") -> dict[str, Any]:
    """Return a register as its file holds it."""
    found = list(categories or (category(),))
    return {"version": version, "date": "2026-11-24", "backup_window": backup_window, "categories": found}


def register(*categories: dict[str, Any], **other: Any) -> Register:
    """Return a register."""
    return Register.model_validate(values(*categories, **other))


def write(path: Path, *categories: dict[str, Any], **other: Any) -> Published:
    """Write a register and return it as it is read."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(values(*categories, **other)), encoding="utf-8")
    return read_register(path)
