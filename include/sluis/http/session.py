"""One session per vendor account: retries what may be repeated, never what may not, and obeys the vendor's limits.

A read is repeated in place on a transient failure. A write is sent once: a failure before the first byte is
``RetryLater``, anything unclear after it is ``OutcomeUnknown``, and the booking protocol looks it up.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase

from sluis import __version__
from sluis.errors import Defect, NotAShop, OutcomeUnknown, QuotaSpent, Reconnect, RetryLater, SluisError
from sluis.http import wire
from sluis.http.answer import (
    LARGEST_BODY,
    TOO_LARGE,
    Answer,
    BodyTooLarge,
    BrokenBody,
    ForeignBody,
    parse_body,
    whole_number,
)
from sluis.http.errors import Hook, Rejection, template, translate
from sluis.http.quiet import no_printing, silence
from sluis.http.retry_after import parse_wait
from sluis.ports import Limiter

#: A wait inside a call is at most this long; a longer one is left to the scheduler.
LONGEST_WAIT = timedelta(seconds=20)
_FIRST_PAUSE = 0.5  # seconds; doubles with every try
_CHUNK = 65536
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_REQUEST_IDS = ("X-Request-Id", "Request-Id", "X-Amzn-RequestId", "CF-Ray")
#: Whatever answers may write into these headers, and they end in logs: only what looks like an id is kept.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
#: What a header of ours may hold; http.client raises for the rest, with the whole header in its message.
_HEADER = re.compile(r"[\x20-\x7e]+")

log = logging.getLogger(__name__)


class VendorSession:
    """Speaks JSON over HTTP with one account of one vendor.

    TLS is verified, redirects are never followed (they would carry the credential along), proxies and ``.netrc`` of
    the environment are not used. Not for use by two threads at once.

    ``on_error`` sees every refusal first and may give a better error; ``limiter_key`` names who shares the limiter.
    ``parse`` reads a body that is no JSON; it raises ``BrokenBody`` or ``ForeignBody`` of ``sluis.http.answer``.
    """

    def __init__(
        self,
        base_url: str,
        *,
        vendor: str,
        auth: AuthBase | tuple[str, str] | None,
        limiter: Limiter | None,
        limiter_key: str,
        headers: Mapping[str, str] | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        read_retries: int = 3,
        on_error: Hook | None = None,
        largest_body: int = LARGEST_BODY,
        parse: Callable[[bytes], Any] = parse_body,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        silence()
        self._base_url = base_url.rstrip("/")
        self._vendor = vendor
        self._limiter, self._limiter_key = limiter, limiter_key
        self._timeout = (connect_timeout, read_timeout)
        self._read_retries = read_retries
        self._on_error = on_error
        self._largest_body = largest_body
        self._parse = parse
        self._sleep, self._now = sleep, now
        self._session = _requests_session(auth, headers or {})

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        where: str | None = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """Read. See ``request``; transient failures are retried in place."""
        return self.request("GET", path, params=params, where=where, accept=accept)

    def post(self, path: str, json_body: Any, *, where: str | None = None, accept: Collection[int] = ()) -> Answer:
        """Write, once. See ``request``."""
        return self.request("POST", path, json_body=json_body, where=where, accept=accept)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json_body: Any = None,
        where: str | None = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """Send one call and return its answer (2xx, or a status named in ``accept``).

        ``where`` is the path's template for messages (default: the path, ids replaced). ``Decimal`` in ``json_body``
        is sent as a text. Raises ``RetryLater``, ``QuotaSpent``, ``Reconnect``, ``Refused``, ``NotAShop``,
        ``NotConfigured`` or ``Defect``, and for writes ``OutcomeUnknown``.
        """
        call = _Call(method.upper(), f"{self._base_url}/{path.lstrip('/')}", where or template(path), tuple(accept))
        data = None if json_body is None else json.dumps(json_body, default=_json_default, allow_nan=False).encode()
        tries = 1 + (self._read_retries if call.reads else 0)
        for number in range(tries):
            outcome = self._once(call, params, data)
            if isinstance(outcome, Answer):
                return outcome
            pause = self._pause(outcome, number)
            if number + 1 == tries or pause is None:
                # Raised here and not where it was caught, so that no exception of requests (which holds the request
                # with its body and credential) hangs on it as context.
                raise outcome
            log.info("%s: %s %s failed (%s), try %d", self._vendor, call.method, call.where, outcome.code, number + 2)
            self._sleep(pause)
        raise AssertionError("unreachable: the loop returns or raises")

    def _pause(self, error: SluisError, number: int) -> float | None:
        """Return the seconds to wait before the next try, ``None`` when trying again in place is wrong."""
        if not isinstance(error, RetryLater) or error.code == "tls_failed":
            return None
        if error.retry_after is None:
            if isinstance(error, QuotaSpent):
                return None
            # Jitter spreads workers that failed together; it guards nothing secret.
            return min(_FIRST_PAUSE * 2.0**number, LONGEST_WAIT.total_seconds()) * random.uniform(0.5, 1.0)  # noqa: S311
        if error.retry_after > LONGEST_WAIT:
            return None
        return error.retry_after.total_seconds()

    def _once(self, call: _Call, params: Mapping[str, Any] | None, data: bytes | None) -> Answer | SluisError:
        if self._limiter is not None:
            self._limiter.acquire(self._limiter_key)
        wire.expect()
        no_printing()
        headers = {"Content-Type": "application/json"} if data is not None else None
        request = self._prepared(call, requests.Request(call.method, call.url, headers, params=params, data=data))
        if isinstance(request, SluisError):
            return request
        try:
            with self._session.send(request, timeout=self._timeout, allow_redirects=False, stream=True) as response:
                status, answered = response.status_code, dict(response.headers)
                self._observe(status, response.headers)
                raw = _read(response, self._largest_body)
        except (requests.RequestException, ValueError) as error:
            return self._broken_off(call, error)
        except BodyTooLarge:
            return self._unusable(call, "the answer is larger than any page of documents", code=TOO_LARGE)
        return self._judge(call, status, requests.structures.CaseInsensitiveDict(answered), raw)

    def _prepared(self, call: _Call, request: requests.Request) -> requests.PreparedRequest | SluisError:
        """Sign and prepare a call, before anything is sent.

        The libraries' own errors for a credential that fits no header quote it, so they end here.
        """
        try:
            prepared = self._session.prepare_request(request)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
            return self._bad_address(call)
        except (requests.RequestException, ValueError):
            return self._credential_unusable(call)
        if all(_HEADER.fullmatch(_as_text(value)) for value in prepared.headers.values()):
            return prepared
        return self._credential_unusable(call)

    def _bad_address(self, call: _Call) -> SluisError:
        text = f"{self._vendor}: {call.method} {call.where}"
        return Defect(f"{text}: the configured address is no valid address", code="bad_address")

    def _credential_unusable(self, call: _Call) -> SluisError:
        return Reconnect(
            f"{self._vendor}: {call.method} {call.where}: not sent: the credential holds a line break or another"
            " character that none has; connect again",
            code="credential_unusable",
        )

    def _broken_off(self, call: _Call, error: Exception) -> SluisError:
        text = f"{self._vendor}: {call.method} {call.where}"
        if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
            return self._bad_address(call)
        sent = wire.was_sent() or isinstance(
            error,
            (requests.ReadTimeout, requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError),
        )
        if sent and not call.reads:
            return OutcomeUnknown(f"{text}: sent, but no whole answer came; look it up before trying again")
        if sent:
            kind = "timed_out" if isinstance(error, requests.Timeout) else "answer_cut_off"
            return RetryLater(f"{text}: no whole answer came; try again later", code=kind)
        if isinstance(error, requests.exceptions.SSLError):
            return RetryLater(f"{text}: no trusted TLS connection (certificate or protocol)", code="tls_failed")
        return RetryLater(f"{text}: no connection (host unknown, refused or silent)", code="unreachable")

    def _judge(self, call: _Call, status: int, headers: Mapping[str, str], raw: bytes) -> Answer | SluisError:
        request_id = _request_id(headers)
        good = 200 <= status < 300 or status in call.accept
        try:
            body = self._parse(raw)
        except BrokenBody:
            body = None
            if good:
                return self._cut_off(call, request_id)
        except ForeignBody as foreign:
            body = None
            if good:
                return self._foreign(call, foreign.json_inside, request_id)
        if good:
            return Answer(status, headers, body, request_id)
        rejection = Rejection(
            vendor=self._vendor,
            method=call.method,
            where=call.where,
            status=status,
            body=body,
            writes=not call.reads,
            retry_after=self._wait(headers),
            request_id=request_id,
            redirects_to=_target(call.url, headers.get("Location")) if 300 <= status < 400 else None,
        )
        return translate(rejection, self._on_error)

    def _cut_off(self, call: _Call, request_id: str | None) -> SluisError:
        text = f"{self._vendor}: {call.method} {call.where}: the answer's JSON is cut off"
        if call.reads:
            return RetryLater(f"{text}; try again later", code="answer_cut_off", remote_request_id=request_id)
        return OutcomeUnknown(f"{text}; look it up before trying again", remote_request_id=request_id)

    def _foreign(self, call: _Call, json_inside: bool, request_id: str | None) -> SluisError:
        if json_inside:
            return self._unusable(
                call,
                "text (often HTML of a plugin or a PHP warning) stands around the JSON; switch its output off",
                code="html_around_json",
                request_id=request_id,
            )
        return self._unusable(
            call, "the answer is no JSON: this address is not the API", code="not_the_api", request_id=request_id
        )

    def _unusable(self, call: _Call, what: str, *, code: str, request_id: str | None = None) -> SluisError:
        text = f"{self._vendor}: {call.method} {call.where}: {what}"
        if not call.reads:
            return OutcomeUnknown(f"{text}; look it up before trying again", remote_request_id=request_id)
        if code == TOO_LARGE:
            return Defect(text, code=code, remote_request_id=request_id)
        return NotAShop(text, code=code, remote_request_id=request_id)

    def _wait(self, headers: Mapping[str, str]) -> timedelta | None:
        return parse_wait(headers.get("Retry-After"), self._now())

    def _observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Tell the limiter what the headers say; ``Retry-After`` of a 429 means that nothing remains until then."""
        if self._limiter is None:
            return
        limit, remaining = (_either(headers, name) for name in ("Limit", "Remaining"))
        reset = headers.get("RateLimit-Reset") or headers.get("X-RateLimit-Reset")
        wait = parse_wait(reset, self._now())
        if status == 429:
            remaining, wait = 0, self._wait(headers) or wait
        if limit is None and remaining is None and wait is None:
            return
        resets_at = None if wait is None else self._now() + wait
        self._limiter.observe(self._limiter_key, limit=limit, remaining=remaining, resets_at=resets_at)


