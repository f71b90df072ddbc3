"""A store with rows of every table, for the tests of retention; nobody in it exists."""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

import sluis
from sluis.errors import Defect
from sluis.privacy.register import Category, Method, Published, read_register
from sluis.privacy.retention import run as steps
from sluis.privacy.retention.kit import Kit
from sluis.privacy.retention.runs import RetentionRun
from sluis.store.database import Connection

REGISTER = Path(sluis.__file__).resolve().parents[2] / "config" / "register.yaml"
KIT = Kit(lock_seconds=0.5, tries=2)
DAY = timedelta(days=1)


def stored() -> Published:
    """Return the register's categories that are about tables alone: the others are other tests' work."""
    published = read_register(REGISTER)
    return only(published, [c.id for c in published.register_.categories if all(p.table for p in c.places)])


def only(published: Published, names: list[str], **changed: Any) -> Published:
    """Return a register with these categories alone; ``changed`` is changed in each of them."""
    register = published.register_
    kept = tuple(register.category(name).model_copy(update=changed) for name in names)
    return published.model_copy(update={"register_": register.model_copy(update={"categories": kept})})


def midnight(day: date) -> datetime:
    """Return a day's first moment, UTC."""
    return datetime.combine(day, time(0), UTC)


def carry_out(
    conn: Connection, published: Published, clock: datetime, *, kit: Kit = KIT, merchant: str | None = None,
    category: str | None = None,
) -> RetentionRun:  # fmt: skip
    """Plan, hold, guard (a person confirms whatever waits), delete, prove and call it certified."""
    run = steps.plan(conn, published, clock, dag_run_id="test", merchant=merchant, category=category, kit=kit)
    run = let_through(conn, steps.apply_holds(conn, run, published, kit=kit), published)
    run = steps.prove(conn, steps.delete(conn, run, published, kit=kit), published, kit=kit)
    conn.execute("update sluis.retention_run set state = 'certified', ended_at = now() where id = %s", [run.id])
    return run


def let_through(conn: Connection, run: RetentionRun, published: Published) -> RetentionRun:
    """Have a person confirm what the guard asks about."""
    try:
        return steps.guard(conn, run, published)
    except Defect as error:
        if error.code not in ("plan_too_large", "clock_suspicious"):
            raise
        return steps.guard(conn, run, published, confirm=run.plan_hash)


# ------------------------------------------------------------------------------------------- an independent calendar


def first_day_gone(trigger: date, period: str, rounded: str) -> date:
    """Return the first day on which something has expired, reckoned forward and without the product's own code."""
    counted_from = trigger
    if rounded == "quarter":
        month = (trigger.month - 1) // 3 * 3 + 3
        counted_from = date(trigger.year, month, calendar.monthrange(trigger.year, month)[1])
    elif rounded == "year":
        counted_from = date(trigger.year, 12, 31)
    start = counted_from + DAY
    number, unit = int(period[1:-1]), period[-1]
    if unit == "D":
        return start + timedelta(days=number)
    months = start.year * 12 + start.month - 1 + number * (12 if unit == "Y" else 1)
    year, month = divmod(months, 12)
    if start.day > calendar.monthrange(year, month + 1)[1]:  # no such day: the one after it
        return date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    return date(year, month + 1, start.day)


# ------------------------------------------------------------------------------------------------------------ rows

_NUMBERS = iter(range(1, 10**9))


def key(number: int) -> bytes:
    """Return 32 bytes."""
    return number.to_bytes(32, "big")


def merchant(owner: Connection, code: str, *, ended: datetime | None = None) -> str:
    """Add a merchant with one integration ``shop``."""
    put(owner, "merchant", code=code, ended_at=ended)
    put(owner, "integration", merchant_code=code)
    return code


def put(owner: Connection, table: str, **values: Any) -> dict[str, Any]:
    """Add one row; what is not named gets something that is allowed."""
    row = {**_defaults(table, values.get("merchant_code", "m1")), **values}
    names = sql.SQL(", ").join(map(sql.Identifier, row))
    marks = sql.SQL(", ").join(sql.Placeholder() * len(row))
    adapted = [Jsonb(value) if isinstance(value, dict | list) else value for value in row.values()]
    owner.execute(sql.SQL("insert into sluis.{} ({}) values ({})").format(sql.Identifier(table), names, marks), adapted)
    return row


def put_payment(owner: Connection, booking: Mapping[str, Any], **values: Any) -> None:
    """Add a payment on a booking."""
    same = {name: booking[name] for name in ("merchant_code", "integration_code", "kind", "document_key", "revision")}
    put(owner, "payment", **{**same, **values})


