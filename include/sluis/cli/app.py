"""The tree of commands."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sluis.cli import (
    backup,
    holds,
    integrations,
    invoicing,
    keys,
    merchants,
    notices,
    quarantine,
    reconcile,
    register,
    retention,
    runs,
    sandbox,
    statistics,
)
from sluis.cli.output import OneLineErrors, say

app = typer.Typer(
    name="sluis",
    cls=OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="""Orders pass from webshops into accounting packages, exactly once, and nothing stays behind.

    \b
    A first integration, from nothing to booking:
      sluis migrate
      sluis merchant add "Voorbeeld B.V."
      sluis integration add m7f3k --shop woocommerce --shop-url https://shop.example.com \\
          --package moneybird --settings settings.yaml --start-date 2026-12-01
      sluis integration check m7f3k woocommerce_moneybird --apply-mapping
      sluis integration preview m7f3k woocommerce_moneybird --from 2026-12-01 --to 2026-12-02
      sluis integration go-live m7f3k woocommerce_moneybird

    \b
    Environment:
      SLUIS_DATABASE_URL  the store, as its owner (PostgreSQL connection string)
      SLUIS_KEYS          the keys that open it (`sluis keys generate`), or SLUIS_KEYS_FILE: a file that holds them

    Exit codes: 0 as it should be, 1 something was found or went wrong, 2 the command was not understood.
    """,
)
for part, name in (
    (merchants.app, "merchant"),
    (integrations.app, "integration"),
    (quarantine.app, "quarantine"),
    (notices.app, "notices"),
    (runs.app, "runs"),
    (register.app, "register"),
    (retention.app, "retention"),
    (holds.app, "hold"),
    (keys.app, "keys"),
    (backup.app, "backup"),
    (invoicing.app, "invoicing"),
    (statistics.app, "statistics"),
    (sandbox.app, "sandbox"),
):
    app.add_typer(part, name=name)


def _version(wanted: bool) -> None:
    if wanted:
        from sluis import __version__

        say(f"sluis {__version__}")
        raise typer.Exit


app.command("reconcile")(reconcile.reconcile)
app.command("restore")(backup.restore)


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show it and exit")
    ] = False,
) -> None:
    """Hold the options of all commands; the help stands with the application."""


@app.command()
def migrate() -> None:
    """Bring the store's schema to the version of this code.

    Safe to repeat, and safe beside another one: they wait for each other.

    \b
    Example:
      sluis migrate
    """
    from sluis.errors import NotConfigured
    from sluis.store.database import OWNER_URL
    from sluis.store.migrate import upgrade

    dsn = os.environ.get(OWNER_URL, "").strip()
    if not dsn:
        raise NotConfigured(f"{OWNER_URL} is not set: the PostgreSQL connection string of the store belongs there")
    before, after = upgrade(dsn)
    say(f"the store is at {after}" + ("" if before == after else f" (was {before or 'empty'})"))
