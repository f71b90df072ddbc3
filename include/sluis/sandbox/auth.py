"""Who may read a sandbox shop: OAuth 1.0a over plain http, Basic over https only, as WooCommerce 10.0.2 does.

A signature is really verified (HMAC-SHA256 over method, address and parameters), a stale time or a used nonce is
refused. ``X-Forwarded-Proto: https`` counts as https, as behind a proxy. Refusals carry the recorded bodies.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from oauthlib.oauth1.rfc5849 import signature
from oauthlib.oauth1.rfc5849.utils import parse_authorization_header
from starlette.requests import Request

from sluis.sandbox.config import ShopConfig

#: Seconds that an OAuth timestamp may be off (WooCommerce: 15 minutes).
STALE = 900
REQUIRED = ("oauth_consumer_key", "oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method")


class Denied(Exception):
    """A refusal in WordPress' form."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


def _refused(message: str, code: str = "woocommerce_rest_authentication_error") -> Denied:
    return Denied(401, code, message)


@dataclass(frozen=True)
class _Signed:
    """What oauthlib wants to know of a request."""

    uri: str
    http_method: str
    signature: str
    params: list[tuple[str, str]]


@dataclass
class Gate:
    """Checks the requests of one shop and remembers the nonces that were used."""

    config: ShopConfig
    nonces: dict[str, float] = field(default_factory=dict)

    def check(self, request: Request, *, single: bool = False, write: bool = False) -> None:
        """Let a request pass or raise ``Denied``."""
        known = self._basic(request) if self._https(request) else self._oauth(request)
        resource = "view this resource" if single else "list resources"
        if not known:
            raise Denied(401, "woocommerce_rest_cannot_view", f"Sorry, you cannot {resource}.")
        allowed = self.config.permissions
        if allowed == "none":
            raise Denied(403, "woocommerce_rest_cannot_view", f"Sorry, you cannot {resource}.")
        if write and allowed == "read":
            raise _refused("The API key provided does not have write permissions.")
        if not write and allowed == "write":
            raise _refused("The API key provided does not have read permissions.")

    @staticmethod
    def _https(request: Request) -> bool:
        return request.headers.get("x-forwarded-proto", request.url.scheme) == "https"

    def _basic(self, request: Request) -> bool:
        """Basic header or the two query parameters. An unknown key is nobody, a wrong secret is refused."""
        query = request.query_params
        key, secret = query.get("consumer_key", ""), query.get("consumer_secret", "")
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if not key and scheme.lower() == "basic":
            try:
                key, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return False
        if not hmac.compare_digest(key.encode(), self.config.consumer_key.encode()):
            return False
        if not hmac.compare_digest(secret.encode(), self.config.consumer_secret.encode()):
            raise _refused("Consumer secret is invalid.")
        return True

    def _oauth(self, request: Request) -> bool:
        pairs = parse_qsl(request.url.query, keep_blank_values=True)
        scheme, _, _ = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "oauth":
            header = parse_authorization_header(request.headers["authorization"])
            pairs += [(name, value) for name, value in header if name != "realm"]
        given = dict(pairs)
        if not any(name in given for name in REQUIRED):
            return False
        missing = [name for name in REQUIRED if name not in given]
        if missing:
            code = "woocommerce_rest_authentication_missing_parameter"
            raise _refused(f"Missing OAuth parameters {', '.join(missing)}", code)
        if given["oauth_consumer_key"] != self.config.consumer_key:
            raise _refused("Consumer key is invalid.")
        self._signature(request, pairs, given)
        self._fresh(given)
        return True

    def _signature(self, request: Request, pairs: list[tuple[str, str]], given: dict[str, str]) -> None:
        if given["oauth_signature_method"] != "HMAC-SHA256":
            raise _refused("Invalid signature - signature method is invalid.")
        address = f"{request.url.scheme}://{request.headers['host']}{request.url.path}"
        signed = _Signed(
            address, request.method, given["oauth_signature"], [pair for pair in pairs if pair[0] != "oauth_signature"]
        )
        if not signature.verify_hmac_sha256(signed, self.config.consumer_secret, ""):
            raise _refused("Invalid signature - provided signature does not match.")

    def _fresh(self, given: dict[str, str]) -> None:
        now = time.time()
        stamp = given["oauth_timestamp"]
        if not stamp.isdigit() or abs(now - int(stamp)) > STALE:
            raise _refused("Invalid timestamp.")
        if len(self.nonces) > 20_000:
            self.nonces = {nonce: at for nonce, at in self.nonces.items() if now - at <= STALE}
        if given["oauth_nonce"] in self.nonces:
            raise _refused("Invalid nonce - nonce has already been used.")
        self.nonces[given["oauth_nonce"]] = now
