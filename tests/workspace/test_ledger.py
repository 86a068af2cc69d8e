from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curate.records import Reason
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerReader, LedgerWriter, forget, read_ledger, unite
from curate.workspace.seals import Seal


def failed(moment: float, fingerprint: str = "a", reason: Reason = Reason.NETWORK) -> Event:
    return Event(moment, "v", "download", "failed", fingerprint, reason, "cut off", retryable=True)


def done(moment: float, fingerprint: str = "a") -> Event:
    return Event(moment, "v", "download", "done", fingerprint, artefact="v.mp4", figures={"bytes": 3})


texts = st.text(max_size=30)
names = st.from_regex(r"[A-Za-z0-9_-]{1,12}\.[a-z0-9]{1,4}", fullmatch=True)
events = st.builds(
    Event,
    time=st.floats(0, 2e9, allow_nan=False),
    video=st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True),
    stage=st.sampled_from(["download", "sample"]),
    outcome=st.sampled_from(["done", "dropped", "failed", "reset"]),
    fingerprint=texts,
    reason=st.sampled_from(Reason),
    detail=texts,
    retryable=st.booleans(),
    artefact=st.just("") | names,
    figures=st.dictionaries(texts, st.integers(0, 10**9) | st.floats(0, 1e9), max_size=3),
    seconds=st.floats(0, 1e6),
    attempt=st.integers(0, 10**6),
    files=st.dictionaries(names, st.builds(Seal, st.integers(0, 10**15), texts), max_size=3),
)


@given(events)
def test_an_event_survives_its_line(event: Event) -> None:
    line = event.to_json()
    assert "\n" not in line and line.isascii()
    assert Event.from_json(line) == event


@given(st.lists(events, max_size=12), st.randoms())
def test_the_state_does_not_depend_on_which_file_holds_an_event(listed: list[Event], random) -> None:
    distinct = list({(e.attempt, e.time): e for e in listed}.values())
    shuffled = distinct.copy()
    random.shuffle(shuffled)
    assert unite(distinct) == unite(shuffled)


def test_tries_count_failures_in_a_row() -> None:
    record = unite([failed(1), failed(2), failed(3)])["v", "download"]
    assert (record.tries, record.first_failure, record.last.time) == (3, 1, 3)
    record.add(done(4))
    assert (record.tries, record.last.outcome) == (0, "done")
    record.add(failed(5))
    assert (record.tries, record.first_failure) == (1, 5)


def test_files_that_came_back_as_they_were_are_as_old_as_they_were() -> None:
    sealed = done(1)._replace(files={"v.mp4": Seal(5, "aa")})
    record = unite([sealed, failed(3), sealed._replace(time=4)])["v", "download"]
    assert record.made == sealed and record.last.time == 4
    record.add(sealed._replace(time=5, files={"v.mp4": Seal(5, "bb")}))
    assert record.made is record.last


def test_a_changed_fingerprint_starts_the_count_anew() -> None:
    record = unite([failed(1, "a"), failed(2, "a"), failed(3, "b")])["v", "download"]
    assert record.tries == 1


@pytest.mark.parametrize(
    "change",
    [
        {"time": "now"},
        {"time": 1e999},
        {"video": "../v"},
        {"video": 5},
        {"outcome": "won"},
        {"outcome": ["done"]},
        {"reason": "made up"},
        {"outcome": "failed"},
        {"retryable": 1},
        {"artefact": "../../home/user/private.mp4"},
        {"artefact": "/etc/passwd"},
        {"artefact": ["v.mp4"]},
        {"figures": {"bytes": "many"}},
        {"figures": [1]},
        {"more": 1},
        {"attempt": -1},
        {"attempt": True},
        {"files": {"v.mp4": [1]}},
        {"files": {"../v.mp4": [1, "x"]}},
        {"files": {"v.mp4": ["1", "x"]}},
    ],
    ids=str,
)
def test_a_line_with_something_else_in_it_is_no_event_and_named(tmp_path: Path, change: dict[str, Any], caplog) -> None:
    line = json.dumps({**json.loads(done(5).to_json()), **change})
    (tmp_path / "host-1.jsonl").write_text(f"{done(1).to_json()}\n{line}\n")
    assert read_ledger(tmp_path)["v", "download"].last.time == 1
    (record,) = caplog.records
    assert record.getMessage().startswith("1 line of the ledger is damaged and passed over")
    assert "host-1.jsonl:2 " in record.getMessage()


@pytest.mark.parametrize("line", ['{"a":' * 100_000, "[" * 100_000 + "}", "9" * 6000, "x" * 3_000_000], ids=len)
def test_lines_nested_without_end_and_of_any_size_are_passed_over(tmp_path: Path, line: str) -> None:
    (tmp_path / "host-1.jsonl").write_text(f"{line}\n{done(5).to_json()}\n{line}")
    assert read_ledger(tmp_path)["v", "download"].last.time == 5
    assert forget(tmp_path, ["v"]) == 1


