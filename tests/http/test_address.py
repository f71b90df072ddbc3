"""Which addresses are near enough for plain http, and that a wrong one is never repeated."""

from __future__ import annotations

import pytest

from sluis.http.address import is_near, is_plain_afar, parsed_address


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "sandbox", "woo-1", "my_shop"])
def test_this_machine_and_names_of_the_own_network_are_near(host: str) -> None:
    assert is_near(host)


@pytest.mark.parametrize(
    "host",
    ["", "shop.example", "127.0.0.2.example", "192.0.2.1", "2001:db8::1", "3221225985", "0xc0000201", "localhost."],
)
def test_everything_else_is_far(host: str) -> None:
    assert not is_near(host)


def test_only_plain_http_to_afar_travels_readable() -> None:
    assert is_plain_afar("http://shop.example:8080/x")
    assert is_plain_afar("HTTP://SHOP.EXAMPLE")
    assert is_plain_afar("http://[2001:db8::1]/")
    assert not is_plain_afar("https://shop.example")
    assert not is_plain_afar("http://[::1]:80/")


@pytest.mark.parametrize(
    "url",
    ["", "CANARY", "ftp://CANARY", "https://", "https://u:CANARY@x", "https://@CANARY", "https://x?CANARY", "https://x#CANARY",
     "https://x:CANARY", "https://[CANARY"],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(is no address|must)") as caught:
        parsed_address(url)
    assert "CANARY" not in str(caught.value)
