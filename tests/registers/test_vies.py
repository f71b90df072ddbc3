"""VIES: what is asked, what counts as an answer, and that nothing of a person passes through."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sluis.core.evidence import VatCheck
from sluis.core.personal import Personal
from sluis.errors import NotConfigured, QuotaSpent
from sluis.registers import vies
from sluis.registers.mapping import Question, said
from sluis.registers.vies import Vies
from tests.http.vendor_server import Script, Vendor, hang_up, json_answer, raw_answer, serve, silence

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NUMBER = "DE123456788"
MINE = "NL123456782B90"
CANARY = "Canary Kanarie, Kanariestraat 7"
#: The form of an answer that python's and PHP's clients recorded in 2025 and 2026 (README).
VALID: dict[str, Any] = {
    "countryCode": "DE", "vatNumber": "123456788", "requestDate": "2026-11-23T11:59:59.000Z", "valid": True,
    "requestIdentifier": "WAPIAAAAXYZ1234", "name": CANARY, "address": CANARY,
    "traderNameMatch": "NOT_PROCESSED",
}  # fmt: skip
INVALID = {**VALID, "valid": False, "requestIdentifier": "", "name": "---", "address": "---"}


def error(code: str, **more: Any) -> dict[str, Any]:
    return {"actionSucceed": False, "errorWrappers": [{"error": code, "message": CANARY}], **more}


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serve() as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def register(vendor: Vendor, pauses: list[float]) -> Iterator[Vies]:
    made = Vies(vendor.url, read_timeout=0.5, sleep=pauses.append, now=lambda: NOW)
    yield made
    made.close()


def ask(register: Vies, vendor: Vendor, *answers: Script, number: str = NUMBER, **more: str) -> VatCheck:
    vendor.answers[:] = answers
    return register.check(Personal(number), **{"requester": MINE, **more})


def bodies(vendor: Vendor) -> list[dict[str, str]]:
    return [json.loads(seen.body) for seen in vendor.seen]


def test_a_valid_number_gives_the_moment_and_the_number_of_the_consultation(register: Vies, vendor: Vendor) -> None:
    check = ask(register, vendor, json_answer(VALID))
    assert check == VatCheck(state="valid", checked_at=NOW, request_id="WAPIAAAAXYZ1234", source="VIES")
    assert [(seen.method, seen.path) for seen in vendor.seen] == [("POST", "/check-vat-number")]
    assert bodies(vendor) == [
        {
            "countryCode": "DE",
            "vatNumber": "123456788",
            "requesterMemberStateCode": "NL",
            "requesterNumber": "123456782B90",
        }
    ]


def test_an_unknown_number_is_invalid_and_has_no_consultation(register: Vies, vendor: Vendor) -> None:
    check = ask(register, vendor, json_answer(INVALID))
    assert (check.state, check.request_id) == ("invalid", None)


@pytest.mark.parametrize(
    ("number", "country", "asked"),
    [
        ("de 123.456.788", "", ("DE", "123456788")),
        ("123456788", "DE", ("DE", "123456788")),
        ("BE0123456749", "DE", ("BE", "0123456749")),
        ("EL123456783", "GR", ("EL", "123456783")),
        ("GR123456783", "", ("EL", "123456783")),
        ("123456783", "GR", ("EL", "123456783")),
        ("XI123456727", "", ("XI", "123456727")),
        ("FR11123456782", "MC", ("FR", "11123456782")),
        ("11123456782", "MC", ("FR", "11123456782")),
    ],
)
def test_a_number_is_asked_of_its_own_member_state(
    register: Vies, vendor: Vendor, number: str, country: str, asked: tuple[str, str]
) -> None:
    answer = {**VALID, "countryCode": asked[0], "vatNumber": asked[1]}
    assert ask(register, vendor, json_answer(answer), number=number, country=country).state == "valid"
    assert (bodies(vendor)[0]["countryCode"], bodies(vendor)[0]["vatNumber"]) == asked


@pytest.mark.parametrize("number", ["", "DE12345", "GB123456782", "US123456789", "123456788"])
def test_what_no_member_state_can_have_given_is_invalid_unasked(register: Vies, vendor: Vendor, number: str) -> None:
    assert ask(register, vendor, json_answer(VALID), number=number).state == "invalid"
    assert vendor.seen == []


@pytest.mark.parametrize("requester", ["", "NL1", "GB123456782"])
def test_a_requester_that_is_no_number_is_left_out(register: Vies, vendor: Vendor, requester: str) -> None:
    assert ask(register, vendor, json_answer(VALID), requester=requester).state == "valid"
    assert bodies(vendor) == [{"countryCode": "DE", "vatNumber": "123456788"}]


def test_a_requester_that_vies_refuses_is_told_and_the_number_asked_without_it(
    register: Vies, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    check = ask(
        register, vendor, json_answer(error("INVALID_REQUESTER_INFO")), json_answer({**VALID, "requestIdentifier": ""})
    )
    assert (check.state, check.request_id) == ("valid", None)
    assert "requesterNumber" not in bodies(vendor)[1]
    assert "vat_number" in caplog.text
    assert MINE[2:] not in caplog.text


@pytest.mark.parametrize(
    "code",
    ["SERVICE_UNAVAILABLE", "MS_UNAVAILABLE", "TIMEOUT", "VAT_BLOCKED", "IP_BLOCKED", "SOMETHING_NEW", "VOW-ERR-1"],
)
@pytest.mark.parametrize("more", [{}, {"valid": False}, {"valid": True}])
def test_a_register_that_does_not_answer_says_neither_yes_nor_no(
    register: Vies, vendor: Vendor, code: str, more: dict[str, Any]
) -> None:
    assert ask(register, vendor, json_answer(error(code, **more))).state == "unverified"
    assert len(vendor.seen) == 1


def test_an_error_beside_valid_false_is_no_no(register: Vies, vendor: Vendor) -> None:
    answer = {**INVALID, "userError": "MS_UNAVAILABLE"}
    assert ask(register, vendor, json_answer(answer)).state == "unverified"
    assert ask(register, vendor, json_answer({**INVALID, "userError": "INVALID"})).state == "invalid"
    assert ask(register, vendor, json_answer({**VALID, "userError": "VALID"})).state == "valid"


def test_a_number_whose_form_the_member_state_refuses_is_invalid(register: Vies, vendor: Vendor) -> None:
    assert ask(register, vendor, json_answer(error("INVALID_INPUT"))).state == "invalid"
    assert ask(register, vendor, json_answer(error("INVALID_INPUT"), status=400)).state == "invalid"
    assert ask(register, vendor, json_answer(error("VOW-ERR-11"), status=400)).state == "unverified"


@pytest.mark.parametrize("code", ["MS_MAX_CONCURRENT_REQ", "GLOBAL_MAX_CONCURRENT_REQ_TIME"])
def test_a_busy_register_is_asked_once_more_after_a_pause(
    register: Vies, vendor: Vendor, pauses: list[float], code: str
) -> None:
    assert ask(register, vendor, json_answer(error(code)), json_answer(VALID)).state == "valid"
    assert ask(register, vendor, json_answer(error(code))).state == "unverified"
    assert (len(pauses), len(vendor.seen)) == (2, 4)


@pytest.mark.parametrize(
    "answer",
    [
        json_answer(error("VOW-ERR-1"), status=500),
        json_answer({}, status=503),
        json_answer({}, status=404),
        json_answer({}, status=429, headers={"Retry-After": "1"}),
        json_answer({}, status=302, headers={"Location": "https://elsewhere.example/"}),
        raw_answer(b"<html>maintenance</html>"),
        raw_answer(b"<html>nonsense</html>", status=400),
        raw_answer(b""),
        raw_answer(b'{"valid": tr', promise=20),
        raw_answer(b"[" + b'"x",' * 40_000 + b'"x"]'),
        json_answer([]),
        json_answer(True),
        json_answer({"valid": "true"}),
        json_answer({"valid": 1}),
        json_answer({"valid": None}),
        json_answer({**VALID, "vatNumber": "999999999"}),
        json_answer({**VALID, "countryCode": "FR"}),
        json_answer({**VALID, "actionSucceed": False}),
        json_answer({**VALID, "errorWrappers": "odd"}),
        hang_up,
        silence(5),
    ],
    ids=lambda answer: getattr(answer, "__name__", "answer"),
)
def test_anything_odd_is_unverified_and_raises_nothing(register: Vies, vendor: Vendor, answer: Script) -> None:
    assert ask(register, vendor, answer).state == "unverified"


def test_nobody_there_is_unverified() -> None:
    with serve() as gone:
        url = gone.url
    register = Vies(url, now=lambda: NOW)
    assert register.check(Personal(NUMBER), requester=MINE) == VatCheck(state="unverified", checked_at=NOW)
    register.close()


def test_a_spent_quota_is_unverified_and_asks_nobody(vendor: Vendor) -> None:
    class Spent:
        def acquire(self, key: str) -> None:
            raise QuotaSpent("used up")

        def observe(self, key: str, **told: object) -> None:
            raise AssertionError("nothing was answered")

    register = Vies(vendor.url, limiter=Spent(), now=lambda: NOW)
    assert register.check(Personal(NUMBER), requester=MINE).state == "unverified"
    assert vendor.seen == []
    register.close()


@pytest.mark.parametrize("value", ["x" * 65, "WAPI 1", CANARY, "", None, 7, ["WAPI"]])
def test_a_consultation_number_that_is_none_is_dropped(value: object) -> None:
    asked = Question("DE", "123456788")
    assert said({**VALID, "requestIdentifier": value}, asked).request_id is None


@pytest.mark.parametrize("value", ["DE123456788", "WAPI-123456788", "WAPI.123.456.788", "de123456788"])
def test_the_number_asked_comes_back_neither_as_a_consultation_nor_as_a_code(value: str) -> None:
    asked = Question("DE", "123456788")
    told = said({**VALID, "requestIdentifier": value}, asked)
    assert (told.state, told.request_id) == ("valid", None)
    refused = said({"actionSucceed": False, "errorWrappers": [{"error": value.upper().replace(".", "_")}]}, asked)
    assert (refused.state, refused.code) == ("unverified", "UNKNOWN_ERROR")


def test_a_short_number_does_not_cost_the_consultation_by_chance() -> None:
    answer = {**VALID, "countryCode": "RO", "vatNumber": "18", "requestIdentifier": "WAPIAAAA1815"}
    assert said(answer, Question("RO", "18")).request_id == "WAPIAAAA1815"
    assert said({**answer, "requestIdentifier": "RO18"}, Question("RO", "18")).request_id is None


@pytest.mark.parametrize(
    "answer",
    [
        json_answer(VALID),
        json_answer(error("MS_UNAVAILABLE", name=CANARY)),
        json_answer({**VALID, "requestIdentifier": CANARY}),
        json_answer({"actionSucceed": False, "errorWrappers": [{"error": CANARY}]}),
        json_answer({**VALID, "userError": CANARY}),
        json_answer(VALID, status=500),
        json_answer({**VALID, "vatNumber": "1"}),
        raw_answer(CANARY.encode()),
    ],
)
def test_name_address_and_number_leave_no_trace(
    register: Vies, vendor: Vendor, caplog: pytest.LogCaptureFixture, answer: Script
) -> None:
    caplog.set_level(logging.DEBUG)
    check = ask(register, vendor, answer)
    seen = " ".join((caplog.text, repr(check), check.model_dump_json(), repr(vars(register)), repr(caplog.records)))
    for secret in ("Canary", "Kanarie", "123456788", "123456782B90"):
        assert secret not in seen
    assert "123456788" not in repr(Question("DE", "123456788", ("NL", "123456782B90")))


@pytest.mark.parametrize(
    ("value", "fits"),
    [("", True), ("https://vies.example/rest-api", True), ("http://127.0.0.1:8300/vies/rest-api", True),
     ("http://vies.example/rest-api", False), ("vies.example", False), ("https://u:p@vies.example", False)],
)  # fmt: skip
def test_numbers_travel_encrypted_or_stay_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, value: str, fits: bool
) -> None:
    monkeypatch.setenv(vies.URL, value)
    if fits:
        assert vies.address() == (value or vies.DEFAULT_URL)
        return
    with pytest.raises(NotConfigured, match=vies.URL):
        vies.address()
