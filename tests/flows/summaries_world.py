"""An integration in daily mode with held documents in a real store, and books that answer as a test tells them to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sluis.core.figures import figures_of
from sluis.core.invoice import DocumentKind, DocumentOutcome, Invoice, VatTreatment
from sluis.core.journal import JournalEntry
from sluis.core.journals import paid_of
from sluis.core.money import cents
from sluis.core.order import LineKind
from sluis.flows import integrations, summaries
from sluis.flows.patience import Patience
from sluis.flows.wiring import Session, open_session
from sluis.ports import Booked
from sluis.privacy.keyring import Keyring
from sluis.store.bookings import Booking
from sluis.store.database import owner_connection
from sluis.store.merchants import Merchants
from sluis.store.reports import RunReport
from tests.core.journals_world import MAPPING, S21, invoice

D1, D2, D3 = date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 3)
NO_WAIT = timedelta(0)
Answer = Callable[[JournalEntry], BaseException | None]


@dataclass
class Books:
    """Journal entries by reference; a list, so that a double stands there twice."""

    entries: list[tuple[str, JournalEntry]] = field(default_factory=list)
    before: list[BaseException] = field(default_factory=list)  #: raised instead of writing, one per call
    after: list[BaseException] = field(default_factory=list)  #: raised when it was written
    finding: list[BaseException] = field(default_factory=list)  #: raised by a look-up
    change: dict[str, Any] = field(default_factory=dict)  #: what the books make of an entry
    calls: list[str] = field(default_factory=list)

    def post(self, entry: JournalEntry) -> Booked:
        self.calls.append(f"post {entry.reference}")
        if self.before:
            raise self.before.pop(0)
        assert entry.lines
        self.entries.append((f"e{len(self.calls)}", entry))
        if self.after:
            raise self.after.pop(0)
        return self._answer(*self.entries[-1])

    def find_entry(self, reference: str, on: date) -> Booked | None:
        self.calls.append(f"find {reference}")
        if self.finding:
            raise self.finding.pop(0)
        hits = [(key, e) for key, e in self.entries if e.reference == reference and abs((e.issue_date - on).days) < 7]
        return self._answer(*hits[0]).model_copy(update={"copies": len(hits)}) if hits else None

    def documents(self, start: date, end: date) -> Iterable[Booked]:
        return [self._answer(key, e) for key, e in self.entries if start <= e.issue_date <= end]

    def _answer(self, key: str, entry: JournalEntry) -> Booked:
        told = Booked(
            external_id=key, reference=entry.reference, issue_date=entry.issue_date, currency=entry.currency,
            total_with_vat=entry.total_with_vat, total_vat=entry.total_vat,
        )  # fmt: skip
        return told.model_copy(update=self.change)

    @property
    def booked(self) -> list[tuple[str, str, int]]:
        """Reference, date and total in cents of every entry."""
        return [(e.reference, e.issue_date.isoformat(), cents(e.total_with_vat)) for _, e in self.entries]


@dataclass
class DailyWorld:
    """One integration, its held documents and its books."""

    settings: dict[str, Any] = field(default_factory=dict)
    books: Books = field(default_factory=Books)
    slept: list[float] = field(default_factory=list)
    _numbers: int = 0

    def __post_init__(self) -> None:
        keyring = Keyring.from_environment()
        with owner_connection() as conn:
            self.merchant = Merchants(conn).add("Test", keyring).code
            new = integrations.NewIntegration(
                merchant=self.merchant, shop="woocommerce", package="moneybird", start_date=date(2026, 1, 1),
                shop_url="https://shop.example.com",
                settings={
                    "booking_mode": "daily", "mapping": MAPPING.model_dump(mode="json"),
                    "package": {"administration_id": "460000000000000001"}, **self.settings,
                },
            )  # fmt: skip
            secrets = {"shop": {"consumer_key": "ck", "consumer_secret": "cs"}, "package": {"token": "t"}}
            self.code = integrations.add(conn, keyring, new, secrets).code

    @contextmanager
    def session(self) -> Iterator[Session]:
        """The integration, opened by a task, with these books."""
        with open_session(self.merchant, self.code, role="task") as session:
            session.__dict__["package"] = self.books
            yield session

    def change(self, **settings: Any) -> None:
        """Change settings."""
        with owner_connection() as conn:
            integrations.change(conn, self.merchant, self.code, settings)

    def hold(self, day: date, document: Invoice | None = None, *, net: str = "100", treatment: VatTreatment = S21,
             back: bool = False) -> str:  # fmt: skip
        """Hold a document for a day, as the Booker does; returns its reference."""
        kind = DocumentKind.CREDIT_NOTE if back else DocumentKind.INVOICE
        document = document or invoice((LineKind.GOODS, treatment, net), kind=kind)
        self._numbers += 1
        number = f"WEB-{1000 + self._numbers}"
        with self.session() as session:
            key = session.pseudonyms.document_key(self.code, document.kind, number)
            sign = document.kind.sign
            session.bookings.hold(
                kind=document.kind, document_key=key, revision=0, reference=number,
                reference_key=session.reference_key(number), order_number=number, fingerprint=key,
                total_cents=sign * cents(document.total_with_vat),
                vat_cents=sign * cents(document.total_vat), currency="EUR", issue_date=day, run_id="held",
                form="journal_entry", figures=figures_of(document), paid=paid_of(document), payment_method="ideal",
            )  # fmt: skip
        return number

    def post(
        self, today: date, run_id: str = "run", patience: Patience | None = None, *, reported: bool = True
    ) -> list[DocumentOutcome]:
        """Post what is due, as a load does, and tell it in a report unless the load dies before that."""
        with self.session() as session:
            mark = session.reports.mark(run_id)
            outcomes = summaries.post_due(
                session, mark, today, patience or Patience(bound=NO_WAIT), NO_WAIT, sleep=self.slept.append
            )
            if reported:
                self.report(session, run_id)
            return outcomes

    def report(self, session: Session, run_id: str) -> None:
        """Close a run with a report that tells of what it booked."""
        now = datetime.now(UTC)
        report = RunReport(
            merchant=self.merchant, integration=self.code, dag_run_id=run_id, try_number=1, run_type="scheduled",
            started_at=now, ended_at=now, window_start=None, window_end=None, settings_version=1, rules_version="r",
            code_version="c", shop_count=None, extracted=0, tally={},
        )  # fmt: skip
        session.reports.append(report, "0" * 64, watermark=None)

    def due(self, today: date) -> bool:
        """Whether a run with nothing new would go on."""
        with self.session() as session:
            return summaries.due(session, today)

    def rows(self) -> dict[str, Booking]:
        """All booking rows by reference."""
        with self.session() as session:
            numbers = [f"WEB-{1000 + n}" for n in range(1, self._numbers + 1)]
            days = [f"{session.integration.settings.reference_prefix}D{2026}{m:02}{d:02}{again}"
                    for m in range(9, 13) for d in range(1, 32) for again in ("", "-2", "-3")]  # fmt: skip
            return {row.reference: row for row in session.bookings.of_orders([], [*numbers, *days])}

    def prove(self) -> None:
        """Every document stands in one entry, every entry once, and they add up to the cent."""
        held = {n: row for n, row in self.rows().items() if row.kind is not DocumentKind.DAY_SUMMARY}
        entries = {n: row for n, row in self.rows().items() if row.kind is DocumentKind.DAY_SUMMARY}
        assert {row.state.value for row in [*held.values(), *entries.values()]} == {"booked"}
        posted = [reference for reference, _, _ in self.books.booked]
        assert len(posted) == len(set(posted))
        for entry in entries.values():
            members = [
                row for row in held.values()
                if (row.summary_key, row.summary_revision) == (entry.document_key, entry.revision)
            ]  # fmt: skip
            assert members
            assert {row.external_id for row in members} == {entry.external_id}
            assert sum(row.total_cents or 0 for row in members) == entry.total_cents
            assert sum(row.vat_cents or 0 for row in members) == entry.vat_cents
        assert sum(row.total_cents or 0 for row in held.values()) == sum(total for _, _, total in self.books.booked)
        assert all(row.summary_key is not None for row in held.values())


def told(outcomes: list[DocumentOutcome]) -> list[tuple[str | None, str, str | None]]:
    """Reference, result and reason of each."""
    return [(o.reference, o.result.value, o.reason) for o in outcomes]
