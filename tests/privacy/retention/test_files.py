"""Files that expire: by the date in their path, by line, or by their last change; and nothing outside the root."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sluis.errors import Defect, NotConfigured
from sluis.privacy.register import Category
from sluis.privacy.retention.contract import Rule
from sluis.privacy.retention.files import DeleteFiles
from sluis.privacy.retention.kit import Kit

NOW = datetime(2026, 11, 23, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)
CUTOFF = datetime(2026, 10, 1, tzinfo=UTC)
RUNS, PROCESSES = "airflow_logs/dag_id=*/**", "airflow_logs/processes/**"


def rule(pattern: str = RUNS, **values: Any) -> Rule:
    words = {"nl": "iets", "en": "something"}
    category = Category.model_validate(
        {"id": "task_logs", "what": words, "places": [{"files": pattern}], "data": "business", "purposes": ["support"],
         "role": "processor", "basis": words, "method": "delete_files"}
    )  # fmt: skip
    return Rule(**{"category": category, "clock": NOW, "cutoff": CUTOFF, **values})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "logs"
    made.mkdir()
    return made


def deleter(root: Path) -> DeleteFiles:
    return DeleteFiles(Kit(roots={"airflow_logs": root}))


def written(path: Path, text: str = "x\n", changed: datetime = NOW - 90 * DAY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for at in (path, path.parent):
        os.utime(at, (changed.timestamp(), changed.timestamp()))
    return path


def log(root: Path, at: str, dag: str = "sync__m1__a", changed: datetime = NOW - 2 * DAY) -> Path:
    return written(root / f"dag_id={dag}" / f"run_id=scheduled__{at}" / "task_id=load" / "attempt=1.log", "x", changed)


def test_a_task_log_goes_by_the_date_of_its_run_and_its_folders_with_it(root: Path) -> None:
    old, last, first = log(root, "2026-09-29T00:00:00+00:00"), log(root, "2026-09-30T23:59:59+00:00"), \
        log(root, "2026-10-01T00:00:00+00:00")  # fmt: skip
    elsewhere = log(root, "2026-10-01T01:00:00+02:00")  # still September in UTC
    counted = deleter(root).count(rule())
    assert (counted.expired, counted.standing) == ({RUNS: 3}, 4)
    assert deleter(root).delete(rule()) == {RUNS: 3}
    assert first.exists()
    assert not any(path.parents[1].exists() for path in (old, last, elsewhere))
    assert deleter(root).count(rule()).expired == {}
    assert deleter(root).delete(rule()) == {}


@pytest.mark.parametrize(("shift", "goes"), [(timedelta(0), 0), (timedelta(microseconds=1), 1)])
def test_on_the_last_day_it_stands(root: Path, shift: timedelta, goes: int) -> None:
    log(root, (CUTOFF - shift).isoformat())
    assert deleter(root).count(rule()).total == goes


def test_a_log_that_changed_within_a_day_stays_whatever_its_run(root: Path) -> None:
    """A backfill of an old period: somebody is writing it, or wants to read what he just ran."""
    fresh = log(root, "2025-01-01T00:00:00+00:00", changed=NOW - DAY + timedelta(seconds=5))
    assert deleter(root).count(rule()).expired == {}
    assert deleter(root).delete(rule()) == {}
    assert fresh.exists()


def test_without_a_date_in_its_path_the_last_change_counts(root: Path) -> None:
    old = written(root / "dag_id=retention/run_id=by-hand/task_id=plan/attempt=1.log", changed=CUTOFF - DAY)
    young = written(root / "dag_id=retention/run_id=by-hand-2/task_id=plan/attempt=1.log", changed=CUTOFF + DAY)
    assert deleter(root).delete(rule()) == {RUNS: 1}
    assert (old.exists(), young.exists()) == (False, True)


def test_holds_ended_merchants_and_a_run_for_one_merchant(root: Path) -> None:
    held, ended, other = (log(root, "2026-09-01T00:00:00+00:00", f"sync__{m}__a") for m in ("m1", "m2", "m3"))
    recent = log(root, "2026-11-20T00:00:00+00:00", "sync__m2__a")
    assert deleter(root).count(rule(held=True)).expired == {}
    assert deleter(root).count(rule(merchant="m3")).expired == {RUNS: 1}
    assert deleter(root).count(rule(own_cutoffs={"m3": CUTOFF - 60 * DAY})).expired == {RUNS: 2}
    assert deleter(root).delete(rule(held_merchants=frozenset({"m1"}), ended=("m2",))) == {RUNS: 3}
    assert [path.exists() for path in (held, ended, other, recent)] == [True, False, False, False]


def test_what_no_pattern_names_stays(root: Path) -> None:
    stays = [written(root / name) for name in ("other/x.log", "dag_id=x", "processes/scheduler.log")]
    log(root, "2026-09-01T00:00:00+00:00")
    assert deleter(root).delete(rule()) == {RUNS: 1}
    assert all(path.exists() for path in stays)


def test_no_link_is_followed_and_none_is_deleted(root: Path, tmp_path: Path) -> None:
    outside = log(tmp_path / "outside", "2026-09-01T00:00:00+00:00")
    (root / "dag_id=linked").symlink_to(outside.parents[3], target_is_directory=True)
    folder = root / "dag_id=sync__m1__a" / "run_id=scheduled__2026-09-01T00:00:00+00:00"
    folder.mkdir(parents=True)
    (folder / "attempt=1.log").symlink_to(outside)
    (folder / "task_id=load").symlink_to(outside.parent, target_is_directory=True)
    assert deleter(root).count(rule()).standing == 0
    assert deleter(root).delete(rule()) == {}
    assert outside.exists()
    assert (folder / "attempt=1.log").is_symlink()
    assert (folder / "task_id=load").is_symlink()


@pytest.mark.parametrize("path", ["/", "/tmp", "logs", "", "/tmp/.."])
def test_a_root_that_is_none_of_ours_is_refused(path: str) -> None:
    with pytest.raises(NotConfigured, match="AIRFLOW__LOGGING__BASE_LOG_FOLDER") as caught:
        deleter(Path(path)).count(rule())
    assert caught.value.code in ("root_refused", "root_missing")


def test_a_root_that_is_not_there_is_named(tmp_path: Path) -> None:
    for made in (deleter(tmp_path / "no" / "such"), DeleteFiles(Kit())):
        with pytest.raises(NotConfigured, match="AIRFLOW__LOGGING__BASE_LOG_FOLDER") as caught:
            made.count(rule())
        assert caught.value.code == "root_missing"


def test_a_link_as_root_is_the_folder_it_names(root: Path, tmp_path: Path) -> None:
    log(root, "2026-09-01T00:00:00+00:00")
    (tmp_path / "link").symlink_to(root)
    assert deleter(tmp_path / "link").delete(rule()) == {RUNS: 1}
    (tmp_path / "slash").symlink_to("/")
    with pytest.raises(NotConfigured):
        deleter(tmp_path / "slash").count(rule())


def test_a_folder_that_may_not_be_read_is_an_error_and_no_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log(root, "2026-09-01T00:00:00+00:00")

    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "unlink", refused)
    with pytest.raises(Defect, match="Permission denied") as caught:
        deleter(root).delete(rule())
    assert caught.value.code == "files_refused"
    assert "m1" not in str(caught.value)


def test_a_living_log_loses_its_old_lines_while_its_process_goes_on_writing(root: Path) -> None:
    banner = "  ____   \n ____  /| |_\n"
    old = "2026-09-30T23:59:59.9Z [info] old\nTraceback of it\n"
    kept = "2026-10-01T00:00:00.0Z [info] kept\nTraceback of that\n2026-11-20T00:00:00Z [info] kept too\n"
    path = written(root / "processes" / "scheduler.log", banner + old + kept)
    with path.open("a") as process:
        process.write("2026-11-22T00:00:00Z [info] still here\n")
        process.flush()
        inode = path.stat().st_ino
        assert deleter(root).count(rule(PROCESSES)).expired == {PROCESSES: 1}
        assert deleter(root).delete(rule(PROCESSES)) == {PROCESSES: 1}
        process.write("2026-11-23T00:00:00Z [info] and goes on\n")
    assert path.stat().st_ino == inode
    assert path.read_text() == kept + (
        "2026-11-22T00:00:00Z [info] still here\n2026-11-23T00:00:00Z [info] and goes on\n"
    )
    assert deleter(root).count(rule(PROCESSES)).expired == {}


def test_a_young_log_keeps_its_banner(root: Path) -> None:
    path = written(root / "processes" / "a.log", "banner\n2026-11-20T00:00:00Z [info] x\n", NOW - 3 * DAY)
    assert deleter(root).count(rule(PROCESSES)).expired == {}
    assert deleter(root).delete(rule(PROCESSES)) == {}
    assert path.read_text().startswith("banner")


@pytest.mark.parametrize(
    "text", ["2026-09-01T00:00:00Z [info] x\nmore\n", "[2026-09-01 00:00:00,1] x\n", "no moment\n"]
)
def test_a_log_that_is_old_throughout_is_emptied_and_stays_for_its_process(root: Path, text: str) -> None:
    path = written(root / "processes" / "a.log", text)
    assert deleter(root).delete(rule(PROCESSES)) == {PROCESSES: 1}
    assert path.read_bytes() == b""
    assert deleter(root).count(rule(PROCESSES)).expired == {}


def test_a_dated_folder_goes_wholly(root: Path) -> None:
    pattern = "airflow_logs/dag_processor/**"
    old = written(root / "dag_processor/2026-09-30/dags-folder/sync.py.log")
    young = written(root / "dag_processor/2026-10-01/dags-folder/sync.py.log")
    (root / "dag_processor/latest").symlink_to(young.parents[1], target_is_directory=True)
    assert deleter(root).delete(rule(pattern)) == {pattern: 1}
    assert (old.parents[1].exists(), young.exists(), (root / "dag_processor").exists()) == (False, True, True)


def test_a_single_file_goes_by_its_last_change(root: Path) -> None:
    pattern = "airflow_logs/integrations.json"
    path = written(root / "integrations.json", changed=CUTOFF)
    assert deleter(root).count(rule(pattern)).expired == {}
    written(path, changed=CUTOFF - timedelta(seconds=1))
    assert deleter(root).delete(rule(pattern)) == {pattern: 1}
    assert not path.exists()