def month(owner: Connection, table: str, first: date, months: int = 1) -> str:
    """Make the part of a month that has passed, as the migration does for rows it finds."""
    name = f"{table}_{first:%Y_%m}"
    end = first.replace(year=first.year + (first.month + months - 1) // 12, month=(first.month + months - 1) % 12 + 1)
    owner.execute(
        sql.SQL("create table if not exists sluis.{} partition of sluis.{} for values from ({}) to ({})").format(
            sql.Identifier(name), sql.Identifier(table), sql.Literal(str(first)), sql.Literal(str(end))
        )
    )
    owner.execute(sql.SQL("grant maintain on sluis.{} to sluis_retention").format(sql.Identifier(name)))
    return name


def count(conn: Connection, table: str, where: str = "true") -> int:
    """Count rows."""
    query = f"select count(*) from sluis.{table} where {where}"
    found = conn.execute(query).fetchone()  # type: ignore[call-overload]
    return int(found[0])


def _defaults(table: str, code: str) -> dict[str, Any]:
    number = next(_NUMBERS)
    shop = {"merchant_code": code, "integration_code": "shop"}
    amounts = {
        "reference": f"R{number}", "order_number": f"O{number}", "total_cents": 1210, "vat_cents": 210,
        "package_total_cents": 1210, "package_vat_cents": 210, "figures": {"a": 1}, "payment_method": "ideal",
        "paid": {"ideal": 1210}, "evidence": {"rate": "1"}, "original_date": date(2026, 1, 1),
    }  # fmt: skip
    booked = {"state": "booked", "booked_at": datetime(2026, 1, 1, tzinfo=UTC), "external_id": f"E{number}"}
    early = datetime(2020, 1, 1, tzinfo=UTC)
    return {
        "merchant": {"code": code, "name": "Voorbeeld", "hash_key_wrapped": b"sealed", "key_id": "k"},
        "integration": {
            "merchant_code": code, "code": "shop", "shop": "woocommerce", "package": "moneybird", "settings": {},
            "administration_key": f"moneybird/{code}",
        },
        "settled_by_hand": {**shop, "kind": "invoice", "document_key": key(number), "reason": "total_differs"},
        "credential": {**shop, "side": "shop", "key_id": "k", "ciphertext": b"sealed"},
        "booking": {
            **shop, **amounts, **booked, "administration_key": f"moneybird/{code}", "kind": "invoice",
            "document_key": key(number), "revision": 0, "fingerprint": b"f" * 32, "currency": "EUR",
            "issue_date": date(2026, 1, 1), "run_id": "run", "claimed_at": early,
        },
        "payment": {
            **booked, "payment_key": key(number), "amount_cents": 1210, "currency": "EUR", "account": "c",
            "paid_on": date(2026, 1, 2), "run_id": "run", "claimed_at": early,
        },
        "debtor_link": {
            "merchant_code": code, "administration_key": f"moneybird/{code}", "customer_key": f"c{number}",
            "debtor_id": "d", "created_at": early,
        },
        "quarantine": {
            **shop, "kind": "invoice", "document_key": key(number), "shop_order_id": "1", "order_number": f"Q{number}",
            "reason": "vat_unclear", "currency": "EUR", "total_cents": 1, "field": "vat",
        },
        "vat_number_check": {
            "merchant_code": code, "number_key": key(number), "answer": "valid", "source": "vies",
            "checked_at": early,
        },
        "run_report": {
            **shop, "sequence": number, "dag_run_id": "r", "try_number": 1, "run_type": "manual", "started_at": early,
            "settings_version": 1, "rules_version": "1", "code_version": "1", "extracted": 0, "tally": {},
            "lines_hash": b"1", "previous_hash": b"1", "hash": b"1",
        },
        "reconciliation": {**shop, "period": "2026Q1", "run_id": "r", "settled": True, "result": {}},
        "transit_chunk": {
            "merchant_code": code, "batch_id": f"b{number}", "stage": "extract", "number": 0, "items": 1,
            "key_id": "k", "ciphertext": b"sealed",
        },
        "limiter": {"key": f"moneybird/{number}", "period_seconds": 300},
        "merchant_period": {"merchant_code": code, "category": "debtor_link", "period": "P30D"},
        "notice": {"merchant_code": code, "cause": "quarantine_waiting"},
        "invoicing_month": {"merchant_code": code, "month": date(2026, 1, 1), "documents": 1},
        "statistics_contribution": {
            "merchant_code": code, "quarter": date(2026, 1, 1), "country": "NL", "vat_rate": 21,
            "platform": f"shop{number}", "package": "moneybird", "revenue_cents": 1, "revenue_vat_cents": 0,
            "refunds_cents": 0, "refunds_vat_cents": 0, "documents": 1,
        },
        "statistics_refusal": {
            "merchant_code": code, "quarter": date(2026, 1, 1), "reason": f"reason_{number}", "documents": 1,
        },
        "hold": {"category": "booking_key", "reason": "tax_inspection", "owner": "privacy_officer",
                 "ends_on": date(2026, 1, 1)},
        "tombstone": {"kind": "credential", "merchant_code": code},
        "retention_run": {
            "dag_run_id": "r", "state": "certified", "clock": early, "register_version": 1, "register_hash": b"1",
            "plan": {"clock": "2020-01-01T00:00:00Z", "register_version": 1, "register_hash": "1", "categories": {}},
            "plan_hash": b"1",
        },
    }[table]  # fmt: skip


def place_row(owner: Connection, category: Category, trigger: date) -> None:
    """Add what a category is about, with its trigger on a day (its last moment, where it is a moment)."""
    assert category.trigger is not None
    column = category.trigger.column
    assert column is not None
    table = category.places[0].table
    assert table is not None
    is_date = column in ("issue_date", "last_booked_on", "month", "quarter", "ends_on")
    value: Any = trigger if is_date else midnight(trigger) + DAY - timedelta(microseconds=1)
    if table == "quarantine" and column == "first_seen":
        put(owner, table, first_seen=value)
    elif table == "merchant":
        put(owner, table, code="gone1", ended_at=value)
    elif table in ("booking", "payment"):
        booking = put(owner, "booking", **{column: value})
        put_payment(owner, booking)
    else:
        put(owner, table, **{column: value})


def standing(conn: Connection, category: Category) -> Iterator[int]:
    """Yield how much stands of a category, per place."""
    for place in category.places:
        assert place.table is not None
        where = "true"
        if category.method is Method.EMPTY_COLUMNS:
            where = " or ".join(f"{column} is not null" for column in place.columns)
        if place.table == "merchant" and category.method is not Method.EMPTY_COLUMNS:
            where = "code <> 'm1'"
        if place.table == "retention_run":
            where = "dag_run_id = 'r'"
        yield count(conn, place.table, where)
