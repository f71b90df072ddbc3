"""Ask others what an order's decision rests on, each number once, and decide the order with the answers.

The core says what it needs (``invoicing.needs``); here it is asked: a VAT number at VIES, a rate at the ECB. What a
document was booked on stays its ground: its rate, and its number's yes as long as nothing of the order changed. Else a
number that is given up next year, or a register that is away, would undo what was right on its day.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

from sluis.core import bookable, vat
from sluis.core.evidence import NO_EVIDENCE, Evidence, ExchangeRate, Needs, VatCheck
from sluis.core.invoice import Decision, DocumentKind, Prepared, invoice_id
from sluis.core.invoicing import needs, prepare
from sluis.core.order import Order
from sluis.core.settings import IntegrationSettings
from sluis.flows.wiring import Session
from sluis.store.bookings import Booking, BookingState
from sluis.store.vat_checks import KEPT_FOR

log = logging.getLogger("sluis.evidence")

#: After so many questions in a row without an answer a member state is not asked again in this run.
STATE_SILENT = 3
#: After so many in a row over all member states the register itself is taken to be away.
REGISTER_SILENT = 6
#: What may stand in the books, or does.
_STANDS = frozenset({BookingState.CLAIMED, BookingState.HELD, BookingState.BOOKED})


class Gathering:
    """The questions of one run. ``keep`` tells whether answers are stored (a preview writes nothing)."""

    def __init__(
        self, session: Session, *, keep: bool = True, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._session, self._keep, self._now = session, keep, now
        self._answers: dict[bytes, VatCheck] = {}
        self._rates: dict[tuple[str, date], ExchangeRate | None] = {}
        self._silence: Counter[str] = Counter()  # per member state, "" for the register as a whole
        self._booked: dict[str, Booking] = {}

    def look_up(self, orders: Sequence[Order], settings: IntegrationSettings, today: date | None) -> None:
        """Read what these orders were booked on, in one query; nothing where none of them needs an answer."""
        names = self._session.pseudonyms
        code, kind = self._session.integration.code, DocumentKind.INVOICE
        keys = {
            names.document_key(code, kind, invoice_id(order.order_id)): order.order_id
            for order in orders
            if needs(order, settings, today=today) != Needs()
        }
        found = self._session.bookings.latest([(kind, key) for key in sorted(keys)]) if keys else {}
        self._booked = {keys[key]: row for (_, key), row in found.items() if row.state in _STANDS}

    def prepared(
        self, order: Order, settings: IntegrationSettings, *, today: date | None = None
    ) -> tuple[Decision, ...]:
        """Return the core's decisions about an order (``invoicing.prepare``) with all that it needs to be asked."""
        asked = needs(order, settings, today=today)
        if asked == Needs():
            return prepare(order, settings, today=today)
        booked = self._booked.get(order.order_id)
        before = (booked.evidence if booked is not None else None) or NO_EVIDENCE
        exchange = self._exchange(asked, before)
        if asked.vat_number and booked is not None and (said_yes := _yes(booked)) is not None:
            ground = Evidence(vat_check=said_yes, exchange=exchange)
            decisions = prepare(order, settings, today=today, evidence=ground)
            if self._unchanged(order, decisions, booked):
                return decisions
        check = self._checked(order, settings) if asked.vat_number else None
        return prepare(order, settings, today=today, evidence=Evidence(vat_check=check, exchange=exchange))

    def _unchanged(self, order: Order, decisions: Sequence[Decision], booked: Booking) -> bool:
        """Whether the order's invoice is what was booked; its VAT number is part of the fingerprint."""
        name = invoice_id(order.order_id)
        invoices = [d.invoice for d in decisions if isinstance(d, Prepared) and d.invoice.document_id == name]
        same = [i for i in invoices if i.kind is DocumentKind.INVOICE]
        return bool(same) and self._session.pseudonyms.fingerprint(same[0]) == booked.fingerprint

    # ---------------------------------------------------------------------------------------------- exchange rates

    def _exchange(self, asked: Needs, before: Evidence) -> ExchangeRate | None:
        """Return the rate that is in the books already, else that of the day."""
        if asked.exchange is None:
            return None
        currency, on = asked.exchange
        if before.exchange is not None and before.exchange.currency == currency:
            return before.exchange
        if (currency, on) not in self._rates:
            rate = self._session.reference_rates.rate(currency, on)
            self._rates[currency, on] = rate
            if rate is None:
                log.warning("no exchange rate currency=%s date=%s", currency, on)
            else:
                log.info("exchange rate currency=%s date=%s rate=%s published=%s source=%s",
                         currency, on, rate.rate, rate.on, rate.source)  # fmt: skip
        return self._rates[currency, on]

    # ------------------------------------------------------------------------------------------------- VAT numbers

    def _checked(self, order: Order, settings: IntegrationSettings) -> VatCheck | None:
        """Return the answer about the buyer's number; ``None`` where it is no number of any member state."""
        country = vat.facts(order, settings, bookable.document_date(order, settings)).number_country or ""
        number = order.buyer.vat_number
        named = self._session.pseudonyms.number_key(number, country)
        if named is None:
            return None
        state, key = named
        if key not in self._answers:
            since = self._now() - KEPT_FOR
            self._answers |= self._session.vat_checks.get([key], since=since)
        if key not in self._answers:
            self._answers[key] = self._ask(order, state, country, settings)
            if self._keep and self._answers[key].state != "unverified":
                self._session.vat_checks.put(key, self._answers[key])
        check = self._answers[key]
        log.info(
            "VAT number check order=%s member_state=%s answer=%s at=%s request=%s source=%s",
            order.number, state, check.state, check.checked_at.isoformat(timespec="seconds"),
            check.request_id or "-", check.source,
        )  # fmt: skip
        return check

    def _ask(self, order: Order, state: str, country: str, settings: IntegrationSettings) -> VatCheck:
        if self._silence[state] >= STATE_SILENT or self._silence[""] >= REGISTER_SILENT:
            return VatCheck(state="unverified", checked_at=self._now())
        check = self._session.vat_register.check(order.buyer.vat_number, requester=settings.vat_number, country=country)
        if check.state != "unverified":
            self._silence[state] = self._silence[""] = 0
            return check
        self._silence.update([state, ""])
        if self._silence[state] == STATE_SILENT or self._silence[""] == REGISTER_SILENT:
            log.warning(
                "the register of VAT numbers stays silent about member state %s: not asked again in this run", state
            )
        return check


def _yes(booked: Booking) -> VatCheck | None:
    """Return the register's yes that an order was booked on; ``None``: there was none.

    Where retention emptied it a yes is supposed: the fingerprint tells whether the order is what was booked on it.
    """
    if booked.emptied:
        return VatCheck(state="valid", checked_at=booked.booked_at or booked.claimed_at)
    check = booked.evidence.vat_check if booked.evidence is not None else None
    return check if check is not None and check.state == "valid" else None
