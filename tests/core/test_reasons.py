"""One list of reasons: every code that the product uses stands in it, and nothing stands in it that is not used.

Used means: an attribute of ``reasons``, or the code itself as a text, anywhere in include/sluis outside the list.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluis.core import reasons

INCLUDE = Path(reasons.__file__).resolve().parents[1]
#: Whose ``code`` is the reason of quarantine.
REFUSING = {"Refused", "Unreadable"}
#: Codes that only flows hand out; they are looked for as soon as that room books.
OF_FLOWS = {"duplicate_number", "total_differs", "mapping_missing", "refused_by_package", "quality_failed",
            "changed_after_booking", "quota_spent", "package_unavailable", "outcome_unknown"}  # fmt: skip


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(INCLUDE.rglob("*.py")):
        if path != Path(reasons.__file__).resolve():
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def names_used(tree: ast.Module) -> set[str]:
    """Codes taken from the module ``reasons`` (other rooms have variables of that name)."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "reasons"
        and node.attr.isupper()
    }


def literal_codes(tree: ast.Module) -> set[str]:
    """Codes written out in a call that refuses a document."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REFUSING:
            for keyword in node.keywords:
                if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                    found.add(keyword.value.value)
    return found


def texts(tree: ast.Module) -> set[str]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


CONSTANTS = {name: value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)}


def test_every_name_used_is_in_the_list() -> None:
    known = set(vars(reasons))
    unknown = {f"{path.name}: reasons.{name}" for path, tree in trees() for name in names_used(tree) - known}
    assert unknown == set()


def test_every_code_written_out_is_in_the_list() -> None:
    """Save those of an accounting package's own: the booking turns what is not listed into ``refused_by_package``."""
    ours = [(path, tree) for path, tree in trees() if "accounting" not in path.relative_to(INCLUDE).parts]
    unknown = {f"{path.name}: {code}" for path, tree in ours for code in literal_codes(tree) - set(reasons.REASONS)}
    assert unknown == set()


def test_every_code_in_the_list_is_used() -> None:
    used_names, used_texts = set(), set()
    for _, tree in trees():
        used_names |= names_used(tree)
        used_texts |= texts(tree)
    unused = {value for name, value in CONSTANTS.items() if name not in used_names and value not in used_texts}
    if not (INCLUDE / "flows" / "booking.py").exists():
        unused -= OF_FLOWS
    assert unused == set()


def test_names_and_codes_agree() -> None:
    assert {name.lower(): code for name, code in CONSTANTS.items()} == {code: code for code in reasons.REASONS}


@pytest.mark.parametrize("reason", reasons.REASONS.values(), ids=lambda reason: reason.code)
def test_a_reason_says_what_to_do_in_one_sentence(reason: reasons.Reason) -> None:
    assert reason.action[0].isupper()
    assert reason.action.endswith(".")
    assert 20 < len(reason.action) < 200
    assert reasons.explain(reason.code) == reason.action


def test_a_code_of_another_version_gets_an_answer() -> None:
    assert "version" in reasons.explain("made_in_2031")
