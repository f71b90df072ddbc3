"""Faults: what was done before the fault struck is really done, what was not is really not."""

from __future__ import annotations

import threading
import time

import pytest
import requests

from sluis.errors import Defect
from sluis.sandbox.faults import Faults
from sluis.sandbox.server import SandboxServer, listen
from tests.sandbox.conftest import BOOKS, Client

CREATE = {"method": "POST", "path": "*/external_sales_invoices*"}


def booked(client: Client) -> int:
    return len(client.state.ledger(BOOKS.id).invoices)


def test_a_status_before_the_work_does_nothing_and_strikes_as_often_as_told(client: Client) -> None:
    contact = client.contact()
    client.state.faults.add(kind="status", status=503, times=2, headers={"Retry-After": "7"}, **CREATE)
    first = client.invoice(contact)
    assert (first.status_code, first.headers["Retry-After"], booked(client)) == (503, "7", 0)
    assert client.invoice(contact).status_code == 503
    assert (client.invoice(contact).status_code, booked(client)) == (201, 1)


def test_a_status_after_the_work_leaves_it_done(client: Client) -> None:
    contact = client.contact()
    client.state.faults.add(kind="status_after", **CREATE)
    assert client.invoice(contact).status_code == 500
    assert booked(client) == 1


@pytest.mark.parametrize(("kind", "done"), [("hang", 0), ("hang_after", 1)])
def test_a_request_that_hangs_runs_into_the_callers_time_out(kind: str, done: int, client: Client) -> None:
    contact = client.contact()
    client.state.faults.add(kind=kind, seconds=60, **CREATE)
    with pytest.raises(requests.ReadTimeout):
        client.invoice(contact, timeout=0.3)
    assert booked(client) == done
    assert client.invoice(contact, "1002").status_code == 201


@pytest.mark.parametrize(("kind", "done"), [("reset", 0), ("reset_after", 1), ("twice_reset", 2)])
def test_a_connection_that_is_cut(kind: str, done: int, client: Client) -> None:
    contact = client.contact()
    client.state.faults.add(kind=kind, **CREATE)
    with pytest.raises(requests.ConnectionError):
        client.invoice(contact)
    assert booked(client) == done


def test_a_request_that_is_delivered_twice_books_twice_and_shows_as_a_duplicate(client: Client) -> None:
    contact = client.contact()
    client.state.faults.add(kind="twice", **CREATE)
    assert client.invoice(contact, "1001").status_code == 201
    assert client.state.stats()["administrations"][BOOKS.id]["duplicates"] == {"1001": 2}


def test_an_answer_that_stands_twice_on_the_connection_does_not_answer_the_next_request(client: Client) -> None:
    contact = client.contact()
    client.state.faults.add(kind="answer_twice", **CREATE)
    first = client.invoice(contact, "1001")
    second = client.invoice(contact, "1002")
    assert [first.json()["reference"], second.json()["reference"], booked(client)] == ["1001", "1002", 2]


def test_a_truncated_body(client: Client) -> None:
    client.state.faults.add(kind="truncated", path="*/orders")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.shop("/orders")
    assert client.shop("/orders").status_code == 200


def test_html_before_the_json_and_json_of_another_shape(client: Client) -> None:
    client.state.faults.add(kind="html", path="*/orders")
    client.state.faults.add(kind="wrong_json", path="*/orders")
    spoilt = client.shop("/orders")
    assert spoilt.status_code == 200
    assert spoilt.text.startswith("<br />")
    assert spoilt.text.endswith("]")
    assert client.shop("/orders").json() == {"ok": True}


def test_a_slow_answer_is_the_right_one(client: Client) -> None:
    client.state.faults.add(kind="slow", seconds=0.2, path="*/orders")
    answer = client.shop("/orders")
    assert len(answer.json()) == 10


def test_a_fault_may_let_some_requests_pass_first() -> None:
    faults = Faults()
    faults.add(kind="status", path="*/orders", skip=1)
    struck = [faults.take("GET", path) for path in ("/a/orders", "/a/refunds", "/b/orders", "/a/orders")]
    assert [fault is not None for fault in struck] == [False, False, True, False]
    assert faults.left() == 0


def test_faults_are_switched_over_the_control_api(client: Client) -> None:
    wrong = client.control("POST", "/faults", json={"kind": "explode"})
    assert wrong.status_code == 422
    assert client.control("POST", "/faults", json={"kind": "status", "status": 502}).json() == {"faults_left": 1}
    assert client.shop("/orders").status_code == 502
    client.control("POST", "/faults", json={"kind": "status"})
    assert client.control("DELETE", "/faults").json() == {"faults_left": 0}
    assert client.shop("/orders").status_code == 200


def test_a_hanging_request_does_not_keep_the_server_from_stopping(client: Client) -> None:
    server = SandboxServer(client.state.config)
    with server:
        server.state.faults.add(kind="hang", seconds=600)
        caller = threading.Thread(target=_ignore_failure, args=(f"{server.url}/shops/winkel/wp-json/",))
        caller.start()
        while server.state.faults.left():
            time.sleep(0.01)
    caller.join(timeout=20)
    assert not caller.is_alive()
    assert not server._thread.is_alive()


def _ignore_failure(url: str) -> None:
    with pytest.raises(requests.RequestException):
        requests.get(url, timeout=60)


def test_a_port_in_use_gives_one_line(server: SandboxServer) -> None:
    with pytest.raises(Defect, match=f"port {server.port} cannot be used: Address already in use"):
        listen(server.port)
