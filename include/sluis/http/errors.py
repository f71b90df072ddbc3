"""From status codes to the taxonomy: what a refusal means for the caller, in words that name no person.

A message holds the vendor's name, the method, the path's template (no query, no ids), the status and the vendor's
request id. The body is never quoted; a connector's hook may read it to name a field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sluis.errors import Defect, NotConfigured, OutcomeUnknown, QuotaSpent, Reconnect, Refused, RetryLater, SluisError

#: A piece of a path that identifies something: only digits, long with digits, encoded, or an address.
_ID = re.compile(r"^\d+$|^(?=.*\d).{8,}$|[%@]")


@dataclass(frozen=True)
class Rejection:
    """A status that is no success, as a connector's hook sees it. ``body`` may hold personal data: take names only."""

    vendor: str
    method: str
    where: str  #: the path's template
    status: int
    body: Any = field(repr=False)
    writes: bool
    retry_after: timedelta | None = None
    request_id: str | None = None
    redirects_to: str | None = None  #: the kind of a redirect (``https``, ``another host``), never its address

    @property
    def text(self) -> str:
        """The beginning of every message."""
        return f"{self.vendor}: {self.method} {self.where} answered {self.status}"


#: A connector's say: an error of the taxonomy, or ``None`` for the usual one.
Hook = Callable[[Rejection], SluisError | None]


def template(path: str) -> str:
    """Return a path with every piece that identifies something replaced by ``{id}``, and without its query."""
    pieces = path.split("?", 1)[0].split("/")
    return "/".join("{id}" if _ID.search(piece) else piece for piece in pieces)


def translate(rejection: Rejection, hook: Hook | None = None) -> SluisError:
    """Return the error for a status of 300 and above; the connector's hook goes first."""
    error = hook(rejection) if hook else None
    return error or _usual(rejection)


def _usual(rejection: Rejection) -> SluisError:
    text, request_id = rejection.text, rejection.request_id
    status = rejection.status
    if status in {401, 403}:
        return Reconnect(
            f"{text}: it refuses our credential or the credential may not do this; connect again",
            code="credential_refused" if status == 401 else "not_allowed",
            remote_request_id=request_id,
        )
    if status == 404:
        return Defect(f"{text}: it does not exist there", code="not_found", remote_request_id=request_id)
    if status == 422:
        return Refused(f"{text}: it does not accept this document", remote_request_id=request_id)
    if status == 429:
        return QuotaSpent(
            f"{text}: its quota is spent", retry_after=rejection.retry_after, remote_request_id=request_id
        )
    return _transient(rejection) or _permanent(rejection)


def _transient(rejection: Rejection) -> SluisError | None:
    if rejection.status < 500 and rejection.status not in {408, 425}:
        return None
    if rejection.writes and rejection.status != 425:
        return OutcomeUnknown(
            f"{rejection.text} to a write: it may have been done; look it up before trying again",
            retry_after=rejection.retry_after,
            remote_request_id=rejection.request_id,
        )
    return RetryLater(
        f"{rejection.text}: a fault on its side; try again later",
        code="vendor_fault",
        retry_after=rejection.retry_after,
        remote_request_id=rejection.request_id,
    )


def _permanent(rejection: Rejection) -> SluisError:
    if rejection.status < 400:
        target = f" to {rejection.redirects_to}" if rejection.redirects_to else ""
        return NotConfigured(
            f"{rejection.text}: it redirects{target}, and credentials are not sent on; configure the final address",
            code="redirected",
            remote_request_id=rejection.request_id,
        )
    return Defect(
        f"{rejection.text}: it does not understand our request; repeating it cannot help",
        code="request_refused",
        remote_request_id=rejection.request_id,
    )
