"""Read the shop into transit: every order changed in the window, once, counted in documents and cents."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from more_itertools import chunked

from sluis.core.order import Order, Unreadable
from sluis.core.run import RunFacts
from sluis.core.summary import Tally, extracted
from sluis.errors import NotConfigured, Reconnect, RetryLater
from sluis.flows import runlog, summaries, window
from sluis.flows.context import Extracted, RunRequest
from sluis.flows.report import close_run
from sluis.flows.wiring import Session, open_session
from sluis.ports import Page, Window
from sluis.store.integrations import IntegrationState
from sluis.transit.store import Transit

log = logging.getLogger("sluis.extract")

#: Documents per chunk in transit: what a task holds in memory at a time. The suites cost as much for 100 as for 500.
CHUNK = 250
#: A page is asked for single orders by at most this many ids.
IDS_PER_CALL = 100
#: A batch that got no chunk for so long was left by a crash. (A load that is kept waiting longer loses its orders, not
#: its place: it fails with ``TransitLost`` and the watermark stays.)
LEFT_BEHIND = timedelta(hours=24)
#: What becomes of a quarantined order that a person offered after it had been deleted in the shop.
GONE = "gone_from_shop"
#: How a connector calls the order of a refund that names none: no order of that name is ever found, so it is not gone.
ORPHAN = "refund-"
#: ISO 4217's code for no currency: for documents whose own could not be read.
NO_CURRENCY = "XXX"


def extract(request: RunRequest) -> Extracted:
    """Read what the run's window holds into transit.

    With nothing new the run ends here: the report is written and, for a scheduled run, the watermark moves. (Where the
    entry of a day is due it goes on, with an empty batch.) A run that fails shreds its own batch
    before it raises; what a crashed run of the merchant left is deleted by the next one.
    Raises what the shop connector raises; ``Reconnect`` also sets the integration's state, so that later scheduled runs
    do not call the vendor.
    """
    with open_session(request.merchant, request.integration, role="task") as session:
        runlog.started("extract", request, session.integration)
        batch_id = Transit.batch_id(request.dag_id, request.run_id)
        session.transit.shred(batch_id)  # what an earlier try left
        if swept := session.transit.sweep(LEFT_BEHIND):
            log.warning("swept chunks=%s of orders that a crashed run of this merchant had left in transit", swept)
        if not _may_run(session, request):
            return Extracted(batch_id=batch_id, nothing_new=True)
        try:
            return _extract(session, request, batch_id)
        except BaseException as error:
            session.transit.shred(batch_id)
            if isinstance(error, Reconnect):
                refuse(session, error)
            raise


def refuse(session: Session, error: Reconnect) -> None:
    """Remember that a credential is dead: scheduled runs stop calling until a person has connected again."""
    where = session.integration
    waits = session.integrations.wait_for_reconnect(where.merchant, where.code, error.code)
    then = "waits for `sluis integration reconnect`" if waits else "is not live any more and stays as it is"
    log.error("credential refused: integration %s/%s %s", where.merchant, where.code, then)


def _may_run(session: Session, request: RunRequest) -> bool:
    """Whether the integration's state lets the run call anybody; a person's own runs fail with the reason instead."""
    integration = session.integration
    if integration.state is IntegrationState.LIVE:
        return True
    what_to_do = {
        IntegrationState.PREVIEW: "`sluis integration go-live` starts booking",
        IntegrationState.PAUSED: "`sluis integration resume` goes on",
        IntegrationState.RECONNECT: "the credential was refused: `sluis integration reconnect`",
        IntegrationState.ENDED: "it has ended",
    }[integration.state]
    if request.run_type == "scheduled":
        log.info("nothing is read: the integration is %s; %s", integration.state.value, what_to_do)
        return False
    message = f"the integration is {integration.state.value}: {what_to_do}"
    if integration.state is IntegrationState.RECONNECT:
        raise Reconnect(message, code=integration.state_reason)
    raise NotConfigured(message, code=f"integration_{integration.state.value}")


def _extract(session: Session, request: RunRequest, batch_id: str) -> Extracted:
    started_at = datetime.now(UTC)
    chosen = window.choose(request, session.integration, started_at)
    offered = () if request.is_backfill else tuple(session.quarantine.offered_order_ids())
    single = tuple(dict.fromkeys((*request.order_ids, *offered)))
    runlog.window_chosen(chosen, session.integration, len(single))
    reading = _Reading(session, request, chosen)
    chunks = 0
    for chunk in chunked(reading.orders(single), CHUNK):
        session.transit.put(batch_id, "extracted", chunks, reading.count(chunk))
        chunks += 1
    session.transit.seal(batch_id, "extracted", chunks)
    facts = reading.facts(started_at)
    session.transit.put(batch_id, "facts", 0, [facts])
    session.transit.seal(batch_id, "facts", 1)
    log.info("extracted documents=%s refunds=%s unreadable=%s shop_count=%s cents=%s",
             facts.documents, reading.refunds, reading.unreadable, facts.shop_count, dict(facts.cents))  # fmt: skip
    today = summaries.reached(session, request, facts.window_end)
    idle = not facts.documents and not summaries.due(session, today)
    if idle:
        session.transit.shred(batch_id)
        close_run(session, request, facts, tally=Tally(), lines=runlog.DocumentLog(), deferred_floor=None)
    return Extracted(
        batch_id=batch_id,
        documents=facts.documents,
        refunds=reading.refunds,
        unreadable=reading.unreadable,
        cents={currency or NO_CURRENCY: money for currency, money in facts.cents.items()},
        shop_count=facts.shop_count,
        window_start=facts.window_start,
        window_end=facts.window_end,
        nothing_new=idle,
    )


@dataclass
class _Reading:
    """One pass over the shop. Holds ids and counts, never more orders than one page."""

    session: Session
    request: RunRequest
    window: Window | None
    documents: int = 0
    refunds: int = 0
    unreadable: int = 0
    shop_count: int | None = None
    cents: Counter[str] = field(default_factory=Counter)
    _seen: set[str] = field(default_factory=set)
    _nameless: int = 0

    def orders(self, single: tuple[str, ...]) -> Iterator[Order | Unreadable]:
        """Yield every order of the window once (a backfill: changed or dated in it), then the single ones."""
        if self.window is not None:
            yield from self._once(self._counted(self.session.shop.read(self.window, by="modified")))
            if self.request.is_backfill:
                yield from self._once(self.session.shop.read(self.window, by="dated"))
        missing = [order_id for order_id in single if order_id not in self._seen]
        for ids in chunked(missing, IDS_PER_CALL):
            yield from self._once(self.session.shop.fetch(ids))
        self._close_gone([order_id for order_id in missing if order_id not in self._seen])
        if self._nameless:
            raise RetryLater(
                f"the shop gave {self._nameless} orders or refunds without a readable id: they can neither be booked"
                " nor found again, so nothing of this window is taken; look at the shop's API (a plugin may filter it)",
                code="id_missing",
            )

    def _close_gone(self, gone: list[str]) -> None:
        """Say which orders that were asked for one by one are not in the shop, and end their stay in quarantine."""
        for order_id in gone:
            if order_id.startswith(ORPHAN):
                continue
            closed = self.session.quarantine.close_order(order_id, GONE)
            log.warning("order=%s is not in the shop any more; closed in quarantine=%s",
                        ",".join(sorted(set(closed))) or order_id, len(closed))  # fmt: skip

    def count(self, chunk: list[Order | Unreadable]) -> list[Order | Unreadable]:
        """Count a chunk in documents and cents; returns it."""
        documents, money = extracted(chunk)
        self.documents += documents
        self.refunds += documents - len(chunk)
        self.unreadable += sum(isinstance(d, Unreadable) for d in chunk)
        self.cents.update(money)
        return chunk

    def facts(self, started_at: datetime) -> RunFacts:
        """Return what must be accounted for at the end of the run."""
        return RunFacts(
            started_at=started_at,
            window_start=self.window.start if self.window else None,
            window_end=self.window.end if self.window else None,
            shop_count=self.shop_count,
            documents=self.documents,
            cents=dict(self.cents),
            read_under=self.session.integration.settings_version,
            settings_version=self.session.integration.settings_version,
        )

    def _counted(self, pages: Iterator[Page]) -> Iterator[Page]:
        """Compare what was read with the shop's own count; a row that went missing makes the run try again."""
        read = 0
        for page in pages:
            if self.shop_count is None:
                self.shop_count = page.shop_count
            read += page.counted if page.counted is not None else len(page.documents)
            yield page
        if self.shop_count is not None and read < self.shop_count:
            raise RetryLater(
                f"the shop says it has {self.shop_count} orders in the window but gave {read}",
                code="shop_count_differs",
            )

    def _once(self, pages: Iterator[Page]) -> Iterator[Order | Unreadable]:
        for page in pages:
            for document in page.documents:
                if _nameless(document):
                    self._nameless += 1
                elif document.order_id not in self._seen:
                    self._seen.add(document.order_id)
                    yield document


def _nameless(document: Order | Unreadable) -> bool:
    """Whether the shop's own id is missing: of an order, or of a refund that names no order either."""
    return not document.order_id.strip() or (isinstance(document, Unreadable) and document.refund_id == "")
