"""The sandbox accounting package's API: Moneybird v2 as its OpenAPI file (v2-20260821) describes it.

A token opens one or more administrations. The limit of calls per token and five minutes is off until it is set.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sluis.sandbox.ledger import Ledger
from sluis.sandbox.moneybird import Invalid, Json, symbolic

if TYPE_CHECKING:
    from sluis.sandbox.state import State

API = "/books/api/v2"
JOURNALS = "/documents/general_journal_documents"
_RANGE = re.compile(r"^(\d{6}|\d{8})\.\.(\d{6}|\d{8})$")
STATES = frozenset({"all", "new", "open", "late", "paid", "uncollectible", "pending_payment"})
Handler = Callable[[Request, Ledger, Any], "tuple[int, Any] | Response"]


def router(state: State) -> APIRouter:
    """Return the routes of all administrations. The ``.json`` suffix is taken off before (see ``app``)."""
    routes = APIRouter()

    def add(method: str, path: str, handler: Handler) -> None:
        async def endpoint(request: Request) -> Response:
            return await _guarded(state, request, handler)

        routes.add_api_route(f"{API}/{{administration}}{path}", endpoint, methods=[method], include_in_schema=False)

    async def administrations(request: Request) -> Response:
        token = _token(request)
        mine = [ledger for ledger in state.books.values() if ledger.config.token == token]
        if not mine:
            return _answer(401, _unauthorized().body)
        return _answer(200, [_administration(ledger) for ledger in mine])

    routes.add_api_route(f"{API}/administrations", administrations, methods=["GET"], include_in_schema=False)
    add("GET", "/tax_rates", _tax_rates)
    add("GET", "/ledger_accounts", lambda _, ledger, __: (200, list(ledger.chart.accounts.values())))
    add("GET", "/contacts", _contacts)
    add("POST", "/contacts", _create_contact)
    add("GET", "/contacts/synchronization", _contact_versions)
    add("POST", "/contacts/synchronization", _contacts_by_id)
    add("GET", "/contacts/customer_id/{customer_id}", _contact_of)
    add("GET", "/contacts/{id}", _contact)
    add("PATCH", "/contacts/{id}/archive", _archive)
    add("GET", "/external_sales_invoices", _invoices)
    add("POST", "/external_sales_invoices", _create_invoice)
    add("GET", "/external_sales_invoices/synchronization", _invoice_versions)
    add("POST", "/external_sales_invoices/synchronization", _invoices_by_id)
    add(
        "GET",
        "/external_sales_invoices/{id}",
        lambda request, ledger, _: (200, ledger.invoice(request.path_params["id"])),
    )
    add("DELETE", "/external_sales_invoices/{id}", _delete_invoice)
    _add_payments_and_entries(add)
    return routes


def _add_payments_and_entries(add: Callable[[str, str, Handler], None]) -> None:
    add("POST", "/external_sales_invoices/{id}/payments", _create_payment)
    add("DELETE", "/external_sales_invoices/{id}/payments/{payment_id}", _delete_payment)
    add("GET", JOURNALS, _entries)
    add("POST", JOURNALS, _create_entry)
    add("GET", f"{JOURNALS}/synchronization", _entry_versions)
    add("POST", f"{JOURNALS}/synchronization", _entries_by_id)
    add("GET", f"{JOURNALS}/{{id}}", lambda request, ledger, _: (200, ledger.entry(request.path_params["id"])))
    add("DELETE", f"{JOURNALS}/{{id}}", _delete_entry)


async def _guarded(state: State, request: Request, handler: Handler) -> Response:
    headers: dict[str, str] = {}
    try:
        token = _token(request)
        if not any(ledger.config.token == token for ledger in state.books.values()):
            raise _unauthorized()
        spent, headers = state.limiter.take(token)
        if spent:
            return Response(json.dumps("Retry later"), 429, headers, media_type="application/json")
        ledger = state.books.get(request.path_params["administration"])
        if ledger is None:
            raise symbolic(404, "record not found", {"administration_id": "not_found"})
        if ledger.config.token != token:
            raise symbolic(403, "No access to this administration", {"administration_id": "forbidden"})
        result = handler(request, ledger, await _body(request))
    except Invalid as invalid:
        result = (invalid.status, invalid.body)
    response = result if isinstance(result, Response) else _answer(*result)
    response.headers.update(headers)
    return response


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _unauthorized() -> Invalid:
    return symbolic(401, "Authorization required", {"authorization": "invalid_token"})


async def _body(request: Request) -> Any:
    if request.method not in {"POST", "PATCH"}:
        return None
    try:
        return json.loads(await request.body() or b"{}")
    except ValueError:
        raise symbolic(400, "The request body is not valid JSON") from None


def _answer(status: int, body: Any) -> Response:
    if status == 204:
        return Response(status_code=204)
    return Response(json.dumps(body, ensure_ascii=False), status, media_type="application/json; charset=utf-8")


def _part(body: Any, name: str) -> Json:
    """Return the one object a create must hold."""
    part = body.get(name) if isinstance(body, dict) else None
    if not isinstance(part, dict):
        words = name.replace("_", " ").capitalize()
        raise symbolic(400, f"{words} is required", {name: "required"})
    return part


def _administration(ledger: Ledger) -> Json:
    year = ledger.clock().year
    return {
        "id": int(ledger.config.id),
        "name": ledger.config.name,
        "language": "nl",
        "currency": "EUR",
        "country": "NL",
        "time_zone": "Europe/Amsterdam",
        "access": "user",
        "suspended": False,
        "period_locked_until": ledger.config.period_locked_until,
        "period_start_date": f"{year}-01-01",
    }


# ---------------------------------------------------------------------------------------------------------- paging


def _paged(request: Request, entries: list[Json]) -> Response:
    """Cut a page: ``per_page`` at most 100, the total in ``X-Total-Count``, neighbours in ``Link``."""
    page, per_page = _positive(request, "page", 1), _positive(request, "per_page", 50)
    if per_page > 100:
        raise symbolic(400, "per_page does not have a valid value")
    pages = -(-len(entries) // per_page)
    links = [(page - 1, "prev")] if 1 < page <= pages + 1 else []
    links += [(page + 1, "next")] if page < pages else []
    response = _answer(200, entries[(page - 1) * per_page : page * per_page])
    response.headers["X-Total-Count"] = str(len(entries))
    if links:
        own = {name: value for name, value in request.query_params.items() if name != "page"}
        address = str(request.url.replace(query=""))
        parts = (f'<{address}?{urlencode({**own, "page": number})}>; rel="{rel}"' for number, rel in links)
        response.headers["Link"] = ", ".join(parts)
    return response


def _positive(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdigit() or int(text) < 1:
        raise symbolic(400, f"{name} does not have a valid value")
    return int(text)


def _filter(request: Request, known: frozenset[str]) -> dict[str, str]:
    """Read ``filter=key:value,key:value``; an unknown key is refused."""
    terms: dict[str, str] = {}
    for term in request.query_params.get("filter", "").split(","):
        if not term:
            continue
        key, _, value = term.partition(":")
        if key not in known or not value:
            raise symbolic(400, "filter does not have a valid value", {"filter": "invalid"})
        terms[key] = value
    return terms


def _versions(entries: list[Json]) -> tuple[int, list[Json]]:
    return 200, [{"id": entry["id"], "version": entry["version"]} for entry in entries]


def _ids(body: Any) -> list[str]:
    ids = body.get("ids") if isinstance(body, dict) else None
    if not isinstance(ids, list):
        raise symbolic(400, "Ids is required", {"ids": "required"})
    if len(ids) > 100:
        raise symbolic(400, "Ids is too long (maximum is 100)", {"ids": "too_long"})
    return [str(entry) for entry in ids]


# -------------------------------------------------------------------------------------------------- rates, contacts


def _tax_rates(request: Request, ledger: Ledger, _: Any) -> Response:
    known = frozenset({"name", "partial_name", "percentage", "tax_rate_type", "country", "show_tax", "active"})
    terms = _filter(request, known)
    tests: dict[str, Callable[[Json, str], bool]] = {
        "name": lambda rate, value: rate["name"] == value,
        "partial_name": lambda rate, value: value.lower() in rate["name"].lower(),
        "percentage": lambda rate, value: rate["percentage"].removesuffix(".0") == value.removesuffix(".0"),
        "tax_rate_type": lambda rate, value: value in ("all", rate["tax_rate_type"]),
        "country": lambda rate, value: rate["country"] == value,
        "show_tax": lambda rate, value: rate["show_tax"] == (value == "true"),
        "active": lambda rate, value: rate["active"] == (value == "true"),
    }
    rates = ledger.chart.rates.values()
    return _paged(request, [rate for rate in rates if all(tests[k](rate, v) for k, v in terms.items())])


def _archived(request: Request) -> bool:
    return request.query_params.get("include_archived", "false") in {"true", "1"}


def _contacts(request: Request, ledger: Ledger, _: Any) -> Response:
    return _paged(request, ledger.search(request.query_params.get("query", ""), archived=_archived(request)))


def _create_contact(_: Request, ledger: Ledger, body: Any) -> tuple[int, Json]:
    return 201, ledger.create_contact(_part(body, "contact"))


def _contact_of(request: Request, ledger: Ledger, _: Any) -> tuple[int, Json]:
    return 200, ledger.contact_of(request.path_params["customer_id"])


def _contact(request: Request, ledger: Ledger, _: Any) -> tuple[int, Json]:
    return 200, ledger.contact(request.path_params["id"])


def _archive(request: Request, ledger: Ledger, _: Any) -> tuple[int, Json]:
    return 200, ledger.archive(request.path_params["id"])


def _contact_versions(request: Request, ledger: Ledger, _: Any) -> tuple[int, list[Json]]:
    return _versions(ledger.search("", archived=_archived(request)))


def _contacts_by_id(_: Request, ledger: Ledger, body: Any) -> tuple[int, list[Json]]:
    return 200, [ledger.contacts[entry] for entry in _ids(body) if entry in ledger.contacts]


# -------------------------------------------------------------------------------------------------------- invoices


def _selected(request: Request, ledger: Ledger) -> list[Json]:
    """Apply the filter; one that is given replaces the default of this year (but the period then spans all)."""
    terms = _filter(request, frozenset({"state", "period", "contact_id"}))
    states = frozenset(terms.get("state", "all").split("|"))
    if not states <= STATES:
        raise symbolic(400, "filter does not have a valid value", {"filter": "invalid"})
    today = ledger.clock().astimezone(UTC).date()
    start, end = period(terms.get("period", "this_year"), today)
    return ledger.list_invoices(start, end, terms.get("contact_id"), frozenset() if "all" in states else states)


def _invoices(request: Request, ledger: Ledger, _: Any) -> Response:
    return _paged(request, _selected(request, ledger))


def _invoice_versions(request: Request, ledger: Ledger, _: Any) -> tuple[int, list[Json]]:
    return _versions(_selected(request, ledger))


def _invoices_by_id(_: Request, ledger: Ledger, body: Any) -> tuple[int, list[Json]]:
    return 200, [ledger.invoices[entry] for entry in _ids(body) if entry in ledger.invoices]


def _create_invoice(_: Request, ledger: Ledger, body: Any) -> tuple[int, Json]:
    return 201, ledger.create_invoice(_part(body, "external_sales_invoice"))


def _invoice(request: Request, ledger: Ledger, _: Any) -> tuple[int, Json]:
    return 200, ledger.invoice(request.path_params["id"])


def _delete_invoice(request: Request, ledger: Ledger, _: Any) -> tuple[int, None]:
    ledger.delete_invoice(request.path_params["id"])
    return 204, None


def _create_payment(request: Request, ledger: Ledger, body: Any) -> tuple[int, Json]:
    return 201, ledger.create_payment(request.path_params["id"], _part(body, "payment"))


def _delete_payment(request: Request, ledger: Ledger, _: Any) -> tuple[int, None]:
    ledger.delete_payment(request.path_params["id"], request.path_params["payment_id"])
    return 204, None


# ------------------------------------------------------------------------------------------------- journal entries


def _listed(request: Request, ledger: Ledger) -> list[Json]:
    terms = _filter(request, frozenset({"state", "period", "reference", "contact_id", "ledger_account_id"}))
    start, end = period(terms.get("period", "this_year"), ledger.clock().astimezone(UTC).date())
    return ledger.list_entries(start, end, terms)


def _entries(request: Request, ledger: Ledger, _: Any) -> Response:
    return _paged(request, _listed(request, ledger))


def _entry_versions(request: Request, ledger: Ledger, _: Any) -> tuple[int, list[Json]]:
    return _versions(_listed(request, ledger))


def _entries_by_id(_: Request, ledger: Ledger, body: Any) -> tuple[int, list[Json]]:
    return 200, [ledger.entries[entry] for entry in _ids(body) if entry in ledger.entries]


def _create_entry(_: Request, ledger: Ledger, body: Any) -> tuple[int, Json]:
    return 201, ledger.create_entry(_part(body, "general_journal_document"))


def _delete_entry(request: Request, ledger: Ledger, _: Any) -> tuple[int, None]:
    ledger.delete_entry(request.path_params["id"])
    return 204, None


def period(text: str, today: date) -> tuple[date, date]:
    """Return the first and the last day of a Moneybird period. Raises ``Invalid`` (400)."""
    matched = _RANGE.match(text)
    if matched:
        return _edge(matched[1], last=False), _edge(matched[2], last=True)
    place, _, unit = text.partition("_")
    shift = {"this": 0, "prev": -1, "next": 1}.get(place)
    if shift is None or unit not in {"week", "month", "quarter", "year"}:
        raise symbolic(400, "period does not have a valid value", {"filter": "invalid"})
    if unit == "week":
        monday = today - timedelta(days=today.weekday()) + timedelta(weeks=shift)
        return monday, monday + timedelta(days=6)
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    first = (today.year * 12 + today.month - 1) // months * months + shift * months
    return _month(first), _month(first + months) - timedelta(days=1)


def _month(index: int) -> date:
    return date(index // 12, index % 12 + 1, 1)


def _edge(text: str, *, last: bool) -> date:
    try:
        if len(text) == 8:
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        index = int(text[:4]) * 12 + int(text[4:]) - 1
        return _month(index + 1) - timedelta(days=1) if last else date(int(text[:4]), int(text[4:]), 1)
    except ValueError:
        raise symbolic(400, "period does not have a valid value", {"filter": "invalid"}) from None
