"""What a sandbox holds: its shops and administrations, read from YAML or built in a test.

Keys and tokens that are not given are made at random per start, so that none can be guessed or end up in a repository.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from sluis.core.frozen import Country, Currency, Frozen
from sluis.core.settings import TimeZone
from sluis.errors import NotConfigured


class ShopConfig(Frozen):
    """One shop. ``eu_rates``: VAT of the destination, or the shop's own VAT for consumers in the whole EU."""

    code: str = Field(default="shop", pattern=r"^[a-z0-9_-]{1,40}$")
    name: str = "Voorbeeldwinkel"
    country: Country = "NL"
    currency: Currency = "EUR"
    foreign_currencies: tuple[Currency, ...] = Field(default=(), description="other currencies that some orders are in")
    timezone: TimeZone = "Europe/Amsterdam"
    prices_include_vat: bool = True
    eu_rates: Literal["destination", "home"] = "destination"
    orders: int = Field(default=0, ge=0, description="how many orders are generated")
    days: int = Field(default=45, ge=1, description="over how many days before today they are spread")
    specials: bool = Field(default=True, description="with the awkward cases: tests, drafts, gift cards, exports, ...")
    orders_csv: Path | None = Field(default=None, description="real order lines in the columns of UCI Online Retail")
    consumer_key: str = Field(default_factory=lambda: f"ck_{secrets.token_hex(20)}")
    consumer_secret: str = Field(default_factory=lambda: f"cs_{secrets.token_hex(20)}")
    permissions: Literal["read", "write", "read_write", "none"] = "read"


class AdministrationConfig(Frozen):
    """One administration. ``contacts``: how many it had before anybody connected it."""

    id: str = Field(default="460000000000000001", pattern=r"^\d{1,18}$")
    name: str = "Voorbeeld B.V."
    token: str = Field(default_factory=lambda: secrets.token_urlsafe(32))
    contacts: int = Field(default=0, ge=0)
    period_locked_until: str | None = None


class SandboxConfig(Frozen):
    """The whole sandbox. ``limit``: calls per token and five minutes (Moneybird: 150); ``None``: no limit."""

    seed: int = 1
    limit: int | None = Field(default=None, ge=1)
    control_token: str = Field(default_factory=lambda: secrets.token_urlsafe(32))
    shops: tuple[ShopConfig, ...] = ()
    administrations: tuple[AdministrationConfig, ...] = ()


def read_config(path: Path) -> SandboxConfig:
    """Read a YAML file. Raises ``NotConfigured`` that names the file and the field that is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return SandboxConfig.model_validate(content)
    except OSError as error:
        raise NotConfigured(f"cannot read {path}: {error.strerror}") from None
    except yaml.YAMLError:
        raise NotConfigured(f"{path} is not YAML") from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise NotConfigured(f"{path}: {field}: {first['msg']}") from None
