"""The data dictionary: what every column and code of a published table means, in English and Dutch.

Written as metadata of "CSV on the Web" (W3C recommendation "Metadata Vocabulary for Tabular Data"), so that programs
read the types, units and missing values from it, and people the titles. ``sdmx`` uses the same words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sluis.statistics.contract import Release, Table
from sluis.statistics.release import BANDS


class Words(NamedTuple):
    """The same in English and Dutch."""

    en: str
    nl: str


class Column(NamedTuple):
    """A column of the table: its titles, what it means, its type in CSVW, and the concept of SDMX it is."""

    title: Words
    meaning: Words
    datatype: str | dict[str, Any]
    concept: str | None = None  #: name in the RDF vocabularies of SDMX (purl.org/linked-data/sdmx/2009)
    required: bool = True


TABLES: Mapping[Table, Words] = {
    Table.TOTAL: Words("All enterprises", "Alle ondernemingen"),
    Table.COUNTRY: Words("By country", "Per land"),
    Table.RATE: Words("By VAT rate", "Per btw-tarief"),
    Table.PLATFORM: Words("By shop platform", "Per winkelplatform"),
    Table.PACKAGE: Words("By accounting package", "Per boekhoudpakket"),
    Table.COUNTRY_RATE: Words("By country and VAT rate", "Per land en btw-tarief"),
    Table.PLATFORM_PACKAGE: Words("By shop platform and accounting package", "Per winkelplatform en boekhoudpakket"),
    Table.COUNTRY_PLATFORM: Words("By country and shop platform", "Per land en winkelplatform"),
}
MEASURES: Mapping[str, Words] = {
    "revenue": Words("Revenue without VAT", "Omzet zonder btw"),
    "revenue_vat": Words("VAT on revenue", "Btw over omzet"),
    "refunds": Words("Refunds without VAT", "Terugbetalingen zonder btw"),
    "refunds_vat": Words("VAT on refunds", "Btw over terugbetalingen"),
}
#: SDMX cross-domain code list CL_OBS_STATUS: the codes that occur here.
OBS_STATUS: Mapping[str, Words] = {
    "A": Words("Normal value", "Gewone waarde"),
    "P": Words("Provisional value", "Voorlopige waarde"),
    "Q": Words("Missing value; suppressed", "Ontbrekende waarde; onderdrukt"),
}
#: SDMX cross-domain code list CL_CONF_STATUS: primary and secondary confidentiality are never told apart here.
CONF_STATUS: Mapping[str, Words] = {
    "F": Words("Free (free for publication)", "Vrij voor publicatie"),
    "C": Words("Confidential statistical information", "Vertrouwelijke statistische informatie"),
}
ALL = Words("All", "Alle")  #: the code ``_T``

_IN_ALL = Words("`_T`: all together.", "`_T`: alles samen.")
COLUMNS: Mapping[str, Column] = {
    "release": Column(
        Words("Release", "Uitgave"),
        Words("Number of the release, from 1 without gaps.", "Nummer van de uitgave, vanaf 1 zonder gaten."),
        {"base": "integer", "minimum": 1},
    ),
    "period": Column(
        Words("Period", "Periode"),
        Words(
            "Quarter (2026-Q3), or year (2026): the sum of its four published quarters.",
            "Kwartaal (2026-Q3), of jaar (2026): de som van zijn vier gepubliceerde kwartalen.",
        ),
        {"base": "string", "format": r"[0-9]{4}(-Q[1-4])?"},
        "dimension#refPeriod",
    ),
    "table": Column(
        Words("Table", "Tabel"),
        Words("Which table of the fixed plan.", "Welke tabel van het vaste plan."),
        {"base": "string", "format": "|".join(table.value for table in Table)},
    ),
    "country": Column(
        Words("Country of the VAT", "Land van de btw"),
        Words(
            f"Whose VAT it is: ISO 3166-1, XI Northern Ireland, IC Canary Islands. {_IN_ALL.en}",
            f"Van welk land de btw is: ISO 3166-1, XI Noord-Ierland, IC Canarische Eilanden. {_IN_ALL.nl}",
        ),
        {"base": "string", "format": "_T|[A-Z]{2}"},
        "dimension#refArea",
    ),
    "vat_rate": Column(
        Words("VAT rate", "Btw-tarief"),
        Words(
            f"Percentage; 0 also for exempt sales, reverse charge and export. {_IN_ALL.en}",
            f"Percentage; 0 ook voor vrijgestelde verkoop, verlegging en export. {_IN_ALL.nl}",
        ),
        {"base": "string", "format": r"_T|[0-9]+(\.[0-9]+)?"},
    ),
    "platform": Column(
        Words("Shop platform", "Winkelplatform"),
        Words(f"Software of the webshop. {_IN_ALL.en}", f"Software van de webwinkel. {_IN_ALL.nl}"),
        "string",
    ),
    "package": Column(
        Words("Accounting package", "Boekhoudpakket"),
        Words(f"Software of the books. {_IN_ALL.en}", f"Software van de boekhouding. {_IN_ALL.nl}"),
        "string",
    ),
    "measure": Column(
        Words("Measure", "Maat"),
        Words(
            "Revenue or refunds, both positive, without VAT; or the VAT on them.",
            "Omzet of terugbetalingen, beide positief, zonder btw; of de btw erover.",
        ),
        {"base": "string", "format": "|".join(MEASURES)},
    ),
    "unit": Column(
        Words("Unit", "Eenheid"),
        Words("Euros (ISO 4217).", "Euro's (ISO 4217)."),
        {"base": "string", "format": "EUR"},
        "attribute#unitMeasure",
    ),
    "value": Column(
        Words("Value", "Waarde"),
        Words(
            "Whole euros, rounded. Empty where it is suppressed; that does not mean zero.",
            "Hele euro's, afgerond. Leeg waar het onderdrukt is; dat betekent niet nul.",
        ),
        {"base": "integer", "minimum": 0},
        "measure#obsValue",
        required=False,
    ),
    "obs_status": Column(
        Words("Status", "Status"),
        Words(
            "A normal, P provisional, Q missing value; suppressed (SDMX CL_OBS_STATUS).",
            "A gewoon, P voorlopig, Q ontbreekt; onderdrukt (SDMX CL_OBS_STATUS).",
        ),
        {"base": "string", "format": "|".join(OBS_STATUS)},
        "attribute#obsStatus",
    ),
    "conf_status": Column(
        Words("Confidentiality", "Vertrouwelijkheid"),
        Words(
            "F free for publication, C confidential (SDMX CL_CONF_STATUS).",
            "F vrij voor publicatie, C vertrouwelijk (SDMX CL_CONF_STATUS).",
        ),
        {"base": "string", "format": "|".join(CONF_STATUS)},
        "attribute#confStatus",
    ),
    "decimals": Column(
        Words("Decimals", "Decimalen"),
        Words("Decimals of the value.", "Decimalen van de waarde."),
        {"base": "integer", "minimum": 0},
        "attribute#decimals",
    ),
    "unit_mult": Column(
        Words("Unit multiplier", "Vermenigvuldiger"),
        Words("Power of ten of the unit: 0, euros.", "Macht van tien van de eenheid: 0, euro's."),
        {"base": "integer", "minimum": 0},
        "attribute#unitMult",
    ),
    "enterprises": Column(
        Words("Enterprises", "Ondernemingen"),
        Words(
            "How many enterprises stand in the cell, as a band. Empty where it is suppressed, and in a year.",
            "Hoeveel ondernemingen in de cel zitten, als klasse. Leeg waar het onderdrukt is, en in een jaar.",
        ),
        {"base": "string", "format": "|".join(name.replace("+", r"\+") for *_, name in BANDS)},
        required=False,
    ),
}
#: What tells observations of one release apart.
KEY = ("period", "table", "country", "vat_rate", "platform", "package", "measure")


def csvw(release: Release, url: str) -> dict[str, Any]:
    """Return the dictionary of the CSV of a release as CSVW metadata; ``url``: the CSV beside it."""
    title = Words(
        f"Anonymous revenue and VAT statistics, release {release.number}, {release.quarter}",
        f"Anonieme omzet- en btw-statistieken, uitgave {release.number}, {release.quarter}",
    )
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": url,
        "dc:title": _both(title),
        "dc:issued": {"@value": release.released_at.date().isoformat(), "@type": "xsd:date"},
        "dialect": {"encoding": "utf-8", "header": True, "delimiter": ",", "lineTerminators": ["\r\n"]},
        "tableSchema": {
            "columns": [_column(name, column) for name, column in COLUMNS.items()],
            "primaryKey": list(KEY),
        },
    }


def _column(name: str, column: Column) -> dict[str, Any]:
    """Return the description of a column. A title in the file's header is one of those listed (CSVW section 5.6)."""
    described = {
        "name": name,
        "titles": {"en": [name, column.title.en], "nl": [column.title.nl]},
        "dc:description": _both(column.meaning),
        "datatype": column.datatype,
        "required": column.required,
        "null": [""],
    }
    if column.concept is not None:
        described["propertyUrl"] = f"http://purl.org/linked-data/sdmx/2009/{column.concept}"
    return described


def _both(words: Words) -> list[dict[str, str]]:
    return [{"@value": words.en, "@language": "en"}, {"@value": words.nl, "@language": "nl"}]


def text(content: Mapping[str, Any]) -> str:
    """Return published JSON as text: UTF-8, indented, in the order it was made."""
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"
