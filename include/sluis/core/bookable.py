"""Whether a document is to be booked at all, and under which date: the skips, before any amount is looked at."""

from __future__ import annotations

import calendar
from datetime import date, datetime
from typing import TypeVar

from sluis.core import reasons, territory
from sluis.core.order import Order
from sluis.core.settings import IntegrationSettings

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
    moments: dict[str, tuple[datetime | None, ...]] = {
        "completed": (order.completed_at, order.paid_at),
        "paid": (order.paid_at,),
        "order": (),
    }
    moment = next((at for at in moments[settings.document_date] if at is not None), order.created_at)
    return local_date(moment, settings)


def local_date(moment: datetime, settings: IntegrationSettings) -> date:
    """Return the day of ``moment`` in the shop's time zone (at the end of the calendar that in UTC)."""
    try:
        return moment.astimezone(settings.zone).date()
    except OverflowError:
        return moment.date()


def oldest_bookable(today: date) -> date:
    """Return the first day whose documents are still booked by themselves on the day ``today``."""
    months = today.year * 12 + today.month - 1 - LIFE_IN_MONTHS
    year, month = divmod(months, 12)
    return date(year, month + 1, min(today.day, calendar.monthrange(year, month + 1)[1]))


def skip_reason(order: Order, settings: IntegrationSettings, on: date, today: date | None) -> str | None:
    """Return why the order is not to be booked (a code of :mod:`sluis.core.reasons`), ``None`` when it is.

    ``on`` is its document date. ``today`` ``None``: age is not looked at (a preview of the past, a person's wish).
    """
    judged = (
        (order.is_test, reasons.TEST),
        (_elsewhere(order, settings), reasons.OTHER_INTEGRATION),
        (on < settings.start_date, reasons.BEFORE_START),
        (not _trigger(order, settings), reasons.STATUS_NOT_BOOKABLE),
        (order.paid_at is None and _per_method(settings.require_paid, order, default=False), reasons.NOT_PAID),
        (today is not None and on < oldest_bookable(today), reasons.TOO_OLD),
    )
    return next((reason for skipped, reason in judged if skipped), None)


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
