"""What a booking row says, and the pieces of SQL that read and write it; the statements stand in ``store.bookings``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any, Literal

from psycopg.types.json import Jsonb

from sluis.core.evidence import NO_EVIDENCE, Evidence
from sluis.core.figures import Figures
from sluis.core.frozen import Currency, Frozen, Moment
from sluis.core.invoice import DocumentKind
from sluis.core.journals import Paid

#: As what a document stands in the books by itself; a part of a day's summary is ``journal_entry``.
BookingForm = Literal["invoice", "journal_entry"]


class BookingState(StrEnum):
    """Where a document stands."""

    CLAIMED = "claimed"
    HELD = "held"  #: waits for its day's journal entry, or is part of one
    BOOKED = "booked"
    QUARANTINED = "quarantined"


class Booking(Frozen):
    """One document in one revision. Amounts in cents of ``currency``, signed: negative for a credit note."""

    kind: DocumentKind
    document_key: bytes  #: keyed hash of the shop's id
    revision: int  #: 0, and one more for every replacement; of a reversal: the revision that it reverses
    state: BookingState
    reference: str | None  #: the document's number in the books; ``None`` once retention emptied it
    reference_key: bytes | None  #: keyed hash of the number it was claimed under; ``None``: claimed by an older sluis
    order_number: str | None  #: ``None`` once retention emptied it
    claimed_at: Moment
    attempts: int  #: how often it was claimed; above 1 the outcome of an earlier attempt is unknown
    booked_at: Moment | None
    external_id: str | None  #: the package's id
    debtor_id: str | None  #: the package's id of the debtor
    fingerprint: bytes  #: keyed hash of what the books hold of it
    total_cents: int | None  #: with VAT, as sent; ``None`` once retention emptied it
    vat_cents: int | None
    package_total_cents: int | None  #: with VAT, as the package computed it
    package_vat_cents: int | None
    currency: Currency
    issue_date: date
    adopted: bool  #: found in the books, not created by us
    reason: str | None  #: why it is quarantined, a code
    run_id: str
    form: BookingForm = "invoice"
    figures: Figures | None = None  #: ``None``: unknown (adopted), or emptied by retention
    paid: tuple[Paid, ...] | None = None  #: when it was booked, signed; ``None``: as for ``figures``
    payment_method: str | None = None
    evidence: Evidence | None = None
    original_date: date | None = None  #: the date it would have had, where its period was closed
    summary_key: bytes | None = None  #: the day summary that holds it (``state`` held)
    summary_revision: int | None = None

    @property
    def key(self) -> tuple[DocumentKind, bytes]:
        """What the document is found by."""
        return self.kind, self.document_key

    @property
    def emptied(self) -> bool:
        """Whether retention has emptied its number and amounts (a claim always writes a total)."""
        return self.total_cents is None

    @property
    def stands(self) -> bool:
        """Whether the books hold it, or will by its day's summary."""
        return self.state in (BookingState.BOOKED, BookingState.HELD)

    @property
    def waits_for_summary(self) -> bool:
        """Whether it is held and no summary has taken it yet, so that it may still be changed."""
        return self.state is BookingState.HELD and self.summary_key is None


COLUMNS = """b.kind, b.document_key, b.revision, b.state, b.reference, b.order_number, b.claimed_at, b.attempts,
    b.booked_at, b.external_id, b.debtor_id, b.fingerprint, b.total_cents, b.vat_cents, b.package_total_cents,
    b.package_vat_cents, b.currency, b.issue_date, b.adopted, b.reason, b.run_id, b.form, b.figures, b.paid,
    b.payment_method, b.evidence, b.original_date, b.summary_key, b.summary_revision, b.reference_key"""
RETURNING = " returning " + COLUMNS
HERE = """ where b.merchant_code = %(merchant)s and b.integration_code = %(integration)s and b.kind = %(kind)s
    and b.document_key = %(document_key)s and b.revision = %(revision)s"""
