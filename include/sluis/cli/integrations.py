"""``sluis integration``: from adding one to its end."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis.cli import cutover
from sluis.cli.options import DAY, Code, Json, Merchant, OfMerchant, Wait
from sluis.cli.output import Column, emit_json, emit_table, moment, say, word

if TYPE_CHECKING:
    from sluis.store.integrations import Integration

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Integrations: one shop tied to one administration.",
)
Credentials = Annotated[
    str | None,
    typer.Option("--credentials", metavar="FILE", help="YAML with shop: and package:, - for stdin; else asked"),
]


@app.command("add")
def add(
    merchant: Merchant,
    *,
    shop: Annotated[str, typer.Option(help="shop platform, e.g. woocommerce")],
    package: Annotated[str, typer.Option(help="accounting package, e.g. moneybird")],
    start_date: Annotated[datetime, typer.Option(formats=DAY, metavar="DATE", help="nothing dated earlier is booked")],
    shop_url: Annotated[str | None, typer.Option(help="the shop's address (shop.url of the settings)")] = None,
    settings: Annotated[Path | None, typer.Option(help="YAML; package.administration_id is a must")] = None,
    code: Annotated[str | None, typer.Option(help="default: <shop>_<package>, a second one _2")] = None,
    credentials: Credentials = None,
    json: Json = False,
) -> None:
    """Tie a shop to an administration. It starts in preview: nothing is booked before `go-live`.

    \b
    settings.yaml:                          credentials.yaml (or asked for, never an argument):
      package:                                shop:
        administration_id: "123456789"          consumer_key: ck_...
      reference_prefix: "W-"                    consumer_secret: cs_...
      eu_consumers: home_vat                  package:
                                                token: ...

    \b
    Example:
      sluis integration add m7f3k --shop woocommerce --shop-url https://shop.example.com \\
          --package moneybird --settings settings.yaml --start-date 2026-12-01 --credentials credentials.yaml
    """
    from sluis.cli.files import read_credentials, read_settings
    from sluis.flows import integrations as flow
    from sluis.privacy.keyring import Keyring
    from sluis.store.database import owner_connection

    secrets = read_credentials(credentials, flow.credential_fields(shop, package))
    new = flow.new_integration(
        merchant=merchant, shop=shop, package=package, start_date=start_date.date(), shop_url=shop_url, code=code,
        settings=read_settings(settings) if settings else {},
    )  # fmt: skip
    with owner_connection() as conn:
        added = flow.add(conn, Keyring.from_environment(), new, secrets)
    _tell(added, json, f"next: sluis integration check {merchant} {added.code}")


@app.command("list")
def listing(merchant: OfMerchant = None, json: Json = False) -> None:
    """List integrations: state, watermark, what is booked and waits.

    \b
    Example:
      sluis integration list --merchant m7f3k
    """
    from sluis.flows import integrations as flow
    from sluis.store.database import owner_connection

    with owner_connection() as conn:
        found = flow.listing(conn, merchant)
    if json:
        emit_json(found)
        return
    emit_table(
        [Column("merchant"), Column("integration"), Column("state"), Column("reason"), Column("start"),
         Column("settings", right=True), Column("handled up to (UTC)"), Column("booked", right=True),
         Column("waiting", right=True)],
        [(i.merchant, i.integration, i.state.value, word(i.state_reason), str(i.start_date), f"v{i.settings_version}",
          moment(i.watermark), str(i.booked), str(i.waiting)) for i in found],
    )  # fmt: skip


@app.command("show")
def show(merchant: Merchant, integration: Code, json: Json = False) -> None:
    """Show one integration with its settings (never its credentials).

    \b
    Example:
      sluis integration show m7f3k woocommerce_moneybird
    """
    import yaml

    from sluis.flows import integrations as flow
    from sluis.store.database import owner_connection

    with owner_connection() as conn:
        found = flow.show(conn, merchant, integration)
    if json:
        emit_json(found)
        return
    say(
        f"{found.merchant} {found.integration}: {found.state.value}"
        + (f" ({found.state_reason})" if found.state_reason else "")
    )
    say(f"DAG {found.dag_id}, administration {found.administration_key}, handled up to {moment(found.watermark)} UTC")
    say(f"{found.booked} booked, {found.waiting} waiting in quarantine")
    say(f"settings, version {found.settings_version}:")
    say(yaml.safe_dump(found.settings, sort_keys=False, allow_unicode=True).rstrip())


@app.command("set")
def change(
    merchant: Merchant,
    integration: Code,
    settings: Annotated[Path, typer.Option(help="YAML with the settings to change; null goes back to the default")],
    json: Json = False,
) -> None:
    """Change settings, and offer what waits in quarantine again.

    The file is a merge patch (RFC 7396): what it does not name stays. A new version of the settings is made.

    \b
    Example:
      echo 'overlap_minutes: 30' > change.yaml
      sluis integration set m7f3k woocommerce_moneybird --settings change.yaml
    """
    from sluis.cli.files import read_settings
    from sluis.flows import integrations as flow
    from sluis.store.database import owner_connection

    patch = read_settings(settings)
    with owner_connection() as conn:
        done = flow.change(conn, merchant, integration, patch)
    if json:
        emit_json(done)
        return
    say(f"settings are at version {done.settings_version}; changed: {', '.join(done.fields) or 'nothing'}")
    say(f"{done.offered} document(s) of the quarantine are offered to the next run again")
    if done.rereads_from is not None:
        say(f"the next scheduled run reads again from {done.rereads_from:%Y-%m-%d %H:%M} UTC; nothing is booked twice")


cutover.register(app)  # here, so that the help lists the commands in the order of their use


@app.command("go-live")
def go_live(merchant: Merchant, integration: Code, json: Json = False) -> None:
    """End the preview: the next run books. Refused while `check` misses something.

    \b
    Example:
      sluis integration go-live m7f3k woocommerce_moneybird
    """
    from sluis.flows import integrations as flow
    from sluis.flows.wiring import open_session

    with open_session(merchant, integration) as session:
        done = flow.go_live(session)
    _tell(done, json, f"the DAG {done.dag_id} books from its next run on")


@app.command("pause")
def pause(merchant: Merchant, integration: Code, json: Json = False) -> None:
    """Hold scheduled runs off. A run underway ends in order; the watermark stays, so nothing is lost.

    \b
    Example:
      sluis integration pause m7f3k woocommerce_moneybird
    """
    from sluis.flows import integrations as flow
    from sluis.store.database import owner_connection

    with owner_connection() as conn:
        done = flow.pause(conn, merchant, integration)
    _tell(done, json, f"`sluis integration resume {merchant} {integration}` goes on where it stopped")


@app.command("resume")
def resume(merchant: Merchant, integration: Code, json: Json = False) -> None:
    """Go on after a pause.

    Also after a refused credential works again: then both sides are asked first. After a restore only once the
    time since the backup was adopted; it names the days.

    \b
    Example:
      sluis integration resume m7f3k woocommerce_moneybird
    """
    from sluis.flows import integrations as flow
    from sluis.flows.wiring import open_session

    with open_session(merchant, integration) as session:
        done = flow.resume(session)
    _tell(done, json, "the next run closes the gap")


@app.command("reconnect")
def reconnect(merchant: Merchant, integration: Code, credentials: Credentials = None, json: Json = False) -> None:
    """Give new credentials, for one side or both. They are stored once both sides answer.

    \b
    Example:
      sluis integration reconnect m7f3k woocommerce_moneybird --credentials new.yaml
    """
    from sluis.cli.files import read_credentials
    from sluis.flows import integrations as flow
    from sluis.flows.wiring import open_session

    with open_session(merchant, integration) as session:
        where = session.integration
        secrets = read_credentials(credentials, flow.credential_fields(where.shop, where.package))
        done = flow.reconnect(session, secrets)
    _tell(done, json, "both sides answer with the new credentials")


@app.command("end")
def end(
    merchant: Merchant,
    integration: Code,
    wait: Wait = 300,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    json: Json = False,
) -> None:
    """End an integration for good, after the run that is underway.

    Its credentials are deleted at once.

    \b
    Example:
      sluis integration end m7f3k woocommerce_moneybird
    """
    from sluis.flows.ending import end_integration
    from sluis.privacy.keyring import Keyring
    from sluis.store.database import owner_connection

    if not yes:
        typer.confirm(f"End integration {integration} of {merchant} and delete its credentials now?", abort=True)
    keyring = Keyring.from_environment()
    with owner_connection() as conn:
        ended = end_integration(conn, keyring, merchant, integration, wait=timedelta(seconds=wait))
    if json:
        emit_json(ended)
    else:
        say(f"{merchant} {integration} has ended; {ended.credentials_deleted} credential(s) were deleted")
        if ended.documents_not_posted:
            say(f"{ended.documents_not_posted} document(s) stand in no journal entry: book them by hand")


def _tell(integration: Integration, json: bool, what_next: str) -> None:
    if json:
        emit_json({"merchant": integration.merchant, "integration": integration.code, "state": integration.state.value})
    else:
        say(f"{integration.merchant} {integration.code} is {integration.state.value}; {what_next}")
