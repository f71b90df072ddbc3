"""``sluis sandbox``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="A shop and books on this machine, to try sluis against.",
)


@app.callback()
def group() -> None:
    """Keep ``start`` a command of its own, also while it is the only one."""


@app.command("start")
def start(
    *,
    config: Annotated[Path | None, typer.Option(help="YAML: seed, shops, administrations; else one of each")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="port on 127.0.0.1, 0 for any free one")] = 8765,
    orders: Annotated[int | None, typer.Option(min=0, help="how many orders each shop is filled with")] = None,
    orders_csv: Annotated[Path | None, typer.Option(help="real order lines for the first shop")] = None,
    seed: Annotated[int | None, typer.Option(help="another number makes other orders and persons")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="calls per token and five minutes; else no limit")] = None,
    keys_file: Annotated[Path | None, typer.Option(help="write addresses, keys and tokens here (mode 0600)")] = None,
    show_keys: Annotated[bool, typer.Option("--show-keys", help="print keys and tokens too")] = False,
) -> None:
    """Run the sandbox until Ctrl-C. It keeps everything in memory; no person in it exists.

    \b
    Example:
      sluis sandbox start --orders 200 --keys-file sandbox.json
    """
    from sluis.sandbox.__main__ import main

    given = {
        "--config": config, "--port": port, "--orders": orders, "--orders-csv": orders_csv, "--seed": seed,
        "--limit": limit, "--keys-file": keys_file,
    }  # fmt: skip
    arguments = [text for name, value in given.items() if value is not None for text in (name, str(value))]
    raise typer.Exit(main([*arguments, *(["--show-keys"] if show_keys else [])]))
