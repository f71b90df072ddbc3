"""``python -m sluis.sandbox``: runs the sandbox until it is stopped, and writes its keys to a file for the demo."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import uvicorn

from sluis.errors import SluisError
from sluis.sandbox.app import create_app
from sluis.sandbox.config import AdministrationConfig, SandboxConfig, ShopConfig, read_config
from sluis.sandbox.server import HOST, listen, server_config
from sluis.sandbox.state import State


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal comes; 2 where it cannot start, with one line on standard error."""
    options = _parser().parse_args(arguments)
    try:
        state = State(_config(options))
        opened = listen(options.port)
    except SluisError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with opened:
        facts = describe(state, f"http://{HOST}:{opened.getsockname()[1]}")
        if options.keys_file:
            _write_private(options.keys_file, json.dumps(facts, indent=1))
        sys.stdout.write(json.dumps(facts if options.show_keys else _without_keys(facts), indent=1) + "\n")
        sys.stdout.flush()
        settings = server_config(create_app(state))
        uvicorn.Server(settings).run(sockets=[opened])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sluis.sandbox", description=__doc__)
    parser.add_argument("--config", type=Path, help="YAML with seed, shops and administrations; else one of each")
    parser.add_argument("--port", type=int, default=8765, help="port on 127.0.0.1, 0 for any free one (default 8765)")
    parser.add_argument("--seed", type=int, help="another number makes other orders and persons")
    parser.add_argument("--orders", type=int, help="how many orders each shop is filled with")
    parser.add_argument("--orders-csv", type=Path, help="fill the first shop from real order lines instead")
    parser.add_argument("--limit", type=int, help="calls per token and five minutes (Moneybird: 150; default: none)")
    parser.add_argument("--keys-file", type=Path, help="write addresses, keys and tokens to this file (mode 0600)")
    parser.add_argument("--show-keys", action="store_true", help="print keys and tokens too")
    return parser


def _config(options: argparse.Namespace) -> SandboxConfig:
    config = (
        read_config(options.config)
        if options.config
        else SandboxConfig(shops=(ShopConfig(orders=200),), administrations=(AdministrationConfig(),))
    )
    changes: dict[str, Any] = {}
    if options.seed is not None:
        changes["seed"] = options.seed
    if options.limit is not None:
        changes["limit"] = options.limit
    shops = config.shops
    if options.orders is not None:
        shops = tuple(shop.model_copy(update={"orders": options.orders}) for shop in shops)
    if options.orders_csv is not None and shops:
        first = shops[0].model_copy(update={"orders": 0, "orders_csv": options.orders_csv})
        shops = (first, *shops[1:])
    return config.model_copy(update={**changes, "shops": shops})


def describe(state: State, url: str) -> dict[str, Any]:
    """Return where everything is and with which keys it opens."""
    return {
        "url": url,
        "control": {"url": f"{url}/_sandbox", "token": state.config.control_token},
        "shops": {
            code: {
                "url": f"{url}{shop.path}",
                "consumer_key": shop.config.consumer_key,
                "consumer_secret": shop.config.consumer_secret,
                "orders": len(shop.book.orders),
                "refunds": len(shop.book.refunds),
                "imported": shop.imported.summary() if shop.imported else None,
            }
            for code, shop in state.shops.items()
        },
        "administrations": {
            entry: {"url": f"{url}/books/api/v2", "token": ledger.config.token, "name": ledger.config.name}
            for entry, ledger in state.books.items()
        },
    }


def _without_keys(facts: dict[str, Any]) -> dict[str, Any]:
    hidden = {"token", "consumer_key", "consumer_secret"}
    return {
        name: _without_keys(value) if isinstance(value, dict) else value
        for name, value in facts.items()
        if name not in hidden
    }


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
