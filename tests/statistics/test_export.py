"""The files of a release, read back: same cells, flags that tell nothing more, and metadata that fit the table."""

from __future__ import annotations

import csv
import io
import json
import re
from hashlib import sha256 as plain_sha256
from itertools import pairwise
from typing import Any

import pytest

from sluis.core import rates
from sluis.statistics import dictionary, sdmx
from sluis.statistics.contract import DIMENSIONS, Cell, Family, Fate, Release, Rules, Table
from sluis.statistics.domain import law
from sluis.statistics.export import Observation, files, observations, to_csv, to_json
from sluis.statistics.release import by_cell, parse, sha256
from tests.statistics.released import NL, NL21, ledger, release

YEAR = ("2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4")


def rows(made: Release) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(made), newline=""), strict=True))


def one(found: list[dict[str, str]], **wanted: str) -> dict[str, str]:
    (row,) = [row for row in found if all(row[name] == value for name, value in wanted.items())]
    return row


@pytest.fixture(scope="module")
def last() -> Release:
    return ledger(*YEAR)[-1].release


def test_every_cell_stands_in_the_csv_once_per_measure(last: Release) -> None:
    found = rows(last)
    assert len(found) == 2 * (len(by_cell(last.tables)) + len(by_cell(last.year)))
    assert len({tuple(row[name] for name in dictionary.KEY) for row in found}) == len(found)
    assert {row["period"] for row in found} == {"2026-Q4", "2026"}
    assert list(found[0]) == list(Observation._fields) == list(dictionary.COLUMNS)


def test_a_published_cell_reads_back_as_it_was_told() -> None:
    found = rows(release())
    row = one(found, table="country_vat_rate", country="NL", vat_rate="21", measure="revenue_vat")
    assert row == {
        "release": "1", "period": "2026-Q3", "table": "country_vat_rate", "country": "NL", "vat_rate": "21",
        "platform": "_T", "package": "_T", "measure": "revenue_vat", "unit": "EUR", "value": "252000",
        "obs_status": "A", "conf_status": "F", "decimals": "0", "unit_mult": "0", "enterprises": "10-24",
    }  # fmt: skip


def test_a_hidden_cell_is_empty_never_zero_and_says_not_why() -> None:
    told = Observation._fields.index("value")
    hidden = [seen for seen in observations(release(shown=[NL])) if seen.value is None]
    assert len({seen[told:] for seen in hidden}) == 1
    assert hidden[0][told:] == (None, "Q", "C", 0, 0, None)
    row = one(rows(release()), table="vat_rate", vat_rate="9", measure="revenue")
    assert (row["value"], row["obs_status"], row["conf_status"], row["enterprises"]) == ("", "Q", "C", "")


def test_a_published_nothing_is_zero_and_not_empty() -> None:
    export = [(number, "NL 0 shopify exact", 100_000.0) for number in range(12)]
    found = rows(release(sales=export, shown=[NL]))
    row = one(found, table="country", country="NL", measure="revenue_vat")
    assert (row["value"], row["obs_status"]) == ("0", "A")


def test_a_provisional_release_flags_what_it_publishes() -> None:
    statuses = {(row["value"] == "", row["obs_status"]) for row in rows(release(provisional=True))}
    assert statuses == {(True, "Q"), (False, "P")}


def test_no_file_says_why_a_cell_is_missing(last: Release) -> None:
    reasons = {fate.value for fate in Fate} - {Fate.PUBLISHED.value}
    for name, content in files(last).items():
        assert not reasons & set(re.findall(r'"([^"]*)"', content)), name


def test_the_json_holds_the_same_observations(last: Release) -> None:
    read = json.loads(to_json(last))
    assert [tuple(seen.values()) for seen in read["observations"]] == [tuple(seen) for seen in observations(last)]
    assert read["sha256"] == sha256(last)
    assert read["quarter"] == "2026-Q4"
    assert read["refused"] == {"unknown_country": 2}


def test_the_document_beside_them_has_the_hash(last: Release) -> None:
    made = files(last)
    assert list(made) == [
        "sluis-statistics-0004.csv", "sluis-statistics-0004.csv-metadata.json", "sluis-statistics-0004.json",
        "sluis-statistics-0004.sdmx.json", "sluis-statistics-0004.release.json",
    ]  # fmt: skip
    text = made["sluis-statistics-0004.release.json"]
    assert plain_sha256(text.encode()).hexdigest() == sha256(last)
    assert parse(text) == last


def test_the_dictionary_describes_the_csv_that_lies_beside_it(last: Release) -> None:
    made = files(last)
    described = json.loads(made["sluis-statistics-0004.csv-metadata.json"])
    assert described["@context"][0] == "http://www.w3.org/ns/csvw"
    assert described["url"] in made
    columns = described["tableSchema"]["columns"]
    header = made[described["url"]].split("\r\n", 1)[0].split(",")
    assert [column["name"] for column in columns] == header
    for column in columns:  # a header cell is one of the column's titles
        assert column["name"] in column["titles"]["en"]
        assert column["titles"]["nl"]
        assert {text["@language"] for text in column["dc:description"]} == {"en", "nl"}
    assert set(described["tableSchema"]["primaryKey"]) <= set(header)


