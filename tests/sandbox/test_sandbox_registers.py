"""The stand-ins for VIES and the ECB: our own clients read them, and the control API shuts them."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from sluis.core import vat_numbers
from sluis.core.personal import Personal
from sluis.registers import ecb, vies
from sluis.sandbox.vies import VALID
from tests.sandbox.conftest import Client

MINE = "NL123456782B90"


def check(client: Client, number: str, **more: str) -> tuple[str, bool]:
    register = vies.Vies(client.server.registers[vies.URL], sleep=lambda _: None)
    try:
        found = register.check(Personal(number), **{"requester": MINE, **more})
    finally:
        register.close()
    return found.state, found.request_id is not None


@pytest.mark.parametrize("number", sorted(VALID))
def test_a_number_of_documentation_is_well_formed_and_valid(client: Client, number: str) -> None:
    assert vat_numbers.parts(number) == (number[:2], number[2:])
    assert check(client, number) == ("valid", True)


def test_every_other_number_is_invalid(client: Client) -> None:
    assert check(client, "BE0123456848") == ("invalid", False)
    assert check(client, "DE123456788", requester="") == ("valid", False)


@pytest.mark.parametrize("mode", ["down", "busy", "broken"])
def test_the_control_api_shuts_it_as_a_whole_or_for_a_member_state(client: Client, mode: str) -> None:
    assert client.control("PUT", "/vies", json={"mode": mode, "member_states": ["DE"]}).status_code == 200
    assert check(client, "DE123456788") == ("unverified", False)
    assert check(client, "BE0123456749") == ("valid", True)
    client.control("PUT", "/vies", json={"mode": mode})
    assert check(client, "BE0123456749") == ("unverified", False)
    client.control("PUT", "/vies", json={})
    assert check(client, "BE0123456749") == ("valid", True)


def test_it_can_be_told_not_to_know_the_merchant(client: Client) -> None:
    client.control("PUT", "/vies", json={"refuse_requester": True})
    assert check(client, "BE0123456749") == ("valid", False)


def test_it_keeps_and_logs_no_number(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    check(client, "DE123456788")
    assert "123456788" not in caplog.text + repr(client.state.stats()) + repr(client.state.calls)


def test_its_rates_are_the_real_ones_and_go_on_after_them(client: Client) -> None:
    moment = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)  # a Friday
    client.state.clock = lambda: moment
    rates = ecb.EcbRates(None, client.server.registers[ecb.URL], now=lambda: moment)
    try:
        known, later = rates.rate("USD", date(2026, 10, 30)), rates.rate("USD", date(2026, 11, 20))
        assert known is not None
        assert known.rate == Decimal("1.1172")
        assert later is not None
        assert later.on == date(2026, 11, 20)
        assert known.rate < later.rate < known.rate + Decimal("0.01")
        assert rates.rate("USD", moment.date() + timedelta(days=2)) is None
    finally:
        rates.close()
        client.state.clock = lambda: datetime.now(UTC)
