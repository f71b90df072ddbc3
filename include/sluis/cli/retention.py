"""``sluis retention``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from sluis.cli.options import Json, OfMerchant
from sluis.cli.output import FOUND, Column, emit_json, emit_table, moment, say, word

if TYPE_CHECKING:
    from sluis.privacy.retention.chain import Certificate, Verified
    from sluis.privacy.retention.runs import Plan

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Deleting what the register says has expired: look, carry out, prove.",
)
OfCategory = Annotated[str | None, typer.Option("--category", metavar="CATEGORY", help="of this category only")]
_NOTED = re.compile(r"([1-9][0-9]{0,17}):([0-9A-Fa-f]{64})")


@app.command("plan")
def plan(merchant: OfMerchant = None, category: OfCategory = None, json: Json = False) -> None:
    """Show exactly what would be deleted now; nothing is.

    Connects as the role that deletes (SLUIS_RETENTION_DATABASE_URL).

    \b
    Example:
      sluis retention plan
      sluis retention plan --merchant m7f3k --category booking_amounts
    """
    from sluis.flows import retention as flow
    from sluis.privacy.register import read_register, register_path
    from sluis.store.database import retention_connection

    published = read_register(register_path())
    with retention_connection() as conn:
        found = flow.due(conn, published, merchant=merchant, category=category)
    if json:
        emit_json(found)
        return
    _show_plan(found.plan)
    say(f"{found.plan.total} would go, {found.plan.holds} hold(s) in force; register version "
        f"{found.plan.register_version}, plan {found.plan_hash}")  # fmt: skip


@app.command("run")
def run(
    merchant: OfMerchant = None,
    category: OfCategory = None,
    *,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="HASH", help="carry out the plan that waits, by its whole hash")
    ] = None,
    json: Json = False,
) -> None:
    """Delete what has expired, prove it and certify it.

    What an earlier run left halfway is finished first. A plan that deletes far more than ever before waits for a
    person, who looks at it (`sluis retention show`) and confirms it by its hash.

    \b
    Example:
      sluis retention run
      sluis retention run --merchant m7f3k
      sluis retention run --confirm 3f0c...
    """
    from sluis.flows import retention as flow
    from sluis.privacy.keyring import Keyring
    from sluis.privacy.register import read_register, register_path
    from sluis.store.database import retention_connection

    if confirm is not None and (merchant or category):
        raise typer.BadParameter("--confirm names a plan: it has its own merchant and category")
    published, keyring = read_register(register_path()), Keyring.from_environment()
    with retention_connection() as conn:
        done, certificate = flow.carry_out(
            conn, published, keyring, merchant=merchant, category=category, confirm=confirm
        )  # fmt: skip
    if json:
        emit_json(certificate)
        return
    _show_certificate(certificate)
    say(f"retention run {done.id} is proved; certificate {certificate.sequence}: {certificate.hash}")


@app.command("list")
def listing(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="the latest so many")] = 20,
    json: Json = False,
) -> None:
    """List the latest runs of retention.

    \b
    Example:
      sluis retention list --limit 5
    """
    from sluis.flows import retention as flow
    from sluis.store.database import owner_connection

    with owner_connection() as conn:
        found = flow.listing(conn, limit)
    if json:
        emit_json(found)
        return
    if not found:
        say("nothing was planned yet")
    emit_table(
        [Column("run", right=True), Column("started"), Column("state"), Column("merchant"), Column("category"),
         Column("planned", right=True), Column("deleted", right=True), Column("certificate", right=True),
         Column("ended")],
        [(str(r.run), moment(r.started_at), r.state, r.merchant or "all", r.category or "all", str(r.planned),
          str(r.deleted), word(r.certificate), moment(r.ended_at)) for r in found],
    )  # fmt: skip


@app.command("show")
def show(number: Annotated[int, typer.Argument(metavar="RUN", help="its number")], json: Json = False) -> None:
    """Show a run: its plan, and its certificate where it has one.

    \b
    Example:
      sluis retention show 12
    """
    from sluis.privacy.retention.chain import of_run
    from sluis.privacy.retention.runs import RetentionRuns
    from sluis.store.database import owner_connection

    with owner_connection() as conn:
        found, certificate = RetentionRuns(conn).get(number), of_run(conn, number)
    if json:
        emit_json([found, certificate])
        return
    say(f"retention run {found.id}: {found.state.value}, planned {moment(found.started_at)}, plan {found.plan_hash}")
    if certificate is None:
        _show_plan(found.plan)
    else:
        _show_certificate(certificate)
        gone = certificate.backups_gone_on
        say(f"certificate {certificate.sequence} of {moment(certificate.made_at)}: {certificate.hash}")
        say(f"the last backup with what was deleted expires on {gone}" if gone else "there was no backup")


@app.command("verify")
def verify(
    keys: Annotated[
        list[str] | None, typer.Option("--key", metavar="HEX", help="a public key that was noted; more than once")
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", metavar="N:HASH", help="a certificate that was noted before")
    ] = None,
    json: Json = False,
) -> None:
    """Prove that no certificate was altered, removed or added.

    With SLUIS_KEYS the public keys are known; an auditor who noted them (`sluis retention key`) gives --key instead.
    Exit code 1 when the chain is broken.

    \b
    Example:
      sluis retention verify
      sluis retention verify --key 5d0f... --head 41:9b1c...
    """
    from sluis.privacy.keyring import KEYS, KEYS_FILE, Keyring
    from sluis.privacy.retention.certificates import verify as verified
    from sluis.store.database import owner_connection

    found_head = _NOTED.fullmatch(head) if head is not None else None
    if head is not None and found_head is None:
        raise typer.BadParameter("--head is the certificate's number, a colon and its hash of 64 digits")
    keyring = None if keys and not _has_any(KEYS, KEYS_FILE) else Keyring.from_environment()
    noted_head = (int(found_head[1]), found_head[2]) if found_head else None
    with owner_connection() as conn:
        found = verified(conn, keyring=keyring, noted=keys or (), head=noted_head)
    emit_json(found) if json else _show_chain(found)
    if not found.holds:
        raise typer.Exit(FOUND)


def _show_chain(found: Verified) -> None:
    for finding in found.findings:
        say(f"certificate {finding.sequence} {finding.what}")
    gone = f", {found.dropped} dropped after their period" if found.dropped else ""
    head = f"; head {found.last}:{found.head}" if found.head else ""
    say(f"the chain {'holds' if found.holds else 'is broken'}: {found.certificates} certificate(s){gone}{head}")


@app.command("key")
def key(
    renew: Annotated[bool, typer.Option("--renew", help="sign what older keys signed with the first one")] = False,
    keys: Annotated[
        list[str] | None, typer.Option("--key", metavar="HEX", help="also what this public key signed, which is lost")
    ] = None,
    json: Json = False,
) -> None:
    """Print the public key that verifies the checkpoints of the chain: to be noted by who audits it.

    `sluis keys rotate` signs them anew; --renew does only that, and with --key also for a key that was lost. It then
    signs the certificates that were made meanwhile, if nothing else is wrong with the chain: look at them first.

    \b
    Example:
      sluis retention key
      sluis retention key --renew --key 5d0f...
    """
    from sluis.privacy.keyring import Keyring
    from sluis.privacy.retention import checkpoints
    from sluis.privacy.retention.certificates import sign_unsigned
    from sluis.store.database import owner_connection

    if keys and not renew:
        raise typer.BadParameter("--key is for --renew")
    keyring = Keyring.from_environment()
    signed = caught_up = 0
    if renew:
        with owner_connection() as conn, conn.transaction():
            signed = checkpoints.renew(conn, keyring=keyring, noted=keys or ())
            caught_up = sign_unsigned(conn, keyring=keyring)
    if json:
        emit_json({"public_key": checkpoints.public_key(keyring), "renewed": signed, "caught_up": caught_up})
        return
    if renew:
        say(f"{signed} checkpoint(s) signed anew, {caught_up} certificate(s) signed that were not")
    say(checkpoints.public_key(keyring))


def _has_any(*names: str) -> bool:
    import os

    return any(os.environ.get(name, "").strip() for name in names)


def _show_plan(plan: Plan) -> None:
    lines = [
        (name, moment(planned.cutoff), place, str(count), _held(planned.held, planned.held_merchants))
        for name, planned in sorted(plan.categories.items())
        for place, count in (sorted(planned.counts.items()) or [("-", 0)])
        if planned.total or planned.held or planned.held_merchants
    ]
    emit_table(
        [Column("category"), Column("before"), Column("place"), Column("goes", right=True), Column("held")], lines
    )  # fmt: skip


def _held(everything: bool, merchants: tuple[str, ...]) -> str:
    if everything:
        return "all"
    if any(code.startswith("#") for code in merchants):  # digests: codes are forgotten once a plan is over
        return f"{len(merchants)} merchant(s)"
    return ", ".join(merchants) or "-"


def _show_certificate(certificate: Certificate) -> None:
    lines = [
        (deletion.category, moment(deletion.cutoff), place, str(deletion.before.get(place, 0)),
         str(deletion.deleted.get(place, 0)), str(deletion.after.get(place, "not counted")))
        for deletion in certificate.deletions
        for place in sorted({*deletion.before, *deletion.deleted, *deletion.after})
    ]  # fmt: skip
    emit_table(
        [Column("category"), Column("before"), Column("place"), Column("expired", right=True),
         Column("deleted", right=True), Column("left", right=True)],
        lines,
    )  # fmt: skip
