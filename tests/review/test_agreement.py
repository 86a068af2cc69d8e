"""Agreement of two files of decisions."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from sklearn.metrics import cohen_kappa_score

from curate.review.agreement import compare, kappa, read_reviewed
from curate.verdicts.journal import JournalWriter


def review(folder: Path, who: str, *said: tuple) -> Path:
    writer = JournalWriter(folder, who)
    for video, kind, facts in said:
        writer.append(video, kind, **facts)
    writer.close()
    return folder / f"{who}.jsonl"


def frames(labels: str, video: str = "v") -> list[tuple]:
    names = {"s": "surgical", "n": "non-surgical", "u": "uncertain"}
    return [(video, "frame", {"at": float(i), "label": names[c]}) for i, c in enumerate(labels) if c != "."]


def test_kappa_is_that_of_the_textbook(tmp_path: Path) -> None:
    texts = ("ssnnusnsns", "ssnnsunsns")
    a = review(tmp_path, "anna", *(f for i in range(8) for f in frames(texts[0][i:] + texts[0][:i], f"v{i}")))
    b = review(tmp_path, "bob", *(f for i in range(8) for f in frames(texts[1][i:] + texts[1][:i], f"v{i}")))
    found = compare(read_reviewed(a), read_reviewed(b)).labels
    one, other = (read_reviewed(path).labels() for path in (a, b))
    expected = cohen_kappa_score([one[k] for k in sorted(one)], [other[k] for k in sorted(one)])
    assert found.value == pytest.approx(expected)
    assert (found.frames, found.videos) == (80, 8)
    assert found.low <= found.value <= found.high


def test_only_what_both_decided_is_compared(tmp_path: Path) -> None:
    a, b = review(tmp_path, "anna", *frames("ssnn..")), review(tmp_path, "bob", *frames("..nnss"))
    found = compare(read_reviewed(a), read_reviewed(b)).labels
    assert (found.frames, found.agreed) == (2, 2)
    assert math.isnan(found.value), "both gave one label only: chance alone agrees"
    assert kappa({}, {}).frames == 0


def test_trims_boxes_and_videos(tmp_path: Path) -> None:
    box = {"at": 1.0, "action": "add", "size": (100, 100)}
    a = review(
        tmp_path,
        "anna",
        ("v", "trim", {"start": 3.0, "end": 50.0}),
        ("v", "box", {**box, "box": (0, 0, 10, 10)}),
        ("v", "box", {**box, "box": (50, 50, 60, 60)}),
        ("w", "video", {"action": "drop"}),
    )
    b = review(
        tmp_path,
        "bob",
        ("v", "trim", {"start": 5.0}),
        ("v", "box", {**box, "box": (1, 0, 10, 10)}),
        ("w", "video", {"action": "keep"}),
    )
    found = compare(read_reviewed(a), read_reviewed(b))
    assert found.edges == (2.0,) and found.boxes == (2, 1, 1) and found.videos == (1, 0)
    assert found.box_f1 == pytest.approx(2 / 3)


def test_a_csv_is_a_file_of_decisions_too(tmp_path: Path) -> None:
    a = review(tmp_path, "anna", *frames("snsn"))
    table = tmp_path / "b.csv"
    table.write_text("video,timestamp,label\nv,0,surgical\nv,1,surgical\nv,2.0,surgical\nv,3,non-surgical\n")
    found = compare(read_reviewed(a), read_reviewed(table)).labels
    assert (found.frames, found.agreed, found.value) == (4, 3, 0.5)
