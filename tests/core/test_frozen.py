"""What a model says of wrong input: its own names, and nothing that stood in the input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from sluis.core.frozen import Frozen, wrong_fields
from sluis.core.settings import IntegrationSettings


class Token(Frozen):
    """A credentials model."""

    token: str


def faults(model: type[Frozen], values: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    return list(wrong_fields(model, caught.value))


def test_a_key_that_is_no_field_is_not_repeated() -> None:
    assert faults(Token, {"ck_CANARY": "x", "token": "t"}) == [("", "unknown field(s); known: token")]
    nested = {"start_date": "2026-01-01", "mapping": {"CANARY": 1, "revenue": {"CANARY": "8"}}}
    places = dict(faults(IntegrationSettings, nested))
    assert set(places) == {"mapping", "mapping.revenue"}
    assert places["mapping"].startswith("unknown field(s); known: tax_rates, revenue, accounts, rounding")
    assert "CANARY" not in str(places)


def test_the_fields_of_the_model_are_named() -> None:
    wrong = {
        "start_date": "CANARY",
        "filter_countries": ["NL", "CANARY"],
        "timezone": "CANARY",
        "require_paid": {"CANARY": 9},
    }
    found = dict(faults(IntegrationSettings, wrong))
    assert set(found) == {"start_date", "filter_countries.1", "timezone", "require_paid"}
    assert found["timezone"] == "not a time zone of the IANA database, e.g. Europe/Amsterdam"
    assert "CANARY" not in str(found)
    assert faults(Token, "CANARY")[0][0] == ""


class Pair(Frozen):
    """Holds models one level further down."""

    first: Token | None = None
    others: tuple[Token, ...] = ()
    named: Mapping[str, Token] = {}


def test_a_model_in_a_tuple_or_beside_none_is_named_too_and_a_key_of_the_input_is_not() -> None:
    wrong = {"first": {"CANARY": 1}, "others": [{"token": "t"}, {}], "named": {"CANARY": {}, "token": {}}}
    found = faults(Pair, wrong)
    assert set(found) == {
        ("first.token", "Field required"),
        ("first", "unknown field(s); known: token"),
        ("others.1.token", "Field required"),
        ("named", "Field required"),
    }
    assert "CANARY" not in str(found)
