"""The loop closed: wrong verdicts are suggested, corrected, and heeded by the run, the export and the training."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from curate.cli import run_command
from curate.review.desk import Desk, Refused
from curate.review.judged import judged_videos
from curate.review.suggest import FEWEST, Looks, suggest
from curate.run.session import open_session
from curate.workspace.ledger import read_ledger
from curate.workspace.tables.embeddings import EmbeddingModel, EmbeddingWriter
from tests.review.conftest import VIDEOS, shows_surgery


def last_events(workspace: Path) -> dict[tuple[str, str], object]:
    return {key: record.last for key, record in read_ledger(workspace / "ledger").items()}


def test_thirty_wrong_verdicts_are_among_the_first_sixty_suggested(
    erring: tuple[Path, set[tuple[str, int]]], workspace: Path
) -> None:
    wrong = erring[1]
    assert len(wrong) == 30
    desk = Desk(open_session(workspace), "anna")
    queue = desk.queue("next")
    asked = [(item["video"], item["at"]) for item in queue["frames"]]
    assert len(asked) == 60
    assert wrong <= set(asked)
    assert 15 <= queue["expected"] <= 45, "what is expected is about what is found"
    for video, at in asked:
        desk.decide(video, "frame", {"at": at, "label": "surgical" if shows_surgery(at) else "non-surgical"})
    again = desk.queue("next")
    assert not {(item["video"], item["at"]) for item in again["frames"]} & set(asked)
    assert again["expected"] < queue["expected"] / 4, "what is left is worth little"
    desk.close()

    before = last_events(workspace)
    assert run_command(["run", "-w", str(workspace)]) == 0
    after = last_events(workspace)
    redone = {key for key in after if after[key] != before[key]}
    assert {video for video, _ in redone} == {video for video, _ in wrong} == set(VIDEOS[:3])
    assert {stage for _, stage in redone}.isdisjoint({"download", "sample", "classify"})
    handed_on = (workspace / "exports" / "parquet" / "decisions.jsonl").read_text().splitlines()
    assert {(line["video"], round(line["at"] * 1000)) for line in map(json.loads, handed_on)} == set(asked)
    assert run_command(["verify", str(workspace / "exports" / "parquet")]) == 0
    exported = pq.read_table(workspace / "exports" / "parquet" / "data", columns=["video_id", "timestamp"])
    shown = list(zip(*exported.to_pydict().values(), strict=True))
    assert sorted(shown) == sorted(
        (video, float(second)) for video in VIDEOS for second in range(28) if shows_surgery(second * 1000)
    )


def test_a_desk_refuses_what_is_not_there(workspace: Path) -> None:
    desk = Desk(open_session(workspace), "anna")
    for video, kind, facts in (
        ("nobody", "frame", {"at": 0, "label": "surgical"}),
        ("alpha", "frame", {"at": 500, "label": "surgical"}),
        ("alpha", "frame", {"at": 1000, "label": "maybe"}),
        ("alpha", "frame", {"at": True, "label": "surgical"}),
        ("alpha", "frame", {"at": 1000, "label": "surgical", "who": "bob"}),
        ("alpha", "undo", {"undoes": 1}),
        ("alpha", "box", {"at": 1000, "action": "add", "box": [0, 0, 10**5, 5], "region": "logo"}),
        ("alpha", "box", {"at": 1000, "action": "add", "box": "0000", "region": "logo"}),
        ("alpha", "box", {"at": 1000, "action": "delete"}),
        ("alpha", "trim", {}),
        ("alpha", "video", {"action": "burn"}),
        (["alpha"], "video", {"action": "drop"}),
    ):
        with pytest.raises(Refused):
            desk.decide(video, kind, facts)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="nothing to take back"):
        desk.undo()
    assert desk.progress()["decisions"] == 0
    desk.close()


def test_boxes_trims_and_undo_are_shown_at_once(workspace: Path) -> None:
    desk = Desk(open_session(workspace), "anna")
    before = desk.frame("delta", 8000)
    assert before["kept"] and before["verdict"] == "surgical" and not before["boxes"]
    desk.decide("delta", "box", {"at": 8000, "action": "add", "box": [4, 4, 40, 30], "region": "logo"})
    desk.decide("delta", "box", {"at": 8000, "action": "move", "box": [4, 4, 40, 30], "to": [8, 4, 44, 30]})
    assert [box["box"] for box in desk.frame("delta", 8000)["boxes"]] == [(8, 4, 44, 30)]
    desk.decide("delta", "trim", {"start": 10.0})
    assert desk.frame("delta", 8000)["kept"] is False
    assert desk.undo()["kind"] == "trim"
    assert desk.undo()["said"] == "move"
    assert [box["box"] for box in desk.frame("delta", 8000)["boxes"]] == [(4, 4, 40, 30)]
    desk.undo()
    assert desk.frame("delta", 8000) == before
    desk.close()


def test_an_estimate_grows_out_of_the_sample(workspace: Path) -> None:
    desk = Desk(open_session(workspace), "anna")
    for _ in range(3):
        for item in desk.queue("sample")["frames"]:
            label = "surgical" if shows_surgery(item["at"]) else "non-surgical"
            desk.decide(item["video"], "frame", {"at": item["at"], "label": label})
    found = desk.estimate()
    desk.close()
    said = [
        (shows_surgery(1000 * second), verdict)
        for video in VIDEOS
        for second, verdict in enumerate(
            pq.read_table(workspace / "verdicts" / f"{video}.parquet").column("verdict").to_pylist()
        )
    ]
    hits, taken = said.count((True, "surgical")), sum(verdict == "surgical" for _, verdict in said)
    assert found.precision.low == found.precision.high == pytest.approx(hits / taken), "all frames were seen"
    assert found.recall.value == pytest.approx(hits / sum(shows for shows, _ in said))
    assert found.precision.value < 0.95 and found.recall.value < 0.95
    assert run_command(["run", "-w", str(workspace)]) == 0
    again = Desk(open_session(workspace), "anna")
    assert again.estimate() == found, "corrected verdicts do not flatter the model"
    again.close()


def test_a_purge_takes_decisions_out_of_the_export_too(workspace: Path) -> None:
    desk = Desk(open_session(workspace), "anna")
    for video in ("alpha", "delta"):
        desk.decide(video, "frame", {"at": 9000, "label": "surgical"})
    desk.close()
    assert run_command(["run", "-w", str(workspace)]) == 0
    assert run_command(["purge", "-w", str(workspace), "--id", "alpha", "--yes"]) == 0
    left = (workspace / "exports" / "parquet" / "decisions.jsonl").read_text()
    assert "delta" in left and "alpha" not in left


def test_embeddings_are_used_where_all_videos_have_those_of_one_model(
    erring: tuple[Path, set[tuple[str, int]]], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    model = EmbeddingModel("m", "ab", "levels", 32, 32)
    videos = []
    for video in judged_videos(open_session(erring[0], write=False).pipeline):
        path = tmp_path / f"{video.id}.parquet"
        numbers = np.arange(0, 28, 2, dtype=np.int32)
        towards = np.array([[1.0, 0.0] if shows_surgery(1000 * n) else [0.0, 1.0] for n in numbers])
        vectors = np.hstack([towards, rng.normal(0, 0.1, (len(numbers), 6))])
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        with EmbeddingWriter(path, 8, model, 2.0) as writer:
            writer.add(numbers, numbers.astype(np.float64), vectors.astype(np.float16))
        videos.append(dataclasses.replace(video, embeddings=path, frames=tmp_path / "not read"))
    found = suggest(videos, {}, {}, 60)
    assert erring[1] <= {(s.video, s.frame.at) for s in found}
    assert not suggest([videos[0], dataclasses.replace(videos[1], embeddings=None)], {}, {}, 60), "pictures are needed"


def test_a_queue_of_suggestions_looks_at_some_videos_and_each_further_one_at_more(
    erring: tuple[Path, set[tuple[str, int]]],
) -> None:
    (one, *_) = judged_videos(open_session(erring[0], write=False).pipeline)
    videos = [dataclasses.replace(one, id=f"v{number}") for number in range(8)]
    looks: Looks = {}
    seen: list[set[str]] = []
    for budget in (2 * FEWEST, 4 * FEWEST, 8 * FEWEST, None):
        suggest(videos, {}, {("v7", 3000): "surgical"}, 60, looks, budget)
        seen.append({video for video, _ in looks})
    assert [len(videos) for videos in seen] == [2, 4, 8, 8]
    assert "v7" in seen[0] and seen[0] < seen[1] < seen[2], "what was looked at is looked at again, and not read again"


def test_a_desk_widens_its_look_with_every_queue(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.review.desk.LOOKED_AT_ONCE", 2 * FEWEST)
    desk = Desk(open_session(workspace), "anna")
    videos = [len({item["video"] for item in desk.queue("next")["frames"]}) for _ in range(4)]
    desk.close()
    assert videos == [2, 4, 5, 5]


def test_a_table_widens_its_look_with_what_was_decided(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.review.desk.LOOKED_AT_ONCE", 2 * FEWEST)
    monkeypatch.setattr("curate.review.desk.BATCH", 3)
    desk = Desk(open_session(workspace), "anna")

    def videos(count: int, **how: bool) -> int:
        return len({video for video, _ in _looked_at(desk, count, **how)})

    def _looked_at(desk: Desk, count: int, **how: bool) -> Looks:
        desk._looks.clear()
        desk.listed(count, at_random=False, **how)
        return desk._looks

    assert [videos(3), videos(4), videos(3, everywhere=True)] == [2, 4, 5]
    for row in desk.listed(3, at_random=False)[0]:
        desk.decide(row["video"], "frame", {"at": round(row["timestamp"] * 1000), "label": "surgical"})
    assert videos(3) == 4, "three were decided, three are asked for"
    desk.close()
