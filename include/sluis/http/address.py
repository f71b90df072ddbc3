"""Which addresses a vendor may have, decided once for all connectors: what leaves this machine leaves it encrypted."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

#: A name without a dot, as a container's. A bare number would be an IPv4 address in another writing.
_NAME = re.compile(r"[a-z][a-z0-9_-]*", re.IGNORECASE)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_near(host: str) -> bool:
    """Whether a host is this machine or a name of the own network (no dot in it): plain http does no harm there."""
    return host in _LOOPBACK or (_NAME.fullmatch(host) is not None and not host.lower().startswith("0x"))


def is_plain_afar(url: str) -> bool:
    """Whether calls to this address would travel readable over a network that is not ours."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_near(parts.hostname or "")


def parsed_address(value: str) -> SplitResult:
    """Return the parts of an address of http or https. Raises ``ValueError``, never with the value in it."""
    try:
        parts = urlsplit(value.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is no address") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError("must begin with https:// (or http://)")
    if not host or parts.username is not None or parts.password is not None:
        raise ValueError("must name a host, and no user or password")
    if parts.query or parts.fragment:
        raise ValueError("must be without ? or #")
    return parts
