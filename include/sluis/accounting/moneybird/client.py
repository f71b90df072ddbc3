"""Speaks Moneybird's API v2: one method per endpoint that sluis uses, errors in the words of the taxonomy.

Paths and bodies follow Moneybird's OpenAPI file (v2-20260821); a test validates every request against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from requests import PreparedRequest
from requests.auth import AuthBase

from sluis.accounting.moneybird.refusals import refusal
from sluis.accounting.moneybird.settings import PAGE, VENDOR
from sluis.errors import Defect, OutcomeUnknown, RetryLater
from sluis.http import VendorSession
from sluis.ports import Limiter

JOURNALS = "documents/general_journal_documents"

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

    def invoice(self, invoice_id: str) -> Json:
        """Return one external sales invoice with its payments; ``Refused`` (``document_gone``) where it is gone."""
        what = "external_sales_invoices/{id}"
        return _record(self._get(what, id=invoice_id).body, what, writes=False)

    def create_payment(self, invoice_id: str, payment: Mapping[str, Any]) -> Json:
        """Register a payment on an external sales invoice, once."""
        what = "external_sales_invoices/{id}/payments"
        return _record(self._post(what, {"payment": dict(payment)}, id=invoice_id).body, what)

    # ---------------------------------------------------------------------------------------------- journal entries

    def create_entry(self, entry: Mapping[str, Any]) -> Json:
        """Create a general journal document, once."""
        return _record(self._post(JOURNALS, {"general_journal_document": dict(entry)}).body, JOURNALS)

    def entries(self, start: date, end: date, reference: str | None = None) -> Iterator[Json]:
        """Yield general journal documents of a period (both days included), all or those with a reference."""
        return self._pages(JOURNALS, {"filter": _journals(start, end, reference)})

    def entry_ids(self, start: date, end: date) -> list[str]:
        """Return the ids of all general journal documents of a period, in one answer that cannot shift."""
        what = f"{JOURNALS}/synchronization"
        return [text(row, "id") for row in _rows(self._get(what, {"filter": _journals(start, end)}).body, what)]

    def entries_by_id(self, ids: Sequence[str]) -> list[Json]:
        """Return at most 100 general journal documents; those that are gone are left out."""
        return self._by_id(f"{JOURNALS}/synchronization", ids)

    # --------------------------------------------------------------------------------------------------- the plumbing

    def _get(self, what: str, params: Mapping[str, Any] | None = None, **ids: str) -> Any:
        return self._session.get(f"{self._administration}/{what.format(**ids)}.json", params, where=what)

    def _post(self, what: str, body: Mapping[str, Any], **ids: str) -> Any:
        return self._session.post(f"{self._administration}/{what.format(**ids)}.json", body, where=what)

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


def _journals(start: date, end: date, reference: str | None = None) -> str:
    terms = ["state:all", f"period:{start:%Y%m%d}..{end:%Y%m%d}"]
    return ",".join(terms if reference is None else [*terms, f"reference:{reference}"])


def _record(body: Any, what: str, *, writes: bool = True) -> Json:
    """A record. Where it was to be created and is not there, it is not known what was created."""
    if not isinstance(body, dict) or not isinstance(body.get("id"), (str, int)):
        if not writes:
            raise Defect(f"{VENDOR}: the answer of {what} is no record", code="odd_answer")
        raise OutcomeUnknown(f"{VENDOR}: POST {what} was accepted, but its answer holds no record; look it up")
    return body
