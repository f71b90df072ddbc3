"""The chain of certificates: nothing altered, filled in, cut off or made anew goes unnoticed; old links leave whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from psycopg.types.json import Jsonb

from sluis.errors import Defect, NotConfigured, ProofFailed
from sluis.flows import keys
from sluis.privacy.keyring import Keyring
from sluis.privacy.register import read_register
from sluis.privacy.retention import checkpoints
from sluis.privacy.retention.certificates import (
    Deletion,
    ExpiringCertificates,
    ProvedRun,
    certify,
    sign_unsigned,
    verify,
)
from sluis.privacy.retention.chain import NO_HASH, RESTARTED, Certificate, Verified, certificate_hash, listing
from sluis.privacy.retention.contract import Rule
from sluis.store.database import Connection, row
from tests.conftest import Database

pytestmark = pytest.mark.postgres
START = datetime(2026, 11, 2, 3, 0, 0, 123456, tzinfo=UTC)
CATEGORY = read_register(Path(__file__).parents[3] / "config" / "register.yaml").register_.category(
    "deletion_certificates"
)
REGISTER = hashlib.sha256(b"register").hexdigest()


def proved(conn: Connection, number: int, state: str = "proved") -> ProvedRun:
    """Store a run of retention as the engine leaves it, and return what it tells."""
    plan = hashlib.sha256(f"plan {number}".encode()).hexdigest()
    stored = {"clock": START.isoformat(), "register_version": 3, "register_hash": REGISTER, "categories": {}}
    found = row(
        conn,
        """insert into sluis.retention_run (dag_run_id, state, clock, register_version, register_hash, plan, plan_hash)
        values (%s, %s, %s, 3, decode(%s, 'hex'), %s, decode(%s, 'hex')) returning id""",
        [f"scheduled__{number}", state, START, REGISTER, Jsonb(stored), plan],
    )
    assert found is not None
    deletion = Deletion(
        category="quarantine_closed", cutoff=START - timedelta(days=90), before={"quarantine": number},
        deleted={"quarantine": number}, after={"quarantine": 0},
    )  # fmt: skip
    return ProvedRun(
        id=found["id"], dag_run_id=f"scheduled__{number}", merchant=None, register_version=3, register_hash=REGISTER,
        plan_hash=plan, deletions=(deletion,), holds=1,
    )  # fmt: skip


def certified(conn: Connection, keyring: Keyring, run: ProvedRun, days: int = 0) -> Certificate:
    """Certify a run, so many days after the first."""
    return certify(
        conn, run, keyring=keyring, code_version="0.1.0", backups_gone_on=date(2026, 12, 7),
        now=START + timedelta(days=days),
    )  # fmt: skip


@pytest.fixture
def chain(database: Database) -> list[Certificate]:
    """Five links, a day apart."""
    with database.retention() as conn:
        return [certified(conn, database.keyring, proved(conn, n), n) for n in range(1, 6)]


def look(database: Database, **more: Any) -> Verified:
    """Verify as the owner, with the keys of the store."""
    with database.owner() as conn:
        return verify(conn, keyring=database.keyring, **more)


def told(found: Verified) -> list[tuple[int, str]]:
    return [tuple(finding) for finding in found.findings]


def rule(cutoff: datetime, **more: Any) -> Rule:
    """Return the register's rule about certificates, with another cutoff."""
    return Rule(category=CATEGORY, clock=cutoff, cutoff=cutoff, **more)


def test_a_certificate_tells_what_went_and_anybody_can_hash_it_again(
    database: Database, chain: list[Certificate]
) -> None:
    assert [link.sequence for link in chain] == [1, 2, 3, 4, 5]
    assert [link.previous_hash for link in chain] == [NO_HASH, *(link.hash for link in chain[:-1])]
    with database.owner() as conn:
        assert listing(conn) == chain[::-1]
        state = row(conn, "select state, ended_at from sluis.retention_run where id = %s", [chain[2].retention_run])
    assert state == {"state": "certified", "ended_at": chain[2].made_at}
    fields = {
        "sequence": 1, "retention_run": chain[0].retention_run, "made_at": "2026-11-03T03:00:00.123456+00:00",
        "dag_run_id": "scheduled__1", "merchant": None, "register_version": 3, "register_hash": REGISTER,
        "plan_hash": chain[0].plan_hash, "code_version": "0.1.0", "holds": 1, "backups_gone_on": "2026-12-07",
        "previous_hash": NO_HASH,
        "deletions": [{
            "category": "quarantine_closed", "cutoff": "2026-08-04T03:00:00.123456+00:00", "before": {"quarantine": 1},
            "deleted": {"quarantine": 1}, "after": {"quarantine": 0},
        }],
    }  # fmt: skip
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == chain[0].hash
    found = look(database)
    assert (found.holds, found.certificates, found.first, found.last, found.head) == (True, 5, 1, 5, chain[-1].hash)


