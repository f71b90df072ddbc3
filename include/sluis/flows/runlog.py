"""What an auditor reads: what started a run, one line per document, and totals at the end. Never a person.

The lines of documents are hashed in order; the hash stands in the chained run report, so that what a log said can be
proved later.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime

from sluis import __version__
from sluis.core.evidence import Evidence
from sluis.core.invoice import DocumentOutcome, Invoice, Result, Role
from sluis.core.rates import RULES_VERSION
from sluis.flows.context import RunRequest
from sluis.ports import Window
from sluis.store.integrations import Integration

log = logging.getLogger("sluis.run")


def started(task: str, request: RunRequest, integration: Integration) -> None:
    """Say what started the run (Airflow's audit log knows which person), and under which versions it decides."""
    started_by = "person" if request.by_person else "schedule" if request.run_type == "scheduled" else request.run_type
    log.info(
        "%s run=%s type=%s started_by=%s try=%s integration=%s/%s state=%s settings_version=%s rules=%s code=%s",
        task, request.run_id, request.run_type, started_by, request.try_number,
        integration.merchant, integration.code, integration.state.value, integration.settings_version,
        RULES_VERSION, __version__,
    )  # fmt: skip


def window_chosen(window: Window | None, integration: Integration, order_ids: int) -> None:
    """Say which piece of time is read, and from where the watermark stood."""
    log.info(
        "window start=%s end=%s watermark=%s single_orders=%s",
        _moment(window.start if window else None), _moment(window.end if window else None),
        _moment(integration.watermark), order_ids,
    )  # fmt: skip


def document_line(outcome: DocumentOutcome, invoice: Invoice | None = None) -> str:
    """Return the line of one document: number, rule, reference, amounts, VAT per rate, result; no person."""
    parts = [
        f"document kind={outcome.kind.value}",
        f"order={outcome.order_number}",
        f"result={outcome.result.value}",
    ]
    if outcome.reason:
        parts.append(f"reason={outcome.reason}")
    if outcome.field:
        parts.append(f"field={outcome.field}")
    parts += [
        f"rule={outcome.rule or '-'}",
        f"reference={outcome.reference or '-'}",
        f"books_id={outcome.external_id or '-'}",
        f"date={outcome.issue_date or '-'}",
        f"total={outcome.total} {outcome.currency or '-'}",
        f"vat={outcome.vat}",
    ]
    if outcome.part:
        parts.append(f"part={outcome.part}")
    if outcome.role is Role.OWN:
        parts.append("made_by=sluis")
    if outcome.booked_total is not None:
        parts.append(f"booked={outcome.booked_total} {outcome.booked_currency}")
    if invoice is not None:
        parts += _of_invoice(invoice, outcome.reference)
    if outcome.warnings:
        parts.append(f"warnings={','.join(outcome.warnings)}")
    return " ".join(parts)


def _of_invoice(invoice: Invoice, reference: str | None) -> list[str]:
    """Say what only the document itself knows: what it credits, its own date, VAT per rate, and the grounds."""
    parts = []
    if invoice.preceding_invoice and invoice.preceding_invoice != reference:
        parts.append(f"credits={invoice.preceding_invoice}")
    if invoice.original_date is not None:
        parts.append(f"own_date={invoice.original_date}")
    sign = invoice.kind.sign
    rates = ",".join(
        f"{b.treatment.category.value}/{b.treatment.rate.normalize():f}/{b.treatment.country}"
        f":{sign * b.taxable_amount}+{sign * b.vat_amount}"
        for b in invoice.vat_breakdown
    )
    return [*parts, f"rates={rates}", *_grounds(invoice.evidence)]


def _grounds(evidence: Evidence) -> list[str]:
    """Say what the decision rests on: of a checked VAT number the answer, day and request, never the number."""
    check, exchange = evidence.vat_check, evidence.exchange
    parts = []
    if check is not None:
        parts.append(f"vat_check={check.state}/{_moment(check.checked_at)}/{check.request_id or '-'}/{check.source}")
    if exchange is not None:
        parts.append(f"exchange={exchange.currency}/{exchange.rate}/{exchange.on}/{exchange.source}")
    return parts


class DocumentLog:
    """Writes the document lines of one run and hashes them in the order they were written."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def write(self, outcome: DocumentOutcome, invoice: Invoice | None = None) -> None:
        """Log one document; what waits for a person is a warning, the rest information."""
        line = document_line(outcome, invoice)
        self._hash.update(line.encode() + b"\n")
        log.log(logging.WARNING if outcome.result is Result.QUARANTINED else logging.INFO, "%s", line)

    def digest(self) -> str:
        """SHA-256 (hex) over all lines, each with a line feed behind it."""
        return self._hash.hexdigest()


def _moment(value: datetime | None) -> str:
    return value.isoformat(timespec="seconds") if value else "-"
