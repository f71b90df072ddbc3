"""The session against a scripted vendor: what is repeated, what never, and what each failure is called."""

from __future__ import annotations

import io
import logging
import re
import socket
import ssl
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from requests import PreparedRequest
from requests.auth import AuthBase
from requests_oauthlib import OAuth1

from sluis.errors import (
    Defect,
    NotAShop,
    NotConfigured,
    OutcomeUnknown,
    QuotaSpent,
    Reconnect,
    Refused,
    RetryLater,
    SluisError,
)
from sluis.http import Rejection, VendorSession
from sluis.http.quiet import silence as silence_libraries
from sluis.http.session import _target
from tests.http.vendor_server import Vendor, hang_up, json_answer, raw_answer, serve, silence

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serve() as running:
        yield running


@dataclass
class Recorder:
    """A limiter that records."""

    acquired: list[str] = field(default_factory=list)
    observed: list[dict[str, Any]] = field(default_factory=list)

    def acquire(self, key: str) -> None:
        self.acquired.append(key)

    def observe(self, key: str, *, limit: int | None, remaining: int | None, resets_at: datetime | None) -> None:
        self.observed.append({"key": key, "limit": limit, "remaining": remaining, "resets_at": resets_at})


@dataclass
class Made:
    session: VendorSession
    slept: list[float]
    limiter: Recorder


def make(url: str, **more: Any) -> Made:
    slept: list[float] = []
    limiter = Recorder()
    options: dict[str, Any] = {
        "vendor": "Testvendor",
        "auth": ("key", "S3CRET-CANARY"),
        "limiter": limiter,
        "limiter_key": "token-1",
        "sleep": slept.append,
        "now": lambda: NOW,
        **more,
    }
    return Made(VendorSession(url, **options), slept, limiter)


def test_fractions_come_as_decimal_and_headers_in_any_case(vendor: Vendor) -> None:
    vendor.answers = [raw_answer(b'\xef\xbb\xbf{"total": 10.10, "id": 7}', headers={"X-WP-Total": "12", "x-bad": "a"})]
    answer = make(vendor.url).session.get("/orders", {"page": 1})
    assert answer.body == {"total": Decimal("10.10"), "id": 7}
    assert (answer.number("x-wp-total"), answer.number("X-Bad"), answer.number("absent")) == (12, None, None)
    assert vendor.seen[0].path == "/orders?page=1"
    assert vendor.seen[0].headers["User-Agent"].startswith("sluis/")


def test_an_empty_answer_has_no_body(vendor: Vendor) -> None:
    vendor.answers = [raw_answer(b"", 204)]
    assert make(vendor.url).session.post("/x", {}).body is None


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_read_is_repeated_after_a_fault_and_then_given_up(vendor: Vendor, status: int) -> None:
    vendor.answers = [json_answer({}, status), json_answer({}, status), json_answer([1])]
    made = make(vendor.url)
    assert made.session.get("/orders").body == [1]
    assert len(made.slept) == 2
    assert made.limiter.acquired == ["token-1"] * 3

    vendor.answers, made.slept[:] = [json_answer({}, status)], []
    vendor.seen.clear()
    with pytest.raises(RetryLater) as caught:
        made.session.get("/orders")
    assert type(caught.value) is RetryLater
    assert (len(vendor.seen), len(made.slept)) == (4, 3)
    assert all(0 < pause <= 20 for pause in made.slept)


def test_a_short_wish_is_honoured_in_place_and_a_long_one_passed_on(vendor: Vendor) -> None:
    vendor.answers = [json_answer({}, 429, {"Retry-After": "3"}), json_answer([])]
    made = make(vendor.url)
    assert made.session.get("/orders").body == []
    assert made.slept == [3.0]

    vendor.answers = [json_answer({}, 429, {"Retry-After": str(int(NOW.timestamp()) + 240)})]
    with pytest.raises(QuotaSpent) as caught:
        made.session.get("/orders")
    assert caught.value.retry_after == timedelta(seconds=240)
    assert made.limiter.observed[-1] == {
        "key": "token-1",
        "limit": None,
        "remaining": 0,
        "resets_at": NOW + timedelta(seconds=240),
    }


def test_the_limiter_learns_from_the_headers(vendor: Vendor) -> None:
    reset = int(NOW.timestamp()) + 60
    headers = {"RateLimit-Limit": "150", "RateLimit-Remaining": "149", "RateLimit-Reset": str(reset)}
    vendor.answers = [json_answer([], headers=headers)]
    made = make(vendor.url)
    made.session.get("/x")
    assert made.limiter.observed == [
        {"key": "token-1", "limit": 150, "remaining": 149, "resets_at": NOW + timedelta(seconds=60)}
    ]
    vendor.answers = [json_answer([], headers={"X-RateLimit-Remaining": "0"})]
    made.session.get("/x")
    assert made.limiter.observed[-1]["remaining"] == 0


