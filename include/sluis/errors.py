"""The only public exceptions. Each class names the next action, so that a scheduler and a person read the same thing.

* ``RetryLater``: nothing was lost, try again (after ``retry_after`` where the vendor said when).
* ``OutcomeUnknown``: a write got no clear answer; look the reference up before any new create.
* ``Reconnect``: the credential is refused; only a person can renew it.
* ``Refused``: this one document cannot be booked as it is; it goes to quarantine, the others go on.
* ``Defect``: our mistake or a wrong configuration; trying again cannot help.

Messages and arguments never hold a personal datum: say which field of which order, never its content.
"""

from __future__ import annotations

from datetime import timedelta


class SluisError(Exception):
    """Base of all errors that leave a room.

    ``code`` is a stable machine-readable reason (``snake_case``), ``remote_request_id`` the vendor's own id for the
    call, where it gave one, so that his support can find it.
    """

    default_code = "error"

    def __init__(self, message: str, *, code: str | None = None, remote_request_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.remote_request_id = remote_request_id

    def __str__(self) -> str:
        suffix = f" (vendor's request id {self.remote_request_id})" if self.remote_request_id else ""
        return f"[{self.code}] {self.args[0]}{suffix}"


class RetryLater(SluisError):
    """Certainly nothing was written; the same call may succeed later.

    ``retry_after`` is the vendor's own wish (from ``Retry-After`` in either form), ``None`` when he gave none.
    """

    default_code = "retry_later"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retry_after: timedelta | None = None,
        remote_request_id: str | None = None,
    ) -> None:
        super().__init__(message, code=code, remote_request_id=remote_request_id)
        self.retry_after = retry_after


class QuotaSpent(RetryLater):
    """The vendor's quota is used up (HTTP 429, or our own shared limiter says so); what is left is deferred."""

    default_code = "quota_spent"


class OutcomeUnknown(RetryLater):
    """A write was sent and its answer never came, or did not say whether it was done (time-out, 5xx, broken body)."""

    default_code = "outcome_unknown"


class Reconnect(SluisError):
    """The vendor refuses our credential (401, 403, revoked token): a person has to connect again."""

    default_code = "credential_refused"


class Refused(SluisError):
    """This one document cannot be booked; ``field`` names what is wrong with it, ``code`` the reason of quarantine."""

    default_code = "refused"

    def __init__(
        self, message: str, *, code: str | None = None, field: str | None = None, remote_request_id: str | None = None
    ) -> None:
        super().__init__(message, code=code, remote_request_id=remote_request_id)
        self.field = field


class Defect(SluisError):
    """Our own mistake, or a configuration that cannot work; repeating it is useless, a person must look."""

    default_code = "defect"


class NotConfigured(Defect):
    """A setting, mapping or key is missing or wrong; the message names the setting and the command that fills it."""

    default_code = "not_configured"


class NotAShop(NotConfigured):
    """The address answers, but not with the API we expect (wrong URL, REST API off, HTML before the JSON)."""

    default_code = "not_the_api"


class ProofFailed(Defect):
    """Counts or cents do not add up; the run may not be called successful."""

    default_code = "proof_failed"


class TransitLost(Defect):
    """The batch is not in transit any more (shredded, swept or lost in a crash): clear the run from extract on."""

    default_code = "transit_lost"
