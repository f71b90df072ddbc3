"""Turn what was read into decisions: an invoice to book, or a reason why not. Nothing outside transit is written."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sluis.core import invoicing, reasons
from sluis.core.invoice import Decision, DocumentKind, Prepared, Result, invoice_id
from sluis.core.invoicing import outcome, unreadable
from sluis.core.order import Order, Unreadable
from sluis.core.run import RunFacts
from sluis.core.settings import IntegrationSettings
from sluis.errors import TransitLost
from sluis.flows import payments, runlog
from sluis.flows.context import RunRequest, Transformed
from sluis.flows.evidence import Gathering
from sluis.flows.wiring import Session, open_session
from sluis.ports import AccountingConnector, Form, Window
from sluis.quality.judge import Verdict, judge_extracted, judge_transformed
from sluis.transit.store import Transit

log = logging.getLogger("sluis.transform")


def transform(request: RunRequest) -> Transformed:
    """Decide every document of the batch. Raises ``TransitLost`` when the batch is gone."""
    with open_session(request.merchant, request.integration, role="task") as session:
        runlog.started("transform", request, session.integration)
        batch_id = Transit.batch_id(request.dag_id, request.run_id)
        facts = run_facts(session, batch_id)
        gathering = Gathering(session)
        counts: Counter[str] = Counter(prepared=0, skipped=0, quarantined=0, deferred=0)
        chunks = 0
        for number, documents in session.transit.read(batch_id, "extracted"):
            decisions = decide(documents, session, gathering, read_at=facts.started_at, window=_window(facts))
            session.transit.put(batch_id, "transformed", number, decisions)
            chunks = number + 1
            counts.update("prepared" if isinstance(d, Prepared) else d.result.value for d in decisions)
        decided_under = session.integration.settings_version
        if decided_under != facts.settings_version:
            told = facts.model_copy(update={"settings_version": decided_under})
            session.transit.put(batch_id, "facts", 0, [told])
        session.transit.seal(batch_id, "transformed", chunks)
        log.info("transformed %s", " ".join(f"{name}={number}" for name, number in counts.items()))
        return Transformed(batch_id=batch_id, **counts)


def run_facts(session: Session, batch_id: str) -> RunFacts:
    """Return what ``extract`` said it read. Raises ``TransitLost`` when the batch is gone."""
    facts = next((items[0] for _, items in session.transit.read(batch_id, "facts")), None)
    if not isinstance(facts, RunFacts):
        raise TransitLost("the batch does not say what was read: clear the run from extract on")
    return facts


def _window(facts: RunFacts) -> Window | None:
    if facts.window_start is None or facts.window_end is None:
        return None
    return Window(start=facts.window_start, end=facts.window_end)


def decide(
    documents: Sequence[Order | Unreadable],
    session: Session,
    gathering: Gathering,
    *,
    read_at: datetime,
    window: Window | None,
) -> list[Decision]:
    """Return the decisions per document: the core's, then the package mapping's and the suites' judgement.

    The suites judge what would be booked: a document that the core skips, defers or quarantines keeps the core's
    reason. ``gathering`` asks what a decision rests on. ``read_at`` is the moment of reading (UTC), ``window`` what was
    asked for (``None``: single orders).
    """
    settings = session.integration.settings
    orders = [d for d in documents if isinstance(d, Order)]
    today = read_at.astimezone(settings.zone).date()
    verdict = judge_extracted(orders, settings=settings, read_at=read_at, window=window)
    log_verdict("extracted", verdict)
    decisions: list[Decision] = []
    charged: list[Decimal] = []  # parallel to the prepared ones among the decisions
    position = 0
    gathering.look_up(orders, settings, today)
    for document in documents:
        if isinstance(document, Unreadable):
            decisions.append(unreadable(document))
            continue
        made = gathering.prepared(document, settings, today=today)
        amounts = invoicing.charged(document, made)
        for decision in made:
            judged = _mapped(_flawed(decision, document, position, verdict), session.package, settings)
            decisions.append(_dated(judged, document))
            if isinstance(judged, Prepared):
                charged.append(amounts[judged.invoice.kind, judged.invoice.document_id])
        position += 1
    return _judged(decisions, charged, settings, read_at)


def _flawed(decision: Decision, order: Order, position: int, verdict: Verdict) -> Decision:
    if not isinstance(decision, Prepared):
        return decision
    expectation = verdict.flaw(position, _refund_place(decision, order))
    return decision if expectation is None else _rejected(decision, reasons.QUALITY_FAILED, expectation)


def _mapped(decision: Decision, package: AccountingConnector, settings: IntegrationSettings) -> Decision:
    """Let a document wait that lacks an account: also one for its payment, which would else fail once it is booked."""
    if not isinstance(decision, Prepared):
        return decision
    setting = package.missing(decision.invoice)
    if setting is None and Form.PAYMENT in package.forms:
        setting = payments.missing(decision.invoice, settings, settings.mapping)
    return decision if setting is None else _rejected(decision, reasons.MAPPING_MISSING, setting)


def _dated(decision: Decision, order: Order) -> Decision:
    """Note when a window finds the order. A document that waits for a register's answer carries it from the core."""
    if not isinstance(decision, Prepared):
        return decision
    return decision.model_copy(update={"changed_at": invoicing.changed_at(order)})


def _judged(
    decisions: list[Decision], charged: Sequence[Decimal], settings: IntegrationSettings, read_at: datetime
) -> list[Decision]:
    ready = [(n, d) for n, d in enumerate(decisions) if isinstance(d, Prepared)]
    for rows in _by_number([d.invoice.invoice_number for _, d in ready]):
        batch = [ready[row][1] for row in rows]
        verdict = judge_transformed(batch, [charged[row] for row in rows], settings=settings, read_at=read_at)
        log_verdict("transformed", verdict)
        for row, (place, decision) in enumerate(ready[n] for n in rows):
            expectation = verdict.flaw(row)
            if expectation is not None:
                decisions[place] = _rejected(decision, reasons.QUALITY_FAILED, expectation)
    return decisions


def _by_number(numbers: Sequence[str]) -> list[list[int]]:
    """Return the rows in groups without a repeated number: one group, unless the shop gave a number twice.

    Who had the number first is known to the claim alone; which chunk a row came in must not decide it.
    """
    groups: list[list[int]] = [[]]
    seen: Counter[str] = Counter()
    for row, number in enumerate(numbers):
        if seen[number] == len(groups):
            groups.append([])
        groups[seen[number]].append(row)
        seen[number] += 1
    return groups


def log_verdict(batch: str, verdict: Verdict) -> None:
    """Log what the suite found: names, verdicts and counts only."""
    for checked in verdict.results:
        log.log(
            logging.DEBUG if checked.passed else logging.WARNING,
            "quality batch=%s expectation=%s passed=%s checked=%s failing=%s",
            batch, checked.expectation, checked.passed, checked.checked, checked.failing,
        )  # fmt: skip


def _refund_place(decision: Decision, order: Order) -> int | None:
    """Return the place of a credit note's refund in its order, ``None`` for the order's own documents."""
    document = decision.invoice if isinstance(decision, Prepared) else decision
    if document.kind is DocumentKind.INVOICE:
        return None
    # The only credit note of a refund has the refund's own id, also where it belongs with a further invoice.
    return next(
        n
        for n, r in enumerate(order.refunds)
        if document.document_id in (r.refund_id, invoice_id(r.refund_id, document.part))
    )


def _rejected(decision: Prepared, reason: str, field: str) -> Decision:
    return outcome(decision.invoice, Result.QUARANTINED, reason=reason, field=field)
