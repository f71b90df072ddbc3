"""The base of every model: frozen, closed to unknown fields, and silent about values in its errors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints


class Frozen(BaseModel):
    """A model that cannot be changed and whose validation errors never show the value that was refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


#: An aware moment, always kept in UTC.
Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
#: ISO 4217 letters.
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
#: ISO 3166-1 alpha-2 (VAT law adds ``XI``; Greece is ``GR`` here, ``EL`` only inside a VAT number).
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
