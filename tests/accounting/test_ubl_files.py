"""UBL as an accounting package: files in a folder and in an object store, exactly once, found again, read back."""

from __future__ import annotations

import re
import uuid
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem
from pydantic import ValidationError

from sluis import accounting
from sluis.accounting.ubl.connector import CONNECTOR, UblFiles
from sluis.accounting.ubl.settings import UblCredentials
from sluis.core.invoice import DocumentKind
from sluis.core.journal import JournalEntry
from sluis.core.settings import Mapping
from sluis.errors import NotConfigured, OutcomeUnknown, Refused, RetryLater
from sluis.ports import Form
from tests.accounting.ubl_world import settings
from tests.contracts.accounting_contract import TODAY, buyer, invoice, line


@pytest.fixture(scope="session", autouse=True)
def object_store() -> None:
    """Make ``memory://`` a store that Airflow knows: whole objects appear, like in any object store."""
    attach("memory", fs=MemoryFileSystem())


@pytest.fixture(params=["folder", "object store"])
def package(request: pytest.FixtureRequest, tmp_path: Path) -> UblFiles:
    target = tmp_path.as_uri() if request.param == "folder" else f"memory://{uuid.uuid4().hex}"
    return CONNECTOR.connect(settings(target), UblCredentials(), Mapping(), None)  # type: ignore[arg-type]


def test_it_is_found_by_walking_the_folders() -> None:
    assert accounting.connector("ubl") is CONNECTOR
    assert UblFiles.forms == {Form.INVOICE}


def test_a_document_is_one_file_and_is_found_again(package: UblFiles) -> None:
    debtor = package.debtor(buyer(), "a1" * 16)
    booked = package.book(invoice(), debtor.id)
    assert (booked.reference, booked.total_with_vat, booked.issue_date) == ("WS-1001", Decimal("105.00"), TODAY)
    assert re.fullmatch("file-[0-9a-f]{32}", booked.external_id), "the number of an order is in no id"
    credit = package.book(invoice(number="WS-1001-C1", kind=DocumentKind.CREDIT_NOTE), debtor.id)
    assert credit.total_with_vat == Decimal("-105.00")
    found = package.find("WS-1001", Decimal("105.00"), TODAY, None)
    assert found is not None
    assert found.total_with_vat == Decimal("105.00")
    assert package.find("WS-100", Decimal("105.00"), TODAY, None) is None
    standing = sorted(b.reference for b in package.documents(date(2026, 11, 1), date(2026, 11, 30)))
    assert standing == ["WS-1001", "WS-1001-C1"]
    assert list(package.documents(date(2026, 11, 21), date(2026, 12, 31))) == []


def test_writing_the_same_twice_changes_nothing_and_something_else_is_refused(package: UblFiles) -> None:
    package.book(invoice(), "d")
    package.book(invoice(), "d")
    with pytest.raises(Refused) as caught:
        package.book(invoice([line("1.00", "0.21")]), "d")
    assert caught.value.code == "duplicate_number"
    assert len(list(package.documents(TODAY, TODAY))) == 1


def test_a_number_with_a_slash_cannot_leave_the_folder(package: UblFiles) -> None:
    package.book(invoice(number="../../WS/1"), "d")
    assert [b.reference for b in package.documents(TODAY, TODAY)] == ["../../WS/1"]
    assert package.find("../../WS/1", Decimal("105.00"), TODAY, None) is not None


def test_a_date_moved_over_the_end_of_a_month_is_found(package: UblFiles) -> None:
    package.book(invoice(on=date(2026, 12, 31)), "d")
    assert package.find("WS-1001", Decimal("105.00"), date(2027, 1, 2), None) is not None


def test_a_folder_holds_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = UblFiles(settings(tmp_path.as_uri()))
    package.check()
    file_system = package._files._fs()
    monkeypatch.setattr(type(file_system), "mv", _broken)
    with pytest.raises(OutcomeUnknown):
        package.book(invoice(), "d")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    monkeypatch.undo()
    assert package.book(invoice(), "d").reference == "WS-1001"


