"""Certifies what retention deleted, and drops certificates that are past their own period.

A certificate is a link of the chain (``chain``), its head is signed (``checkpoints``). What is left after the oldest
were dropped still verifies, because the last one dropped is named, with its hash, in a signed checkpoint. A chain that
does not verify is neither signed nor shortened: what is wrong with it must stay visible.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sluis.errors import Defect, ProofFailed
from sluis.privacy.keyring import Keyring
from sluis.privacy.retention import checkpoints
from sluis.privacy.retention.chain import (
    NO_HASH,
    RESTARTED,
    UNSIGNED,
    Certificate,
    Deletion,
    ProvedRun,
    certificate_hash,
    of_run,
    read_chain,
    restarted,
    verified,
    verify,
)
from sluis.privacy.retention.contract import Count, Rule, now_utc
from sluis.privacy.retention.kit import Tools
from sluis.privacy.retention.runs import RetentionRuns
from sluis.store.database import Connection, row

__all__ = ["Deletion", "ExpiringCertificates", "ProvedRun", "certify", "deleters", "sign_unsigned", "verify"]
#: Serialises whoever writes to the chain (``pg_advisory_xact_lock``); a constant of the schema, chosen once.
CHAIN_LOCK = 7_266_011_482_001
_TABLE = "deletion_certificate"
_log = logging.getLogger("sluis.retention")


def certify(
    conn: Connection,
    run: ProvedRun,
    *,
    keyring: Keyring,
    code_version: str,
    backups_gone_on: date | None,
    now: datetime | None = None,
) -> Certificate:
    """Append the certificate of a proved run, sign the new head and mark the run as certified, all or nothing.

    A run that has its certificate already gets the same one. Runs that certify at once wait for each other. Where the
    chain no longer verifies, or begins behind runs without a record, the certificate is written all the same (the
    deletions took place), but its head is not signed: we sign nothing that we cannot vouch for, and ``verify`` goes on
    telling what is wrong. Raises
    ``Defect("not_proved")`` for a run that is not proved, or whose plan is not the one that was stored.
    """
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", [CHAIN_LOCK])
        _must_be_proved(conn, run)
        if (made := of_run(conn, run.id)) is not None:
            return made
        found = verified(conn, checkpoints.public_keys(keyring)).findings
        link = _appended(conn, _told(run, code_version, backups_gone_on), now or now_utc())
        conn.execute(
            "update sluis.retention_run set state = 'certified', ended_at = %s where id = %s", [link.made_at, run.id]
        )
        RetentionRuns(conn).forget(run.id)
        if found or restarted(conn, read_chain(conn)):
            _log.error("the chain of certificates is broken, its head is not signed: run `sluis retention verify`")
        else:
            checkpoints.sign(conn, keyring, "head", sequence=link.sequence, hash_=link.hash, certified_at=link.made_at)
    _log.info("certificate %d of retention run %d: %s", link.sequence, run.id, link.hash)
    return link


def sign_unsigned(conn: Connection, *, keyring: Keyring) -> int:
    """Sign the head of a chain with which nothing is wrong but that its last links were not signed; returns how many.

    For a person who looked at them: so it is after a key was lost and its checkpoints were renewed, and where a chain
    begins behind runs without a record.
    """
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", [CHAIN_LOCK])
        found = verified(conn, checkpoints.public_keys(keyring)).findings
        if not found or any(finding.what not in (*UNSIGNED, RESTARTED) for finding in found):
            return 0
        link = read_chain(conn).links[-1]
        checkpoints.sign(
            conn, keyring, "head", sequence=link.sequence, hash_=link.hash, certified_at=link.made_at
        )  # fmt: skip
    return link.sequence - found[0].sequence + 1


class ExpiringCertificates:
    """Drops certificates that were made before the rule's cutoff, in one transaction that may be repeated."""

    name = "certificates"

    def __init__(self, conn: Connection, keyring: Keyring | None = None) -> None:
        self._conn = conn
        self._keyring = keyring  #: ``None``: that of the environment, read when something goes

    def count(self, rule: Rule) -> Count:
        """Count the links that go, and all that stand there."""
        last = self._last(rule)
        found = row(
            self._conn,
            "select count(*) as standing, count(*) filter (where sequence <= %s) as expired"
            " from sluis.deletion_certificate",
            [last or 0],
        )
        return Count(expired={_TABLE: found["expired"]}, standing=found["standing"]) if found else Count()

    def delete(self, rule: Rule) -> Mapping[str, int]:
        """Drop them behind a signed checkpoint; raises ``ProofFailed("chain_broken")`` for a chain that is broken."""
        conn, keyring = self._conn, self._keyring or Keyring.from_environment()
        with conn.transaction():
            conn.execute("select pg_advisory_xact_lock(%s)", [CHAIN_LOCK])
            last = self._last(rule)
            if last is None:
                return {}
            if not verify(conn, keyring=keyring).holds:
                raise ProofFailed(
                    "the chain of certificates is broken and is not shortened: `sluis retention verify` tells where",
                    code="chain_broken",
                )
            link = row(
                conn,
                "select encode(hash, 'hex') as hash, made_at from sluis.deletion_certificate where sequence = %s",
                [last],
            )
            assert link is not None  # found a line ago, under the lock
            at: datetime = link["made_at"]
            checkpoints.sign(conn, keyring, "dropped", sequence=last, hash_=link["hash"], certified_at=at)
            gone = conn.execute("delete from sluis.deletion_certificate where sequence <= %s", [last]).rowcount
        return {_TABLE: gone}

    def _last(self, rule: Rule) -> int | None:
        """Return the last link that goes: only a beginning can go, so a held or younger one keeps all after it."""
        cutoff: datetime | None = rule.cutoff
        if rule.held or rule.merchant is not None or cutoff is None:
            return None
        found = row(
            self._conn,
            """select max(sequence) as last from sluis.deletion_certificate where sequence < coalesce((
                select min(sequence) from sluis.deletion_certificate
                where made_at >= %(cutoff)s or merchant_code = any(%(held)s)
            ), 9223372036854775807)""",
            {"cutoff": cutoff, "held": sorted(rule.held_merchants)},
        )
        return None if found is None else found["last"]


