"""``sluis keys``."""

from __future__ import annotations

import typer

from sluis.cli.options import Json
from sluis.cli.output import FOUND, Column, emit_json, emit_table, say

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The keys that open what the store holds sealed.")


@app.command("generate")
def generate() -> None:
    """Print a new key.

    It is shown once and stored nowhere: put it first in SLUIS_KEYS, the older ones behind it.

    \b
    Example:
      export SLUIS_KEYS="$(sluis keys generate)"
      export SLUIS_KEYS="$(sluis keys generate),$SLUIS_KEYS" && sluis keys rotate
    """
    from sluis.flows import keys as flow

    say(flow.generate())


@app.command("list")
def listing(json: Json = False) -> None:
    """List the keys by id, and how much each still opens.

    Exit code 1 when something is sealed with a key that SLUIS_KEYS does not have.

    \b
    Example:
      sluis keys list
    """
    from sluis.flows import keys as flow
    from sluis.privacy.keyring import Keyring
    from sluis.store.database import owner_connection

    keyring = Keyring.from_environment()
    with owner_connection() as conn:
        found = flow.listing(conn, keyring)
    if json:
        emit_json(found)
    else:
        emit_table(
            [Column("key"), Column("role"), Column("opens", right=True), Column("what to do")],
            [(k.key_id, k.role, str(k.opens), _advice(k.role, k.opens)) for k in found],
        )
    if any(key.role == "absent" for key in found):
        raise typer.Exit(FOUND)


@app.command("rotate")
def rotate(json: Json = False) -> None:
    """Seal everything with the first key of SLUIS_KEYS.

    Row by row, while runs go on. Afterwards the older keys may leave SLUIS_KEYS, once no run is underway that
    started before and no backup needs them any more: `sluis backup list` shows which key opens which.

    \b
    Example:
      sluis keys rotate
    """
    from sluis.flows import keys as flow
    from sluis.privacy.keyring import Keyring
    from sluis.store.database import owner_connection

    keyring = Keyring.from_environment()
    with owner_connection() as conn:
        done = flow.rotate(conn, keyring)
    if json:
        emit_json(done)
    else:
        say(f"{done.resealed} sealed again with key {done.primary_key}")


def _advice(role: str, opens: int) -> str:
    if role == "absent":
        return "put it back into SLUIS_KEYS behind the first one"
    if role == "older":
        gone = "may leave SLUIS_KEYS when no older run is underway and no backup needs it (`sluis backup list`)"
        return "sluis keys rotate" if opens else gone
    return ""
