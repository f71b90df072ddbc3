"""Retention as people and DAGs call it: look, carry out with a certificate, list, verify.

The steps stand in ``privacy.retention.run``; here they are put in a row, with the places of this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sluis import __version__
from sluis.core.frozen import Frozen, Moment
from sluis.flows import backup
from sluis.privacy.backup import last_backup_expires
from sluis.privacy.keyring import Keyring
from sluis.privacy.register import Published, Register
from sluis.privacy.register_files import roots
from sluis.privacy.retention import run as engine
from sluis.privacy.retention.airflow import COMMAND
from sluis.privacy.retention.certificates import ProvedRun, certify
from sluis.privacy.retention.chain import Certificate
from sluis.privacy.retention.contract import now_utc
from sluis.privacy.retention.kit import Kit
from sluis.privacy.retention.runs import Plan, RetentionRun
from sluis.store.database import Connection, rows

CLI = "cli"


class Due(Frozen):
    """What would go now, and the hash by which this plan is confirmed."""

    plan: Plan
    plan_hash: str


class RunLine(Frozen):
    """A run of retention in a list. Moments in UTC."""

    run: int
    state: str
    merchant: str | None
    category: str | None
    planned: int  #: rows and files that were to go
    deleted: int
    started_at: Moment
    ended_at: Moment | None
    plan_hash: str
    certificate: int | None  #: its place in the chain


def kit(environ: Mapping[str, str] | None = None) -> Kit:
    """Return where retention reaches on this machine: only directories that are named in the environment."""
    return Kit(roots=roots(environ), airflow=COMMAND)


def due(
    conn: Connection, published: Published, *, merchant: str | None = None, category: str | None = None,
    clock: datetime | None = None,
) -> Due:  # fmt: skip
    """Return exactly what would go now; changes nothing and stores nothing."""
    found = engine.preview(conn, published, clock or now_utc(), merchant=merchant, category=category, kit=kit())
    return Due(plan=found, plan_hash=found.sha256())


def carry_out(
    conn: Connection,
    published: Published,
    keyring: Keyring,
    *,
    merchant: str | None = None,
    category: str | None = None,
    confirm: str | None = None,
) -> tuple[RetentionRun, Certificate]:
    """Finish what was left halfway, plan, take out what is held, delete, prove and certify.

    ``confirm`` is the hash of a plan that waits for a person: that one is carried out. Raises what the steps raise;
    ``Defect("plan_too_large")`` leaves the plan waiting.
    """
    reach = kit()

    def with_certificate(conn: Connection, proved: ProvedRun) -> Certificate:
        return certified(conn, proved, published.register_, keyring)

    engine.finish_earlier(conn, published, kit=reach, certify=with_certificate)
    if confirm is not None:
        run = engine.waiting(conn, confirm)
    else:
        run = engine.plan(
            conn, published, now_utc(), dag_run_id=CLI, merchant=merchant, category=category, kit=reach
        )  # fmt: skip
        run = engine.apply_holds(conn, run, published, kit=reach)
    run = engine.guard(conn, run, published, confirm=confirm)
    run = engine.prove(conn, engine.delete(conn, run, published, kit=reach), published, kit=reach)
    return run, with_certificate(conn, engine.proved(run))


def certified(conn: Connection, proved: ProvedRun, register: Register, keyring: Keyring) -> Certificate:
    """Certify a proved run with this code's version and the day on which the last backup there is expires.

    Raises ``Defect("deletions_log")`` where the log beside the backups cannot be written; the certificate stands.
    """
    gone_on = last_backup_expires(kit().roots.get("backups"), register, now_utc())
    made = certify(conn, proved, keyring=keyring, code_version=__version__, backups_gone_on=gone_on)
    backup.write_down(conn)  # so that a restore knows the chain to its end, also where the store is lost
    return made


def listing(conn: Connection, limit: int) -> list[RunLine]:
    """Return the latest runs, the newest first."""
    found = rows(
        conn,
        """select r.id as run, r.state, r.merchant_code as merchant, r.category, r.plan, r.done, r.started_at,
        r.ended_at, encode(r.plan_hash, 'hex') as plan_hash, c.sequence as certificate
        from sluis.retention_run as r left join sluis.deletion_certificate as c on c.retention_run_id = r.id
        order by r.id desc limit %s""",
        [limit],
    )
    lines = []
    for values in found:
        plan, done = Plan.model_validate(values.pop("plan")), values.pop("done").get("deleted", {})
        deleted = sum(count for places in done.values() for count in places.values())
        lines.append(RunLine(**values, planned=plan.total, deleted=deleted))
    return lines
