"""Runs the command line in this process, and sets an integration up against a sandbox. Nobody in it exists."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner, Result

from sluis.cli.app import app
from sluis.sandbox.config import AdministrationConfig, SandboxConfig, ShopConfig
from sluis.sandbox.server import SandboxServer

SHOP = ShopConfig(code="winkel", orders=60, days=30, eu_rates="home")
BOOKS = AdministrationConfig(id="460000000000000001", contacts=2)
OTHER_BOOKS = AdministrationConfig(id="460000000000000002")
NAME = "Voorbeeldwinkel De Merel"


def sandbox() -> SandboxServer:
    """Return a small sandbox: one shop, two administrations."""
    return SandboxServer(SandboxConfig(seed=7, shops=(SHOP,), administrations=(BOOKS, OTHER_BOOKS)))


def run(*arguments: str, stdin: str | None = None) -> Result:
    """Run ``sluis`` with these arguments; whatever was not an exit code of ours fails the test."""
    result = CliRunner().invoke(app, list(arguments), input=stdin, prog_name="sluis")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def ok(*arguments: str, stdin: str | None = None) -> str:
    """Run and return what was printed; any exit code but 0 fails the test."""
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def ok_json(*arguments: str, stdin: str | None = None) -> Any:
    """Run with ``--json`` and return what was printed."""
    return json.loads(ok(*arguments, "--json", stdin=stdin))


@dataclass
class Office:
    """A merchant's side of the sandbox: his shop, his books, and a folder for the files he gives."""

    server: SandboxServer
    folder: Path

    def file(self, name: str, content: Any) -> str:
        """Write YAML and return the path."""
        path = self.folder / name
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return str(path)

    def settings(self, administration: str = BOOKS.id, **more: Any) -> dict[str, Any]:
        """Return settings as a merchant would give them."""
        package = {"administration_id": administration, "base_url": self.server.books_url}
        return {"package": package, "eu_consumers": "home_vat", "debtors_before_start": True, **more}

    def credentials(self, administration: AdministrationConfig = BOOKS) -> dict[str, Any]:
        """Return the keys of the sandbox."""
        config = self.server.state.shop(SHOP.code).config
        return {
            "shop": {"consumer_key": config.consumer_key, "consumer_secret": config.consumer_secret},
            "package": {"token": administration.token},
        }

    def add(self, merchant: str, *, start: str, administration: AdministrationConfig = BOOKS, **settings: Any) -> str:
        """Add an integration and return its code."""
        path = self.file("settings.yaml", self.settings(administration.id, **settings))
        answer = ok_json(
            "integration", "add", merchant, "--shop", "woocommerce", "--package", "moneybird", "--start-date", start,
            "--shop-url", self.server.shop_url(SHOP.code), "--settings", path, "--credentials", "-",
            stdin=yaml.safe_dump(self.credentials(administration)),
        )  # fmt: skip
        code: str = answer["integration"]
        return code


def new_merchant() -> str:
    """Add a merchant and return his code."""
    code: str = ok_json("merchant", "add", NAME)["merchant"]
    return code
