"""Keeps the HTTP libraries from writing orders or secrets to a log.

At DEBUG urllib3 logs the path with its query (an e-mail search, an OAuth signature), oauthlib the whole signing base
string and requests-oauthlib the Authorization header; at WARNING urllib3 still logs whole addresses (header parsing,
its own retries). Levels alone do not hold: a later ``setLevel`` would open them again, so nothing propagates either.
``http.client`` prints whole requests to the standard output, the Authorization header included, where the
``debuglevel`` of its class is set; that is taken back before every call.
"""

from __future__ import annotations

import http.client
import logging

LOUD = ("urllib3", "requests", "requests_oauthlib", "oauthlib")


def silence() -> None:
    """Set the libraries' loggers to WARNING and cut them off from every handler of the program. Safe to repeat."""
    for name in LOUD:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(logging.NullHandler())
    no_printing()


def no_printing() -> None:
    """Take back what makes ``http.client`` print, for every connection of this process, open ones included."""
    http.client.HTTPConnection.debuglevel = 0
