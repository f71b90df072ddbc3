"""The tax rates and ledger accounts that every sandbox administration has, in the form of Moneybird's answers.

Names and codes are those a Dutch administration usually has; which rates exist at all is invented where Moneybird's
specification says nothing (foreign rates, the exempt rate).
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

#: (name, percentage, type, country or None, reference of the VAT return, active)
RATES: tuple[tuple[str, str, str, str | None, str | None, bool], ...] = (
    ("21% btw", "21.0", "sales_invoice", None, "NL/1a", True),
    ("9% btw", "9.0", "sales_invoice", None, "NL/1b", True),
    ("0% btw", "0.0", "sales_invoice", None, "NL/1e", True),
    ("Vrijgesteld van btw", "0.0", "sales_invoice", None, None, True),
    ("Btw verlegd", "0.0", "sales_invoice", None, "NL/1e", True),
    ("Binnen de EU (intracommunautair)", "0.0", "sales_invoice", None, "NL/3b", True),
    ("Buiten de EU (export)", "0.0", "sales_invoice", None, "NL/3a", True),
    ("6% btw (oud)", "6.0", "sales_invoice", None, "NL/1b", False),
    ("21% btw inkoop", "21.0", "purchase_invoice", None, "NL/5b", True),
    ("9% btw inkoop", "9.0", "purchase_invoice", None, "NL/5b", True),
    ("0% btw inkoop", "0.0", "purchase_invoice", None, None, True),
    ("België 21%", "21.0", "sales_invoice", "BE", None, True),
    ("België 6%", "6.0", "sales_invoice", "BE", None, True),
    ("Duitsland 19%", "19.0", "sales_invoice", "DE", None, True),
    ("Duitsland 7%", "7.0", "sales_invoice", "DE", None, True),
    ("Frankrijk 20%", "20.0", "sales_invoice", "FR", None, True),
    ("Frankrijk 5,5%", "5.5", "sales_invoice", "FR", None, True),
    ("Spanje 21%", "21.0", "sales_invoice", "ES", None, True),
    ("Spanje 10%", "10.0", "sales_invoice", "ES", None, True),
    ("Ierland 23%", "23.0", "sales_invoice", "IE", None, True),
    ("Ierland 13,5%", "13.5", "sales_invoice", "IE", None, True),
    ("Geen btw", "0.0", "sales_invoice", None, None, True),
    *((f"Btw {country} {percent.removesuffix('.0').replace('.', ',')}%", percent, "sales_invoice", country, None, True)
      for country, percent in (
        ("AT", "20.0"), ("AT", "10.0"), ("BE", "12.0"), ("BG", "20.0"), ("CY", "19.0"), ("CZ", "21.0"), ("DK", "25.0"),
        ("EE", "24.0"), ("FI", "25.5"), ("FR", "10.0"), ("GR", "24.0"), ("HR", "25.0"), ("HU", "27.0"), ("IT", "22.0"),
        ("IT", "10.0"), ("LT", "21.0"), ("LU", "17.0"), ("LV", "21.0"), ("MT", "18.0"), ("PL", "23.0"), ("PT", "23.0"),
        ("RO", "21.0"), ("SE", "25.0"), ("SI", "22.0"), ("SK", "23.0"),
    )),
)  # fmt: skip

#: (name, type, code, taxonomy code, documents it may be used on, active)
Account = tuple[str, str, str, str, tuple[str, ...], bool]
ACCOUNTS: tuple[Account, ...] = (
    ("Omzet", "revenue", "8000", "WOmzNohOlh", ("sales_invoice", "financial_mutation"), True),
    ("Omzet laag tarief", "revenue", "8010", "WOmzNopOpg", ("sales_invoice", "financial_mutation"), True),
    ("Omzet buitenland", "revenue", "8020", "WOmzNodOdh", ("sales_invoice", "financial_mutation"), True),
    ("Verzendkosten", "revenue", "8100", "WOmzOvo", ("sales_invoice", "financial_mutation"), True),
    ("Betaalverschillen en afronding", "revenue", "8900", "WOvb", ("sales_invoice", "financial_mutation"), True),
    ("Verkochte cadeaubonnen", "current_liabilities", "1850", "BSchOvs", ("sales_invoice",), True),
    ("Algemene kosten", "expenses", "4900", "WBedAlkOal", ("purchase_invoice", "financial_mutation"), True),
    ("Btw", "current_liabilities", "1500", "BSchBepBtw", ("general_journal_document",), True),
    ("Omzet oud", "revenue", "8999", "WOmzOvo", ("sales_invoice",), False),
    ("Debiteuren", "current_assets", "1300", "BVorDebHad", ("general_journal_document",), True),
    ("Tussenrekening betaaldienst", "current_assets", "1250", "BLimKruSto", ("general_journal_document",), True),
    ("Tussenrekening PayPal", "current_assets", "1260", "BLimKruSto", ("general_journal_document",), True),
    ("Kas", "current_assets", "1000", "BLimKas", ("general_journal_document",), True),
    ("Statiegeld", "current_liabilities", "1860", "BSchOvs", ("sales_invoice",), True),
    ("Bank", "current_assets", "1100", "BLimBanRba", ("general_journal_document",), True),
    ("Btw OSS", "current_liabilities", "1510", "BSchBepBtw", ("general_journal_document",), True),
)


class Chart:
    """The rates and accounts of one administration, by id."""

    def __init__(self, administration_id: str, now: str) -> None:
        base = 400_000_000_000_000_000 + int(administration_id) % 1_000_000 * 1000
        common = {"administration_id": int(administration_id), "created_at": now, "updated_at": now}
        self.rates: dict[str, Json] = {}
        self._references: dict[str, str | None] = {}
        for index, (name, percent, kind, country, reference, active) in enumerate(RATES):
            rate = {
                "id": str(base + index),
                "name": name,
                "percentage": percent,
                "tax_rate_type": kind,
                "show_tax": True,
                "active": active,
                "country": country,
                **common,
            }
            self.rates[str(rate["id"])] = rate
            self._references[str(rate["id"])] = reference
        self.accounts = {
            account["id"]: account
            for account in (_account(str(base + 100 + index), common, row) for index, row in enumerate(ACCOUNTS))
        }

    def sales_rate(self, rate_id: object) -> Json | None:
        """Return an active sales rate, the first one where none is given, ``None`` where there is no such rate."""
        if rate_id in (None, ""):
            return next(iter(self.rates.values()))
        rate = self.rates.get(str(rate_id))
        return rate if rate and rate["active"] and rate["tax_rate_type"] == "sales_invoice" else None

    def account(self, account_id: object) -> Json | None:
        """Return an active ledger account that sales may be booked on, the first one where none is given."""
        if account_id in (None, ""):
            return next(iter(self.accounts.values()))
        account = self.accounts.get(str(account_id))
        usable = account is not None and account["active"] and "sales_invoice" in account["allowed_document_types"]
        return account if usable else None

    def any_account(self, account_id: object) -> Json | None:
        """Return an active ledger account of whatever kind, the first one where none is given."""
        if account_id in (None, ""):
            return next(iter(self.accounts.values()))
        account = self.accounts.get(str(account_id))
        return account if account is not None and account["active"] else None

    def report_reference(self, rate: Json) -> list[str]:
        """Return the boxes of the VAT return that a rate lands in."""
        reference = self._references[rate["id"]]
        return [reference] if reference else []


def _account(account_id: str, common: Json, row: Account) -> Json:
    name, kind, code, taxonomy, documents, active = row
    return {
        "id": account_id,
        "name": name,
        "account_type": kind,
        "account_id": code,
        "parent_id": None,
        "active": active,
        **common,
        "allowed_document_types": list(documents),
        "taxonomy_item": {
            "taxonomy_version": "3.5",
            "code": taxonomy,
            "name": name,
            "name_english": name,
            "reference": code,
        },
        "financial_account_id": None,
    }
