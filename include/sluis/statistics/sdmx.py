"""SDMX-style metadata of a release: its structure, the code lists in it, and how the figures came about.

Laid out after the structure message of SDMX-JSON 2.0 (data structure, concepts, code lists); the reference metadata
carry concept names of SDMX's cross-domain concepts. "Style": it is described, not served by an SDMX registry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sluis.statistics.contract import DIMENSIONS, Release
from sluis.statistics.dictionary import ALL, COLUMNS, CONF_STATUS, MEASURES, OBS_STATUS, TABLES, Words
from sluis.statistics.release import BANDS

AGENCY = "SLUIS"
VERSION = "1.0"

#: Every country of the table of VAT rates, and places in it with a code of their own.
COUNTRIES: Mapping[str, Words] = {
    "AT": Words("Austria", "Oostenrijk"), "BE": Words("Belgium", "België"), "BG": Words("Bulgaria", "Bulgarije"),
    "CH": Words("Switzerland", "Zwitserland"), "CY": Words("Cyprus", "Cyprus"), "CZ": Words("Czechia", "Tsjechië"),
    "DE": Words("Germany", "Duitsland"), "DK": Words("Denmark", "Denemarken"), "EE": Words("Estonia", "Estland"),
    "ES": Words("Spain", "Spanje"), "FI": Words("Finland", "Finland"), "FR": Words("France", "Frankrijk"),
    "GB": Words("United Kingdom", "Verenigd Koninkrijk"), "GP": Words("Guadeloupe", "Guadeloupe"),
    "GR": Words("Greece", "Griekenland"), "HR": Words("Croatia", "Kroatië"), "HU": Words("Hungary", "Hongarije"),
    "IC": Words("Canary Islands", "Canarische Eilanden"), "IE": Words("Ireland", "Ierland"),
    "IT": Words("Italy", "Italië"), "LI": Words("Liechtenstein", "Liechtenstein"), "LT": Words("Lithuania", "Litouwen"),
    "LU": Words("Luxembourg", "Luxemburg"), "LV": Words("Latvia", "Letland"), "MQ": Words("Martinique", "Martinique"),
    "MT": Words("Malta", "Malta"), "NL": Words("Netherlands", "Nederland"), "NO": Words("Norway", "Noorwegen"),
    "PL": Words("Poland", "Polen"), "PT": Words("Portugal", "Portugal"), "RE": Words("Réunion", "Réunion"),
    "RO": Words("Romania", "Roemenië"), "SE": Words("Sweden", "Zweden"), "SI": Words("Slovenia", "Slovenië"),
    "SK": Words("Slovakia", "Slowakije"), "XI": Words("Northern Ireland", "Noord-Ierland"),
}  # fmt: skip
_DIMENSIONS = ("table", *DIMENSIONS, "measure")
_ATTRIBUTES = ("unit", "obs_status", "conf_status", "decimals", "unit_mult", "enterprises")
_CODED = (*_DIMENSIONS, "unit", "obs_status", "conf_status", "enterprises")
#: Columns that SDMX has a concept of its own for.
_CONCEPTS = {"period": "TIME_PERIOD", "value": "OBS_VALUE", "unit": "UNIT_MEASURE"}


def structure(release: Release) -> dict[str, Any]:
    """Return the metadata of ``release``; its code lists hold the whole fixed domain, not what was published."""
    return {
        "meta": {
            "id": f"{AGENCY}_STATISTICS_{release.number}",
            "prepared": release.released_at.isoformat(),
            "sender": {"id": AGENCY},
            "contentLanguages": ["en", "nl"],
        },
        "data": {
            "dataStructures": [_data_structure()],
            "conceptSchemes": [
                _item("CS_STATISTICS", Words("Concepts", "Begrippen"))
                | {"concepts": [_code(concept(name), column.title) for name, column in COLUMNS.items()]}
            ],
            "codelists": [
                _item(f"CL_{concept(name)}", COLUMNS[name].title)
                | {"codes": [_code(code, words) for code, words in codes(release, name).items()]}
                for name in _CODED
            ],
        },
        "referenceMetadata": [_code(name, title) | _texts(words) for name, title, words in _reference(release)],
    }


def concept(column: str) -> str:
    """Return what SDMX calls a column: ``OBS_STATUS`` for ``obs_status``."""
    return _CONCEPTS.get(column, column.upper())


def codes(release: Release, column: str) -> dict[str, Words]:
    """Return code -> words of a coded column."""
    if column in DIMENSIONS:
        found = dict.fromkeys(f.key[column] for t in release.tables for f in t.figures if column in f.key)
        return {"_T": ALL} | {code: _words(column, code) for code in found}
    fixed: dict[str, Mapping[str, Words]] = {
        "table": {table.value: words for table, words in TABLES.items()},
        "measure": MEASURES,
        "unit": {"EUR": Words("Euro", "Euro")},
        "obs_status": OBS_STATUS,
        "conf_status": CONF_STATUS,
        "enterprises": {name: Words(name, name) for *_, name in BANDS},
    }
    return dict(fixed[column])


def _words(column: str, code: str) -> Words:
    if column == "vat_rate":
        return Words(f"{code} %", f"{code.replace('.', ',')} %")
    return COUNTRIES.get(code, Words(code, code)) if column == "country" else Words(code, code)


def _data_structure() -> dict[str, Any]:
    return _item("DSD_STATISTICS", Words("Revenue and VAT", "Omzet en btw")) | {
        "dataStructureComponents": {
            "dimensionList": {
                "id": "DimensionDescriptor",
                "dimensions": [_component(name) | {"position": place} for place, name in enumerate(_DIMENSIONS, 1)],
                "timeDimensions": [_component("period")],
            },
            "attributeList": {
                "id": "AttributeDescriptor",
                "attributes": [
                    _component(name)
                    | {
                        "usage": "mandatory" if COLUMNS[name].required else "optional",
                        "attributeRelationship": {"observation": {}},
                    }
                    for name in _ATTRIBUTES
                ],
            },
            "measureList": {
                "id": "MeasureDescriptor",
                "measures": [_component("value") | {"usage": "optional"}],
            },
        }
    }


def _component(column: str) -> dict[str, Any]:
    name = concept(column)
    urn = "urn:sdmx:org.sdmx.infomodel"
    described: dict[str, Any] = {
        "id": name,
        "conceptIdentity": f"{urn}.conceptscheme.Concept={AGENCY}:CS_STATISTICS({VERSION}).{name}",
    }
    if column in _CODED:
        listed = f"{urn}.codelist.Codelist={AGENCY}:CL_{name}({VERSION})"
        described["localRepresentation"] = {"enumeration": listed}
    elif column == "period":
        described["localRepresentation"] = {"format": {"dataType": "StandardTimePeriod"}}
    else:
        described["localRepresentation"] = {"format": {"dataType": "Integer", "minValue": 0}}
    return described


def _item(identity: str, words: Words) -> dict[str, Any]:
    return {"id": identity, "agencyID": AGENCY, "version": VERSION} | _names(words)


def _code(identity: str, words: Words) -> dict[str, Any]:
    return {"id": identity} | _names(words)


def _names(words: Words) -> dict[str, Any]:
    return {"name": words.en, "names": words._asdict()}


def _texts(words: Words) -> dict[str, Any]:
    return {"value": words.en, "values": words._asdict()}


def _reference(release: Release) -> Iterable[tuple[str, Words, Words]]:
    """Yield concept, title and text of how the figures of ``release`` came about."""
    return (*_about(release), *_made(release), *_secret(release))


def _about(release: Release) -> Sequence[tuple[str, Words, Words]]:
    late = Words(" Provisional: some books had not reached the quarter's end.",
                 " Voorlopig: een deel van de boeken was nog niet bij tot het einde van het kwartaal.")  # fmt: skip
    few = Words(" Too few enterprises took part to publish anything.",
                " Er deden te weinig ondernemingen mee om iets te publiceren.")  # fmt: skip
    return (
        (
            "COVERAGE",
            Words("Coverage", "Dekking"),
            Words(
                "Orders and refunds of webshops that this software booked, of enterprises that agreed to take part. It "
                "is no sample of the economy." + (few.en if release.too_few else ""),
                "Bestellingen en terugbetalingen van webwinkels die deze software boekte, van ondernemingen die met "
                "deelname instemden. Het is geen steekproef van de economie." + (few.nl if release.too_few else ""),
            ),
        ),
        (
            "REF_PERIOD",
            Words("Period", "Periode"),
            Words(
                f"{release.quarter}, by date of issue of the document; what came too late for its quarter counts in "
                "the next." + (late.en if release.provisional else ""),
                f"{release.quarter}, naar factuurdatum; wat te laat kwam voor zijn kwartaal telt in het volgende."
                + (late.nl if release.provisional else ""),
            ),
        ),
        (
            "REV_POLICY",
            Words("Revision", "Herziening"),
            Words(
                "A release is never changed. Each holds the SHA-256 of the one before it.",
                "Een uitgave wordt nooit gewijzigd. Elke bevat de SHA-256 van de vorige.",
            ),
        ),
    )


def _made(release: Release) -> Sequence[tuple[str, Words, Words]]:
    step = release.rules.rounding_euros
    refused = sum(release.refused.values())
    return (
        (
            "STAT_UNIT",
            Words("Statistical unit", "Statistische eenheid"),
            Words(
                "The enterprise, with all of its webshops together.", "De onderneming, met al haar webwinkels samen."
            ),
        ),
        (
            "DATA_COMP",
            Words("Methods", "Methode"),
            Words(
                "Sums of invoices (revenue) and of credit notes (refunds), never set off against each other. A year is "
                "the sum of its four published quarters, and is missing where one of them is. Documents whose figures "
                f"were refused at the door: {refused}.",
                "Sommen van facturen (omzet) en van creditnota's (terugbetalingen), nooit met elkaar verrekend. Een "
                "jaar is de som van zijn vier gepubliceerde kwartalen, en ontbreekt waar een daarvan ontbreekt. "
                f"Documenten waarvan de cijfers aan de deur geweigerd zijn: {refused}.",
            ),
        ),
        (
            "ROUNDING",
            Words("Rounding", "Afronding"),
            Words(
                f"Each value by itself to EUR {step}, half to even: the parts need not add up to their total. A year "
                "adds rounded quarters.",
                f"Elke waarde apart op EUR {step}, de helft naar even: de delen hoeven niet op te tellen tot hun "
                "totaal. Een jaar telt afgeronde kwartalen op.",
            ),
        ),
    )


def _secret(release: Release) -> Sequence[tuple[str, Words, Words]]:
    rules = release.rules
    least, rest = rules.min_enterprises, rules.remainder_percent
    return (
        (
            "CONF_POLICY",
            Words("Confidentiality policy", "Geheimhoudingsbeleid"),
            Words(
                "Nobody may work out the figures of an enterprise from what is published, not even with figures of his "
                "own. A table lists a fixed set of cells, whoever sells there; why a cell is missing is never told.",
                "Niemand mag de cijfers van een onderneming kunnen afleiden uit wat gepubliceerd is, ook niet met "
                "eigen cijfers erbij. Een tabel noemt een vaste verzameling cellen, wie daar ook verkoopt; waarom een "
                "cel ontbreekt wordt nooit verteld.",
            ),
        ),
        (
            "CONF_DATA_TR",
            Words("Confidentiality: how", "Geheimhouding: hoe"),
            Words(
                f"A cell needs {least} enterprises, and what remains after the three largest must be at least {rest} % "
                "of the largest. Further cells go until linear programmes that know all that is published can come no "
                "closer than that. The number of enterprises is told as a band.",
                f"Een cel heeft {least} ondernemingen nodig, en wat na de drie grootste overblijft moet minstens "
                f"{rest} % van de grootste zijn. Verdere cellen vallen weg tot lineaire programma's die alles kennen "
                "wat gepubliceerd is niet dichterbij komen. Het aantal ondernemingen staat er als klasse.",
            ),
        ),
    )
