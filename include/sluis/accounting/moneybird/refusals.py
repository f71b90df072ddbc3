"""What Moneybird's refusals mean, in the words of the taxonomy. Only names of fields leave an error body."""

from __future__ import annotations

import re
from typing import Any

from sluis.accounting.moneybird.settings import JOURNAL_SCOPE, SCOPE
from sluis.errors import NotConfigured, Reconnect, Refused, SluisError
from sluis.http import Rejection

#: A field's name as Moneybird writes it; anything else in an error body may be content and is not repeated.
_FIELD = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+){0,3}$")
_MOST_FIELDS = 5
_DATES = frozenset({"date", "payment_date"})
#: How a closed period is told, in a field's message or in the error itself ("the locked period of the administration").
_LOCKED = re.compile(r"locked|closed|afgesloten|vergrendeld|geblokkeerd", re.IGNORECASE)


def refusal(rejection: Rejection) -> SluisError | None:
    """Translate what Moneybird refuses. Only names of fields leave an error body, never their content."""
    fields = refused_fields(rejection.body)
    if rejection.status == 422 and period_locked(rejection.body):
        return Refused(
            f"{rejection.text}: its date lies in a period that is closed in the books",
            code="period_closed",
            field=next((name for name in fields if name in _DATES), "date"),
            remote_request_id=rejection.request_id,
        )
    if rejection.status == 404 and rejection.where.startswith("external_sales_invoices/{id}"):
        return Refused(
            f"{rejection.text}: the document does not stand in the books (any more)",
            code="document_gone",
            field="external_id",
            remote_request_id=rejection.request_id,
        )
    build = {401: _unauthorised, 402: _unpaid, 403: _forbidden, 404: _absent}.get(rejection.status)
    if rejection.status in {400, 404, 422} and fields and fields[0].rsplit(".", 1)[-1] in {"contact", "contact_id"}:
        return Refused(
            f"{rejection.text}: the debtor of this document does not exist there (any more)",
            code="debtor_gone",
            field="contact_id",
            remote_request_id=rejection.request_id,
        )
    if build is not None:
        return build(rejection)
    if rejection.status == 422 or (rejection.status == 400 and rejection.writes):
        named = ", ".join(fields) or "no field named"
        return Refused(
            f"{rejection.text}: it does not accept {named}",
            code="refused_by_package",
            field=", ".join(fields) or None,
            remote_request_id=rejection.request_id,
        )
    return None


def _unauthorised(rejection: Rejection) -> SluisError:
    return Reconnect(
        f"{rejection.text}: it does not know the token (revoked or mistyped); make a new one and connect again",
        remote_request_id=rejection.request_id,
    )


def _unpaid(rejection: Rejection) -> SluisError:
    return Reconnect(
        f"{rejection.text}: the administration is suspended until its subscription is paid; then connect again",
        code="subscription_ended",
        remote_request_id=rejection.request_id,
    )


def _forbidden(rejection: Rejection) -> SluisError:
    scope = JOURNAL_SCOPE if rejection.where.startswith("documents/") else SCOPE
    return Reconnect(
        f"{rejection.text}: the token may not do this; it needs the scope '{scope}' and a user with rights in this "
        "administration; connect again",
        code="not_allowed",
        remote_request_id=rejection.request_id,
    )


def _absent(rejection: Rejection) -> SluisError:
    return NotConfigured(
        f"{rejection.text}: no such administration for this token, or the address is wrong; see "
        "package.administration_id and package.base_url (sluis integration check)",
        remote_request_id=rejection.request_id,
    )


def refused_fields(body: Any) -> tuple[str, ...]:
    """Return the names of the fields in an error body of either form, at most five, never their content.

    Forms: ``{"error": {field: [...]}}`` and ``{"error": "...", "symbolic": {field: code or {field: code}}}``.
    """
    if not isinstance(body, dict):
        return ()
    error, symbolic = body.get("error"), body.get("symbolic")
    found: list[str] = list(error) if isinstance(error, dict) else []
    for name, value in symbolic.items() if isinstance(symbolic, dict) else ():
        found += list(value) if isinstance(value, dict) else [name]
    return tuple(str(name) for name in found if _FIELD.fullmatch(str(name)))[:_MOST_FIELDS]


def period_locked(body: Any) -> bool:
    """Whether a 422 is about a date in a locked period.

    The OpenAPI file shows that refusal for assets only, as a sentence; for documents a message on the date is expected.
    """
    error = body.get("error") if isinstance(body, dict) else None
    told = [error]
    if isinstance(error, dict):
        told = [message for name in sorted(_DATES) for message in _listed(error.get(name))]
    return any(isinstance(message, str) and _LOCKED.search(message) for message in told)


def _listed(messages: Any) -> list[Any]:
    return messages if isinstance(messages, list) else [messages]