def test_every_value_of_the_csv_is_of_the_type_in_the_dictionary(last: Release) -> None:
    columns = {column["name"]: column for column in dictionary.csvw(last, "x.csv")["tableSchema"]["columns"]}
    for row in rows(last):
        for name, value in row.items():
            assert fits(columns[name], value), (name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("value", "-1"), ("value", "1.5"), ("obs_status", ""), ("obs_status", "D"), ("period", "2026-Q5"),
     ("enterprises", "3-9"), ("enterprises", "10000"), ("country", "NLD"), ("release", "0")],
)  # fmt: skip
def test_the_types_would_notice(last: Release, name: str, value: str) -> None:
    columns = {column["name"]: column for column in dictionary.csvw(last, "x.csv")["tableSchema"]["columns"]}
    assert not fits(columns[name], value)


def fits(column: dict[str, Any], value: str) -> bool:
    """Whether ``value`` is of the column's CSVW type, as far as the types here go."""
    if value in column["null"]:
        return not column["required"]
    datatype = column["datatype"]
    kind = {"base": datatype} if isinstance(datatype, str) else datatype
    if kind["base"] == "integer":
        return re.fullmatch(r"-?\d+", value) is not None and int(value) >= kind["minimum"]
    return re.fullmatch(kind.get("format", ".+"), value) is not None


def test_the_structure_has_a_code_for_every_value(last: Release) -> None:
    data = json.loads(files(last)["sluis-statistics-0004.sdmx.json"])["data"]
    lists = {each["id"]: {code["id"] for code in each["codes"]} for each in data["codelists"]}
    found = rows(last)
    for name in (*DIMENSIONS, "table", "measure", "unit", "obs_status", "conf_status", "enterprises"):
        values = {row[name] for row in found} - {""}
        assert values <= lists[f"CL_{sdmx.concept(name)}"], name


def test_the_structure_has_every_column_and_points_at_what_is_there(last: Release) -> None:
    data = sdmx.structure(last)["data"]
    parts = data["dataStructures"][0]["dataStructureComponents"]
    lists = (parts["dimensionList"]["dimensions"], parts["dimensionList"]["timeDimensions"],
             parts["attributeList"]["attributes"], parts["measureList"]["measures"])  # fmt: skip
    components = [component for each in lists for component in each]
    assert {each["id"] for each in components} == {sdmx.concept(n) for n in dictionary.COLUMNS if n != "release"}
    concepts = {each["id"] for each in data["conceptSchemes"][0]["concepts"]}
    codelists = {each["id"] for each in data["codelists"]}
    for component in components:
        assert component["conceptIdentity"].rpartition(".")[2] in concepts
        enumeration = component["localRepresentation"].get("enumeration")
        assert enumeration is None or re.fullmatch(r".*:(CL_\w+)\(1\.0\)", enumeration)[1] in codelists  # type: ignore[index]
    positions = [each["position"] for each in parts["dimensionList"]["dimensions"]]
    assert all(after == before + 1 for before, after in pairwise(positions))


def test_code_lists_are_those_of_the_domain_and_tell_nothing_of_who_sells() -> None:
    one_, other = release(), release(sales=[(n, "DE 19 shopify exact", 90_000.0) for n in range(15)], shown=[])
    assert sdmx.structure(one_)["data"]["codelists"] == sdmx.structure(other)["data"]["codelists"]


def test_every_country_of_the_law_has_a_name_in_both_languages() -> None:
    assert set(sdmx.COUNTRIES) == {rate.country.partition("-")[0] for rate in rates.RATES} == set(law("2026-Q3"))
    assert all(words.en and words.nl for words in sdmx.COUNTRIES.values())
    assert set(dictionary.TABLES) == set(Table)


def test_the_reference_metadata_say_the_rules_of_this_release() -> None:
    strict = release(shown=[NL, NL21], rules=Rules(min_enterprises=12, remainder_percent=20, rounding_euros=2000))
    texts = {each["id"]: each["values"] for each in sdmx.structure(strict)["referenceMetadata"]}
    for language in ("en", "nl"):
        assert "12 " in texts["CONF_DATA_TR"][language]
        assert "20 %" in texts["CONF_DATA_TR"][language]
        assert "EUR 2000" in texts["ROUNDING"][language]
        assert texts["DATA_COMP"][language].endswith(": 2.")
    late = {each["id"]: each["value"] for each in sdmx.structure(release(provisional=True))["referenceMetadata"]}
    assert "Provisional" in late["REF_PERIOD"]
    assert "Provisional" not in texts["REF_PERIOD"]["en"]


def test_measures_of_the_families_are_kept_apart() -> None:
    made = release(shown=[NL, Cell(Table.PLATFORM, ("woocommerce",))])
    by_measure = {seen.measure for seen in observations(made) if seen.value is not None}
    assert by_measure == {"revenue", "revenue_vat"}
    assert {t.family for t in made.tables} == set(Family)
