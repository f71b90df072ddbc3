"""Adding an integration, changing its settings and credentials, and its states from preview to the end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, date, datetime, time
from typing import Any, Literal, NoReturn

from pydantic import Field, ValidationError

from sluis import accounting, shops
from sluis.core.bookable import books_more
from sluis.core.frozen import Frozen, Moment, wrong_fields
from sluis.core.settings import IntegrationSettings
from sluis.errors import Defect, NotConfigured
from sluis.flows import restoring
from sluis.flows.check import check
from sluis.flows.identity import administration_key
from sluis.flows.wiring import Session
from sluis.ports import Connectable
from sluis.privacy.keyring import Keyring
from sluis.store.bookings import Bookings
from sluis.store.credentials import Credentials
from sluis.store.database import Connection
from sluis.store.integrations import Integration, Integrations, IntegrationState
from sluis.store.quarantine import Quarantine

log = logging.getLogger("sluis.settings")

Side = Literal["shop", "package"]
Secrets = Mapping[Side, Mapping[str, str]]


class NewIntegration(Frozen):
    """What a person chooses to tie a shop to an administration. ``settings``: fields of ``IntegrationSettings``."""

    merchant: str
    shop: str
    package: str
    start_date: date
    shop_url: str | None = None
    code: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]{0,39}$")
    settings: dict[str, Any] = Field(default_factory=dict)


class IntegrationLine(Frozen):
    """One integration in a list."""

    merchant: str
    integration: str
    shop: str
    package: str
    state: IntegrationState
    state_reason: str | None
    start_date: date
    settings_version: int
    watermark: Moment | None  #: everything changed before it is handled (UTC)
    booked: int
    waiting: int  #: in quarantine


class IntegrationDetail(IntegrationLine):
    """One integration with its settings; no credential."""

    dag_id: str
    administration_key: str
    created_at: Moment
    settings: dict[str, Any]


class Changed(Frozen):
    """New settings. ``fields`` are those whose value is another now; ``offered``: documents tried again.

    ``rereads_from``: the next run reads the shop from there again (UTC), because orders that were skipped under the
    former settings may be bookable now; ``None``: it goes on where the last one ended.
    """

    merchant: str
    integration: str
    settings_version: int
    fields: tuple[str, ...]
    offered: int
    rereads_from: Moment | None = None


def new_integration(**chosen: Any) -> NewIntegration:
    """Return the choice, or raise ``NotConfigured`` naming what is wrong with it."""
    made: NewIntegration = _validated(NewIntegration, chosen, "settings")
    return made


def add(conn: Connection, keyring: Keyring, new: NewIntegration, secrets: Secrets) -> Integration:
    """Add an integration in preview, with its credentials, or nothing at all.

    Raises ``NotConfigured`` naming the fields that are wrong, ``Defect("code_taken")`` for a code in use.
    """
    chosen = dict(new.settings) | {"start_date": new.start_date}
    if new.shop_url is not None:
        chosen["shop"] = {**chosen.get("shop", {}), "url": new.shop_url}
    settings = checked_settings(chosen, new.shop, new.package)
    for side, plugin in _plugins(new.shop, new.package).items():
        _check_secrets(plugin, side, secrets.get(side, {}))
    with conn.transaction():
        added = Integrations(conn).add(
            new.merchant,
            shop=new.shop,
            package=new.package,
            settings=settings,
            administration_key=administration_key(new.package, settings.package),
            code=new.code,
        )
        for side in _plugins(new.shop, new.package):
            Credentials(conn, keyring).put(new.merchant, added.code, side, secrets[side])
    return added


def change(conn: Connection, merchant: str, code: str, patch: Mapping[str, Any]) -> Changed:
    """Change settings by a merge patch (RFC 7396: what is not named stays, ``null`` goes back to the default).

    Open quarantine is offered again; where orders that were skipped may be bookable now, the next run reads the shop
    from the start date again. Raises ``NotConfigured`` naming the fields that are wrong,
    ``Defect("administration_fixed")``: bookings belong to one administration, another one is another integration.
    """
    current = Integrations(conn).get(merchant, code)
    before = current.settings.model_dump(mode="json")
    settings = checked_settings(merged(before, patch), current.shop, current.package)
    if administration_key(current.package, settings.package) != current.administration_key:
        raise Defect(
            "the administration of an integration is fixed: end it and add another one", code="administration_fixed"
        )
    after = settings.model_dump(mode="json")
    with conn.transaction():
        version = Integrations(conn).update_settings(merchant, code, settings)
        rereads_from = _reread(conn, current, settings)
    waiting = Quarantine(conn, current).summary()
    return Changed(
        merchant=merchant,
        integration=code,
        settings_version=version,
        fields=tuple(name for name in after if after[name] != before.get(name)),
        offered=sum(total.offered for total in waiting),
        rereads_from=rereads_from,
    )


def _reread(conn: Connection, current: Integration, settings: IntegrationSettings) -> datetime | None:
    """Set the watermark back to the start date where skipped orders may be bookable now; returns where to."""
    if not books_more(current.settings, settings):
        return None
    start = datetime.combine(settings.start_date, time(), tzinfo=settings.zone).astimezone(UTC)
    if not Integrations(conn).rewind(current.merchant, current.code, start):
        return None  # nothing was read yet, or not even from there
    log.info("integration %s/%s: the next run reads the shop again from %s",
             current.merchant, current.code, start.isoformat(timespec="seconds"))  # fmt: skip
    return start


def reconnect(session: Session, secrets: Secrets) -> Integration:
    """Store new credentials once both sides answer to them; an integration that waited for them is live again.

    ``secrets`` may hold one side only. Raises what the connectors raise, and then nothing was stored.
    """
    where = session.integration
    if not secrets:
        raise Defect("no credentials were given: name the shop's or the package's, or both", code="credentials_missing")
    plugins = _plugins(where.shop, where.package)
    with session.conn.transaction():
        for side, values in secrets.items():
            _check_secrets(plugins[side], side, values)
            Credentials(session.conn, session.keyring).put(where.merchant, where.code, side, values)
        with closing(Session(session.conn, session.keyring, where, session.role)) as fresh:  # connects anew
            _both_answer(fresh)
    if where.state is IntegrationState.RECONNECT:
        return _to(session, IntegrationState.LIVE)
    return session.integrations.get(where.merchant, where.code)


def go_live(session: Session) -> Integration:
    """End the preview: the next run books. Raises ``NotConfigured("check_missing")`` while something is missing."""
    if session.integration.state is not IntegrationState.PREVIEW:
        _wrong_state(session.integration, "goes live from preview only")
    missing = check(session).missing
    if missing:
        codes = ", ".join(dict.fromkeys(finding.code for finding in missing))
        raise NotConfigured(
            f"not ready to book: {codes}; `sluis integration check` says what to do about each", code="check_missing"
        )
    return _to(session, IntegrationState.LIVE)


def pause(conn: Connection, merchant: str, code: str) -> Integration:
    """Hold scheduled runs off: they end in extract and the watermark stays, so that nothing is lost."""
    integration = Integrations(conn).get(merchant, code)
    if integration.state is not IntegrationState.LIVE:
        _wrong_state(integration, "only a live one can be paused")
    return Integrations(conn).set_state(merchant, code, IntegrationState.PAUSED, "paused_by_hand")


def resume(session: Session) -> Integration:
    """Go on after a pause, or after a dead credential was renewed: then both sides must answer first."""
    state = session.integration.state
    if state not in (IntegrationState.PAUSED, IntegrationState.RECONNECT):
        _wrong_state(session.integration, "only a paused one can be resumed")
    restoring.may_resume(session.integration)
    if state is IntegrationState.RECONNECT:
        _both_answer(session)
    return _to(session, IntegrationState.LIVE)


def listing(conn: Connection, merchant: str | None = None) -> list[IntegrationLine]:
    """Return all integrations, or those of one merchant."""
    return [IntegrationLine(**_line(conn, integration)) for integration in Integrations(conn).all(merchant)]


def show(conn: Connection, merchant: str, code: str) -> IntegrationDetail:
    """Return one integration with its settings."""
    integration = Integrations(conn).get(merchant, code)
    return IntegrationDetail(
        **_line(conn, integration),
        dag_id=integration.dag_id,
        administration_key=integration.administration_key,
        created_at=integration.created_at,
        settings=integration.settings.model_dump(mode="json"),
    )


def credential_fields(shop: str, package: str) -> dict[Side, tuple[tuple[str, str], ...]]:
    """Return the names and descriptions of the credentials that both sides need."""
    return {
        side: tuple((name, field.description or name) for name, field in plugin.credentials_model.model_fields.items())
        for side, plugin in _plugins(shop, package).items()
    }


def checked_settings(values: Mapping[str, Any], shop: str, package: str) -> IntegrationSettings:
    """Return settings that the core and both connectors accept; raises ``NotConfigured`` naming every wrong field."""
    settings: IntegrationSettings = _validated(IntegrationSettings, dict(values), "settings")
    for side, plugin in _plugins(shop, package).items():
        _validated(plugin.settings_model, getattr(settings, side), f"settings.{side}")
    return settings


def merged(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _plugins(shop: str, package: str) -> dict[Side, Connectable]:
    return {"shop": shops.connector(shop), "package": accounting.connector(package)}


def _check_secrets(plugin: Connectable, side: str, values: Mapping[str, str]) -> None:
    _validated(plugin.credentials_model, dict(values), f"credentials.{side}")


def _validated(model: type[Any], values: dict[str, Any], what: str) -> Any:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(
            f"{f'{what}.{place}' if place else what}: {told}" for place, told in wrong_fields(model, error)
        )
    raise NotConfigured(wrong, code="settings_wrong" if what.startswith("settings") else "credentials_wrong")


def _both_answer(session: Session) -> None:
    session.shop.check()
    session.package.check()


def _to(session: Session, state: IntegrationState) -> Integration:
    return session.integrations.set_state(session.integration.merchant, session.integration.code, state)


def _wrong_state(integration: Integration, what: str) -> NoReturn:
    raise Defect(
        f"integration {integration.code} of merchant {integration.merchant} is {integration.state.value}: {what}",
        code="wrong_state",
    )


def _line(conn: Connection, integration: Integration) -> dict[str, Any]:
    counts = Bookings(conn, integration).counts()
    return {
        "merchant": integration.merchant,
        "integration": integration.code,
        "shop": integration.shop,
        "package": integration.package,
        "state": integration.state,
        "state_reason": integration.state_reason,
        "start_date": integration.settings.start_date,
        "settings_version": integration.settings_version,
        "watermark": integration.watermark,
        "booked": sum(count for state, count in counts.items() if state.value == "booked"),
        "waiting": sum(total.documents for total in Quarantine(conn, integration).summary()),
    }