def test_a_limiter_that_refuses_stops_the_call(vendor: Vendor) -> None:
    class Spent(Recorder):
        def acquire(self, key: str) -> None:
            raise QuotaSpent("spent")

    with pytest.raises(QuotaSpent):
        make(vendor.url, limiter=Spent()).session.get("/x")
    assert vendor.seen == []


WRITES: list[tuple[str, Any, type[SluisError]]] = [
    ("500", json_answer({}, 500), OutcomeUnknown),
    ("503 with a wait", json_answer({}, 503, {"Retry-After": "1"}), OutcomeUnknown),
    ("408", json_answer({}, 408), OutcomeUnknown),
    ("closed without an answer", hang_up, OutcomeUnknown),
    ("shorter than promised", raw_answer(b'{"id": 1}', promise=50), OutcomeUnknown),
    ("cut-off JSON", raw_answer(b'{"id": 1'), OutcomeUnknown),
    ("HTML", raw_answer(b"<html>", headers={"Content-Type": "text/html"}), OutcomeUnknown),
    ("warning before JSON", raw_answer(b'<br />Warning{"id": 1}'), OutcomeUnknown),
    ("429", json_answer({}, 429, {"Retry-After": "1"}), QuotaSpent),
    ("401", json_answer({}, 401), Reconnect),
    ("403", json_answer({}, 403), Reconnect),
    ("404", json_answer({}, 404), Defect),
    ("422", json_answer({}, 422), Refused),
    ("400", json_answer({}, 400), Defect),
    ("302", json_answer({}, 302, {"Location": "http://127.0.0.1:1/"}), NotConfigured),
]


@pytest.mark.parametrize(("answer", "expected"), [w[1:] for w in WRITES], ids=[w[0] for w in WRITES])
def test_a_write_is_sent_once_whatever_comes(vendor: Vendor, answer: Any, expected: type[SluisError]) -> None:
    vendor.answers = [answer]
    made = make(vendor.url)
    with pytest.raises(SluisError) as caught:
        made.session.post("/invoices", {"n": Decimal("1.50")})
    assert type(caught.value) is expected
    assert (len(vendor.seen), made.slept) == (1, [])
    assert vendor.seen[0].body == b'{"n": "1.50"}'


def test_a_write_that_times_out_is_unknown_and_a_read_is_repeated(vendor: Vendor) -> None:
    made = make(vendor.url, read_timeout=0.2)
    vendor.answers = [silence(5)]
    with pytest.raises(OutcomeUnknown):
        made.session.post("/invoices", {})
    assert len(vendor.seen) == 1
    vendor.answers = [silence(5), json_answer([])]
    assert made.session.get("/orders").body == []


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_write_that_never_left_may_be_repeated(closed_port: int) -> None:
    with pytest.raises(RetryLater) as caught:
        make(f"http://127.0.0.1:{closed_port}").session.post("/invoices", {})
    assert type(caught.value) is RetryLater
    assert caught.value.code == "unreachable"
    with pytest.raises(RetryLater) as caught:
        make("http://no-such-host.invalid").session.post("/invoices", {})
    assert type(caught.value) is RetryLater


def test_a_write_that_failed_in_the_tls_handshake_never_left() -> None:
    """A server that speaks no TLS: the failure comes after the TCP connection and before the request."""
    listener = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(2048)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=greet)
    thread.start()
    with pytest.raises(RetryLater) as caught:
        make(f"https://127.0.0.1:{listener.getsockname()[1]}").session.post("/invoices", {})
    thread.join()
    listener.close()
    assert type(caught.value) is RetryLater
    assert caught.value.code == "tls_failed"


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody vouches for, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW - timedelta(days=9000))
    builder = builder.not_valid_after(NOW + timedelta(days=9000))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem) + private)
    return path


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))  # the environment cannot vouch for it either
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))
    received: list[bytes] = []

    def greet() -> None:
        client, _ = listener.accept()
        with client, suppress(OSError):
            received.append(context.wrap_socket(client, server_side=True).recv(100))

    thread = threading.Thread(target=greet)
    thread.start()
    with pytest.raises(RetryLater) as caught:
        make(f"https://127.0.0.1:{listener.getsockname()[1]}").session.post("/invoices", {})
    thread.join()
    listener.close()
    assert (type(caught.value), caught.value.code) == (RetryLater, "tls_failed")
    assert received in ([], [b""])