INSERT = """insert into sluis.booking as b (merchant_code, integration_code, administration_key, kind, document_key,
    revision, state, reference, reference_key, order_number, fingerprint, total_cents, vat_cents, currency, issue_date,
    run_id, external_id, debtor_id, package_total_cents, package_vat_cents, adopted, booked_at, form, figures, paid,
    payment_method, evidence, original_date)
    values (%(merchant)s, %(integration)s, %(administration)s, %(kind)s, %(document_key)s, %(revision)s, %(state)s,
    %(reference)s, %(reference_key)s, %(order_number)s, %(fingerprint)s, %(total_cents)s, %(vat_cents)s, %(currency)s,
    %(issue_date)s, %(run_id)s, %(external_id)s, %(debtor_id)s, %(package_total_cents)s, %(package_vat_cents)s,
    %(adopted)s, case when %(state)s = 'booked' then now() end, %(form)s, %(figures)s, %(paid)s, %(payment_method)s,
    %(evidence)s, %(original_date)s) on conflict do nothing"""
ADOPT = (
    """update sluis.booking as b set state = 'booked', booked_at = now(), reason = null, adopted = true,
    external_id = %(external_id)s, debtor_id = %(debtor_id)s, fingerprint = %(fingerprint)s,
    reference = coalesce(b.reference, %(reference)s), reference_key = coalesce(b.reference_key, %(reference_key)s),
    order_number = coalesce(b.order_number, %(order_number)s),
    total_cents = %(total_cents)s, vat_cents = %(vat_cents)s, issue_date = %(issue_date)s,
    package_total_cents = %(package_total_cents)s, package_vat_cents = %(package_vat_cents)s,
    form = %(form)s, figures = %(figures)s, paid = %(paid)s, payment_method = %(payment_method)s,
    evidence = %(evidence)s, run_id = %(run_id)s"""
    + HERE
    + " and b.state in ('claimed', 'quarantined')"
    + RETURNING
)
REHOLD = (
    """update sluis.booking as b set fingerprint = %(fingerprint)s, total_cents = %(total_cents)s,
    vat_cents = %(vat_cents)s, currency = %(currency)s, issue_date = %(issue_date)s, figures = %(figures)s,
    paid = %(paid)s, payment_method = %(payment_method)s, evidence = %(evidence)s, original_date = %(original_date)s,
    run_id = %(run_id)s"""
    + HERE
    + " and b.state = 'held' and b.summary_key is null"
    + RETURNING
)
#: What a document's answer adds to its content; nothing is known before it.
NO_ANSWER: dict[str, Any] = {
    "external_id": None, "debtor_id": None, "package_total_cents": None, "package_vat_cents": None, "adopted": False,
}  # fmt: skip


def content(
    *,
    reference: str,
    reference_key: bytes,
    order_number: str,
    fingerprint: bytes,
    total_cents: int,
    vat_cents: int,
    currency: str,
    issue_date: date,
    run_id: str,
    form: BookingForm = "invoice",
    figures: Figures | None = None,
    paid: tuple[Paid, ...] | None = None,
    payment_method: str = "",
    evidence: Evidence = NO_EVIDENCE,
    original_date: date | None = None,
) -> dict[str, Any]:
    """Return what is written of a document's content, as parameters. Cents signed; ``figures`` too.

    ``reference_key``: ``Pseudonyms.reference_key`` of the reference; it outlives that, so that no number comes twice.
    """
    return {
        "reference": reference, "reference_key": reference_key, "order_number": order_number,
        "fingerprint": fingerprint, "total_cents": total_cents,
        "vat_cents": vat_cents, "currency": currency, "issue_date": issue_date, "run_id": run_id, "form": form,
        "figures": _jsonb(figures), "paid": _jsonb(paid),
        "payment_method": payment_method or None,
        "evidence": None if evidence == NO_EVIDENCE else Jsonb(evidence.model_dump(mode="json")),
        "original_date": original_date,
    }  # fmt: skip


def _jsonb(models: Sequence[Frozen] | None) -> Jsonb | None:
    return None if models is None else Jsonb([model.model_dump(mode="json") for model in models])


def booking(found: Mapping[str, Any]) -> Booking:
    """Read a row."""
    return Booking(**found)
