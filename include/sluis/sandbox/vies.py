"""Stands in for VIES: the same paths and answers, from a table, with nothing looked up and no number kept.

The made-up numbers of documentation (1234567... with the right check digit) are valid, every other one is not. It
can be shut, as a whole or for single member states, as the real one is now and then. Its name and address are invented:
they are there because VIES gives them, and because sluis must let them pass by.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse
from pydantic import Field

from sluis.core.frozen import Frozen
from sluis.registers.mapping import MEMBER_STATES

if TYPE_CHECKING:
    from sluis.sandbox.state import State

#: Below the sandbox's address; ``SLUIS_VIES_URL`` is the address with this behind it.
API = "/vies/rest-api"
#: Well-formed numbers that count up, with their letters, as documentation uses them; ``NL000099998B57`` is the tax
#: authority's own example.
VALID = frozenset(
    {
        "ATU12345675", "BE0123456749", "CZ12345679", "DE123456788", "DK12345674", "EL123456783", "ESB12345674",
        "FI12345671", "FR11123456782", "IE1234567T", "IT12345670017", "LU12345613", "NL000099998B57", "NL123456782B90",
        "PL1234567802", "PT123456789", "SE123456700401", "XI123456727",
    }
)  # fmt: skip
NAME, ADDRESS = "Voorbeeld Handel B.V.", "Voorbeeldstraat 1\n1000 AA Voorbeeldstad"


class Mode(Frozen):
    """How the register is: ``up``, ``down`` (it does not answer for a state), ``busy``, or ``broken`` (HTTP 500).

    ``member_states`` empty: all. ``refuse_requester``: the merchant's own number is unknown to it.
    """

    mode: Literal["up", "down", "busy", "broken"] = "up"
    member_states: frozenset[str] = frozenset()
    refuse_requester: bool = False

    def of(self, member_state: str) -> str:
        """Return how it is for one member state."""
        return self.mode if not self.member_states or member_state in self.member_states else "up"


class Asked(Frozen):
    """The question, as VIES takes it. Fields of the trader are refused: sluis must not send them."""

    countryCode: str = Field(max_length=8)  # noqa: N815 - VIES writes it so
    vatNumber: str = Field(max_length=40)  # noqa: N815
    requesterMemberStateCode: str | None = None  # noqa: N815
    requesterNumber: str | None = None  # noqa: N815


def router(state: State) -> APIRouter:
    """Return the routes below ``/vies/rest-api``."""
    routes = APIRouter(prefix=API)

    @routes.post("/check-vat-number")
    async def check(asked: Annotated[Asked, Body()]) -> JSONResponse:
        return _answer(state, asked)

    return routes


def control(state: State) -> APIRouter:
    """Return the control routes: how the register is from now on."""
    routes = APIRouter()

    @routes.put("/vies")
    async def put_mode(mode: Annotated[Mode, Body()]) -> Mode:
        state.vies = mode
        return mode

    return routes


def _answer(state: State, asked: Asked) -> JSONResponse:
    mode = state.vies.of(asked.countryCode)
    if mode == "broken":
        return JSONResponse({"actionSucceed": False, "errorWrappers": [{"error": "VOW-ERR-1"}]}, status_code=500)
    if mode in ("down", "busy"):
        return _refused("MS_UNAVAILABLE" if mode == "down" else "MS_MAX_CONCURRENT_REQ")
    if asked.countryCode not in MEMBER_STATES or not asked.vatNumber.isalnum():
        return _refused("INVALID_INPUT")
    if asked.requesterNumber and state.vies.refuse_requester:
        return _refused("INVALID_REQUESTER_INFO")
    valid = asked.countryCode + asked.vatNumber in VALID
    answer: dict[str, Any] = {
        "countryCode": asked.countryCode,
        "vatNumber": asked.vatNumber,
        "requestDate": state.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "valid": valid,
        "requestIdentifier": f"WAPISANDBOX{sum(state.calls.values()):06d}" if asked.requesterNumber and valid else "",
        "name": NAME if valid else "---",
        "address": ADDRESS if valid else "---",
        **{f"trader{what}Match": "NOT_PROCESSED" for what in ("Name", "Street", "PostalCode", "City", "CompanyType")},
    }
    return JSONResponse(answer)


def _refused(code: str) -> JSONResponse:
    """An error as VIES gives it: in a body with status 200."""
    return JSONResponse({"actionSucceed": False, "errorWrappers": [{"error": code}]})
