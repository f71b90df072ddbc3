"""Registers payments on booked documents, exactly once: claim, pay, record.

The protocol is that of the documents: a claim (committed) before the call, the package's id (committed) after it. A
claim without an answer is looked up among the payments of its document, once the package had time to finish, before
any other try. One call per payment. The document stays booked whatever becomes of its payment.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sluis.core import reasons
from sluis.core.invoice import DocumentKind, DocumentOutcome, Invoice, Result, Role, invoice_id
from sluis.core.money import ZERO, cents, from_cents
from sluis.core.personal import NOBODY, Personal
from sluis.core.reversal import reversal_id
from sluis.errors import NotConfigured, OutcomeUnknown, QuotaSpent, Reconnect, Refused, RetryLater
from sluis.flows import restoring
from sluis.flows.patience import Patience
from sluis.flows.payments_due import Due, Undone, carried, from_shop, missing
from sluis.flows.wiring import Session
from sluis.ports import Form, PaidInBooks, PaymentEntry
from sluis.store.bookings import Booking, BookingState
from sluis.store.payments import PaymentRow, PaymentRows, PaymentState, Place

__all__ = ["PART", "Payments", "missing"]

log = logging.getLogger("sluis.payments")

#: ``part`` of a payment's outcome.
PART = "payment"
#: After so many answers in a row that the package is away, the rest waits for another try.
_AWAY = 3

Key = tuple[DocumentKind, bytes]
Known = dict[tuple[int, bytes], PaymentRow]


class Payments:
    """Registers the payments of one run; the caller holds the administration's lock."""

    def __init__(
        self, session: Session, run_id: str, patience: Patience, settle: timedelta,
        *, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self.must_retry = False  #: a payment was deferred for a cause that another try may mend (not a spent quota)
        self.quota_frees_in: timedelta | None = None  #: the package's own word, once its quota is spent
        self._session, self._run_id, self._patience, self._sleep = session, run_id, patience, sleep
        self._settle = settle
        self._store = PaymentRows(session.conn, session.integration)
        self._settings = session.integration.settings
        self._known: dict[Key, Known] = {}
        self._away = 0
        self._stopped: str | None = None

    def prefetch(self, rows: Iterable[Booking]) -> None:
        """Read what was registered on these documents, in one query; what was read before is forgotten."""
        keys = sorted({(row.kind, row.document_key) for row in rows})
        self._known = {key: {} for key in keys}
        for paid in self._store.of(keys) if keys else ():
            self._known[paid.kind, paid.document_key][_spot(paid)] = paid

    def settle(self, invoice: Invoice, row: Booking) -> tuple[DocumentOutcome, ...]:
        """Register what is still to be registered on a document that stands in the books; nothing for any other.

        ``row`` is the document's own or, of a refund that was credited with its cancelled order, that reversal's.
        Outcomes are ``Role.OWN``: booked, adopted (found in the books), quarantined (``payment_refused``,
        ``mapping_missing``, ``booked_twice``) or deferred. Raises ``Reconnect``.
        """
        own = row.state is BookingState.BOOKED and row.form == "invoice" and row.external_id is not None
        if not (self._settings.register_payments and Form.PAYMENT in self._session.package.forms and row.stands):
            return ()
        key = (row.kind, row.document_key)
        if not (row.revision or (own and (invoice.payments or self._known.get(key)))):
            return ()
        if key not in self._known:
            self._load(key)
        known = self._known[key]
        told = [_again(invoice, row, paid) for paid in known.values() if self._told_anew(paid, row)]
        try:
            undone = self._undone(invoice, row)
            told += self._look_up(invoice, row, known, undone)
            dues = list(carried(invoice, row, known, undone, self._settings)) if undone else []
            if own:
                dues += self._from_shop(invoice, row, known, {due.place.payment_key for due in dues})
                dues = self._beside_others(dues, invoice, row, told)
        except QuotaSpent as error:
            self._stopped, self.quota_frees_in = reasons.QUOTA_SPENT, error.retry_after
            return (*told, _whole(invoice, row, Result.DEFERRED, reasons.QUOTA_SPENT))
        except RetryLater as error:
            return (*told, _whole(invoice, row, Result.DEFERRED, self._unanswered(invoice, error)))
        except Refused as error:
            reason = reasons.BOOKED_TWICE if error.code == reasons.BOOKED_TWICE else reasons.PAYMENT_REFUSED
            field = error.field or error.code
            return (*told, _whole(invoice, row, Result.QUARANTINED, reason, field))
        return (*told, *self._bring_all(invoice, row, dues, undone))

    def _load(self, key: Key) -> None:
        self._known[key] = {(paid.revision, paid.payment_key): paid for paid in self._store.of([key])}

    # ------------------------------------------------------------------------------------------------- what is due

    def _from_shop(self, invoice: Invoice, row: Booking, known: Known, carried_keys: set[bytes]) -> list[Due]:
        """Return what the shop tells and no row holds; a payment that stood on an earlier revision keeps its amount."""
        keys = {payment.payment_id: self._key(invoice, payment.payment_id) for payment in invoice.payments}
        done = {key for (_, key), paid in known.items() if paid.state is PaymentState.BOOKED or paid.emptied}
        dues = from_shop(invoice, row, keys, self._settings)
        return [due for due in dues if due.place.payment_key not in done | carried_keys]

    def _key(self, invoice: Invoice, payment_id: str) -> bytes:
        where = self._session.integration.code
        return self._session.pseudonyms.payment_key(where, invoice.kind, invoice.document_id, payment_id)

    def _undone(self, invoice: Invoice, row: Booking) -> Undone | None:
        """Return the reversals of a document that is booked anew; ``None`` for one that never was."""
        where = self._session.integration.code
        own = self._session.pseudonyms.document_key(where, invoice.kind, invoice.document_id)
        if not row.revision or own != row.document_key:
            return None
        document_id = reversal_id(invoice_id(invoice.order_id, invoice.part))
        key = self._session.pseudonyms.document_key(where, DocumentKind.CREDIT_NOTE, document_id)
        place = (DocumentKind.CREDIT_NOTE, key)
        self._load(place)
        return Undone(key, document_id, self._store.standing(*place), self._known[place])

    # ----------------------------------------------------------------------------------------- what is known already

    def _look_up(self, invoice: Invoice, row: Booking, known: Known, undone: Undone | None) -> list[DocumentOutcome]:
        """Find out what became of claims without an answer, and of what was refused: a person may have registered it.

        On every revision of the document and on its reversals. What stands nowhere is free to be tried again.
        """
        told = []
        for paid in [*known.values(), *(undone.paid.values() if undone else ())]:
            if paid.emptied and paid.state is PaymentState.CLAIMED:  # nobody can tell any more whether it stands there
                told.append(_whole(invoice, row, Result.QUARANTINED, reasons.PAYMENT_REFUSED, reasons.CLAIM_EXPIRED))
            if paid.state is PaymentState.BOOKED or paid.emptied:
                continue
            rows = self._known[paid.kind, paid.document_key]
            document = self._store.standing(paid.kind, paid.document_key).get(paid.revision)
            stand = () if document is None else self._stand(document, paid)
            found = self._match(paid, stand, self._reference(invoice, paid))
            if found is not None:
                rows[_spot(paid)] = self._store.booked(paid, found.external_id)
                told.append(_again(invoice, row, rows[_spot(paid)], Result.ADOPTED))
            elif paid.external_id is None or all(p.external_id != paid.external_id for p in stand):
                self._store.release(paid)
                rows.pop(_spot(paid))
        return told

    def _stand(self, document: str, claim: PaymentRow) -> tuple[PaidInBooks, ...]:
        """Return what stands on a document, not before the package had time to finish what it was sent."""
        wait = (claim.claimed_at + self._settle - datetime.now(UTC)).total_seconds()
        if wait > 0 and claim.state is PaymentState.CLAIMED:
            log.info("a payment has a claim without an answer; waiting %.0f s before it is looked up", wait)
            self._sleep(wait)
        return self._patience.call(lambda: self._session.package.payments(document))

    def _match(self, paid: PaymentRow, stand: Sequence[PaidInBooks], reference: Personal) -> PaidInBooks | None:
        """Return what a row may have made: by our key or its reference, else by amount and day (by hand: any day).

        Raises ``Refused`` where more than one bears its name: a person must delete the others.
        """
        taken, (amount, day) = self._taken(paid), paid.sent
        free = [p for p in stand if p.external_id not in taken and p.amount == from_cents(amount)]
        named = [p for p in free if p.payment_key == _name(paid) or (reference and p.reference == reference)]
        if len(named) > 1:
            field = f"payments copies={len(named)}"
            raise Refused("a payment stands in the books more than once", code=reasons.BOOKED_TWICE, field=field)
        by_hand = paid.state is PaymentState.QUARANTINED
        others = [p for p in free if p.payment_key is None and (by_hand or p.paid_on == day)]
        return next(iter(named or others), None)

    def _taken(self, place: Place) -> set[str | None]:
        rows = self._known.get((place.kind, place.document_key), {})
        return {paid.external_id for paid in rows.values() if paid.state is PaymentState.BOOKED}

    def _beside_others(
        self, dues: Sequence[Due], invoice: Invoice, row: Booking, told: list[DocumentOutcome]
    ) -> list[Due]:
        """Take what others registered: on a document that others booked, or by hand in a closed period. One look."""
        restored = restoring.may_hold(self._session.integration, (due.paid_on for due in dues))
        if not dues or not (row.adopted or restored or any(due.closed for due in dues)):
            return list(dues)
        stand = list(self._patience.call(lambda: self._session.package.payments(str(row.external_id))))
        free = [p for p in stand if p.external_id not in self._taken(dues[0].place)]
        left: list[Due] = []
        for due in dues:
            fits = [p for p in free if p.amount == due.amount and not due.place.revision]
            mine = next((p for p in free if p.payment_key == _name(due.place)), next(iter(fits), None))
            if mine is None or due.account is None:
                left.append(due)
                continue
            free.remove(mine)
            self._claim(due, due.account)
            told.append(self._recorded(invoice, row, due, mine, Result.ADOPTED))
        owed = invoice.kind.sign * sum((payment.amount for payment in invoice.payments), ZERO)
        if left and free and abs(sum((p.amount for p in stand), ZERO) + sum(d.amount for d in left)) > abs(owed):
            raise Refused(
                f"document {row.reference} has payments in the books that are not those of the shop",
                code=reasons.PAYMENT_REFUSED,
                field="payments",
            )
        return left

    def _told_anew(self, paid: PaymentRow, row: Booking) -> bool:
        """Whether an earlier try of this run has registered it, which no report tells yet."""
        booked = (paid.revision, paid.run_id, paid.state) == (row.revision, self._run_id, PaymentState.BOOKED)
        return booked and not paid.emptied

    # ------------------------------------------------------------------------------------------------- the protocol

    def _bring_all(
        self, invoice: Invoice, row: Booking, dues: Sequence[Due], undone: Undone | None
    ) -> list[DocumentOutcome]:
        """Bring what is due; what did not go out over the reversal does not come in again on the replacement."""
        there = undone.paid.items() if undone else ()
        gone = (PaymentState.BOOKED, PaymentState.QUARANTINED)
        stuck = {key for (_, key), paid in there if paid.state not in (gone if paid.emptied else gone[:1])}
        told = []
        for due in dues:
            key, goes_out = due.place.payment_key, due.place.document_key != row.document_key
            if key in stuck and not goes_out:
                continue
            told.append(self._bring(invoice, row, due))
            if goes_out and told[-1].result not in (Result.BOOKED, Result.ADOPTED):
                stuck.add(key)
        return told

    def _bring(self, invoice: Invoice, row: Booking, due: Due) -> DocumentOutcome:
        told = self._impossible(invoice, row, due)
        if told is not None:
            return told
        try:
            paid = self._pay(due, due.account or "")
        except QuotaSpent as error:
            self._stopped, self.quota_frees_in = reasons.QUOTA_SPENT, error.retry_after
            made = _outcome(invoice, row, due, Result.DEFERRED, reason=reasons.QUOTA_SPENT)
        except RetryLater as error:
            made = _outcome(invoice, row, due, Result.DEFERRED, reason=self._unanswered(invoice, error))
        except Refused as error:
            self._away = 0
            self._keep(self._store.quarantine(due.place, reasons.PAYMENT_REFUSED))
            made = _refused(invoice, row, due, error.field or error.code)
        else:
            self._away = 0
            made = self._recorded(invoice, row, due, paid, Result.BOOKED)
        return made

    def _impossible(self, invoice: Invoice, row: Booking, due: Due) -> DocumentOutcome | None:
        """Return the outcome of a payment that cannot be tried now, ``None`` where it can."""
        waits = self._known.get((due.place.kind, due.place.document_key), {}).get(_spot(due.place))
        if due.account is None:
            return _outcome(invoice, row, due, Result.QUARANTINED, reason=reasons.MAPPING_MISSING, field=due.setting)
        if due.closed:
            return _refused(invoice, row, due, "payment_date")
        if waits is not None:
            return _refused(invoice, row, due, "price", waits.external_id)
        return _outcome(invoice, row, due, Result.DEFERRED, reason=self._stopped) if self._stopped else None

    def _pay(self, due: Due, account: str) -> PaidInBooks:
        """Claim and pay; where the quota is spent the claim is taken back before the wait and made anew after it."""
        entry = PaymentEntry(
            payment_key=_name(due.place), paid_on=due.paid_on, amount=due.amount, currency=due.currency,
            account=account, reference=due.reference,
        )  # fmt: skip
        while True:
            self._claim(due, account)
            try:
                return self._session.package.pay(due.external_id, entry)
            except OutcomeUnknown:
                raise
            except (RetryLater, Reconnect, NotConfigured) as error:  # certainly not registered
                self._store.release(due.place)
                self._known[due.place.kind, due.place.document_key].pop(_spot(due.place))
                if not (isinstance(error, QuotaSpent) and self._patience.wait(error)):
                    raise

    def _claim(self, due: Due, account: str) -> None:
        claim = self._store.claim(
            due.place, amount_cents=cents(due.amount), currency=due.currency, paid_on=due.paid_on, account=account,
            run_id=self._run_id,
        )  # fmt: skip
        if claim is None:  # claimed since we looked: by a run whose connection, and lock with it, was lost
            raise OutcomeUnknown("another run has claimed this payment; it is looked up by the next try")
        self._keep(claim)

    def _recorded(self, invoice: Invoice, row: Booking, due: Due, paid: PaidInBooks, result: Result) -> DocumentOutcome:
        """Write the package's id down; what stands with another amount than was sent waits for a person."""
        if paid.amount != due.amount:
            self._keep(self._store.quarantine(due.place, reasons.PAYMENT_REFUSED, paid.external_id))
            return _refused(invoice, row, due, "price", paid.external_id)
        self._keep(self._store.booked(due.place, paid.external_id))
        log.info("order=%s payment %s result=%s", invoice.order_number, row.reference, result.value)
        return _outcome(invoice, row, due, result, external_id=paid.external_id)

    def _keep(self, paid: PaymentRow) -> PaymentRow:
        self._known.setdefault((paid.kind, paid.document_key), {})[_spot(paid)] = paid
        return paid

    def _reference(self, invoice: Invoice, claim: PaymentRow) -> Personal:
        keys = {self._key(invoice, payment.payment_id): payment.reference for payment in invoice.payments}
        return keys.get(claim.payment_key, NOBODY)

    # ---------------------------------------------------------------------------------------------------- deferring

    def _unanswered(self, invoice: Invoice, error: RetryLater) -> str:
        """Note that another try is needed; returns the reason."""
        log.warning("order=%s: a payment was not registered now: %s", invoice.order_number, error)
        self.must_retry = True
        self._away += 1
        if self._away >= _AWAY:
            self._stopped = reasons.PACKAGE_UNAVAILABLE
        return reasons.OUTCOME_UNKNOWN if isinstance(error, OutcomeUnknown) else reasons.PACKAGE_UNAVAILABLE


def _name(place: Place) -> str:
    """Return a payment's name in the package. It is of the place too: one that moved stands on three documents."""
    parts = (place.payment_key, place.kind.value.encode(), place.document_key, str(place.revision).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def _spot(place: Place) -> tuple[int, bytes]:
    return place.revision, place.payment_key


def _refused(invoice: Invoice, row: Booking, due: Due, field: str, external_id: str | None = None) -> DocumentOutcome:
    refused = reasons.PAYMENT_REFUSED
    return _outcome(invoice, row, due, Result.QUARANTINED, reason=refused, field=field, external_id=external_id)


def _outcome(
    invoice: Invoice, row: Booking, due: Due, result: Result, *, reason: str | None = None, field: str | None = None,
    external_id: str | None = None,
) -> DocumentOutcome:  # fmt: skip
    return DocumentOutcome(
        kind=due.place.kind,
        document_id=due.document_id,
        order_id=invoice.order_id,
        order_number=invoice.order_number,
        result=result,
        reason=reason,
        field=field,
        reference=row.reference,
        external_id=external_id,
        issue_date=due.paid_on,
        currency=due.currency,
        total=due.amount,
        warnings=(reasons.DATED_IN_CLOSED_PERIOD,) if due.moved else (),
        part=PART,
        role=Role.OWN,
    )


def _again(invoice: Invoice, row: Booking, paid: PaymentRow, result: Result = Result.BOOKED) -> DocumentOutcome:
    """Tell what an earlier try has registered."""
    amount, day = paid.sent
    due = Due(
        place=paid, document_id=invoice.document_id, external_id=row.external_id or "", currency=paid.currency,
        amount=from_cents(amount), paid_on=day, account=paid.account,
    )  # fmt: skip
    return _outcome(invoice, row, due, result, external_id=paid.external_id)


def _whole(invoice: Invoice, row: Booking, result: Result, reason: str, field: str | None = None) -> DocumentOutcome:
    """Return one outcome for all payments of a document: the books did not say what stands on it."""
    place = Place(kind=row.kind, document_key=row.document_key, revision=row.revision, payment_key=b"")
    paid = invoice.kind.sign * sum((payment.amount for payment in invoice.payments), ZERO)
    due = Due(
        place=place, document_id=invoice.document_id, external_id=row.external_id or "", currency=invoice.currency,
        amount=paid, paid_on=row.issue_date, account=None,
    )  # fmt: skip
    return _outcome(invoice, row, due, result, reason=reason, field=field)