def _broken(*_: object, **__: object) -> None:
    raise OSError("disk full: secret")


def test_errors_tell_no_path_and_no_text_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = UblFiles(settings(tmp_path.as_uri()))
    monkeypatch.setattr(type(package._files._fs()), "isfile", _broken)
    with pytest.raises(RetryLater) as caught:
        package.book(invoice(), "d")
    assert "secret" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_target_that_cannot_be_opened_is_no_settings() -> None:
    with pytest.raises(NotConfigured, match=r"package\.target"):
        UblFiles(settings("nosuchstore://bucket/x")).check()


def test_check_tries_to_write_and_says_what_an_invoice_will_lack(package: UblFiles) -> None:
    facts = package.check()
    assert (facts.country, facts.currency, facts.needs_mapping, facts.warnings) == ("NL", "EUR", False, ())
    bare = UblFiles(settings(package._settings.target, seller_vat_number="", seller_registration=""))
    assert bare.check().warnings == ("no_seller_vat_number", "no_kvk_number")
    assert bare.missing(invoice()) == "package.seller_vat_number"
    assert package.missing(invoice()) is None


def test_a_foreign_file_in_the_folder_is_left_out_and_told_without_its_content(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    package = UblFiles(settings(tmp_path.as_uri()))
    package.book(invoice(), "d")
    (tmp_path / "2026-11" / "other.xml").write_text('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>')
    assert [b.reference for b in package.documents(TODAY, TODAY)] == ["WS-1001"]
    assert "1 files in the folder are no documents of ours" in caplog.text


def test_a_local_folder_is_its_owners_alone_and_a_killed_write_leaves_nothing(tmp_path: Path) -> None:
    package = UblFiles(settings((tmp_path / "new").as_uri()))
    package.check()
    month = tmp_path / "new" / "2026-11"
    month.mkdir(mode=0o700)
    left, other = month / "WS-1001.xml.part", month / "WS-9.xml.part"
    left.write_text("a person")
    other.write_text("another person")
    package.book(invoice(), "d")
    assert not left.exists()
    package.check()
    assert not other.exists()
    assert {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "new").rglob("*.xml")} == {"0o600"}
    assert oct((tmp_path / "new").stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize(
    "target",
    [
        "s3://key:secret@bucket/x", "s3://bucket/x?token=1", "file://srv/invoices", "file:///srv/../x", "srv/invoices",
        "s3://bucket/x#y",
    ],
)  # fmt: skip
def test_a_target_with_a_secret_or_a_way_out_is_refused(target: str) -> None:
    with pytest.raises(ValidationError):
        settings(target)


def test_what_ubl_does_not_know_is_refused() -> None:
    package = UblFiles(settings())
    entry = JournalEntry(
        reference="D1", issue_date=TODAY, currency="EUR", lines=(), total_with_vat=Decimal(0), total_vat=Decimal(0)
    )
    with pytest.raises(NotConfigured):
        package.post(entry)
    assert package.payments("WS-1001") == ()


def test_a_file_keeps_its_id_when_somebody_edits_it(tmp_path: Path) -> None:
    package = UblFiles(settings(tmp_path.as_uri()))
    booked = package.book(invoice(), "a1" * 16)
    (path,) = (path for path in tmp_path.rglob("*.xml"))
    path.write_bytes(path.read_bytes().replace(b"105.00", b"106.00"))
    found = package.find("WS-1001", Decimal("105.00"), TODAY, None)
    assert found is not None
    assert (found.external_id, found.total_with_vat) == (booked.external_id, Decimal("106.00"))
    path.write_bytes(re.sub(b"<!--.*-->", b"", path.read_bytes()))
    unmarked = package.find("WS-1001", Decimal("105.00"), TODAY, None)
    assert unmarked is not None
    assert unmarked.external_id not in ("WS-1001", booked.external_id)