def test_proxies_and_certificates_of_the_environment_are_not_used(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    vendor.answers = [json_answer([])]
    assert make(vendor.url).session.get("/x").body == []


READS: list[tuple[str, Any, type[SluisError], str]] = [
    ("shorter than promised", raw_answer(b"[1]", promise=50), RetryLater, "answer_cut_off"),
    ("cut-off JSON", raw_answer(b'[{"id": 1'), RetryLater, "answer_cut_off"),
    ("cut off inside a character", raw_answer('["é'.encode()[:-1]), RetryLater, "answer_cut_off"),
    ("bad chunks", raw_answer(b"zz", headers={"Content-Encoding": "gzip"}), RetryLater, "answer_cut_off"),
    ("HTML", raw_answer(b"<!DOCTYPE html><title>Shop</title>"), NotAShop, "not_the_api"),
    (
        "warning before JSON",
        raw_answer(b'<br />\n<b>Warning</b>: {x} in a.php [{"id": 1}]'),
        NotAShop,
        "html_around_json",
    ),
    ("text after JSON", raw_answer(b"[]<script>x</script>"), NotAShop, "html_around_json"),
    ("redirect", json_answer({}, 301, {"Location": "https://elsewhere.example/"}), NotConfigured, "redirected"),
    ("not a number", raw_answer(b'{"a": NaN}'), RetryLater, "answer_cut_off"),
    ("401", json_answer({}, 401), Reconnect, "credential_refused"),
    ("403", json_answer({}, 403), Reconnect, "not_allowed"),
    ("404", json_answer({}, 404), Defect, "not_found"),
    ("418", json_answer({}, 418), Defect, "request_refused"),
]


@pytest.mark.parametrize(("answer", "expected", "code"), [r[1:] for r in READS], ids=[r[0] for r in READS])
def test_what_a_broken_read_is_called(vendor: Vendor, answer: Any, expected: type[SluisError], code: str) -> None:
    vendor.answers = [answer]
    with pytest.raises(SluisError) as caught:
        make(vendor.url).session.get("/orders")
    assert (type(caught.value), caught.value.code) == (expected, code)
    assert len(vendor.seen) == (4 if expected is RetryLater else 1)


REDIRECTS = [
    ("https://elsewhere.example:444/x?key=CANARY", "it redirects to another host, and"),
    ("https://jan-canary-fietsen.nl/", "it redirects to another host, and"),
    ("https://127.0.0.1/x", "it redirects to https, and"),
    ("https://www.127.0.0.1/x", "it redirects to https and the host with www, and"),
    ("http://www.127.0.0.1/x", "it redirects to the host with www, and"),
    ("/elsewhere?key=CANARY", "it redirects to another path of the host, and"),
    ("//[bad", "it redirects, and"),
]


@pytest.mark.parametrize(("location", "told"), REDIRECTS)
def test_a_redirect_is_named_by_its_kind_and_keeps_the_credential(vendor: Vendor, location: str, told: str) -> None:
    vendor.answers = [json_answer({}, 301, {"Location": location})]
    with pytest.raises(NotConfigured, match=told) as caught:
        make(vendor.url).session.get("/orders")
    assert not re.search("canary|example|fietsen|127", str(caught.value), re.IGNORECASE)
    assert len(vendor.seen) == 1


def test_a_redirect_away_from_www_is_told_too() -> None:
    assert _target("https://www.shop.example/x", "https://shop.example/x") == "the host without www"


@pytest.mark.parametrize(
    "given",
    ["jan@example.nl", "1 result=booked", "x" * 65, "a\tb", "", "é"],
    ids=["mail", "log", "long", "tab", "", "é"],
)
def test_a_request_id_that_is_none_is_not_kept(vendor: Vendor, given: str) -> None:
    vendor.answers = [json_answer({}, 404, {"X-Request-Id": given})]
    with pytest.raises(Defect) as caught:
        make(vendor.url).session.get("/orders")
    assert caught.value.remote_request_id is None


class Header(AuthBase):
    """Puts a token on a request as it is."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


UNUSABLE: dict[str, AuthBase | tuple[str, str]] = {
    "line break": Header("a\nCANARY"),
    "carriage return": Header("a\rCANARY"),
    "zero byte": Header("a\x00CANARY"),
    "mask": Header("•••CANARY"),
    "latin letter": Header("é CANARY"),
    "half a character": Header("\ud83dCANARY"),
    "Basic with a mask": ("ck", "•••CANARY"),
    "OAuth with half a character": OAuth1("ck", client_secret="\ud83dCANARY", signature_type="QUERY"),
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("auth", UNUSABLE.values(), ids=UNUSABLE)
def test_a_credential_that_fits_no_header_is_neither_sent_nor_shown(vendor: Vendor, auth: Any, method: str) -> None:
    vendor.answers = [json_answer([])]
    made = make(vendor.url, auth=auth)
    with pytest.raises(Reconnect) as caught:
        made.session.request(method, "/orders")
    assert caught.value.code == "credential_unusable"
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=False).format())
    assert "CANARY" not in shown
    assert (vendor.seen, made.slept) == ([], [])


def test_a_header_of_an_answer_that_cannot_be_read_is_no_fault_of_the_credential(vendor: Vendor) -> None:
    def twice(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]")
        hang_up(handler)

    vendor.answers = [twice]
    with pytest.raises(RetryLater) as caught:
        make(vendor.url).session.get("/orders")
    assert caught.value.code == "answer_cut_off"
    with pytest.raises(OutcomeUnknown):
        make(vendor.url).session.post("/orders", {})


def test_an_answer_without_end_is_not_read(vendor: Vendor) -> None:
    vendor.answers = [raw_answer(b'["' + b"x" * 300_000 + b'"]')]
    with pytest.raises(Defect) as caught:
        make(vendor.url, largest_body=200_000).session.get("/orders")
    assert caught.value.code == "answer_too_large"
    with pytest.raises(OutcomeUnknown):
        make(vendor.url, largest_body=200_000).session.post("/orders", {})


def test_the_hook_goes_first_and_accepted_statuses_are_answers(vendor: Vendor) -> None:
    def hook(rejection: Rejection) -> SluisError | None:
        if rejection.status == 422:
            return Refused(f"{rejection.text}: field {next(iter(rejection.body))}", field=next(iter(rejection.body)))
        return None

    session = make(vendor.url, on_error=hook).session
    vendor.answers = [json_answer({"email": ["CANARY@example.com is wrong"]}, 422)]
    with pytest.raises(Refused) as caught:
        session.post("/contacts", {})
    assert caught.value.field == "email"
    assert "CANARY" not in str(caught.value)
    vendor.answers = [json_answer({"error": "gone"}, 404)]
    assert session.get("/contacts/1", accept={404}).status == 404


def test_messages_name_the_template_and_the_request_and_nothing_else(vendor: Vendor) -> None:
    vendor.answers = [json_answer({"name": "CANARY-NAME"}, 400, {"X-Request-Id": "req-9"})]
    with pytest.raises(Defect) as caught:
        make(vendor.url).session.get("/v2/123456/contacts/c0ffee12345678", {"query": "CANARY@example.com"})
    text = str(caught.value)
    assert "Testvendor: GET /v2/{id}/contacts/{id} answered 400" in text
    assert "req-9" in text
    assert "CANARY" not in text
    assert "123456" not in text
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """What a program sees that sends all levels to its root handler (pytest's own also joins silenced loggers)."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    names = ["sluis", "urllib3", "urllib3.connectionpool", "requests_oauthlib.oauth1_auth", "oauthlib.oauth1.rfc5849"]
    silence_libraries()
    before = {name: logging.getLogger(name).level for name in [*names, "root"]}
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_nothing_secret_is_logged_even_with_everything_at_debug(vendor: Vendor, everything_logged: io.StringIO) -> None:
    made = make(vendor.url)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.DEBUG)
    vendor.answers = [json_answer({"x": "CANARY-BODY"}, 500), json_answer({"x": "CANARY-BODY"})]
    made.session.get("/orders/778899", {"search": "CANARY@example.com"})
    vendor.answers = [json_answer({"x": "CANARY-BODY"}, 500)]
    with pytest.raises(OutcomeUnknown):
        made.session.post("/orders", {"name": "CANARY-NAME"})
    logged = everything_logged.getvalue()
    assert "Testvendor: GET /orders/{id} failed (vendor_fault), try 2" in logged
    assert "CANARY" not in logged
    assert "778899" not in logged


def test_the_search_for_secrets_would_find_one(vendor: Vendor, everything_logged: io.StringIO) -> None:
    """The control: with the libraries' loggers joined to the program's again, the e-mail of the query is logged."""
    made = make(vendor.url)
    logging.getLogger("urllib3").propagate = True
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    vendor.answers = [json_answer([])]
    made.session.get("/orders", {"search": "CANARY@example.com"})
    silence_libraries()
    assert "CANARY" in everything_logged.getvalue()


def test_cookies_are_not_kept(vendor: Vendor) -> None:
    vendor.answers = [json_answer([], headers={"Set-Cookie": "session=abc; Path=/"})]
    session = make(vendor.url).session
    session.get("/a")
    session.get("/b")
    assert "Cookie" not in vendor.seen[1].headers


def test_a_float_that_is_no_number_is_never_sent(vendor: Vendor) -> None:
    with pytest.raises(ValueError, match="JSON"):
        make(vendor.url).session.post("/x", {"a": float("nan")})
    with pytest.raises(TypeError, match="datetime has no JSON form"):
        make(vendor.url).session.post("/x", {"a": NOW})
    assert vendor.seen == []


def test_a_bad_address_is_a_defect() -> None:
    with pytest.raises(Defect) as caught:
        make("http://[bad").session.get("/x")
    assert caught.value.code == "bad_address"
