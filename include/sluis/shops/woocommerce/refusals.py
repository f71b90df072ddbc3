"""What WooCommerce's refusals mean, in words that say what to do. Error codes as recorded from WooCommerce 10.0.2."""

from __future__ import annotations

from sluis.errors import Defect, NotAShop, Reconnect, RetryLater, SluisError
from sluis.http import Rejection

#: A plugin or a setting that closes WordPress's REST API for visitors (codes seen in plugins' sources, from memory).
_CLOSED = frozenset({"rest_not_logged_in", "rest_cannot_access", "rest_login_required", "rest_disabled"})

#: Every query parameter that ``client`` sends.
OUR_PARAMETERS = frozenset({
    "_fields", "after", "before", "dates_are_gmt", "dp", "include", "include_meta", "modified_after", "modified_before",
    "order", "orderby", "page", "per_page", "status",
})  # fmt: skip


def code_of(rejection: Rejection) -> str:
    """Return WordPress's error code, empty when the answer is none of WordPress."""
    code = rejection.body.get("code") if isinstance(rejection.body, dict) else None
    return code if isinstance(code, str) else ""


def on_error(rejection: Rejection) -> SluisError | None:
    """Return the error for a refusal of WooCommerce, ``None`` for the usual one."""
    if rejection.status in {401, 403}:
        return _no_access(rejection)
    if rejection.status == 404:
        return _not_there(rejection)
    if rejection.status == 400:
        return _bad_request(rejection)
    if 300 <= rejection.status < 400:
        target = f" to {rejection.redirects_to}" if rejection.redirects_to else ""
        return _not_a_shop(
            rejection, "redirected", f"the address redirects{target}; enter the final address (https://, www or not)"
        )
    return None


def _no_access(rejection: Rejection) -> SluisError:
    code, text = code_of(rejection), rejection.text
    if code in _CLOSED:
        return _not_a_shop(rejection, "rest_api_closed", "a plugin closes the REST API; allow it for API keys")
    if rejection.status == 403:
        if not code:
            return RetryLater(
                f"{text} without WordPress's own error: a firewall stands before the shop; let our address through",
                code="firewall",
                remote_request_id=rejection.request_id,
            )
        return Reconnect(
            f"{text}: the user of the API key may not read this; give the key to a shop manager",
            code="not_allowed",
            remote_request_id=rejection.request_id,
        )
    if code == "woocommerce_rest_authentication_error":
        what = "the API key's secret is wrong or the key may not read; make a new key with read rights"
    else:
        what = (
            "the shop does not know the API key; make a new one. If it is right, the web server drops the"
            " Authorization header (a known fault of CGI set-ups) or the shop does not see that it is on https"
        )
    return Reconnect(f"{text}: {what}", code="credential_refused", remote_request_id=rejection.request_id)


def _not_there(rejection: Rejection) -> SluisError | None:
    code = code_of(rejection)
    if code == "rest_no_route":
        return _not_a_shop(
            rejection,
            "no_woocommerce",
            "WordPress answers, but without WooCommerce's API (wc/v3): is the plugin active?",
        )
    if not code:
        return _not_a_shop(
            rejection,
            "no_rest_api",
            "no REST API at this address: a wrong address, or WordPress's permalinks stand at 'plain'",
        )
    return None


def _bad_request(rejection: Rejection) -> SluisError | None:
    """Name the parameters of ours that WordPress refuses; names that are not ours and all values stay out."""
    data = rejection.body.get("data") if isinstance(rejection.body, dict) else None
    params = data.get("params") if isinstance(data, dict) else None
    if code_of(rejection) != "rest_invalid_param" or not isinstance(params, dict):
        return None
    names = ", ".join(sorted(OUR_PARAMETERS & {name for name in params if isinstance(name, str)})) or "of another name"
    return Defect(
        f"{rejection.text}: it does not accept the parameter {names}; is WooCommerce older than version 6?",
        code="request_refused",
        remote_request_id=rejection.request_id,
    )


def _not_a_shop(rejection: Rejection, code: str, what: str) -> NotAShop:
    return NotAShop(f"{rejection.text}: {what}", code=code, remote_request_id=rejection.request_id)
