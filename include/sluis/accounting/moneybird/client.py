"""Speaks Moneybird's API v2: one method per endpoint that sluis uses, errors in the words of the taxonomy.

Paths and bodies follow Moneybird's OpenAPI file (v2-20260821); a test validates every request against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from requests import PreparedRequest
from requests.auth import AuthBase

from sluis.accounting.moneybird.settings import PAGE, SCOPE, VENDOR
from sluis.errors import Defect, NotConfigured, OutcomeUnknown, Reconnect, Refused, RetryLater, SluisError
from sluis.http import Rejection, VendorSession
from sluis.ports import Limiter

#: A field's name as Moneybird writes it; anything else in an error body may be content and is not repeated.
_FIELD = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+){0,3}$")
_MOST_FIELDS = 5

Json = dict[str, Any]


class Bearer(AuthBase):
    """Puts the token on a request; shows it to nobody."""

    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = self._authorization
        return request

    def __repr__(self) -> str:
        return "Bearer(•••)"


class MoneybirdClient:
    """One administration. Every method raises the errors of ``VendorSession``, refined by ``refusal``."""

    def __init__(
        self,
        base_url: str,
        administration_id: str,
        auth: AuthBase,
        limiter: Limiter | None,
        limiter_key: str,
        **session_options: Any,
    ) -> None:
        self._administration = administration_id
        self._session = VendorSession(
            base_url,
            vendor=VENDOR,
            auth=auth,
            limiter=limiter,
            limiter_key=limiter_key,
            on_error=refusal,
            **session_options,
        )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    # ------------------------------------------------------------------------------------- what the administration is

    def administrations(self) -> list[Json]:
        """Return the administrations that the token sees."""
        return _rows(self._session.get("administrations.json").body, "administrations")

    def tax_rates(self) -> list[Json]:
        """Return all tax rates for sales invoices, active or not."""
        return list(self._pages("tax_rates", {"filter": "tax_rate_type:sales_invoice"}))

    def ledger_accounts(self) -> list[Json]:
        """Return all ledger accounts (this endpoint has no pages)."""
        return _rows(self._get("ledger_accounts").body, "ledger_accounts")

    # ----------------------------------------------------------------------------------------------------- contacts

    def create_contact(self, contact: Mapping[str, Any]) -> Json:
        """Create a contact; ``Refused`` with the names of the fields that Moneybird does not accept."""
        return _record(self._post("contacts", {"contact": dict(contact)}).body, "contacts")

    def contacts(self, *, most_pages: int) -> Iterator[list[Json]]:
        """Yield pages of contacts that are not archived."""
        return self._page_lists("contacts", {}, most_pages)

    def search_contacts(self, query: str) -> Iterator[Json]:
        """Yield contacts, archived ones too, in which Moneybird finds the text."""
        return self._pages("contacts", {"query": query, "include_archived": "true"})

    def contact_ids(self) -> list[str]:
        """Return the ids of all contacts that are not archived."""
        rows = _rows(self._get("contacts/synchronization").body, "contacts/synchronization")
        return [text(row, "id") for row in rows]

    def contacts_by_id(self, ids: Sequence[str]) -> list[Json]:
        """Return at most 100 contacts; those that are gone are left out."""
        return self._by_id("contacts/synchronization", ids)

    # ----------------------------------------------------------------------------------------------------- invoices

    def create_invoice(self, invoice: Mapping[str, Any]) -> Json:
        """Create an external sales invoice, once."""
        return _record(
            self._post("external_sales_invoices", {"external_sales_invoice": dict(invoice)}).body,
            "external_sales_invoices",
        )

    def invoices(self, start: date, end: date, contact_id: str | None = None) -> Iterator[Json]:
        """Yield external sales invoices dated from ``start`` up to and including ``end``, each once.

        The period is always given: without it Moneybird shows the present year only.
        """
        return self._pages("external_sales_invoices", {"filter": _dated(start, end, contact_id)})

    def invoice_ids(self, start: date, end: date) -> list[str]:
        """Return the ids of all external sales invoices of a period, in one answer that cannot shift."""
        what = "external_sales_invoices/synchronization"
        return [text(row, "id") for row in _rows(self._get(what, {"filter": _dated(start, end)}).body, what)]

    def invoices_by_id(self, ids: Sequence[str]) -> list[Json]:
        """Return at most 100 external sales invoices; those that are gone are left out."""
        return self._by_id("external_sales_invoices/synchronization", ids)

    # --------------------------------------------------------------------------------------------------- the plumbing

    def _get(self, what: str, params: Mapping[str, Any] | None = None) -> Any:
        return self._session.get(f"{self._administration}/{what}.json", params, where=what)

    def _post(self, what: str, body: Mapping[str, Any]) -> Any:
        return self._session.post(f"{self._administration}/{what}.json", body, where=what)

    def _by_id(self, what: str, ids: Sequence[str]) -> list[Json]:
        """Read records by id. Moneybird wants a POST for it, yet nothing is written."""
        try:
            answer = self._post(what, {"ids": list(ids)})
        except OutcomeUnknown as unknown:
            raise RetryLater(
                f"{VENDOR}: POST {what} (a read) got no clear answer; nothing was written, try again later",
                retry_after=unknown.retry_after,
                remote_request_id=unknown.remote_request_id,
            ) from None
        return _rows(answer.body, what)

    def _pages(self, what: str, params: Mapping[str, Any]) -> Iterator[Json]:
        """Yield every row once: a row that moves to the next page while we read is not given twice."""
        seen: set[str] = set()
        for rows in self._page_lists(what, params, most_pages=None):
            for row in rows:
                if (identity := text(row, "id")) not in seen:
                    seen.add(identity)
                    yield row

    def _page_lists(self, what: str, params: Mapping[str, Any], most_pages: int | None) -> Iterator[list[Json]]:
        number = 1
        while most_pages is None or number <= most_pages:
            rows = _rows(self._get(what, {**params, "page": number, "per_page": PAGE}).body, what)
            yield rows
            if len(rows) < PAGE:
                return
            number += 1


def _dated(start: date, end: date, contact_id: str | None = None) -> str:
    terms = ["state:all", f"period:{start:%Y%m%d}..{end:%Y%m%d}"]
    return ",".join(terms if contact_id is None else [*terms, f"contact_id:{contact_id}"])


def refusal(rejection: Rejection) -> SluisError | None:
    """Translate what Moneybird refuses. Only names of fields leave an error body, never their content."""
    fields = refused_fields(rejection.body)
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
    return Reconnect(
        f"{rejection.text}: the token may not do this; it needs the scope '{SCOPE}' and a user with rights in this "
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


def text(row: Json, field: str) -> str:
    """Return an id or another text of a row; ``Defect`` names the field that is absent."""
    value = row.get(field)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise Defect(f"{VENDOR}: an answer has no {field}; its API changed or this is another API", code="odd_answer")
    return str(value)


def _rows(body: Any, what: str) -> list[Json]:
    if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
        raise Defect(f"{VENDOR}: the answer of {what} is no list of records", code="odd_answer")
    return body


def _record(body: Any, what: str) -> Json:
    """A created record. Without one it is not known what was created."""
    if not isinstance(body, dict) or not isinstance(body.get("id"), (str, int)):
        raise OutcomeUnknown(f"{VENDOR}: POST {what} was accepted, but its answer holds no record; look it up")
    return body
