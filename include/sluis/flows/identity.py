"""Which integrations share a shop or an administration: by what their connectors' settings say of it.

A shop's settings name it by ``url``, a package's by ``administration_id``, or by ``target`` where it is a folder: these
are part of what a connector offers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sluis.errors import NotConfigured
from sluis.store.integrations import Integration


def administration_key(package: str, settings: Mapping[str, Any]) -> str:
    """Return the name of an administration; who shares it shares debtors, numbers and the lock on writing."""
    administration = str(settings.get("administration_id") or settings.get("target") or "").strip().rstrip("/")
    if not administration:
        raise NotConfigured("settings.package.administration_id is missing: it names the administration in the package")
    return f"{package}/{administration}"


def is_folder(integration: Integration) -> bool:
    """Whether the package is a folder of files: who reads one reads all of it, so it belongs to one merchant."""
    return "target" in integration.settings.package


def shop_key(integration: Integration) -> str:
    """Return the name of a shop: platform, host and path of its address, whatever the scheme or ``www.``."""
    parts = urlsplit(str(integration.settings.shop.get("url", "")))
    return f"{integration.shop}/{parts.netloc.lower().removeprefix('www.')}{parts.path.rstrip('/')}"
