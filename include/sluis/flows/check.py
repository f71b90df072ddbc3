"""Ask both sides, hold the settings against their answers, and say what is missing before the first order moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime
from functools import partial
from typing import TypeVar

from sluis.accounting.proposals import Proposed, propose_mapping
from sluis.core.frozen import Frozen
from sluis.core.order import LineKind
from sluis.core.settings import IntegrationSettings, tax_key
from sluis.errors import SluisError
from sluis.flows import check_mapping, check_settings
from sluis.flows import check_rules as rules
from sluis.flows.check_needs import needed
from sluis.flows.findings import Finding, Needed
from sluis.flows.wiring import Session
from sluis.ports import PackageFacts, ShopFacts

T = TypeVar("T")
#: What any shop may sell; the others where the shop's settings name them.
_KINDS = frozenset({LineKind.GOODS, LineKind.SHIPPING, LineKind.FEE, LineKind.DISCOUNT})


class CheckResult(Frozen):
    """What was found. ``proposal`` fills what the mapping lacks, from the package's own rates and accounts."""

    merchant: str
    integration: str
    settings_version: int
    findings: tuple[Finding, ...]
    proposal: Proposed  #: ``found`` fills what is empty; what is ambiguous is listed with its candidates

    @property
    def missing(self) -> tuple[Finding, ...]:
        """What keeps the integration from going live."""
        return tuple(finding for finding in self.findings if finding.level == "missing")


class Applied(Frozen):
    """A proposed mapping that was written into the settings. ``filled``: the settings that were empty."""

    filled: tuple[str, ...]
    settings_version: int


def check(session: Session, *, today: date | None = None) -> CheckResult:
    """Look at everything that must be right before the first order moves. Never raises for what a vendor says.

    A side that does not answer is a finding, and what needs its answer is not judged.
    """
    settings = session.integration.settings
    on = today or datetime.now(settings.zone).date()
    findings: list[Finding] = []
    shop = _asked(partial(_shop_facts, session), "shop", findings)
    package = _asked(partial(_package_facts, session), "package", findings)
    findings += check_settings.date_findings(settings, on)
    findings += check_settings.settings_findings(settings, shop)
    needs: list[Needed] = []
    if shop is not None:
        findings += rules.shop_findings(settings, shop)
        needs = list(_needs(session, shop, on, findings))
    if package is not None:
        findings += rules.package_findings(settings, package)
        findings += check_settings.period_findings(settings, package)
        findings += check_mapping.form_findings(settings, session.package.forms)
    findings += check_mapping.mapping_findings(settings, needs, shop, package)
    others = session.integrations.all()
    findings += rules.reference_findings(session.integration, others)
    if shop is not None:
        findings += rules.filter_findings(session.integration, others, shop)
    return CheckResult(
        merchant=session.integration.merchant,
        integration=session.integration.code,
        settings_version=session.integration.settings_version,
        findings=tuple(findings),
        proposal=_proposed(settings, needs, shop, package),
    )


def check_and_apply(session: Session) -> tuple[CheckResult, Applied]:
    """Check, write the unambiguous part of the proposal into the settings, and check again with them.

    What a person filled in is left as it is. Without a single answer nothing is written: ``Applied.filled`` is empty.
    """
    first = check(session)
    filled = tuple(item.setting for item in first.proposal.proposals if item.outcome == "found")
    integration = session.integration
    where = (integration.merchant, integration.code)
    if not filled:
        return first, Applied(filled=(), settings_version=integration.settings_version)
    settings = integration.settings.model_copy(update={"mapping": first.proposal.mapping})
    version = session.integrations.update_settings(*where, settings)
    with closing(Session(session.conn, session.keyring, session.integrations.get(*where), session.role)) as fresh:
        return check(fresh), Applied(filled=filled, settings_version=version)


def _proposed(
    settings: IntegrationSettings, needs: list[Needed], shop: ShopFacts | None, package: PackageFacts | None
) -> Proposed:
    if package is None or not package.needs_mapping:
        return Proposed(mapping=settings.mapping, proposals=())
    traits, entries = set(shop.traits) if shop else set(), settings.booking_mode != "invoice"
    methods = shop.payment_methods if shop and check_mapping.clearing_needed(settings) else ()
    return propose_mapping(
        package,
        [tax_key(need.treatment) for need in needs],
        kinds=_KINDS | {kind for kind in LineKind if kind.value in traits},
        present=settings.mapping,
        methods=methods,
        vat_keys=[tax_key(need.treatment) for need in needs if need.treatment.rate] if entries else (),
        receivable=entries,
    )


def _needs(session: Session, facts: ShopFacts, on: date, findings: list[Finding]) -> Iterator[Needed]:
    for need in needed(session.integration.settings, facts, on):
        if isinstance(need, Finding):
            findings.append(need)
        else:
            yield need


def _shop_facts(session: Session) -> ShopFacts:
    return session.shop.check()


def _package_facts(session: Session) -> PackageFacts:
    return session.package.check()


def _asked(ask: Callable[[], T], side: str, findings: list[Finding]) -> T | None:
    try:
        return ask()
    except SluisError as error:
        findings.append(Finding(level="missing", code=error.code, message=f"{side}: {error.args[0]}"))
        return None