class _Call:
    """What is being asked, in the words that a message may use."""

    def __init__(self, method: str, url: str, where: str, accept: tuple[int, ...]) -> None:
        self.method, self.url, self.where, self.accept = method, url, where, accept
        self.reads = method in _READS


class _Session(requests.Session):
    """A session that knows no redirects: even unfollowed, requests would read their body and parse their target."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - requests' own signature
        return None


def _requests_session(auth: AuthBase | tuple[str, str] | None, headers: Mapping[str, str]) -> requests.Session:
    session = _Session()
    session.trust_env = False
    session.auth = auth
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # a call carries its credential, nothing else
    session.headers.update({"User-Agent": f"sluis/{__version__}", "Accept": "application/json", **headers})
    for scheme in ("http://", "https://"):
        session.mount(scheme, wire.MarkingAdapter())
    return session


def _read(response: requests.Response, largest: int) -> bytes:
    pieces, size = [], 0
    for piece in response.iter_content(_CHUNK):
        size += len(piece)
        if size > largest:
            raise BodyTooLarge
        pieces.append(piece)
    return b"".join(pieces)


def _as_text(header: str | bytes) -> str:
    """Return a header's value as text: requests-oauthlib turns them all into bytes."""
    return header.decode("latin-1") if isinstance(header, bytes) else header


def _request_id(headers: Mapping[str, str]) -> str | None:
    found = next((headers[name] for name in _REQUEST_IDS if name in headers), "")
    return found if _REQUEST_ID.fullmatch(found) else None


def _target(url: str, location: str | None) -> str | None:
    """Return what kind of place a redirect names, never the place: a merchant's host may be a person's name."""
    if not location:
        return None
    try:
        ours, theirs = urlsplit(url), urlsplit(urljoin(url, location))
        here, there = ours.hostname, theirs.hostname
    except ValueError:
        return None
    if not here or not there or here.removeprefix("www.") != there.removeprefix("www."):
        return "another host" if there else None
    changes = ["https"] if (ours.scheme, theirs.scheme) == ("http", "https") else []
    if here != there:
        changes.append("the host with www" if there.startswith("www.") else "the host without www")
    return " and ".join(changes) or "another path of the host"


def _either(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(f"RateLimit-{name}") or headers.get(f"X-RateLimit-{name}")
    return whole_number(value)


def _json_default(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} has no JSON form")
