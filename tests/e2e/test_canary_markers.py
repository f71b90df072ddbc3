"""The markers themselves: every form is found, and no personal field of any connector's orders is without one."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote, quote_plus

import pytest
from pydantic import BaseModel

from sluis import accounting, shops
from sluis.core.order import Order
from sluis.core.personal import Personal
from sluis.sandbox.drafting import Draft, make_order, make_refund
from sluis.sandbox.orders import ARTICLES, till_for
from sluis.sandbox.people import person
from sluis.sandbox.state import State
from tests.e2e.allowed import Allowed
from tests.e2e.canaries import Canaries, Kind
from tests.e2e.marked_books import WAYS
from tests.e2e.marked_orders import marked_shop
from tests.e2e.sinks import scan
from tests.flows.world import config
from tests.shared import shared_path

Json = dict[str, Any]
PLATFORMS = sorted(shops.connectors())


# ------------------------------------------------------------------------------------------------ forms and the search


@pytest.mark.parametrize("field", ["last_name", "note"])
def test_the_search_knows_every_form(field: str) -> None:
    canaries = Canaries()
    text = canaries.text(field)
    forms = [
        text, text.lower(), text.upper(), text.title(), quote(text), quote_plus(text), quote(text, safe=""),
        html.escape(text), json.dumps(text), repr(text), text.encode().hex(),
        *(base64.b64encode(("x" * shift + text).encode()).decode() for shift in range(3)),
        *(base64.urlsafe_b64encode(("x" * shift + text.upper()).encode()).decode() for shift in range(3)),
        f"+{canaries.digits}", quote(canaries.address, safe=""),
    ]  # fmt: skip
    needles = canaries.needles(Kind.PERSON)
    missed = [form for form in forms if not list(scan(BytesIO(f"before {form} after".encode()), needles))]
    assert missed == []
    assert list(scan(BytesIO(text.encode("utf-16-le")), needles))
    assert not list(scan(BytesIO(Canaries().text(field).encode() * 1000), needles))


def test_the_search_tells_the_kinds_apart() -> None:
    canaries = Canaries()
    number, order_id = canaries.number(), str(canaries.first_id + 7)
    canaries.hashed((number,))
    canaries.in_books(("471000000000000002",))
    unkeyed = hashlib.sha256(number.encode()).hexdigest()
    for text, kind in (
        (canaries.text("city"), Kind.PERSON), (number.lower(), Kind.ORDER_NUMBER), (order_id, Kind.ORDER_ID),
        ("471000000000000002", Kind.BOOKS_ID), (unkeyed.upper(), Kind.UNKEYED),
    ):  # fmt: skip
        assert {needle.kind for needle, _ in scan(BytesIO(text.encode()), canaries.needles())} == {kind}


def test_the_search_finds_what_two_pieces_share(monkeypatch: pytest.MonkeyPatch) -> None:
    canaries = Canaries()
    monkeypatch.setattr("tests.e2e.sinks.CHUNK", 64)
    for before in range(50, 70):
        text = b"-" * before + canaries.word.encode() + b"-" * 200
        assert list(scan(BytesIO(text), canaries.needles())), before


def test_what_may_hold_a_marker_is_about_customers_in_the_register() -> None:
    allowed = Allowed()
    allowed.check()
    assert allowed.of_column("booking", "order_number") == "booking_amounts"
    assert allowed.of_column("transit_chunk", "ciphertext") == "order_in_transit"
    assert allowed.of_column("booking", "no_such_column") is None
    assert allowed.of_airflow_table("xcom") == "airflow_database"
    assert allowed.of_file("airflow_logs/dag_id=a/run_id=b/c.log") == "task_logs"
    assert not any(allowed.allows(Kind.PERSON, name) for name in (None, "task_logs", "order_in_transit"))


# ------------------------------------------------------------------------------------------------- whole connectors


def test_every_connector_is_driven_by_the_canary_suite() -> None:
    missing = [platform for platform in PLATFORMS if not _has_markers(platform)]
    assert missing == [], "a shop connector without tests/shops/marked_<platform>.py"
    driven = [{way[side] for way in WAYS} for side in (0, 1)]
    assert driven == [set(PLATFORMS), set(accounting.names())], "each has its way in tests/e2e/marked_books.py"


def test_a_connector_without_markers_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nieuwshop").mkdir()
    (tmp_path / "nieuwshop" / "__init__.py").write_text("class CONNECTOR:\n    name = 'nieuwshop'\n")
    monkeypatch.setattr(shops, "__path__", [*shops.__path__, str(tmp_path)])
    assert [name for name in shops.connectors() if not _has_markers(name)] == ["nieuwshop"]


def _has_markers(platform: str) -> bool:
    try:
        marked_shop(platform)
    except ModuleNotFoundError:
        return False
    return True


@pytest.mark.parametrize("platform", PLATFORMS)
def test_no_field_of_an_order_is_without_a_marker_unless_it_is_named_so(platform: str) -> None:
    marked, canaries = marked_shop(platform), Canaries()
    filled: set[str] = set()
    for raw in _orders(canaries):
        leaves = list(_leaves(raw))
        assert {path for path, _ in leaves} <= marked.PERSONAL | marked.OPEN, "a field that nobody judged"
        personal = [(path, _holds(canaries, text)) for path, text in leaves if text and path in marked.PERSONAL]
        filled |= {path for path, holds in personal if holds}
        # Of metadata there are more entries: the plugins' own names, and what they say of the sale.
        assert [path for path, holds in personal if not holds and "meta_data[]" not in path] == []
    assert marked.PERSONAL - filled == set()


@pytest.mark.shared
@pytest.mark.parametrize("platform", PLATFORMS)
def test_no_field_of_a_recorded_order_is_unjudged(platform: str) -> None:
    marked = marked_shop(platform)
    seen: set[str] = set()
    for file in shared_path(marked.RECORDINGS).glob("*.json"):
        body = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal).get("response", {}).get("body")
        for raw in body if isinstance(body, list) else [body]:
            if isinstance(raw, dict) and "line_items" in raw:
                seen |= {path for path, _ in _leaves({k: v for k, v in raw.items() if k != "_links"})}
    assert len(seen) > 100
    assert seen - marked.PERSONAL - marked.OPEN == set()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_personal_field_of_the_core_is_reached_by_a_marker(platform: str) -> None:
    marked, canaries = marked_shop(platform), Canaries()
    reached: dict[str, bool] = {}
    for raw in _orders(canaries):
        if "billing" not in raw or raw["refunds"]:
            continue  # a refund, and the order once more with the refund's reason
        order = marked.read(raw, [])
        assert isinstance(order, Order), order
        for path, value in _personal(order):
            if value:
                assert _holds(canaries, value.reveal()), path
            reached[path] = reached.get(path, False) or bool(value)
    # Of the place of delivery only country and postcode are read: they decide the VAT.
    assert {path for path, found in reached.items() if not found} == {"ship_to.city", "ship_to.street"}
    assert len(reached) > 10


def _orders(canaries: Canaries) -> Iterator[Json]:
    """Marked orders with all that an order can have, and a refund of one."""
    shop = State(config(orders=0)).shop("shop")
    at, marked = datetime.now(UTC), marked_shop("woocommerce")
    for known, number in ((False, f"NL{canaries.digits}"), (True, None)):
        draft = Draft(
            created=at, paid=at, buyer=person(1, "all"), items=((ARTICLES[0], 3),), vat_number=number,
            shipping=Decimal(5), fees=(("fee", Decimal(1)),), off=Decimal("0.1"), number=canaries.number(),
        )  # fmt: skip
        raw = make_order(shop.book, till_for(shop.config, shop.rows, "NL"), draft)
        raw = marked.mark(raw, canaries, "all", known=known)
        yield raw
        yield {**raw, **marked.with_gift_card(canaries)}
    shop.book.put(raw)
    lines = {raw["line_items"][0]["id"]: 1}
    refund = marked.mark_refund(make_refund(shop.book, raw, at, lines=lines, shipping=True), canaries)
    yield refund
    shop.book.put_refund(raw["id"], refund)
    yield shop.book.orders[raw["id"]].raw


def _holds(canaries: Canaries, text: str) -> bool:
    return bool(list(scan(BytesIO(text.encode()), canaries.needles(Kind.PERSON))))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, f"{path}[]")
    elif path not in ("customer_id",) or value:
        yield path, "" if value is None else str(value)


def _personal(model: BaseModel, path: str = "") -> Iterator[tuple[str, Personal]]:
    """Yield every personal value below a model, with its path."""
    for name in type(model).model_fields:
        value, here = getattr(model, name), f"{path}.{name}".lstrip(".")
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Personal):
                yield here, one
            elif isinstance(one, BaseModel):
                yield from _personal(one, here)


def test_personal_fields_are_found_wherever_the_core_has_them() -> None:
    # Were the core to hold a personal value in a dict or an optional field, the walk above would not see it.
    for model in (Order, *_below(Order)):
        for name, field in model.model_fields.items():
            inside = get_args(field.annotation)
            assert Personal not in inside, f"{model.__name__}.{name}"


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for field in model.model_fields.values():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield kind
                yield from _below(kind)