def test_a_run_is_certified_once_however_often_it_is_asked(database: Database) -> None:
    with database.retention() as conn:
        run = proved(conn, 1)
        first = certified(conn, database.keyring, run)
        assert certified(conn, database.keyring, run, days=3) == first
        with pytest.raises(Defect, match="not proved"):
            certified(conn, database.keyring, proved(conn, 2, state="deleting"))
        with pytest.raises(Defect, match="planned otherwise"):
            certified(conn, database.keyring, proved(conn, 3).model_copy(update={"plan_hash": REGISTER}))
    assert look(database).certificates == 1


def test_runs_that_certify_at_once_make_one_chain(database: Database) -> None:
    with database.retention() as conn:
        runs = [proved(conn, n) for n in range(1, 9)]

    def one(run: ProvedRun) -> Certificate:
        with database.retention() as conn:
            return certified(conn, database.keyring, run)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(one, [*runs, *runs]))
    assert sorted({link.sequence for link in made}) == list(range(1, 9))
    assert look(database).holds


def rehashed(conn: Connection, sequence: int) -> None:
    """Hash a link and all that follow anew: what somebody with the database, and without the keys, can do."""
    before: str | None = None
    for link in listing(conn)[::-1]:
        if link.sequence >= sequence:
            new = link.model_copy(update={"previous_hash": before or link.previous_hash})
            before = certificate_hash(new)
            conn.execute(
                """update sluis.deletion_certificate set previous_hash = decode(%s, 'hex'), hash = decode(%s, 'hex')
                where sequence = %s""",
                [new.previous_hash, before, link.sequence],
            )
        else:
            before = link.hash


def filled_in(conn: Connection) -> None:
    conn.execute("update sluis.deletion_certificate set sequence = sequence + 100 where sequence > 2")
    conn.execute("update sluis.deletion_certificate set sequence = sequence - 99 where sequence > 100")
    conn.execute(
        """insert into sluis.deletion_certificate select 3, 999, made_at, dag_run_id, merchant_code, register_version,
        register_hash, plan_hash, code_version, deletions, holds, backups_gone_on, previous_hash, hash
        from sluis.deletion_certificate where sequence = 2"""
    )
    rehashed(conn, 3)


def appended(conn: Connection) -> None:
    last = listing(conn, 1)[0]
    link = last.model_copy(update={"sequence": 6, "retention_run": 999, "previous_hash": last.hash})
    conn.execute(
        """insert into sluis.deletion_certificate select 6, 999, made_at, dag_run_id, merchant_code, register_version,
        register_hash, plan_hash, code_version, deletions, holds, backups_gone_on, hash, decode(%s, 'hex')
        from sluis.deletion_certificate where sequence = 5""",
        [certificate_hash(link)],
    )


def sql(*statements: str) -> Callable[[Connection], None]:
    def do(conn: Connection) -> None:
        for statement in statements:
            conn.execute(statement)  # type: ignore[call-overload]

    return do


def edited_and_rehashed(conn: Connection) -> None:
    conn.execute("update sluis.deletion_certificate set holds = 0 where sequence = 3")
    rehashed(conn, 3)


