"""Invoices to write as UBL: every document of the golden cases, in the name of an invented seller."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from lxml import etree

from sluis.accounting.ubl.document import CAC, CBC
from sluis.accounting.ubl.settings import UblSettings
from sluis.core.invoice import Decision, Invoice, Prepared
from sluis.core.invoicing import prepare
from sluis.core.order import Order
from sluis.core.settings import IntegrationSettings
from sluis.shops.woocommerce.mapping import to_order
from sluis.shops.woocommerce.settings import WooCommerceSettings
from tests.core import golden
from tests.shared import shared_root

NAMES = {"cac": CAC, "cbc": CBC}


def settings(target: str = "memory://books", **fields: Any) -> UblSettings:
    """Return settings of an invented Dutch seller; the VAT number is one that checks and belongs to nobody we know."""
    values: dict[str, Any] = {
        "target": target, "seller_name": "Voorbeeld Theehandel B.V.",
        "seller_street": "Sluisweg 1", "seller_postcode": "1234 AB", "seller_city": "Sluisdorp",
        "seller_vat_number": "NL004495445B01", "seller_registration": "12345678",
        "seller_iban": "NL91ABNA0417164300",
    }  # fmt: skip
    return UblSettings.model_validate(values | fields)


def golden_documents() -> Iterator[tuple[str, Invoice]]:
    """Yield every document that a golden case prepares, with a name for it."""
    for folder in golden.folders():
        fields = golden.read(folder / "settings.yaml") or {}
        order = golden.order_of(golden.read(folder / "order.yaml"))
        evidence = golden.evidence_of(golden.read(folder / "evidence.yaml"))
        decisions = prepare(order, golden.settings_of(fields), today=fields.get("today"), evidence=evidence)
        yield from _prepared(f"{folder.parent.name}/{folder.name}", decisions)


def recorded_documents() -> Iterator[tuple[str, Invoice]]:
    """Yield what the recorded orders of a real shop become; nothing where the recordings are not on this machine."""
    folder = shared_root() / "recordings/woocommerce-10.0.2"
    wanted = IntegrationSettings(start_date=date(2020, 1, 1), vat_number_check="off")
    for file in sorted(folder.glob("order-*.json")):
        body = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)["response"]["body"]
        refunds = folder / file.name.replace("order-", "refunds-", 1)
        rows = json.loads(refunds.read_text(), parse_float=Decimal)["response"]["body"] if refunds.exists() else []
        order = to_order(body, rows, WooCommerceSettings(url="https://shop.example"))
        if isinstance(order, Order):
            yield from _prepared(file.stem, prepare(order, wanted))


def _prepared(name: str, decisions: tuple[Decision, ...]) -> Iterator[tuple[str, Invoice]]:
    for decision in decisions:
        if isinstance(decision, Prepared):
            yield f"{name}/{decision.invoice.invoice_number}", decision.invoice


def tree(content: bytes) -> etree._Element:
    """Parse a file."""
    return etree.fromstring(content)


def texts(root: etree._Element, path: str) -> list[str]:
    """Return the texts of all elements on a path."""
    return [str(element.text) for element in root.findall(path, NAMES)]


def rule_files(folder: Path) -> list[Path]:
    """Return the compiled rules (XSLT that gives SVRL) in a folder."""
    return sorted(folder.glob("*.xsl*"))
