"""Decisions of reviewers on disk: appended, read back whatever befell the file, settled between reviewers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curate.errors import CurateError
from curate.records import BoxDecision, FrameDecision, Region, VideoDecisions
from curate.verdicts.journal import Decision, JournalWriter, forget_decisions, read_identity, read_journal
from curate.verdicts.redrawn import redrawn
from curate.verdicts.settle import settle

MODEL = {"verdict": "surgical", "p": 0.75, "sha256": "ab", "seen": "f1"}


def write(folder: Path, who: str, *said: tuple) -> list[Decision]:
    writer = JournalWriter(folder, who)
    try:
        return [writer.append(video, kind, **facts) for video, kind, facts in said]
    finally:
        writer.close()


def frame(video: str, at: float, label: str, **facts: object) -> tuple:
    return video, "frame", {"at": at, "label": label, **facts}


def test_a_decision_is_read_back_as_it_was_made(tmp_path: Path) -> None:
    made = write(
        tmp_path,
        "anna",
        frame("v", 0.0, "surgical", model=MODEL),
        ("v", "trim", {"start": 0.0, "end": 9.5}),
        ("v", "box", {"at": 3.0, "action": "move", "box": (1, 2, 3, 4), "to": (2, 2, 5, 5), "size": (64, 48)}),
        ("w", "video", {"action": "drop"}),
        ("w", "undo", {"undoes": 4}),
    )
    journal = read_journal(tmp_path)
    assert not journal.problems
    assert list(journal.decisions) == made
    assert [d.seq for d in made] == [1, 2, 3, 4, 5]
    assert [d.seq for d in journal.standing()] == [1, 2, 3]
    assert dict(made[0].model) == MODEL
    assert abs(made[0].time - time.time()) < 60
    more = write(tmp_path, "anna", frame("v", 1.0, "uncertain"))
    assert more[0].seq == 6 and more[0].workspace == made[0].workspace == read_identity(tmp_path)


def test_what_is_wrong_with_a_line_is_named_and_the_rest_counts(tmp_path: Path) -> None:
    good = write(tmp_path, "anna", *(frame("v", float(i), "surgical") for i in range(3)))
    path = tmp_path / "anna.jsonl"
    line = json.loads(path.read_text().splitlines()[0])
    bad = [
        {**line, "seq": 9, "workspace": "another"},
        {**line, "seq": 2},
        {**line, "seq": 9, "label": "maybe"},
        {**line, "seq": 9, "at": -1},
        {**line, "seq": 9, "video": "../v"},
        {**line, "seq": 9, "who": "bob"},
        {**line, "seq": 9, "kind": "undo", "undoes": 8},
        {**line, "seq": 9, "kind": "box", "box": [5, 5, 4, 9], "size": [9, 9], "action": "add"},
        {**line, "seq": 9, "kind": "trim"},
        {**line, "seq": 9, "more": 1},
        {**line, "seq": 9, "model": {"p": 7}},
        {**line, "seq": True},
    ]
    with path.open("a") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in bad)
        stream.write("[]\nno json\n" + "x" * 20_000 + "\n" + json.dumps({**line, "seq": 20})[:-9])
    journal = read_journal(tmp_path)
    assert list(journal.decisions) == good
    lines = [int(p.removeprefix(f"{path}:").split()[0]) for p in journal.problems]
    assert lines == list(range(4, 4 + len(bad) + 4))
    said = "\n".join(journal.problems)
    for words in (
        "another workspace",
        "which",
        "a label",
        "second of a video",
        "names no video",
        "is of bob",
        "undoes",
    ):
        assert words in said
    assert "is cut in the middle" in journal.problems[-1]
    assert write(tmp_path, "anna", frame("v", 7.0, "surgical"))[0].seq == 10, "numbers of bad lines are not used again"
    assert read_journal(tmp_path).decisions[-1].at == 7.0, "a torn line is ended before the next one"


def test_one_reviewer_writes_once_at_a_time(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "anna")
    with pytest.raises(CurateError, match="reviewing already"):
        JournalWriter(tmp_path, "anna")
    with pytest.raises(CurateError, match="is reviewing"):
        forget_decisions(tmp_path, {"v"})
    write(tmp_path, "bob", frame("v", 1.0, "surgical"))
    writer.close()
    with pytest.raises(CurateError, match="a name has"):
        JournalWriter(tmp_path, "../x")


def test_a_kill_at_any_time_leaves_whole_decisions(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from curate.verdicts.journal import JournalWriter\n"
        "w = JournalWriter(Path(sys.argv[1]), 'anna')\n"
        "for i in range(10**6): print(w.append('v', 'frame', at=float(i), label='surgical').seq, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(30)]
    os.kill(process.pid, signal.SIGKILL)
    told += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.wait()
    process.stdout.close()
    seqs = [d.seq for d in read_journal(tmp_path).decisions]
    assert seqs[: len(told)] == told and len(seqs) <= len(told) + 1


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    folder = tmp_path / "decisions"
    folder.mkdir()
    (folder / "anna.jsonl").symlink_to(tmp_path / "precious")
    (folder / "workspace").symlink_to(tmp_path / "new")
    write(folder, "anna", frame("v", 1.0, "surgical"))
    assert (tmp_path / "precious").read_text() == "mine" and not (tmp_path / "new").exists()


def test_purged_videos_are_forgotten(tmp_path: Path) -> None:
    write(tmp_path, "anna", frame("v", 1.0, "surgical"), frame("w", 1.0, "surgical"), ("v", "undo", {"undoes": 1}))
    write(tmp_path, "bob", frame("v", 1.0, "surgical"))
    assert forget_decisions(tmp_path, {"v"}) == 3
    assert [d.video for d in read_journal(tmp_path).decisions] == ["w"]
    assert not (tmp_path / "bob.jsonl").exists()


def test_last_words_count_and_less_is_shown_where_reviewers_differ(tmp_path: Path) -> None:
    write(
        tmp_path,
        "anna",
        frame("v", 1.0, "surgical"),
        frame("v", 1.0, "non-surgical"),
        frame("v", 2.0, "surgical", model=MODEL),
        frame("v", 3.0, "surgical"),
        ("v", "trim", {"start": 2.0, "end": 20.0}),
        ("v", "box", {"at": 1.0, "until": 2.0, "action": "add", "box": (0, 0, 4, 4), "size": (8, 8), "region": "logo"}),
        ("w", "video", {"action": "drop"}),
        ("w", "video", {"action": "keep"}),
        ("x", "video", {"action": "opt_out"}),
    )
    write(
        tmp_path,
        "bob",
        frame("v", 1.0, "non-surgical"),
        frame("v", 3.0, "non-surgical"),
        ("v", "trim", {"start": 4.0}),
    )
    settled = settle(read_journal(tmp_path))
    assert settled.of["v"] == VideoDecisions(
        frames=(
            FrameDecision(1000, "non-surgical"),
            FrameDecision(2000, "surgical", "f1"),
            FrameDecision(3000, "uncertain"),
        ),
        start=4.0,
        end=20.0,
        boxes=(BoxDecision(1000, 2000, "add", (0, 0, 4, 4), (8, 8), "logo"),),
    )
    assert settled.of.keys() == {"v", "x"} and settled.opted_out == {"x"}
    assert len(settled.dissents) == 2 and "bob.jsonl:2" in settled.dissents[0] and "anna.jsonl:4" in settled.dissents[0]


def test_a_label_that_is_not_what_the_model_said_confirms_nothing(tmp_path: Path) -> None:
    write(tmp_path, "anna", frame("v", 1.0, "non-surgical", model=MODEL), frame("v", 2.0, "surgical"))
    assert [f.confirms for f in settle(read_journal(tmp_path)).of["v"].frames] == ["", ""]


def test_boxes_are_found_again_by_place_and_scaled() -> None:
    found = [Region(0, 0, 10, 10, "text", 0.9, "m"), Region(50, 50, 90, 90, "logo", 0.8, "m")]
    delete = BoxDecision(1000, 1000, "delete", (26, 24, 45, 45), (50, 50))
    add = BoxDecision(1000, 3000, "add", (10, 10, 20, 60), (50, 50), "ui")
    assert redrawn(found, [delete, add], 1000, (100, 100)) == [
        found[0],
        Region(20, 20, 40, 100, "ui", 1.0, "reviewer"),
    ]
    assert redrawn(found, [delete, add], 4000, (100, 100)) == found
    far = delete._replace(box=(20, 0, 30, 5))
    assert redrawn(found, [far], 1000, (100, 100)) == found, "nothing lies there"
