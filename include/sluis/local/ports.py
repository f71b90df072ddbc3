"""A port of 127.0.0.1 as a person names it on a command line."""

from __future__ import annotations

from sluis.errors import NotConfigured
from sluis.local.processes import is_free


def valid_port(number: int) -> None:
    """Raise ``NotConfigured("port_wrong")`` for what is no number of a port."""
    if not 1 <= number <= 65535:
        raise NotConfigured(f"{number} is no port: choose a number from 1 to 65535, e.g. PORT=8081", code="port_wrong")


def need_port(number: int) -> None:
    """Raise ``NotConfigured("port_in_use")`` when somebody listens there."""
    if not is_free(number):
        raise NotConfigured(
            f"port {number} is in use: end what listens there or choose another: PORT=8081", code="port_in_use"
        )
