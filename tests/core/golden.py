"""Reads golden cases and writes decisions in the short form their ``expect.yaml`` uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sluis.core.evidence import Evidence
from sluis.core.invoice import Decision, DocumentOutcome, Invoice, Prepared, VatTreatment
from sluis.core.order import Order, Payment
from sluis.core.settings import IntegrationSettings

CASES = Path(__file__).resolve().parents[1] / "cases"


def read(path: Path) -> Any:
    """Read a YAML file; nothing when it is absent."""
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None


DEFAULTS = read(CASES / "defaults.yaml")


def folders() -> list[Path]:
    """All cases: the folders that hold an ``order.yaml``."""
    return sorted(path.parent for path in CASES.glob("*/*/order.yaml"))


def order_of(data: dict[str, Any]) -> Order:
    """Build an order from its own fields and the defaults."""
    merged = {**DEFAULTS["order"], **{k: v for k, v in data.items() if k != "about"}}
    for key in ("buyer", "ship_to"):
        merged[key] = {**DEFAULTS["order"][key], **data.get(key, {})}
    merged.setdefault("total_vat", "0.00")
    return Order.model_validate(merged)


def evidence_of(data: dict[str, Any] | None) -> Evidence:
    """Build what was asked of registers from ``evidence.yaml``; nothing when it is absent."""
    return Evidence.model_validate(data or {})


def settings_of(data: dict[str, Any] | None) -> IntegrationSettings:
    """Build settings from their own fields and the defaults."""
    fields = {k: v for k, v in (data or {}).items() if k != "today"}
    return IntegrationSettings.model_validate({**DEFAULTS["settings"], **fields})


def shown(decision: Decision) -> dict[str, Any]:
    """Everything that matters of a decision, as plain texts; what is empty is left out."""
    if isinstance(decision, Prepared):
        facts = {**_prepared(decision.invoice), "unless_booked": decision.unless_booked}
    else:
        facts = _outcome(decision)
    return {key: value for key, value in facts.items() if value not in (None, "", [], {}, False)}


def _prepared(invoice: Invoice) -> dict[str, Any]:
    rounding = [line for line in invoice.lines if line.kind is None]
    return {
        "document": invoice.kind.value,
        "result": "prepared",
        "part": invoice.part,
        "number": invoice.invoice_number,
        "preceding": invoice.preceding_invoice,
        "earlier": invoice.earlier,
        "date": invoice.issue_date.isoformat(),
        "original_date": invoice.original_date.isoformat() if invoice.original_date else None,
        "rule": invoice.rule,
        "total": str(invoice.total_with_vat),
        "cash_rounding": str(invoice.rounding_amount) if invoice.rounding_amount else None,
        "charged": _charged(invoice),
        "payments": [_payment(payment) for payment in invoice.payments],
        "due": str(invoice.amount_due),
        "rates": _rates(invoice),
        "rounding": [f"{line.net} in {key(line.treatment)}" for line in rounding],
        "warnings": list(invoice.warnings),
    }


def _rates(invoice: Invoice) -> dict[str, str]:
    """Amounts per treatment; two exemptions of one category are told apart by their code."""
    rates: dict[str, str] = {}
    for part in invoice.vat_breakdown:
        name = key(part.treatment)
        name = f"{name} {part.treatment.exemption or 'without code'}" if name in rates else name
        rates[name] = f"{part.taxable_amount} + {part.vat_amount}"
    return rates


def _charged(invoice: Invoice) -> str | None:
    """What the shop charged, where the books hold another currency: ``USD 60.50, VAT 10.50``."""
    if not invoice.charged_currency:
        return None
    return f"{invoice.charged_currency} {invoice.charged_total}, VAT {invoice.charged_vat}"


def _payment(payment: Payment) -> str:
    return f"{payment.amount} by {'gift card' if payment.gift_card else payment.method}"


def _outcome(outcome: DocumentOutcome) -> dict[str, Any]:
    return {
        "document": outcome.kind.value,
        "result": outcome.result.value,
        "reason": outcome.reason,
        "field": outcome.field,
        "date": outcome.issue_date.isoformat() if outcome.issue_date else None,
        "total": str(outcome.total),
    }


def key(treatment: VatTreatment) -> str:
    """``S 21 NL``: the form of the mapping's keys."""
    return f"{treatment.category.value} {treatment.rate} {treatment.country}"