def deleters(tools: Tools) -> list[ExpiringCertificates]:
    """Return the deleter of this module."""
    return [ExpiringCertificates(tools.conn)]


def _must_be_proved(conn: Connection, run: ProvedRun) -> None:
    known = row(
        conn, "select state, encode(plan_hash, 'hex') as plan_hash from sluis.retention_run where id = %s", [run.id]
    )
    if known is None or known["state"] not in ("proved", "certified"):
        raise Defect(f"retention run {run.id} is not proved: there is nothing to certify", code="not_proved")
    if known["plan_hash"] != run.plan_hash:
        raise Defect(f"retention run {run.id} was planned otherwise than it is certified", code="not_proved")


def _told(run: ProvedRun, code_version: str, backups_gone_on: date | None) -> dict[str, Any]:
    """Return what a certificate tells of a run."""
    fields: dict[str, Any] = {name: getattr(run, name) for name in ProvedRun.model_fields if name != "id"}
    return {**fields, "retention_run": run.id, "code_version": code_version, "backups_gone_on": backups_gone_on}


def _appended(conn: Connection, told: Mapping[str, Any], now: datetime) -> Certificate:
    chain = read_chain(conn)
    last = chain.links[-1] if chain.links else chain.dropped
    at = chain.links[-1].made_at if chain.links else chain.dropped.certified_at if chain.dropped else now
    link = Certificate(
        **told,
        sequence=last.sequence + 1 if last else 1,
        made_at=max(now, at),
        previous_hash=last.hash if last else NO_HASH,
    )
    link = link.model_copy(update={"hash": certificate_hash(link)})
    deletions = json.dumps([deletion.model_dump(mode="json") for deletion in link.deletions])
    conn.execute(_INSERT, {**link.model_dump(mode="python"), "deletions": deletions})
    return link


_INSERT = """insert into sluis.deletion_certificate (sequence, retention_run_id, made_at, dag_run_id, merchant_code,
    register_version, register_hash, plan_hash, code_version, deletions, holds, backups_gone_on, previous_hash, hash)
    values (%(sequence)s, %(retention_run)s, %(made_at)s, %(dag_run_id)s, %(merchant)s, %(register_version)s,
    decode(%(register_hash)s, 'hex'), decode(%(plan_hash)s, 'hex'), %(code_version)s, %(deletions)s::jsonb, %(holds)s,
    %(backups_gone_on)s, decode(%(previous_hash)s, 'hex'), decode(%(hash)s, 'hex'))"""
