"""Run reports: counts, cents and hashes of every run, chained, so that what a log said can be proved later.

``hash`` = SHA-256 over the canonical JSON (``core.canonical``) of the report, the fields of ``RunReport`` by name, with
``previous_hash`` in it and without ``hash``. The first report of an integration has 64 zeros as previous hash.
``lines_hash`` is the run's own hash over its document lines. The head of the chain stands in the integration's row
too: a chain that was cut off at its end does not verify either. Retention may remove reports from the beginning only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb
from pydantic import field_validator

from sluis.core.canonical import canonical_hash
from sluis.core.frozen import Frozen, Moment
from sluis.errors import Defect, NotConfigured, ProofFailed
from sluis.store.database import Connection, row, rows
from sluis.store.integrations import Integration

NO_HASH = "0" * 64
_HEX = re.compile(r"[0-9a-f]{64}")


class RunReport(Frozen):
    """What one run proved. ``tally`` holds counts and cents: integers, nested under names as the flow chose them."""

    merchant: str
    integration: str
    sequence: int = 0  #: 1 for the first report of an integration; given by ``Reports.append``
    dag_run_id: str
    try_number: int
    run_type: str
    started_at: Moment
    ended_at: Moment
    window_start: Moment | None
    window_end: Moment | None
    settings_version: int
    rules_version: str
    code_version: str
    shop_count: int | None  #: what the shop said it has in the window
    extracted: int
    tally: dict[str, Any]
    lines_hash: str = ""  #: these three are given by ``Reports.append``
    previous_hash: str = ""
    hash: str = ""

    @field_validator("tally")
    @classmethod
    def _only_integers(cls, tally: dict[str, Any]) -> dict[str, Any]:
        _check_integers(tally)
        return tally


_COLUMNS = """merchant_code as merchant, integration_code as integration, sequence, dag_run_id, try_number, run_type,
    started_at, ended_at, window_start, window_end, settings_version, rules_version, code_version, shop_count,
    extracted, tally, encode(lines_hash, 'hex') as lines_hash, encode(previous_hash, 'hex') as previous_hash,
    encode(hash, 'hex') as hash"""
_OURS = " from sluis.run_report where merchant_code = %(merchant)s and integration_code = %(integration)s"


class Reports:
    """The chain of run reports of one integration."""

    def __init__(self, conn: Connection, integration: Integration) -> None:
        self._conn = conn
        self._scope: dict[str, Any] = {"merchant": integration.merchant, "integration": integration.code}

    def append(self, report: RunReport, lines_hash: str, *, watermark: datetime | None) -> RunReport:
        """Store a report as the next link and move the watermark (never backwards) in the same transaction.

        ``watermark`` ``None`` leaves it where it is (backfills, runs that deferred). Returns the link.
        """
        if (report.merchant, report.integration) != (self._scope["merchant"], self._scope["integration"]):
            raise Defect("a run report belongs to the integration it was made for", code="report_scope")
        if not _HEX.fullmatch(lines_hash):
            raise Defect("a run report's lines hash is a SHA-256 in lower-case hex", code="report_hash")
        with self._conn.transaction():
            head = self._head(lock=True)
            link = report.model_copy(
                update={
                    "sequence": head["report_sequence"] + 1,
                    "lines_hash": lines_hash,
                    "previous_hash": _hex(head["report_hash"]),
                    "hash": "",
                }
            )
            link = link.model_copy(update={"hash": report_hash(link)})
            self._conn.execute(_INSERT, {**link.model_dump(mode="python"), "tally": Jsonb(link.tally)})
            self._conn.execute(
                """update sluis.integration set report_sequence = %(sequence)s, report_hash = decode(%(hash)s, 'hex'),
                watermark = greatest(watermark, %(watermark)s), updated_at = now()
                where merchant_code = %(merchant)s and code = %(integration)s""",
                {**self._scope, "sequence": link.sequence, "hash": link.hash, "watermark": watermark},
            )
        return link

    def mark(self, dag_run_id: str) -> str:
        """Return what bookings carry until the run's next report: its id, and ``~n`` after n reports (it was cleared).

        Only so can one tell, when the n-th time fails before its report, which bookings no report has told of.
        """
        told = self._count(dag_run_id)
        return f"{dag_run_id}~{told}" if told else dag_run_id

    def told(self, mark: str, at: datetime | None = None) -> bool:
        """Whether there is a report that tells of what was booked under this mark; ``at``: when it was booked.

        What is older than the oldest report kept was told by one that retention took.
        """
        if at is not None and self._taken(at):
            return True
        run, _, earlier = mark.rpartition("~")
        return self._count(run) > int(earlier) if run and earlier.isdecimal() else self._count(mark) > 0

    def _taken(self, at: datetime) -> bool:
        """Whether the report of that time is gone: retention removes them from the beginning only."""
        found = row(
            self._conn,
            "select 1 as taken" + _OURS + " having min(sequence) > 1 and %(at)s < min(started_at)",
            {**self._scope, "at": at},
        )
        return found is not None

    def _count(self, dag_run_id: str) -> int:
        found = row(
            self._conn, "select count(*) as n" + _OURS + " and dag_run_id = %(run)s", {**self._scope, "run": dag_run_id}
        )
        return int(found["n"]) if found is not None else 0

    def list(self, limit: int = 50) -> Sequence[RunReport]:
        """Return the latest reports, the newest first."""
        found = rows(
            self._conn,
            "select " + _COLUMNS + _OURS + " order by sequence desc limit %(limit)s",
            {**self._scope, "limit": limit},
        )
        return [RunReport(**r) for r in found]

    def verify(self) -> int:
        """Check every link from the oldest kept report to the head; returns how many there are.

        Raises ``ProofFailed("chain_broken")`` naming the first report whose content, place or predecessor is not what
        was stored.
        """
        with self._conn.transaction():
            head = self._head(lock=False)
            expected_hash, expected_sequence, count = None, None, 0
            with self._conn.cursor(name="sluis_verify") as cursor:
                cursor.execute("select " + _COLUMNS + _OURS + " order by sequence", self._scope)
                names = [column.name for column in cursor.description or ()]
                for values in cursor:
                    report = RunReport(**dict(zip(names, values, strict=True)))
                    if expected_hash is None:
                        expected_sequence = report.sequence
                        expected_hash = NO_HASH if report.sequence == 1 else report.previous_hash
                    if report.sequence != expected_sequence:
                        raise _broken(expected_sequence, "is missing")
                    if report.previous_hash != expected_hash:
                        raise _broken(report.sequence, "does not follow the one before it")
                    if report_hash(report) != report.hash:
                        raise _broken(report.sequence, f"(run {report.dag_run_id}) was altered")
                    expected_hash, expected_sequence, count = report.hash, report.sequence + 1, count + 1
            self._check_head(head, expected_hash, (expected_sequence or 1) - 1)
        return count

    def _check_head(self, head: Mapping[str, Any], last_hash: str | None, last_sequence: int) -> None:
        if last_hash is None:
            if head["report_sequence"]:
                raise _broken(head["report_sequence"], "is missing")
            return
        if last_sequence != head["report_sequence"]:
            raise _broken(min(last_sequence, head["report_sequence"]) + 1, "is missing or was added")
        if last_hash != _hex(head["report_hash"]):
            raise _broken(last_sequence, "is not the one the integration's row knows as the last")

    def _head(self, *, lock: bool) -> dict[str, Any]:
        head = row(
            self._conn,
            """select report_sequence, report_hash from sluis.integration
            where merchant_code = %(merchant)s and code = %(integration)s"""
            + (" for update" if lock else ""),
            self._scope,
        )
        if head is None:
            raise NotConfigured(
                f"merchant {self._scope['merchant']} has no integration {self._scope['integration']}",
                code="integration_unknown",
            )
        return head


def report_hash(report: RunReport) -> str:
    """Return the SHA-256 (hex) of a report as the module's docstring defines it."""
    return canonical_hash(report.model_dump(mode="python", exclude={"hash"}))


_INSERT = """insert into sluis.run_report (merchant_code, integration_code, sequence, dag_run_id, try_number, run_type,
    started_at, ended_at, window_start, window_end, settings_version, rules_version, code_version, shop_count,
    extracted, tally, lines_hash, previous_hash, hash) values (%(merchant)s, %(integration)s, %(sequence)s,
    %(dag_run_id)s, %(try_number)s, %(run_type)s, %(started_at)s, %(ended_at)s, %(window_start)s, %(window_end)s,
    %(settings_version)s, %(rules_version)s, %(code_version)s, %(shop_count)s, %(extracted)s, %(tally)s,
    decode(%(lines_hash)s, 'hex'), decode(%(previous_hash)s, 'hex'), decode(%(hash)s, 'hex'))"""


def _hex(value: bytes | None) -> str:
    return bytes(value).hex() if value is not None else NO_HASH


def _check_integers(value: object) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError("a tally's names are texts")
            _check_integers(inner)
    elif isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a tally holds whole counts and cents only")


def _broken(sequence: int | None, what: str) -> ProofFailed:
    return ProofFailed(f"the chain of run reports is broken: report {sequence} {what}", code="chain_broken")
