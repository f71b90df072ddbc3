"""Speaking HTTP with vendors: one session for all connectors, so that retries, limits and silence are decided once."""

from sluis.http.answer import TOO_LARGE, Answer
from sluis.http.errors import Hook, Rejection
from sluis.http.session import VendorSession

__all__ = ["TOO_LARGE", "Answer", "Hook", "Rejection", "VendorSession"]
