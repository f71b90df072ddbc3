"""The ECB's rates: which day counts, when it is asked, and what is never guessed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from sluis.errors import NotConfigured
from sluis.http.answer import BrokenBody, ForeignBody
from sluis.registers import ecb
from sluis.registers.ecb import ALL, KEPT, RECENT, EcbRates, package_copy
from sluis.registers.ecb_table import published, read_csv, read_xml, write_csv
from tests.http.vendor_server import Script, Vendor, json_answer, raw_answer, serve

#: The last day of the copy in this package; time stands some days later in these tests. 30 October 2026 was a Friday.
LAST = date(2026, 10, 30)
MONDAY, TUESDAY = date(2026, 11, 2), date(2026, 11, 3)
XML = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
    xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
<gesmes:subject>Reference rates</gesmes:subject>
<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
<Cube>%s</Cube></gesmes:Envelope>"""


def rates_xml(days: dict[date, str], currency: str = "USD") -> bytes:
    cubes = "".join(
        f"<Cube time='{day}'><Cube currency='{currency}' rate='{rate}'/><Cube currency='GBP' rate='0.8'/></Cube>"
        for day, rate in days.items()
    )
    return (XML % cubes).encode()


class Clock:
    """A moment that a test moves."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 3, 18, 0, tzinfo=UTC))


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serve() as running:
        running.answers[:] = [raw_answer(rates_xml({LAST: "1.5", MONDAY: "1.1111", TUESDAY: "1.2222"}))]
        yield running


@pytest.fixture
def rates(vendor: Vendor, clock: Clock, tmp_path: Path) -> Iterator[EcbRates]:
    made = EcbRates(tmp_path, vendor.url, now=clock)
    yield made
    made.close()


def value(rates: EcbRates, currency: str, on: date) -> tuple[Decimal, date] | None:
    found = rates.rate(currency, on)
    return None if found is None else (found.rate, found.on)


# ---------------------------------------------------------------------------------------------------- the offline copy


def test_the_copy_holds_every_working_day_since_2021() -> None:
    table = package_copy()
    assert min(table) <= date(2020, 12, 31)
    assert max(table) == LAST
    days = sorted(table)
    assert max(later - earlier for earlier, later in pairwise(days)) <= timedelta(days=5)
    assert all(day.weekday() < 5 for day in days)
    assert all(len(rates) >= 29 for rates in table.values())
    assert all(Decimal(rate) > 0 for rates in table.values() for rate in rates.values())


@pytest.mark.parametrize(
    ("currency", "on", "expected"),
    [
        ("USD", date(2021, 1, 4), (Decimal("1.2296"), date(2021, 1, 4))),
        ("GBP", date(2023, 1, 6), (Decimal("0.88475"), date(2023, 1, 6))),
        ("GBP", date(2023, 1, 7), (Decimal("0.88475"), date(2023, 1, 6))),  # Saturday
        ("GBP", date(2023, 1, 8), (Decimal("0.88475"), date(2023, 1, 6))),  # Sunday
        ("USD", date(2026, 1, 1), (Decimal("1.175"), date(2025, 12, 31))),  # a holiday
        ("USD", date(2024, 4, 1), (Decimal("1.0811"), date(2024, 3, 28))),  # Easter Monday, after Good Friday
        ("HRK", date(2022, 12, 30), (Decimal("7.5365"), date(2022, 12, 30))),
        ("HRK", date(2023, 1, 2), None),  # Croatia has the euro: not its last rate in silence
        ("RUB", date(2022, 3, 1), (Decimal("117.201"), date(2022, 3, 1))),
        ("RUB", date(2022, 3, 2), None),
        ("BGN", date(2025, 12, 31), (Decimal("1.9558"), date(2025, 12, 31))),
        ("BGN", date(2026, 1, 2), None),
        ("EUR", date(2026, 1, 2), None),
        ("XXX", date(2026, 1, 2), None),
        ("USD", date(2019, 6, 3), None),  # before the copy
    ],
)
def test_the_copy_answers_without_asking_anybody(
    rates: EcbRates, vendor: Vendor, currency: str, on: date, expected: tuple[Decimal, date] | None
) -> None:
    assert value(rates, currency, on) == expected
    assert vendor.seen == []


def test_a_gap_of_more_than_a_week_has_no_rate() -> None:
    table = {date(2026, 1, 2): {"USD": "1.1"}}
    assert published(table, "USD", date(2026, 1, 9)) == (date(2026, 1, 2), Decimal("1.1"))
    assert published(table, "USD", date(2026, 1, 10)) is None
    assert published(table, "USD", date(2026, 1, 1)) is None


# ---------------------------------------------------------------------------------------------------------- the ECB


def test_a_later_day_is_asked_for_and_kept(rates: EcbRates, vendor: Vendor, clock: Clock, tmp_path: Path) -> None:
    assert value(rates, "USD", TUESDAY) == (Decimal("1.2222"), TUESDAY)
    assert value(rates, "USD", MONDAY) == (Decimal("1.1111"), MONDAY)
    assert value(rates, "USD", LAST) == (Decimal("1.1172"), LAST)  # the copy of the package does not change
    assert [seen.path for seen in vendor.seen] == [f"/{RECENT}"]
    again = EcbRates(tmp_path, vendor.url, now=clock)
    assert value(again, "USD", TUESDAY) == (Decimal("1.2222"), TUESDAY)
    assert len(vendor.seen) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([KEPT, ecb.ASKED])
    again.close()


def test_the_day_of_today_counts_from_its_publication(rates: EcbRates, vendor: Vendor, clock: Clock) -> None:
    clock.moment = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
    vendor.answers[:] = [raw_answer(rates_xml({MONDAY: "1.1111"}))]
    assert value(rates, "USD", TUESDAY) == (Decimal("1.1111"), MONDAY)
    clock.moment = datetime(2026, 11, 3, 14, 0, tzinfo=UTC)
    assert value(rates, "USD", TUESDAY) == (Decimal("1.1111"), MONDAY)
    assert len(vendor.seen) == 1, "nothing new can have been published: not asked"
    clock.moment = datetime(2026, 11, 3, 15, 30, tzinfo=UTC)
    vendor.answers[:] = [raw_answer(rates_xml({MONDAY: "1.1111", TUESDAY: "1.2222"}))]
    assert value(rates, "USD", TUESDAY) == (Decimal("1.2222"), TUESDAY)
    assert len(vendor.seen) == 2


def test_a_weekend_is_not_asked_for(rates: EcbRates, vendor: Vendor, clock: Clock) -> None:
    clock.moment = datetime(2026, 11, 1, 20, 0, tzinfo=UTC)  # a Sunday
    assert value(rates, "USD", date(2026, 11, 1)) == (Decimal("1.1172"), LAST)
    assert vendor.seen == []


@pytest.mark.parametrize("days", [2, 30, 3650])
def test_a_day_that_has_not_come_has_no_rate(rates: EcbRates, vendor: Vendor, days: int) -> None:
    assert rates.rate("USD", TUESDAY + timedelta(days=days)) is None
    assert vendor.seen == []


def test_tomorrow_in_the_earliest_time_zone_is_not_the_future(rates: EcbRates) -> None:
    assert value(rates, "USD", TUESDAY + timedelta(days=1)) == (Decimal("1.2222"), TUESDAY)


ODD: list[Script] = [
    json_answer({}, status=503),
    json_answer({}, status=404),
    raw_answer(b"<html><body>maintenance</body></html>"),
    raw_answer(rates_xml({TUESDAY: "1.2222"})[:-60]),
    raw_answer(rates_xml({})),
    raw_answer(rates_xml({TUESDAY: "0"})),
    raw_answer(rates_xml({TUESDAY: "-1"})),
    raw_answer(rates_xml({TUESDAY: "1e3"})),
    raw_answer(rates_xml({TUESDAY: "1.2222"}, currency="dollar")),
    raw_answer(b"no rates"),
    raw_answer(b""),
]


@pytest.mark.parametrize("answer", ODD)
def test_an_ecb_that_is_away_or_odd_is_told_and_the_last_days_count(
    rates: EcbRates, vendor: Vendor, clock: Clock, caplog: pytest.LogCaptureFixture, answer: Script
) -> None:
    vendor.answers[:] = [answer]
    assert value(rates, "USD", TUESDAY) == (Decimal("1.1172"), LAST)
    assert "no new rates" in caplog.text
    asked = len(vendor.seen)
    assert value(rates, "USD", TUESDAY) == (Decimal("1.1172"), LAST)
    assert len(vendor.seen) == asked, "asked again at once"
    vendor.answers[:] = [raw_answer(rates_xml({TUESDAY: "1.2222"}))]
    clock.moment += ecb.PAUSE
    assert value(rates, "USD", TUESDAY) == (Decimal("1.2222"), TUESDAY)


def test_an_old_rate_never_stands_in_for_a_new_one(rates: EcbRates, vendor: Vendor, clock: Clock) -> None:
    vendor.answers[:] = [json_answer({}, status=404)]
    clock.moment = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
    assert rates.rate("USD", date(2026, 11, 20)) is None
    assert value(rates, "USD", date(2026, 11, 6)) == (Decimal("1.1172"), LAST)


def test_after_a_long_silence_the_whole_history_is_read(rates: EcbRates, vendor: Vendor, clock: Clock) -> None:
    clock.moment = datetime(2027, 3, 1, 18, 0, tzinfo=UTC)
    vendor.answers[:] = [raw_answer(rates_xml({date(2026, 11, 2): "1.1111", date(2027, 3, 1): "1.3"}))]
    assert value(rates, "USD", date(2027, 3, 1)) == (Decimal("1.3"), date(2027, 3, 1))
    assert value(rates, "USD", date(2026, 11, 4)) == (Decimal("1.1111"), date(2026, 11, 2))
    assert [seen.path for seen in vendor.seen] == [f"/{ALL}"]


def test_what_was_kept_and_cannot_be_read_is_asked_for_again(
    rates: EcbRates, vendor: Vendor, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    value(rates, "USD", TUESDAY)
    (tmp_path / KEPT).write_text("Date,USD\n2026-11-03,nonsense\n", encoding="ascii")
    again = EcbRates(tmp_path, vendor.url, now=clock)
    assert value(again, "USD", TUESDAY) == (Decimal("1.2222"), TUESDAY)
    assert "cannot be read" in caplog.text
    again.close()


def test_a_home_that_cannot_be_written_costs_nothing_but_a_line_in_the_log(
    vendor: Vendor, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    (tmp_path / "file").write_text("", encoding="ascii")
    rates = EcbRates(tmp_path / "file", vendor.url, now=clock)
    assert value(rates, "USD", TUESDAY) == (Decimal("1.2222"), TUESDAY)
    assert "could not be written" in caplog.text
    rates.close()


# ------------------------------------------------------------------------------------------------------ reading safely


def test_an_entity_is_never_looked_up(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("1.9999", encoding="ascii")
    document = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
    raw = rates_xml({TUESDAY: "1.2"}).replace(b"<gesmes:Envelope", document.encode() + b"<gesmes:Envelope", 1)
    with pytest.raises(ForeignBody):
        read_xml(raw.replace(b"<Cube>", b"<Cube>&e;", 1))
    with pytest.raises(ForeignBody):
        read_xml(raw)


def test_a_bomb_of_entities_is_refused() -> None:
    steps = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    raw = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{steps}]><Cube time="2026-11-03">&a11;</Cube>'
    with pytest.raises((BrokenBody, ForeignBody)):
        read_xml(raw.encode())


@pytest.mark.parametrize(
    "text",
    ["", "<html>", "Day,USD\n", "Date,dollar\n", "Date,USD\nyesterday,1\n", "Date,USD\n2026-01-02,x\n",
     "Date,USD\n2026-01-02,1,2\n", "Date,USD\n2026-01-02,NaN\n"],
)  # fmt: skip
def test_a_table_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_csv(text)


def test_a_table_is_read_as_it_was_written() -> None:
    table = {MONDAY: {"USD": "1.1", "GBP": "0.8"}, TUESDAY: {"USD": "1.2"}}
    assert read_csv(write_csv(table)) == table
    assert read_csv(write_csv(package_copy())) == package_copy()


@pytest.mark.parametrize("bad", ["http://rates.example", "ecb", "https://x?y"])
def test_rates_come_encrypted_or_from_this_machine(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    monkeypatch.setenv(ecb.URL, bad)
    with pytest.raises(NotConfigured, match=ecb.URL):
        ecb.address()
    monkeypatch.delenv(ecb.URL)
    assert ecb.address() == ecb.DEFAULT_URL