EDIT = "update sluis.deletion_certificate set {} where sequence = 3"
ATTACKS: Mapping[str, tuple[Callable[[Connection], None], int, str]] = {
    "a count": (sql(EDIT.format("""deletions = '[{"category": "notices", "cutoff": null}]'""")), 3, "was altered"),
    "holds": (sql(EDIT.format("holds = 0")), 3, "was altered"),
    "a date": (sql(EDIT.format("backups_gone_on = null")), 3, "was altered"),
    "a moment": (sql(EDIT.format("made_at = made_at + interval '1 microsecond'")), 3, "was altered"),
    "a hash": (sql(EDIT.format("hash = plan_hash")), 3, "was altered"),
    "edited, all hashed anew": (edited_and_rehashed, 5, "is not the one that was signed"),
    "taken out": (sql("delete from sluis.deletion_certificate where sequence = 3"), 3, "is missing"),
    "the first taken out": (sql("delete from sluis.deletion_certificate where sequence = 1"), 1, "is missing"),
    "the last taken out": (sql("delete from sluis.deletion_certificate where sequence = 5"), 5, "is missing"),
    "all taken out": (sql("delete from sluis.deletion_certificate"), 1, "is missing"),
    "the end and its signature taken out": (
        sql("delete from sluis.deletion_certificate where sequence = 5", "delete from sluis.certificate_checkpoint"),
        5, "of retention run",
    ),
    "all taken out, with the runs": (
        sql("delete from sluis.deletion_certificate", "delete from sluis.retention_run"), 1, "is missing",
    ),
    "everything taken out": (
        sql("delete from sluis.deletion_certificate", "delete from sluis.certificate_checkpoint"),
        1, "of retention run",
    ),
    "filled in, all hashed anew": (filled_in, 5, "is not the one that was signed"),
    "appended": (appended, 6, "was not signed"),
    "the signature edited": (
        sql("update sluis.certificate_checkpoint set certified_at = now()"), 5, "whose signature is wrong",
    ),
    "a head that passes for a beginning": (
        sql("delete from sluis.deletion_certificate", "update sluis.certificate_checkpoint set kind = 'dropped'"),
        5, "whose signature is wrong",
    ),
    "a run's plan edited": (
        sql("update sluis.retention_run set plan_hash = register_hash where dag_run_id = 'scheduled__4'"),
        4, "does not fit the plan",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_whatever_is_done_to_the_chain_is_found_and_named(
    database: Database, chain: list[Certificate], attack: str
) -> None:
    do, sequence, what = ATTACKS[attack]
    assert look(database).holds
    with database.owner() as conn:
        do(conn)
    findings = told(look(database))
    assert any(found == sequence and what in words for found, words in findings), findings
    assert "@" not in str(findings)


def test_whoever_takes_over_the_role_that_deletes_cannot_begin_a_chain_anew(
    database: Database, chain: list[Certificate]
) -> None:
    with database.retention() as conn:
        old = checkpoints.stored(conn)[0]
        certified(conn, database.keyring, proved(conn, 6), 6)
        with pytest.raises(Defect, match="42501"):
            conn.execute("delete from sluis.certificate_checkpoint")
        with pytest.raises(Defect, match="42501"):  # a head of yesterday, and the chain cut off to it
            conn.execute(
                "update sluis.certificate_checkpoint set sequence = %s, signature = decode(%s, 'hex')",
                [old.sequence, old.signature],
            )
        conn.execute("delete from sluis.deletion_certificate")
        conn.execute("delete from sluis.retention_run")
        assert [sequence for sequence, _ in told(look(database))] == [1, 2, 3, 4, 5, 6]
        certified(conn, database.keyring, proved(conn, 7), 7)
        assert checkpoints.stored(conn)[0].sequence == 6
    assert not look(database).holds


def test_a_chain_that_begins_behind_runs_without_a_record_waits_for_a_person(
    database: Database, chain: list[Certificate]
) -> None:
    with database.owner() as owner:  # its rights suffice to take away all that there is
        for table in ("deletion_certificate", "certificate_checkpoint", "retention_run"):
            owner.execute(f"delete from sluis.{table}")  # type: ignore[call-overload]
    with database.retention() as conn:
        link = certified(conn, database.keyring, proved(conn, 6), 6)
        assert (link.sequence, checkpoints.stored(conn)) == (1, [])
        assert told(look(database)) == [(1, RESTARTED), (1, "was not signed")]
        certified(conn, database.keyring, proved(conn, 7), 7)
    assert {what for _, what in told(look(database))} == {RESTARTED, "and what follows it was not signed"}
    with database.owner() as owner:  # who looked at them
        assert sign_unsigned(owner, keyring=database.keyring) == 2
    assert look(database).holds


def test_runs_that_came_to_nothing_do_not_keep_a_chain_from_beginning(database: Database) -> None:
    with database.retention() as conn:
        proved(conn, 1, "superseded")
        proved(conn, 2, "waiting")
        certified(conn, database.keyring, proved(conn, 3))
    assert look(database).holds


def test_a_chain_that_was_dropped_to_its_end_has_its_head_all_the_same(
    database: Database, chain: list[Certificate]
) -> None:
    with database.retention() as conn:
        ExpiringCertificates(conn, database.keyring).delete(rule(chain[2].made_at))
        assert look(database).holds
        conn.execute("delete from sluis.deletion_certificate")
        conn.execute("delete from sluis.retention_run")
        assert told(look(database)) == [(3, "is missing"), (4, "is missing"), (5, "is missing")]
    with database.owner() as owner:
        owner.execute("delete from sluis.certificate_checkpoint where kind = 'head'")
    missing = (2, "was dropped, and the signed head of the chain is missing")
    assert told(look(database)) == [missing]
    with database.retention() as conn:
        certified(conn, database.keyring, proved(conn, 6), 6)
        assert [c.kind for c in checkpoints.stored(conn)] == ["dropped"]
    assert missing in told(look(database))


def test_a_chain_that_is_broken_is_not_signed_over(database: Database, chain: list[Certificate]) -> None:
    with database.owner() as conn:
        edited_and_rehashed(conn)
    with database.retention() as conn:
        link = certified(conn, database.keyring, proved(conn, 6), 6)
        assert link.sequence == 6  # what was deleted is certified all the same
        assert [c.sequence for c in checkpoints.stored(conn)] == [5]
    assert (6, "was not signed") in told(look(database))
    assert (5, "is not the one that was signed") in told(look(database))


def test_a_forged_checkpoint_is_somebody_elses(database: Database, chain: list[Certificate]) -> None:
    other = Keyring.parse(Keyring.generate())
    with database.owner() as conn:
        edited_and_rehashed(conn)
        head = listing(conn, 1)[0]
        checkpoints.sign(conn, other, "head", sequence=5, hash_=head.hash, certified_at=head.made_at)
    theirs = checkpoints.public_key(other)
    assert told(look(database)) == [(5, f"has a checkpoint signed by a key that is none of ours: {theirs}")]
    with database.owner() as conn:
        assert verify(conn, noted=[theirs]).holds  # and who was talked into noting that key is deceived


def test_an_auditor_needs_the_public_key_and_nothing_secret(database: Database, chain: list[Certificate]) -> None:
    ours = checkpoints.public_key(database.keyring)
    with database.owner() as conn:
        assert verify(conn, noted=[ours.upper()]).holds
        assert [finding.sequence for finding in verify(conn).findings] == [5]
        with pytest.raises(NotConfigured, match="64 hexadecimal"):
            verify(conn, noted=["abc"])
        stored = checkpoints.stored(conn)[0]
    statement = {
        "sequence": 5, "kind": "head", "hash": chain[4].hash,
        "certified_at": stored.certified_at.isoformat(timespec="microseconds"),
        "made_at": stored.made_at.isoformat(timespec="microseconds"),
    }  # fmt: skip
    text = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(ours)).verify(bytes.fromhex(stored.signature), text)
    secret = Ed25519PrivateKey.from_private_bytes(database.keyring.derive(database.keyring.primary_id, "checkpoint"))
    assert secret.public_key().public_bytes_raw().hex() == ours


def test_a_noted_head_shows_a_database_that_was_put_back(database: Database, chain: list[Certificate]) -> None:
    note = (5, chain[4].hash)
    assert look(database, head=note).holds
    with database.owner() as conn:  # an old backup: consistent in itself, and of the day before
        conn.execute("delete from sluis.deletion_certificate where sequence = 5")
        conn.execute("delete from sluis.retention_run where dag_run_id = 'scheduled__5'")
        link = listing(conn, 1)[0]
        keyring = database.keyring
        checkpoints.sign(conn, keyring, "head", sequence=4, hash_=link.hash, certified_at=link.made_at)
    assert look(database).holds
    assert told(look(database, head=note)) == [(5, "was noted and is missing")]
    with database.retention() as conn:
        certified(conn, database.keyring, proved(conn, 9), 9)
    assert told(look(database, head=note)) == [(5, "is not the one that was noted")]


def test_old_links_are_dropped_behind_a_signed_checkpoint(database: Database, chain: list[Certificate]) -> None:
    with database.retention() as conn:
        deleter = ExpiringCertificates(conn, database.keyring)
        at = rule(chain[2].made_at)
        assert deleter.count(at).expired == {"deletion_certificate": 2}
        assert deleter.count(at).standing == 5
        assert deleter.delete(at) == {"deletion_certificate": 2}
        assert deleter.delete(at) == {}
        assert deleter.count(at).total == 0
        found = verify(conn, keyring=database.keyring, head=(1, NO_HASH))
        assert (found.holds, found.certificates, found.first, found.dropped) == (True, 3, 3, 2)
        certified(conn, database.keyring, proved(conn, 6), 6)
        deleter.delete(rule(START + timedelta(days=100)))
        found = verify(conn, keyring=database.keyring)
        assert (found.holds, found.certificates, found.last, found.dropped) == (True, 0, 6, 6)
        assert certified(conn, database.keyring, proved(conn, 7), 107).sequence == 7
        assert verify(conn, keyring=database.keyring).holds
    with database.owner() as conn:
        conn.execute(
            "update sluis.certificate_checkpoint set hash = decode(%s, 'hex') where kind = 'dropped'", [NO_HASH]
        )
        findings = verify(conn, keyring=database.keyring).findings
    assert [tuple(f) for f in findings] == [
        (6, "has a checkpoint whose signature is wrong"), (7, "does not follow what was before it")
    ]  # fmt: skip


def test_what_is_held_or_broken_is_not_shortened(database: Database, chain: list[Certificate]) -> None:
    late = START + timedelta(days=100)
    with database.owner() as owner:
        owner.execute("update sluis.deletion_certificate set merchant_code = 'm1abc' where sequence = 3")
    with database.retention() as conn:
        deleter = ExpiringCertificates(conn, database.keyring)
        assert deleter.count(rule(late, held=True)).total == 0
        assert deleter.count(rule(late, merchant="m1abc")).total == 0
        assert deleter.count(rule(late, held_merchants=frozenset({"m1abc"}))).total == 2
        with pytest.raises(ProofFailed, match="is not shortened"):
            deleter.delete(rule(late))
        assert deleter.count(rule(late)).total == 5


def test_keys_that_rotate_take_the_checkpoints_with_them(database: Database, chain: list[Certificate]) -> None:
    new = Keyring.generate()
    both, alone = Keyring.parse(f"{new},{database.keys}"), Keyring.parse(new)
    with database.retention() as conn:
        ExpiringCertificates(conn, database.keyring).delete(rule(chain[1].made_at))
    with database.owner() as conn:
        assert verify(conn, keyring=both).holds
        assert [finding.sequence for finding in verify(conn, keyring=alone).findings] == [1, 5]
        old = both.ids[1]
        assert {k.key_id: k.opens for k in keys.listing(conn, both)}[old] == 2
        assert keys.rotate(conn, both).resealed == 2
        assert {k.key_id: k.opens for k in keys.listing(conn, both)}[old] == 0
        assert verify(conn, keyring=alone).holds
        assert keys.rotate(conn, both).resealed == 0


def test_a_lost_key_is_replaced_by_the_public_one_that_was_noted(database: Database, chain: list[Certificate]) -> None:
    alone = Keyring.parse(Keyring.generate())
    noted = checkpoints.public_key(database.keyring)
    with database.owner() as conn:
        assert checkpoints.renew(conn, keyring=alone) == 0
        assert not verify(conn, keyring=alone).holds
        assert checkpoints.renew(conn, keyring=alone, noted=[noted]) == 1
        assert verify(conn, keyring=alone).holds
