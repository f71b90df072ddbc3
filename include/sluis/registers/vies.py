"""Asks VIES, the EU's register of VAT numbers, whether a number is in use.

VIES asks the member state's own register while we wait, so it is often slow, busy or shut for one state alone. Every
such case is ``unverified``: neither yes nor no. Nothing of an answer but yes or no and its number is kept or logged.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

from sluis.core.evidence import VatCheck
from sluis.core.personal import Personal
from sluis.errors import NotConfigured, SluisError
from sluis.http import VendorSession
from sluis.http.address import is_plain_afar, parsed_address
from sluis.ports import Limiter
from sluis.registers import mapping
from sluis.registers.mapping import Question, Said

URL = "SLUIS_VIES_URL"
#: The EU's own REST API, without a key.
DEFAULT_URL = "https://ec.europa.eu/taxation_customs/vies/rest-api"
PATH = "check-vat-number"
#: VIES publishes no quota; the key is there so that all processes obey what its answers say (429, Retry-After).
LIMITER_KEY = "vies:public"
_PAUSE = 1.0  # seconds before the one repetition of a question that found the register busy
_CONNECT, _READ = 5.0, 15.0  # seconds; slow member states need more than ten
#: An answer is a few hundred bytes.
_LARGEST = 64 * 1024

log = logging.getLogger(__name__)


def address() -> str:
    """Return the address of VIES or of its stand-in. Raises ``NotConfigured`` for one that numbers must not go to."""
    url = os.environ.get(URL, "").strip() or DEFAULT_URL
    try:
        parsed_address(url)
    except ValueError as error:
        raise NotConfigured(f"{URL} {error}") from None
    if is_plain_afar(url):
        raise NotConfigured(f"{URL} must begin with https://: VAT numbers would travel readable")
    return url


class Vies:
    """Implements ``ports.VatNumberRegister``. Not for use by two threads at once."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        limiter: Limiter | None = None,
        read_timeout: float = _READ,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sleep, self._now = sleep, now
        self._session = VendorSession(
            url, vendor="VIES", auth=None, limiter=limiter, limiter_key=LIMITER_KEY,
            connect_timeout=_CONNECT, read_timeout=read_timeout, largest_body=_LARGEST, now=now,
        )  # fmt: skip

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def check(self, number: Personal, *, requester: str, country: str = "") -> VatCheck:
        """Look a number up; ``country`` (ISO) says whose it is where it does not itself.

        Never raises for a register that is away, slow, busy or odd: then the answer is ``unverified``. A number that
        no member state could have given is ``invalid`` without a question.
        """
        asked = mapping.question(number, country, requester)
        if asked is None:
            return Said("invalid", code=mapping.NO_NUMBER).at(self._now())
        if requester and asked.requester is None:
            log.warning("VIES: the setting vat_number is no EU VAT number: answers carry no consultation number")
        said = self._ask(asked)
        if said.code in mapping.BUSY:
            self._sleep(_PAUSE)
            said = self._ask(asked)
        if said.code == mapping.REQUESTER_REFUSED and asked.requester is not None:
            log.warning("VIES refuses the merchant's own number (setting vat_number): asked without it, so the answer"
                        " carries no consultation number")  # fmt: skip
            said = self._ask(Question(asked.member_state, asked.number))
        if said.state == "unverified":
            log.warning("VIES gave no answer for member state %s: %s", asked.member_state, said.code)
        return said.at(self._now())

    def _ask(self, asked: Question) -> Said:
        try:
            # 400 with a code in its body is how it refuses a number's form.
            answer = self._session.post(PATH, asked.body(), accept={400})
        except SluisError as error:
            return Said("unverified", code=error.code)
        return mapping.said(answer.body, asked)
