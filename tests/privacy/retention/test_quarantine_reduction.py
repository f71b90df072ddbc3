"""What waits for a person is warned about at 60 days and reduced at 90, never deleted; it counts until it is closed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sluis.core.invoice import DocumentKind
from sluis.flows import quarantine as flow
from sluis.privacy.periods import cutoff
from sluis.privacy.register import read_register
from sluis.privacy.retention.contract import Rule
from sluis.privacy.retention.kit import Kit, Tools
from sluis.privacy.retention.quarantine import ReduceQuarantine
from sluis.privacy.retention.rules import rules_at
from sluis.privacy.retention.schema import read_schema
from sluis.store.integrations import Integration, Integrations
from sluis.store.ledger import Ledger
from sluis.store.notices import Notices
from sluis.store.quarantine import Quarantine, QuarantineItem
from tests.conftest import Database
from tests.store.helpers import add_integration

pytestmark = pytest.mark.postgres
REGISTER = read_register(Path(__file__).parents[3] / "config" / "register.yaml").register_
NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0)
INVOICE = DocumentKind.INVOICE


def key(number: int) -> bytes:
    """Return a document key; a person names it by its first digits."""
    return bytes([number]) * 32


def put(database: Database, integration: Integration, number: int, days: float, **more: Any) -> None:
    """Let an order wait since so many days before the midnight of the run."""
    with database.owner() as conn:
        Quarantine(conn, integration).put(
            kind=INVOICE, document_key=key(number), shop_order_id=f"id{number}", order_number=str(number),
            reason="mapping_missing", field="mapping.taxes", currency="EUR", total_cents=1210,
        )  # fmt: skip
        since = MIDNIGHT - timedelta(days=days)
        conn.execute("update sluis.quarantine set first_seen = %s where document_key = %s", [since, key(number)])
        for column, value in more.items():
            conn.execute(f"update sluis.quarantine set {column} = %s where document_key = %s", [value, key(number)])


def reduce(database: Database, clock: datetime = NOW, **changes: Any) -> tuple[int, Mapping[str, int]]:
    """Count and carry out the rule at a clock, as the role of retention; nothing may be left after it."""
    with database.retention() as conn:
        rules = rules_at(conn, REGISTER, clock)
        rule = rules["quarantine_open"].model_copy(update=changes)
        tools = Tools(conn, Kit(), REGISTER, rules, frozenset(rules), read_schema(conn))
        deleter = ReduceQuarantine(tools)
        counted = deleter.count(rule).total
        went = deleter.delete(rule)
        assert deleter.count(rule).total == 0
        return counted, went


def items(database: Database, integration: Integration) -> dict[int, QuarantineItem]:
    with database.owner() as conn:
        return {i.document_key[0]: i for i in Quarantine(conn, integration).open()}


def told(database: Database) -> list[tuple[str | None, str, int]]:
    with database.owner() as conn:
        return [(n.integration, n.cause, n.documents) for n in Notices(conn).list()]


def test_at_the_last_day_everything_stands_and_a_day_later_it_is_warned_about_or_reduced(database: Database) -> None:
    integration = add_integration(database)
    for number, days in ((1, 60), (2, 60.01), (3, 90), (4, 90.01)):
        put(database, integration, number, days, warned_at=NOW if days >= 90 else None)
    assert reduce(database) == (1, {"quarantine": 1})
    found = items(database, integration)
    assert [found[n].warned_at for n in (1, 2)] == [None, NOW]
    assert {n for n, item in found.items() if item.reduced} == {4}
    left = found[4]
    assert (left.order_number, left.field, left.total_cents, left.reduced_at) == (None, None, None, NOW)
    assert (left.reason, left.closed_at) == ("mapping_missing", None)
    assert told(database) == [
        (integration.code, "quarantine_waiting", 1),
        (integration.code, "quarantine_reduced", 1),
    ]
    assert reduce(database) == (0, {})  # once
    assert len(told(database)) == 2


def test_a_late_run_warns_first_and_reduces_then_with_one_notice_per_integration(database: Database) -> None:
    one = add_integration(database)
    two = add_integration(database, merchant=one.merchant, code="second")
    for number in (1, 2, 3):
        put(database, one if number < 3 else two, number, 120)
    assert reduce(database) == (3, {"quarantine": 3})
    assert sorted(told(database), key=str) == sorted(
        [
            (one.code, "quarantine_waiting", 2), (two.code, "quarantine_waiting", 1),
            (one.code, "quarantine_reduced", 2), (two.code, "quarantine_reduced", 1),
        ],
        key=str,
    )  # fmt: skip
    assert all(item.warned_at == item.reduced_at == NOW for item in items(database, one).values())
    with database.owner() as conn:
        causes = [n.cause for n in Notices(conn).list()]
    assert causes == ["quarantine_waiting"] * 2 + ["quarantine_reduced"] * 2


def test_what_is_closed_is_emptied_without_a_notice(database: Database) -> None:
    integration = add_integration(database)
    put(database, integration, 1, 100)
    with database.owner() as conn:
        Quarantine(conn, integration).close(INVOICE, key(1), "booked")
    assert reduce(database) == (1, {"quarantine": 1})
    assert told(database) == []
    with database.owner() as conn:
        assert conn.execute("select order_number, closed_as from sluis.quarantine").fetchall() == [(None, "booked")]


def test_a_merchants_own_shorter_period_counts_for_him_alone(database: Database) -> None:
    mine, other = add_integration(database), add_integration(database)
    put(database, mine, 1, 31)
    put(database, mine, 2, 21)
    put(database, mine, 3, 19)
    put(database, other, 4, 31)
    own = {mine.merchant: cutoff("P30D", NOW)}
    assert reduce(database, own_cutoffs=own) == (1, {"quarantine": 1})
    found = items(database, mine)
    assert [found[n].reduced for n in (1, 2, 3)] == [True, False, False]
    assert [found[n].warned_at is not None for n in (1, 2, 3)] == [True, True, False]
    assert items(database, other)[4].warned_at is None


def test_holds_keep_it_and_an_ended_contract_empties_it_in_silence(database: Database) -> None:
    held, ended = add_integration(database), add_integration(database)
    put(database, held, 1, 120)
    put(database, ended, 2, 1)
    changes = {"held_merchants": frozenset({held.merchant}), "ended": (ended.merchant,)}
    assert reduce(database, **changes) == (1, {"quarantine": 1})
    assert not items(database, held)[1].reduced
    assert items(database, ended)[2].reduced
    assert told(database) == []
    assert reduce(database, held=True) == (0, {})


def test_the_bytes_leave_with_the_parts_that_are_named(database: Database) -> None:
    integration = add_integration(database)
    put(database, integration, 1, 120)
    with database.retention() as conn:
        rules = rules_at(conn, REGISTER, NOW)
        deleter = ReduceQuarantine(Tools(conn, Kit(), REGISTER, rules, frozenset(rules), read_schema(conn)))
        steps = []
        while (went := deleter.batch(rules["quarantine_open"])) is not None:
            steps.append(went)
        part = conn.execute("select tableoid::regclass::text from sluis.quarantine").fetchone()
    assert part is not None
    assert [(dict(went.rows), went.parts) for went in steps] == [
        ({}, frozenset()),
        ({"quarantine": 1}, frozenset({str(part[0]).removeprefix("sluis.")})),
    ]


def test_a_reduced_item_counts_until_it_is_closed_by_its_key_and_cannot_be_offered(database: Database) -> None:
    integration = add_integration(database)
    where = (integration.merchant, integration.code)
    put(database, integration, 1, 120, offered_at=NOW)
    put(database, integration, 2, 1)
    reduce(database)
    with database.owner() as conn:
        [group] = flow.listing(conn, merchant=integration.merchant)
        reduced = next(i for i in group.items if i.reduced_at is not None)
        assert (reduced.order_number, reduced.total, reduced.warned_at, reduced.offered) == (None, None, NOW, False)
        assert Ledger(conn, integration).waiting([(INVOICE, key(1))])[INVOICE, key(1)].closed_as is None
        assert Quarantine(conn, integration).offered_order_ids() == []
        everything = flow.offer(conn, *where, everything=True)
        assert (everything.offered, everything.waiting, everything.reduced) == (1, 2, (reduced.item,))
        named = flow.offer(conn, *where, order_numbers=[reduced.item])
        assert (named.offered, named.unknown, named.reduced) == (0, (), (reduced.item,))
        Integrations(conn).update_settings(*where, integration.settings)
        assert Quarantine(conn, integration).offered_order_ids() == ["id2"]
        done = flow.close(conn, *where, [reduced.item], flow.ClosedAs.NOT_TO_BE_BOOKED)
        assert (done.waiting, done.closed[0].order_number) == (1, None)


def test_an_order_that_comes_by_again_is_filled_anew_and_waits_from_then(database: Database) -> None:
    integration = add_integration(database)
    put(database, integration, 1, 120)
    reduce(database)
    put_again = {"kind": INVOICE, "document_key": key(1), "shop_order_id": "id1", "order_number": "1",
                 "reason": "mapping_missing", "currency": "EUR", "total_cents": 1210}  # fmt: skip
    with database.owner() as conn:
        Quarantine(conn, integration).put(**put_again)
        [item] = Quarantine(conn, integration).open()
        assert (item.order_number, item.total_cents, item.reduced_at, item.warned_at) == ("1", 1210, None, None)
        assert (item.attempts, item.first_seen > NOW - timedelta(days=1)) == (2, True)
        # Closed by hand, and reduced after that: it stays closed, as nobody can tell that anything changed.
        Quarantine(conn, integration).close(INVOICE, key(1), "not_to_be_booked")
        conn.execute("update sluis.quarantine set first_seen = %s", [MIDNIGHT - timedelta(days=91)])
    reduce(database)
    with database.owner() as conn:
        Quarantine(conn, integration).put(**put_again)
        assert Quarantine(conn, integration).open() == []
        Quarantine(conn, integration).put(**{**put_again, "reason": "unreadable"})
        assert [i.reason for i in Quarantine(conn, integration).open()] == ["unreadable"]


def test_the_rule_of_the_register_is_carried_out_by_it() -> None:
    category = REGISTER.category("quarantine_open")
    assert (category.deleter_name, category.period) == ("reduce_quarantine", "P90D")
    rule = Rule(category=category, clock=NOW, cutoff=cutoff("P90D", NOW))
    assert rule.cutoff == MIDNIGHT - timedelta(days=90)