def test_pipes_and_folders_in_the_ledger_hold_nobody_up(tmp_path: Path, caplog) -> None:
    os.mkfifo(tmp_path / "host-1.jsonl")
    (tmp_path / "host-2.jsonl").mkdir()
    (tmp_path / "host-3.jsonl").write_text(done(5).to_json() + "\n")
    assert read_ledger(tmp_path)["v", "download"].last.time == 5
    assert "host-1.jsonl cannot be read" in caplog.text and "host-2.jsonl cannot be read" in caplog.text


def test_a_ledger_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "ledger").mkdir()
    writer = LedgerWriter(tmp_path / "ledger")
    writer.path.symlink_to(outside)
    writer.append(done(1))
    writer.close()
    assert outside.read_text() == "mine"
    assert read_ledger(tmp_path / "ledger")["v", "download"].last.time == 1


def test_torn_lines_and_rubbish_are_passed_over(tmp_path: Path) -> None:
    good = done(5).to_json()
    (tmp_path / "host-1.jsonl").write_bytes(failed(1).to_json().encode() + b"\n" + good.encode()[: len(good) // 2])
    (tmp_path / "host-2.jsonl").write_bytes(
        b'[]\n{"time": 1}\n\xff\xfe\n{"reason": "made up"}\n' + good.encode() + b"\n"
    )
    records = read_ledger(tmp_path)
    assert records["v", "download"].last == done(5)
    assert len(records) == 1


def test_every_writer_has_a_file_of_its_own_even_where_host_and_process_are_the_same(tmp_path: Path) -> None:
    writers = [LedgerWriter(tmp_path) for _ in range(3)]
    for moment, writer in enumerate(writers, start=1):
        writer.append(failed(moment))
        writer.close()
    assert len(list(tmp_path.iterdir())) == 3
    assert read_ledger(tmp_path)["v", "download"].tries == 3


def numbered(event: Event, attempt: int) -> Event:
    return event._replace(attempt=attempt)


def test_a_new_success_wins_over_an_old_failure_whatever_the_clocks_say() -> None:
    first, second = numbered(failed(10_000), 1), numbered(done(10_000 - 3600), 2)
    for listed in ([first, second], [second, first]):
        assert unite(listed)["v", "download"].last == second


def test_lines_of_a_version_that_did_not_count_are_ordered_by_time_and_come_before_those_of_one_that_does() -> None:
    old, older, new = done(9_000), failed(8_000), numbered(failed(5), 1)
    record = unite([new, old, older])["v", "download"]
    assert (record.last, record.tries) == (new, 1)
    assert unite([old, older])["v", "download"].last == old


def test_damaged_lines_are_counted_in_one_sentence_and_a_torn_last_one_is_not(tmp_path: Path, caplog) -> None:
    path = tmp_path / "host-1.jsonl"
    good = done(2).to_json()
    path.write_text(f'{failed(1).to_json()}\n{{"video":{{}}}}\n{"{" * 100_000}}}\n{good}\n{good[:30]}')
    assert read_ledger(tmp_path)["v", "download"].last == done(2)
    (record,) = caplog.records
    assert record.getMessage().startswith("2 lines of the ledger are damaged") and f"{path}:2 " in record.getMessage()


WRITE_FOREVER = """
import sys, itertools
from pathlib import Path
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerWriter
writer = LedgerWriter(Path(sys.argv[1]))
for i in itertools.count():
    writer.append(Event(float(i), f"v{i}", "sample", "done", "f", detail="x" * 200))
    print(i, flush=True)
"""


def test_every_event_that_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_FOREVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        time.sleep(0.05)
        os.kill(process.pid, 9)
        acknowledged = 20 + len(process.stdout.read().splitlines())
    records = read_ledger(tmp_path)
    assert {(f"v{i}", "sample") for i in range(acknowledged)} <= set(records)


@example([(0, done(1)), (1, done(1)._replace(detail="other")), (0, done(1))])
@given(st.lists(st.tuples(st.integers(0, 2), events), max_size=12))
def test_reading_on_ends_where_reading_anew_does(tmp_path_factory: pytest.TempPathFactory, written) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    reader = LedgerReader(folder)
    for file, event in written:
        line = event.to_json().encode() + b"\n"
        for part in (line[:7], line[7:]):
            with (folder / f"{file}.jsonl").open("ab") as stream:
                stream.write(part)
            assert reader.records() == read_ledger(folder)


def test_a_file_that_was_rewritten_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(failed(1).to_json() + "\n" + done(2).to_json() + "\n")
    reader = LedgerReader(tmp_path)
    assert reader.records()["v", "download"].last == done(2)
    path.write_text(failed(1).to_json() + "\n")
    assert reader.records()["v", "download"].last == failed(1)
    path.unlink()
    assert reader.records() == {}


@pytest.mark.parametrize("change", ['"seconds":1' + "0" * 400, '"figures":{"frames":1' + "0" * 400 + "}", '"other":1'])
def test_numbers_without_end_and_unknown_fields_are_no_event(change: str) -> None:
    line = done(1).to_json().replace('"figures":{"bytes":3}', '"detail":""')
    with pytest.raises(ValueError, match=r"curate does not write there|is not an event"):
        Event.from_json(line[:-1] + "," + change + "}")
