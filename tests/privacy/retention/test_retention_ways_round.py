"""Ways round retention that a reviewer found: runs in each other's way, in pieces, half known, or behind a hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from sluis.cli.app import app
from sluis.errors import Defect, NotConfigured
from sluis.privacy.register import Published
from sluis.privacy.retention import holds
from sluis.privacy.retention import run as steps
from sluis.privacy.retention.at_once import carry_out as carried_out_at_once
from sluis.privacy.retention.certificates import certify, verify
from sluis.privacy.retention.chain import Certificate, Deletion, of_run
from sluis.privacy.retention.kit import Kit
from sluis.privacy.retention.rows import DeleteRows
from sluis.privacy.retention.runs import RetentionRun, RetentionRuns, RunState
from sluis.store.database import Connection
from tests.conftest import Database
from tests.privacy.retention import world
from tests.privacy.retention.test_retention_runs import conn, owner

__all__ = ["conn", "owner"]  # fixtures
pytestmark = pytest.mark.postgres
NOW = datetime.now(UTC)
TODAY = NOW.date()
REGISTER = world.stored()
CHECKS = "vat_number_check"


def planned(conn: Connection, published: Published = REGISTER, **asked: str) -> RetentionRun:
    run = steps.plan(conn, published, datetime.now(UTC), dag_run_id="test", kit=world.KIT, **asked)
    return steps.apply_holds(conn, run, published, kit=world.KIT)


def begun(conn: Connection, **asked: str) -> RetentionRun:
    return world.let_through(conn, planned(conn, **asked), REGISTER)


def ended(conn: Connection, database: Database, run: RetentionRun, published: Published = REGISTER) -> Certificate:
    """Delete, prove and certify a run that was let through."""
    run = steps.prove(conn, steps.delete(conn, run, published, kit=world.KIT), published, kit=world.KIT)
    return certify(conn, steps.proved(run), keyring=database.keyring, code_version="1", backups_gone_on=None)


def finished(conn: Connection, database: Database, published: Published = REGISTER) -> list[int]:
    return steps.finish_earlier(
        conn, published, kit=world.KIT,
        certify=lambda c, run: certify(c, run, keyring=database.keyring, code_version="1", backups_gone_on=None),
    )  # fmt: skip


def checks(owner: Connection, number: int) -> None:
    """Add expired answers about VAT numbers."""
    owner.execute(
        """insert into sluis.vat_number_check (merchant_code, number_key, answer, source, checked_at)
        select 'm1', sha256(convert_to(gen_random_uuid()::text, 'UTF8')), 'valid', 'vies', now() - interval '10 days'
        from generate_series(1, %s)""",
        [number],
    )


def told(certificate: Certificate | None, category: str) -> Deletion:
    assert certificate is not None
    return next(deletion for deletion in certificate.deletions if deletion.category == category)


def without(category: str) -> Published:
    return world.only(REGISTER, [c.id for c in REGISTER.register_.categories if c.id != category])


# ------------------------------------------------------------------------------------- a merchant who is gone by now


def test_a_run_for_one_merchant_may_delete_his_row_and_is_finished_all_the_same(
    owner: Connection, conn: Connection, database: Database
) -> None:
    for code in ("m1", "m2"):
        world.put(owner, "merchant", code=code, ended_at=NOW - timedelta(days=8 * 366))
    certificate = ended(conn, database, begun(conn, merchant="m1"))
    assert told(certificate, "merchant_account").after == {"merchant": 0}
    run = steps.delete(conn, begun(conn, merchant="m2"), REGISTER, kit=world.KIT)  # killed before the proof
    assert world.count(owner, "merchant") == 0
    assert finished(conn, database) == [run.id]
    with pytest.raises(NotConfigured) as unknown:
        planned(conn, merchant="m2")
    assert unknown.value.code == "merchant_unknown"
    assert planned(conn).plan.total == 0


# --------------------------------------------------------------------------------- categories that leave the register


def test_a_plan_with_a_category_the_register_lost_is_superseded(
    owner: Connection, conn: Connection, database: Database
) -> None:
    world.merchant(owner, "m1")
    checks(owner, 2)
    world.put(owner, "debtor_link")
    run = begun(conn)
    with pytest.raises(Defect, match=CHECKS) as lost:
        steps.delete(conn, run, without(CHECKS), kit=world.KIT)
    assert lost.value.code == "plan_superseded"
    assert RetentionRuns(conn).get(run.id).state is RunState.SUPERSEDED
    assert world.count(owner, "debtor_link") == 1
    by_hand = begun(conn, category=CHECKS)
    assert finished(conn, database, without(CHECKS)) == []
    assert RetentionRuns(conn).get(by_hand.id).state is RunState.SUPERSEDED
    certificate = ended(conn, database, world.let_through(conn, planned(conn, without(CHECKS)), REGISTER))
    assert CHECKS not in {deletion.category for deletion in certificate.deletions}
    assert (world.count(owner, CHECKS), world.count(owner, "debtor_link")) == (2, 0)


def test_what_the_register_lost_halfway_is_not_certified_as_gone(
    owner: Connection, conn: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.merchant(owner, "m1")
    checks(owner, 30)
    world.put(owner, "debtor_link")
    kit = Kit(batch=10, lock_seconds=0.5, tries=2)
    run = begun(conn)
    with monkeypatch.context() as patched:
        after_batches(patched, 2, killed)
        with pytest.raises(KeyboardInterrupt):
            steps.delete(conn, run, REGISTER, kit=kit)
    assert finished(conn, database, without(CHECKS)) == [run.id]
    certificate = of_run(conn, run.id)
    half = told(certificate, CHECKS)
    left = world.count(owner, CHECKS)
    assert 0 < left < 30
    assert (half.before, half.deleted, half.after) == ({CHECKS: 30}, {CHECKS: 30 - left}, {})
    assert told(certificate, "debtor_link").after == {"debtor_link": 0}
    shown = CliRunner().invoke(app, ["retention", "show", str(run.id)], catch_exceptions=False)
    assert "not counted" in shown.output
    assert ended(conn, database, begun(conn)).sequence == 2
    assert world.count(owner, CHECKS) == 0


def killed() -> None:
    raise KeyboardInterrupt


def after_batches(monkeypatch: pytest.MonkeyPatch, number: int, do: Callable[[], None]) -> None:
    """Do something before the batch after so many of VAT number checks."""
    batch, seen = DeleteRows.batch, [0]

    def counting(self: DeleteRows, rule: steps.Rule) -> object:
        if rule.category.id == CHECKS:
            seen[0] += 1
            if seen[0] == number + 1:
                do()
        return batch(self, rule)

    monkeypatch.setattr(DeleteRows, "batch", counting)


# --------------------------------------------------------------------------------------------------- two runs at once


def test_a_run_that_found_everything_gone_says_so(owner: Connection, conn: Connection, database: Database) -> None:
    world.merchant(owner, "m1")
    checks(owner, 900)
    with database.retention() as second:
        first, loser = planned(conn), planned(second, category=CHECKS)
        runs = [steps.guard(conn, first, REGISTER), steps.guard(second, loser, REGISTER)]
        made = [ended(conn, database, runs[0]), ended(second, database, runs[1])]
    assert [(told(c, CHECKS).before, told(c, CHECKS).deleted) for c in made] == [
        ({CHECKS: 900}, {CHECKS: 900}), ({}, {})
    ]  # fmt: skip
    assert RetentionRuns(conn).get(loser.id).plan_hash == made[1].plan_hash != loser.plan_hash
    assert verify(conn, keyring=database.keyring).holds


def test_a_plan_is_kept_where_no_other_run_deleted(owner: Connection, conn: Connection, database: Database) -> None:
    world.merchant(owner, "m1")
    checks(owner, 2)
    run = begun(conn)
    owner.execute("delete from sluis.vat_number_check")
    certificate = ended(conn, database, run)
    assert certificate.plan_hash == run.plan_hash
    assert (told(certificate, CHECKS).before, told(certificate, CHECKS).deleted) == ({CHECKS: 2}, {})


# --------------------------------------------------------------------------------------------------------------- holds


@pytest.mark.parametrize(
    ("table", "category", "code", "keeps"),
    [
        ("booking", "booking_key", "m1", True), ("booking", "booking_amounts", "m1", True),
        ("booking", "booking_key", None, True), ("booking", None, "m1", True),
        ("debtor_link", "debtor_link", "m1", True),
        ("booking", "booking_key", "m2", False), ("booking", "debtor_link", "m1", False),
        ("booking", "credentials", "m1", False),
    ],
)  # fmt: skip
def test_the_hash_key_stays_while_something_keyed_is_held(
    owner: Connection, conn: Connection, table: str, category: str | None, code: str | None, keeps: bool
) -> None:
    world.merchant(owner, "m2")
    world.merchant(owner, "m1", ended=NOW - timedelta(days=40))
    world.put(owner, table)
    world.put(owner, "hold", merchant_code=code, category=category, ends_on=TODAY + timedelta(days=3))
    run = world.carry_out(conn, REGISTER, NOW)
    assert world.count(owner, "merchant", "code = 'm1' and hash_key_wrapped is not null") == keeps
    assert world.count(owner, table) == keeps
    assert run.done.holds == int(keeps)
    owner.execute("update sluis.hold set released_at = now()")
    world.carry_out(conn, REGISTER, NOW)
    assert world.count(owner, "merchant", "hash_key_wrapped is not null") == 1, "that of m2, whose contract runs"


def test_a_hold_made_while_its_category_is_deleted_counts_from_the_next_batch(
    owner: Connection, conn: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.merchant(owner, "m1")
    checks(owner, 100)
    run = begun(conn)
    with database.owner() as other, ThreadPoolExecutor(1) as pool:
        made: list[Future[None]] = []

        def meanwhile() -> None:
            made.append(pool.submit(hold, other))
            while not made[0].done() and not _hold_waits(owner):  # for the batch at hand to end
                time.sleep(0.01)

        after_batches(monkeypatch, 2, meanwhile)
        steps.delete(conn, run, REGISTER, kit=Kit(batch=10, lock_seconds=20))
        made[0].result()
    assert world.count(owner, CHECKS) == 70, "the third batch was under way: nothing after it"
    steps.prove(conn, run, REGISTER, kit=world.KIT)
    assert RetentionRuns(conn).get(run.id).done.holds == 1


def _hold_waits(owner: Connection) -> bool:
    query = "relation = 'sluis.hold'::regclass and not granted"
    found = owner.execute(f"select exists (select from pg_locks where {query})").fetchone()  # type: ignore[call-overload]
    return bool(found[0])


def hold(owner: Connection) -> None:
    holds.add(
        owner, REGISTER.register_, merchant="m1", category=CHECKS, reason="lawsuit", owner="privacy",
        ends_on=TODAY + timedelta(days=9),
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------------------- guard


def test_what_a_restore_deleted_is_no_measure(owner: Connection, conn: Connection, database: Database) -> None:
    world.merchant(owner, "m1")
    checks(owner, 3000)
    asked: Mapping[str, object] = {"keyring": database.keyring, "backups_gone_on": None}
    went = carried_out_at_once(owner, REGISTER, NOW, dag_run_id="restore", **asked)  # type: ignore[arg-type]
    assert went[CHECKS] == 3000
    checks(owner, 1001)
    with pytest.raises(Defect, match="never more than 0") as large:
        steps.guard(conn, planned(conn), REGISTER)
    assert large.value.code == "plan_too_large"


def test_the_guard_adds_up_what_goes_in_pieces(owner: Connection, conn: Connection, database: Database) -> None:
    for number in range(1, 4):
        world.merchant(owner, f"m{number}")
        owner.execute(
            """insert into sluis.notice (merchant_code, integration_code, cause, documents, made_at)
            select %s, 'shop', 'quarantine_waiting', 1, now() - day * interval '1 day'
            from generate_series(1, 600) as i, (values (400), (0)) as d (day)""",
            [f"m{number}"],
        )
    ended(conn, database, steps.guard(conn, planned(conn, merchant="m1"), REGISTER))
    with pytest.raises(Defect, match="600 go, after 600 within a day, and never more than 0"):
        steps.guard(conn, second := planned(conn, merchant="m2"), REGISTER)
    ended(conn, database, steps.guard(conn, second, REGISTER, confirm=second.plan_hash))
    third = steps.guard(conn, planned(conn, merchant="m3"), REGISTER)  # a person saw as much
    assert third.state is RunState.DELETING
    owner.execute("delete from sluis.retention_run where id >= %s", [second.id])
    owner.execute("update sluis.retention_run set ended_at = now() - interval '21 hours'")
    assert steps.guard(conn, planned(conn, merchant="m3"), REGISTER).state is RunState.DELETING, "another night"


def test_a_share_is_added_up_too(owner: Connection, conn: Connection, database: Database) -> None:
    for code in ("m1", "m2"):
        world.merchant(owner, code)
        for _ in range(40):
            world.put(owner, "debtor_link", merchant_code=code)
    ended(conn, database, steps.guard(conn, planned(conn, merchant="m1"), REGISTER))
    with pytest.raises(Defect, match="40 of 40 go, after 40 within a day"):
        steps.guard(conn, planned(conn), REGISTER)
    owner.execute("delete from sluis.debtor_link")
    assert steps.guard(conn, planned(conn), REGISTER).state is RunState.DELETING, "nothing goes"
