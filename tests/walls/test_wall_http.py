"""HTTP libraries at their loudest: first as they are, then through the session that all connectors use."""

from __future__ import annotations

import http.client
import io
import logging
import sys
from collections.abc import Iterator

import pytest
import requests

from sluis.errors import SluisError
from tests.http.test_session import make
from tests.http.vendor_server import Vendor, json_answer, serve
from tests.walls.person import PERSON

SECRET = "S3CRET-CANARY"
QUERY = {"search": PERSON}


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serve() as running:
        running.answers = [json_answer({"buyer": PERSON}, headers={"X-Buyer": PERSON})]
        yield running


class Loud:
    """Everything that is logged or printed while it is open, with every library told to say all it can."""

    def __enter__(self) -> io.StringIO:
        self.stream, self.stdout = io.StringIO(), sys.stdout
        sys.stdout = self.stream
        self.handler = logging.StreamHandler(self.stream)
        root = logging.getLogger()
        self.level = root.level
        root.addHandler(self.handler)
        self.shout()
        return self.stream

    @staticmethod
    def shout() -> None:
        http.client.HTTPConnection.debuglevel = 1
        for name in (None, "urllib3", "urllib3.connectionpool", "requests"):
            logging.getLogger(name).setLevel(logging.DEBUG)

    def __exit__(self, *_: object) -> None:
        sys.stdout = self.stdout
        http.client.HTTPConnection.debuglevel = 0
        logging.getLogger().removeHandler(self.handler)
        logging.getLogger().setLevel(self.level)


def test_requests_by_itself_logs_the_query_and_prints_the_credential(vendor: Vendor) -> None:
    urllib3 = logging.getLogger("urllib3")
    before = urllib3.propagate, urllib3.level
    urllib3.propagate = True
    try:
        with Loud() as told:
            requests.get(f"{vendor.url}/orders", params=QUERY, headers={"Authorization": SECRET}, timeout=10)
    finally:
        urllib3.propagate = before[0]
        urllib3.setLevel(before[1])
    assert "Kanarie" in told.getvalue()  # the leak: urllib3's path, with its query
    assert SECRET in told.getvalue()  # the leak: what http.client prints


def test_the_session_says_nothing_however_loud_they_were_told_to_be(vendor: Vendor) -> None:
    with Loud() as told:
        made = make(vendor.url, auth=("key", SECRET))
        Loud.shout()  # also by somebody who comes after it was made
        made.session.get("/orders", QUERY)
        Loud.shout()  # and between two calls on a connection that is open
        made.session.get("/orders", QUERY)
        vendor.answers = [json_answer({"error": PERSON}, 422)]
        with pytest.raises(SluisError) as caught:
            made.session.post("/orders", {"name": PERSON})
    assert PERSON not in str(caught.value)
    for leak in ("Kanarie", SECRET, "Authorization", "send:", "reply:"):
        assert leak not in told.getvalue()
    assert len(vendor.seen) == 3
