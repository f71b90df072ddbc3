"""The official rules over every file that the golden cases and the recorded orders give.

The rule files are not ours to publish: ``SLUIS_UBL_RULES`` names a folder of compiled Schematron (XSLT giving SVRL). A
file is judged by the rules whose profile it claims, recognised by the name of the rule file. The connector's README
says which releases were run.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from sluis.accounting.ubl.document import write
from sluis.accounting.ubl.mapping import claim
from tests.accounting.ubl_world import golden_documents, recorded_documents, rule_files, settings

log = logging.getLogger(__name__)

FOLDER = os.environ.get("SLUIS_UBL_RULES", "")
RULES = rule_files(Path(FOLDER)) if FOLDER else []
SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}
pytestmark = pytest.mark.skipif(not RULES, reason="needs the official rules: SLUIS_UBL_RULES names their folder")
#: Which profile a rule file speaks for, by a word in its name; the rules of EN 16931 hold for all.
PROFILES = {"nlcius": "nlcius", "si-ubl": "nlcius", "peppol": "peppol"}


@cache
def compiled(path: Path) -> Any:
    from saxonche import PySaxonProcessor

    processor = PySaxonProcessor(license=False)
    return processor, processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))


def failures(path: Path, content: bytes) -> list[str]:
    """Return the rules that a file breaks; what a rule itself calls a warning is none."""
    processor, sheet = compiled(path)
    answer = sheet.transform_to_string(xdm_node=processor.parse_xml(xml_text=content.decode()))
    failed = etree.fromstring(answer.encode()).findall(".//svrl:failed-assert", SVRL)
    return [" ".join("".join(f.itertext()).split()) for f in failed if f.get("flag") != "warning"]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_every_document_keeps_the_rules_it_claims(path: Path) -> None:
    profile = next((p for word, p in PROFILES.items() if word in path.name.lower()), "en16931")
    wanted = settings(profile=profile)
    documents = {**dict(golden_documents()), **dict(recorded_documents())}
    judged = {name: d for name, d in documents.items() if profile == "en16931" or claim(d, wanted) == profile}
    assert judged
    log.info(
        "%s: %d of %d documents claim %s", path.name, len(judged), len(documents), profile
    )  # with --log-cli-level=INFO
    broken = {name: found for name, d in judged.items() if (found := failures(path, write(d, wanted)))}
    assert broken == {}


def test_the_rules_can_fail() -> None:
    _, document = next(iter(golden_documents()))
    total = f"{document.amount_due:.2f}</cbc:PayableAmount>".encode()
    content = write(document, settings())
    assert total in content
    assert failures(RULES[0], content.replace(total, b"1" + total))
