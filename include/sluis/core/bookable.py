"""Whether a document is to be booked at all, and under which date: the skips, before any amount is looked at."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from typing import NamedTuple, TypeVar

from sluis.core import reasons, territory
from sluis.core.order import Order
from sluis.core.settings import IntegrationSettings
from sluis.errors import Refused

T = TypeVar("T")

#: A booking key lives 24 months; a document is booked by itself until a month before that.
LIFE_IN_MONTHS = 23
#: Sold, paid, and given back in full: order and credit note both belong in the books.
REFUNDED = "refunded"
#: An order that ended without a sale; it never becomes bookable any more. A connector's mapping uses these words.
ENDED = frozenset({"cancelled", "failed", "trash"})

#: Settings of a shop connector that decide what is skipped: whatever connector, what it calls a test goes under this.
SHOP_SKIPS = ("test_payments",)


def document_date(order: Order, settings: IntegrationSettings) -> date:
    """Return the date of the order's invoice in the shop's time zone (``settings.document_date``).

    A date that is not there yet falls back: completed, then paid, then that of the order.
    """
    return local_date(getattr(order, dated_by(order, settings)), settings)


def local_date(moment: datetime, settings: IntegrationSettings) -> date:
    """Return the day of ``moment`` in the shop's time zone (at the end of the calendar that in UTC)."""
    try:
        return moment.astimezone(settings.zone).date()
    except OverflowError:
        return moment.date()


class Dated(NamedTuple):
    """The date of a document in the books. ``original``: its own, where that lies in a closed period."""

    day: date
    original: date | None = None
    unless_booked: str | None = None  #: the reason to quarantine it, where it does not stand in the books already


def booked_on(day: date, settings: IntegrationSettings) -> Dated:
    """Return the date a document of ``day`` gets in the books, closed periods looked at (``settings.closed_period``).

    What was booked before its period was closed stays booked: only who knows the books can tell that.
    """
    closed = settings.books_closed_until
    if closed is None or day > closed:
        return Dated(day)
    if settings.closed_period == "first_open_day":
        return Dated(closed + timedelta(days=1), original=day)
    return Dated(day, unless_booked=reasons.PERIOD_CLOSED)


def not_in_future(day: date, today: date | None, field: str) -> None:
    """Refuse (``date_in_future``) a day after tomorrow and later.

    A shop's clock may run ahead over midnight: the hours up to then are judged by the suite, to the second.
    """
    if today is not None and day > today + timedelta(days=1):
        raise Refused("dated in the future", code=reasons.DATE_IN_FUTURE, field=field)


def dated_by(order: Order, settings: IntegrationSettings) -> str:
    """Return the field of the order that its document date comes from."""
    moments = {"completed": ("completed_at", "paid_at"), "paid": ("paid_at",), "order": ()}
    return next((name for name in moments[settings.document_date] if getattr(order, name) is not None), "created_at")


def oldest_bookable(today: date) -> date:
    """Return the first day whose documents are still booked by themselves on the day ``today``."""
    months = today.year * 12 + today.month - 1 - LIFE_IN_MONTHS
    year, month = divmod(months, 12)
    return date(year, month + 1, min(today.day, calendar.monthrange(year, month + 1)[1]))


def skip_reason(order: Order, settings: IntegrationSettings, on: date, today: date | None) -> str | None:
    """Return why the order is not to be booked (a code of :mod:`sluis.core.reasons`), ``None`` when it is.

    ``on`` is its document date. ``today`` ``None``: age is not looked at (a preview of the past, a person's wish). Age
    counts from the order's own date where that is earlier: a shop that dates an old order anew (paid or completed once
    more) would have it booked again after its booking's key has expired.
    """
    since = min(on, local_date(order.created_at, settings))
    judged = (
        (order.is_test, reasons.TEST),
        (_elsewhere(order, settings), reasons.OTHER_INTEGRATION),
        (on < settings.start_date, reasons.BEFORE_START),
        (not _trigger(order, settings), reasons.STATUS_NOT_BOOKABLE),
        (order.paid_at is None and _per_method(settings.require_paid, order, default=False), reasons.NOT_PAID),
        (today is not None and since < oldest_bookable(today), reasons.TOO_OLD),
    )
    return next((reason for skipped, reason in judged if skipped), None)


def sold(order: Order, settings: IntegrationSettings) -> bool:
    """Whether there was a sale, whatever became of it: paid, or in a status in which it is booked."""
    return order.paid_at is not None or _trigger(order, settings)


def _trigger(order: Order, settings: IntegrationSettings) -> bool:
    if order.status == REFUNDED:
        return order.paid_at is not None
    return order.status in _per_method(settings.trigger_statuses, order, default=())


def _per_method(choices: dict[str, T], order: Order, *, default: T) -> T:
    return choices.get(order.payment_method, choices.get("*", default))


def _elsewhere(order: Order, settings: IntegrationSettings) -> bool:
    """Whether a filter gives the order to another integration; one without a country waits here for a person."""
    if settings.filter_currencies and order.currency not in settings.filter_currencies:
        return True
    country = territory.normalise(territory.delivered_to(order).country)
    return bool(settings.filter_countries) and country is not None and country not in settings.filter_countries


def books_more(before: IntegrationSettings, after: IntegrationSettings) -> bool:
    """Whether an order that was skipped under the settings ``before`` may be booked ``after``.

    What waits in quarantine is no matter here: it is offered again by its id. Nor is what is booked no more.
    """
    methods = {*before.trigger_statuses, *after.trigger_statuses, *before.require_paid, *after.require_paid, "*"}
    return (
        after.start_date < before.start_date
        or (after.document_date, after.timezone) != (before.document_date, before.timezone)  # which day is the start's
        or any(_statuses(after, method) - _statuses(before, method) for method in methods)
        or any(_must_be_paid(before, method) and not _must_be_paid(after, method) for method in methods)
        or _wider(before.filter_countries, after.filter_countries)
        or _wider(before.filter_currencies, after.filter_currencies)
        or any(before.shop.get(name) != after.shop.get(name) for name in SHOP_SKIPS)
    )


def _statuses(settings: IntegrationSettings, method: str) -> set[str]:
    return set(settings.trigger_statuses.get(method, settings.trigger_statuses.get("*", ())))


def _must_be_paid(settings: IntegrationSettings, method: str) -> bool:
    return settings.require_paid.get(method, settings.require_paid.get("*", False))


def _wider(before: tuple[str, ...], after: tuple[str, ...]) -> bool:
    """Whether a filter lets more pass; an empty one lets all."""
    return bool(before) and (not after or bool(set(after) - set(before)))
